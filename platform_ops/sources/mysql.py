"""MySQL and MariaDB. Vendor pages: https://dev.mysql.com/doc/ and https://mariadb.com/kb/."""

from __future__ import annotations

import ssl
from typing import Any, Final

from airflow.providers.common.sql.hooks.sql import DbApiHook

from platform_ops.errors import ExtraMissing
from platform_ops.sources.tables.calls import ArchivesResults

__all__ = ["ArchivingMySqlHook"]

CONNECT_S: Final = 10.0
"""Seconds to connect, where the connection's extra sets none."""


class ArchivingMySqlHook(ArchivesResults, DbApiHook):  # type: ignore[misc]  # one signature for three overloads
    """MySQL and MariaDB through pymysql, under a connection type of its own: result sets are archived.

    Stock operators that find their hook by the type of its connection archive with no change to the
    DAG. It stands on no system library, unlike Airflow's ``MySqlHook``.

    :param mysql_conn_id: Connection with host, database and credentials; its extra holds the entity,
        ``charset``, ``connect_timeout`` and ``ssl_ca``.
    """

    conn_name_attr = "mysql_conn_id"
    default_conn_name = "archiving_mysql_default"
    conn_type = "archiving_mysql"
    hook_name = "Archiving MySQL and MariaDB"
    supports_autocommit = True
    supports_executemany = True

    def __init__(
        self,
        mysql_conn_id: str = default_conn_name,
        **kwargs: Any,  # Any: DbApiHook's own arguments
    ) -> None:
        super().__init__(mysql_conn_id=mysql_conn_id, **kwargs)
        self._escape_word_format = "`{}`"
        self.schema = kwargs.get("schema")

    def get_conn(self) -> Any:  # Any: pymysql's connection
        """Connect.

        :raises ExtraMissing: pymysql is not installed.
        """
        try:
            import pymysql
        except ModuleNotFoundError as err:
            raise ExtraMissing("pymysql", "mysql", "a connection to MySQL") from err
        found = self.connection
        extra = found.extra_dejson
        authority = extra.get("ssl_ca")
        return pymysql.connect(
            host=found.host or "localhost",
            port=found.port or 3306,
            user=found.login or "",
            password=found.password or "",
            database=self.schema or found.schema or None,
            charset=str(extra.get("charset") or "utf8mb4"),
            connect_timeout=float(extra.get("connect_timeout") or CONNECT_S),
            ssl=ssl.create_default_context(cafile=authority) if authority else None,
        )

    def get_uri(self) -> str:
        """The database's address, as SQLAlchemy writes it for pymysql."""
        found = self.connection
        return str(found.get_uri()).replace(
            f"{found.conn_type}://".replace("_", "-"), "mysql+pymysql://"
        )

    @property
    def dialect_name(self) -> str:
        return "mysql"

    def set_autocommit(self, conn: Any, autocommit: bool) -> None:  # Any: pymysql's connection
        """Switch it by pymysql's own method."""
        conn.autocommit(autocommit)

    def get_autocommit(self, conn: Any) -> bool:  # Any: pymysql's connection
        """Whether it is on."""
        return bool(conn.get_autocommit())
