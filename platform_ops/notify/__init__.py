"""People told: what failed, works again, is late or odd, since when and how often, and where to read on.

Callbacks of tasks and DAGs (:class:`SiteNotifier` and its like), over channels that ``[notify]`` and
``[teams]`` of ``platform.toml`` name. What was told lies beside the archive, for deduplication, limits and
recoveries (ADR 0027).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from platform_ops.notify.notifier import (
        EmailNotifier,
        SiteNotifier,
        SlackNotifier,
        WebhookNotifier,
        callbacks,
    )

__all__ = ["EmailNotifier", "SiteNotifier", "SlackNotifier", "WebhookNotifier", "callbacks"]

_HOME: Final = "platform_ops.notify.notifier"


def __getattr__(name: str) -> Any:  # Any: what the notifiers' module exports
    if name in __all__:
        return getattr(import_module(_HOME), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
