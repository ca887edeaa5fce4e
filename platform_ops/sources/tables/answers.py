"""What a database answers, and the steps that all ways of asking share.

Source: https://peps.python.org/pep-0249/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import SourceRejected
from platform_ops.sources.tables import row_types
from platform_ops.sources.tables.statements import quoted

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Answer",
    "batches_of",
    "described",
    "fetched_rows",
    "require_distinct",
    "schema_of",
    "whole",
    "with_texts",
]

FETCH_ROWS: Final = 1 << 14
"""Rows that a cursor fetches at once; row groups are cut elsewhere, whatever this is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database answers: columns that are known at once, and rows that come as they are drawn."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def require_distinct(names: Sequence[str], where: str) -> None:
    """Refuse columns of one name, which no file could tell apart."""
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise SourceRejected(
            f"{where}: columns share the names {', '.join(twice)}; give each an alias of its own"
        )


def whole(name: str) -> str:
    """A column's name, quoted; a dot in it is a part of it."""
    return quoted(name.replace(".", "\0")).replace("\0", ".")


def with_texts(sql: str, kinds: dict[str, pa.DataType | None]) -> str:
    """The query, with those columns as text that Arrow has no type for."""
    if all(kind is not None for kind in kinds.values()):
        return sql
    listed = ", ".join(
        whole(name) if kind is not None else f"{whole(name)}::text AS {whole(name)}"
        for name, kind in kinds.items()
    )
    return f"SELECT {listed} FROM ({sql}) AS asked"  # noqa: S608  # the author's own query


@contextmanager
def described(cursor: Any, known: dict[str, Any]) -> Iterator[Answer]:  # Any: a driver's; pyarrow
    """The answer of a cursor that names its columns alone; their first rows tell the types."""
    names = [str(each[0]) for each in cursor.description or ()]
    require_distinct(names, "the query")
    rows = fetched_rows(cursor)
    first = next(rows, [])
    columns = list(zip(*first, strict=True)) if first else [()] * len(names)
    pairs = zip(names, columns, strict=True)
    target = schema_of(
        (name, known.get(name) or row_types.inferred(values)) for name, values in pairs
    )
    yield Answer(target, batches_of(chain([first], rows), target))


def fetched_rows(cursor: Any) -> Iterator[list[Any]]:  # Any: a driver's cursor and rows
    """The rows that are left, some at a time."""
    while rows := cursor.fetchmany(FETCH_ROWS):
        yield list(rows)


def batches_of(
    fetched: Iterable[Sequence[Any]],  # Any: a driver's rows
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """Rows as columns, each value exactly as its column's type has it."""
    import pyarrow as pa

    for rows in fetched:
        if rows:
            columns = [
                row_types.array(values, field.type, field.name)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def schema_of(fields: Iterable[tuple[str, Any]]) -> pa.Schema:  # Any: pyarrow's types
    """The schema of these names and types."""
    import pyarrow as pa

    return pa.schema([pa.field(name, kind) for name, kind in fields])
