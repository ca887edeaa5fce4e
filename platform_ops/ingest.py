"""The one way in: fetch, archive, measure, announce, refer. Every source goes through here.

    fetch() → parts → archive session → manifest → metrics → asset event → XCom reference

:class:`ArchivingOperator` is what a source's operator derives from, :func:`archive_session` what a
task's own code and our hooks use; both are the same path.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, get_args

from airflow.sdk import Asset, BaseHook, BaseOperator, conf, get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

from platform_ops import archive, credentials, metrics, settings
from platform_ops.archive import Commit, Outcome, Session
from platform_ops.entity import Entity, Manifest, Part, Payload, Reference, RunIdentity, Slot
from platform_ops.errors import ConfigError, ConnectionMissing, PlatformError, UrlError
from platform_ops.runconf import Wish, one_of
from platform_ops.settings import Mode, OnExisting, Settings

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

__all__ = [
    "ArchivingOperator",
    "Capture",
    "archive_session",
    "asset",
    "connection",
    "entity_of",
    "site_settings",
    "slot_of",
]

log = logging.getLogger(__name__)


def asset(entity: str | Entity) -> Asset:
    """The one Airflow asset of an entity; it does not depend on where the archive is."""
    parsed = Entity.parse(entity)
    return Asset(name=str(parsed), uri=parsed.uri)


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


@dataclass(slots=True)
class Capture:
    """One capture under way: write parts while it is pending, then refer to it.

    :param slot: What it fills.
    :param started_s: Monotonic time of its start, in seconds.
    """

    slot: Slot
    _session: Session | None = None
    _found: Commit | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def pending(self) -> bool:
        """Whether the source has to be asked; False where a revision answers already."""
        return self._known is None

    @property
    def commit(self) -> Commit:
        """The revision; there once the ``with`` block ended, or where nothing was pending.

        :raises PlatformError: The capture is still under way.
        """
        if self._known is None:
            raise PlatformError(f"{self.slot}: not committed yet; leave the with block first")
        return self._known

    @property
    def _known(self) -> Commit | None:
        return self._session.commit if self._session else self._found

    @property
    def manifest(self) -> Manifest:
        """The revision's manifest."""
        return self.commit.manifest

    @property
    def reference(self) -> Reference:
        """What to hand to the next task."""
        return self.commit.reference

    def write(self, part: Part) -> Payload:
        """Store one payload verbatim; see :meth:`platform_ops.archive.Session.write`."""
        if self._session is None or not self.pending:
            raise PlatformError(f"{self.slot}: is archived already; write only while it is pending")
        return self._session.write(part)


@contextmanager
def archive_session(
    entity: str | Entity,
    *,
    partition_key: str | None = None,
    map_key: str | None = None,
    mode: Mode | None = None,
    on_existing: OnExisting | None = None,
    context: Context | None = None,
) -> Iterator[Capture]:
    """Capture one slot of an entity from inside a task; leaving the block commits.

    :param mode: What to do for this capture; the run's conf comes first, the entity's setting last.
    :param on_existing: What another run's revision in the slot meets; the site's setting otherwise.
    :param context: The task's; the current one where it is None.
    :raises AirflowFailException: An error that a retry cannot cure; its cause is the error itself.
    :raises PlatformError: An error that a retry may cure.
    """
    parsed = entity_of(entity)
    within = context or get_current_context()
    with _reported(parsed):
        _require_known(mode, on_existing)
        site = site_settings()
        _require_declared(site, parsed)
        wish = Wish.of(within["dag_run"].conf, mode, site, parsed)
        slot = wish.slot(slot_of(within, parsed, partition_key, map_key))
        if wish.mode == "replay":
            capture = _replayed(site, slot, wish)
            yield capture
        else:
            session = archive.session(
                slot,
                _identity(within),
                on_existing="revise" if wish.mode == "refetch" else on_existing,
                versions=_versions(),
                settings=site,
            )
            with session:
                capture = Capture(slot, session)
                yield capture
        _take_effect(within, capture, wish)


