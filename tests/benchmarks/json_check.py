"""The check that a JSON body is well-formed, beside ``json.loads`` of the same bytes held in memory.

The check reads chunks as they come, keeps nothing of them, and says where a fault is. Processor time,
so that a busy machine tells less of itself.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

ROUNDS: Final = 5
CHUNK_BYTES: Final = 1 << 20
PROMISE: Final = 0.15
"""Whatever the shape, at this many times the speed of ``json.loads`` at least; records at 0.5 times."""
HEADER: Final = ("JSON of this shape", "check, MB/s", "json.loads, MB/s", "× json.loads")
_RECORD: Final[dict[str, Any]] = {  # Any: JSON values
    "id": 123456,
    "name": "Ärger & Söhne",
    "tags": ["a", "b", "c"],
    "price": 12.5,
    "nested": {"x": None, "y": True},
    "text": "as long as what people write of an order " * 2,
}
_RECORDS: Final = ("array of records", "lines of records", "object of records")


def main() -> dict[str, tuple[float, float]]:
    """MB/s of the check and of ``json.loads``, by shape."""
    records = [{**_RECORD, "id": number} for number in range(30_000)]
    bodies = {
        "array of records": json.dumps(records),
        "lines of records": "\n".join(map(json.dumps, records)),
        "object of records": json.dumps({str(each["id"]): each for each in records}),
        "indented": json.dumps(records, indent=2),
        "columns": json.dumps({"a": list(range(300_000)), "b": ["x" * 8] * 300_000}),
        "matrix": json.dumps([[1, 2, 3]] * 200_000),
        "one long string": json.dumps({"a": "x" * 8_000_000}),
    }
    return {shape: _measured(shape, body.encode()) for shape, body in bodies.items()}


def rows(figures: dict[str, tuple[float, float]]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    return [
        (shape, f"{ours:.0f}", f"{loads:.0f}", f"{ours / loads:.2f}")
        for shape, (ours, loads) in figures.items()
    ]


def broken(figures: dict[str, tuple[float, float]]) -> list[str]:
    """Each promise that does not hold, in words."""
    return [
        f"JSON check, {shape}: promised {promise} × json.loads"
        for shape, (ours, loads) in figures.items()
        if ours < (promise := 0.5 if shape in _RECORDS else PROMISE) * loads
    ]


def _measured(shape: str, body: bytes) -> tuple[float, float]:
    from platform_ops.checks.json_text import JsonCheck

    lines = shape.startswith("lines")
    chunks = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]

    def check() -> None:
        found = JsonCheck(lines=lines)
        for chunk in chunks:
            found.feed(chunk)
        found.end()

    def load() -> None:
        for text in body.split(b"\n") if lines else [body]:
            json.loads(text)

    taken: dict[Callable[[], None], list[float]] = {check: [], load: []}
    for _ in range(ROUNDS):
        for contender, seconds in taken.items():
            started = time.process_time()
            contender()
            seconds.append(time.process_time() - started)
    return _speed(body, taken[check]), _speed(body, taken[load])


def _speed(body: bytes, seconds: Sequence[float]) -> float:
    return len(body) / 1e6 / statistics.median(seconds)
