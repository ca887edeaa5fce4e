"""The path itself: from a task's context to a committed revision, or to one that is read again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.ingest.context import entity_of, identity_of, site_settings, slot_of, versions
from platform_ops.settings import Codec, Mode, OnExisting, choices

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.ingest.capture import Capture
    from platform_ops.settings import Settings

__all__ = ["archive_session", "require_known"]

log = logging.getLogger("platform_ops.ingest")


@contextmanager
def archive_session(
    entity: str | Entity,
    *,
    partition_key: str | None = None,
    map_key: str | None = None,
    mode: Mode | None = None,
    on_existing: OnExisting | None = None,
    codec: Codec | None = None,
    pack: bool | None = None,
    request: str | None = None,
    context: Context | None = None,
) -> Iterator[Capture]:
    """Capture one slot of an entity from inside a task; leaving the block commits.

    :param mode: What to do for this capture; the run's conf comes first, the entity's setting last.
    :param on_existing: What another run's revision in the slot meets; the site's setting otherwise.
    :param codec: How the bodies are stored; the entity's setting otherwise.
    :param pack: Whether small bodies share one object; the entity's setting otherwise.
    :param request: What the task asks for, in words: told where a replay has nothing for it.
    :param context: The task's; the current one where it is None.
    :raises AirflowFailException: An error that a retry cannot cure; its cause is the error itself.
    :raises PlatformError: An error that a retry may cure.
    """
    from platform_ops.ingest.capture import Capture
    from platform_ops.ingest.effects import reported, take_effect
    from platform_ops.ingest.replay import replayed
    from platform_ops.runconf import Wish

    parsed = entity_of(entity)
    within = context or get_current_context()
    with reported(parsed):
        require_known(mode, on_existing, codec)
        site = site_settings()
        _require_declared(site, parsed)
        wish = Wish.of(within["dag_run"].conf, mode, site, parsed)
        slot = wish.slot(slot_of(within, parsed, partition_key, map_key))
        if wish.mode == "replay":
            capture = replayed(site, slot, wish, request)
            yield capture
        else:
            session = archive.session(
                slot,
                identity_of(within),
                on_existing="revise" if wish.mode == "refetch" else on_existing,
                codec=codec,
                pack=pack,
                versions=versions(),
                settings=site,
            )
            with session:
                capture = Capture(slot, session)
                yield capture
        take_effect(within, capture, wish)


def require_known(
    mode: Mode | None, on_existing: OnExisting | None, codec: Codec | None = None
) -> None:
    """Refuse a mode, policy or codec that does not exist, when the DAG file is parsed.

    :raises ConfigError: The message lists the right ones.
    """
    given = (
        ("mode", mode, Mode),
        ("on_existing", on_existing, OnExisting),
        ("codec", codec, Codec),
    )
    choices.require_known(**{name: (value, of) for name, value, of in given if value is not None})


def _require_declared(site: Settings, entity: Entity) -> None:
    from platform_ops import metrics

    site.entity(entity)
    if site.declared(entity) is None:
        log.warning("entity %s is not declared in platform.toml", entity)
        metrics.emit(metrics.UNDECLARED, 1, entity)