class ArchivingOperator(BaseOperator):
    """Base of every operator that takes something in: archives it, measures it, returns a reference.

    A subclass writes :meth:`fetch` and nothing else. The task's XCom is a reference to the archived
    revision, never the bytes: ``archive.open(ref)`` reads them downstream.

    :param entity: What arrives, as ``source.name``; declares the task's outlet asset.
    :param partition_key: Key of the slot within its time; the run's partition key where unset.
    :param map_key: Key of a mapped task within its slot; render it from what is mapped over. The
        map index where unset, which changes when the mapped list does.
    :param mode: ``auto`` fetches unless this run has committed; ``refetch`` asks the source even
        where policy ``reuse`` would not; ``replay`` reads the archive and never asks the source. A
        run's conf ``{"platform_ops": {"replay": true}}`` comes first, the entity's setting last.
    :param on_existing: What another run does to a slot that holds a revision: ``revise`` adds one,
        ``reuse`` takes it, ``fail`` refuses. The site's setting where unset.
    :raises EntityUndeclared: The site wants entities declared, and this one is not.
    :raises ArchiveConflict: Policy ``fail``, and the slot holds another run's revision.
    :raises ArchiveUnavailable: The store is out of reach or full; nothing half-written is visible.
    :raises ArchiveUnwritable: The archive's root refuses writes.
    :raises NotArchived: A replay found nothing to read; the source was not asked.
    """

    template_fields: Sequence[str] = ("partition_key", "map_key")

    def __init__(
        self,
        *,
        entity: str,
        partition_key: str | None = None,
        map_key: str | None = None,
        mode: Mode | None = None,
        on_existing: OnExisting | None = None,
        **kwargs: Any,  # Any: BaseOperator's own arguments
    ) -> None:
        _require_known(mode, on_existing)
        super().__init__(**_with_outlet(entity, kwargs))
        self.entity = entity
        self.partition_key = partition_key
        self.map_key = map_key
        self.mode = mode
        self.on_existing = on_existing

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:  # Any: this operator's arguments
        """As in Airflow, and with the entity's asset as outlet, which a mapped task would lack.

        :raises ConfigError: The entity is left to ``expand()``; one mapped task fills one entity.
        """
        if "entity" not in kwargs:
            raise ConfigError(
                f"{kwargs.get('task_id')}: give entity= to partial(), not to expand(); "
                "use map_key= to tell the mapped captures apart"
            )
        return super().partial(**_with_outlet(kwargs["entity"], kwargs))

    @abstractmethod
    def fetch(self, context: Context) -> Iterator[Part]:
        """Ask the source, lazily: nothing before the first part is taken, one part at a time.

        :return: Shape ``(parts,)``; each body is read to its end before the next part is asked for.
        :raises SourceError: The source did not deliver.
        """

    def execute(self, context: Context) -> dict[str, Any]:  # Any: JSON values
        """Run the one path; the result is the reference as a plain dictionary."""
        with archive_session(
            self.entity,
            partition_key=self.partition_key,
            map_key=self.map_key,
            mode=self.mode,
            on_existing=self.on_existing,
            context=context,
        ) as capture:
            if capture.pending:
                with _released(self.fetch(context)) as parts:
                    for part in parts:
                        payload = capture.write(part)
                        self.log.info("archived %s: %d bytes", payload.name, payload.size_bytes)
        return capture.reference.to_dict()


