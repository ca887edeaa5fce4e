"""The door."""

from airflow.sdk import BaseHook


class AtticHook(BaseHook):
    """Opens the attic."""

    conn_name_attr = "attic_conn_id"
    default_conn_name = "attic_default"
    conn_type = "attic"
    hook_name = "Attic"
