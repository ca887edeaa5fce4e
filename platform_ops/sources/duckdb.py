"""DuckDB. Vendor page: https://duckdb.org/docs/stable/."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.sql.hooks.sql import DbApiHook

from platform_ops.errors import ExtraMissing
from platform_ops.sources.tables.calls import ArchivesResults

__all__ = ["ArchivingDuckDbHook"]


class ArchivingDuckDbHook(ArchivesResults, DbApiHook):  # type: ignore[misc]  # one signature for three overloads
    """A DuckDB file as a database of Airflow's: result sets are archived.

    Stock operators that find their hook by the type of its connection archive with no change to the
    DAG.

    :param duckdb_conn_id: Connection whose host is the path of the file, or ``:memory:``; its extra
        names the entity.
    """

    conn_name_attr = "duckdb_conn_id"
    default_conn_name = "archiving_duckdb_default"
    conn_type = "archiving_duckdb"
    hook_name = "Archiving DuckDB"
    supports_executemany = True

    def __init__(
        self,
        duckdb_conn_id: str = default_conn_name,
        **kwargs: Any,  # Any: DbApiHook's own arguments
    ) -> None:
        super().__init__(duckdb_conn_id=duckdb_conn_id, **kwargs)
        self._placeholder = "?"

    def get_conn(self, *, read_only: bool = False) -> Any:  # Any: duckdb's connection
        """Open the file.

        :param read_only: Whether nothing may be written; the file has to exist then.
        :raises ExtraMissing: duckdb is not installed.
        """
        try:
            import duckdb
        except ModuleNotFoundError as err:
            raise ExtraMissing("duckdb", "duckdb", "a DuckDB file") from err
        path = self.connection.host or ":memory:"
        return duckdb.connect(path, read_only=read_only and path != ":memory:")

    def get_uri(self) -> str:
        """The file's address, as SQLAlchemy's dialect for DuckDB writes it."""
        return f"duckdb:///{self.connection.host or ':memory:'}"