@contextmanager
def _released(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Let a source close its connections at once where the archive fails in the middle."""
    try:
        yield parts
    finally:
        if isinstance(parts, Generator):
            parts.close()


def _replayed(site: Settings, slot: Slot, wish: Wish) -> Capture:
    found = archive.newest(slot, revision=wish.revision, as_of_utc=wish.as_of_utc, settings=site)
    return Capture(slot, _found=Commit(found, archive.refer(found, site), Outcome.REPLAYED))


def _take_effect(context: Context, capture: Capture, wish: Wish) -> None:
    """What follows a commit, and is redone by a retry: metrics, asset event, a line in the log."""
    commit, entity = capture.commit, capture.slot.entity
    _measure(entity, commit, (time.monotonic() - capture.started_s) * 1000)
    outlet = asset(entity)
    task = context["ti"].task
    if commit.outcome is Outcome.REPLAYED and not wish.emit:
        # Airflow announces every outlet of a task that succeeds: take it off, for this try alone.
        task.outlets = [each for each in task.outlets if each != outlet]
    elif outlet in task.outlets:
        context["outlet_events"][outlet].extra = commit.reference.to_dict()
    log.info(
        "%s %s: revision %d, %d bytes in %d payloads, %s",
        commit.outcome.value,
        capture.slot,
        commit.manifest.revision,
        commit.manifest.size_bytes,
        len(commit.manifest.payloads),
        commit.reference.manifest_url,
    )


def _measure(entity: Entity, commit: Commit, duration_ms: float) -> None:
    manifest = commit.manifest
    if commit.conflicts:
        metrics.emit(metrics.CONFLICTS, commit.conflicts, entity)
    if commit.outcome is Outcome.REPLAYED:
        metrics.emit(metrics.REPLAYS, 1, entity)
        return
    if commit.outcome in (Outcome.ADOPTED, Outcome.REUSED):
        metrics.emit(metrics.ADOPTED, 1, entity)
        if commit.outcome is Outcome.REUSED or commit.conflicts:
            return
        # A retry counts what it adopts: the try that committed may have died before it could.
    metrics.emit(metrics.ENTITIES, 1, entity)
    metrics.emit(metrics.PARTS, len(manifest.payloads), entity)
    metrics.emit(metrics.BYTES, manifest.size_bytes, entity)
    if commit.outcome is not Outcome.ADOPTED:
        metrics.emit(metrics.DURATION, duration_ms, entity)
    if manifest.rows is not None:
        metrics.emit(metrics.ROWS, manifest.rows, entity)
    if commit.outcome is Outcome.UNCHANGED:
        metrics.emit(metrics.UNCHANGED, 1, entity)
    if manifest.size_bytes == 0:
        metrics.emit(metrics.EMPTY, 1, entity)


@contextmanager
def _reported(entity: Entity) -> Iterator[None]:
    """Count a failure by its class, and tell Airflow not to retry what a retry cannot cure."""
    try:
        yield
    except AirflowSkipException:
        raise
    except Exception as err:
        metrics.emit(metrics.FAILURES, 1, entity, error=type(err).__name__)
        if isinstance(err, PlatformError) and not err.retryable:
            raise AirflowFailException(f"{type(err).__name__}: {err}") from err
        raise


def _require_known(mode: Mode | None, on_existing: OnExisting | None) -> None:
    given = {"mode": (mode, Mode), "on_existing": (on_existing, OnExisting)}
    for name, (value, choices) in given.items():
        if value is not None and value not in get_args(choices):
            raise ConfigError(f"{name}={value!r} does not exist; right are: {one_of(choices)}")


def _require_declared(site: Settings, entity: Entity) -> None:
    site.entity(entity)
    if site.declared(entity) is None:
        log.warning("entity %s is not declared in platform.toml", entity)
        metrics.emit(metrics.UNDECLARED, 1, entity)


def _identity(context: Context) -> RunIdentity:
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


def _with_outlet(
    entity: str, kwargs: Mapping[str, Any]
) -> dict[str, Any]:  # Any: operator arguments
    outlet = asset(entity)
    given = kwargs.get("outlets") or []
    outlets = list(given) if isinstance(given, (list, tuple)) else [given]
    return {**kwargs, "outlets": outlets if outlet in outlets else [*outlets, outlet]}


def _versions() -> dict[str, str]:
    found = {}
    for package in ("platform-ops", "apache-airflow-core"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _store_options(conn_id: str, scheme: str) -> dict[str, str]:
    """Client options of the archive's store, from an Airflow connection."""
    return credentials.store_options(connection(conn_id), scheme)


archive.use_credentials(_store_options)
