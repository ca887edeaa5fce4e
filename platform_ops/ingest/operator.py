"""What every source's operator derives from."""

from __future__ import annotations

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from platform_ops.archive import Outcome
from platform_ops.errors import ConfigError, PlatformError
from platform_ops.ingest.context import asset, slot_of
from platform_ops.ingest.docs_link import DocsLink
from platform_ops.ingest.session import archive_session, require_known
from platform_ops.settings import Codec, Mode, OnExisting

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial
    from airflow.sdk.types import RuntimeTaskInstanceProtocol as RuntimeTaskInstance

    from platform_ops.entity import Manifest, Part
    from platform_ops.ingest.capture import Capture

__all__ = ["ArchivingOperator"]


log = logging.getLogger("platform_ops.ingest")


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
    :param codec: How bodies are stored: ``none`` as they came, ``gzip`` or ``zstd``. The entity's setting
        where unset.
    :param pack: Whether small bodies share one object, of which each can be read alone. The entity's
        setting where unset.
    :raises EntityUndeclared: The site wants entities declared, and this one is not.
    :raises ArchiveConflict: Policy ``fail``, and the slot holds another run's revision.
    :raises ArchiveUnavailable: The store is out of reach or full; nothing half-written is visible.
    :raises ArchiveUnwritable: The archive's root refuses writes.
    :raises NotArchived: A replay found nothing to read; the source was not asked.
    """

    template_fields: Sequence[str] = ("partition_key", "map_key")
    operator_extra_links: Collection[BaseOperatorLink] = (DocsLink(),)
    partition_key: str | None = None
    map_key: str | None = None
    mode: Mode | None = None
    on_existing: OnExisting | None = None
    codec: Codec | None = None
    pack: bool | None = None
    _committed: Manifest | None = None

    def __init__(
        self,
        *,
        entity: str,
        partition_key: str | None = None,
        map_key: str | None = None,
        mode: Mode | None = None,
        on_existing: OnExisting | None = None,
        codec: Codec | None = None,
        pack: bool | None = None,
        **kwargs: Any,  # Any: BaseOperator's own arguments
    ) -> None:
        require_known(mode, on_existing, codec)
        super().__init__(**_with_outlet(entity, kwargs))
        self.entity = entity
        self._keep(
            partition_key=partition_key,
            map_key=map_key,
            mode=mode,
            on_existing=on_existing,
            codec=codec,
            pack=pack,
        )

    def _keep(self, **arguments: Any) -> None:  # Any: the operator's own
        """Keep the arguments that are other than what the class says of them.

        Airflow checks each attribute that is set on an operator, in a twentieth of the time that a
        DAG file takes to make one.
        """
        for name, value in arguments.items():
            if value is not getattr(type(self), name):
                setattr(self, name, value)

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
        :raises Unchanged: Before the first part: the source has nothing newer than a revision.
        """

    def acknowledge(self, context: Context, manifest: Manifest) -> None:
        """Tell the source that its delivery is safe: commit an offset, flag a mail, delete a file.

        Called once the revision is committed and announced, and again by a retry that finds it
        committed: so it must do no harm twice. A replay, and policy ``reuse``, never call it.

        :param manifest: The revision; its payloads' origins say what was taken.
        :raises SourceError: The source did not take it; a retry calls this again, and fetches nothing.
        """

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # for subclasses
        """Fingerprint of the first request that :meth:`fetch` would send, without sending any.

        A replay compares it with what was archived, and warns where the task has changed since.

        :return: As in the origin of the first part; None where there is no such thing.
        """
        return None

    def execute(self, context: Context) -> dict[str, Any]:  # Any: JSON values
        """Run the one path; the result is the reference as a plain dictionary."""
        from platform_ops.ingest.effects import TAKEN, reported

        with archive_session(
            self.entity,
            partition_key=self.partition_key,
            map_key=self.map_key,
            mode=self._capture_mode(),
            on_existing=self.on_existing,
            codec=self.codec,
            pack=self.pack,
            context=context,
        ) as capture:
            if capture.pending:
                self._take(context, capture)
        if capture.commit.outcome is Outcome.REPLAYED:
            self._warn_of_change(context, capture)
        if capture.commit.outcome in TAKEN:
            with reported(capture.slot.entity):
                self.acknowledge(context, capture.manifest)
        self._committed = capture.manifest
        return capture.reference.to_dict()

    def get_openlineage_facets_on_complete(
        self,
        task_instance: RuntimeTaskInstance,  # noqa: ARG002  # as OpenLineage's provider calls it
    ) -> OperatorLineage[Any, Any] | None:  # Any: facets of every kind
        """What OpenLineage is told of this try: the source's data as inputs, the revision as output.

        :return: Shape ``(inputs, outputs)``; the output has its version (revision and digest), schema
            where it is a table, statistics, storage, owner and the entity's asset as another name.

        Source: https://openlineage.io/docs/spec/facets/
        """
        from platform_ops.ingest.lineage import facets_of

        return facets_of(self._committed) if self._committed is not None else None

    def _capture_mode(self) -> Mode | None:
        return self.mode

    def _take(self, context: Context, capture: Capture) -> None:
        from platform_ops.ingest.capture import Unchanged

        try:
            with _released(self.fetch(context)) as parts:
                for part in parts:
                    body = capture.write(_identified(part))
                    self.log.info("archived %s: %d bytes", body.name, body.size_bytes)
        except Unchanged as told:
            capture.settle(told.manifest)

    def _warn_of_change(self, context: Context, capture: Capture) -> None:
        from platform_ops.ingest.replay import changed_request

        if slot_of(context, capture.slot.entity).time_utc != capture.slot.time_utc:
            return  # another day's slot answers another day's request
        try:
            before = changed_request(capture, self.request_fingerprint(context))
        except PlatformError:  # a replay needs no connection, and none that is right
            return
        if before is not None:
            log.warning(
                "replayed %s, revision %d, which answers %s: this task asks for something else now",
                capture.slot,
                capture.manifest.revision,
                before,
            )


def _identified(part: Part) -> Part:
    """The part with what a source need not say: when it was asked, and a fingerprint of what for."""
    origin = part.origin
    asked = hashlib.sha256(f"{origin.method}\n{origin.url}".encode()).hexdigest()
    known = replace(
        origin,
        fingerprint=origin.fingerprint or asked,
        fetched_at_utc=origin.fetched_at_utc or datetime.now(UTC),
    )
    return part if known == origin else replace(part, origin=known)


@contextmanager
def _released(parts: Iterator[Part]) -> Iterator[Iterator[Part]]:
    """Let a source close its connections at once where the archive fails in the middle."""
    try:
        yield parts
    finally:
        if isinstance(parts, Generator):
            parts.close()


_outlet = cache(asset)
"""Airflow takes a fifth of an operator's time to make an asset; one entity has one asset."""


def _with_outlet(
    entity: str, kwargs: Mapping[str, Any]
) -> dict[str, Any]:  # Any: operator arguments
    outlet = _outlet(entity)
    given = kwargs.get("outlets") or []
    outlets = list(given) if isinstance(given, (list, tuple)) else [given]
    return {**kwargs, "outlets": outlets if outlet in outlets else [*outlets, outlet]}
