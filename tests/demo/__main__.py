"""``python -m tests.demo``: the whole path on real data, from a source to the site."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType

import click

from tests.demo import evidence, site, story
from tests.demo.airflow import USER, Airflow, free_port
from tests.demo.folders import partners
from tests.demo.metrics_listener import Listener
from tests.demo.processes import DemoFailed, Nursery
from tests.demo.screen import Screen
from tests.demo.source import Source
from tests.demo.story import Stage

__all__ = ["main"]

TAIL_LINES = 25
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    serve: bool
    port: int | None
    site: bool
    keep: bool


@click.command()
@click.option("--serve", is_flag=True, help="Keep Airflow's UI and the site up until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Port of Airflow's UI; a free one else."
)
@click.option("--no-site", is_flag=True, help="Leave the site out.")
@click.option(
    "--keep", is_flag=True, help="Keep the temporary folder with the archive and the logs."
)
def main(*, serve: bool, port: int | None, no_site: bool, keep: bool) -> None:
    """Show the whole path on real data: source, Airflow, archive, metrics, replay, site."""
    screen = Screen.standard()
    # SIGINT too: a shell that starts it in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _demo(screen, Options(serve, port, not no_site, keep))
    except DemoFailed as err:
        _explain(screen, err)
        sys.exit(1)
    except KeyboardInterrupt:
        screen.say("\nStopped; nothing is left running.")
        sys.exit(INTERRUPTED)


def _demo(screen: Screen, options: Options) -> None:
    port = free_port(options.port)
    with ExitStack() as stack:
        folder = stack.enter_context(_temporary_folder(screen, keep=options.keep))
        source = stack.enter_context(Source.started())
        handed_over = stack.enter_context(partners())
        listener = stack.enter_context(Listener.started())
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        variables = {**source.environment(), **handed_over, **listener.environment()}
        airflow = Airflow(folder / "airflow", nursery, port, variables)
        stage = Stage(screen, folder, source, listener, nursery, airflow)
        _play(stage, options)
        if options.serve:
            _serve(stage, options)


def _play(stage: Stage, options: Options) -> None:
    stage.screen.title(
        "platform_ops",
        "Whatever a DAG takes in from outside is archived verbatim, exactly once, under a URL that "
        "anyone can work out in advance.",
    )
    api = story.start(stage)
    building = site.begin(stage) if options.site else None
    story.run_all(stage, api)
    evidence.tree(stage)
    evidence.one_manifest(stage)
    evidence.metrics(stage)
    evidence.verify(stage)
    story.replay(stage, api)
    evidence.sql(stage)
    if building is not None:
        site.finish(stage, building)
    stage.screen.summary(stage.facts)


def _serve(stage: Stage, options: Options) -> None:
    stage.source.switch_on()
    stage.airflow.start_triggerer()
    with ExitStack() as stack:
        stage.screen.title(
            "Up until Ctrl-C", "The source answers again; trigger, clear and backfill."
        )
        stage.screen.say(
            f"Airflow  {stage.airflow.url}   user {USER}, password {stage.airflow.password}"
        )
        if options.site:
            stage.screen.say(f"Site     {stack.enter_context(site.served(0))}")
        stage.screen.say(f"Archive  {stage.site.archive.root}")
        try:
            while not Event().wait(1.0):
                stage.nursery.check()
        except KeyboardInterrupt:
            stage.screen.say("\nStopping.")


@contextmanager
def _temporary_folder(screen: Screen, *, keep: bool) -> Iterator[Path]:
    """A folder that is removed at the end, unless it is asked for or tells of a failure."""
    folder = Path(tempfile.mkdtemp(prefix="platform_ops-demo-"))
    try:
        yield folder
    except DemoFailed as err:
        err.folder = folder
        raise
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if keep:
        screen.say(f"\nKept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _explain(screen: Screen, err: DemoFailed) -> None:
    if err.log is not None and err.log.exists():
        screen.say(f"\nThe end of {err.log}:", "dim")
        for line in err.log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]:
            screen.say(_readable(line))
    screen.say(f"\nFAILED  {err}", "bold red")
    if err.folder is not None:
        screen.say(f"Nothing is left running; logs and archive are kept in {err.folder}")


def _readable(line: str) -> str:
    """A line of a log, for people: those of tasks are JSON."""
    try:
        entry = json.loads(line)
        causes = [
            f"{each['exc_type']}: {each['exc_value']}" for each in entry.get("error_detail", [])
        ]
        return "\n  ".join(
            [f"{entry['timestamp'][11:19]} {entry['level']:8}{entry['event']}", *causes]
        )
    except (ValueError, TypeError, KeyError):
        return line


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
