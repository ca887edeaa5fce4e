"""Whether messages can leave: each channel's connection, and, where it is asked for, its host.

Nothing is ever sent. Of a connection no more is told than its id, and the host that did not answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from platform_ops.doctor import rules
from platform_ops.doctor.airflow import AirflowView
from platform_ops.doctor.fact import Fact, Observed
from platform_ops.errors import ConfigError, ConnectionMissing
from platform_ops.findings import Finding
from platform_ops.settings import ChannelSettings, Settings

__all__ = ["of_channels"]

_PATIENCE_S: Final = 5.0


def of_channels(site: Settings, view: AirflowView | None, *, reach: bool) -> Observed:
    """Look at every channel of the site and of its teams.

    :param reach: Open a connection to each host, and close it.
    """
    for where, team, channel in _listed(site):
        yield Fact("people", where, channel.kind, f"team {team}" if team else "")
        yield from _of_channel(where, channel, view, reach=reach)
    yield from _untold(site)


def _listed(site: Settings) -> Iterator[tuple[str, str | None, ChannelSettings]]:
    tables: list[tuple[str, str | None, Mapping[str, ChannelSettings]]] = [
        ("notify.channels", None, site.notify.channels),
        *((f"teams.{team}.channels", team, own.channels) for team, own in site.teams.items()),
    ]
    for table, team, channels in tables:
        for name, channel in channels.items():
            yield f"{table}.{name}", team, channel


def _of_channel(
    where: str, channel: ChannelSettings, view: AirflowView | None, *, reach: bool
) -> Iterator[Finding]:
    if view is None or view.fault is not None:
        yield rules.CHANNEL_UNSEEN.at(
            where, "only Airflow can resolve its connection, and it is not at work here"
        )
        return
    from platform_ops.notify.endpoint import endpoint

    try:
        host, port = endpoint(channel)
    except ConnectionMissing as err:
        yield rules.CHANNEL_UNSEEN.at(where, str(err))
    except ConfigError as err:
        yield rules.CHANNEL_WRONG.at(where, str(err))
    else:
        if reach and (silent := _unreached(channel.kind, host, port)):
            yield rules.CHANNEL_SILENT.at(where, silent, "check host, port, firewall and proxy")


def _unreached(kind: str, host: str, port: int) -> str | None:
    """Why nobody takes connections there; None where somebody does."""
    by = ""
    proxy = None if kind == "email" else _proxy(host, port)
    if proxy is not None:
        by, (host, port) = "the proxy ", proxy
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except (OSError, UnicodeError) as err:
        return f"{by}{host}:{port}: {getattr(err, 'strerror', None) or type(err).__name__}"
    return None


def _proxy(host: str, port: int) -> tuple[str, int] | None:
    """The proxy that the environment names for it, as the clients of channels go by it."""
    url = getproxies().get("http" if port == 80 else "https")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return (parts.hostname, parts.port or 80) if parts.hostname else None


def _untold(site: Settings) -> Iterator[Finding]:
    """Teams whose failures nobody hears of, on a site that tells people."""
    if not (site.notify.attach or any(True for _ in _listed(site))):
        return
    for team in (None, *site.teams):
        silent = [each for each in ("error", "critical") if not site.channels(team, each)]
        if silent:
            where = f"teams.{team}.routes" if team else "notify.routes"
            who = f"team {team}" if team else "what belongs to no team"
            yield rules.NOBODY_TOLD.at(
                where,
                f"no channel for {' and '.join(silent)} of {who}",
                "name a channel there, or set notify.default_team",
            )
