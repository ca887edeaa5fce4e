"""Where a channel leads: its connection held against its kind, before anything is sent over it.

A host and a port are all that is told of a connection: a path, a query or a user may hold secrets.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from platform_ops.errors import ConfigError, ExtraMissing
from platform_ops.ingest.context import connection

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from platform_ops.settings import ChannelSettings

__all__ = ["connection_id", "endpoint", "mail_sender", "slack_connection", "webhook_url"]

_CONNECTIONS: Final = {
    "slack": "slack_default",
    "email": "smtp_default",
    "webhook": "webhook_default",
}
_LIBRARIES: Final = {
    "slack": ("airflow.providers.slack", "Slack's provider", "slack", "telling Slack"),
    "email": ("airflow.providers.smtp", "the SMTP provider", "smtp", "sending mail"),
}
_PORTS: Final = {"http": 80, "https": 443}


def connection_id(channel: ChannelSettings) -> str:
    """The connection of a channel, its own or that of its kind."""
    return channel.connection or _CONNECTIONS[channel.kind]


def endpoint(channel: ChannelSettings) -> tuple[str, int]:
    """Host and port that messages of a channel go to; nothing is sent there.

    :raises ConnectionMissing: There is no connection of this id.
    :raises ConfigError: It is not of a type that leads there, or lacks what is needed.
    :raises ExtraMissing: The library of the channel's kind is not installed.
    """
    if channel.kind in _LIBRARIES:
        module, library, extra, purpose = _LIBRARIES[channel.kind]
        if find_spec(module) is None:
            raise ExtraMissing(library, extra, purpose)
    if channel.kind == "slack":
        return _slack(channel)
    found = connection(connection_id(channel))
    if channel.kind == "webhook":
        return _web(found, webhook_url(found))
    mail_sender(found)
    if not found.host:
        raise ConfigError(f"connection {found.conn_id!r} has no host: set it to the mail server's")
    plain = bool(found.extra_dejson.get("disable_ssl"))
    return found.host, found.port or (25 if plain else 465)


def slack_connection(channel: ChannelSettings) -> Connection:
    """The connection of a channel of Slack.

    :raises ConfigError: It is of another type, without a secret, or a bot's and the channel names no ``to``.
    """
    found = connection(connection_id(channel))
    if found.conn_type not in ("slack", "slackwebhook"):
        raise ConfigError(
            f"connection {found.conn_id!r} is of type {found.conn_type!r}; "
            "Slack needs 'slack' or 'slackwebhook'"
        )
    if found.conn_type == "slack" and not channel.to:
        raise ConfigError(f"connection {found.conn_id!r} is a bot's: name Slack channels in `to`")
    if not (found.password or "").strip():
        what = "a bot's token" if found.conn_type == "slack" else "the webhook's token"
        raise ConfigError(f"connection {found.conn_id!r} has no password: set it to {what}")
    return found


def mail_sender(found: Connection) -> str:
    """The address that mail comes from.

    :raises ConfigError: The connection names none.
    """
    sender = str(found.extra_dejson.get("from_email") or found.login or "")
    if "@" not in sender:
        raise ConfigError(
            f"connection {found.conn_id!r} names no sender: set its field `From email` to an address"
        )
    return sender


def webhook_url(found: Connection) -> str:
    """The address of a webhook.

    :raises ConfigError: The connection has none.
    """
    host = found.host or ""
    if "://" not in host:
        host = f"{found.schema or 'https'}://{host}"
    port = f":{found.port}" if found.port else ""
    path = str(found.extra_dejson.get("path") or "")
    if not host.startswith(("http://", "https://")) or host.endswith("://"):
        raise ConfigError(
            f"connection {found.conn_id!r} has no address: set its host to https://hooks.example.com"
        )
    return f"{host.rstrip('/')}{port}{'/' if path and not path.startswith('/') else ''}{path}"


def _slack(channel: ChannelSettings) -> tuple[str, int]:
    found = slack_connection(channel)
    extra, password = found.extra_dejson, (found.password or "").strip()
    if proxy := extra.get("proxy"):
        return _web(found, str(proxy))
    if found.conn_type == "slack":
        return _web(found, str(extra.get("base_url") or "https://slack.com/api/"))
    if "://" in password:  # the whole address of the webhook is its secret
        return _web(found, password)
    host = found.host or "hooks.slack.com"
    return _web(found, host if "://" in host else f"{found.schema or 'https'}://{host}")


def _web(found: Connection, url: str) -> tuple[str, int]:
    fault = f"connection {found.conn_id!r} holds no address that can be read"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise ConfigError(fault) from None
    if host is None or port is None:
        raise ConfigError(fault)
    return host, port
