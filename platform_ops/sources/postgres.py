"""PostgreSQL. Vendor page: https://www.postgresql.org/docs/current/."""

from __future__ import annotations

from typing import Any

from airflow.providers.postgres.hooks.postgres import PostgresHook

from platform_ops.sources.tables.calls import ArchivesResults

__all__ = ["ArchivingPostgresHook"]


class ArchivingPostgresHook(ArchivesResults, PostgresHook):  # type: ignore[misc]  # one signature for three overloads
    """Airflow's ``PostgresHook``, under a connection type of its own: result sets are archived.

    ``SQLExecuteQueryOperator``, ``GenericTransfer``, ``SqlToS3Operator`` and all that find their hook
    by the type of its connection archive with no change to the DAG. Checks, sensors and statements
    that write are run and not archived.

    :param postgres_conn_id: Connection with host, database and credentials, and in its extra the
        entity and libpq's options.
    """

    default_conn_name = "archiving_postgres_default"
    conn_type = "archiving_postgres"
    hook_name = "Archiving PostgreSQL"
    # PostgresHook hands every field of the extra to libpq; this one is ours.
    ignored_extra_options = PostgresHook.ignored_extra_options | {"entity"}

    def __init__(
        self,
        postgres_conn_id: str = default_conn_name,
        **kwargs: Any,  # Any: PostgresHook's own arguments
    ) -> None:
        super().__init__(postgres_conn_id=postgres_conn_id, **kwargs)
