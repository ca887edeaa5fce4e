"""Examples that are run: their output is kept beside them, for as long as it is the output of this code.

A site names folders of its DAGs, and for each a function that runs one file and returns what a reader
should see. What it returned is kept as a small file in the folder ``_output``, to be committed, with
a digest of all that it came from: the example, and every file of the walked packages that a class of
its tasks, or their hooks, is made of. The file of another digest is stale; the site's check says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from platform_ops.errors import ConfigError
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.discover import folder_of
from platform_ops.registry.models.catalog import Catalog, ClassEntry

__all__ = ["Example", "Ran", "Recorded", "examples", "leftovers", "output_path", "recorded", "run"]

OUTPUT: Final = "_output"


@dataclass(frozen=True, slots=True)
class Example:
    """One file with DAGs that a site shows and runs.

    :param name: Folder as configured, and file.
    :param runner: Object path of the function that runs it.
    :param digest: Of everything that its output depends on.
    """

    name: str
    path: Path
    runner: str
    digest: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The output of one run.

    :param output: Its lines.
    """

    digest: str
    output: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one example.

    :param error: Why it failed; empty where it did not.
    :param before: Its output before, where there was any.
    """

    example: Example
    error: str = ""
    output: tuple[str, ...] = ()
    before: tuple[str, ...] | None = None

    @property
    def changed(self) -> bool:
        """Whether its output is not what it was."""
        return not self.error and self.output != self.before


def examples(catalog: Catalog, config: CatalogConfig) -> Iterator[Example]:
    """The files that a site runs, in a stable order.

    :raises ConfigError: A folder of examples is none of the DAG folders.
    """
    places = dict(zip(config.dags, config.dag_folders, strict=True))
    files = _Files(catalog)
    for folder, runner in config.examples:
        if folder not in places:
            known = ", ".join(map(repr, places)) or "none"
            raise ConfigError(
                f"airflow_catalog: examples folder {folder!r} is none of 'dags'; there are {known}"
            )
        for file in sorted({dag.source.file for dag in catalog.dags if dag.folder == folder}):
            path = places[folder] / file
            used = {
                task.operator
                for dag in catalog.dags
                if (dag.folder, dag.source.file) == (folder, file)
                for task in dag.tasks
            }
            yield Example(f"{folder}/{file}", path, runner, files.digest(path, sorted(used)))


class _Files:
    """Which files a class is made of, in the walked packages."""

    def __init__(self, catalog: Catalog) -> None:
        self._classes: Mapping[str, ClassEntry] = {each.name: each for each in catalog.classes}

    def digest(self, example: Path, classes: Sequence[str]) -> str:
        """One digest over an example and the files of some classes."""
        total = hashlib.blake2b(example.read_bytes(), digest_size=16)
        for path in sorted({path for name in classes for path in self._of(name)}):
            total.update(path.read_bytes())
        return total.hexdigest()

    def _of(self, name: str) -> Iterator[Path]:
        entry = self._classes.get(name)
        if entry is None:
            return
        for each in (entry.name, *entry.mro):
            known = self._classes.get(each)
            if known is not None and not known.base:
                top = folder_of(known.name.partition(".")[0])
                yield (top.parent / known.source.file)
        if entry.hook and entry.hook != name:
            yield from self._of(entry.hook)


def output_path(path: Path) -> Path:
    """Where the output of an example is kept."""
    return path.parent / OUTPUT / f"{path.stem}.json"


def recorded(path: Path) -> Recorded | None:
    """The output of an example's last run; None where it was never run."""
    file = output_path(path)
    if not file.is_file():
        return None
    try:
        document = json.loads(file.read_bytes())
        return Recorded(str(document["digest"]), tuple(map(str, document["output"])))
    except (ValueError, KeyError, TypeError) as err:
        raise ConfigError(f"{file}: no output of an example ({err}); remove it") from err


def leftovers(config: CatalogConfig, known: Sequence[Example]) -> Iterator[tuple[str, Path]]:
    """Outputs of files that are no examples any more: name and path."""
    wanted = {output_path(each.path) for each in known}
    for folder, _ in config.examples:
        for file in sorted((config.root / folder).resolve().rglob(f"{OUTPUT}/*.json")):
            if file not in wanted:
                yield (
                    f"{folder}/{file.relative_to((config.root / folder).resolve()).as_posix()}",
                    file,
                )


def run(chosen: Sequence[Example], config: CatalogConfig) -> Iterator[Ran]:
    """Run examples in one process of their own, which reaches this machine alone, and keep the output.

    :return: What became of each, in order.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-examples-") as scratch:
        job = Path(scratch, "job.json")
        job.write_text(json.dumps([(each.runner, str(each.path)) for each in chosen]))
        ran = subprocess.run(
            [sys.executable, "-m", "platform_ops.registry.examples_worker", str(job)],
            env=config.worker_environment(Path(scratch)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said = ran.stderr.decode(errors="replace")[-4000:]
        for number, example in enumerate(chosen):
            answer = job.with_name(f"{number}.json")
            before = recorded(example.path)
            earlier = before.output if before else None
            if not answer.is_file():
                error = f"its process ended with {ran.returncode}:\n{said}"
                yield Ran(example, error, before=earlier)
                continue
            told = json.loads(answer.read_bytes().replace(os.fsencode(scratch), b"$SCRATCH"))
            if told["error"]:
                yield Ran(example, told["error"], before=earlier)
                continue
            found = Recorded(example.digest, tuple(told["output"].rstrip().splitlines()))
            _keep(example.path, found)
            yield Ran(example, output=found.output, before=earlier)


def _keep(path: Path, found: Recorded) -> None:
    file = output_path(path)
    file.parent.mkdir(exist_ok=True)
    text = json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n"
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
