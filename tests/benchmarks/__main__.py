"""``nox -s bench``: every benchmark, side by side in one run; ratios are what counts."""

from __future__ import annotations

import platform
import sys

from rich.console import Console
from rich.table import Table

from tests.benchmarks import http_ingest


def main() -> int:
    """Print the figures; fail where a promise of the documentation does not hold."""
    console = Console()
    console.print(f"Python {platform.python_version()} on {platform.machine()}, 1 GiB over HTTP")
    figures = http_ingest.main()
    peer = figures["HttpToS3Operator"]
    table = Table("", "MiB/s", "× HttpToS3Operator", "peak MiB above the bare process")
    for name, row in figures.items():
        ratio = row["mib_per_s"] / peer["mib_per_s"]
        table.add_row(name, f"{row['mib_per_s']:.0f}", f"{ratio:.2f}", f"{row['peak_mib']:.0f}")
    console.print(table)
    ours = {name: row for name, row in figures.items() if row is not peer}
    broken = [
        f"{name}: promised 1.5 × HttpToS3Operator within 120 MiB"
        for name, row in ours.items()
        if row["mib_per_s"] < 1.5 * peer["mib_per_s"] or row["peak_mib"] > 120
    ]
    for line in broken:
        console.print(line, style="red")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
