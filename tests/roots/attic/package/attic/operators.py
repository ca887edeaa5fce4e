"""What tasks do up there."""

from airflow.sdk import BaseOperator, BaseOperatorLink
from typing_extensions import deprecated


class BoxLink(BaseOperatorLink):
    """Leads to the box."""

    name = "Box"

    def get_link(self, operator, *, ti_key):
        """Where it stands."""
        return "https://example.com/box"


class StoreOperator(BaseOperator):
    """Put a thing into a box.

    It stays there.

    Args:
        thing (str): What to keep;
            wrapped in paper.
        box: Which one.

    Raises:
        OSError: The box is full.

    Note:
        Boxes are *not* labelled.
    """

    template_fields = ("thing",)
    ui_color = "#ffe0b2"
    ui_fgcolor = "#333333"
    operator_extra_links = (BoxLink(),)

    def __init__(self, *, thing, box: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.thing = thing
        self.box = box

    def execute(self, context):
        """Put it there."""
        if self.box:
            self.defer(trigger=None, method_name="execute")


@deprecated("use StoreOperator")
class KeepOperator(StoreOperator):
    """Keep a thing.

    Parameters
    ----------
    lid : str
        What to close it with.

    Raises
    ------
    OSError
        There is no lid.
    """

    def __init__(self, *, lid="wood", **kwargs):
        super().__init__(**kwargs)
        self.lid = lid


class KeepLongOperator(KeepOperator):
    """Keep it longer."""
