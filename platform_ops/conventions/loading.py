"""Rules on what only Airflow knows: each file is loaded in a process of its own, and timed.

``python -m platform_ops.conventions.loading JOB RESULT`` is that process's parent: it imports Airflow
once and forks for each file, as the DAG processor does, so that no file profits by what another one
imported.
"""

from __future__ import annotations

import builtins
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from platform_ops.conventions.catalogue import UNLOADABLE, chosen
from platform_ops.conventions.examine import Examined
from platform_ops.conventions.loaded import LoadedDag
from platform_ops.conventions.model import Agreed, Convention, Edit, Hit
from platform_ops.conventions.rules.parsing import SLOW
from platform_ops.errors import ConfigError

__all__ = ["load_files"]

_PARSED: Final = "unusual_prefix_"  # what Airflow calls a DAG file's module
_NAMED_IMPORTS: Final = 3


def load_files(
    files: Mapping[str, Path],
    found: Mapping[str, Examined],
    rules: Sequence[Convention],
    agreed: Agreed,
) -> None:
    """Add to what was found in the files what shows once Airflow has loaded them.

    :raises ConfigError: Airflow itself cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="platform-ops-lint-") as folder:
        job, result = Path(folder, "job"), Path(folder, "result")
        paths = {shown: str(path.absolute()) for shown, path in files.items()}
        job.write_bytes(pickle.dumps((paths, agreed)))
        command = [sys.executable, "-m", __name__, str(job), str(result)]
        # What the policies would refuse is told as findings here.
        environment = {**os.environ, "PLATFORM_OPS_POLICIES": "off"}
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if not result.is_file():
            last = (ended.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise ConfigError(f"Airflow cannot be started to load DAG files: {last}")
        loaded = json.loads(result.read_bytes())
    kept = {rule.id for rule in rules} | {UNLOADABLE.id}
    for shown, hits in loaded.items():
        mine = found[shown].hits
        known = {(rule, hit.object.rpartition(".")[2]) for rule, hit in mine}
        for rule, plain in hits:
            edits = tuple(Edit(**each) for each in plain.pop("edits"))
            hit = Hit(**plain, edits=edits)
            if rule in kept and (rule, hit.object.rpartition(".")[2]) not in known:
                mine.append((rule, hit))


def main(job: str, result: str) -> None:
    """Load each file of the job, and write what was found."""
    # A job is written by the parent of this process alone, into a folder that only its user may enter.
    paths, agreed = pickle.loads(Path(job).read_bytes())  # noqa: S301
    import airflow.sdk  # noqa: F401  imported before the fork, as the DAG processor does
    from airflow.dag_processing.dagbag import DagBag  # noqa: F401

    rules = chosen(agreed.settings)
    found = {shown: _in_child(path, rules, agreed) for shown, path in paths.items()}
    Path(result).write_text(json.dumps(found), "utf-8")


def _in_child(path: str, rules: Sequence[Convention], agreed: Agreed) -> list[Any]:  # Any: JSON
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            out = json.dumps([(rule, asdict(hit)) for rule, hit in _load(path, rules, agreed)])
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                pipe.write(out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        ended = Hit(1, "", "the process that loaded it ended")
        return [(UNLOADABLE.id, asdict(ended))]
    found: list[Any] = json.loads(text)  # Any: JSON values
    return found


def _load(path: str, rules: Sequence[Convention], agreed: Agreed) -> list[tuple[str, Hit]]:
    from airflow.dag_processing.dagbag import DagBag

    slow: dict[str, float] = {}
    _time_imports(slow)
    started = time.perf_counter()
    bag = DagBag(path)
    took = time.perf_counter() - started
    hits: list[tuple[str, Hit]] = []
    for trace in bag.import_errors.values():
        lines = [each for each in trace.strip().splitlines() if each.strip()]
        hits.append((UNLOADABLE.id, Hit(1, "", lines[-1].strip() if lines else "it says nothing")))
    if took > agreed.settings.parse_seconds:
        worst = sorted(slow.items(), key=lambda each: -each[1])[:_NAMED_IMPORTS]
        told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in worst if seconds >= 0.1)
        message = (
            f"takes {took:.1f} s to load, and {agreed.settings.parse_seconds:g} s are agreed on"
        )
        hits.append((SLOW.id, Hit(1, "", f"{message} ({told})" if told else message)))
    for dag in bag.dags.values():
        hits += _held(LoadedDag(dag), rules, agreed)
    return hits


def _held(dag: LoadedDag, rules: Sequence[Convention], agreed: Agreed) -> list[tuple[str, Hit]]:
    hits: list[tuple[str, Hit]] = []
    for rule in rules:
        if rule.on_dag is not None:
            hits += [(rule.id, hit) for hit in rule.on_dag(dag, agreed)]
        if rule.on_task is not None:
            for task in dag.tasks:
                hits += [(rule.id, hit) for hit in rule.on_task(task, agreed)]
    return hits


def _time_imports(slow: dict[str, float]) -> None:
    """Note how long each import takes that stands in a DAG file itself."""
    plain = builtins.__import__

    def timed(
        name: str,
        globals: Any = None,  # noqa: A002  # Any: as in Python, whose names these are
        *rest: Any,  # Any: as above
        **named: Any,  # Any: as above
    ) -> Any:  # Any: a module
        if not str((globals or {}).get("__name__", "")).startswith(_PARSED):
            return plain(name, globals, *rest, **named)
        started = time.perf_counter()
        try:
            return plain(name, globals, *rest, **named)
        finally:
            slow[name] = slow.get(name, 0.0) + time.perf_counter() - started

    builtins.__import__ = timed


if __name__ == "__main__":
    main(*sys.argv[1:])
