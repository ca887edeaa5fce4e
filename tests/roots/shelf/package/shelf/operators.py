"""What a task can do with a shelf."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from airflow.sdk import BaseOperator, BaseSensorOperator

Condition = Literal["new", "worn"]


class ShelfTask(BaseOperator):
    """Whatever happens at one shelf: its name ends in nothing that says so.

    :param shelf_conn_id: Connection of the shelf.
    """

    def __init__(self, *, shelf_conn_id: str = "shelf_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shelf_conn_id = shelf_conn_id


class LendOperator(ShelfTask):
    """Lend a book, and write down to whom. It keeps a ledger.

    The ledger is *never* shortened; see :class:`shelf.hooks.ShelfHook`.

    .. versionadded:: 1.4

    :param title: The book. (templated)
    :param reader: Who takes it,
        in full.
    :param condition: How it left.
    :raises ShelfClosed: It is night.

    Source: `The shelf's rules <https://example.com/rules>`__.
    """

    template_fields = ("title", "note")
    template_fields_renderers: ClassVar[dict[str, str]] = {"title": "bash"}
    template_ext = (".title",)

    def __init__(
        self,
        *,
        title: str,
        reader: str = "anyone",
        condition: Condition | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.title = title
        self.note = ""
        self.reader = reader
        self.condition = condition

    def execute(self, context: Any) -> str:  # noqa: ARG002
        """Lend it."""
        return self.title


class Patience(BaseSensorOperator):
    """Wait until a book is back.

    :param title: The book.
    """

    def __init__(self, *, title: str, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.title = title
        self.deferrable = deferrable

    def poke(self, context: Any) -> bool:  # noqa: ARG002
        """Look."""
        return True


class PretendOperator:
    """No operator, whatever it is called."""


class _HiddenOperator(BaseOperator):
    """Private."""
