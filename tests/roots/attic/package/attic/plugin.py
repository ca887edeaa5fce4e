"""What is plugged in."""

from airflow.listeners import hookimpl
from airflow.sdk.plugins_manager import AirflowPlugin


def age(years: int) -> str:
    """Say how old a thing is.

    :param years: Since when.
    """
    return f"{years} years"


@hookimpl
def on_starting(component):
    """Air the room."""


class AtticPlugin(AirflowPlugin):
    """Brings the macros."""

    name = "attic"
    macros = [age]
