"""Bodies as analysts read them: by slot, by name, in parts, as rows; with other libraries as well."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from platform_ops import archive
from platform_ops.archive import Commit
from platform_ops.entity import Entity, Part, Slot
from platform_ops.errors import ArchiveCorrupt, NotArchived
from platform_ops.settings import Codec, Settings
from tests.archive.places import Disk, Place, settings_of, store_of
from tests.archive.samples import FORECAST, TUESDAY, commit, part, run, slot

HOW: list[tuple[Codec, bool]] = [("none", False), ("gzip", False), ("none", True), ("gzip", True)]


def stored(settings: Settings, how: tuple[Codec, bool], *parts: Part) -> Commit:
    codec, pack = how
    with archive.session(slot(), run(), codec=codec, pack=pack, settings=settings) as session:
        for each in parts:
            session.write(each)
    assert session.commit is not None
    return session.commit


# --- Which revision -------------------------------------------------------------------------------


def test_a_slot_and_a_manifest_are_opened_like_a_reference(site: Settings) -> None:
    first = commit(site, part(b"old"))
    commit(site, part(b"new"), by=run("manual-2"))
    assert archive.open(slot(), settings=site).read() == b"new"
    assert archive.open(first.manifest, settings=site).read() == b"old"
    assert archive.open(first.reference, settings=site).read() == b"old"
    pinned = archive.newest(slot(), revision=1, settings=site)
    assert archive.open(pinned, settings=site).read() == b"old"


def test_the_newest_of_an_entity_is_that_of_its_latest_slot(site: Settings) -> None:
    late = commit(site, part(b"late"), at=slot(2))
    commit(site, part(b"early"), at=slot(1))
    again = commit(site, part(b"again"), at=slot(2), by=run("manual-2"))
    assert archive.newest("weather.forecast", settings=site) == again.manifest
    assert archive.newest(FORECAST, revision=1, settings=site) == late.manifest
    before = late.manifest.committed_at_utc - timedelta(seconds=1)
    for entity, as_of in (("weather.alerts", None), ("weather.forecast", before)):
        with pytest.raises(NotArchived, match=rf"{entity}: nothing is archived of it in "):
            archive.newest(entity, as_of_utc=as_of, settings=site)


# --- Which bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_bodies_tell_what_they_are_and_give_what_came(
    site: Settings, how: tuple[Codec, bool]
) -> None:
    texts = {f"{number}.txt": f"body {number} ".encode() * 200 for number in range(5)}
    parts = [part(text, name, media_type="text/plain", rows=1) for name, text in texts.items()]
    done = stored(site, how, *parts)
    found = list(archive.bodies(done.reference, site))
    assert [each.name for each in found] == list(texts)
    assert [each.read() for each in found] == list(texts.values())
    assert [each.open().read() for each in reversed(found)] == list(texts.values())[::-1]
    assert {(each.size_bytes, each.media_type, each.rows, each.codec) for each in found} == {
        (1400, "text/plain", 1, None)
    }
    assert found[0].origin.url == "https://weather.example/forecast"
    assert {each.url for each in found} == set(done.reference.payload_urls)
    for name, text in texts.items():
        with archive.open(done.reference, name, settings=site) as body:
            assert body.read() == text
        with archive.open(done.reference, name, seekable=True, settings=site) as body:
            body.seek(1000)
            assert (body.read(3), body.tell()) == (text[1000:1003], 1003)
            body.seek(-4, 2)
            assert body.read() == text[-4:]
            body.seek(0)
            assert body.read() == text
            assert body.read() == b""
    with archive.open(done.reference, settings=site) as stream:
        assert stream.read() == b"".join(texts.values())


def test_a_part_is_read_without_the_rest_where_nobody_wants_it_checked(
    site: Settings, place: Place
) -> None:
    whole = bytes(range(256)) * 4096
    done = commit(site, part(whole))
    key = done.manifest.payloads[0].key
    place.write(key, b"?" * 500_000 + whole[500_000:500_100] + b"?" * (len(whole) - 500_100))
    with archive.open(done.reference, seekable=True, verify=False, settings=site) as body:
        body.seek(500_000)
        assert body.read(100) == whole[500_000:500_100]
    with pytest.raises(ArchiveCorrupt):
        archive.open(done.reference, seekable=True, settings=site)


def test_a_span_ends_where_the_object_does(site: Settings, place: Place) -> None:
    done = commit(site, part(b"0123456789"))
    store, key = store_of(place), done.manifest.payloads[0].key
    spans = [store.span(key, *each) for each in ((0, 3), (7, 3), (8, 99), (10, 1), (99, 1))]
    assert spans == [b"012", b"789", b"89", b"", b""]
    with pytest.raises(NotArchived):
        store.span("data/none", 0, 1)


# --- Rows -----------------------------------------------------------------------------------------


def parquet(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table({"n": range(rows)}), sink, row_group_size=1000)
    return bytes(sink.getvalue())


ROWS: dict[str, tuple[str, bytes]] = {
    "csv": ("text/csv; charset=utf-8", b"n\n" + b"".join(b"%d\n" % n for n in range(5000))),
    "lines": ("application/x-ndjson", b"".join(b'{"n": %d}\n' % n for n in range(5000))),
    "parquet": ("application/vnd.apache.parquet", parquet(5000)),
}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("how", HOW)
def test_rows_come_as_batches_and_as_a_table(
    site: Settings, kind: str, how: tuple[Codec, bool]
) -> None:
    media_type, body = ROWS[kind]
    done = stored(site, how, *(part(body, name, media_type=media_type) for name in "ab"))
    batches = list(archive.batches(done.reference, settings=site))
    assert all(isinstance(batch, pa.RecordBatch) for batch in batches)
    expected = [*range(5000)] * 2
    assert pa.Table.from_batches(batches).column("n").to_pylist() == expected
    assert archive.as_arrow(done.reference, site).column("n").to_pylist() == expected


def test_rows_that_came_compressed_are_rows_too(site: Settings) -> None:
    zipped = gzip.compress(ROWS["csv"][1])  # whose head holds the time
    coded = part(zipped, media_type="text/csv", codec="gzip")
    done = commit(site, coded)
    assert archive.as_arrow(done.manifest, site).num_rows == 5000
    assert sum(batch.num_rows for batch in archive.batches(done.manifest, settings=site)) == 5000
    assert archive.open(done.manifest, settings=site).read() == zipped


def test_a_schema_settles_what_first_rows_leave_open(site: Settings) -> None:
    body = b"n,word\n" + b"1,a\n" * 400_000 + b"1.5,b\n"
    done = commit(site, part(body, media_type="text/csv"))
    with pytest.raises(pa.ArrowInvalid):
        list(archive.batches(done.manifest, settings=site))
    schema = pa.schema({"n": pa.float64(), "word": pa.string()})
    last = list(archive.batches(done.manifest, schema, settings=site))[-1]
    assert last.column("n")[-1].as_py() == 1.5


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_damaged_rows_never_come_whole(site: Settings, place: Place, kind: str) -> None:
    media_type, body = ROWS[kind]
    done = commit(site, part(body, media_type=media_type))
    at = body.index(b"\n7\n") + 1 if kind == "csv" else 100
    place.write(done.manifest.payloads[0].key, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
    with pytest.raises((ArchiveCorrupt, OSError), match="SHA-256"):
        list(archive.batches(done.manifest, settings=site))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"media_type": "text/html"}, "page-0001.json: text/html has no rows to read"),
        ({"media_type": "text/csv", "codec": "br"}, "text/csv in br has no rows to read"),
    ],
)
def test_what_has_no_rows_is_said_with_what_has(
    site: Settings, fields: dict[str, Any], said: str
) -> None:
    done = commit(site, part(**fields))
    for read in (archive.as_arrow, lambda ref, site: list(archive.batches(ref, settings=site))):
        with pytest.raises(ValueError, match=f"{said}; rows come from text/csv, "):
            read(done.reference, site)


# --- Other libraries ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_object_storage_path_and_plain_paths_read_what_is_stored(
    memory: Path, how: tuple[Codec, bool]
) -> None:
    from airflow.sdk import ObjectStoragePath

    place = Disk(memory / "archive of #1, 100%")
    site = settings_of(place)
    names = ["a b.txt", "100%.txt", "#?.txt", "ä.txt"]
    done = stored(site, how, *(part(b"x" * 99 + name.encode(), name) for name in names))
    for url, payload in zip(done.reference.payload_urls, done.manifest.payloads, strict=True):
        assert ObjectStoragePath(url).read_bytes() == place.read(payload.key)
        assert Path(url.removeprefix("file://")).read_bytes() == place.read(payload.key)
        assert len(place.read(payload.key)) == payload.blobs[0].size_bytes


def test_all_of_it_works_in_a_notebook_without_airflow(memory: Path) -> None:
    place = Disk(memory / "archive")
    site = settings_of(place)
    stored(site, ("gzip", True), *(part(ROWS["csv"][1], n, media_type="text/csv") for n in "ab"))
    script = """
import sys
from datetime import UTC, datetime
from platform_ops import archive
from platform_ops.entity import Entity, Slot

newest = archive.newest("weather.forecast")
print(len(archive.open(newest, "b").read()), [body.name for body in archive.bodies(newest)])
print(sum(batch.num_rows for batch in archive.batches(newest)), archive.as_arrow(newest).num_rows)
print(archive.open(Slot(Entity.parse("weather.forecast"), datetime(2024, 3, 5, tzinfo=UTC))).read(2))
print(sorted(name for name in sys.modules if name.split(".")[0] == "airflow"))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"PLATFORM_OPS__ARCHIVE__ROOT": place.root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    size = len(ROWS["csv"][1])
    assert (ran.stderr, ran.stdout) == ("", f"{size} ['a', 'b']\n10000 10000\nb'n\\n'\n[]\n")


def test_a_slot_of_another_entity_is_not_there(site: Settings) -> None:
    with pytest.raises(NotArchived):
        archive.open(Slot(Entity("weather", "alerts"), TUESDAY), settings=site)
