"""The pages of a GraphQL connection, and what its errors mean.

Source: https://relay.dev/graphql/connections.htm (GraphQL Cursor Connections Specification).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.redaction import safe_url
from platform_ops.sources.web.paging import Next, Page, Pagination

__all__ = ["GraphQLCursor"]

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_PASSING_CODES: Final = frozenset({"INTERNAL_SERVER_ERROR", "RATE_LIMITED", "THROTTLED", "TIMEOUT"})


@dataclass(frozen=True, slots=True)
class GraphQLCursor(Pagination):
    """A GraphQL connection is read to its end: ``pageInfo { hasNextPage endCursor }``.

    The query asks for ``pageInfo``, and takes the mark by a variable. Since only queries have
    connections, a failed request is sent again although it is a ``POST``.

    :param connection: Keys from ``data`` down to the connection, such as ``repository.issues``.
    :param variable: Name of the query's variable that takes the mark.
    """

    repeatable: ClassVar[bool] = True

    connection: str
    variable: str = "after"

    def next(self, page: Page) -> Next | None:
        """The connection's ``endCursor``, while it has a next page.

        :raises SourceUnavailable: The answer holds an error that passes, such as ``RATE_LIMITED``.
        :raises SourceRejected: It holds another error, or no such connection.
        """
        _refuse_errors(page)
        info = page.find(f"data.{self.connection}.pageInfo")
        if not isinstance(info, Mapping):
            raise SourceRejected(
                f"{safe_url(page.url)}: no pageInfo at data.{self.connection}; let the query ask for "
                "pageInfo { hasNextPage endCursor }"
            )
        if not info.get("hasNextPage") or not info.get("endCursor"):
            return None
        return Next(json={f"variables.{self.variable}": info["endCursor"]})


def _refuse_errors(page: Page) -> None:
    errors = page.find("errors")
    if not isinstance(errors, list) or not errors:
        return
    # Codes are symbols; the messages beside them may quote what was asked, or data.
    codes_of, types_of = page.find("errors.*.extensions.code"), page.find("errors.*.type")
    told = {code or kind for code, kind in zip(codes_of, types_of, strict=True)}
    codes = sorted(code for code in told if isinstance(code, str) and _CODE.fullmatch(code))
    fault = f"{safe_url(page.url)}: GraphQL answered with {len(errors)} errors"
    named = f"{fault}: {', '.join(codes)}" if codes else fault
    if codes and set(codes) <= _PASSING_CODES:
        raise SourceUnavailable(named)
    raise SourceRejected(f"{named}; check the query and its variables")
