"""What an object store's client says when it fails, in the archive's own errors and in plain words.

The client has few classes of error, and tells most of them by their text alone: a status, and the code
in the reply's XML. Requests for credentials that it makes by itself fail among the others; they say
nothing of the store, and are told apart here.
"""

from __future__ import annotations

import re
from typing import Final

from platform_ops.errors import ArchiveError, ArchiveUnavailable, ArchiveUnwritable

__all__ = ["first_line", "told"]

# In angle brackets: a key may hold the word, but never these.
_CODE: Final = re.compile(r"<Code>(?P<code>\w+)</Code>")
_NO_BUCKET: Final = ("NoSuchBucket", "ContainerNotFound")
_REFUSED: Final = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
"""Codes of S3's that come with status 400, as if the request were wrong."""
_REFUSAL: Final = re.compile(r"status code: 40[13]\b|\(code: 40[13]\)$", re.MULTILINE)
_NO_FILE: Final = re.compile("(Failed to read|Error reading).* token file")
_CREDENTIALS: Final = re.compile(
    "Error performing token request"  # Google's metadata server, Entra, a managed identity
    "|S3 error: Error performing POST REDACTED"  # Amazon's STS, whose URL holds the token
    "|Error performing [A-Z]+ [a-z]+://[^ ?]+/latest/(api/token|meta-data/)"
)
_DENIED: Final = re.compile(r"status code: 4(?!08|29)\d\d\b")
_UNREACHED: Final = re.compile(
    r"Error performing [A-Z]+ (?P<host>[a-z]+://[^ /?]+|REDACTED)[^\n]* "
    r"- HTTP error: (?P<how>error sending request)"
)
_REPEATED: Final = re.compile(
    r", after (?P<times>\d+) retries, max_retries: \d+, retry_timeout: \w+ *"
)
_LIMIT: Final = 300


def told(url: str, service: str, err: Exception) -> ArchiveError:
    """The error that says what to do.

    :param url: Of the object that was asked for.
    :param service: The store's name.
    """
    text = str(err)
    if _NO_FILE.search(text):
        return ArchiveUnwritable(_no_credentials(url, service, err))
    if _CREDENTIALS.search(text):
        kind = ArchiveUnwritable if _DENIED.search(text) else ArchiveUnavailable
        return kind(_no_credentials(url, service, err))
    code = _code(text)
    if code in _NO_BUCKET:
        return ArchiveUnwritable(f"{url}: no such bucket; make it, or correct archive.root")
    # Listings, and Azure's deletions, come without a class of their own for these.
    if _is_refusal(err) or _REFUSAL.search(text) or code in _REFUSED:
        return ArchiveUnwritable(
            f"{url}: the store refuses these credentials ({first_line(err)}); "
            "give the worker the rights that the site's page on stores lists"
        )
    if hit := _UNREACHED.search(text):
        return ArchiveUnavailable(
            f"{url}: {service} cannot be reached at {hit['host']} ({hit['how']}); check the network "
            "of this machine, and the address where one is set"
        )
    return ArchiveUnavailable(f"{url}: {first_line(err)}")


def _is_refusal(err: Exception) -> bool:
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    return isinstance(err, PermissionDeniedError | UnauthenticatedError | PermissionError)


def _no_credentials(url: str, service: str, err: Exception) -> str:
    return (
        f"{url}: this machine's or pod's identity gives no credentials for {service} "
        f"({first_line(err)}); check its token file and the role, account or client that are named "
        "beside it, or give credentials by archive.connection or the environment"
    )


def _code(text: str) -> str | None:
    hit = _CODE.search(text)
    return hit["code"] if hit else None


def first_line(err: Exception) -> str:
    """What the client says, and the code in the store's reply; not the rest of either.

    That is the reply's XML and a dump of the request; it may name hosts and headers at length.
    """
    text = str(err).strip()
    said = text.split("\n", 1)[0].split("<", 1)[0].rstrip(" -:").removeprefix("Generic ")
    said = _REPEATED.sub(lambda hit: f", tried {int(hit['times']) + 1} times", said)
    code = _code(text)
    said = f"{said}: {code}" if code else said
    # What it failed with stands at the end, after keys that may be long.
    return said if len(said) <= _LIMIT else f"{said[:100]} … {said[-197:]}"
