"""A thousand DAG files held against the conventions, cold and warm; and what policies add to a parse.

Seconds on the clock, and processor seconds of all processes together: compare these where the machine has
other work to do. Beside us, in the same run, stand Python's own parser and ruff's rules for Airflow, a
program in Rust that looks at names alone.

``python -m tests.benchmarks.conventions`` prints the figures.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FILES", "HEADER", "PACKAGES", "Figures", "Spent", "broken", "main", "rows"]

HEADER = ("", "seconds", "processor seconds", "× Python's parser")
PACKAGES = ("apache-airflow-core",)

FILES = 1_000
_TASKS = 12
_PROCESSES = 2
_COLD_S, _WARM_S, _POLICY_MS = 10.0, 1.0, 1.0
_LINT = "from platform_ops.cli import main; main()"
_PARSE = """
import ast, sys
from pathlib import Path
for each in Path("dags").rglob("*.py"):
    ast.parse(each.read_bytes())
"""
_POLICY = """
import json, sys, time, logging
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import DagBag
from platform_ops.policy import dag_policy, task_policy
dags = [dag for each in sys.argv[1:] for dag in DagBag(each).dags.values()]

def keep():
    for dag in dags:
        dag_policy(dag)
        for task in dag.tasks:
            task_policy(task)

keep()
rounds = []
for _ in range(20):
    started = time.process_time()
    keep()
    rounds.append((time.process_time() - started) / len(dags))
print("\\n" + json.dumps(sorted(rounds)[len(rounds) // 2]))
"""
_RULES = ("PO101", "PO102", "PO103", "PO104", "PO105", "PO201", "PO204", "PO205", "PO401", "PO402")
_MORE = ("PO403", "PO404", "PO502", "PO503", "PO602")


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of processors."""

    clock_s: float
    processor_s: float


@dataclass(frozen=True)
class Figures:
    """Seconds over all files, and milliseconds for each DAG.

    :param parse: Python's own parser, over the same files and in one process.
    :param ruff: ``ruff check --select AIR --no-cache``; None where ruff is not installed.
    """

    parse: Spent
    cold: Spent
    warm: Spent
    ruff: Spent | None
    policy_ms: float


def main() -> Figures:
    """Measure, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="conventions-") as name:
        folder = Path(name)
        for number in range(FILES):
            path = folder / "dags" / f"team{number % 20}" / f"dag{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_dag(number))
        cold = _timed(
            folder, "-c", _LINT, "lint", "dags", "--jobs", str(_PROCESSES), "-o", "report.txt"
        )
        warm = _timed(
            folder, "-c", _LINT, "lint", "dags", "--jobs", str(_PROCESSES), "-o", "again.txt"
        )
        assert (folder / "report.txt").read_text() == (folder / "again.txt").read_text()
        parse = _timed(folder, "-c", _PARSE)
        return Figures(parse, cold, warm, _ruff(folder), _policy_ms(folder))


def broken(figures: Figures) -> list[str]:
    """Promises of the documentation that do not hold."""
    told = {
        f"linting {FILES} files": (figures.cold.clock_s, _COLD_S, "s"),
        f"linting {FILES} files again": (figures.warm.clock_s, _WARM_S, "s"),
        "policies on a DAG": (figures.policy_ms, _POLICY_MS, "ms"),
    }
    return [
        f"{name}: {value:.2f} {unit}, promised {most:g}"
        for name, (value, most, unit) in told.items()
        if value > most
    ]


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The table."""
    timed = {
        "Python's own parser": figures.parse,
        "ruff, rules AIR, nothing known": figures.ruff,
        "ours, nothing known": figures.cold,
        "ours again": figures.warm,
    }
    return [
        (
            name,
            f"{each.clock_s:.2f}",
            f"{each.processor_s:.2f}",
            f"{each.processor_s / figures.parse.processor_s:.2f}",
        )
        for name, each in timed.items()
        if each is not None
    ]


def _timed(folder: Path, *arguments: str) -> Spent:
    return _measured(folder, sys.executable, *arguments)


def _ruff(folder: Path) -> Spent | None:
    program = shutil.which("ruff")
    if program is None:
        return None
    return _measured(
        folder, program, "check", "--select", "AIR", "--no-cache", "--exit-zero", "dags"
    )


def _measured(folder: Path, *command: str) -> Spent:
    spent, began = _spent(), time.monotonic()
    subprocess.run(
        command, cwd=folder, env=_environment(folder), check=True, capture_output=True,
    )  # fmt: skip
    return Spent(time.monotonic() - began, _spent() - spent)


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def _policy_ms(folder: Path) -> float:
    rules = "".join(f"[conventions.rules.{each}]\npolicy = 'warn'\n" for each in (*_RULES, *_MORE))
    (folder / "conf").mkdir()
    (folder / "conf" / "platform.toml").write_text(rules)
    files = [str(folder / "dags" / f"team{number}" / f"dag{number}.py") for number in range(20)]
    ran = subprocess.run(
        [sys.executable, "-c", _POLICY, *files],
        cwd=folder, env=_environment(folder), check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(json.loads(ran.stdout.splitlines()[-1])) * 1_000


def _dag(number: int) -> str:
    """A DAG of a dozen tasks with their functions, some 120 lines, as people write them."""
    tasks = "".join(_task(number, each) for each in range(_TASKS))
    return f'''"""Orders of shop {number}, once a day."""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

REGIONS = {{"north": 1, "south": 2, "east": 3, "west": 4}}


def name_of(region: str, day: str) -> str:
    """Where a region's file lies."""
    return f"s3://lake/orders/{{region}}/{{day}}.csv"


with DAG(
    "shop_{number}_orders",
    description="Orders of shop {number}, once a day.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    dagrun_timeout=timedelta(hours=6),
    tags=["orders", "shop"],
    default_args={{"owner": "shop-desk", "retries": 2}},
) as dag:
{tasks}'''


def _task(number: int, each: int) -> str:
    return f'''
    @task(retries=3)
    def load_{each}(day: str) -> dict[str, int]:
        """Load one part of the day's orders."""
        found = {{}}
        for region, weight in REGIONS.items():
            path = name_of(region, day)
            if weight % 2 == {each % 2}:
                found[path] = weight * {number}
        return found

    report_{each} = BashOperator(
        task_id="report_{each}",
        bash_command="report --day {{{{ data_interval_start | ds }}}} --part {each}",
        env={{"SHOP": "{number}"}},
    )
    load_{each}("{{{{ data_interval_start | ds }}}}") >> report_{each}
'''


if __name__ == "__main__":
    found = main()
    for row in rows(found):
        print(*row, sep="  ")
    print(f"policies: {found.policy_ms:.2f} ms a DAG")
    sys.exit("\n".join(broken(found)) or 0)
