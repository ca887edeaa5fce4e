"""Which imports are heavy, measured: each module that DAG files import at their top, in a process of its own.

What a DAG file has anyway, Airflow's SDK, is imported before; so what counts is what a module adds. The
files themselves are not run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from platform_ops.conventions.model import Agreed
from platform_ops.conventions.module import Module

__all__ = ["with_measured_imports"]

_TIMEOUT_S: Final = 300
_MEASURE: Final = """
import importlib, json, os, sys, time
try:
    import airflow.sdk
    airflow.sdk.DAG, airflow.sdk.task, airflow.sdk.BaseOperator
except ImportError:
    pass

def seconds(name):
    started = time.perf_counter()
    try:
        importlib.import_module(name)
    except Exception:
        return None
    return time.perf_counter() - started

for name in sys.argv[1:]:
    read, write = os.pipe()
    if os.fork() == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.write(write, json.dumps(seconds(name)).encode())
        os._exit(0)
    os.close(write)
    with open(read) as told:
        print("SECONDS", json.dumps([name, json.loads(told.read() or "null")]))
    os.wait()
"""


def with_measured_imports(files: Iterable[Path], agreed: Agreed, folder: Path) -> Agreed:
    """What is agreed on, with every module among the heavy ones that takes longer than the site allows.

    :param folder: Where measurements are kept, for as long as the modules stay what they are.
    """
    known = set(agreed.settings.heavy_imports)
    names = {
        name
        for each in files
        for name in _imported(each)
        if not any(f"{name}.".startswith(f"{other}.") for other in known)
    }
    taken = _measured(sorted(names), folder / "imports.json")
    slow = [name for name, seconds in taken.items() if seconds > agreed.settings.import_seconds]
    heavy = (*agreed.settings.heavy_imports, *sorted(slow))
    return replace(agreed, settings=agreed.settings.model_copy(update={"heavy_imports": heavy}))


def _imported(file: Path) -> Iterable[str]:
    """Modules that a file imports at its top; none where it cannot be read, which the linter tells."""
    try:
        module = Module.parse(str(file), file.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    for each in module.walk.imports:
        top = each.name.partition(".")[0]
        if each.scope is None and top not in sys.stdlib_module_names and top != "__future__":
            yield from (name for name in (_module_of(each.name),) if name)


def _module_of(name: str) -> str:
    """The module that a dotted name is, or is in; empty where there is none here."""
    steps = name.split(".")
    for end in range(len(steps), 0, -1):
        shorter = ".".join(steps[:end])
        try:
            if (found := find_spec(shorter if end == 1 else steps[0])) is None:
                return ""
        except (ImportError, ValueError):
            return ""
        # Below the top, a spec costs the import of all above: the files tell as much.
        place = Path(next(iter(found.submodule_search_locations or ()), found.origin or ""))
        inner = place.joinpath(*steps[1:end])
        if end == 1 or inner.is_dir() or inner.with_suffix(".py").is_file():
            return shorter
    return ""


def _measured(names: list[str], cache: Path) -> Mapping[str, float]:
    try:
        kept = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        kept = {}
    stamps = {name: _stamp(name) for name in names}
    new = [name for name in names if kept.get(name, [None])[0] != stamps[name]]
    if new:
        kept |= {name: [stamps[name], seconds] for name, seconds in _run(new).items()}
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps(kept, indent=0))
    return {name: kept[name][1] for name in names if kept.get(name, [None, None])[1] is not None}


def _stamp(name: str) -> str:
    """Changes with the interpreter, and with the package of a module."""
    spec = find_spec(name.partition(".")[0])
    origin = spec.origin if spec is not None else None
    try:
        changed = Path(origin).stat().st_mtime_ns if origin else 0
    except OSError:
        changed = 0
    return f"{sys.executable} {sys.version_info[:3]} {changed}"


def _run(names: list[str]) -> Mapping[str, float | None]:
    environment = {**os.environ, "PLATFORM_OPS_POLICIES": "off"}
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURE, *names],
        check=False, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment,
    )  # fmt: skip
    told = [each for each in ran.stdout.splitlines() if each.startswith("SECONDS ")]
    return dict(json.loads(each.removeprefix("SECONDS ")) for each in told)
