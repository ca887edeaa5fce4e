"""What must not be written down, left out before anything is hashed.

Of a request and its answer an allowlist of headers and a URL without secrets are kept; of a JSON body
everything but the fields that a site names.
"""

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
