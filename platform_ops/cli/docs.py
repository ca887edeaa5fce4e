"""``platform-ops docs``: the catalogue, the site made of it, and the check that nothing is missing.

Works on any site whose ``conf.py`` sets ``airflow_catalog``. Exit codes: 0 all is well, 1 findings or
a build that failed, 2 it could not run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from platform_ops.cli import Commands
from platform_ops.cli.docs_check import CACHE, SITE, check, examples
from platform_ops.cli.docs_new import new, serve
from platform_ops.cli.terminal import console
from platform_ops.errors import ExtraMissing

if TYPE_CHECKING:
    from platform_ops.registry import Catalog

__all__ = ["docs"]


@click.group(cls=Commands)
def docs() -> None:
    """Build and check the documentation site.

    SITE is the folder of its conf.py; docs, unless named.
    """


for _command in (new, serve, check, examples):
    docs.add_command(_command)


@docs.command()
@SITE
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write it there."
)
@click.option("--schema", is_flag=True, help="Print the catalogue's JSON Schema instead.")
def catalog(site: Path, output: Path | None, schema: bool) -> None:
    """Print everything that the site knows of packages and DAGs, as one JSON document."""
    import json

    from platform_ops.registry import CatalogConfig, build, catalog_schema

    if schema:
        text = json.dumps(catalog_schema(), indent=2) + "\n"
    else:
        text = build(CatalogConfig.from_conf(site), site / CACHE).catalog.to_json()
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@docs.command()
@click.argument("old", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("new", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, as_json: bool) -> None:
    """Say what changed between two catalogues, and fail where it breaks their users.

    OLD and NEW are files that `docs catalog` wrote.
    """
    from platform_ops.registry.changes import compare

    changes = compare(_read_catalog(old), _read_catalog(new))
    if as_json:
        click.echo(changes.to_json(), nl=False)
    else:
        changes.print(console())
    ctx.exit(int(bool(changes.breaking)))


def _read_catalog(path: Path) -> Catalog:
    from platform_ops.registry import Catalog

    try:
        return Catalog.from_json(path.read_bytes())
    except ValueError as err:
        why = f"{path} is no catalogue: {str(err).splitlines()[0]}"
        raise click.UsageError(f"{why}; `platform-ops docs catalog -o FILE` writes one") from err


@docs.command("build")
@SITE
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the pages; _build/html below SITE, unless named.",
)  # fmt: skip
@click.option(
    "--builder", "-b", default="html", show_default=True, help="Any of Sphinx's builders."
)
@click.option(
    "--strict", is_flag=True, help="Fail on warnings, and on references that lead nowhere."
)
@click.pass_context
def build_site(
    ctx: click.Context, site: Path, output: Path | None, builder: str, strict: bool
) -> None:
    """Build the site with Sphinx, on every core."""
    try:
        from sphinx.cmd.build import main
    except ImportError as err:
        raise ExtraMissing("Sphinx", "docs", "platform-ops docs build") from err

    target = output or site / "_build" / builder
    strictness = ["--fail-on-warning", "--keep-going", "--nitpicky"] if strict else []
    arguments = ["--builder", builder, "--jobs", "auto", *strictness, str(site), str(target)]
    code = main(arguments)
    if code == 0 and builder == "html":
        click.echo(f"open {(target / 'index.html').resolve().as_uri()}", file=sys.stderr)
    ctx.exit(min(code, 1))
