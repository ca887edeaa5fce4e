"""Rows of archived bodies as Arrow tables and batches."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from platform_ops.archive.payloads import codec
from platform_ops.archive.payloads.content import Body

__all__ = ["batches", "table"]

_PIECE_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _Format:
    """How the rows of a media type are read: at once, or batch by batch.

    :param seeks: Whether batches need a file that can be sought in.
    """

    table: Callable[[pa.NativeFile], pa.Table]
    batches: Callable[[BinaryIO, pa.Schema | None], Iterable[pa.RecordBatch]]
    seeks: bool = False


def table(bodies: Iterable[Body]) -> pa.Table:
    """All bodies as one table; columns are matched by name.

    :raises ValueError: A media type has no rows.
    """
    tables = []
    for body in bodies:
        kind = _format(body)
        with _opened(body, seekable=False, verify=True) as file:
            tables.append(kind.table(pa.BufferReader(file.read())))
    return pa.concat_tables(tables, promote_options="default")


def batches(
    bodies: Iterable[Body], schema: pa.Schema | None, *, verify: bool
) -> Iterator[pa.RecordBatch]:
    """The rows batch by batch, in constant memory.

    :param schema: Types of columns, where those of a body's first rows do not serve for all of it.
    """
    for body in bodies:
        kind = _format(body)
        with _opened(body, seekable=kind.seeks, verify=verify) as file:
            yield from kind.batches(file, schema)


def _opened(body: Body, *, seekable: bool, verify: bool) -> BinaryIO:
    """A body without the content coding that it came with."""
    if not _coded(body):
        return body.open(verify=verify, seekable=seekable)
    with body.open(verify=verify) as coded:
        pieces = iter(lambda: coded.read(_PIECE_BYTES), b"")
        plain = codec.decode(str(body.codec), pieces, f"{body.url}: {body.name}")
        return io.BytesIO(b"".join(plain))


def _coded(body: Body) -> bool:
    return body.codec not in (None, "", "identity")


def _format(body: Body) -> _Format:
    found = _FORMATS.get(body.media_type.partition(";")[0].strip().lower())
    if found is None or (_coded(body) and body.codec not in codec.SUFFIXES):
        coded = f" in {body.codec}" if _coded(body) else ""
        raise ValueError(
            f"{body.name}: {body.media_type}{coded} has no rows to read; "
            f"rows come from {', '.join(_FORMATS)}"
        )
    return found


def _csv(file: BinaryIO, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    options = pyarrow.csv.ConvertOptions(column_types=schema)
    with pyarrow.csv.open_csv(file, convert_options=options) as reader:
        yield from reader


def _json(file: BinaryIO, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    options = pyarrow.json.ParseOptions(explicit_schema=schema)
    with pyarrow.json.open_json(file, parse_options=options) as reader:
        yield from reader


def _parquet(file: BinaryIO, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
    with closing(pyarrow.parquet.ParquetFile(file)) as found:
        for batch in found.iter_batches(_BATCH_ROWS):
            yield batch if schema is None else batch.cast(schema)


_FORMATS: Final = {
    "text/csv": _Format(pyarrow.csv.read_csv, _csv),
    "application/x-ndjson": _Format(pyarrow.json.read_json, _json),
    "application/jsonl": _Format(pyarrow.json.read_json, _json),
    "application/vnd.apache.parquet": _Format(pyarrow.parquet.read_table, _parquet, seeks=True),
}
