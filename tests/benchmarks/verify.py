"""``archive verify --full`` beside ``sha256sum``, on every core, over the same payloads.

Both start a process and find its files in the page cache. ``openssl`` is there as well where it is
installed, since many builds of ``sha256sum`` do not use what the processor has for it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

SHAPES: Final = {"64 × 16 MiB": (64, 16 << 20), "10,000 × 64 KiB": (10_000, 64 << 10)}
ROUNDS: Final = 3
PROMISE: Final = 0.9


def main() -> dict[str, dict[str, float]]:
    """MiB/s by shape and contender: medians of rounds in turn."""
    return {name: _shape(*shape) for name, shape in SHAPES.items()}


def header(figures: dict[str, dict[str, float]]) -> tuple[str, ...]:
    """Of the table: whoever is installed has a column."""
    return "MiB/s on every core", *next(iter(figures.values())), "× sha256sum"


def rows(figures: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    return [
        (
            shape,
            *(f"{speed:.0f}" for speed in row.values()),
            f"{row['verify --full'] / row['sha256sum']:.2f}",
        )
        for shape, row in figures.items()
    ]


def broken(figures: dict[str, dict[str, float]]) -> list[str]:
    """Each promise that does not hold, in words."""
    return [
        f"verify --full of {shape}: promised {PROMISE} × sha256sum on every core"
        for shape, row in figures.items()
        if row["verify --full"] < PROMISE * row["sha256sum"]
    ]


def _shape(count: int, size_bytes: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "archive")
        _fill(root, count, size_bytes)
        files = "\0".join(str(path) for path in (root / "data").rglob("*") if path.is_file())
        contenders = {
            "sha256sum": ["sha256sum"],
            "openssl": ["openssl", "dgst", "-sha256"],
        }
        present = {name: each for name, each in contenders.items() if shutil.which(each[0])}
        seconds: dict[str, list[float]] = {name: [] for name in (*present, "verify --full")}
        for _ in range(ROUNDS):
            for name, command in present.items():
                seconds[name].append(_hashed(command, files, count))
            seconds["verify --full"].append(_verified(root, count, size_bytes))
    mebibytes = count * size_bytes / (1 << 20)
    return {name: mebibytes / statistics.median(taken) for name, taken in seconds.items()}


def _fill(root: Path, count: int, size_bytes: int) -> None:
    from datetime import UTC, datetime

    from platform_ops import archive
    from platform_ops.entity import Entity, Origin, Part, RunIdentity, Slot
    from platform_ops.settings import ArchiveSettings, Settings

    site = Settings(archive=ArchiveSettings(root=f"file://{root}"))
    slot = Slot(Entity("benchmark", "body"), datetime(2015, 12, 1, tzinfo=UTC))
    block = os.urandom(min(size_bytes, 1 << 20))
    with archive.session(slot, RunIdentity("benchmark", "fill", "run"), settings=site) as session:
        for number in range(count):
            body = (number.to_bytes(8, "big") + block[8:] for _ in range(size_bytes // len(block)))
            session.write(Part(f"{number:05d}", body, Origin("benchmark:")))


def _hashed(command: list[str], files: str, count: int) -> float:
    cores = len(os.sched_getaffinity(0))
    each = min(256, max(1, count // cores // 4))  # no core waits for the other at the end
    started = time.perf_counter()
    subprocess.run(
        ["xargs", "-0", f"-P{cores}", f"-n{each}", *command],
        input=files.encode(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def _verified(root: Path, count: int, size_bytes: int) -> float:
    env = {**os.environ, "PLATFORM_OPS__ARCHIVE__ROOT": f"file://{root}", "AIRFLOW_HOME": str(root)}
    command = [sys.executable, "-c", "from platform_ops.cli import main; main()"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "archive", "verify", "--full", "--json"],
        env=env,
        check=True,
        capture_output=True,
    )
    taken = time.perf_counter() - started
    told = json.loads(done.stdout)
    if (told["size_bytes"], told["faults"]) != (count * size_bytes, []):
        raise SystemExit(f"verify did not hash it all: {told}")
    return taken


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
