"""What somebody meets who is called at night: hostile names, a narrow terminal, a slip of the hand."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable

import pytest

from platform_ops.entity import Entity, Slot
from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import TUESDAY, commit, part, slot
from tests.cli.conftest import Call

HOSTILE = "a\x1b[31mred\x1b]0;title\x07\x9b2J\u202egpj\nline"
COMMAND = [sys.executable, "-c", "from platform_ops.cli import main; main()"]


@pytest.fixture
def hostile(disk: Disk, site: Callable[[], Settings]) -> str:
    """An entity whose every name is meant for the terminal that shows it."""
    at = Slot(Entity("evil", HOSTILE), TUESDAY, partition_key=HOSTILE, map_key=HOSTILE)
    commit(site(), part(b"x", HOSTILE), at=at)
    return f"evil.{HOSTILE}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("tree",),
        ("find", "--on", "2024-03-05"),
        ("history", "ENTITY", "--time", "2024-03-05"),
        ("cat", "ENTITY", "--time", "2024-03-06"),
        ("status",),
        ("verify",),
        ("ls", "--json"),
        ("find", "--on", "2024-03-05", "--json"),
    ],
)
def test_no_name_reaches_the_terminal_as_a_command(
    hostile: str, cli: Call, arguments: tuple[str, ...]
) -> None:
    given = [hostile if each == "ENTITY" else each for each in arguments]
    result = cli("archive", *given)
    for control in ("\x1b[31m", "\x1b]", "\x07", "\x9b", "\u202e"):
        assert control not in result.output
    if arguments[0] in ("ls", "tree"):
        assert "red" in result.output


def test_half_a_letter_in_a_name_can_be_listed(
    disk: Disk, site: Callable[[], Settings], cli: Call
) -> None:
    commit(site(), part(), at=Slot(Entity("evil", "half\udc80"), TUESDAY))
    assert "evil.half\\udc80" in cli("archive", "ls").output
    (line,) = cli("archive", "ls", "--json").stdout.splitlines()
    assert json.loads(line)["entity"] == "evil.half\udc80"


def shown_at(columns: int, *arguments: str) -> list[str]:
    """The lines of a command on a terminal of that width, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 4096):
                text += piece
        except OSError:  # Linux says so where the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0, text
    return [line.rstrip() for line in text.decode().splitlines()]


def test_keys_can_be_read_at_sixty_columns(disk: Disk, site: Callable[[], Settings]) -> None:
    commit(site(), part(), at=slot(0, partition_key="region-emea", map_key="EWX-156"))
    (row,) = [line for line in shown_at(60, "archive", "ls") if line.startswith("2024-03-05")]
    assert "part=region-emea" in row
    (heading,) = [line for line in shown_at(120, "archive", "ls") if line.startswith("TIME")]
    assert heading.endswith("COMMITTED (UTC)")


def test_a_range_that_is_none_is_refused(disk: Disk, cli: Call) -> None:
    result = cli("archive", "ls", "--since", "2024-03-06", "--until", "2024-03-05")
    assert result.exit_code == 2
    assert "--until 2024-03-05T00:00Z is not after --since 2024-03-06T00:00Z" in result.output


@pytest.mark.parametrize("command", ["ls", "cat"])
def test_a_slip_in_a_name_is_told(
    disk: Disk, site: Callable[[], Settings], cli: Call, command: str
) -> None:
    commit(site(), part())
    assert "did you mean weather.forecast?" in cli("archive", command, "weather.forcast").output


def test_an_interrupt_says_nothing_of_the_archive(disk: Disk) -> None:
    """Exit code 1 would tell a script that something in the archive is at fault."""
    script = (
        "import os, signal, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it\n"
        "from platform_ops.archive.records import browse\n"
        "from platform_ops.cli import main\n"
        "def slots(*_):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    threading.Event().wait(30)\n"
        "browse.slots = slots\n"
        "main(['archive', 'ls'])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.returncode, ran.stderr.strip()) == (128 + signal.SIGINT, "interrupted")


def test_a_payload_that_is_lost_says_who_names_it(
    disk: Disk, site: Callable[[], Settings], cli: Call
) -> None:
    done = commit(site(), part())
    disk.remove(done.manifest.payloads[0].key)
    result = cli("archive", "cat", "weather.forecast")
    assert result.exit_code == 2
    assert "no such object, though a manifest names it" in result.output
    assert "restore it from a copy" in result.output
