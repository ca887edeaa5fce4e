"""Airflow's notifiers: callbacks of tasks and DAGs that tell people, and never fail what they tell of."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseNotifier

from platform_ops.errors import PlatformError
from platform_ops.ingest import site_settings
from platform_ops.notify import incident
from platform_ops.notify.context import Ended, Happening, happening, message_of
from platform_ops.notify.incident import Standing
from platform_ops.notify.journal import Journal, State
from platform_ops.notify.office import bounded, journal, send
from platform_ops.settings import KINDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.notify.office import Channels
    from platform_ops.settings import Kind, Settings, Severity

__all__ = ["EmailNotifier", "SiteNotifier", "SlackNotifier", "WebhookNotifier", "callbacks"]

log = logging.getLogger("platform_ops.notify")


class SiteNotifier(BaseNotifier):
    """Tell a task's or a run's end over the channels that the site has for its team and severity.

    One that fails is told once in a window, with how often it failed; the first success after it is told as
    a recovery. Give it to both ``on_failure_callback`` and ``on_success_callback``, as ``callbacks()``
    does. Nothing that it meets, be it a dead mail server, reaches the task: it is logged.

    :param ended: What it is the callback of: ``failure``, ``success``, or whatever the context says.
    :param tell: Kinds of messages to send; those of ``[notify] tell`` where unset.
    :param told_by_tasks: For a DAG whose tasks tell by themselves: say nothing of runs in which one failed.
    """

    kind: ClassVar[str | None] = None
    """The kind of channels that it is for; None for all."""

    @property
    def ends(self) -> str:
        """What tells its channels from those of another notifier of the same task; empty for the site's.

        Each remembers by itself what it has told: of two on one task, both must tell of the first failure.
        """
        return ""

    def __init__(
        self,
        *,
        ended: Ended | None = None,
        tell: Iterable[Kind] | None = None,
        told_by_tasks: bool = False,
    ) -> None:
        super().__init__()
        self.ended = ended
        self.told_by_tasks = told_by_tasks
        self.tell = None if tell is None else _checked(tell)

    def __call__(
        self, *args: Any
    ) -> None:  # Any: Airflow's context, or what it gives for a missed SLA
        """Tell it, and raise nothing: Airflow would log that with whatever a client was given."""
        try:
            super().__call__(*args)
        except Exception as err:  # noqa: BLE001  whatever it is, the task must not know
            log.error("no message could be made: %s", type(err).__name__)  # noqa: TRY400  # as above

    def notify(self, context: Context) -> None:
        """Decide whether there is anything to tell, and send it.

        :param context: Of a task, or of a DAG.
        """
        if self.told_by_tasks and context.get("reason") == "task_failure":
            return
        site = site_settings()
        seen = happening(context, self.ended, site)
        now = datetime.now(UTC)
        wanted = site.notify.tell if self.tell is None else self.tell
        memory = _memory(seen, self.ends, site)
        standing = _standing(seen, memory, now, site, alone=self.told_by_tasks)
        if standing is None or not standing.tell:
            return
        message = message_of(seen, standing, now, site)
        if message.kind not in wanted:
            return
        channels = self.channels(site, seen.subject.team, KINDS[message.kind][0])
        if not channels:
            log.info("message %r has no channel to go to", message.title)
        elif not send(message, channels, site) and seen.ended == "failure":
            _forget(memory, standing, site)

    def channels(self, site: Settings, team: str | None, severity: Severity) -> Channels:
        """Where a message goes, by the channels' names."""
        found = site.channels(team, severity)
        return {name: each for name, each in found.items() if self.kind in (None, each.kind)}


class _ChannelNotifier(SiteNotifier):
    """Over one channel that is given here, or over those of one kind that the site has."""

    to: Sequence[str] = ()
    mentions: Sequence[str] = ()

    def __init__(
        self,
        *,
        connection: str | None = None,
        **kwargs: Any,  # Any: SiteNotifier's own
    ) -> None:
        super().__init__(**kwargs)
        self.connection = connection

    @property
    def ends(self) -> str:
        """Its kind, and what it was given."""
        return "-".join(filter(None, (self.kind, self.connection, *self.to)))

    def channels(self, site: Settings, team: str | None, severity: Severity) -> Channels:
        """The one that is given, else the site's of this kind."""
        if self.connection is None and not self.to:
            return super().channels(site, team, severity)
        from platform_ops.settings import ChannelSettings

        given = ChannelSettings.model_validate(
            {
                "kind": self.kind,
                "connection": self.connection,
                "to": tuple(self.to),
                "mentions": tuple(self.mentions),
            }
        )
        return {self.ends: given}


