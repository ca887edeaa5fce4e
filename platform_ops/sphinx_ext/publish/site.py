"""The built HTML folder that is to be published, read only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish.versions import INDEX

__all__ = ["Site"]

_BUILD_STATE: Final = frozenset({".buildinfo", ".buildinfo.bak", ".doctrees"})
"""What Sphinx keeps beside the pages for its next build; no reader asks for it."""


class Site:
    """A folder with an ``index.html``.

    :raises PublishError: There is no such folder, or no site in it.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).is_file():
            raise PublishError(
                f"{folder}: no {INDEX} there; build the site first, and name the folder of its pages"
            )
        self.folder = folder
        self.files = tuple(sorted(self._walk()))

    def _walk(self) -> Iterator[str]:
        for path in self.folder.rglob("*"):
            relative = path.relative_to(self.folder)
            if path.is_file() and relative.parts[0] not in _BUILD_STATE:
                yield relative.as_posix()

    def path(self, file: str) -> Path:
        """Where a file of the site lies."""
        return self.folder / file

    def digest(self) -> str:
        """Twelve hex digits that tell this build from any other."""
        whole = hashlib.sha256()
        for file in self.files:
            with self.path(file).open("rb") as body:
                content = hashlib.file_digest(body, "sha256")
            whole.update(f"{file}\0{content.hexdigest()}\n".encode())
        return whole.hexdigest()[:12]
