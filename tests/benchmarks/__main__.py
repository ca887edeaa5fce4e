"""``nox -s bench``: every benchmark, side by side in one run; ratios are what counts.

``nox -s bench -- --write docs/reference/_benchmarks`` also writes the tables that the site shows, and
``--only archive_write``, as often as it is given, runs that one alone.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    archive_write,
    conventions,
    file_copy,
    find,
    http_ingest,
    json_check,
    memory,
    metrics_cost,
    packs,
    page,
    parse,
    site_build,
    sql_load,
    sql_rows,
    verify,
)


def main() -> int:
    """Print the figures; fail where a promise of the documentation does not hold."""
    options = argparse.ArgumentParser(prog="tests.benchmarks")
    options.add_argument("--write", type=Path, metavar="FOLDER", help="where the site's tables are")
    options.add_argument("--only", action="append", choices=BENCHMARKS, help="of them, by name")
    given = options.parse_args()
    console = Console()
    console.print(f"Python {platform.python_version()} on {platform.machine()}")
    broken = [
        line
        for name, measure in BENCHMARKS.items()
        if given.only is None or name in given.only
        for line in measure(console, given.write)
    ]
    for line in broken:
        console.print(line, style="red")
    return bool(broken)


def _told(
    console: Console,
    target: Path | None,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    packages: Sequence[str] = ("obstore",),
    title: str | None = None,
) -> None:
    """Print a table, and write the site's where it is asked for."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if target:
        page.write(target, header, rows, packages=packages)


def _ingested(console: Console, folder: Path | None) -> list[str]:
    figures = http_ingest.main()
    _told(
        console,
        folder and folder / "http_ingest.md",
        http_ingest.HEADER,
        http_ingest.rows(figures),
        ("obstore", "apache-airflow-providers-amazon"),
    )
    return http_ingest.broken(figures)


def _parsed(console: Console, folder: Path | None) -> list[str]:
    figures = parse.main()
    target = folder and folder / "parse.md"
    _told(console, target, parse.HEADER, parse.rows(figures), ("apache-airflow-task-sdk",))
    return parse.broken(figures)


def _written(console: Console, folder: Path | None) -> list[str]:
    figures = archive_write.main()
    target = folder and folder / "archive_write.md"
    _told(console, target, archive_write.HEADER, archive_write.rows(figures))
    return archive_write.broken(figures)


def _held(console: Console, folder: Path | None) -> list[str]:
    peaks = memory.main()
    target = folder and folder / "memory.md"
    packages = ("obstore", "apache-airflow-task-sdk")
    _told(console, target, memory.HEADER, memory.rows(peaks), packages)
    return memory.broken(peaks)


def _packed(console: Console, folder: Path | None) -> list[str]:
    rows = packs.main()
    _told(console, folder and folder / "packs.md", packs.HEADER, packs.told(rows))
    return packs.broken(rows)


def _copied(console: Console, folder: Path | None) -> list[str]:
    figures = file_copy.main()
    target = folder and folder / "file_copy.md"
    packages = ("asyncssh", "paramiko", "obstore", "boto3")
    _told(console, target, file_copy.HEADER, file_copy.rows(figures), packages)
    return file_copy.broken(figures)


def _checked(console: Console, folder: Path | None) -> list[str]:
    figures = json_check.main()
    target = folder and folder / "json_check.md"
    _told(console, target, json_check.HEADER, json_check.rows(figures), ("platform-ops",))
    return json_check.broken(figures)


def _linted(console: Console, folder: Path | None) -> list[str]:
    figures = conventions.main()
    target = folder and folder / "conventions.md"
    rows = conventions.rows(figures)
    _told(console, target, conventions.HEADER, rows, conventions.PACKAGES)
    console.print(f"policies: {figures.policy_ms:.2f} ms a DAG")
    return conventions.broken(figures)


def _measured(console: Console, folder: Path | None) -> list[str]:
    figures = metrics_cost.main()
    target = folder and folder / "metrics_cost.md"
    rows = metrics_cost.rows(figures)
    _told(console, target, metrics_cost.HEADER, rows, metrics_cost.PACKAGES)
    return metrics_cost.broken(figures)


def _read(console: Console, folder: Path | None) -> list[str]:
    figures = sql_rows.main()
    target, rows = folder and folder / "sql_rows.md", sql_rows.rows(figures)
    _told(console, target, sql_rows.HEADER, rows, sql_rows.PACKAGES, "the rows of a table")
    target, rows = folder and folder / "sql_load.md", sql_load.rows(sql_load.main())
    title = "archived rows into PostgreSQL"
    _told(console, target, sql_load.HEADER, rows, sql_load.PACKAGES, title)
    return sql_rows.broken(figures)


def _built(console: Console, folder: Path | None) -> list[str]:
    builds = site_build.main()
    target, rows = folder and folder / "site.md", site_build.rows(builds)
    title = "the site of a provider"
    _told(console, target, site_build.HEADER, rows, site_build.PACKAGES, title)
    return site_build.broken(builds)


def _grown(console: Console, folder: Path | None) -> list[str]:
    builds = site_build.growth()
    target, rows = folder and folder / "site_growth.md", site_build.growth_rows(builds)
    packages, title = site_build.PACKAGES[:2], "sites of packages made up"
    _told(console, target, site_build.GROWTH_HEADER, rows, packages, title)
    return site_build.growth_broken(builds)


def _verified(console: Console, folder: Path | None) -> list[str]:
    figures = verify.main()
    _told(console, folder and folder / "verify.md", verify.header(figures), verify.rows(figures))
    return verify.broken(figures)


def _found(console: Console, folder: Path | None) -> list[str]:
    figures = find.main()
    target = folder and folder / "find.md"
    _told(console, target, find.HEADER, find.rows(figures), ("pydantic-core",))
    return find.broken(figures)


BENCHMARKS: Final[Mapping[str, Callable[[Console, Path | None], list[str]]]] = {
    "http_ingest": _ingested,
    "parse": _parsed,
    "archive_write": _written,
    "packs": _packed,
    "verify": _verified,
    "memory": _held,
    "find": _found,
    "sql_rows": _read,
    "file_copy": _copied,
    "json_check": _checked,
    "conventions": _linted,
    "metrics_cost": _measured,
    "site": _built,
    "site_growth": _grown,
}
"""In the order in which they run."""


if __name__ == "__main__":
    sys.exit(main())
