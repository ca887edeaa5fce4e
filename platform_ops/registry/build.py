"""Making a catalogue: find modules, import what changed in subprocesses, keep the rest.

The cache holds, for each module, the digest of every file that its entries depend on: its own, that
of each class in each MRO, and the facade that exports it. What did not change is not imported; when
nothing changed, no process is started at all.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from platform_ops.errors import ConfigError
from platform_ops.registry.classes.introspect import AS_LIBRARY, ModuleResult
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.dags import parts as dag_parts
from platform_ops.registry.dags.bag import DagResult
from platform_ops.registry.discover import FoundPackage, folder_of, packages, source_files
from platform_ops.registry.entities import EntityResult
from platform_ops.registry.jobs import ClassJob, DagJob, EntityJob, Job, Result, TableJob
from platform_ops.registry.linking import linked, once
from platform_ops.registry.models.catalog import (
    CATALOG_VERSION,
    BrokenDagFile,
    Catalog,
    Package,
    Problem,
    adapter,
)
from platform_ops.registry.providers import Declared, ProviderResult, package_of
from platform_ops.registry.tables import TableResult

__all__ = ["Builder", "Outcome", "build"]

CACHE_NAME: Final = "airflow-catalog.cache.json"
# Importing Airflow then sets up neither logging nor a database, which takes a third of its time.
_AS_LIBRARY: Final = {AS_LIBRARY: "1"}


@dataclass(slots=True)
class _Kept:
    """One cached part, and the digests of the files that it was made of."""

    files: dict[str, str] = field(default_factory=dict)
    module: ModuleResult | None = None
    providers: ProviderResult | None = None
    tables: TableResult | None = None
    dags: DagResult | None = None
    entities: EntityResult | None = None
    moment: str = ""


@dataclass(slots=True)
class _Cache:
    key: str = ""
    parts: dict[str, _Kept] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A catalogue, and what it took to make it.

    :param imported: Parts that were not in the cache; empty for a warm build.
    """

    catalog: Catalog
    imported: tuple[str, ...]


def build(config: CatalogConfig, cache: Path | None = None) -> Outcome:
    """Make the catalogue of a configuration.

    :param cache: Folder to keep results in between builds; without one, all is imported again.
    :raises ConfigError: A package is not installed, or a DAG folder does not exist.
    """
    return Builder(config, cache).build()


