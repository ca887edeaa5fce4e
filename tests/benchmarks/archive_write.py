"""One gigabyte into the archive: on disk beside a raw write and digest, on S3 beside obstore's writer."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks import measured, servers
from tests.benchmarks.measured import Figure

DISK: Final = ("raw write + sha256", "archive on disk")
S3: Final = ("obstore's open_writer", "the same, bodies not signed", "archive on S3")
# Beside whom, at which part of their speed at least, and at most how many MiB the process holds.
PROMISES: Final = {"archive on disk": (DISK[0], 0.8, 48), "archive on S3": (S3[0], 0.9, 80)}
MODULE: Final = "tests.benchmarks.archive_write"
SIZE_MIB: Final = 1024
HEADER: Final = ("1 GiB", "MiB/s", "× beside whom", "peak MiB of the process")
ROUNDS: Final = 5


def main(size_mib: int = SIZE_MIB, rounds: int = ROUNDS) -> dict[str, Figure]:
    """Both pairs, each side by side."""
    arguments = [str(size_mib)]
    found = measured.medians(MODULE, DISK, rounds=rounds, arguments=arguments)
    with servers.s3_sink() as sink:
        environment = {
            "AWS_ENDPOINT_URL": sink,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
        }
        found |= measured.medians(
            MODULE, S3, rounds=rounds, arguments=arguments, environment=environment
        )
    return found


def broken(figures: dict[str, Figure], size_mib: int = SIZE_MIB) -> list[str]:
    """Each promise that does not hold, in words."""
    return [
        f"{name}, {size_mib} MiB: promised {part} × {peer} within {limit_mib} MiB"
        for name, (peer, part, limit_mib) in PROMISES.items()
        if figures[peer].seconds < part * figures[name].seconds
        or figures[name].peak_mib > limit_mib
    ]


def rows(figures: dict[str, Figure], size_mib: int = SIZE_MIB) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    peer_of = {name: peers[0] for peers in (DISK, S3) for name in peers}
    return [
        (
            name,
            f"{size_mib / figure.seconds:.0f}",
            f"{figures[peer_of[name]].seconds / figure.seconds:.2f}",
            f"{figure.peak_mib:.0f}",
        )
        for name, figure in figures.items()
    ]


def _blocks(size_mib: int) -> Iterator[bytes]:
    block = os.urandom(1 << 20)
    for _ in range(size_mib):
        yield block


def _raw(folder: Path, size_mib: int) -> None:
    digest = hashlib.sha256()
    with (folder / "raw").open("wb", buffering=0) as file:
        for block in _blocks(size_mib):
            digest.update(block)
            file.write(block)
        os.fsync(file.fileno())


def _bare(size_mib: int, *, unsigned: bool = False) -> None:
    import obstore
    from obstore.store import S3Store

    client = S3Store("bucket", unsigned_payload=unsigned)
    with obstore.open_writer(client, "bare", buffer_size=8 << 20, max_concurrency=3) as writer:
        for block in _blocks(size_mib):
            writer.write(block)


def _archived(root: str, size_mib: int) -> None:
    from platform_ops.settings import Settings
    from tests.archive.samples import commit, part, slot

    site = Settings.model_validate({"archive": {"root": root}})
    commit(site, part(_blocks(size_mib)), at=slot(size_mib))


def _work(name: str, folder: Path) -> Callable[[int], None]:
    return {
        DISK[0]: lambda size_mib: _raw(folder, size_mib),
        DISK[1]: lambda size_mib: _archived(f"file://{folder}/archive", size_mib),
        S3[0]: _bare,
        S3[1]: lambda size_mib: _bare(size_mib, unsigned=True),
        S3[2]: lambda size_mib: _archived("s3://bucket/archive", size_mib),
    }[name]


def _child(name: str, size_mib: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = _work(name, Path(folder))
        work(1)  # everything is imported and was tried once
        measured.report(lambda: work(size_mib))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _child(sys.argv[1], int(sys.argv[2]))
    else:
        for contender, figure in main().items():
            print(f"{contender:24}{SIZE_MIB / figure.seconds:7.0f} MiB/s  {figure}")
