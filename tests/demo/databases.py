"""The demo's databases: a weather station's own, and a warehouse that wants its readings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

__all__ = ["databases"]

_STATION: Final = """
CREATE TABLE observations (
    id INTEGER PRIMARY KEY, day DATE NOT NULL, highest_c REAL, lowest_c REAL, weather TEXT
)
"""
_WAREHOUSE: Final = """
CREATE TABLE weather (
    id INTEGER, day DATE, highest_c REAL, lowest_c REAL, weather TEXT,
    archive_slot TEXT, archive_revision INTEGER, archive_run TEXT
)
"""


@contextmanager
def databases(readings: Sequence[Mapping[str, str]]) -> Iterator[dict[str, str]]:
    """Both as files that are gone when the block ends; Airflow's connections to them.

    :param readings: Rows of the station: date, extremes of temperature, kind of weather.
    """
    with TemporaryDirectory(prefix="databases-") as folder:
        files = {name: str(Path(folder, f"{name}.db")) for name in ("station", "warehouse")}
        rows = [
            (row["date"].replace("/", "-"), row["temp_max"], row["temp_min"], row["weather"])
            for row in readings
        ]
        insert = "INSERT INTO observations (day, highest_c, lowest_c, weather) VALUES (?, ?, ?, ?)"
        with closing(sqlite3.connect(files["station"])) as station:
            station.execute(_STATION)
            station.executemany(insert, rows)
            station.commit()
        with closing(sqlite3.connect(files["warehouse"])) as warehouse:
            warehouse.execute(_WAREHOUSE)
        yield {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(
                {"conn_type": "archiving_sqlite", "host": path}
            )
            for name, path in files.items()
        }
