"""Needs what nobody has."""

import a_library_that_nobody_has
from airflow.providers.nobody.operators.thing import ThingOperator
from airflow.sdk import BaseSensorOperator

from attic.operators import StoreOperator


class TornOperator(StoreOperator):
    """Tear a thing up.

    :param thing: What to tear.
    :param parts: How many remain.
    """

    template_fields = ("thing", "parts")

    def __init__(self, *, parts: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.parts = a_library_that_nobody_has.count(parts)


class TornTwice(TornOperator):
    """Tear it again."""


class StillTorn(BaseSensorOperator):
    """Wait for glue."""


class Mixed:
    """Takes a colour.

    :param colour: Of the ribbon.
    """

    def __init__(self, colour="red", **kwargs):
        super().__init__(**kwargs)


class Borrowed(Mixed, ThingOperator):
    """Borrow what is not installed here."""


class NotOne:
    """Of no kind."""
