"""What a build of many pages does once, instead of again for each page or each build.

All of it is about Python, not about what the pages say: a site without it is the same, and slower.
"""

from __future__ import annotations

import gc
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import FileSystemBytecodeCache

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["connect"]

# Documents are trees of nodes that know their parents. They die together, so that looking for dead
# cycles every 700 objects, as Python does by default, goes over all living ones in vain.
_OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000


def connect(app: Sphinx) -> None:
    """Hurry a build along."""
    default = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 20)
    app.connect("builder-inited", _freeze, priority=900)
    app.connect("builder-inited", _keep_templates)
    app.connect("doctree-resolved", _stem_once)
    app.connect("build-finished", lambda *_: gc.set_threshold(*default))


def _freeze(app: Sphinx) -> None:
    """Leave alone what lives to the end: the catalogue, and the modules of all extensions.

    Forked readers and writers then share that memory, too: a collection would write to each object.
    """
    gc.collect()
    gc.freeze()


def _keep_templates(app: Sphinx) -> None:
    """A theme's templates are compiled once, and not in each build; Jinja knows when one changed."""
    environment = getattr(getattr(app.builder, "templates", None), "environment", None)
    if environment is not None and environment.bytecode_cache is None:
        folder = Path(app.doctreedir, "airflow-templates")
        folder.mkdir(parents=True, exist_ok=True)
        environment.bytecode_cache = FileSystemBytecodeCache(str(folder))


def _stem_once(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """The search index stems the words of each page anew; most of them are those of other pages."""
    indexer = getattr(app.builder, "indexer", None)  # builders of HTML have one while they write
    if indexer is not None and not hasattr(indexer.lang.stem, "cache_info"):
        indexer.lang.stem = cache(indexer.lang.stem)
