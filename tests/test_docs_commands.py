"""The commands that the pages show: those on the archive are run, all others are at least understood."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from platform_ops import archive
from platform_ops.cli import CANNOT_RUN, main
from platform_ops.entity import Entity, Origin, Part, RunIdentity, Slot
from platform_ops.settings import Settings, load
from platform_ops.sphinx_ext.publish.__main__ import main as publisher

ROOT = Path(__file__).parents[1]
FOLDERS = ("tutorials", "how-to", "explanation", "runbooks", "reference")
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for each in FOLDERS for page in sorted((ROOT / "docs" / each).glob("*.md"))),
)
PUBLISHER = "python -m platform_ops.sphinx_ext.publish"
SITE = """
[archive]
root = "file://{root}"

[sources.weather.entities.forecast]
schedule = "@daily"
retention_days = 3650

[sources.noaa.entities.daily_weather]
[sources.shop.entities.orders]
[sources.exchange.entities.quote]
"""
NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
SHOWN = [datetime(2026, month, day, tzinfo=UTC) for month in (3, 11) for day in (1, 2, 3)]
DAYS = {
    datetime(2024, 3, 5, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    *SHOWN,
    *(NOW - timedelta(days=back) for back in range(1, 8)),
}


def commands(program: str = "platform-ops") -> list[str]:
    """Each command of a program that a page shows, once, without what a pipe leads to."""
    found = {
        line.partition(" | ")[0].partition(" > ")[0].partition("  # ")[0].strip()
        for page in PAGES
        for block in re.findall(
            r"^ *```console\n(.*?)^ *```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        for line in re.findall(rf"^ *\$ ({re.escape(program)} .*)$", block, re.MULTILINE)
    }
    return sorted(found)


ON_THE_ARCHIVE = [each for each in commands() if each.startswith("platform-ops archive ")]


def capture(entity: str, day: datetime, number: int, body: bytes, settings: Settings) -> None:
    run = RunIdentity(
        "weather_daily", "forecast", f"scheduled__{day.isoformat()}", try_number=1, max_tries=number
    )
    origin = Origin("https://api.weather.example/forecast?day=1")
    slot = Slot(Entity.parse(entity), day)
    with archive.session(slot, run, settings=settings) as session:
        session.write(Part("response.json", [body], origin, "application/json"))
        session.write(Part("stations-b.csv", [b"id\n1\n"], origin, "text/csv"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose archive holds what the pages speak of."""
    folder = tmp_path_factory.mktemp("site")
    path = folder / "platform.toml"
    path.write_text(SITE.format(root=folder / "archive"))
    settings = load(path).settings
    for day in sorted(DAYS):
        for number, body in enumerate([b"test", b'{"high": 31}', b'{"high": 32}'], 1):
            capture("weather.forecast", day, number, body, settings)
    for entity in ("noaa.daily_weather", "shop.orders"):
        capture(entity, datetime(2015, 12, 1, tzinfo=UTC), 1, b"{}", settings)
    for day in SHOWN:
        capture("exchange.quote", day, 1, b'{"price": 17.5}', settings)
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes, it writes into a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(config))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_pages_show_commands() -> None:
    assert len(ON_THE_ARCHIVE) > 10


@pytest.mark.parametrize("command", ON_THE_ARCHIVE)
def test_a_command_on_the_archive_runs(command: str) -> None:
    if " release " in command:  # the hold of the page is another's
        hold = archive.hold("weather", reason="lawsuit 7", by="counsel")
        command = re.sub(r"release \S+", f"release {hold.id}", command)
    if against := re.search(r"--against (\S+)", command):  # what the page's command before it wrote
        heads = CliRunner().invoke(main, ["archive", "witness"])
        Path(against[1]).write_text(heads.output, "utf-8")
    ran = CliRunner().invoke(main, shlex.split(command)[1:])
    assert ran.exit_code < CANNOT_RUN, ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output


@pytest.mark.parametrize("command", [each for each in commands() if each not in ON_THE_ARCHIVE])
def test_another_command_is_understood(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    understand(main, command.removeprefix("platform-ops "))


@pytest.mark.parametrize("command", commands(PUBLISHER))
def test_a_command_of_the_publisher_is_understood(command: str) -> None:
    understand(publisher, command.removeprefix(PUBLISHER))


@pytest.mark.parametrize("command", commands("airflow"))
def test_a_command_of_airflow_is_understood(command: str) -> None:
    from airflow.cli.cli_parser import get_parser

    get_parser().parse_args(shlex.split(command)[1:])


def test_every_extra_and_session_that_a_page_names_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    sessions = re.findall(
        r'^@nox\.session(?:\(.*?name="([\w-]+)".*)?.*\ndef (\w+)',
        (ROOT / "noxfile.py").read_text("utf-8"),
        re.MULTILINE,
    )
    for page in PAGES:
        text = page.read_text("utf-8")
        extras = re.findall(r"platform-ops\[([a-z0-9,]+)\]", text)
        named = {each for found in extras for each in found.split(",")}
        assert named <= set(project["optional-dependencies"]), page
        run = set(re.findall(r"noxfile\.py -s ([\w-]+)", text))
        assert run <= {name or function for name, function in sessions}, page


def understand(within: click.Command, line: str) -> None:
    """Parse a line as the program does that it is for."""
    command, arguments = line, shlex.split(line)
    context = click.Context(within)
    while isinstance(within, click.Group):
        name, found, arguments = within.resolve_command(context, arguments)
        assert found is not None, f"there is no {name} in {command!r}"
        within, context = found, click.Context(found, parent=context, info_name=name)
    within.make_parser(context).parse_args(arguments)


def test_the_page_of_the_command_line_names_every_command() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    shown = re.findall(r"^\| `platform-ops ([a-z ]+)` \|", page, re.MULTILINE)
    assert sorted(shown) == sorted(_names(main, click.Context(main)))


def _names(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {each}" for each in _names(command, context))
        else:
            yield name
