"""A library's shelves, as an Airflow package that platform_ops never saw."""

from shelf.operators import LendOperator

__all__ = ["LendOperator"]
