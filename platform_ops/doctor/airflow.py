"""What Airflow is set to, read without its database and without a trace on disk."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Final

__all__ = ["AirflowView"]

LOWEST: Final = (3, 3)
_LOCAL_EXECUTORS: Final = {"LocalExecutor", "SequentialExecutor"}


@dataclass(frozen=True, slots=True)
class AirflowView:
    """Airflow as far as its configuration tells.

    :param option: What ``[platform_ops] config`` names, if anything.
    :param metrics: The backend that metrics go to; None where they are off.
    :param statsd_tags: Whether statsd is sent tags, in the form of InfluxDB or of Datadog.
    :param fault: Why it cannot be imported; the other fields are then empty.
    """

    version: str
    home: str = ""
    executors: tuple[str, ...] = ()
    option: str | None = None
    metrics: str | None = None
    statsd_tags: bool = False
    fault: str | None = None

    @classmethod
    def read(cls) -> AirflowView | None:
        """The Airflow of this environment; None where there is none."""
        try:
            installed = version("apache-airflow-core")
        except PackageNotFoundError:
            return None
        try:
            return cls._read(installed)
        except Exception as err:  # noqa: BLE001 - whatever a site's plugins and providers raise
            return cls(installed, fault=f"{type(err).__name__}: {err}")

    @classmethod
    def _read(cls, installed: str) -> AirflowView:
        with _without_database():
            from airflow.configuration import AIRFLOW_HOME, conf
        return cls(
            installed,
            str(AIRFLOW_HOME),
            _executors(conf.get("core", "executor")),
            conf.get("platform_ops", "config", fallback=None) or None,
            "statsd"
            if conf.getboolean("metrics", "statsd_on", fallback=False)
            else "OpenTelemetry"
            if conf.getboolean("metrics", "otel_on", fallback=False)
            else None,
            any(
                conf.getboolean("metrics", f"statsd_{form}_enabled", fallback=False)
                for form in ("influxdb", "datadog")
            ),
        )

    @property
    def is_old(self) -> bool:
        """Whether it is below the lowest that we support."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:2]) < LOWEST

    @property
    def remote_executors(self) -> tuple[str, ...]:
        """Executors whose tasks may run on another machine."""
        return tuple(each for each in self.executors if each not in _LOCAL_EXECUTORS)

    @staticmethod
    def knows_provider() -> bool:
        """Whether this package's entry point is where Airflow looks for providers."""
        found = entry_points(group="apache_airflow_provider")
        return any(each.module == "platform_ops.provider_info" for each in found)


def _executors(option: str) -> tuple[str, ...]:
    """Class names in ``[core] executor``: ``team=alias:module.Class,…;…`` in full."""
    entries = (entry.rpartition("=")[2].strip() for entry in re.split("[,;]", option))
    names = (entry.rpartition(":")[2].rpartition(".")[2] for entry in entries if entry)
    return tuple(dict.fromkeys(names))


@contextmanager
def _without_database() -> Iterator[None]:
    """Import Airflow as a library: no engine, no log folder, no airflow.cfg written."""
    name = "_AIRFLOW__AS_LIBRARY"
    if "airflow" in sys.modules or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
