"""``@task.archive``: every kind of what a function gives, its bytes, and the path that it takes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.entity import Manifest, Origin, Part
from platform_ops.errors import NotArchivable, PlatformError
from platform_ops.ingest import archive_session
from platform_ops.settings import Settings
from platform_ops.tabular import schema_digest
from platform_ops.testing.runner import TaskResult, run_dag, run_task

DAY = "2024-03-05"
ENTITY = "weather.forecast"
TABLE = pa.table({"n": [1, 2, 3]})
MIB = 1 << 20


def operator_of(function: Callable[..., object], **arguments: Any) -> Any:  # Any: as Airflow has it
    with DAG("decorated"):
        return task.archive(**{"entity": ENTITY, **arguments})(function)().operator


def ran(function: Callable[..., object], **arguments: Any) -> TaskResult:
    return run_task(operator_of(function, **arguments), at=DAY)


def committed(result: TaskResult) -> Manifest:
    assert result.state == "success", result.error
    return archive.manifest(result.xcom)


def body(value: object) -> tuple[bytes, str, str, int | None]:
    """What is archived of a function that returns the value: bytes, name, type and rows."""
    result = ran(lambda: value, task_id="any")
    (payload,) = committed(result).payloads
    return archive.open(result.xcom).read(), payload.name, payload.media_type, payload.rows


def pieces(*values: object) -> Callable[[], Iterator[object]]:
    def made() -> Iterator[object]:
        yield from values

    return made


pytestmark = pytest.mark.usefixtures("platform_archive")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00\xff", (b"\x00\xff", "forecast.bin", "application/octet-stream", None)),
        (bytearray(b"ab"), (b"ab", "forecast.bin", "application/octet-stream", None)),
        ("hoch: 31 °C", ("hoch: 31 °C".encode(), "forecast.txt", "text/plain; charset=utf-8", None)),
        ({"high": 31}, (b'{"high":31}\n', "forecast.jsonl", "application/x-ndjson", 1)),
        ([{"a": 1}, {"a": None}], (b'{"a":1}\n{"a":null}\n', "forecast.jsonl", "application/x-ndjson", 2)),
        (pieces(b"a", b"b")(), (b"ab", "forecast.bin", "application/octet-stream", None)),
        (("a", "é"), ("aé".encode(), "forecast.txt", "text/plain; charset=utf-8", None)),
    ],
    ids=["bytes", "bytearray", "text", "row", "rows", "chunks", "pieces of text"],
)  # fmt: skip
def test_what_is_returned_is_archived_as_its_kind(
    value: object, expected: tuple[bytes, str, str, int | None]
) -> None:
    assert body(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_pandas(),
        pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches()),
    ],
    ids=["table", "batch", "pandas", "reader"],
)
def test_a_table_becomes_parquet(value: object) -> None:
    result = ran(lambda: value, task_id="any")
    (payload,) = committed(result).payloads
    assert (payload.name, payload.rows) == ("forecast.parquet", 3)
    assert payload.media_type == "application/vnd.apache.parquet"
    assert payload.schema_sha256 == schema_digest(TABLE.schema)
    found = pq.read_table(io.BytesIO(archive.open(result.xcom).read()))
    assert found.to_pydict() == TABLE.to_pydict()


def test_yielded_tables_of_all_kinds_are_one_body() -> None:
    frame = pd.DataFrame({"n": [4]})
    result = ran(pieces(TABLE, TABLE.to_batches()[0], frame), task_id="any")
    assert archive.as_arrow(result.xcom).to_pydict() == {"n": [1, 2, 3, 1, 2, 3, 4]}
    assert result.xcom["rows"] == 7


def test_rows_keep_what_json_has_no_word_for() -> None:
    row = {
        "at": datetime(2024, 3, 5, 12, tzinfo=UTC),
        "on": date(2024, 3, 5),
        "price": Decimal("1.10"),
        "id": UUID(int=1),
        "n": pd.Series([7])[0],
        "nested": {"text": "é"},
    }
    assert json.loads(body(row)[0]) == {
        "at": "2024-03-05T12:00:00+00:00",
        "on": "2024-03-05",
        "price": "1.10",
        "id": "00000000-0000-0000-0000-000000000001",
        "n": 7,
        "nested": {"text": "é"},
    }


def test_parts_are_bodies_of_their_own() -> None:
    made = pieces(*(Part(name, [name.encode()], Origin("test:")) for name in ("a.txt", "b.txt")))
    result = ran(made, task_id="any")
    assert [each.name for each in committed(result).payloads] == ["a.txt", "b.txt"]
    assert archive.open(result.xcom, "b.txt").read() == b"b.txt"


def test_a_name_tells_the_media_type() -> None:
    (payload,) = committed(ran(lambda: b"%PDF", task_id="any", name="report.pdf")).payloads
    assert (payload.name, payload.media_type) == ("report.pdf", "application/pdf")
    given = {"name": "x.csv", "media_type": "text/csv; header=present"}
    (payload,) = committed(ran(lambda: "a\n", task_id="other", **given)).payloads
    assert payload.media_type == "text/csv; header=present"


def test_the_manifest_says_which_task_was_called_and_nothing_of_its_arguments() -> None:
    @task.archive(entity=ENTITY)
    def forecast(password: str) -> str:
        return password[:1]

    with DAG("decorated"):
        called: Any = forecast("hunter2")  # Any: an XComArg, which hides its operator
    manifest = committed(run_task(called.operator, at=DAY))
    origin = manifest.payloads[0].origin
    assert (origin.url, origin.method) == ("task:decorated/forecast", "call")
    assert origin.fetched_at_utc is not None
    assert b"hunter2" not in manifest.to_json()
    assert len(str(origin.fingerprint)) == 64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the function gave nothing; what can be archived is: bytes, text, dictionaries, "),
        (7, "gave a int; "),
        ([7], "gave a int; "),
        ([{"a": 1}, "b"], "yields rows and then str; yield one kind, or a Part for each body"),
        ([{"a": object()}], "row 1 is no JSON, for a; what JSON lacks may be a time"),
        ([{"a": 1}, {"b": float("nan")}], "row 2 is no JSON, for b; "),
        (
            [TABLE, pa.table({"m": ["x"]})],
            "yields a table with m string, after one with n int64; give all the same columns",
        ),
    ],
    ids=["nothing", "number", "numbers", "mixed", "object", "nan", "other columns"],
)
def test_what_cannot_be_archived_fails_at_once_and_leaves_nothing(
    value: object, message: str
) -> None:
    result = ran(lambda: value, task_id="any")
    assert result.state == "failed"
    assert isinstance(result.error, AirflowFailException)
    assert isinstance(result.error.__cause__, NotArchivable)
    assert message in str(result.error)
    assert list(archive.find(ENTITY)) == []


def test_an_error_of_the_function_is_the_tasks() -> None:
    def fails() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionError("lost")

    result = ran(fails, retries=1)
    assert (result.state, repr(result.error)) == ("up_for_retry", "ConnectionError('lost')")
    assert list(archive.find(ENTITY)) == []


def test_a_generator_that_yields_nothing_makes_a_revision_without_a_body() -> None:
    assert committed(ran(pieces(), task_id="any")).payloads == ()


def test_what_is_yielded_is_archived_before_the_next_is_made(platform_archive: Settings) -> None:
    seen: list[int] = []
    folder = platform_archive.archive.root.removeprefix("file://")

    def big() -> Iterator[bytes]:
        from pathlib import Path

        for _ in range(24):
            yield bytes(MIB)
            seen.append(
                sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
            )

    assert committed(ran(big)).size_bytes == 24 * MIB
    assert seen[-1] >= 16 * MIB


def test_a_replay_and_a_retry_do_not_call_the_function() -> None:
    calls: list[int] = []

    def forecast() -> str:
        calls.append(1)
        return "31"

    operator = operator_of(forecast, retries=2)
    first = run_task(operator, at=DAY)
    again = run_task(operator, at=DAY, try_number=2)
    replay = {"platform_ops": {"replay": True}}
    replayed = run_task(operator, at=DAY, run_id="replay", conf=replay)
    assert first.xcom == again.xcom == replayed.xcom
    assert (len(calls), dict(replayed.asset_events)) == (1, {})
    assert dict(first.asset_events) == {ENTITY: first.xcom}
    missed = run_task(operator, at="2030-01-01", conf=replay)
    assert (missed.state, len(calls)) == ("failed", 1)


def test_a_mapped_function_fills_a_slot_for_each_key() -> None:
    with DAG("mapped") as dag:

        @task.archive(entity=ENTITY, map_key="{{ task.op_kwargs.station }}")
        def forecast(station: str, unit: str) -> dict[str, str]:
            return {"station": station, "unit": unit}

        @task
        def count(refs: Any) -> int:  # Any: references of the mapped task
            return sum(ref["rows"] for ref in refs)

        count(forecast.partial(unit="C").expand(station=["KSEA", "KBOS"]))
    done = run_dag(dag, at=DAY)
    assert done.state == "success", [each.error for each in done.tasks]
    found = {
        each.slot.map_key: archive.open(archive.refer(each)).read() for each in archive.find(ENTITY)
    }
    assert found == {
        "KSEA": b'{"station":"KSEA","unit":"C"}\n',
        "KBOS": b'{"station":"KBOS","unit":"C"}\n',
    }
    assert [each.asset_names for each in done.mapped("forecast")] == [(ENTITY,)] * 2
    assert done["count"].xcom == 2


def test_the_context_and_templates_are_there_as_in_every_task() -> None:
    def told(day: str, ds: str | None = None) -> str:
        return f"{day} {ds}"

    with DAG("decorated"):
        called: Any = task.archive(entity=ENTITY)(told)(
            "{{ data_interval_start | ds }}"
        )  # Any: as above
    result = run_task(called.operator, at=DAY)
    assert archive.open(result.xcom).read() == f"{DAY} {DAY}".encode()


def in_a_task(code: Callable[[], object]) -> TaskResult:
    with DAG("own"):
        own: Any = task(task_id="own")(code)()  # Any: an XComArg, which hides its operator
    return run_task(own.operator, at=DAY)


def test_a_session_takes_every_kind_inside_any_task() -> None:
    def own() -> dict[str, Any]:  # Any: JSON values
        with archive_session(ENTITY) as capture:
            if capture.pending:
                capture.take("fog", "note.txt")
                capture.take([{"high": 31}], "days.jsonl")
                capture.take(TABLE)
                capture.take(b"%PDF", "report.pdf", origin=Origin("https://example.com/report"))
        return capture.reference.to_dict()

    result = in_a_task(own)
    payloads = committed(result).payloads
    assert [(each.name, each.media_type, each.rows) for each in payloads] == [
        ("note.txt", "text/plain", None),
        ("days.jsonl", "application/x-ndjson", 1),
        ("forecast.parquet", "application/vnd.apache.parquet", 3),
        ("report.pdf", "application/pdf", None),
    ]
    assert [each.origin.url for each in payloads] == [
        *["task:own/own"] * 3,
        "https://example.com/report",
    ]


def test_a_session_takes_nothing_where_it_is_archived_already() -> None:
    def own() -> None:
        with archive_session(ENTITY, mode="replay") as capture:
            capture.take("fog")

    committed(ran(lambda: "sun", task_id="any"))
    result = in_a_task(own)
    assert isinstance(getattr(result.error, "__cause__", None), PlatformError)
    assert "take only while it is pending" in str(result.error)
