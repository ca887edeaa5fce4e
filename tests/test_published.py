"""What the site's own agreement and archive hand to the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part, RunIdentity, Slot
from platform_ops.published import published
from platform_ops.registry.models.entities import Arrival, Column

_TOML = """
[sources.weather]
description = "The weather service."
owner = "weather-desk"

[sources.weather.entities.daily]
description = "A day."
retention_days = 30

[sources.weather.entities.never]
"""
_NOW = "2026-11-21T00:00:00+00:00"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    toml = tmp_path / "platform.toml"
    toml.write_text(_TOML)
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(toml))
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    return f"file://{tmp_path}/archive"


def _archive(day: int, body: bytes, media_type: str = "text/csv") -> None:
    slot = Slot(Entity("weather", "daily"), datetime(2026, 11, day, tzinfo=UTC))
    run = RunIdentity("dag", "task", f"run-{day}-{len(body)}")
    with archive.session(slot, run) as session:
        origin = Origin("https://example.com")
        session.write(Part("day.csv", [body], origin, media_type=media_type, rows=1))


def test_agreement_place_and_arrivals_are_handed_out(root: str) -> None:
    _archive(17, b"date,max\n17,1\n")
    _archive(19, b"date,max\n19,1\n")
    _archive(19, b"date,max\n19,22\n")  # another revision of the same slot

    found = published(_NOW)

    daily, never = found.entities
    assert (daily.owner, daily.retention, daily.reachable) == ("weather-desk", "30 days", True)
    assert daily.url_pattern.startswith(f"{root}/data/v1/weather/daily/dt={{date}}/")
    assert daily.url_example.startswith(f"{root}/data/v1/weather/daily/dt=2026-11-19/")
    assert daily.asset == "platform-ops://weather/daily"
    assert daily.columns == (Column("date"), Column("max"))
    assert daily.arrivals == (Arrival("2026-11-17", 1, 14, 1), Arrival("2026-11-19", 1, 15, 1))
    assert (never.arrivals, never.last_arrived) == ((), "")
    assert found.sources[0].description == "The weather service."
    assert found.live


@pytest.mark.parametrize("rows", [[1, 2], []])
def test_columns_of_parquet_have_their_types(root: str, rows: list[int]) -> None:
    table = pa.table({"id": pa.array(rows, pa.int32()), "name": pa.array(["x"] * len(rows))})
    out = BytesIO()
    pq.write_table(table.cast(pa.schema({"id": pa.int32(), "name": pa.string()})), out)
    _archive(17, out.getvalue(), "application/vnd.apache.parquet")

    daily, _ = published(_NOW).entities

    assert daily.format == "application/vnd.apache.parquet"
    assert daily.columns == (Column("id", "int32"), Column("name", "string"))


def test_without_an_archive_the_agreement_is_still_told(root: str) -> None:
    found = published(_NOW)
    assert [each.reachable for each in found.entities] == [False, False]
    assert found.entities[0].url_example.startswith(root)
    assert not found.live
