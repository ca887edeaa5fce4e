"""What is asked of a destination: one change of what is published there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import NOT_FOUND, Version, front

__all__ = ["Destination", "Edit"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change, made whole or not at all.

    :param apply: From the versions that are there, and the folder of this one's pages, to those
        that shall be there.
    :param version: Whose pages change; empty where only names do.
    :param site: The new pages.
    :param back: Whether the pages are those of the build before.
    """

    message: str
    apply: Callable[[Sequence[Version], str], tuple[Version, ...]]
    version: str = ""
    site: Site | None = None
    back: bool = False

    def root_files(self, entries: Sequence[Version]) -> dict[str, bytes]:
        """Files beside the versions that come with the pages: hosts show the root's own 404 page."""
        if self.site is None or front(entries).version != self.version:
            return {}
        return {NOT_FOUND: self.site.path(NOT_FOUND).read_bytes()} if self.has_not_found else {}

    @property
    def has_not_found(self) -> bool:
        """Whether the new pages have a page for wrong addresses."""
        return self.site is not None and NOT_FOUND in self.site.files


class Destination(Protocol):
    """A folder, a branch or an object store."""

    def read(self, path: str) -> bytes | None:
        """One published file; None where there is none."""

    def change(self, edit: Edit) -> tuple[Version, ...]:
        """Make a change, and return all versions that are then there."""
