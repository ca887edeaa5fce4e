"""The first rows of a Parquet file on standard input, as JSON: a process of its own, which may die.

A file from outside can ask its reader for any amount of memory, or fell it; here that ends a child whose
memory and time are limited, and that has nothing to lose.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any, Final

__all__ = ["main"]

_MEMORY_BYTES: Final = 1 << 30


def main(rows: int, columns: int, letters: int, seconds: int) -> None:
    """Print columns and rows, or what is wrong with the file."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        found: dict[str, Any] = {  # Any: JSON values
            "fault": "pyarrow is not installed; run: pip install 'platform-ops[arrow]'"
        }
    else:
        pa.set_cpu_count(1)
        try:
            found = _read(parquet.ParquetFile(sys.stdin.buffer), rows, columns, letters)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as err:
            found = {"fault": _reason(err)}
    sys.stdout.write(json.dumps(found))


def _read(
    file: Any,  # Any: pyarrow has no types
    rows: int,
    columns: int,
    letters: int,
) -> dict[str, Any]:  # Any: JSON values
    schema = file.schema_arrow
    wanted = schema.names[:columns]
    batches = file.iter_batches(batch_size=rows + 1, columns=wanted, use_threads=False)
    batch = next(batches, None)
    found = [] if batch is None else [_cells(row, letters) for row in zip(*batch, strict=True)]
    return {
        "columns": schema.names,
        "rows": found[:rows],
        "whole": file.metadata.num_rows <= rows,
    }


def _cells(row: tuple[Any, ...], letters: int) -> list[str]:  # Any: Arrow's scalars
    cells = []
    for value in row:
        text = ""
        with contextlib.suppress(ValueError, OverflowError):  # a time that Python has no word for
            plain = value.as_py()
            text = "" if plain is None else str(plain)
        cells.append(text[: letters + 1])
    return cells


def _reason(err: BaseException) -> str:
    """Of what kind it is, without a word of the file's own."""
    if isinstance(err, MemoryError):
        return "they take too much memory"
    return f"they are damaged, or of a kind that is not known here ({type(err).__name__})"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
