"""One measurement in a process of its own: what it took, and how far its memory rose meanwhile."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Figure", "medians", "report"]


@dataclass(frozen=True)
class Figure:
    """Seconds of one run, and MiB that its process held at most.

    :param rise_mib: Of these, what came on top of the process as it was before.
    :param cpu_s: Processor seconds of all its threads: what to compare where a machine has other work.
    """

    seconds: float
    peak_mib: float
    rise_mib: float
    cpu_s: float = 0.0


def medians(
    module: str,
    contenders: Sequence[str],
    *,
    rounds: int,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> dict[str, Figure]:
    """Run every contender in turn, ``rounds`` times; medians by contender."""
    samples: dict[str, list[Figure]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in contenders:
            samples[name].append(_sample([module, name, *arguments], environment or {}))
    return {name: _median(rows) for name, rows in samples.items()}


def report(work: Callable[[], object]) -> None:
    """In the process of a contender: do the work, and print its figure."""
    before = _held_mib()
    started, busy = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - busy
    peak = _held_mib()
    told = {"seconds": seconds, "peak_mib": peak, "rise_mib": peak - before, "cpu_s": cpu_s}
    print(json.dumps(told))


def _sample(command: Sequence[str], environment: Mapping[str, str]) -> Figure:
    child = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    return Figure(**json.loads(child.stdout.splitlines()[-1]))


def _median(rows: Sequence[Figure]) -> Figure:
    return Figure(
        statistics.median(each.seconds for each in rows),
        statistics.median(each.peak_mib for each in rows),
        statistics.median(each.rise_mib for each in rows),
        statistics.median(each.cpu_s for each in rows),
    )


def _held_mib() -> float:
    # Not getrusage: what it tells of a child starts at the peak of its parent.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
