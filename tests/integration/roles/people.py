"""Makes Airflow's database with the DAGs and people of ``test_rights``, in a process of its own."""

from __future__ import annotations

from airflow.cli.cli_parser import get_parser
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

ROLES = ("Viewer", "User", "Op", "Admin", "Public")
_READS = [("can_read", "Assets"), ("can_read", "XComs"), ("can_read", "DAG:shop")]
_STARTS = [*_READS, ("can_edit", "DAG:shop"), ("can_create", "DAG Runs")]
OWN = {
    "Lists": [("can_read", "Assets")],
    "Reads": _READS,
    "Starts": _STARTS,
    "Shop": [*_STARTS, ("can_read", "DAG Runs")],
}
"""Roles that a site made: one that only lists, and three for a single DAG, each with a right more."""


def airflow(*arguments: str) -> None:
    """Run a command of Airflow's here: each process of its own would load all of Airflow again."""
    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)


if __name__ == "__main__":
    airflow("db", "migrate")
    airflow("dags", "reserialize")
    with get_application_builder() as builder:
        manager = builder.sm
        manager.sync_roles()
        for name in ("can_read", "can_edit"):
            manager.create_permission(name, "DAG:shop")
        manager.bulk_sync_roles([{"role": role, "perms": perms} for role, perms in OWN.items()])
        for role in (*ROLES, *OWN):
            user = role.lower()
            made = manager.add_user(
                user, role, "of the site", f"{user}@example.com", manager.find_role(role), user
            )
            assert made, user
