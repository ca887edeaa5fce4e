"""Going on from where the capture before has ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from platform_ops.errors import SourceRejected
from platform_ops.redaction import safe_url
from platform_ops.sources.web.paging import Next, Page

__all__ = ["Mark", "Since"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Ask only for what is newer than the capture before.

    The highest value that a capture saw is its watermark: it stands in the manifest, and Airflow keeps
    it with the entity's asset, one for each key of a mapped task.
    Numbers are compared as numbers, all else as text: so times have to be ISO 8601 in one zone.

    :param path: Where a page tells it, such as ``items.*.updated_at``, where ``*`` is every record, or
        ``header:X-Sequence``.
    :param parameter: Parameter of the URL that takes it; with ``in_body`` the keys down to it in the
        JSON body of the request.
    :param first: Its value for the first capture of all; where unset, that asks without it.
    :param in_body: Whether it goes into the request's JSON body.
    """

    path: str
    parameter: str
    first: str | None = None
    in_body: bool = False

    def step(self, watermark: str | None) -> Next | None:
        """What to add to the first request.

        :param watermark: Of the capture before; None where there is none.
        """
        value = watermark if watermark is not None else self.first
        if value is None:
            return None
        return (
            Next(json={self.parameter: value})
            if self.in_body
            else Next(query={self.parameter: value})
        )


class Mark:
    """The highest value so far.

    :param reached: What the capture before has reached.
    """

    def __init__(self, since: Since, reached: str | None) -> None:
        self._since = since
        self._reached = reached

    @property
    def reads_body(self) -> bool:
        """Whether the body has to be looked into."""
        return not self._since.path.startswith("header:")

    def after(self, page: Page) -> str | None:
        """The highest value once this page was read.

        :raises SourceRejected: What stands at the path can be no watermark.
        """
        for value in _values(page.find(self._since.path)):
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise SourceRejected(
                    f"{safe_url(page.url)}: neither text nor number at {self._since.path!r}; check since="
                )
            text = str(value)
            if self._reached is None or _order(text, self._reached):
                self._reached = text
        return self._reached


def _values(found: Any) -> Iterator[Any]:  # Any: JSON values
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, list):
            yield from _values(each)
        elif each is not None:
            yield each


def _order(one: str, other: str) -> bool:
    """Whether the first is the higher."""
    try:
        return float(one) > float(other)
    except ValueError:
        return one > other
