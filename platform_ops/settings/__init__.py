"""What a site sets: ``platform.toml`` and the environment, as one validated model.

The file is searched in this order, and the first that exists is taken: an explicit path (Airflow's
option ``[platform_ops] config``, handed in by ``ingest``), ``$PLATFORM_OPS_CONFIG``,
``$AIRFLOW_HOME/conf/platform.toml``, ``./conf/platform.toml``. With none of them the defaults hold.
``PLATFORM_OPS__ARCHIVE__ROOT`` and its like override single fields of ``[archive]``; an empty one
takes the file's value back to the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops.settings.archive import ArchiveSettings
    from platform_ops.settings.choices import (
        KINDS,
        SEVERITIES,
        Codec,
        Kind,
        Mode,
        OnExisting,
        Reaction,
        Severity,
    )
    from platform_ops.settings.conventions import ConventionSettings, RuleSettings
    from platform_ops.settings.faults import OVERRIDE_PREFIX
    from platform_ops.settings.loading import CONFIG_ENV, Loaded, load
    from platform_ops.settings.model import (
        EntitySettings,
        Settings,
        SourceSettings,
    )
    from platform_ops.settings.notify import ChannelSettings, NotifySettings, TeamSettings
    from platform_ops.settings.ui import UiSettings

__all__ = [
    "CONFIG_ENV",
    "KINDS",
    "OVERRIDE_PREFIX",
    "SEVERITIES",
    "ArchiveSettings",
    "ChannelSettings",
    "Codec",
    "ConventionSettings",
    "EntitySettings",
    "Kind",
    "Loaded",
    "Mode",
    "NotifySettings",
    "OnExisting",
    "Reaction",
    "RuleSettings",
    "Settings",
    "Severity",
    "SourceSettings",
    "TeamSettings",
    "UiSettings",
    "load",
]

_HOMES: Final = {
    "platform_ops.settings.conventions": ("ConventionSettings", "RuleSettings"),
    "platform_ops.settings.faults": ("OVERRIDE_PREFIX",),
    "platform_ops.settings.loading": ("CONFIG_ENV", "Loaded", "load"),
    "platform_ops.settings.archive": ("ArchiveSettings",),
    "platform_ops.settings.model": (
        "EntitySettings",
        "Settings",
        "SourceSettings",
    ),
    "platform_ops.settings.choices": (
        "KINDS",
        "SEVERITIES",
        "Codec",
        "Kind",
        "Mode",
        "OnExisting",
        "Reaction",
        "Severity",
    ),
    "platform_ops.settings.notify": ("ChannelSettings", "NotifySettings", "TeamSettings"),
    "platform_ops.settings.ui": ("UiSettings",),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
