"""Peak memory from 1 MiB to 4 GiB: every way in and out of the archive, each in a process of its own.

One block is written again and again, and nothing is kept but what the archive keeps itself. S3 is a
server that discards, so that only writing is measured there.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Final

from tests.benchmarks import measured, servers

SIZES_MIB: Final = (1, 64, 4096)
GROWTH_MIB: Final = 16
"""That much more may be held for the largest body than for the middle one, which fills every buffer."""
BUFFERS_MIB: Final = 64
"""That much more than for the smallest one, which fills none."""
CHILD_MIB: Final = 128
"""And in each process that it starts, such as those that verify."""
MODULE: Final = "tests.benchmarks.memory"
HEADER: Final = ("peak MiB", *(f"{size:,} MiB" for size in SIZES_MIB))

Peaks = dict[str, dict[int, float]]


def main(sizes_mib: tuple[int, ...] = SIZES_MIB) -> Peaks:
    """Peak MiB by way and size of the body."""
    peaks: Peaks = {name: {} for name in WAYS}
    with servers.s3_sink() as sink:
        environment = {
            "AWS_ENDPOINT_URL": sink,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
        }
        for size_mib in sizes_mib:
            with tempfile.TemporaryDirectory() as folder:
                for name in WAYS:
                    arguments = [folder, str(size_mib)]
                    figure = measured.medians(
                        MODULE, [name], rounds=1, arguments=arguments, environment=environment
                    )[name]
                    peaks[name][size_mib] = figure.peak_mib
    return peaks


def rows(peaks: Peaks) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    return [(name, *(f"{peak:.0f}" for peak in row.values())) for name, row in peaks.items()]


def broken(peaks: Peaks) -> list[str]:
    """Each promise that does not hold, in words."""
    return [
        f"{name}: promised no more than {GROWTH_MIB} MiB on top from {middle} to {big} MiB, and "
        f"{BUFFERS_MIB} from {small}"
        for name, row in peaks.items()
        for small, middle, big in [tuple(row)]
        if row[big] > row[middle] + GROWTH_MIB or row[big] > row[small] + BUFFERS_MIB
    ]


def _blocks(size_mib: int) -> Iterator[bytes]:
    block = os.urandom(1 << 20)
    return (block for _ in range(size_mib))


def _write(root: str, size_mib: int, codec: str = "none") -> None:
    from platform_ops.settings import Settings
    from tests.archive.samples import commit, part

    plain = {
        "archive": {"root": root},
        "sources": {"weather": {"entities": {"forecast": {"codec": codec}}}},
    }
    commit(Settings.model_validate(plain), part(_blocks(size_mib), size_bytes=size_mib << 20))


def _read(root: str, size_mib: int) -> None:
    from platform_ops import archive
    from platform_ops.settings import Settings

    site = Settings.model_validate({"archive": {"root": root}})
    (found,) = archive.find("weather.forecast", settings=site)
    _drain(lambda: archive.open(found, settings=site), size_mib)


def _drain(opened: Callable[[], object], size_mib: int) -> None:
    size_bytes = 0
    with opened() as body:  # type: ignore[attr-defined]  # a binary stream, of several classes
        while chunk := body.read(1 << 20):
            size_bytes += len(chunk)
    if size_bytes != size_mib << 20:
        raise SystemExit(f"{size_bytes:,} bytes came of {size_mib} MiB")


def _command(root: str, *arguments: str) -> None:
    from platform_ops.cli import main as command

    os.environ["PLATFORM_OPS__ARCHIVE__ROOT"] = root
    sys.argv = ["platform-ops", "archive", *arguments]
    shown, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        if code := command(standalone_mode=False):
            raise SystemExit(f"{arguments}: exit code {code}")
    finally:
        sys.stdout.flush()
        os.dup2(shown, 1)


def _replay(root: str, size_mib: int) -> None:
    """A task that would ask its source, run as a replay; and what a later task reads of it."""
    from airflow.sdk import DAG

    from platform_ops import ArchivingHttpOperator, archive
    from platform_ops.testing.runner import run_task

    os.environ["PLATFORM_OPS__ARCHIVE__ROOT"] = root
    # Nobody listens there: a replay asks no source.
    os.environ["AIRFLOW_CONN_SOURCE"] = "archiving-http://127.0.0.1:1"
    with DAG("weather"):
        operator = ArchivingHttpOperator(
            task_id="forecast", entity="weather.forecast", endpoint="/", http_conn_id="source"
        )
    ran = run_task(operator, at="2024-03-05", conf={"platform_ops": {"replay": True}})
    if ran.error is not None:
        raise SystemExit(str(ran.error))
    _drain(lambda: archive.open(ran.xcom), size_mib)


WAYS: Final[dict[str, Callable[[str, int], None]]] = {
    "written to a disk": _write,
    "written to S3": lambda _, size_mib: _write(f"s3://bucket/{size_mib}", size_mib),
    "read (archive.open)": _read,
    "archive cat": lambda root, _: _command(root, "cat", "weather.forecast"),
    "archive verify --full": lambda root, _: _command(root, "verify", "--full"),
    "replayed, then read": _replay,
}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        way, folder, size = sys.argv[1:]
        measured.report(lambda: WAYS[way](f"file://{folder}", int(size)))
        # Processes of its own are not in its figure; each of them is as small.
        largest_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if largest_mib > CHILD_MIB:
            raise SystemExit(f"{way}, {size} MiB: one of its processes held {largest_mib:.0f} MiB")
    else:
        for line in rows(main()):
            print(line)
