"""The hook of the shelf."""

from airflow.sdk import BaseHook

from shelf.errors import ShelfClosed


class ShelfHook(BaseHook):
    """Talks to one shelf.

    :param shelf_conn_id: Connection of type ``shelf``.
    """

    conn_name_attr = "shelf_conn_id"
    default_conn_name = "shelf_default"
    conn_type = "shelf"
    hook_name = "Shelf"

    def __init__(self, shelf_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.shelf_conn_id = shelf_conn_id

    def take(self, title: str) -> bytes:
        """Take one book down.

        :param title: Its title.
        :raises ShelfClosed: It is night.
        """
        raise ShelfClosed(title)
