"""``platform-ops docs new`` and ``docs serve``: a site for people who never touched Sphinx."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from platform_ops.cli.docs_check import SITE
from platform_ops.cli.new import packages_in
from platform_ops.errors import ConfigError, ExtraMissing

__all__ = ["new", "serve"]

_CONF: Final = '''\
"""The site of {project}; `platform-ops docs build` makes it."""

import os
from urllib.parse import urlsplit

project = "{project}"
extensions = [
    "platform_ops.sphinx_ext",
    "platform_ops.sphinx_ext.switcher",
    "notfound.extension",  # the page for wrong addresses
]
airflow_catalog = {catalog}
exclude_patterns = ["_build"]
html_theme = "furo"
# Where readers find the newest release: site map, canonical links and cards of shared links need it.
html_baseurl = os.environ.get("DOCS_BASE_URL", "")
notfound_urls_prefix = urlsplit(html_baseurl).path or "/"
'''
_INDEX: Final = """\
{title}
{rule}

.. toctree::
   :maxdepth: 2

   reference/index
"""
_WORKFLOW: Final = """\
name: docs

# A pull request is checked and built. A push to main publishes the site as `main`; a release publishes
# it under its version, as `latest` and as `stable`, which the newest release alone is given.
on:
  push:
    branches: [main]
  release:
    types: [published]
  pull_request:

permissions:
  contents: write # publishing is one commit to gh-pages; what comes from a fork may only read

jobs:
  docs:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      - uses: actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0
        with:
          python-version: "3.13"
      - run: pip install 'platform-ops[airflow,docs]'{install}
      - run: platform-ops docs check {site} --format github
      - run: platform-ops docs build {site} --strict
        env: # the variable PAGES_URL of the repository, where that is no github.io
          DOCS_BASE_URL: >-
            ${{{{ vars.PAGES_URL || format('https://{{0}}.github.io/{{1}}',
            github.repository_owner, github.event.repository.name) }}}}/stable/
      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with:
          name: site
          path: {site}/_build/html
      - if: github.event_name != 'pull_request'
        run: >-
          python -m platform_ops.sphinx_ext.publish
          add {site}/_build/html "$DESTINATION" --version "$VERSION" --alias latest --alias stable
        env: # the token, for this one step: git reads its settings from here
          DESTINATION: git+${{{{ github.server_url }}}}/${{{{ github.repository }}}}#gh-pages
          VERSION: ${{{{ github.event.release.tag_name || 'main' }}}}
          GIT_CONFIG_COUNT: "1"
          GIT_CONFIG_KEY_0: url.https://x-access-token:${{{{ github.token }}}}@github.com/.insteadOf
          GIT_CONFIG_VALUE_0: https://github.com/
"""
_IGNORED: Final = "_build/\n"


@click.command()
@click.argument("site", type=click.Path(path_type=Path, file_okay=False), default="docs")
@click.option(
    "--package", "packages", multiple=True, metavar="NAME",
    help="A package with operators or hooks, by its import name.",
)  # fmt: skip
@click.option(
    "--dags", multiple=True, type=click.Path(path_type=Path, exists=True), help="A folder of DAGs."
)
@click.option("--title", help="The site's title; the name of the present folder, unless given.")
def new(site: Path, packages: tuple[str, ...], dags: tuple[Path, ...], title: str | None) -> None:
    """Write a small site that works, into SITE, and a workflow that checks, builds and publishes it.

    Without options it takes the packages and the folder `dags` that lie here. Nothing is ever
    overwritten.
    """
    home = Path.cwd()
    if not packages and not dags:
        packages = tuple(packages_in(home))
        dags = tuple(each for each in [home / "dags"] if each.is_dir())
    if not packages and not dags:
        raise ConfigError(
            f"{home} holds no package and no folder dags; name them with --package and --dags"
        )
    files = _files(site, packages, dags, title or home.name)
    there = [str(path) for path in files if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: already there, and nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(path)
    click.echo(f"now run: platform-ops docs build {site}", err=True)


def _files(
    site: Path, packages: tuple[str, ...], dags: tuple[Path, ...], title: str
) -> dict[Path, str]:
    """Every file of the new site, with its text."""
    catalog: dict[str, list[str]] = {}
    if packages:
        catalog["packages"] = list(packages)
    if dags:
        catalog["dags"] = [Path(os.path.relpath(each, site)).as_posix() for each in dags]
    install = " ." if any(Path(each).is_file() for each in ("pyproject.toml", "setup.py")) else ""
    told = site.as_posix()
    return {
        site / "conf.py": _CONF.format(
            project=title.replace('"', "'"), catalog=json.dumps(catalog)
        ),
        site / "index.rst": _INDEX.format(title=title, rule="=" * max(3, len(title))),
        site / ".gitignore": _IGNORED,
        Path(".github/workflows/docs.yml"): _WORKFLOW.format(site=told, install=install),
    }


@click.command()
@SITE
@click.option("--port", default=8000, show_default=True, help="0 takes any that is free.")
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@click.pass_context
def serve(ctx: click.Context, site: Path, port: int, show: bool) -> None:
    """Serve the site on this machine, and build it again at each change.

    Packages and DAG folders are watched as well as the pages.
    """
    from importlib.util import find_spec

    from platform_ops.registry import CatalogConfig
    from platform_ops.registry.discover import folder_of

    if find_spec("sphinx_autobuild") is None:
        raise ExtraMissing("sphinx-autobuild", "serve", "platform-ops docs serve")
    config = CatalogConfig.from_conf(site)
    folders = [*map(folder_of, config.packages), *config.dag_folders]
    watched = [part for each in folders for part in ("--watch", str(each))]
    command = [
        *(sys.executable, "-m", "sphinx_autobuild", "--host", "127.0.0.1", "--port", str(port)),
        *watched,
        *("--ignore", "*/_build/*", "--ignore", "*/__pycache__/*", "--jobs", "auto"),
        *(["--open-browser"] if show else []),
        *(str(site), str(site / "_build" / "live")),
    ]
    try:
        ctx.exit(min(subprocess.call(command), 1))
    except KeyboardInterrupt:
        ctx.exit(0)
