"""``nox -s bench``: every benchmark, side by side in one run; ratios are what counts.

``nox -s bench -- --write docs/reference/_benchmarks`` also writes the tables that the site shows.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    archive_write,
    conventions,
    find,
    http_ingest,
    packs,
    page,
    parse,
    site_build,
    sql_rows,
    verify,
)


def main() -> int:
    """Print the figures; fail where a promise of the documentation does not hold."""
    options = argparse.ArgumentParser(prog="tests.benchmarks")
    options.add_argument("--write", type=Path, metavar="FOLDER", help="where the site's tables are")
    folder = options.parse_args().write
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
    broken += _parsed(console)
    broken += _written(console)
    broken += _packed(console)
    broken += _verified(console)
    broken += _found(console)
    broken += _linted(console)
    broken += _read(console, folder)
    broken += _built(console, folder)
    broken += _grown(console, folder)
    for line in broken:
        console.print(line, style="red")
    return bool(broken)


def _parsed(console: Console) -> list[str]:
    figures = parse.main()
    table = Table("a DAG file, ms of processor time", "import", f"{parse.OPERATORS} operators")
    for name, row in figures.items():
        made = f"{row['parse_ms']:.1f}" if "parse_ms" in row else ""
        table.add_row(name, f"{row['import_ms']:.0f}", made)
    console.print(table)
    return parse.broken(figures)


def _written(console: Console) -> list[str]:
    figures = archive_write.main()
    table = Table("1 GiB", "MiB/s", "peak MiB")
    for name, figure in figures.items():
        speed = archive_write.SIZE_MIB / figure.seconds
        table.add_row(name, f"{speed:.0f}", f"{figure.peak_mib:.0f}")
    console.print(table)
    return archive_write.broken(figures)


def _packed(console: Console) -> list[str]:
    rows = packs.main()
    table = Table("10,000 × 2 KiB", "bodies/s", "MiB stored", "peak MiB", "one body, ms")
    for name, row in rows.items():
        read = "" if row.read_ms is None else f"{row.read_ms:.1f}"
        stored = f"{row.size_mib:.1f}" if row.size_mib else ""
        table.add_row(name, f"{row.per_s:.0f}", stored, f"{row.peak_mib:.0f}", read)
    console.print(table)
    return packs.broken(rows)


def _linted(console: Console) -> list[str]:
    figures = conventions.main()
    table = Table(f"{conventions.FILES:,} DAG files", "processor s", "× Python's parser")
    timed = {
        "Python's own parser": figures.parse_s,
        "lint, nothing known": figures.cold_s,
        "lint again": figures.warm_s,
    }
    for name, seconds in timed.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / figures.parse_s:.2f}")
    table.add_row("policies, a DAG", f"{figures.policy_ms / 1000:.4f}", "")
    console.print(table)
    return conventions.broken(figures)


def _read(console: Console, folder: Path | None) -> list[str]:
    figures = sql_rows.main()
    rows = sql_rows.rows(figures)
    table = Table(*sql_rows.HEADER, title="the rows of a table")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if folder:
        target = folder / "sql_rows.md"
        page.write(target, sql_rows.HEADER, rows, packages=sql_rows.PACKAGES)
    return sql_rows.broken(figures)


def _built(console: Console, folder: Path | None) -> list[str]:
    builds = site_build.main()
    rows = site_build.rows(builds)
    table = Table(*site_build.HEADER, title="the site of a provider")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if folder:
        target = folder / "site.md"
        page.write(target, site_build.HEADER, rows, packages=site_build.PACKAGES)
    return site_build.broken(builds)


def _grown(console: Console, folder: Path | None) -> list[str]:
    builds = site_build.growth()
    rows = site_build.growth_rows(builds)
    table = Table(*site_build.GROWTH_HEADER, title="sites of packages made up")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if folder:
        target = folder / "site_growth.md"
        page.write(target, site_build.GROWTH_HEADER, rows, packages=site_build.PACKAGES[:2])
    return site_build.growth_broken(builds)


def _verified(console: Console) -> list[str]:
    figures = verify.main()
    contenders = list(next(iter(figures.values())))
    table = Table("MiB/s on every core", *contenders)
    for shape, row in figures.items():
        table.add_row(shape, *(f"{row[name]:.0f}" for name in contenders))
    console.print(table)
    return [
        f"verify --full of {shape}: promised {verify.PROMISE} × sha256sum on every core"
        for shape, row in figures.items()
        if row["verify --full"] < verify.PROMISE * row["sha256sum"]
    ]


def _found(console: Console) -> list[str]:
    figures = find.main()
    table = Table("the index", "")
    for name in ("rebuild", "refresh"):
        table.add_row(f"{name}, {find.MANIFESTS:,} manifests", f"{figures[name]:,.0f} a second")
    asked = {name: seconds for name, seconds in figures.items() if name.startswith("find")}
    for name, seconds in asked.items():
        table.add_row(f"{name}, {find.ROWS:,} revisions", f"{seconds * 1000:.1f} ms")
    console.print(table)
    slow = [
        f"{name}: promised within {find.FIND_PROMISE_S} s"
        for name, seconds in asked.items()
        if seconds > find.FIND_PROMISE_S
    ]
    if figures["rebuild"] < find.REBUILD_PROMISE:
        slow.append(f"rebuild of the index: promised {find.REBUILD_PROMISE:,} manifests a second")
    return slow


if __name__ == "__main__":
    sys.exit(main())
