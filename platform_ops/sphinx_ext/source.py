"""The text of DAG files, as pages show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from platform_ops.registry.model import Dag
    from platform_ops.sphinx_ext.site import Site

__all__ = ["dag_file", "shown_source"]

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
