"""``[notify]`` and ``[teams.<team>]``: who is told what, over which channel, and how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from platform_ops.settings.choices import SEVERITIES, Kind, Severity
from platform_ops.settings.section import Section

__all__ = [
    "ChannelSettings",
    "NotifySettings",
    "RouteSettings",
    "TeamSettings",
    "check_routes",
    "route",
]


class ChannelSettings(Section):
    """``[notify.channels.<channel>]``: one way to reach people."""

    kind: Literal["slack", "email", "webhook"] = Field(
        description="What is at the other end: Slack, a mail server, or anything that takes JSON by POST."
    )
    connection: str | None = Field(
        None,
        description=(
            "Airflow connection that leads there: of type ``slack`` (a bot's token) or ``slackwebhook``, "
            "``smtp``, or ``http``. Where unset: ``slack_default``, ``smtp_default``, ``webhook_default``."
        ),
    )
    to: tuple[str, ...] = Field(
        (),
        description=(
            "Slack channels, which a connection of type ``slackwebhook`` does not need, or addresses of mail."
        ),
    )
    mentions: tuple[str, ...] = Field(
        (),
        description=(
            "Whom a critical message calls in Slack: ``here``, ``channel``, or ids of users (``U…``) and of "
            "user groups (``S…``)."
        ),
    )

    @model_validator(mode="after")
    def _check_addressees(self) -> Self:
        if self.kind == "email" and not self.to:
            raise ValueError("a channel of kind 'email' needs addresses: to = ['desk@example.com']")
        if self.kind != "slack" and self.mentions:
            raise ValueError("mentions are for channels of kind 'slack'")
        return self


class RouteSettings(Section):
    """``[notify.routes]``: names of channels by severity."""

    info: tuple[str, ...] | None = Field(
        None, description="Where success and recovery are told; every channel where unset."
    )
    warning: tuple[str, ...] | None = Field(
        None, description="Where lateness and odd volumes are told; every channel where unset."
    )
    error: tuple[str, ...] | None = Field(
        None, description="Where failures are told; every channel where unset."
    )
    critical: tuple[str, ...] | None = Field(
        None, description="Where critical failures are told; every channel where unset."
    )

    def given(self, severity: Severity) -> tuple[str, ...] | None:
        """The channels of one severity, as they are written down."""
        found: tuple[str, ...] | None = getattr(self, severity)
        return found

    def names(self) -> Iterator[str]:
        """Every channel that is named."""
        for severity in SEVERITIES:
            yield from self.given(severity) or ()


class NotifySettings(Section):
    """``[notify]``: what is told, and how often at most."""

    attach: bool = Field(
        False,
        description=(
            "Have every task and DAG tell, by a cluster policy; DAG files need no line for it then."
        ),
    )
    tell: tuple[Kind, ...] = Field(
        ("failure", "critical", "recovered", "late", "volume-anomaly"),
        description=(
            "Kinds of messages that are sent: ``success``, ``failure``, ``critical``, ``recovered``, "
            "``late``, ``volume-anomaly``."
        ),
    )
    window_minutes: int = Field(
        60,
        ge=1,
        description=(
            "One that goes on failing is told once in this time, with how often it failed; and ``limit`` "
            "counts within it."
        ),
        json_schema_extra={"unit": "minutes"},
    )
    limit: int = Field(
        20,
        ge=1,
        description=(
            "Messages that a channel gets at most in that time; the first after it says how many were left "
            "out. Critical ones are counted apart."
        ),
        json_schema_extra={"unit": "messages"},
    )
    critical_after: int = Field(
        3,
        ge=1,
        description="Failures without a success in between after which a failure is critical.",
        json_schema_extra={"unit": "failures"},
    )
    critical_tag: str = Field(
        "critical", description="Tag of DAGs of which the first failure is critical already."
    )
    timeout_s: float = Field(
        5,
        gt=0,
        le=60,
        description=(
            "How long a task waits at most for the memory of earlier messages, for the count of each "
            "channel, and for all channels to take it: three times this in all. What takes longer is given "
            "up and logged. Airflow ends a task that has succeeded after ``[core] task_success_overtime``."
        ),
        json_schema_extra={"unit": "seconds"},
    )
    default_team: str | None = Field(
        None,
        description="Whose channels serve what belongs to no team; the site's own where unset.",
    )
    channels: dict[str, ChannelSettings] = Field(
        default_factory=dict, description="Channels of the site, by name."
    )
    routes: RouteSettings = Field(
        default_factory=RouteSettings, description="Which of them is for what severity."
    )


class TeamSettings(Section):
    """``[teams.<team>]``, or the file ``teams/<team>.toml`` beside ``platform.toml``: one team's own."""

    description: str = Field("", description="What the team answers for, in a sentence.")
    channels: dict[str, ChannelSettings] = Field(
        default_factory=dict,
        description="Channels of its own, by name; one of the site's name takes its place.",
    )
    routes: RouteSettings = Field(
        default_factory=RouteSettings,
        description="Which channel is for what severity; the site's routes where one is unset.",
    )


def route(
    notify: NotifySettings, teams: Mapping[str, TeamSettings], team: str | None, severity: Severity
) -> dict[str, ChannelSettings]:
    """The channels that a message of a team goes to, by name.

    A team's route, else the site's; without either every channel of the team, else every one of the site.
    """
    own = teams.get(team or notify.default_team or "") or TeamSettings()
    known = {**notify.channels, **own.channels}
    names = own.routes.given(severity)
    if names is None and own.channels and not any(own.routes.names()):
        names = tuple(own.channels)
    if names is None:
        names = notify.routes.given(severity)
    return {name: known[name] for name in (known if names is None else names)}


def check_routes(notify: NotifySettings, teams: Mapping[str, TeamSettings]) -> None:
    """Refuse a route to a channel that there is not.

    :raises ValueError: There is one; the message lists the channels that there are.
    """
    tables = [("notify.routes", notify.routes, notify.channels)]
    tables += [
        (f"teams.{name}.routes", each.routes, {**notify.channels, **each.channels})
        for name, each in teams.items()
    ]
    for where, routes, known in tables:
        for name in routes.names():
            if name not in known:
                right = ", ".join(known) or "none yet"
                raise ValueError(f"{where} names channel {name!r}; right are: {right}")
    if notify.default_team is not None and notify.default_team not in teams:
        raise ValueError(
            f"notify.default_team = {notify.default_team!r}; teams are: {', '.join(teams) or 'none'}"
        )
