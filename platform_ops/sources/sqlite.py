"""SQLite. Vendor page: https://www.sqlite.org/docs.html."""

from __future__ import annotations

import sqlite3
from typing import Any
from urllib.parse import quote

from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from platform_ops.sources.tables.calls import ArchivesResults

__all__ = ["ArchivingSqliteHook"]


class ArchivingSqliteHook(ArchivesResults, SqliteHook):  # type: ignore[misc]  # one signature for three overloads
    """Airflow's ``SqliteHook``, under a connection type of its own: result sets are archived.

    Stock operators that find their hook by the type of its connection archive with no change to the
    DAG. A file that is not there is an error, and is not made.

    :param sqlite_conn_id: Connection whose host is the path of the file; its extra names the entity.
    """

    default_conn_name = "archiving_sqlite_default"
    conn_type = "archiving_sqlite"
    hook_name = "Archiving SQLite"

    def __init__(
        self,
        sqlite_conn_id: str = default_conn_name,
        **kwargs: Any,  # Any: SqliteHook's own arguments
    ) -> None:
        super().__init__(sqlite_conn_id=sqlite_conn_id, **kwargs)  # type: ignore[no-untyped-call]  # Airflow's is untyped

    def get_conn(self) -> sqlite3.Connection:
        """Open the file, which has to exist."""
        path = quote(self.connection.host or "")
        return sqlite3.connect(f"file:{path}?mode=rw", uri=True)

    def get_uri(self) -> str:
        """The file's address, as SQLAlchemy writes it."""
        return f"sqlite:///{self.connection.host or ''}"
