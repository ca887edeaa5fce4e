"""Pages that no one wrote: virtual documents, kept as files beside the doctrees.

Sphinx reads a document from the path that its project gives for it. This project gives the written
ones their own path, and the generated ones a path in the output; nothing is written into the source
tree, and since a file is rewritten only when its text changed, incremental and parallel builds,
``linkcheck`` and the rest work on them as on any other document.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.project import Project

if TYPE_CHECKING:
    from sphinx.util._pathlib import _StrPath

__all__ = ["CatalogProject"]

_SUFFIX = ".rst"


class CatalogProject(Project):
    """Written documents, and generated ones where none is written.

    :param written: The project that it takes the place of.
    :param folder: Where generated sources are kept.
    :param pages: Document name to source text.
    :param output: Where the site is written: what lies there, in Markdown too, is no source.
    """

    def __init__(
        self, written: Project, folder: Path, pages: Mapping[str, str], output: Path
    ) -> None:
        super().__init__(written.srcdir, written.source_suffix)
        self.restore(written)
        self._folder = folder
        self._output = output
        self._pages = dict(pages)
        self._generated: set[str] = set()

    def discover(
        self, exclude_paths: Iterable[str] = (), include_paths: Iterable[str] = ("**",)
    ) -> set[str]:
        """Find written documents, then add the generated ones that are not among them."""
        inside = [  # an output folder inside the source tree
            f"{folder.relative_to(self.srcdir).as_posix()}/**"
            for folder in (self._folder, self._output)
            if folder != self.srcdir and folder.is_relative_to(self.srcdir)
        ]
        others = f"**/{self._folder.name}/**"  # what another builder has generated
        written = super().discover([*exclude_paths, *inside, others], include_paths)
        self._generated = self._pages.keys() - written
        for docname in self._generated:
            self._write(docname)
        self._remove_others()
        written |= self._generated
        return written

    def doc2path(self, docname: str, absolute: bool) -> _StrPath:
        """Where a document's source is."""
        if docname not in self._generated:
            return super().doc2path(docname, absolute)
        path = type(self.srcdir)  # Sphinx's own path class, which its type promises
        return path(self._path(docname)) if absolute else path(docname + _SUFFIX)

    def path2doc(self, filename: str | os.PathLike[str]) -> str | None:
        """The document that a file is the source of."""
        path = Path(filename)
        if path.is_relative_to(self._folder):
            return path.relative_to(self._folder).as_posix().removesuffix(_SUFFIX)
        return super().path2doc(filename)

    def _path(self, docname: str) -> Path:
        return self._folder / f"{docname}{_SUFFIX}"

    def _write(self, docname: str) -> None:
        path, text = self._path(docname), self._pages[docname]
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _remove_others(self) -> None:
        for path in self._folder.rglob(f"*{_SUFFIX}"):
            if self.path2doc(path) not in self._generated:
                path.unlink()
