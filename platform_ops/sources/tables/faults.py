"""What databases say when they fail, in the platform's own terms: whether a retry can help, and why.

No text of a driver enters a message unless it names identifiers alone: others quote values of rows.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html,
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from platform_ops.errors import PlatformError, SourceError, SourceRejected, SourceUnavailable

__all__ = ["translated"]

_ADVICE: Final = {
    "certificate": "its certificate is not to be trusted; check the host, or name the right authority in "
    "the connection's extra, as sslrootcert or ssl_ca",
    "login": "wrong user or password, or no right to connect; check the connection",
    "database": "there is no such database; check the connection's schema",
    "table": "there is no such table or view, or it was dropped; check table= and the query",
    "column": "there is no such column; check the query, watermark= and where=",
    "syntax": "the database does not understand the query; check its text and parameters",
    "rights": "the account may not read this; grant it SELECT",
    "value": "a value is none that the driver can hold, such as infinity; cast it in the query to text",
    "writes": "the query writes, and the session only reads; give one SELECT",
}
_BY_SQLSTATE: Final = {
    "28": "login",
    "3D": "database",
    "42P01": "table",
    "42S02": "table",
    "42703": "column",
    "42S22": "column",
    "42501": "rights",
    "25006": "writes",
    "42": "syntax",
}
_BY_NUMBER: Final = {  # MySQL and MariaDB
    **dict.fromkeys((1044, 1045, 1698), "login"),
    **dict.fromkeys((1142, 1143), "rights"),
    1049: "database",
    **dict.fromkeys((1051, 1146), "table"),
    1054: "column",
    1064: "syntax",
    1792: "writes",
}
_BY_WORDS: Final = (  # where a driver gives no code: libpq at the door, SQLite, DuckDB
    (r"authentication failed|no pg_hba|role .* does not exist|no password supplied", "login"),
    (r"database \"[^\"]+\" does not exist", "database"),
    (r"no such table|Table with name .* does not exist", "table"),
    (r"no such column|Referenced column|not found in FROM clause", "column"),
    (r"readonly database|attached in read-only mode|read-only transaction", "writes"),
    (r"(date|timestamp) too (large|small)|not supported by Python", "value"),
    (r"syntax error|Parser Error|incomplete input", "syntax"),
)
_DISTRUSTED: Final = re.compile(
    r"certificate.verify.failed|certificate for .* does not match|root certificate file",
    re.IGNORECASE,
)
"""What every driver of a TLS library says; the codes beside it are those of any failed connection."""
_PASSING_SQLSTATE: Final = ("08", "40", "53", "55", "57", "58", "XX")
_PASSING_WORDS: Final = re.compile(
    r"locked|unable to open|cannot open database|disk I/O|IO Error|"
    r"connect|server closed|terminat|lost|gone away|timeout",
    re.IGNORECASE,
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what a driver raises inside into a :class:`SourceError`.

    :param where: What was asked, without a secret: the database's address and the table.
    :raises SourceUnavailable: The connection was lost or refused, or the server is busy.
    :raises SourceRejected: The same query will fail again.
    """
    try:
        yield
    except (PlatformError, GeneratorExit):
        raise
    except Exception as err:
        if not _of_a_driver(err):
            raise
        fault = _fault(err, where)
    else:
        return
    # Outside of the handler, and from nothing: a driver's text may quote a row or the password.
    raise fault from None


def _of_a_driver(err: Exception) -> bool:
    """PEP 249 names the root of a driver's errors; Arrow raises what comes out of a stream."""
    names = {each.__name__ for each in type(err).__mro__}
    module = type(err).__module__.partition(".")[0]
    return (
        ("Error" in names and "Exception" in names)
        or module in ("pyarrow", "pymysql", "sqlite3")
        or isinstance(err, OSError)
    )


def _fault(err: Exception, where: str) -> SourceError:
    state = getattr(err, "sqlstate", None) or getattr(err, "pgcode", None) or _state_in(str(err))
    number = err.args[0] if err.args and isinstance(err.args[0], int) else None
    code = f"{type(err).__name__}{f' {state or number}' if state or number else ''}"
    reason = "certificate" if _DISTRUSTED.search(str(err)) else _reason(state, number, str(err))
    if reason:
        return SourceRejected(f"{where}: {_ADVICE[reason]} ({code})")
    if _passes(err, state, str(err)):
        return SourceUnavailable(
            f"{where}: the connection failed or was lost, or the server is busy ({code}); nothing "
            "was kept"
        )
    return SourceRejected(f"{where}: the database refused the query ({code}); run it by hand there")


def _state_in(text: str) -> str | None:
    found = re.search(r"SQLSTATE:? ([0-9A-Z]{5})", text)
    return found[1] if found else None


def _reason(state: str | None, number: int | None, text: str) -> str | None:
    if number is not None:
        return _BY_NUMBER.get(number)
    if state:
        known = (_BY_SQLSTATE.get(state[:length]) for length in (5, 2))
        return next(filter(None, known), None)
    return next((why for words, why in _BY_WORDS if re.search(words, text)), None)


def _passes(err: Exception, state: str | None, text: str) -> bool:
    if state:
        return state.startswith(_PASSING_SQLSTATE)
    numbered: Any = err.args[0] if err.args else None  # Any: a driver's own
    if isinstance(numbered, int):
        # 1040 too many connections, 1205 and 1213 locks, 1927 killed; from 2000 on the client's own.
        return numbered in (0, 1040, 1053, 1205, 1213, 1927, 3024) or 2000 <= numbered < 3000
    return isinstance(err, OSError) or bool(_PASSING_WORDS.search(text))