class Builder:
    """One build: what there is, what is stale, and the catalogue made of both.

    :param cache: Folder to keep results in between builds.
    """

    def __init__(self, config: CatalogConfig, cache: Path | None = None) -> None:
        self.config = config
        self._path = cache / CACHE_NAME if cache else None
        self._digests: dict[str, str] = {}

    def build(self) -> Outcome:
        """Import what is stale, and put the catalogue together."""
        for folder in self.config.dag_folders:
            if not folder.exists():
                raise ConfigError(f"airflow_catalog: DAG folder {folder} does not exist")
        cache = self._load()
        stale = [name for name in self._names(cache) if not self._fresh(cache.parts.get(name))]
        if stale:
            self._make(stale, cache)
        unwanted = cache.parts.keys() - {*self._names(cache)}
        for name in unwanted:
            del cache.parts[name]
        if stale or unwanted:
            self._save(cache)
        return Outcome(self._assemble(cache), tuple(stale))

    def _names(self, cache: _Cache) -> list[str]:
        """Every part, in order; of DAGs also those whose file is gone, which tells that it is."""
        more = (name for name in cache.parts if name.startswith(dag_parts.PREFIX))
        return [*dict.fromkeys([*self._wanted, *more])]

    def _make(self, stale: Sequence[str], cache: _Cache) -> None:
        job = self._job(stale, cache)
        self._keep(cache, self._run(job), job)
        parts = [each.dags for each in cache.parts.values() if each.dags]
        if job.dags is not None and job.dags.only and dag_parts.clashes(dag_parts.merged(parts)):
            whole = Job(dags=replace(job.dags, only=()))
            self._keep(cache, self._run(whole), whole)

    @cached_property
    def packages(self) -> tuple[FoundPackage, ...]:
        """The packages found, not yet imported."""
        return packages(self.config)

    @cached_property
    def moment(self) -> str:
        """What runs to come are counted from: ``SOURCE_DATE_EPOCH``, else the start of this day.

        A build of the same sources on the same day is the same, and the cache holds for as long.
        """
        stamp = os.environ.get("SOURCE_DATE_EPOCH")
        now = datetime.fromtimestamp(int(stamp), UTC) if stamp else datetime.now(UTC)
        day = now if stamp else now.replace(hour=0, minute=0, second=0, microsecond=0)
        return day.isoformat(timespec="seconds")

    @cached_property
    def _wanted(self) -> dict[str, str]:
        """Every part of this catalogue by name, with the kind of job that makes it."""
        wanted = {
            f"module:{module.name}": "classes"
            for package in self.packages
            for module in package.modules
        }
        if any(package.providers for package in self.packages):
            wanted["providers"] = "classes"
        if self.config.table_modules:
            wanted["tables"] = "tables"
        wanted |= dict.fromkeys(
            (name for name, _, _ in dag_parts.file_names(self._folders)), "dags"
        )
        if self.config.entities:
            wanted["entities"] = "entities"
        return wanted

    def _fresh(self, kept: _Kept | None) -> bool:
        if kept is None:
            return False
        if kept.tables is not None and kept.files.keys() != set(self._table_files()):
            return False
        if kept.moment and kept.moment != self.moment:
            return False  # a day has passed: other runs are next, and other arrivals count
        if kept.entities is not None and kept.entities.published.live:
            return False
        return all(self._digest(path) == digest for path, digest in kept.files.items())

    def _job(self, stale: Iterable[str], cache: _Cache) -> Job:
        """One job for one process: importing Airflow costs more than all that follows."""
        names, config = set(stale), self.config
        classes = tables = dags = entities = None
        if any(self._wanted.get(name) == "classes" for name in names):
            classes = ClassJob(
                modules=tuple(
                    (module, package.name)
                    for package in self.packages
                    for module in package.modules
                    if f"module:{module.name}" in names
                ),
                packages=tuple(package.name for package in self.packages),
                providers=tuple(each for package in self.packages for each in package.providers)
                if "providers" in names
                else (),
                declared=self._declared(names, cache),
            )
        if "tables" in names:
            tables = TableJob(
                config.metrics, config.settings, config.errors, config.rules, config.tables
            )
        if any(name.startswith(dag_parts.PREFIX) for name in names):
            kept = {name: each.dags for name, each in cache.parts.items() if each.dags}
            only = dag_parts.chosen(self._folders, names, kept)
            places = tuple((name, str(path)) for name, path in self._folders.items())
            dags = DagJob(places, self.moment, only, config.audit)
        if "entities" in names:
            entities = EntityJob(config.entities, self.moment)
        return Job(classes, tables, dags, entities)

    @staticmethod
    def _declared(stale: set[str], cache: _Cache) -> Declared | None:
        """What providers said before, where they need not be asked again."""
        kept = cache.parts.get("providers")
        return (
            kept.providers.declared
            if kept and kept.providers and "providers" not in stale
            else None
        )

    def _run(self, job: Job) -> Result:
        with tempfile.TemporaryDirectory(prefix="airflow-catalog-") as scratch:
            home = Path(scratch)
            done = home / "result.json"
            environment = self.config.worker_environment(home)
            (home / "job.json").write_bytes(adapter(Job).dump_json(job))
            worker = [sys.executable, "-m", "platform_ops.registry.worker"]
            ran = subprocess.run(
                [*worker, str(home / "job.json"), str(done)],
                env={**_AS_LIBRARY, **environment} if job.classes_alone else environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            if ran.returncode != 0 and (job.dags is None or not done.is_file()):
                said = ran.stderr.decode(errors="replace")[-4000:]
                raise ConfigError(f"the catalogue's worker ended with {ran.returncode}:\n{said}")
            # The worker's home is a scratch folder; a default that names it is the user's own.
            text = done.read_bytes().replace(str(home).encode(), b"$AIRFLOW_HOME")
        result: Result = adapter(Result).validate_json(text)
        if job.dags is not None and result.dags is None:
            fault = f"parsing it ended the process, with {ran.returncode}"
            folders = [folder for folder, _ in job.dags.folders]
            result.dags = DagResult(
                broken=[BrokenDagFile(folder, folder, 1, fault, fault) for folder in folders],
                problems=[Problem("dag", folder, fault) for folder in folders],
            )
        return result

    def _keep(self, cache: _Cache, result: Result, job: Job) -> None:
        for name, module in result.modules.items():
            cache.parts[f"module:{name}"] = _Kept(self._digests_of(module.files), module=module)
        if result.providers is not None:
            files = self._digests_of(result.providers.files)
            cache.parts["providers"] = _Kept(files, providers=result.providers)
        if result.tables is not None:
            cache.parts["tables"] = _Kept(
                self._digests_of(self._table_files()), tables=result.tables
            )
        if result.dags is not None and job.dags is not None:
            for name in [] if job.dags.only else [*cache.parts]:
                if name.startswith(dag_parts.PREFIX):
                    del cache.parts[name]
            for name, part, used in dag_parts.by_file(result.dags, self._folders, job.dags.only):
                planned = any(each.next_runs or each.due_days for each in part.dags)
                moment = self.moment if planned else ""
                cache.parts[name] = _Kept(self._digests_of(used), dags=part, moment=moment)
        if result.entities is not None:
            files = self._digests_of([*self._entity_files(), *result.entities.published.files])
            cache.parts["entities"] = _Kept(files, entities=result.entities, moment=self.moment)

    def _table_files(self) -> Iterator[str]:
        """All of the packages that the named objects lie in: a settings model may import any."""
        for top in sorted({name.partition(".")[0] for name in self.config.table_modules}):
            yield from map(str, source_files(folder_of(top)))

    def _entity_files(self) -> Iterator[str]:
        top = self.config.entities.partition(":")[0].partition(".")[0]
        yield from map(str, source_files(folder_of(top)))

    @property
    def _folders(self) -> dict[str, Path]:
        return dict(zip(self.config.dags, self.config.dag_folders, strict=True))

    def _digests_of(self, files: Iterable[str]) -> dict[str, str]:
        return {path: self._digest(path) for path in files}

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            try:
                content = Path(path).read_bytes()
            except OSError:
                self._digests[path] = "missing"
            else:
                self._digests[path] = hashlib.blake2b(content, digest_size=16).hexdigest()
        return self._digests[path]

    @cached_property
    def _key(self) -> str:
        """What makes every cached part worthless: another reader, Python, or configuration."""
        own = [self._digest(str(path)) for path in source_files(Path(__file__).parent)]
        text = repr((CATALOG_VERSION, sys.version_info[:3], self.config, own))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _load(self) -> _Cache:
        if self._path is None or not self._path.is_file():
            return _Cache(self._key)
        try:
            cache: _Cache = adapter(_Cache).validate_json(self._path.read_bytes())
        except ValueError:
            return _Cache(self._key)
        return cache if cache.key == self._key else _Cache(self._key)

    def _save(self, cache: _Cache) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_bytes(adapter(_Cache).dump_json(cache))
        scratch.replace(self._path)

    def _assemble(self, cache: _Cache) -> Catalog:
        parts = [cache.parts[name] for name in self._names(cache) if name in cache.parts]
        modules = [each.module for each in parts if each.module]
        providers = next((each.providers for each in parts if each.providers), ProviderResult())
        tables = next((each.tables for each in parts if each.tables), TableResult())
        dags = dag_parts.merged(each.dags for each in parts if each.dags)
        entities = next((each.entities for each in parts if each.entities), EntityResult())
        published = entities.published
        own = {entry.name: entry for module in modules for entry in module.classes}
        bases = {entry.name: entry for module in modules for entry in module.bases}
        classes = linked({**bases, **own}, dags.dags, self.config.archiving)
        problems = [each for module in modules for each in module.problems]
        problems += [*providers.problems, *tables.problems, *dags.problems]
        problems += entities.problems
        return Catalog(
            moment=self.moment if dags.dags or published.entities else "",
            packages=self._package_entries(providers),
            classes=tuple(
                sorted(classes, key=lambda each: (each.kind, each.short.lower(), each.name))
            ),
            connections=tuple(sorted(providers.connections, key=lambda each: each.conn_type)),
            metrics=tuple(tables.metrics),
            settings=tuple(tables.settings),
            errors=tuple(tables.errors),
            dags=tuple(sorted(dags.dags, key=lambda each: each.dag_id)),
            broken_dags=tuple(sorted(dags.broken, key=lambda each: (each.folder, each.file))),
            sources=tuple(sorted(published.sources, key=lambda each: each.name)),
            entities=tuple(sorted(published.entities, key=lambda each: each.name)),
            tables=tuple(tables.tables),
            additions=once(each for module in modules for each in module.additions),
            options=tuple(providers.options),
            rules=tuple(tables.rules),
            problems=tuple(sorted(problems, key=lambda each: (each.kind, each.where))),
        )

    def _package_entries(self, providers: ProviderResult) -> tuple[Package, ...]:
        described = {each.name: each for each in providers.packages}
        return tuple(
            described.get(each.name) or package_of(each.name, each.distribution, each.version)
            for each in self.packages
        )
