"""From the cellar."""

from airflow.sdk import BaseOperator


class CarryUp(BaseOperator):
    """Carry things up."""
