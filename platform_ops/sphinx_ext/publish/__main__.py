"""The command line: ``python -m platform_ops.sphinx_ext.publish``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from platform_ops.errors import PlatformError, PublishError
from platform_ops.sphinx_ext.publish import (
    Version,
    fetch,
    point,
    publish,
    published,
    remove,
    roll_back,
)

__all__ = ["main"]

_DESTINATION = click.argument("destination")


class _Commands(click.Group):
    """Commands whose errors are one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except PlatformError as err:
            raise click.ClickException(str(err)) from err


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Publish a documentation site in versions.

    DESTINATION is a folder, git+REPOSITORY#BRANCH, or an object store's URL such as s3://bucket/docs.
    Readers see each change whole or not at all.
    """


@main.command()
@click.argument("site", type=click.Path(path_type=Path))
@_DESTINATION
@click.option(
    "--version", required=True, help="Its name; digits and dots make it a release, such as 1.2.3."
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    help="Another name for it; latest and stable follow the newest release.",
)
def add(site: Path, destination: str, version: str, aliases: tuple[str, ...]) -> None:
    """Publish the pages in SITE as one version; published again, it is replaced."""
    _show(publish(site, destination, version, aliases))


@main.command("list")
@_DESTINATION
def list_versions(destination: str) -> None:
    """Say what is there."""
    _show(published(destination))


@main.command("remove")
@_DESTINATION
@click.argument("version")
def remove_version(destination: str, version: str) -> None:
    """Take VERSION away, with every name that leads to it alone."""
    _show(remove(destination, version))


@main.command("alias")
@_DESTINATION
@click.argument("name")
@click.argument("version")
def point_alias(destination: str, name: str, version: str) -> None:
    """Let NAME lead to VERSION; stable to an older release, say, until the next one."""
    _show(point(destination, name, version))


@main.command("rollback")
@_DESTINATION
@click.argument("version")
def roll_version_back(destination: str, version: str) -> None:
    """Show the build of VERSION that was there before the last one."""
    _show(roll_back(destination, version))


@main.command("fetch")
@_DESTINATION
@click.argument("name")
@click.argument("file")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option(
    "--missing-ok", is_flag=True, help="Write nothing, and succeed, where it is not there."
)
def fetch_file(destination: str, name: str, file: str, output: Path, missing_ok: bool) -> None:
    """Save a FILE of a published version or alias NAME, such as catalog.json."""
    found = fetch(destination, name, file)
    if found is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(found)
    elif not missing_ok:
        raise PublishError(f"{destination}: no {file} in {name!r}; `list` shows what is there")


def _show(entries: Iterable[Version]) -> None:
    for entry in entries:
        notes = ", ".join([*entry.aliases, *(["newest release"] if entry.is_latest else [])])
        click.echo(f"{entry.version:<20} {entry.url:<34} {notes}".rstrip())


if __name__ == "__main__":
    main(prog_name="python -m platform_ops.sphinx_ext.publish")
