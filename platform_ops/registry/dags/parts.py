"""DAGs by file: what one file holds is kept until it, or what it is made of, changes.

A folder is parsed as a whole when files came or went, or when one that held no DAG changed: which files
Airflow reads, and which of them it skips, is for Airflow to say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from platform_ops.registry.dags.bag import DagResult
from platform_ops.registry.dags.imports import own_files
from platform_ops.registry.discover import source_files

__all__ = ["PREFIX", "by_file", "chosen", "clashes", "file_names", "merged"]

PREFIX: Final = "dags:"
"""Of the names of cached parts; then come folder and file."""

_TWICE: Final = "DuplicatedId"  # of Airflow's exception for two DAGs of one name


def file_names(folders: Mapping[str, Path]) -> Iterator[tuple[str, str, Path]]:
    """Each source file: the name of its part, its folder as configured, and its path."""
    for folder, path in folders.items():
        root = path.parent if path.is_file() else path
        for file in source_files(path):
            yield f"{PREFIX}{folder}/{file.relative_to(root).as_posix()}", folder, file


def chosen(
    folders: Mapping[str, Path], stale: set[str], kept: Mapping[str, DagResult]
) -> tuple[tuple[str, str], ...]:
    """The files to parse alone, each with its folder; none where all must be parsed."""
    names = list(file_names(folders))
    known = {name for name in kept if name.startswith(PREFIX)}
    came = {name for name, _, _ in names} - known
    gone = known - {name for name, _, _ in names}
    wanted = [(folder, str(file)) for name, folder, file in names if name in stale]
    silent = [name for name in stale if name in kept and not (kept[name].dags or kept[name].broken)]
    broken = [each.error for part in kept.values() for each in part.broken]
    twice = any(_TWICE in error for error in broken)  # the other file may be mended now
    if came or gone or silent or twice or len(wanted) == len(names):
        return ()
    return tuple(wanted)


def by_file(
    result: DagResult, folders: Mapping[str, Path], only: Iterable[tuple[str, str]] = ()
) -> Iterator[tuple[str, DagResult, set[str]]]:
    """Each part of what was parsed, by name, with every file that it was made of.

    :param only: The files that were parsed, where not all were.
    """
    alone = {path for _, path in only}
    found: dict[str, DagResult] = defaultdict(DagResult)
    for dag in result.dags:
        found[f"{PREFIX}{dag.folder}/{dag.source.file}"].dags.append(dag)
    for broken, problem in zip(result.broken, result.problems, strict=True):
        part = found[f"{PREFIX}{broken.folder}/{broken.file}"]
        part.broken.append(broken)
        part.problems.append(problem)
    sources = {
        folder: [str(each) for each in source_files(path)] for folder, path in folders.items()
    }
    for name, folder, file in file_names(folders):
        part = found.pop(name, DagResult())
        if alone and str(file) not in alone:
            continue
        root = folders[folder].parent if folders[folder].is_file() else folders[folder]
        part.files = {str(file): result.files.get(str(file), [])}
        yield name, part, {*own_files(file, root, sources[folder]), *part.files[str(file)]}
    for name, part in found.items():  # of archives, say: as fresh as the whole
        used = {each for files in result.files.values() for each in files}
        yield name, part, {*used, *(each for files in sources.values() for each in files)}


def merged(parts: Iterable[DagResult]) -> DagResult:
    """All of them as one."""
    total = DagResult()
    for each in parts:
        total.dags += each.dags
        total.broken += each.broken
        total.problems += each.problems
    return total


def clashes(result: DagResult) -> bool:
    """Whether two files hold a DAG of one name, which only a parse of all can tell as Airflow does."""
    counts = Counter(dag.dag_id for dag in result.dags)
    return any(count > 1 for count in counts.values())
