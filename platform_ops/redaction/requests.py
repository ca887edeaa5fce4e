"""What may be written down of a request and its answer: an allowlist of headers, a URL without secrets.

Everything here happens before hashing, so that a rotated token changes no fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

__all__ = [
    "ALLOWED_HEADERS",
    "REDACTED",
    "is_secret_name",
    "keep_secret",
    "safe_headers",
    "safe_url",
]

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
    r"(?i)(^|[-_.])(app[-_]?id|auth|code|cookie|jwt|key|pass|pwd|session|sid|sig|sign|ticket)([-_.]|$)|"
    r"access[-_]?key|api[-_]?key|authorization|credential|passw|secret|signature|token"
)
_told_names: set[str] = set()
_PARAMETER: Final = re.compile(r"(?P<name>[^&;=]+)=(?P<value>[^&;]*)")
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
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, _PARAMETER.sub(_kept, parts.query), ""))


def is_secret_name(name: str) -> bool:
    """Whether a header or parameter of this name is likely, or known, to hold a secret."""
    return name.lower() in _told_names or _SECRET_NAME.search(name) is not None


def keep_secret(name: str) -> None:
    """From now on, in this process, take parameters of this name for secrets, however harmless it sounds."""
    _told_names.add(name.lower())


def _kept(parameter: re.Match[str]) -> str:
    secret = parameter["value"] and is_secret_name(unquote_plus(parameter["name"]))
    return f"{parameter['name']}={REDACTED}" if secret else parameter[0]
