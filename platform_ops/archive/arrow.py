"""Rows of archived payloads as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from platform_ops.archive.read import PayloadStream
from platform_ops.archive.store import Store
from platform_ops.entity import Manifest

__all__ = ["table"]

_READERS: Final[dict[str, Callable[[pa.NativeFile], pa.Table]]] = {
    "text/csv": pyarrow.csv.read_csv,
    "application/x-ndjson": pyarrow.json.read_json,
    "application/jsonl": pyarrow.json.read_json,
    "application/vnd.apache.parquet": pyarrow.parquet.read_table,
}


def table(store: Store, manifest: Manifest) -> pa.Table:
    """All payloads as one table; columns are matched by name.

    :raises ValueError: A media type has no rows.
    """
    tables = []
    for payload in manifest.payloads:
        read = _READERS.get(payload.media_type.partition(";")[0].strip())
        if read is None or payload.codec is not None:
            raise ValueError(
                f"{payload.name}: {payload.media_type} has no rows to read; "
                f"rows come from {', '.join(_READERS)}"
            )
        stream = pa.PythonFile(PayloadStream(store, [payload]), mode="r")
        # Parquet seeks; the stream does not. A payload of rows is read whole in any case.
        tables.append(read(pa.BufferReader(stream.read())))
    return pa.concat_tables(tables, promote_options="default")
