"""The one seam to Airflow's connections: who turns the name of one into options of a store's client."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from platform_ops.errors import ConfigError

__all__ = ["Credentials", "in_use", "options", "use_credentials"]

Credentials = Callable[[str, str], Mapping[str, str]]
"""From the name of a connection and the root's scheme to the options of the object store client."""

_resolve: Credentials | None = None


def use_credentials(resolve: Credentials | None) -> None:
    """Install what turns a connection's name into client options; ``ingest`` does, at import."""
    global _resolve  # noqa: PLW0603  # the one seam to Airflow's connections
    _resolve = resolve


def in_use() -> Credentials | None:
    """What was installed last; None outside of Airflow."""
    return _resolve


def options(connection: str | None, scheme: str, resolve: Credentials | None) -> Mapping[str, str]:
    """The client's options; none without a connection, so that the environment's serve.

    :raises ConfigError: There is a connection, and nothing that can resolve it.
    """
    if connection is None:
        return {}
    if resolve is None:
        raise ConfigError(
            f"archive.connection = {connection!r} needs Airflow to resolve it; outside of Airflow "
            "set the store's own environment variables (AWS_ACCESS_KEY_ID …) and unset it with "
            "PLATFORM_OPS__ARCHIVE__CONNECTION="
        )
    return resolve(connection, scheme)
