"""What makes a function tidy."""

from airflow.sdk.bases.decorator import task_decorator_factory
from attic.operators import StoreOperator


class _TidyDecoratedOperator(StoreOperator):
    """Private."""


def tidy_task(python_callable=None, shelf: str = "left", **kwargs):
    """Tidy up by a function.

    :param python_callable: What decides.
    :param shelf: Where to begin.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_TidyDecoratedOperator, **kwargs
    )