class SlackNotifier(_ChannelNotifier):
    """Tell Slack, over an incoming webhook or as a bot.

    :param connection: Of type ``slackwebhook``, or ``slack`` for a bot; the site's channels where neither
        this nor ``to`` is given.
    :param to: Slack channels, of a bot.
    :param mentions: Whom critical messages call: ``here``, ``channel``, ids of users and user groups.
    """

    kind = "slack"
    template_fields: Sequence[str] = ("connection", "to")

    def __init__(
        self,
        *,
        to: str | Sequence[str] = (),
        mentions: Sequence[str] = (),
        **kwargs: Any,  # Any: those of every channel's notifier
    ) -> None:
        super().__init__(**kwargs)
        self.to = _several(to)
        self.mentions = tuple(mentions)


class EmailNotifier(_ChannelNotifier):
    """Tell people by mail, as plain text and HTML.

    :param connection: Of type ``smtp``; ``smtp_default`` where unset.
    :param to: Addresses; the site's channels of mail where neither this nor ``connection`` is given.
    """

    kind = "email"
    template_fields: Sequence[str] = ("connection", "to")

    def __init__(
        self,
        *,
        to: str | Sequence[str] = (),
        **kwargs: Any,  # Any: those of every channel's notifier
    ) -> None:
        super().__init__(**kwargs)
        self.to = _several(to)


class WebhookNotifier(_ChannelNotifier):
    """Tell anything that takes JSON by POST; signed, where the connection has a password.

    :param connection: Of type ``http``: its host is the address, its extra ``path`` what follows it and
        ``headers`` what is sent along; the site's webhooks where unset.
    """

    kind = "webhook"
    template_fields: Sequence[str] = ("connection",)


def callbacks(
    notifier: type[SiteNotifier] = SiteNotifier,
    **arguments: Any,  # Any: its own
) -> dict[str, list[SiteNotifier]]:
    """A DAG's ``default_args`` that tell of every task: ``DAG(…, default_args=callbacks())``.

    :param notifier: The class that tells.
    :param arguments: Its own.
    """
    return {
        "on_failure_callback": [notifier(ended="failure", **arguments)],
        "on_success_callback": [notifier(ended="success", **arguments)],
    }


def _several(to: str | Sequence[str]) -> Sequence[str]:
    return (to,) if isinstance(to, str) else tuple(to)


def _checked(tell: Iterable[Kind]) -> tuple[Kind, ...]:
    given = tuple(tell)
    if unknown := [each for each in given if each not in KINDS]:
        raise ValueError(f"tell={unknown}: no kind of message; right are: {', '.join(KINDS)}")
    return given


def _standing(
    seen: Happening, memory: Journal, now: datetime, site: Settings, *, alone: bool
) -> Standing | None:
    """How things stand after this; where nobody can remember, it is told as if it were the first time.

    :param alone: No success is told of it: what failed a window ago is another incident.
    """
    window = timedelta(minutes=site.notify.window_minutes)

    def change(state: State) -> tuple[State, Standing | None]:
        if seen.ended == "success":
            return incident.recover(state, seen.index)
        if alone and incident.is_over(state, now, window):
            state = {}
        return incident.fail(
            state,
            now,
            window,
            critical_after=site.notify.critical_after,
            severity="critical" if seen.grave else "error",
            index=seen.index,
        )

    try:
        found = bounded(lambda: memory.step(change), site.notify.timeout_s)
    except (PlatformError, OSError, TimeoutError, ValueError) as err:
        log.warning("earlier messages are out of reach: %s", type(err).__name__)
        found = None if seen.ended == "success" else change({})[1]
    if found is None and seen.ended == "success":
        return Standing(True, now, 0, 0, "info")
    return found


def _forget(memory: Journal, standing: Standing, site: Settings) -> None:
    """Nobody took the message: the next failure is told, however soon it comes."""
    try:
        bounded(
            lambda: memory.step(lambda state: incident.untold(state, standing)),
            site.notify.timeout_s,
        )
    except (PlatformError, OSError, TimeoutError) as err:
        log.warning("earlier messages are out of reach: %s", type(err).__name__)


def _memory(seen: Happening, ends: str, site: Settings) -> Journal:
    dag_id, task_id = seen.key
    told = f"{task_id or '~run'}@{ends}" if ends else task_id or "~run"
    return journal(site, "incidents", dag_id, told)
