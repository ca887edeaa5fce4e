"""Figures as a page of the site: one table in one file, with the machine that they were taken on.

``docs/reference/benchmarks.md`` includes these files; a benchmark writes its own when it is asked to.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["write"]


def write(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], *, packages: Sequence[str]
) -> None:
    """Write one table.

    :param packages: Distributions whose versions matter to it.
    """
    header = [each or ("what", "measured")[number > 0] for number, each in enumerate(header)]
    lines = [_row(header), _row(["---", *("--:" for _ in header[1:])]), *map(_row, rows)]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    day = datetime.now(UTC).date().isoformat()
    load = os.getloadavg()[0]  # what else the machine had to do, and the benchmark itself
    python = platform.python_version()
    taken = f"Taken on {day} on {_machine()}, load {load:.1f}; Python {python}, {versions}."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, "", taken, ""]), encoding="utf-8")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    known = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", known.read_text()) if known.is_file() else None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}, {platform.system()}"
