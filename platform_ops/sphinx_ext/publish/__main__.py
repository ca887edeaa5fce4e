"""The command line: ``python -m platform_ops.sphinx_ext.publish``."""

from __future__ import annotations

from pathlib import Path

import click

from platform_ops.errors import PlatformError
from platform_ops.sphinx_ext.publish import publish

__all__ = ["main"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("site", type=click.Path(path_type=Path))
@click.argument("destination")
@click.option(
    "--version", required=True, help="Its name; digits and dots make it a release, such as 1.2.3."
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    help="Another name for it; latest follows the newest release.",
)
def main(site: Path, destination: str, version: str, aliases: tuple[str, ...]) -> None:
    """Publish the pages in SITE as one version at DESTINATION.

    DESTINATION is a folder, git+REPOSITORY#BRANCH, or an object store's URL such as s3://bucket/docs.
    Versions that are there stay; readers see the new one whole or not at all.
    """
    try:
        entries = publish(site, destination, version, aliases)
    except PlatformError as err:
        raise click.ClickException(str(err)) from err
    for entry in entries:
        notes = ", ".join([*entry.aliases, *(["newest release"] if entry.is_latest else [])])
        click.echo(f"{entry.version:<20} {entry.url:<34} {notes}".rstrip())


if __name__ == "__main__":
    main(prog_name="python -m platform_ops.sphinx_ext.publish")
