"""Peak memory does not grow with the body: writing and reading, on disk and in object stores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.archive.places import Disk, Place, place_of

ONE_CAPTURE = """
import sys
from platform_ops import archive
from platform_ops.settings import Settings
from tests.archive.samples import commit, part

entity = {"codec": sys.argv[3]}
site = Settings.model_validate(
    {
        "archive": {"root": sys.argv[1]},
        "sources": {"weather": {"entities": {"forecast": entity}}},
    }
)
size = int(sys.argv[2])
block = bytes(1 << 20)
done = commit(site, part((block for _ in range(size)), size_bytes=size << 20))
with archive.open(done.reference, settings=site) as stream:
    while stream.read(1 << 20):
        pass
# Not getrusage: what it tells of a child starts at the peak of its parent.
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""

MANY_BODIES = """
import sys
from platform_ops import archive
from platform_ops.settings import Settings
from tests.archive.samples import part, run, slot

site = Settings.model_validate({"archive": {"root": sys.argv[1]}})
with archive.session(slot(), run(), pack=True, settings=site) as session:
    for number in range(int(sys.argv[2])):
        session.write(part(b"%d" % number, f"{number:08}"))
assert sum(body.read().isdigit() for body in archive.bodies(slot(), site)) == int(sys.argv[2])
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


def peak_mib(place: Place, size_mib: int, codec: str = "none") -> int:
    return _peak_mib(ONE_CAPTURE, f"{place.root}/{codec}{size_mib}", str(size_mib), codec)


def _peak_mib(script: str, *arguments: str) -> int:
    command = [sys.executable, "-c", script, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return int(ran.stdout)


@pytest.fixture(params=["disk", "s3", "gcs"])
def place(request: pytest.FixtureRequest, memory: Path) -> Place:
    return place_of(request, memory)


def test_a_big_body_takes_no_more_memory_than_a_small_one(place: Place) -> None:
    """Once every buffer is full nothing grows; the servers of the tests are what takes the time."""
    big = 256 if isinstance(place, Disk) else 96
    peaks = {size: peak_mib(place, size) for size in (8, big)}
    assert peaks[big] <= peaks[8] + 12, peaks
    assert peaks[big] <= 100, peaks


def test_compressing_takes_no_more_memory_for_a_big_body(memory: Path) -> None:
    peaks = {size: peak_mib(Disk(memory), size, "gzip") for size in (8, 128)}
    assert peaks[128] <= peaks[8] + 12, peaks


def test_many_bodies_in_packs_take_no_more_memory_than_some(memory: Path) -> None:
    peaks = {
        count: _peak_mib(MANY_BODIES, f"file://{memory}/{count}", str(count))
        for count in (15_000, 40_000)
    }
    assert peaks[40_000] <= peaks[15_000] + 8, peaks
