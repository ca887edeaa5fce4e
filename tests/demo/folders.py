"""What the demo's partners hand over as files: in a folder, over SFTP, over FTP, and in a bucket.

The prices are real ones, of the package ``vega_datasets``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.demo.source import Row, records

__all__ = ["partners"]

BUCKET: Final = "market-prices"
_WRITTEN: Final = datetime(2010, 3, 2, 6, tzinfo=UTC).timestamp()


@contextmanager
def partners() -> Iterator[Mapping[str, str]]:
    """Hand the files over until the block ends; the environment that leads Airflow to them."""
    from tests.fakes.ftp import ftp_server
    from tests.fakes.gcs import gcs_server
    from tests.fakes.sftp import sftp_server

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="partners-")))
        shared, by_sftp, by_ftp = (folder / name for name in ("shared", "sftp", "ftp"))
        _write(shared / "prices" / "2010-02.csv", _of_month("Feb 1 2010"))
        _write(shared / "prices" / "2010-03.csv", _of_month("Mar 1 2010"))
        _write(shared / "prices" / "2010-02.csv.done", b"")  # March is still being written
        _write(by_sftp / "outbox" / "microsoft-2010.csv", _of_year("MSFT"))
        digest = hashlib.sha256(_of_year("MSFT")).hexdigest()
        said = f"{digest}  microsoft-2010.csv\n".encode()
        _write(by_sftp / "outbox" / "microsoft-2010.csv.sha256", said)
        _write(by_ftp / "pub" / "amazon-2010.csv", _of_year("AMZN"))
        bucket = stack.enter_context(gcs_server())
        bucket.buckets[bucket.new_bucket(BUCKET)].blobs["ibm/ibm-2010.csv"] = bucket.stored(
            _of_year("IBM")
        )
        yield {
            "AIRFLOW_CONN_SHARED_DRIVE": json.dumps(
                {"conn_type": "fs", "extra": {"path": str(shared)}}
            ),
            "AIRFLOW_CONN_MICROSOFT": stack.enter_context(sftp_server(by_sftp)).connection(),
            "AIRFLOW_CONN_AMAZON": stack.enter_context(ftp_server(by_ftp)).connection(),
            **bucket.environment(),
        }


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (_WRITTEN, _WRITTEN))


def _of_month(date: str) -> bytes:
    return _csv([row for row in records("stocks.csv") if row["date"] == date])


def _of_year(symbol: str) -> bytes:
    rows = records("stocks.csv")
    return _csv([row for row in rows if row["symbol"] == symbol and row["date"].endswith("2010")])


def _csv(rows: Sequence[Row]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
