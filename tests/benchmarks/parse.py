"""What an archiving operator costs a DAG file: to import it, and to make a hundred of it.

Processor time, so that a busy machine tells less of itself; ratios of one process are what counts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

OPERATORS: Final = 100
ROUNDS: Final = 9
PROMISE: Final = 1.1
"""A hundred archiving operators are parsed within this many times a hundred stock ones."""
IMPORT_PROMISE_MS: Final = 20
"""What importing an archiving operator and the archive adds to a DAG file that has imported Airflow."""
HEADER: Final = ("a DAG file, ms of processor time", "import", f"{OPERATORS} operators")

_IMPORT: Final = """
import json, time
started = time.process_time()
from airflow.sdk import DAG, task
middle = time.process_time()
{statement}
print(json.dumps([middle - started, time.process_time() - middle]))
"""
_STATEMENTS: Final = {
    "ArchivingHttpOperator": "from platform_ops import ArchivingHttpOperator, archive",
    "HttpOperator": "from airflow.providers.http.operators.http import HttpOperator",
    "archive_session": "from platform_ops import archive, archive_session",
    "ArchivingSqlOperator": "from platform_ops import ArchivingSqlOperator, archive",
    "ArchivingSftpOperator": "from platform_ops import ArchivingSftpOperator, archive",
}
_PARSED: Final = ("ArchivingHttpOperator", "HttpOperator")


def main() -> dict[str, dict[str, float]]:
    """Milliseconds to import and to parse, by operator; of Airflow itself, to import."""
    figures = {name: {"import_ms": _imported(text)[1]} for name, text in _STATEMENTS.items()}
    child = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.parse", "parse"],
        check=True,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    for name, parse_ms in json.loads(child.stdout.splitlines()[-1]).items():
        figures[name]["parse_ms"] = parse_ms
    figures["airflow.sdk"] = {"import_ms": _imported("pass")[0]}
    return figures


def broken(figures: dict[str, dict[str, float]]) -> list[str]:
    """The promises that do not hold."""
    ours, stock = (figures[name]["parse_ms"] for name in _PARSED)
    slow = []
    if ours > PROMISE * stock:
        slow.append(
            f"{OPERATORS} archiving operators: promised within {PROMISE} × {OPERATORS} stock ones"
        )
    return slow + [
        f"import of {name}: promised within {IMPORT_PROMISE_MS} ms over Airflow's"
        for name, row in figures.items()
        if name.startswith("Archiving") and row["import_ms"] > IMPORT_PROMISE_MS
    ]


def rows(figures: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    return [
        (name, f"{row['import_ms']:.0f}", f"{row['parse_ms']:.1f}" if "parse_ms" in row else "")
        for name, row in figures.items()
    ]


def _imported(statement: str) -> list[float]:
    command = [sys.executable, "-c", _IMPORT.format(statement=statement)]
    samples = []
    for _ in range(3):
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        samples.append(json.loads(child.stdout.splitlines()[-1]))
    return [1000 * statistics.median(each) for each in zip(*samples, strict=True)]


def _parse() -> dict[str, float]:
    """Medians of a hundred operators each, made in turn."""
    from airflow.providers.http.operators.http import HttpOperator
    from airflow.sdk import DAG

    from platform_ops import ArchivingHttpOperator

    def make(build: Callable[[str], object]) -> float:
        started = time.process_time()
        with DAG("benchmark", schedule=None):
            for number in range(OPERATORS):
                build(f"task_{number}")
        return 1000 * (time.process_time() - started)

    def ours(task_id: str) -> object:
        return ArchivingHttpOperator(
            task_id=task_id, entity=f"benchmark.{next(fresh)}", endpoint="/body"
        )

    def stock(task_id: str) -> object:
        return HttpOperator(task_id=task_id, endpoint="/body", method="GET")

    fresh = map(str, count())  # entities that nobody has seen
    contenders = {"ArchivingHttpOperator": ours, "HttpOperator": stock}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, build in contenders.items():
            samples[name].append(make(build))
    return {name: statistics.median(each) for name, each in samples.items()}


if __name__ == "__main__":
    print(json.dumps(_parse() if sys.argv[1:] == ["parse"] else main()))
