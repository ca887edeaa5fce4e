"""The values that everything speaks of, frozen.

An :class:`Entity` names what arrives, a :class:`Slot` says which capture of it should exist, a
:class:`Part` is one payload as it comes in, a :class:`Payload` the same one as committed, and a
:class:`Manifest` the commit itself. A :class:`Reference` is what travels by XCom instead of bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops.entity.manifest import (
        MANIFEST_VERSION,
        CheckKind,
        Manifest,
        Reference,
        Remark,
        manifest_schema,
    )
    from platform_ops.entity.payload import (
        Blob,
        Members,
        Origin,
        Part,
        Payload,
        Stored,
        content_digest,
        digest_line,
    )
    from platform_ops.entity.slot import Entity, RunIdentity, Slot

__all__ = [
    "MANIFEST_VERSION",
    "Blob",
    "CheckKind",
    "Entity",
    "Manifest",
    "Members",
    "Origin",
    "Part",
    "Payload",
    "Reference",
    "Remark",
    "RunIdentity",
    "Slot",
    "Stored",
    "content_digest",
    "digest_line",
    "manifest_schema",
]

_HOMES: Final = {
    "platform_ops.entity.manifest": (
        "MANIFEST_VERSION",
        "CheckKind",
        "Manifest",
        "Reference",
        "Remark",
        "manifest_schema",
    ),
    "platform_ops.entity.payload": (
        "Blob",
        "Members",
        "Origin",
        "Part",
        "Payload",
        "Stored",
        "content_digest",
        "digest_line",
    ),
    "platform_ops.entity.slot": ("Entity", "RunIdentity", "Slot"),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
