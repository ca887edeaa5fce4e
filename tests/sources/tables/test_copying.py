"""Arrow as the text that COPY reads; ``tests/integration/sources/test_sql_loading.py`` asks PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_ops.sources.tables.copying import copied

ESCAPED = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def read(line: bytes) -> list[str | None]:
    """One line as PostgreSQL's documentation of COPY says to read it."""
    return [None if each == r"\N" else plain(each) for each in line.decode().split("\t")]


def plain(text: str) -> str:
    pieces = iter(text)
    return "".join(ESCAPED[next(pieces)] if each == "\\" else each for each in pieces)


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.integers(0, 9)), max_size=9))
def test_every_text_comes_back(rows: list[tuple[str | None, int | None]]) -> None:
    texts, numbers = ([row[at] for row in rows] for at in (0, 1))
    batch = pa.record_batch(
        {"text": pa.array(texts, pa.string()), "n": pa.array(numbers, pa.int8())}
    )
    lines = copied(batch).split(b"\n")
    assert lines.pop() == b""
    assert [read(each) for each in lines] == [
        [text, None if number is None else str(number)] for text, number in rows
    ]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (pa.array([Decimal("1.25")]), "1.25"),
        (pa.array([datetime(2024, 3, 5, 12, tzinfo=UTC)]), "2024-03-05 12:00:00.000000Z"),
        (pa.array([timedelta(days=1, seconds=2)]), "1 days 2 seconds 0 microseconds"),
        (pa.array([float("nan")]), "nan"),
        (pa.array([True]), "true"),
        (pa.array([b"\x00\xff"]), r"\x00ff"),
        (pa.array([["a", None, 'b"\\', ""]]), r'{"a",NULL,"b\"\\",""}'),
        (pa.array([[[1, 2], [3, 4]]]), '{{"1","2"},{"3","4"}}'),
        (pa.array([{"a": 1}]), '{"a": 1}'),
        (pa.array(["x"]).dictionary_encode(), "x"),
    ],
    ids=lambda each: str(each.type) if isinstance(each, pa.Array) else "",
)
def test_a_value_is_what_postgres_reads(array: pa.Array, text: str) -> None:
    assert read(copied(pa.record_batch({"v": array})).rstrip(b"\n")) == [text]


def test_rows_of_a_slice_are_those_of_the_slice() -> None:
    batch = pa.record_batch({"v": ["a\t", "b", "c"]}).slice(1, 1)
    assert copied(batch) == b"b\n"
