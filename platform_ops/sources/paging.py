"""How an API's pages hang together: one small value for each convention.

Source: RFC 8288 (Web Linking) for :class:`LinkHeader`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from requests.utils import parse_header_links

from platform_ops.errors import SourceRejected
from platform_ops.redaction import safe_url

__all__ = ["JsonLink", "LinkHeader", "Page", "Pagination"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, as a pagination sees it.

    :param url: Where it came from, after redirects.
    :param headers: The answer's headers.
    :param body: The bytes as they came.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes


class Pagination(Protocol):
    """How to get from one page to the next."""

    def next_url(self, page: Page) -> str | None:
        """URL of the next page, absolute or relative to this one; None after the last."""


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """The next page stands in the header ``Link: <…>; rel="next"``.

    Source: RFC 8288.
    """

    def next_url(self, page: Page) -> str | None:
        """The target of the ``next`` relation."""
        links = parse_header_links(page.headers.get("link", ""))
        return next((link["url"] for link in links if "next" in link.get("rel", "").split()), None)


@dataclass(frozen=True, slots=True)
class JsonLink:
    """The next page stands in the JSON body.

    :param path: Keys down to it, joined by dots, such as ``paging.next``; absent or null ends.
    """

    path: str

    def next_url(self, page: Page) -> str | None:
        """The value at the path.

        :raises SourceRejected: The page is not JSON.
        """
        try:
            value: object = json.loads(page.body)
        except ValueError as err:
            raise SourceRejected(
                f"{safe_url(page.url)}: not JSON, so {self.path!r} leads nowhere"
            ) from err
        for key in self.path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value in (None, "") else str(value)
