"""Tables on their way into the archive: their rows, types, digests, and the memory they take."""

from __future__ import annotations

import decimal
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_ops.entity import Origin
from platform_ops.tabular import GROUP_ROWS, columns, parquet_part, schema_digest, table_batches

ORIGIN = Origin("test:")
EXACT = pa.schema(
    [
        pa.field("price", pa.decimal128(18, 4), nullable=False),
        ("at", pa.timestamp("us", tz="America/New_York")),
        ("tags", pa.list_(pa.string())),
        ("raw", pa.binary()),
        ("id", pa.uuid()),
        ("about", pa.json_()),
    ]
)
ROWS = {
    "price": [decimal.Decimal("1.2500"), decimal.Decimal("-3.0001")],
    "at": [datetime(2024, 3, 5, 12, tzinfo=UTC), None],
    "tags": [["a", None], None],
    "raw": [b"\x00\xff", None],
    "id": [bytes(16), None],
    "about": ['{"a": 1}', None],
}


def written(batches: object, **options: object) -> bytes:
    part = parquet_part(batches, "x.parquet", ORIGIN, **options)  # type: ignore[arg-type]  # of the test
    return b"".join(part.body)


def numbers(rows: int, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows, size):
        yield pa.record_batch({"n": pa.array(range(start, min(start + size, rows)))})


def test_every_type_is_kept_exactly() -> None:
    table = pa.table(ROWS, schema=EXACT)
    part = parquet_part(table.to_batches(), "x.parquet", ORIGIN)
    again = pq.read_table(io.BytesIO(b"".join(part.body)))
    assert again.schema.equals(EXACT)
    assert again.equals(table)
    assert (part.rows_read(), part.schema_read()) == (2, schema_digest(EXACT))


def test_equal_rows_make_equal_bytes_however_they_were_batched() -> None:
    rows = 2 * GROUP_ROWS + 10
    found = {written(numbers(rows, size)) for size in (1000, 7777, rows)}
    assert len(found) == 1
    about = pq.read_metadata(io.BytesIO(found.pop()))
    groups = [about.row_group(each).num_rows for each in range(about.num_row_groups)]
    assert groups == [GROUP_ROWS, GROUP_ROWS, 10]


def test_nothing_is_drawn_before_the_body_is_read_and_one_group_at_a_time() -> None:
    drawn: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for each in numbers(40, 10):
            drawn.append(each.num_rows)
            yield each

    body = iter(parquet_part(batches(), "x", ORIGIN, group_rows=10).body)
    assert drawn == []
    next(body)
    assert sum(drawn) == 10
    assert len(list(body)) == 4  # three groups more, and the footer


def test_an_empty_table_keeps_its_columns() -> None:
    part = parquet_part(table_batches(EXACT.empty_table()), "x", ORIGIN)
    assert pq.read_schema(io.BytesIO(b"".join(part.body))).equals(EXACT)
    assert (part.rows_read(), part.schema_read()) == (0, schema_digest(EXACT))


def test_no_batch_and_no_schema_is_told() -> None:
    with pytest.raises(ValueError, match="no columns; pass schema="):
        written([])


def test_a_dataframe_comes_by_arrow_s_interface() -> None:
    frame = pd.DataFrame({"n": [1, 2], "at": pd.to_datetime(["2024-01-01"] * 2, utc=True)})
    found = table_batches(frame)
    assert [(each.name, each.type) for each in columns(found.schema)] == [
        ("n", "int64"),
        ("at", "timestamp[us, tz=UTC]"),
    ]
    assert pq.read_table(io.BytesIO(written(found))).num_rows == 2
    batch = pa.record_batch({"n": [1]})
    assert [each.to_pydict() for each in table_batches(batch)] == [{"n": [1]}]


@pytest.mark.parametrize(
    "other",
    [
        EXACT.set(0, EXACT.field(0).with_nullable(True)),
        EXACT.set(0, pa.field("price", pa.decimal128(18, 5), nullable=False)),
        EXACT.set(0, pa.field("cost", pa.decimal128(18, 4), nullable=False)),
        pa.schema(reversed(list(EXACT))),
        EXACT.set(4, pa.field("id", pa.binary(16))),
    ],
    ids=["nullable", "scale", "name", "order", "extension"],
)
def test_a_change_of_columns_changes_the_digest(other: pa.Schema) -> None:
    assert schema_digest(other) != schema_digest(EXACT)


def test_remarks_of_a_driver_do_not() -> None:
    assert schema_digest(EXACT.with_metadata({"driver": "7.1"})) == schema_digest(EXACT)


def test_an_extension_that_nobody_registered_counts_by_its_name() -> None:
    named = {"ARROW:extension:name": "geoarrow.point"}
    point = pa.schema([pa.field("at", pa.binary(), metadata=named)])
    assert columns(point)[0].type == "geoarrow.point<binary>"


def test_memory_does_not_grow_with_the_rows() -> None:
    script = """
import pyarrow as pa, resource, sys
from platform_ops.entity import Origin
from platform_ops.tabular import parquet_part
batch = pa.record_batch({"n": pa.array(range(65536)), "text": ["x" * 50] * 65536})
for _ in parquet_part((batch for _ in range(int(sys.argv[1]))), "x", Origin("")).body:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", script, count], env=environment))
        for count in ("4", "40")
    ]
    assert peaks[1] - peaks[0] < 32 << 10  # KiB
