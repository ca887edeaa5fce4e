"""Roots that refuse, fill up or are no folders: a clear error, and nothing half-visible."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.archive.stores.disk import DiskStore
from platform_ops.errors import ArchiveCorrupt, ArchiveUnwritable
from platform_ops.settings import Settings
from tests.archive.places import Disk, settings_of
from tests.archive.samples import commit, faults, part, untouchable

NOBODY = 65534


def endless() -> Iterator[bytes]:
    for _ in range(64):
        yield b"x" * (1 << 20)


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may read but not write; root is no root for the while."""
    folder = tmp_path / "refused"
    folder.mkdir(mode=0o755)
    for above in tmp_path.parents:
        if above.is_relative_to("/tmp") and above != Path("/tmp") and os.geteuid() == 0:
            above.chmod(0o755)
    tmp_path.chmod(0o755)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield folder
    if user == 0:
        os.seteuid(user)
    folder.chmod(0o755)


def test_an_unwritable_root_says_what_to_do(refused: Path) -> None:
    site = settings_of(Disk(refused))
    with pytest.raises(ArchiveUnwritable) as caught:
        commit(site, part(untouchable()))
    assert str(caught.value) == (
        f"file://{refused}: Permission denied; the archive's root must be a folder that the worker's "
        "user may read and write"
    )
    assert not caught.value.retryable
    assert list(refused.iterdir()) == []


def test_a_root_below_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArchiveUnwritable, match="the archive's root must be a folder that"):
            commit(settings_of(Disk(root)))
    assert (tmp_path / "file").read_text() == "in the way"


FULL_DISK = """
import sys
from pathlib import Path
from platform_ops.errors import ArchiveUnavailable
from tests.archive.places import Disk, settings_of
from tests.archive.samples import commit, faults, part, run
from tests.archive.test_disk import endless

place = Disk(Path(sys.argv[1]) / "archive")
site = settings_of(place)
commit(site, part(b"kept"), by=run("before"))
before = place.objects()
try:
    commit(site, part(endless()), by=run("too big"))
except ArchiveUnavailable as err:
    print(err)
assert place.objects() == before
assert faults(site) == []
print(commit(site, part(b"fits again"), by=run("too big", 2)).manifest.revision)
"""


def test_a_full_disk_leaves_nothing_and_is_worth_a_retry(tmp_path: Path) -> None:
    """A real one of 8 MiB where this user may mount it, alone for itself; else the limit below."""
    mapped = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = f"mount -t tmpfs -o size=8m none {tmp_path}"
    alone = ["unshare", *mapped, "--mount", "sh", "-c"]
    try:
        subprocess.run([*alone, mount], capture_output=True, check=True)
        lines = kept_and_refused([*alone, f'{mount} && exec "$@"', "sh"], tmp_path)
        assert "No space left on device" in lines[0]
    except (OSError, subprocess.CalledProcessError):
        kept_and_refused(["sh", "-c", 'ulimit -f 8192 && exec "$@"', "sh"], tmp_path)


def test_a_limit_on_the_size_of_files_leaves_nothing(tmp_path: Path) -> None:
    """EFBIG in the middle of a body, by a limit that any user can set for itself."""
    lines = kept_and_refused(["sh", "-c", 'ulimit -f 8192 && exec "$@"', "sh"], tmp_path)
    assert "File too large" in lines[0]


def kept_and_refused(prefix: list[str], folder: Path) -> list[str]:
    command = [*prefix, sys.executable, "-c", FULL_DISK, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    message, revision = ran.stdout.splitlines()
    assert message.endswith(
        "; make room below the archive's root (space, quota, limits), then retry"
    )
    assert revision == "2"
    return [message, revision]


@pytest.mark.parametrize("name", ["a#b", "a?b", "a b", "a%20b", "ä", "a'b"])
def test_a_root_of_any_name_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    place = Disk(tmp_path / name)
    site = settings_of(place)
    done = commit(site, part(b"here"))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert archive.open(done.reference.to_dict(), settings=Settings()).read() == b"here"
    assert faults(site) == []


def test_a_name_that_is_taken_is_no_error_of_the_source(tmp_path: Path) -> None:
    """So it is where a file system folds case and two parts differ in nothing else."""
    store = DiskStore(tmp_path)
    store.upload("data/A", [b"first"])
    with pytest.raises(ArchiveCorrupt, match="something else is there already"):
        store.upload("data/A", [b"second"])
    assert store.read("data/A") == b"first"
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_objects_list_in_the_order_of_their_keys_as_in_a_bucket(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    keys = ["a/b", "a.b", "a/b.c", "a/b/c", "a", "ab", "a-b"]
    files = [key for key in keys if key not in ("a", "a/b")]
    for key in files:
        store.upload(key, [b""])
    listed = [entry.key for entry in store.entries("") if not entry.key.startswith(".tmp/")]
    assert listed == sorted(files)
    assert [entry.key for entry in store.entries("", after="a/b.c")] == [
        key for key in sorted(files) if key > "a/b.c"
    ]
