"""The one way in: fetch, archive, measure, announce, refer. Every source goes through here.

    fetch() → parts → archive session → manifest → metrics → asset event → XCom reference

:class:`ArchivingOperator` is what a source's operator derives from, :func:`archive_session` what a
task's own code and our hooks use; both are the same path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.archive.credentials import use_credentials
from platform_ops.facade import deferred
from platform_ops.ingest.context import store_options

if TYPE_CHECKING:
    from platform_ops.ingest.capture import Capture, Unchanged
    from platform_ops.ingest.context import (
        asset,
        connection,
        entity_of,
        identity_of,
        site_settings,
        slot_of,
    )
    from platform_ops.ingest.operator import ArchivingOperator
    from platform_ops.ingest.session import archive_session
    from platform_ops.ingest.watermark import watermark_before, watermark_of

__all__ = [
    "ArchivingOperator",
    "Capture",
    "Unchanged",
    "archive_session",
    "asset",
    "connection",
    "entity_of",
    "identity_of",
    "site_settings",
    "slot_of",
    "watermark_before",
    "watermark_of",
]

_HOMES: Final = {
    "platform_ops.ingest.capture": ("Capture", "Unchanged"),
    "platform_ops.ingest.context": (
        "asset",
        "connection",
        "entity_of",
        "identity_of",
        "site_settings",
        "slot_of",
    ),
    "platform_ops.ingest.operator": ("ArchivingOperator",),
    "platform_ops.ingest.session": ("archive_session",),
    "platform_ops.ingest.watermark": ("watermark_before", "watermark_of"),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)

use_credentials(store_options)
