"""An archive as crashed writers leave it: what is needed in it, and what is nobody's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from platform_ops import archive
from platform_ops.archive import LeftAlone, Stray
from platform_ops.settings import Settings
from tests.archive.places import Place, settings_of
from tests.archive.samples import commit, part, run, slot

FOLDER = "v1/weather/forecast/dt=2024-03-05/at=000000Z"
LONG_AGO = timedelta(days=30)


@dataclass(frozen=True)
class Littered:
    """An archive with strays in it.

    :param needed: Every object that must stay.
    :param strays: Every object that may go.
    """

    place: Place
    site: Settings
    needed: dict[str, bytes]
    strays: list[str]

    @property
    def objects(self) -> dict[str, bytes]:
        return contents(self.place)

    @property
    def left(self) -> list[str]:
        """Strays that are still there."""
        return [key for key in self.strays if key in self.place.objects()]

    def soil(self) -> None:
        """Bring the strays back."""
        for key in self.strays:
            self.place.write(key, b"orphan")
            self.place.date(key, datetime.now(UTC) - LONG_AGO)


def littered(place: Place) -> Littered:
    """Two revisions that share a payload, another slot, and what four crashes left; all long ago."""
    site = settings_of(place)
    commit(site, part(b"sunny", "a"), part(b"mild", "b"))
    commit(site, part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2"))
    commit(site, part(b"windy"), at=slot(map_key="ewx"), by=run("scheduled-3"))
    needed = contents(place)
    strays = [
        orphan(place, f"{FOLDER}/000003-0123456789ab/a"),
        orphan(place, f"{FOLDER}/000003-0123456789ab/b"),
        orphan(place, f"{FOLDER}/map=ewx/000001-abcdefabcdef/a"),
        orphan(place, "v1/weather/warnings/dt=2024-03-05/at=000000Z/000001-0123456789ab/a"),
        ".tmp/4711-0123456789abcdef",
    ]
    place.write(strays[-1], b"half of a pa")
    for key in place.objects():
        place.date(key, datetime.now(UTC) - LONG_AGO)
    return Littered(place, site, needed, sorted(strays))


def orphan(place: Place, path: str, age: timedelta = LONG_AGO) -> str:
    """A payload without a manifest."""
    place.write(f"data/{path}", b"orphan")
    place.date(f"data/{path}", datetime.now(UTC) - age)
    return f"data/{path}"


def contents(place: Place) -> dict[str, bytes]:
    return {key: place.read(key) for key in place.objects()}


def swept(
    site: Settings, prefix: str = "", *, delete: bool = True, days: int = 7
) -> tuple[list[str], list[str]]:
    """Keys of the strays that a sweep names, and URLs of what it leaves alone."""
    found = list(archive.sweep(prefix, grace=timedelta(days=days), delete=delete, settings=site))
    strays = [each for each in found if isinstance(each, Stray)]
    assert all(each.removed is delete for each in strays)
    alone = [each.url for each in found if isinstance(each, LeftAlone)]
    return sorted(each.key for each in strays), alone
