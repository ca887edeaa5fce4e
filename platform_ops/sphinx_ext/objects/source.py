"""The text of DAG files, and of what they did when they were run, as pages show them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from platform_ops.sphinx_ext.elements import paragraph

if TYPE_CHECKING:
    from pathlib import Path

    from docutils import nodes

    from platform_ops.registry.models.catalog import Dag
    from platform_ops.sphinx_ext.directives import CatalogDirective
    from platform_ops.sphinx_ext.site import Site

__all__ = ["dag_file", "output_of", "shown_source"]

_HEADER = re.compile(r"\A(?:#.*\n)+\s*")


def dag_file(site: Site, dag: Dag) -> Path | None:
    """The file that a DAG is defined in, where this build can read it."""
    folder = site.dag_folders.get(dag.folder)
    if folder is None:
        return None
    path = folder if folder.is_file() else folder / dag.source.file
    return path if path.is_file() else None


def shown_source(path: Path) -> str:
    """A file without the comment on top, which holds a licence more often than a thought."""
    return _HEADER.sub("", path.read_text(encoding="utf-8")).rstrip()


def output_of(directive: CatalogDirective, path: Path) -> list[nodes.Node]:
    """What an example said, archived and returned when it was last run; nothing where it never was."""
    from platform_ops.registry.examples import output_path, recorded

    kept = recorded(path)
    if kept is None:
        return []
    directive.depends_on(output_path(path))
    block = directive.highlighted("\n".join(kept.output), "text", "airflow-output")
    return [paragraph("When it last ran:"), block]
