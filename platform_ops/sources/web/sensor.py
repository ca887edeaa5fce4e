"""Waiting until an API has what is asked for, and archiving the answer that ends the wait.

Vendor page: https://www.rfc-editor.org/rfc/rfc9110 (HTTP Semantics).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, get_args

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout

from platform_ops.entity import Entity, Part
from platform_ops.errors import ConfigError
from platform_ops.redaction import safe_url
from platform_ops.settings.choices import one_of
from platform_ops.sources.web.deferring import DeferringHttpOperator

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Context

    from platform_ops.settings import Mode
    from platform_ops.sources.web.delivery import Delivery
    from platform_ops.sources.web.hook import ArchivingHttpHook
    from platform_ops.sources.web.pages import Ask

__all__ = ["ArchivingHttpSensor"]

Waits = Literal["poke", "reschedule"]
_NOT_FOUND: Final = ("404",)
_ANY_STATUS: Final = range(1000)
_OPTIONS: Final = (
    *("allow_redirects", "cert", "check_response", "max_redirects", "proxies", "proxy", "stream"),
    *("timeout", "trust_env", "verify", "verify_ssl"),
)
_HARMLESS: Final = frozenset({"GET", "HEAD"})


class ArchivingHttpSensor(DeferringHttpOperator, BaseSensorOperator):
    """Wait until an HTTP resource is there, and archive the answer that says so.

    In the place of Airflow's ``HttpSensor``, with its arguments: what ended the wait is archived as it
    came, and the task's XCom is the reference, so that nobody has to fetch again what was seen already.

    Deferrable, it waits in the triggerer, which asks over the connection and reads no body. What it
    cannot ask there keeps the task on a worker, by ``mode``: a ``response_check``, headers, options or a
    body of the task's own, and a URL with a secret, since Airflow's database would keep them.

    :param request_params: Parameters of the URL of a ``GET``, or else form fields: as ``HttpSensor``
        names what is ``query`` or ``data`` here.
    :param response_error_codes_allowlist: Statuses that mean that it is not there yet: 404 where unset.
    :param response_check: A function from the answer (``requests.Response``) to whether it is what is
        waited for; arguments by the names of the task's context come along. Its answers are held in
        memory, up to 64 MiB.
    :param extra_options: How to ask, before what the connection's extra says of it: ``timeout``,
        ``verify``, ``cert``, ``proxies``, ``allow_redirects``, ``max_redirects``, ``trust_env``; and
        ``check_response=False``, by which no status means that it is not there yet, so that the
        ``response_check`` alone decides.
    :param mode: How a worker waits: ``poke`` keeps it, ``reschedule`` frees it from look to look. Whether
        the archive answers instead of the source is for the run's conf and the entity's setting to say.
    :param deferrable: Whether to wait in the triggerer. Airflow's option ``[operators]
        default_deferrable`` where unset.
    :raises AirflowSensorTimeout: It was not there in time.
    """

    mode: Any  # Any: how it waits, not where it reads, which an operator's mode is

    def __init__(
        self,
        *,
        request_params: Mapping[str, Any] | None = None,  # Any: whatever requests writes into a URL
        response_error_codes_allowlist: Sequence[str | int] | None = None,
        response_check: Callable[..., object] | None = None,
        extra_options: Mapping[str, Any] | None = None,  # Any: requests' options
        mode: Waits = "poke",
        **kwargs: Any,  # Any: DeferringHttpOperator's and BaseSensorOperator's own arguments
    ) -> None:
        if request_params:
            name = "query" if kwargs.get("method", "GET").upper() in _HARMLESS else "data"
            kwargs[name] = {**(kwargs.get(name) or {}), **request_params}
        super().__init__(**kwargs)
        if mode not in get_args(Waits):
            raise ConfigError(
                f"mode={mode!r} does not exist for a sensor; right are: {one_of(Waits)}"
            )
        if self.pagination or self.since or self.conditional:
            raise ConfigError(
                f"{self.task_id}: a sensor waits for one answer; leave out pagination=, since= and "
                "conditional="
            )
        if unknown := sorted(set(extra_options or {}) - set(_OPTIONS)):
            raise ConfigError(
                f"{self.task_id}: extra_options has {', '.join(unknown)}, which does not exist; right "
                f"are: {', '.join(_OPTIONS)}"
            )
        self.mode = mode
        self.extra_options = dict(extra_options or {})
        self.response_error_codes_allowlist = tuple(
            str(each)
            for each in (
                _NOT_FOUND
                if response_error_codes_allowlist is None
                else response_error_codes_allowlist
            )
        )
        self.response_check = response_check
        self._look: Callable[[], Delivery | None] | None = None
        self._seen: Delivery | None = None

    def fetch(self, context: Context) -> Iterator[Part]:
        """The answer that ended the wait, as the one part."""
        hook = self._hook()
        with self._session(hook) as session:
            ask = self._ask(hook)
            request = ask.prepared(session)

            checks = bool(hook.merged_extra.get("check_response", True))
            not_yet = self._not_yet if checks else ()
            send = partial(hook.send, session, unless=not_yet if checks else _ANY_STATUS)
            self._look = lambda: self._answer(send, request, context, not_yet)
            try:
                self._wait(context, ask)
            finally:
                self._look = None
            if (seen := self._seen) is not None:
                with closing(seen):
                    yield seen.part("response")

    def poke(self, context: Context) -> bool:  # noqa: ARG002  # the base class's signature
        """Look once.

        :raises SourceRejected: The API refuses, and not by a status that means that it is not there yet.
        :raises SourceUnavailable: It may answer later.
        """
        self._seen = self._look() if self._look is not None else None
        return self._seen is not None

    def _session(self, hook: ArchivingHttpHook) -> requests.Session:
        return hook.get_conn(
            {"Accept-Encoding": "identity", **(self.headers or {})}, self.extra_options
        )

    @property
    def _not_yet(self) -> list[int]:
        return [int(each) for each in self.response_error_codes_allowlist if each.isdecimal()]

    def _capture_mode(self) -> Mode | None:
        return None

    def _answer(
        self,
        send: Callable[[requests.PreparedRequest], requests.Response],
        request: requests.PreparedRequest,
        context: Context,
        not_yet: Container[int],
    ) -> Delivery | None:
        from airflow.sdk.bases.decorator import determine_kwargs

        from platform_ops.sources.web.delivery import Channel, Delivery

        channel = Channel(send, Entity.parse(self.entity), self.attempts or 3, self.limits)
        delivery = Delivery(channel, request)
        try:
            found = delivery.status not in not_yet
            if found and self.response_check is not None:
                answer = delivery.whole()
                given = determine_kwargs(self.response_check, [answer], context)
                found = bool(self.response_check(answer, **given))
        except BaseException:
            delivery.close()
            raise
        if found:
            return delivery
        delivery.close()
        return None

    def _wait(self, context: Context, ask: Ask) -> None:
        url = ask.unsigned_url()
        if not self.deferrable or not self._askable_elsewhere(url):
            BaseSensorOperator.execute(self, context)
            return
        if self.poke(context):
            return
        deadline_s = self._until_s(self.timeout)
        if time.time() >= deadline_s:
            raise AirflowSensorTimeout(f"not there after {self.timeout:.0f} s")
        self._defer(url, deadline_s)

    def _askable_elsewhere(self, url: str) -> bool:
        own = self.response_check or self.headers or self.data or self.json or self.extra_options
        return not own and self.method.upper() in _HARMLESS and safe_url(url) == url

    def _defer(self, url: str, deadline_s: float) -> NoReturn:
        from platform_ops.sources.web.trigger import HttpReadyTrigger

        trigger = HttpReadyTrigger(
            http_conn_id=self.http_conn_id,
            url=url,
            method=self.method,
            not_yet=self._not_yet,
            interval_s=self.poke_interval,
        )
        self._leave_to(trigger, deadline_s)
