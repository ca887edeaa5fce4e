"""How an API's pages hang together: one small value for each convention.

Source: RFC 8288 (Web Linking) for :class:`LinkHeader`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final

from platform_ops.errors import ConfigError, SourceRejected
from platform_ops.redaction import safe_url

__all__ = [
    "Cursor",
    "JsonLink",
    "LinkHeader",
    "Next",
    "Offset",
    "Page",
    "PageNumber",
    "Pagination",
    "pagination_of",
]

_LINES: Final = ("application/x-ndjson", "application/jsonl", "application/json-seq")


@dataclass(frozen=True)
class Page:
    """One page, as a pagination sees it.

    :param url: Where it came from, after redirects.
    :param headers: The answer's headers.
    :param body: The bytes, decoded where they came in a coding.
    :param number: Counts from 1 within the capture.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    number: int = 1

    @cached_property
    def data(self) -> Any:  # Any: JSON values
        """The body as JSON; of JSON lines the list of them.

        :raises SourceRejected: It is neither.
        """
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if media_type in _LINES:
                return [json.loads(line) for line in self.body.split(b"\n") if line.strip()]
            return json.loads(self.body)
        except ValueError as err:
            raise SourceRejected(f"{safe_url(self.url)}: not JSON") from err

    def find(self, where: str) -> Any:  # Any: JSON values
        """What stands at a place; None where nothing does.

        :param where: ``header:X-Total``; or keys down the JSON body, joined by dots, such as
            ``paging.next``. A number is a position in a list, ``-1`` its last; ``*`` is each of them;
            an empty text is the whole body.
        :raises SourceRejected: The page is not JSON.
        """
        if where.startswith("header:"):
            return self.headers.get(where.removeprefix("header:"))
        try:
            return _at(self.data, where.split(".") if where else [])
        except SourceRejected as err:
            raise SourceRejected(f"{err}, so {where!r} leads nowhere") from err

    def count(self, where: str) -> int | None:
        """The whole number at a place; None where nothing stands there.

        :raises SourceRejected: Something else stands there.
        """
        found = self.find(where)
        if found is None:
            return None
        try:
            return int(found)
        except (TypeError, ValueError):
            raise SourceRejected(
                f"{safe_url(self.url)}: no whole number at {where!r}; check the pagination"
            ) from None


@dataclass(frozen=True, slots=True)
class Next:
    """What the next request does otherwise.

    :param url: Its whole URL, absolute or relative to the page; asked for by GET.
    :param query: Parameters of the URL to set.
    :param json: Values of the JSON body to set, by keys joined by dots.
    """

    url: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values


class Pagination(ABC):
    """How to get from one page to the next; a class of your own says so in :meth:`next`."""

    __slots__ = ()

    reads_body: ClassVar[bool] = True
    """Whether :meth:`next` looks into the body, which is then held in memory, up to 64 MiB."""
    repeatable: ClassVar[bool] = False
    """Whether its requests may be repeated even by ``POST``, since they only read."""

    @property
    def knows_ahead(self) -> bool:
        """Whether the first page tells how many there are, so that several can be asked at once."""
        return False

    def first(self) -> Next | None:
        """What to add to the first request."""
        return None

    @abstractmethod
    def next(self, page: Page) -> Next | None:
        """How to ask for the page after this one; None after the last."""

    def ahead(self, page: Page) -> Iterator[Next]:  # noqa: ARG002  # for subclasses
        """All pages after the first one, where :attr:`knows_ahead`."""
        return iter(())


@dataclass(frozen=True, slots=True)
class LinkHeader(Pagination):
    """The next page stands in the header ``Link: <…>; rel="next"``.

    Source: RFC 8288.
    """

    reads_body: ClassVar[bool] = False

    def next(self, page: Page) -> Next | None:
        """The target of the ``next`` relation."""
        from requests.utils import parse_header_links

        links = parse_header_links(page.headers.get("link", ""))
        found = (link["url"] for link in links if "next" in link.get("rel", "").split())
        return _link(next(found, None))


@dataclass(frozen=True, slots=True)
class JsonLink(Pagination):
    """The URL of the next page stands in the JSON body.

    :param path: Keys down to it, joined by dots, such as ``paging.next``; absent or null ends.
    """

    path: str

    def next(self, page: Page) -> Next | None:
        """The value at the path.

        :raises SourceRejected: The page is not JSON.
        """
        return _link(page.find(self.path))


