"""What may be written down of a request and its answer: an allowlist of headers, a URL without secrets.

Everything here happens before hashing, so that a rotated token changes no fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

__all__ = ["ALLOWED_HEADERS", "REDACTED", "safe_headers", "safe_url"]

REDACTED: Final = "REDACTED"

ALLOWED_HEADERS: Final = frozenset(
    {
        "accept-ranges",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "date",
        "digest",
        "etag",
        "last-modified",
        "link",
        "repr-digest",
        "retry-after",
        "server",
        "x-request-id",
    }
)
"""Headers of an answer that a manifest may hold; every other one stays out, whatever it is called."""

_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[-_.])(access[-_]?key|api[-_]?key|apikey|auth|authorization|code|credential|jwt|key|pass|"
    r"passwd|password|pwd|secret|session|sig|sign|signature|token|ticket)([-_.]|$)|token|secret|password"
)
_LINK_URL: Final = re.compile(r"<([^>]*)>")


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers on the allowlist, names in lower case, links without secret parameters."""
    kept = {
        name.lower(): value for name, value in headers.items() if name.lower() in ALLOWED_HEADERS
    }
    if "link" in kept:
        kept["link"] = _LINK_URL.sub(lambda hit: f"<{safe_url(hit[1])}>", kept["link"])
    return kept


def safe_url(url: str) -> str:
    """The URL without user and password, and with the values of secret-looking parameters replaced.

    Signed URLs of S3, GCS and Azure lose their signatures this way.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, REDACTED if _SECRET_NAME.search(name) else value) for name, value in pairs]
    query = urlencode(kept, quote_via=quote) if kept != pairs else parts.query
    return urlunsplit((parts.scheme, host, parts.path, query, ""))
