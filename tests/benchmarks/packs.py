"""Ten thousand bodies of 2 KiB: packed and durable, beside a file each, and beside other formats of packs.

It is what ADR 0008 chose by. Every contender hashes each body and makes what it wrote durable.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import measured, servers

MODULE: Final = "tests.benchmarks.packs"
BODIES: Final = 10_000
BODY_BYTES: Final = 2048
PROMISED_PER_S: Final = 10_000
HEADER: Final = (
    f"{BODIES:,} × 2 KiB",
    "bodies/s",
    "MiB stored",
    "peak MiB of the process",
    "one body, ms",
)
ROUNDS: Final = 3
NAME: Final = "item-007777.json"

ARCHIVED: Final = ("archive, packed", "archive, packed and deflated")
FORMATS: Final = ("ZIP, stored", "ZIP, deflated", "WARC", "WARC, gzip", "Parquet", "Parquet, zstd")
OTHERS: Final = ("a file each, fsynced", "an object each, obstore")
CONTENDERS: Final = (*ARCHIVED, *FORMATS, *OTHERS)


@dataclass(frozen=True)
class Row:
    """What a contender reached.

    :param per_s: Bodies a second, hashed and durable.
    :param size_mib: What it takes on disk, with its list of bodies where it has one.
    :param peak_mib: What its process held at most.
    :param read_ms: One body of them, found by its name; None where that is no question.
    """

    per_s: float
    size_mib: float
    peak_mib: float
    read_ms: float | None


def main(rounds: int = ROUNDS) -> dict[str, Row]:
    """Every contender, side by side."""
    with servers.s3_sink() as sink, tempfile.TemporaryDirectory() as folder:
        environment = {
            "AWS_ENDPOINT_URL": sink,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
        }
        figures = measured.medians(
            MODULE, CONTENDERS, rounds=rounds, arguments=[folder], environment=environment
        )
        return {
            name: Row(
                BODIES / figure.seconds,
                _size_mib(Path(folder) / name),
                figure.peak_mib,
                _read_ms(name, Path(folder) / name),
            )
            for name, figure in figures.items()
        }


def broken(rows: dict[str, Row]) -> list[str]:
    """Each promise that does not hold, in words."""
    name = ARCHIVED[0]
    if rows[name].per_s >= PROMISED_PER_S:
        return []
    return [f"{name}: promised {PROMISED_PER_S} bodies a second, has {rows[name].per_s:.0f}"]


def told(rows: dict[str, Row]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    return [
        (
            name,
            f"{row.per_s:,.0f}",
            f"{row.size_mib:.1f}" if row.size_mib else "",
            f"{row.peak_mib:.0f}",
            "" if row.read_ms is None else f"{row.read_ms:.1f}",
        )
        for name, row in rows.items()
    ]


def _bodies() -> Iterator[tuple[str, bytes]]:
    dice = random.Random(20151201)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(3000)]
    for number in range(BODIES):
        text = b" ".join(dice.choices(words, k=BODY_BYTES // 7 - 4))
        body = b'{"id": %6d, "text": "%b"}' % (number, text)
        yield f"item-{number:06}.json", body.ljust(BODY_BYTES)


# --- Contenders -----------------------------------------------------------------------------------


def _archived(folder: Path, bodies: list[tuple[str, bytes]], codec: str) -> None:
    from platform_ops import archive
    from platform_ops.entity import Origin, Part
    from tests.archive.samples import run, slot

    with archive.session(slot(), run(), pack=True, settings=_site(folder, codec)) as session:
        for name, body in bodies:
            origin = Origin(f"https://api.example/items/{name}", status=200)
            session.write(Part(name, [body], origin, "application/json"))


def _site(folder: Path, codec: str = "none") -> Any:  # Any: its class is imported late
    from platform_ops.settings import Settings

    entity = {"pack": True, "codec": codec}
    return Settings.model_validate(
        {
            "archive": {"root": f"file://{folder}"},
            "sources": {"weather": {"entities": {"forecast": entity}}},
        }
    )


def _zip(folder: Path, bodies: list[tuple[str, bytes]], method: int) -> None:
    with (folder / "pack").open("wb") as file:
        with zipfile.ZipFile(file, "w", method) as pack:
            for name, body in bodies:
                hashlib.sha256(body).hexdigest()
                pack.writestr(zipfile.ZipInfo(name), body, method)
        _sync(file)


def _warc(folder: Path, bodies: list[tuple[str, bytes]], *, gzip: bool) -> None:
    from warcio.warcwriter import WARCWriter

    with (folder / "pack").open("wb") as file:
        writer = WARCWriter(file, gzip=gzip)
        for name, body in bodies:
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            record = writer.create_warc_record(
                f"https://api.example/items/{name}",
                "resource",
                payload=io.BytesIO(body),
                length=len(body),
                warc_content_type="application/json",
                warc_headers_dict={"WARC-Block-Digest": digest, "WARC-Payload-Digest": digest},
            )
            writer.write_record(record)
        _sync(file)


def _parquet(folder: Path, bodies: list[tuple[str, bytes]], compression: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    schema = pa.schema({"name": pa.string(), "sha256": pa.string(), "body": pa.binary()})
    with (folder / "pack").open("wb") as file:
        with pyarrow.parquet.ParquetWriter(
            file, schema, compression=compression, use_dictionary=False
        ) as writer:
            for start in range(0, len(bodies), 1000):
                some = bodies[start : start + 1000]
                digests = [hashlib.sha256(body).hexdigest() for _, body in some]
                names, contents = zip(*some, strict=True)
                columns = [names, digests, contents]
                writer.write_table(pa.table([*map(pa.array, columns)], schema=schema))
        _sync(file)


def _files(folder: Path, bodies: list[tuple[str, bytes]]) -> None:
    for name, body in bodies:
        hashlib.sha256(body).hexdigest()
        with (folder / name).open("wb") as file:
            file.write(body)
            _sync(file)


def _objects(_: Path, bodies: list[tuple[str, bytes]]) -> None:
    import asyncio

    import obstore
    from obstore.store import S3Store

    store = S3Store("bucket")

    async def put(some: list[tuple[str, bytes]]) -> None:
        for name, body in some:
            hashlib.sha256(body).hexdigest()
            await obstore.put_async(store, name, body)

    async def all_of_them() -> None:
        await asyncio.gather(*(put(bodies[lane::32]) for lane in range(32)))

    asyncio.run(all_of_them())


def _sync(file: Any) -> None:  # Any: a binary file of whichever kind
    file.flush()
    os.fsync(file.fileno())


WRITERS: Final[dict[str, Callable[[Path, list[tuple[str, bytes]]], None]]] = {
    "archive, packed": lambda folder, bodies: _archived(folder, bodies, "none"),
    "archive, packed and deflated": lambda folder, bodies: _archived(folder, bodies, "gzip"),
    "ZIP, stored": lambda folder, bodies: _zip(folder, bodies, zipfile.ZIP_STORED),
    "ZIP, deflated": lambda folder, bodies: _zip(folder, bodies, zipfile.ZIP_DEFLATED),
    "WARC": lambda folder, bodies: _warc(folder, bodies, gzip=False),
    "WARC, gzip": lambda folder, bodies: _warc(folder, bodies, gzip=True),
    "Parquet": lambda folder, bodies: _parquet(folder, bodies, "none"),
    "Parquet, zstd": lambda folder, bodies: _parquet(folder, bodies, "zstd"),
    "a file each, fsynced": _files,
    "an object each, obstore": _objects,
}


# --- Reading one of them --------------------------------------------------------------------------


def _read_archived(folder: Path) -> bytes:
    from platform_ops import archive
    from tests.archive.samples import slot

    return archive.open(slot(), NAME, settings=_site(folder)).read()


def _read_zip(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "pack") as pack:
        return pack.read(NAME)


def _read_warc(folder: Path) -> bytes:
    from warcio.archiveiterator import ArchiveIterator

    with (folder / "pack").open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_headers.get_header("WARC-Target-URI").endswith(NAME):
                return bytes(record.content_stream().read())
    raise LookupError(NAME)


def _read_parquet(folder: Path) -> bytes:
    import pyarrow.parquet

    found = pyarrow.parquet.read_table(folder / "pack", filters=[("name", "==", NAME)])
    return bytes(found.column("body")[0].as_py())


def _read_ms(name: str, folder: Path) -> float | None:
    readers = {"archive": _read_archived, "ZIP": _read_zip, "WARC": _read_warc}
    readers["Parquet"] = _read_parquet
    read = readers.get(name.partition(",")[0])
    if read is None:
        return None
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        body = read(folder)
        seconds.append(time.perf_counter() - started)
        if len(body) != BODY_BYTES:
            raise ValueError(f"{name}: read {len(body)} bytes")
    return statistics.median(seconds) * 1000


def _size_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / (1 << 20)


def _child(name: str, folder: Path) -> None:
    import shutil

    bodies = list(_bodies())
    WRITERS[name](Path(tempfile.mkdtemp(dir=folder)), bodies[:10])  # imported, and tried once
    target = folder / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    measured.report(lambda: WRITERS[name](target, bodies))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _child(sys.argv[1], Path(sys.argv[2]))
    else:
        for contender, row in main().items():
            print(f"{contender:30}{row.per_s:9.0f}/s  {row}")
