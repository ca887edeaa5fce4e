"""What a site sets: ``platform.toml`` and the environment, as one validated model.

The file is searched in this order, and the first that exists is taken: an explicit path (Airflow's
option ``[platform_ops] config``, handed in by ``ingest``), ``$PLATFORM_OPS_CONFIG``,
``$AIRFLOW_HOME/conf/platform.toml``, ``./conf/platform.toml``. With none of them the defaults hold.
``PLATFORM_OPS__ARCHIVE__ROOT`` and its like override single fields of ``[archive]``; an empty one
takes the file's value back to the default.
"""

from platform_ops.settings.conventions import ConventionSettings, RuleSettings
from platform_ops.settings.faults import OVERRIDE_PREFIX
from platform_ops.settings.load import CONFIG_ENV, Loaded, load
from platform_ops.settings.model import (
    ArchiveSettings,
    Codec,
    EntitySettings,
    Mode,
    OnExisting,
    Reaction,
    Settings,
    SourceSettings,
)

__all__ = [
    "CONFIG_ENV",
    "OVERRIDE_PREFIX",
    "ArchiveSettings",
    "Codec",
    "ConventionSettings",
    "EntitySettings",
    "Loaded",
    "Mode",
    "OnExisting",
    "Reaction",
    "RuleSettings",
    "Settings",
    "SourceSettings",
    "load",
]
