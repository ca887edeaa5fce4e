"""What the shelf counts, and what it can be set to."""

from enum import Enum
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field


class Kind(Enum):
    COUNTER = "counter"


class Metric(NamedTuple):
    name: str
    kind: Kind
    unit: str
    help: str
    tags: tuple[str, ...]


METRICS = [Metric("shelf.loans", Kind.COUNTER, "books", "Books lent.", ("branch",))]


class Branch(BaseModel):
    """One house."""

    street: str = Field(description="Where it stands.")
    open_hours: int = Field(
        8, description="How long a day it is open.", json_schema_extra={"unit": "hours"}
    )


class Settings(BaseModel):
    """The library."""

    mood: Literal["quiet", "silent"] = Field("quiet", description="What is asked of readers.")
    branches: dict[str, Branch] = Field(default_factory=dict, description="Its houses.")


def opening_times() -> tuple[tuple[str, str], list[tuple[str, str]]]:
    """A table for the site."""
    return ("Day", "Open"), [("Monday", "``08:00``"), ("Sunday", "never")]
