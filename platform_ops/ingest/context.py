"""What Airflow tells a task of itself, in the platform's own terms: its slot, its run, its connections."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Asset, BaseHook, conf
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from platform_ops import settings
from platform_ops.entity import Entity, RunIdentity, Slot
from platform_ops.errors import ConnectionMissing, UrlError

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from platform_ops.settings import Settings

__all__ = [
    "asset",
    "connection",
    "entity_of",
    "identity_of",
    "site_settings",
    "slot_of",
    "store_options",
    "versions",
]

_PLAIN: Final = re.compile(r"[a-z0-9_-]+\.[a-z0-9_.-]*[a-z0-9_-]", re.ASCII)
"""Names that Airflow takes as they are, in a name and in a URI alike."""


def asset(entity: str | Entity) -> Asset:
    """The one Airflow asset of an entity; it does not depend on where the archive is."""
    name = str(entity)
    if _PLAIN.fullmatch(name) is None:
        parsed = Entity.parse(entity)
        return Asset(name=str(parsed), uri=parsed.uri)
    # As unpickling makes one: Airflow takes a fifth of an operator's time to find that such a name and
    # URI need no cleaning.
    made = Asset.__new__(Asset)
    own = {"name": name, "uri": f"platform-ops://{name.replace('.', '/', 1)}"}
    state = {**_blank_state(), **own, "extra": {}, "watchers": []}
    made.__setstate__(state)  # type: ignore[attr-defined]  # attrs generates it
    return made


@cache
def _blank_state() -> dict[str, Any]:  # Any: what an asset holds beside its name
    blank = Asset(name="blank", uri="platform-ops://blank/blank")
    state: dict[str, Any] = blank.__getstate__()  # type: ignore[assignment]  # Any: as above; attrs makes it a dictionary
    return state


def entity_of(text: str | Entity) -> Entity:
    """The entity of a name that is known only in the task.

    :raises AirflowFailException: It is no name of an entity.
    """
    try:
        return Entity.parse(text)
    except UrlError as err:
        raise AirflowFailException(f"UrlError: {err}") from err


def connection(conn_id: str) -> Connection:
    """An Airflow connection.

    :raises ConnectionMissing: There is none of this id.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as err:
        raise ConnectionMissing(
            f"connection {conn_id!r} does not exist; create it in Airflow's UI, in a secrets backend, "
            f"or as the environment variable AIRFLOW_CONN_{conn_id.upper()}"
        ) from err


def store_options(conn_id: str, scheme: str) -> dict[str, str]:
    """Client options of the archive's store, from an Airflow connection."""
    from platform_ops import credentials

    return credentials.store_options(connection(conn_id), scheme)


def site_settings() -> Settings:
    """The site's settings, found by Airflow's option ``[platform_ops] config`` first."""
    return settings.load(conf.get("platform_ops", "config", fallback=None)).settings


def slot_of(
    context: Context,
    entity: Entity,
    partition_key: str | None = None,
    map_key: str | None = None,
) -> Slot:
    """The slot that a run fills.

    :param partition_key: The run's own where it is None.
    :param map_key: The map index where it is None and the task is mapped; that index is unstable,
        so a key rendered from what is mapped over is better.
    """
    run = context["dag_run"]
    map_index = _map_index(context)
    if map_key is None and map_index >= 0:
        map_key = str(map_index)
    return Slot(
        entity,
        run.partition_date or run.data_interval_start or run.run_after,
        partition_key if partition_key is not None else run.partition_key,
        map_key,
        getattr(run, "team_name", None),
    )


def identity_of(context: Context) -> RunIdentity:
    """Which try of which task runs."""
    task_instance, run = context["ti"], context["dag_run"]
    return RunIdentity(
        dag_id=task_instance.dag_id,
        task_id=task_instance.task_id,
        run_id=task_instance.run_id,
        map_index=_map_index(context),
        try_number=task_instance.try_number,
        max_tries=task_instance.max_tries,
        team=getattr(run, "team_name", None),
        interval_start_utc=run.data_interval_start,
        interval_end_utc=run.data_interval_end,
    )


def _map_index(context: Context) -> int:
    index = context["ti"].map_index
    return -1 if index is None else index


def versions() -> dict[str, str]:
    """Versions of what is at work, for the manifest."""
    found = {}
    for package in ("platform-ops", "apache-airflow-core"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