@dataclass(frozen=True, slots=True)
class Cursor(Pagination):
    """Each page holds a mark, and the next one is asked for by it.

    :param path: Where the mark stands, such as ``meta.next_cursor``, ``data.-1.id`` for the id of the
        last record, or ``header:X-Next``; absent or null ends.
    :param parameter: Parameter of the URL that takes it; with ``in_body`` the keys down to it in the
        JSON body of the request.
    :param more: Where the page says whether there is another, such as ``has_more``; the mark alone
        decides where unset.
    :param in_body: Whether the mark goes into the request's JSON body.
    """

    path: str
    parameter: str
    more: str | None = None
    in_body: bool = False

    def next(self, page: Page) -> Next | None:
        """The mark, unless the page says that it is the last."""
        if self.more is not None and not _true(page.find(self.more)):
            return None
        mark = page.find(self.path)
        if mark in (None, ""):
            return None
        return Next(json={self.parameter: mark}) if self.in_body else _query(self.parameter, mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumber(Pagination):
    """Pages are asked for by number; a page without records is the last.

    :param items: Where the list of records stands, such as ``results``; empty where the body is the
        list.
    :param parameter: Parameter of the URL that takes the number.
    :param start: Number of the first page.
    :param size: Records of a full page: a shorter one is the last.
    :param pages: Where the number of pages stands, such as ``meta.pages`` or ``header:X-Total-Pages``.
    :param total: Where the number of all records stands; needs ``size``.
    :raises ConfigError: Nothing says which page is the last.
    """

    items: str | None = None
    parameter: str = "page"
    start: int = 1
    size: int | None = None
    pages: str | None = None
    total: str | None = None

    def __post_init__(self) -> None:
        if self.items is None and self.pages is None and self.total is None:
            raise ConfigError(
                "PageNumber: nothing says which page is the last; give items=, pages= or total="
            )
        if self.total is not None and not self.size:
            raise ConfigError("PageNumber: total= counts records, so give size= too")

    @property
    def knows_ahead(self) -> bool:
        """Where the number of pages, or of records, is told."""
        return self.pages is not None or self.total is not None

    def first(self) -> Next:
        """The number of the first page."""
        return _query(self.parameter, self.start)

    def next(self, page: Page) -> Next | None:
        """The number after this one's."""
        last = self._last(page)
        over = page.number >= last if last is not None else _over(page, self.items, self.size)
        return None if over else _query(self.parameter, self.start + page.number)

    def ahead(self, page: Page) -> Iterator[Next]:
        """Every number up to the last."""
        last = self._last(page) or 1
        return (_query(self.parameter, self.start + done) for done in range(1, last))

    def _last(self, page: Page) -> int | None:
        if self.pages is not None:
            return page.count(self.pages)
        records = page.count(self.total) if self.total is not None else None
        return None if records is None or not self.size else -(-records // self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset(Pagination):
    """Pages are asked for by how many records to leave out.

    :param size: Records of a page.
    :param items: Where the list of records stands; empty where the body is the list. A shorter list
        than ``size`` is the last.
    :param total: Where the number of all records stands, such as ``meta.total``.
    :param parameter: Parameter of the URL that takes the number to leave out.
    :param size_parameter: Parameter that takes ``size``.
    :raises ConfigError: Nothing says which page is the last.
    """

    size: int
    items: str | None = None
    total: str | None = None
    parameter: str = "offset"
    size_parameter: str = "limit"

    def __post_init__(self) -> None:
        if self.items is None and self.total is None:
            raise ConfigError("Offset: nothing says which page is the last; give items= or total=")
        if self.size < 1:
            raise ConfigError(f"Offset: size={self.size} is no number of records; give 1 or more")

    @property
    def knows_ahead(self) -> bool:
        """Where the number of records is told."""
        return self.total is not None

    def first(self) -> Next:
        """From the first record on."""
        return self._from(0)

    def next(self, page: Page) -> Next | None:
        """From the first record that no page held yet."""
        seen = page.number * self.size
        records = page.count(self.total) if self.total is not None else None
        over = seen >= records if records is not None else _over(page, self.items, self.size)
        return None if over else self._from(seen)

    def ahead(self, page: Page) -> Iterator[Next]:
        """Every offset below the number of records."""
        records = page.count(self.total) if self.total is not None else None
        return (self._from(seen) for seen in range(self.size, records or 0, self.size))

    def _from(self, seen: int) -> Next:
        return Next(query={self.parameter: str(seen), self.size_parameter: str(self.size)})


@dataclass(frozen=True, slots=True)
class _Custom(Pagination):
    function: Callable[[Page], Next | Mapping[str, Any] | str | None]  # Any: parameters of a URL

    def next(self, page: Page) -> Next | None:
        told = self.function(page)
        if told is None or isinstance(told, Next):
            return told
        if isinstance(told, str):
            return _link(told)
        return Next(query={name: str(value) for name, value in told.items()})


def pagination_of(
    given: Pagination
    | Callable[[Page], Next | Mapping[str, Any] | str | None]
    | None,  # Any: see above
) -> Pagination | None:
    """The pagination that an author gave, or the one that stands on the function that they gave.

    :raises ConfigError: It is neither.
    """
    if given is None or isinstance(given, Pagination):
        return given
    if isinstance(given, type) or not callable(given):
        raise ConfigError(
            "pagination= takes a value such as LinkHeader() or Cursor('next', 'cursor'), or a function "
            f"from a Page to what comes next; got {given!r}"
        )
    return _Custom(given)


def _over(page: Page, items: str | None, size: int | None) -> bool:
    """Whether this is the last page, by the records it holds."""
    found = page.find(items or "")
    if found is None:
        return True
    if not isinstance(found, list):
        raise SourceRejected(f"{safe_url(page.url)}: no list at {items!r}; check the pagination")
    return len(found) < (size or 1)


def _at(value: Any, keys: list[str]) -> Any:  # Any: JSON values
    for step, key in enumerate(keys):
        if isinstance(value, list):
            if key == "*":
                return [_at(each, keys[step + 1 :]) for each in value]
            try:
                value = value[int(key)]
            except (ValueError, IndexError):
                return None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _link(target: object) -> Next | None:
    return None if target in (None, "") else Next(url=str(target))


def _query(name: str, value: object) -> Next:
    return Next(query={name: str(value)})


def _true(value: object) -> bool:
    return value not in (None, False, 0, "", "false", "False", "0")
