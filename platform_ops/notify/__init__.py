"""People told: what failed, works again, is late or odd, since when and how often, and where to read on.

Callbacks of tasks and DAGs (:class:`SiteNotifier` and its like), over channels that ``[notify]`` and
``[teams]`` of ``platform.toml`` name. What was told lies beside the archive, for deduplication, limits and
recoveries (ADR 0027).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops.notify.notifier import (
        EmailNotifier,
        SiteNotifier,
        SlackNotifier,
        WebhookNotifier,
        callbacks,
    )

__all__ = ["EmailNotifier", "SiteNotifier", "SlackNotifier", "WebhookNotifier", "callbacks"]

_HOMES: Final = {
    "platform_ops.notify.notifier": (
        "EmailNotifier",
        "SiteNotifier",
        "SlackNotifier",
        "WebhookNotifier",
        "callbacks",
    ),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
