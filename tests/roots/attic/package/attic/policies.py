"""What tasks must keep to."""

from airflow.policies import hookimpl


@hookimpl
def task_policy(task):
    """Ask for an owner."""
