"""What to catalogue: packages, DAG folders, and the objects that hold metrics, settings and errors."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from platform_ops.errors import ConfigError

__all__ = ["CatalogConfig"]


@dataclass(frozen=True, slots=True)
class CatalogConfig:
    """What ``airflow_catalog`` in a ``conf.py`` says; every part may be left out.

    :param packages: Import names of the packages to walk.
    :param entry_points: Groups whose entry points name further packages to walk; each entry point
        of ``apache_airflow_provider`` stands for the package that it lies in.
    :param exclude: Modules to leave out, with everything below them.
    :param metrics: Object path (``module:attribute``) of an iterable of metrics, each with name,
        kind, unit, tags and help.
    :param settings: Object path of a pydantic model.
    :param errors: Module that holds an exception tree.
    :param rules: Object paths of iterables of rules, each with id, title, why and severity.
    :param archiving: Dotted names of bases whose subclasses archive what they bring.
    :param tables: Name to object path of a callable that returns a header and rows.
    :param entities: Object path of a callable that takes an ISO time and returns a
        :class:`~platform_ops.registry.models.entities.Published`: sources, entities, and what arrived.
    :param dags: Folders or files with DAGs, relative to ``root``.
    :param examples: Folder among ``dags`` to object path of a function that runs one of its files and
        returns what a reader should see.
    :param audit: Object path of a callable that takes a DAG and returns rows with a ``task_id`` and an
        ``advice``: tasks that take something in which nobody archives.
    :param environment: Variables to set while packages and DAGs are imported.
    :param root: The folder that relative paths start from.
    """

    packages: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    metrics: str = ""
    settings: str = ""
    errors: str = ""
    rules: tuple[str, ...] = ()
    archiving: tuple[str, ...] = ()
    tables: tuple[tuple[str, str], ...] = ()
    entities: str = ""
    dags: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    audit: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    root: Path = Path()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], root: Path) -> CatalogConfig:  # Any: conf.py
        """Check the mapping of a ``conf.py``.

        :param root: The folder of that file.
        :raises ConfigError: A key is unknown, or a value has the wrong shape.
        """
        known = [field.name for field in fields(cls) if field.name != "root"]
        for key in values:
            if key not in known:
                raise ConfigError(
                    f"airflow_catalog: unknown key {key!r}; known are {', '.join(known)}"
                )
        return cls(
            packages=_names(values, "packages"),
            entry_points=_names(values, "entry_points"),
            exclude=_names(values, "exclude"),
            metrics=_path(values, "metrics", attribute=True),
            settings=_path(values, "settings", attribute=True),
            errors=_path(values, "errors", attribute=False),
            rules=_names(values, "rules"),
            archiving=_names(values, "archiving"),
            tables=_pairs(values, "tables"),
            entities=_path(values, "entities", attribute=True),
            dags=_names(values, "dags"),
            examples=_pairs(values, "examples"),
            audit=_path(values, "audit", attribute=True),
            environment=_pairs(values, "environment"),
            root=root.resolve(),
        )

    @classmethod
    def from_conf(cls, folder: Path) -> CatalogConfig:
        """Read ``airflow_catalog`` from the ``conf.py`` of a folder, running it as Sphinx does.

        :raises ConfigError: There is no such file, or it sets no ``airflow_catalog``.
        """
        path = (folder / "conf.py").resolve()
        if not path.is_file():
            raise ConfigError(
                f"{path}: no such file; name the folder that holds your site's conf.py"
            )
        with contextlib.chdir(folder):
            values = runpy.run_path(str(path))
        if "airflow_catalog" not in values:
            raise ConfigError(f"{path}: sets no airflow_catalog")
        return cls.from_mapping(values["airflow_catalog"], folder)

    @property
    def dag_folders(self) -> tuple[Path, ...]:
        """The DAG folders, absolute."""
        return tuple((self.root / each).resolve() for each in self.dags)

    def worker_environment(self, home: Path) -> dict[str, str]:
        """Variables of a process that imports code of others.

        :param home: A scratch ``AIRFLOW_HOME``: it must neither need nor touch the user's own.
        """
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            **dict(self.environment),
        }

    @property
    def table_modules(self) -> tuple[str, ...]:
        """Modules that metrics, settings, errors and tables come from."""
        paths = [self.metrics, self.settings, self.errors, *self.rules]
        paths += [path for _, path in self.tables]
        return tuple(sorted({path.partition(":")[0] for path in paths if path}))


def _names(values: Mapping[str, Any], key: str) -> tuple[str, ...]:  # Any: conf.py
    value = values.get(key, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"airflow_catalog: {key!r} is {value!r}; write a list of strings")
    return tuple(str(each) for each in value)


def _path(values: Mapping[str, Any], key: str, *, attribute: bool) -> str:  # Any: conf.py
    value = values.get(key) or ""
    if not isinstance(value, str) or (value and (":" in value) is not attribute):
        shape = "'package.module:attribute'" if attribute else "'package.module'"
        raise ConfigError(f"airflow_catalog: {key!r} is {value!r}; write it as {shape}")
    return value


def _pairs(values: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:  # Any: conf.py
    value = values.get(key) or {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"airflow_catalog: {key!r} is {value!r}; write a dict of strings")
    return tuple(sorted((str(name), str(text)) for name, text in value.items()))
