"""Statements of SQL, as far as a source has to know them: what reads, what writes, what is whole.

Source: https://sqlparse.readthedocs.io/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from platform_ops.errors import SourceRejected

__all__ = ["Parameters", "Statement", "is_query", "listed", "quoted", "require_query"]

Parameters = Mapping[str, Any] | Sequence[Any]  # Any: whatever the driver binds

_READING: Final = {
    "SELECT",
    "WITH",
    "VALUES",
    "TABLE",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "EXPLAIN",
    "FROM",
}
_WRITING: Final = {
    *("INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "TRUNCATE", "CREATE", "DROP", "ALTER"),
    *("INTO", "CALL", "GRANT", "REVOKE", "COPY"),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One query and what is bound to it.

    :param sql: In the database's own words, with the placeholders of its driver.
    """

    sql: str
    parameters: Parameters | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex over both: equal questions have equal ones, and nothing can be read back."""
        bound = json.dumps(self.parameters, default=str, sort_keys=True)
        return hashlib.sha256(f"{self.sql}\n{bound}".encode()).hexdigest()

    @property
    def bare(self) -> str:
        """The text without what would end it, so that it can stand inside another."""
        return self.sql.strip().rstrip("; \t\r\n")


def is_query(sql: str) -> bool:
    """Whether this is one statement that only reads.

    A function that writes looks like a query here; the server, told to only read, refuses it.
    """
    import sqlparse
    from sqlparse import tokens

    parsed: Any = sqlparse.parse(sql)  # Any: sqlparse types its entrance alone
    found = [each for each in parsed if each.token_first(skip_cm=True) is not None]
    if len(found) != 1:
        return False
    words = [
        token.normalized.split()[0].upper()
        for token in found[0].flatten()
        if token.ttype in tokens.Keyword and token.normalized.strip()
    ]
    return bool(words) and words[0] in _READING and not _WRITING & set(words)


def require_query(sql: str, where: str) -> None:
    """Refuse what is no query.

    :param where: What the message begins with.
    :raises SourceRejected: It writes, or is several statements.
    """
    if not is_query(sql):
        raise SourceRejected(
            f"{where}: is not one query that only reads; give one SELECT, and let "
            "SQLExecuteQueryOperator run what writes"
        )


def quoted(name: str, mark: str = '"') -> str:
    """An identifier as SQL writes it; of a dotted one each part, as in ``schema.table``.

    :param mark: The database's quotation mark.
    """
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def listed(names: str | Iterable[str]) -> list[str]:
    """One name or several, as a list."""
    return [names] if isinstance(names, str) else list(names)
