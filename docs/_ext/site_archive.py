"""An archive that this site's pages of entities can show, written by its own examples.

``python docs/_ext/site_archive.py`` runs each of them for its first day, and four that come daily for a
month, against the demo's sources. The archive lies in
``docs/_build/archive``; a build without it says that none could be asked.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from platform_ops.registry.models.entities import Published

__all__ = ["ARCHIVE", "published", "write"]

_DOCS: Final = Path(__file__).resolve().parents[1]
ARCHIVE: Final = _DOCS / "_build" / "archive"
_STAMP: Final = ARCHIVE.with_suffix(".done")
_DAILY: Final = ("daily_weather", "hourly_temperatures", "route_briefing", "station_database")
_BEFORE: Final = timedelta(days=27)
_MISSED: Final = 11  # of those days: a gap such as every archive has


def published(moment: str) -> Published:
    """What is agreed, and what that archive holds, where one was written.

    :param moment: ISO time up to which arrivals count.
    """
    import platform_ops.published as source

    if _STAMP.is_file():  # the worker's home is a scratch folder, which pages call $AIRFLOW_HOME
        Path(os.environ["AIRFLOW_HOME"], "archive").symlink_to(ARCHIVE, target_is_directory=True)
    found = source.published(moment)
    files = (*found.files, source.__file__, str(_STAMP))
    return type(found)(found.sources, found.entities, files)


def write(names: Sequence[str]) -> int:
    """Run examples for their days, oldest first.

    :return: How many task instances ran.
    :raises RuntimeError: One of them failed.
    """
    from platform_ops.testing.examples import dags_of
    from platform_ops.testing.runner import play_dag
    from tests.demo.folders import partners
    from tests.demo.source import Source

    with Source.started() as source, partners() as handed_over:
        os.environ.update({**source.environment(), **handed_over})
        ran = 0
        for dag in (each for name in names for each in dags_of(_DOCS / "examples" / f"{name}.py")):
            for at in _days(dag):
                for task in play_dag(dag, at=at, retry=True):
                    ran += 1
                    if task.state == "failed":
                        where = f"{dag.dag_id} {at:%Y-%m-%d} {task.task_id}"
                        raise RuntimeError(f"{where}: {task.error}") from task.error
        return ran


def _days(dag: DAG) -> Iterator[datetime]:
    start: Any = dag.start_date  # Any: pendulum's, a datetime
    if dag.dag_id not in _DAILY:
        yield start
        return
    first = start - _BEFORE
    for day in range((dag.end_date - first).days + 1):
        if day != _MISSED:
            yield first + timedelta(days=day)


def main() -> None:
    """Write it anew."""
    shutil.rmtree(ARCHIVE, ignore_errors=True)
    _STAMP.unlink(missing_ok=True)
    sys.path.insert(0, str(_DOCS.parent))
    names = sorted(path.stem for path in (_DOCS / "examples").glob("*.py"))
    with tempfile.TemporaryDirectory(prefix="site-archive-") as home:
        os.environ.update(
            AIRFLOW_HOME=home,
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
            PLATFORM_OPS_CONFIG=str(_DOCS.parent / "conf" / "platform.toml"),
            PLATFORM_OPS__ARCHIVE__ROOT=ARCHIVE.as_uri(),
            PLATFORM_OPS__ARCHIVE__UNDECLARED="fail",
        )
        with Path(home, "log").open("w") as log, redirect_stdout(log), redirect_stderr(log):
            total = write(names)
    _STAMP.write_text(f"{datetime.now().astimezone().isoformat()}\n", encoding="utf-8")
    sys.stderr.write(f"{ARCHIVE}: {total} task instances of {len(names)} examples\n")


if __name__ == "__main__":
    main()
