"""One sweep, and what the next one makes of it where it was broken off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.archive.disk_trials import Trial
from tests.archive.places import Disk
from tests.archive.samples import faults
from tests.archive.strays import Littered, littered, swept


def _littered(folder: Path) -> Littered:
    return littered(Disk(folder))


def _swept(litter: Littered) -> None:
    swept(litter.site)


def _broken(litter: Littered) -> Iterator[str]:
    """What is needed is whole, and the next sweep removes what is left."""
    if lost := litter.needed.items() - litter.objects.items():
        yield f"gone: {sorted(key for key, _ in lost)}"
    if found := faults(litter.site):
        yield f"verify: {found}"
    swept(litter.site)
    if left := litter.left:
        yield f"not swept afterwards: {left}"


ON_DISK: Final = Trial(_littered, _swept, _broken)
