"""Exports that an API makes while nobody waits: submit, wait without a worker, fetch.

Vendor page: https://www.rfc-editor.org/rfc/rfc9110#name-202-accepted (HTTP Semantics, 202 Accepted).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

from platform_ops.entity import Entity, Part
from platform_ops.errors import ConfigError, SourceUnavailable
from platform_ops.ingest import identity_of
from platform_ops.redaction import safe_url
from platform_ops.sources.web.deferring import DeferringHttpOperator
from platform_ops.sources.web.job import Export, Look

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.sources.web.desk import Desk
    from platform_ops.sources.web.hook import ArchivingHttpHook

__all__ = ["ArchivingHttpExportOperator", "Export"]

_KEY: Final = "http_export"
_GRACE_S: Final = 600.0
"""How much longer Airflow waits than the trigger: only a triggerer that is gone meets this end."""


class ArchivingHttpExportOperator(DeferringHttpOperator):
    """Submit an export, wait until the API has made it, and archive its result as it came.

    While the API is at work no worker is held: a trigger asks how far the job is. The job's name is kept
    in Airflow's task state store, so that a retry goes on waiting for the job that was submitted, and
    submits none of its own. ``endpoint`` and what else describes a request is that of the submission;
    ``pagination`` and ``limits`` are those of the result.

    :param export: How the API names a job, says how far it is, and where its result lies.
    :param method: The submission's HTTP method.
    :param deferrable: Whether the waiting is a trigger's, in Airflow's triggerer, or this task's own, on
        its worker. Airflow's option ``[operators] default_deferrable`` where unset.
    """

    def __init__(
        self,
        *,
        export: Export,
        method: str = "POST",
        **kwargs: Any,  # Any: DeferringHttpOperator's own arguments
    ) -> None:
        super().__init__(method=method, **kwargs)
        if self.since is not None or self.conditional:
            raise ConfigError(
                f"{self.task_id}: an export is asked for as a whole; leave out since= and conditional="
            )
        self.export = export

    def fetch(self, context: Context) -> Iterator[Part]:
        """The result, one part for each page of it."""
        from platform_ops.sources.web import exchange
        from platform_ops.sources.web.desk import Desk
        from platform_ops.sources.web.pages import Ask, Capture

        entity, hook = Entity.parse(self.entity), self._hook()
        with self._session(hook) as session:
            desk = Desk(hook, session, entity, self.export, self.attempts)
            job = self._job(context, hook, desk)
            look = desk.look(job)
            if look.state == "waiting":
                look = self._wait(desk, job, look)
            if look.state in ("failed", "gone"):
                self._forget(context)
                raise SourceUnavailable(
                    f"{look.asked}: the export {look.word}; a retry submits it again"
                )
            ask = Ask("GET", desk.result(job, look))
            with exchange.own_or_bare(session, ask.url, hook.base_url) as reader:
                yield from Capture(
                    hook,
                    reader,
                    entity,
                    ask,
                    self.limits,
                    self.pagination,
                    self.attempts,
                ).parts()

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # the base class's signature
        """None: what is archived answers a request that names a job."""
        return None

    def _job(self, context: Context, hook: ArchivingHttpHook, desk: Desk) -> str:
        """The job of this run: the one that an earlier try has submitted, or a new one."""
        run, store = identity_of(context), context.get("task_state_store")
        kept = store.get(_KEY) if store is not None else None
        # A clear raises max_tries: it asks for a new export.
        if isinstance(kept, Mapping) and kept.get("max_tries") == run.max_tries:
            self.log.info("waiting for the export that was submitted before: %s", kept["job"])
            return str(kept["job"])
        name = f"{run.dag_id}\0{run.task_id}\0{run.run_id}\0{run.map_index}\0{run.max_tries}"
        job = desk.submit(self._ask(hook), str(uuid.uuid5(uuid.NAMESPACE_OID, name)))
        if _sayable(job) and store is not None:
            store.set(_KEY, {"job": job, "max_tries": run.max_tries})
            self.log.info("submitted the export %s", job)
        else:
            self.log.warning(
                "the export's name holds a secret and is not kept: a retry submits again"
            )
        return job

    def _forget(self, context: Context) -> None:
        if (store := context.get("task_state_store")) is not None:
            store.delete(_KEY)

    def _wait(self, desk: Desk, job: str, look: Look) -> Look:
        deadline_s = self._until_s(self.export.timeout_s)
        # Once only: a trigger that fired while nothing is ready does not see what this task sees, for
        # instance for want of its headers, and would be asked for ever.
        if self.deferrable and self._deadline_s is None:
            if _sayable(place := desk.place(job)):
                self._defer(place, deadline_s)
            self.log.warning(
                "the export is asked after by a URL with a secret: this task waits itself"
            )
        while look.state == "waiting":
            if time.time() >= deadline_s:
                raise SourceUnavailable(
                    f"{look.asked}: the export is not ready after {self.export.timeout_s:.0f} s; a retry "
                    "goes on waiting for the same one"
                )
            time.sleep(min(look.wait_s, max(0.0, deadline_s - time.time())))
            look = desk.look(job)
        return look

    def _defer(self, place: str, deadline_s: float) -> NoReturn:
        from platform_ops.sources.web.trigger import HttpExportTrigger

        trigger = HttpExportTrigger(
            http_conn_id=self.http_conn_id,
            url=place,
            entity=self.entity,
            export=self.export.for_trigger(),
            deadline_s=deadline_s,
        )
        self._leave_to(trigger, deadline_s, _GRACE_S)


def _sayable(job: str) -> bool:
    """Whether a job's name, or a URL, may be kept by Airflow: a URL may hold a secret."""
    return "?" not in job or safe_url(job) == job
