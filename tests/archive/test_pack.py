"""Packs: many small bodies in one object, each readable alone, by this library and by stock tools."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import re
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_ops import archive
from platform_ops.archive import Commit, Outcome
from platform_ops.archive.payloads import pack
from platform_ops.archive.payloads.pack import Names
from platform_ops.archive.records import browse
from platform_ops.entity import Manifest, Origin, Part
from platform_ops.errors import ArchiveCorrupt, NotArchived, PlatformError, SourceTruncated
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place, settings_of, store_of
from tests.archive.samples import commit, faults, part, run, slot
from tests.archive.strays import LONG_AGO

HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "a/../../b", "C:\\Windows\\x", "CON", "nul.txt",
    "line\nbreak", "\0", "", "~", "Name", "name", "é", "e\u0301", "\udc80", "x" * 400, "-rf",
]  # fmt: skip


def taken(settings: Settings, *parts: Part, by: str = "scheduled-1", **wish: Any) -> Commit:
    """One session that packs."""
    with archive.session(slot(), run(by), pack=True, settings=settings, **wish) as session:
        for each in parts:
            session.write(each)
    assert session.commit is not None
    return session.commit


def three(*, last: bytes = b"three") -> list[Part]:
    bodies = {"b.json": b"two", "a.json": b"one", "c.json": last}
    return [part(body, name, media_type="application/json") for name, body in bodies.items()]


def contents(manifest: Manifest, settings: Settings) -> dict[str, bytes]:
    return {body.name: body.read() for body in archive.bodies(manifest, settings)}


# --- What is stored -------------------------------------------------------------------------------


def test_many_bodies_make_one_object_a_list_and_a_manifest(site: Settings, place: Place) -> None:
    done = taken(site, *three())
    (payload,) = done.manifest.payloads
    assert done.manifest.bodies == 3
    names = [key.rpartition("/")[2] for key in place.objects()]
    assert names[:3] == ["pack-0001.members.jsonl.gz", "pack-0001.zip", "000001.json"]
    lines = gzip.decompress(place.read(payload.blobs[1].key)).splitlines()
    listed = [json.loads(line) for line in lines]
    assert [(each["name"], each["size_bytes"]) for each in listed] == [
        ("b.json", 3), ("a.json", 3), ("c.json", 5),
    ]  # fmt: skip
    assert listed[0]["sha256"] == hashlib.sha256(b"two").hexdigest()
    assert listed[0]["media_type"] == "application/json"
    assert listed[0]["origin"]["url"] == "https://weather.example/forecast"
    stored = place.read(payload.key)
    assert stored[listed[1]["offset"] :][: listed[1]["stored_bytes"]] == b"one"
    assert faults(site) == []


def test_a_manifest_of_ten_thousand_bodies_stays_small(memory: Path) -> None:
    site = settings_of(Disk(memory / "archive"))
    done = taken(site, *(part(b"%d" % number, f"{number:05}") for number in range(10_001)))
    assert done.manifest.bodies == 10_001
    assert [each.name for each in done.manifest.payloads] == ["pack-0001.zip", "10000"]
    assert len(done.manifest.to_json()) < 4000
    with archive.open(done.manifest, "07777", settings=site) as body:
        assert body.read() == b"7777"


def test_the_digest_of_a_pack_is_that_of_its_bodies_by_stock_tools(
    memory: Path, tmp_path: Path
) -> None:
    place = Disk(memory / "archive")
    for wish in ({}, {"codec": "gzip"}):
        done = taken(settings_of(place), *three(), by=str(wish), **wish)
        (payload,) = done.manifest.payloads
        subprocess.run(
            ["unzip", "-q", "-o", place.folder / payload.key, "-d", tmp_path], check=True
        )
        shell = "sha256sum b.json a.json c.json | sha256sum"
        printed = subprocess.run(shell, shell=True, cwd=tmp_path, capture_output=True, check=True)
        assert printed.stdout.decode().split()[0] == payload.sha256


def test_one_body_is_no_pack_and_none_is_nothing(site: Settings, place: Place) -> None:
    alone = taken(site, part(b"alone", rows=lambda: 7))
    (payload,) = alone.manifest.payloads
    assert (payload.members, payload.stored, payload.rows) == (None, None, 7)
    assert place.read(payload.key) == b"alone"
    assert taken(site, by="another").manifest.payloads == ()


def test_a_big_body_stands_beside_the_pack(site: Settings) -> None:
    big = [b"x" * (1 << 20)] * 5
    done = taken(site, part(b"1", "1"), part(iter(big), "2"), part(b"3", "3"))
    assert [each.name for each in done.manifest.payloads] == ["pack-0001.zip", "2"]
    assert contents(done.manifest, site) == {"1": b"1", "3": b"3", "2": b"".join(big)}
    with archive.open(done.manifest, "2", settings=site) as body:
        assert body.read() == b"".join(big)


def test_a_full_pack_is_followed_by_another(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "BODIES_LIMIT", 4)
    parts = [part(b"%d" % number, f"{number:02}") for number in range(10)]
    done = taken(site, *parts)
    assert [each.members and each.members.count for each in done.manifest.payloads] == [4, 4, 2]
    assert list(contents(done.manifest, site)) == [f"{number:02}" for number in range(10)]
    with archive.open(done.manifest, settings=site) as stream:
        assert stream.read() == b"0123456789"


def test_rows_and_schemas_are_told_once_a_body_was_read(site: Settings) -> None:
    seen: list[bytes] = []

    def lines() -> Iterator[bytes]:
        for line in (b"1\n", b"2\n"):
            seen.append(line)
            yield line

    counted = [
        part(lines(), name, rows=lambda: len(seen), schema_sha256=lambda: f"{len(seen)}")
        for name in ("a", "b")
    ]
    manifest = taken(site, *counted).manifest
    found = list(archive.bodies(manifest, site))
    assert [(each.rows, each.about.schema_sha256) for each in found] == [(2, "2"), (4, "4")]
    assert manifest.rows == 6
    alone = commit(site, part(lines(), rows=lambda: len(seen)), by=run("alone"))
    assert alone.manifest.rows == 6


# --- Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["unzip", "zipfile"])
def test_hostile_names_unpack_into_their_folder_and_are_read_back(
    memory: Path, tmp_path: Path, tool: str
) -> None:
    place = Disk(memory / "archive")
    site = settings_of(place)
    done = taken(site, *(part(name.encode("utf-8", "surrogatepass"), name) for name in HOSTILE))
    assert contents(done.manifest, site) == {
        name: name.encode("utf-8", "surrogatepass") for name in HOSTILE
    }
    for name in HOSTILE:
        with archive.open(done.manifest, name, settings=site) as body:
            assert body.read() == name.encode("utf-8", "surrogatepass")
    file = place.folder / done.manifest.payloads[0].key
    inside = tmp_path / "inside"
    if tool == "unzip":
        subprocess.run(["unzip", "-q", file, "-d", inside], check=True)
    else:
        zipfile.ZipFile(file).extractall(inside)
    unpacked = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in unpacked} == {inside}
    assert sorted(path.read_bytes() for path in unpacked) == sorted(
        name.encode("utf-8", "surrogatepass") for name in HOSTILE
    )
    assert len({path.name.lower() for path in unpacked}) == len(HOSTILE)


@pytest.mark.parametrize("limit", [2, 3, 100])
def test_a_name_that_came_before_is_refused(
    site: Settings, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(pack, "BODIES_LIMIT", limit)
    with pytest.raises(PlatformError, match="two parts are named 'b'; name each part differently"):
        taken(site, *(part(b"", name) for name in "abcdb"))
    assert list(archive.revisions(slot(), site)) == []


@given(st.lists(st.sampled_from("abcdefgh"), max_size=12), st.integers(1, 4))
def test_every_repeated_name_is_found(names: list[str], limit: int) -> None:
    known = Names()
    found: set[str | None] = set()
    for number, name in enumerate(names, start=1):
        if not known.add(name):
            found.add(name)
        if number % limit == 0:
            found.add(known.seal())
    found.add(known.seal())
    assert bool(found - {None}) is (len(set(names)) < len(names))


def test_bodies_may_bear_the_names_of_packs(site: Settings) -> None:
    names = ["pack-0001.zip", "pack-0001.members.jsonl.gz", "x"]
    big = part(iter([b"x" * (1 << 20)] * 5), "PACK-0001.zip")
    done = taken(site, *(part(name.encode(), name) for name in names), big)
    assert [contents(done.manifest, site)[name] for name in names] == [b.encode() for b in names]
    assert faults(site) == []


# --- Sharing, retries, policies -------------------------------------------------------------------


def test_equal_bodies_share_the_pack_and_keep_their_own_list(site: Settings, place: Place) -> None:
    first = taken(site, *three())
    later = [
        Part(each.name, each.body, Origin("https://weather.example/later"), each.media_type)
        for each in three()
    ]
    second = taken(site, *later, by="manual-2")
    assert second.outcome is Outcome.UNCHANGED
    assert [key for key in place.objects() if key.endswith(".zip")] == [
        first.manifest.payloads[0].key
    ]
    assert second.manifest.payloads[0].key == first.manifest.payloads[0].key
    urls = {body.origin.url for body in archive.bodies(second.manifest, site)}
    assert urls == {"https://weather.example/later"}
    assert faults(site) == []


def test_packs_that_differ_share_nothing(site: Settings) -> None:
    first, second = taken(site, *three()), taken(site, *three(last=b"3"), by="manual-2")
    assert second.outcome is Outcome.CREATED
    assert first.manifest.payloads[0].key != second.manifest.payloads[0].key


def test_a_lost_pack_is_stored_again(site: Settings, place: Place) -> None:
    first = taken(site, *three())
    place.remove(first.manifest.payloads[0].key)
    second = taken(site, *three(), by="manual-2")
    assert contents(second.manifest, site)["a.json"] == b"one"


def test_a_retry_adopts_the_pack_and_answers_with_its_bodies(site: Settings) -> None:
    first = taken(site, *three())
    with archive.session(slot(), run(try_number=2), pack=True, settings=site) as session:
        assert session.commit is not None
        assert session.commit.outcome is Outcome.ADOPTED
        (member,) = [each.about for each in archive.bodies(first.manifest, site)][1:2]
        assert session.write(part(name="a.json")) == member
        with pytest.raises(PlatformError, match=r"it has: 3 from a\.json to c\.json"):
            session.write(part(name="z.json"))
    assert len(list(archive.revisions(slot(), site))) == 1


def test_a_short_body_is_refused_and_nothing_is_committed(site: Settings) -> None:
    with pytest.raises(SourceTruncated):
        taken(site, part(b"1", "1"), part(b"12", "2", size_bytes=3))
    assert list(archive.revisions(slot(), site)) == []


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [{}, {"codec": "gzip"}], ids=["stored", "deflated"])
def test_one_body_is_read_without_the_rest(
    site: Settings, place: Place, wish: dict[str, Any]
) -> None:
    texts = {f"{number}.txt": random.Random(number).randbytes(3000).hex() for number in range(50)}
    parts = [part(text.encode(), name, media_type="text/plain") for name, text in texts.items()]
    done = taken(site, *parts, **wish)
    key = done.manifest.payloads[0].key
    whole = place.read(key)
    wanted = next(each for each in archive.bodies(done.manifest, site) if each.name == "7.txt")
    about = wanted.about
    assert isinstance(about, archive.Member)
    assert about.deflated is bool(wish)
    assert about.stored_bytes < 6000 or not wish
    end = about.offset + about.stored_bytes
    place.write(key, b"\0" * about.offset + whole[about.offset : end])
    with archive.open(done.manifest, "7.txt", settings=site) as body:
        assert body.read().decode() == texts["7.txt"]


def test_a_body_that_is_not_there_is_said_with_those_that_are(site: Settings) -> None:
    done = taken(site, *three())
    for name in ("0", "bb", "z"):
        with pytest.raises(NotArchived, match=r"no body '\w+'; it has: 3 from a\.json to c\.json"):
            archive.open(done.manifest, name, settings=site)
    with pytest.raises(NotArchived, match="say which body, by its name; it has: 3 from a"):
        archive.open(done.manifest, seekable=True, settings=site)


@pytest.mark.parametrize("which", [0, 1], ids=["pack", "list"])
def test_a_flipped_bit_is_found_by_readers_and_by_verify(
    site: Settings, place: Place, which: int
) -> None:
    done = taken(site, *three())
    blob = done.manifest.payloads[0].blobs[which]
    whole = place.read(blob.key)
    at = whole.index(b"one") if which == 0 else len(whole) // 2
    place.write(blob.key, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(ArchiveCorrupt):
        contents(done.manifest, site)
    with pytest.raises(ArchiveCorrupt):
        archive.open(done.manifest, settings=site).read()
    with pytest.raises(ArchiveCorrupt):
        archive.open(done.manifest, "a.json", settings=site)
    assert faults(site) == [f"digest {place.root}/{blob.key}"]
    if which == 0:
        with archive.open(done.manifest, "b.json", settings=site) as intact:
            assert intact.read() == b"two"
        with archive.open(done.manifest, "a.json", verify=False, settings=site) as body:
            assert body.read() != b"one"


@pytest.mark.parametrize("which", [0, 1], ids=["pack", "list"])
def test_a_lost_object_is_named(site: Settings, place: Place, which: int) -> None:
    done = taken(site, *three())
    blob = done.manifest.payloads[0].blobs[which]
    place.remove(blob.key)
    with pytest.raises(NotArchived, match=re.escape(blob.key)):
        contents(done.manifest, site)
    assert faults(site) == [f"missing {place.root}/{blob.key}"]


def test_a_truncated_pack_is_corrupt(site: Settings, place: Place) -> None:
    done = taken(site, *three())
    key = done.manifest.payloads[0].key
    place.write(key, place.read(key)[:60])
    with pytest.raises(ArchiveCorrupt):
        archive.open(done.manifest, "c.json", settings=site)


def test_sweep_leaves_packs_and_lists_alone(site: Settings, place: Place) -> None:
    taken(site, *three())
    for key in place.objects():
        place.date(key, datetime.now(UTC) - LONG_AGO)
    assert list(archive.sweep(settings=site)) == []


def test_packs_lead_to_their_manifest_by_url(site: Settings, place: Place) -> None:
    done = taken(site, *three())
    for blob in done.manifest.payloads[0].blobs:
        key = browse.manifest_key_at(store_of(place), f"{place.root}/{blob.key}")
        assert key.endswith("/000001.json")


def test_any_zip_reader_takes_a_pack(site: Settings, place: Place) -> None:
    done = taken(site, *three())
    with zipfile.ZipFile(io.BytesIO(place.read(done.manifest.payloads[0].key))) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == {
            "b.json": b"two", "a.json": b"one", "c.json": b"three",
        }  # fmt: skip
