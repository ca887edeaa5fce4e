from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from click.testing import CliRunner

from platform_ops.cli import main
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import commit, part, run, slot
from tests.cli.conftest import Call

PROGRAM = str(Path(sys.executable).with_name("platform-ops"))
GROUPS = ("archive", "docs", "monitoring", "new", "notify")
ROOT_OF_A_SITE = '[archive]\nroot = "{root}"\n'


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("group", ["", *GROUPS])
def test_help_fits_a_terminal_and_cuts_no_sentence(group: str, width: int) -> None:
    said = CliRunner().invoke(main, [*group.split(), "--help"], terminal_width=width)
    assert said.exit_code == 0
    assert "..." not in said.output.partition("Commands:")[2]
    assert max(map(len, said.output.splitlines())) <= width


def test_help_names_every_command_and_loads_none() -> None:
    script = (
        "import sys\n"
        "from platform_ops.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print(*(name for name in ('airflow', 'pydantic', 'rich', 'sphinx') if name in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *shown, loaded = result.stdout.splitlines()
    commands = ["archive", "audit", "docs", "doctor", "lint", "monitoring", "new", "notify"]
    assert [line.split()[0] for line in shown[-len(commands) :]] == commands
    assert loaded == ""


def test_the_archive_is_read_without_airflow(disk: Disk, site: Callable[[], Settings]) -> None:
    commit(site())
    script = (
        "import sys\n"
        "from platform_ops.cli import main\n"
        "show = ['show', 'weather.forecast', '--time', '2024-03-05']\n"
        "for command in (['ls'], ['tree'], ['verify'], show):\n"
        "    try: main(['archive', *command])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "assert not any(name.partition('.')[0] == 'airflow' for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_installed_program_verifies(disk: Disk, site: Callable[[], Settings]) -> None:
    commit(site())
    clean = subprocess.run(
        [PROGRAM, "archive", "verify"], capture_output=True, text=True, check=False
    )
    assert (clean.returncode, clean.stderr) == (0, "")
    assert "1 manifest, 5 B of payloads hashed" in clean.stdout
    disk.remove(next(key for key in disk.objects() if key.startswith("data/")))
    faulty = subprocess.run(
        [PROGRAM, "archive", "verify"], capture_output=True, text=True, check=False
    )
    assert (faulty.returncode, faulty.stderr) == (1, "")
    assert faulty.stdout.startswith("missing    file:///")


def test_the_installed_program_ends_quietly_when_its_reader_does(
    disk: Disk, site: Callable[[], Settings]
) -> None:
    commit(site(), part(b"x" * (4 << 20)))
    arguments = [PROGRAM, "archive", "cat", "weather.forecast", "--time", "2024-03-05"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        assert process.stderr.read() == b""


def test_an_error_is_one_line_and_debug_shows_where_it_came_from(cli: Call) -> None:
    wrong = {"PLATFORM_OPS__ARCHIVE__ROOT": "ftp://host/x"}
    result = cli("archive", "ls", **wrong)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: $PLATFORM_OPS__ARCHIVE__ROOT: 'ftp://host/x' is no archive root; write "
        "file:///absolute/folder, s3://bucket/prefix, gs://bucket/prefix or abfs://container/prefix\n"
    )
    with pytest.raises(ConfigError):
        cli("--debug", "archive", "ls", **wrong)


def test_a_root_that_cannot_be_listed_is_an_error_without_traceback(
    cli: Call, tmp_path: Path
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    result = cli("archive", "ls", PLATFORM_OPS__ARCHIVE__ROOT=f"file://{loop}")
    assert result.exit_code == 2
    assert re.fullmatch(r"error: .*loop.*\n", result.stderr)


@pytest.mark.parametrize("named_by", ["option", "airflow_variable", "airflow_cfg", "variable"])
def test_settings_are_found_as_tasks_find_them(
    named_by: str, cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(ROOT_OF_A_SITE.format(root="file:///there"), encoding="utf-8")
    options = ["--config", str(file)] if named_by == "option" else []
    if named_by == "airflow_variable":
        monkeypatch.setenv("AIRFLOW__PLATFORM_OPS__CONFIG", str(file))
    if named_by == "airflow_cfg":
        monkeypatch.setenv("SITE", str(tmp_path))
        text = "[core]\nparallelism = 50%\n[platform_ops]\nconfig = $SITE/site.toml\n"
        (tmp_path / "home" / "airflow.cfg").write_text(text, encoding="utf-8")
    if named_by == "variable":
        monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(file))
    result = cli(*options, "archive", "url", "weather.forecast", "--time", "2024-03-05")
    assert result.stdout.startswith("file:///there/data/v1/")


@pytest.mark.parametrize("command", ["archive ls", "lint", "monitoring rules", "notify routes"])
def test_a_settings_file_that_is_not_there_is_named(
    command: str, cli: Call, tmp_path: Path
) -> None:
    (tmp_path / "home" / "airflow.cfg").write_text("[platform_ops]\nconfig = /no/such.toml\n")
    result = cli(*command.split())
    assert result.exit_code == 2
    assert "/no/such.toml: no such file" in result.stderr
    named = cli("--config", "/no/such.toml", *command.split())
    assert "'/no/such.toml' does not exist" in named.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal_tables_fit_and_urls_stay_whole(
    disk: Disk, site: Callable[[], Settings], columns: int
) -> None:
    for day, key in enumerate(("EWX", "a map key that is rather long for its column")):
        commit(site(), part(b"x", rows=31), at=slot(day, map_key=key), by=run(f"scheduled-{day}"))
    shown = on_terminal(columns, "archive", "ls")
    root, _, _, heading, first, *rest = shown.splitlines()
    assert root == disk.root
    assert max(len(line.rstrip()) for line in [heading, first, *rest]) <= columns
    assert first.startswith("2024-03-05 00:00  map=EWX")
    key = next(key for key in disk.objects() if key.startswith("data/"))
    disk.write(key, b"y")
    verified = on_terminal(columns, "archive", "verify")
    assert f"digest     {disk.root}/{key}: SHA-256 " in verified
    manifest = on_terminal(columns, "archive", "show", f"{disk.root}/{key}")
    assert f'"key": "{key}",' in manifest
    assert "\x1b[" in on_terminal(columns, "archive", "show", f"{disk.root}/{key}", plain=False)


def on_terminal(columns: int, *arguments: str, plain: bool = True) -> str:
    """What a terminal of this width is sent."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
    }
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**environment, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    sent = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how a Linux terminal says that the other side has ended
            break
        if not chunk:
            break
        sent += chunk
    os.close(ours)
    process.wait()
    text = sent.decode().replace("\r\n", "\n")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text) if plain else text
