"""What must not be written down, left out before anything is hashed.

Of a request and its answer an allowlist of headers and a URL without secrets are kept; of a JSON body
everything but the fields that a site names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops.redaction.field_path import FieldPath
    from platform_ops.redaction.json_count import JsonCounter
    from platform_ops.redaction.json_fields import JsonRedactor
    from platform_ops.redaction.requests import (
        ALLOWED_HEADERS,
        REDACTED,
        is_secret_name,
        keep_secret,
        safe_headers,
        safe_url,
    )

__all__ = [
    "ALLOWED_HEADERS",
    "REDACTED",
    "FieldPath",
    "JsonCounter",
    "JsonRedactor",
    "is_secret_name",
    "keep_secret",
    "safe_headers",
    "safe_url",
]

_HOMES: Final = {
    "platform_ops.redaction.field_path": ("FieldPath",),
    "platform_ops.redaction.json_count": ("JsonCounter",),
    "platform_ops.redaction.json_fields": ("JsonRedactor",),
    "platform_ops.redaction.requests": (
        "ALLOWED_HEADERS",
        "REDACTED",
        "is_secret_name",
        "keep_secret",
        "safe_headers",
        "safe_url",
    ),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
