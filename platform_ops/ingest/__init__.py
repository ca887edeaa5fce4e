"""The one way in: fetch, archive, measure, announce, refer. Every source goes through here.

    fetch() → parts → archive session → manifest → metrics → asset event → XCom reference

:class:`ArchivingOperator` is what a source's operator derives from, :func:`archive_session` what a
task's own code and our hooks use; both are the same path.
"""

from platform_ops import archive
from platform_ops.ingest.capture import Capture, Unchanged
from platform_ops.ingest.context import (
    asset,
    connection,
    entity_of,
    identity_of,
    site_settings,
    slot_of,
    store_options,
)
from platform_ops.ingest.operator import ArchivingOperator
from platform_ops.ingest.session import archive_session
from platform_ops.ingest.watermark import watermark_of

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
    "watermark_of",
]

archive.use_credentials(store_options)
