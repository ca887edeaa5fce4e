"""Codecs: stored small, identified and read as it came, and unpacked by stock tools."""

from __future__ import annotations

import gzip
import hashlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive import Commit, Outcome
from platform_ops.archive.payloads import codec
from platform_ops.entity import Part
from platform_ops.errors import ArchiveCorrupt, ExtraMissing, SourceTruncated
from platform_ops.settings import Codec, Settings
from tests.archive.places import Disk, Place, settings_of
from tests.archive.samples import faults, part, run, slot, untouchable

TEXT = b'{"forecast": "sunny"}\n' * 10_000
COMMANDS = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dc"]}
SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}


def stored(settings: Settings, how: Codec, *parts: Part, by: str = "scheduled-1") -> Commit:
    with archive.session(slot(), run(by), codec=how, settings=settings) as session:
        for each in parts or (part(TEXT, media_type="application/json"),):
            session.write(each)
    assert session.commit is not None
    return session.commit


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_bytes_are_stored_small_and_read_as_they_came(
    site: Settings, place: Place, tmp_path: Path, how: Codec
) -> None:
    done = stored(site, how)
    (payload,) = done.manifest.payloads
    assert (payload.name, payload.size_bytes) == ("page-0001.json", len(TEXT))
    assert payload.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert payload.media_type == "application/json"
    assert payload.key.endswith(f"/page-0001.json{SUFFIXES[how]}")

    inside = place.read(payload.key)
    assert payload.stored is not None
    assert payload.stored.codec == how
    assert payload.stored.size_bytes == len(inside) < len(TEXT) // 20
    assert payload.stored.sha256 == hashlib.sha256(inside).hexdigest()
    file = tmp_path / payload.key.rpartition("/")[2]
    file.write_bytes(inside)
    assert subprocess.run([*COMMANDS[how], file], capture_output=True, check=True).stdout == TEXT

    with archive.open(done.reference, settings=site) as stream:
        assert stream.read() == TEXT
    with archive.open(done.reference, seekable=True, settings=site) as stream:
        stream.seek(-22, 2)
        assert stream.read() == b'{"forecast": "sunny"}\n'
    assert faults(site) == []


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_a_flipped_bit_or_a_lost_end_is_corrupt(site: Settings, place: Place, how: Codec) -> None:
    done = stored(site, how)
    (payload,) = done.manifest.payloads
    whole = place.read(payload.key)
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 16]) + whole[middle + 1 :]
    for damaged in (flipped, whole[:-3], whole[:2], b""):
        place.write(payload.key, damaged)
        with pytest.raises(ArchiveCorrupt, match=r"page-0001\.json\.(gz|zst): "):
            archive.open(done.reference, settings=site).read()
        (fault,) = faults(site)
        assert fault.split()[0] == ("digest" if damaged is flipped else "size")


def test_identity_does_not_depend_on_the_codec(site: Settings, place: Place) -> None:
    """The one that is there is shared, however it is stored."""
    first = stored(site, "gzip")
    for how in ("none", "zstd"):
        later = stored(site, how, by=f"run-{how}")
        assert later.outcome is Outcome.UNCHANGED
        assert later.manifest.sha256 == first.manifest.sha256
        assert later.manifest.payloads[0].key == first.manifest.payloads[0].key
        assert later.manifest.payloads[0].stored == first.manifest.payloads[0].stored
        assert archive.open(later.reference, settings=site).read() == TEXT
    assert len([key for key in place.objects() if key.startswith("data/")]) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"codec": "gzip", "media_type": "application/json"},
        {"codec": "br"},
        {"media_type": "image/png"},
        {"media_type": "Video/MP4"},
        {"media_type": "application/zip"},
        {"media_type": "application/vnd.apache.parquet"},
        {"media_type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"media_type": "application/epub+zip; version=3"},
    ],
)
def test_what_is_dense_already_is_left_as_it_came(site: Settings, fields: dict[str, Any]) -> None:
    body = gzip.compress(TEXT)
    (payload,) = stored(site, "gzip", part(body, "page", **fields)).manifest.payloads
    assert payload.stored is None
    assert payload.key.endswith("/page")
    assert payload.codec == fields.get("codec")


@pytest.mark.parametrize("media_type", ["text/csv; charset=utf-8", "image/svg+xml", "x/unknown"])
def test_what_may_gain_is_compressed(site: Settings, media_type: str) -> None:
    (payload,) = stored(site, "gzip", part(TEXT, media_type=media_type)).manifest.payloads
    assert payload.stored is not None


def test_an_empty_body_and_a_random_one_are_read_back(site: Settings) -> None:
    for number, body in enumerate((b"", random.Random(1).randbytes(3 << 20))):
        for how in ("gzip", "zstd"):
            done = stored(site, how, part(iter([body[:7], body[7:]])), by=f"{how} {number}")
            assert archive.open(done.reference, settings=site).read() == body
    assert faults(site) == []


def test_names_stay_apart_where_a_suffix_would_make_them_one(site: Settings) -> None:
    parts = [part(b"1", "a"), part(b"2", "a.gz", media_type="application/gzip"), part(b"3", "A")]
    done = stored(site, "gzip", *parts)
    found = {body.name: body.read() for body in archive.bodies(done.manifest, site)}
    assert found == {"a": b"1", "a.gz": b"2", "A": b"3"}
    assert len({payload.key.lower() for payload in done.manifest.payloads}) == 3


def test_equal_bytes_make_equal_objects(memory: Path) -> None:
    made = [
        stored(settings_of(Disk(memory / name)), how).manifest.payloads[0].stored
        for how in ("gzip", "zstd")
        for name in (f"{how}-one", f"{how}-two")
    ]
    assert made[0] == made[1]
    assert made[2] == made[3]


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_a_body_that_ends_early_leaves_nothing(site: Settings, place: Place, how: Codec) -> None:
    with pytest.raises(SourceTruncated):
        stored(site, how, part(iter([TEXT, TEXT]), size_bytes=3 * len(TEXT)))
    assert [key for key in place.objects() if key.startswith("data/")] == []


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_frames_that_follow_one_another_are_one_body(how: str) -> None:
    frames = [b"".join(codec.Encoded(how, [text])) for text in (b"one", b"", b"two")]
    assert b"".join(codec.decode(how, frames, "x")) == b"onetwo"


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_a_few_bytes_that_stand_for_many_are_unpacked_piece_by_piece(how: str) -> None:
    zeros = (bytes(1 << 20) for _ in range(200))
    small = b"".join(codec.Encoded(how, zeros))
    assert len(small) < 1 << 18
    sizes = [len(piece) for piece in codec.decode(how, [small], "x")]
    assert sum(sizes) == 200 << 20
    assert max(sizes) <= 1 << 20


def test_a_codec_of_another_release_is_named() -> None:
    with pytest.raises(ArchiveCorrupt, match="stored as 'lzma', which this release cannot read"):
        list(codec.decode("lzma", [b""], "x"))


def test_a_missing_library_is_said_before_the_source_is_asked(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ExtraMissing, match=r"pip install 'platform-ops\[zstd\]'"):
        stored(site, "zstd", part(untouchable()))


def test_an_entity_says_how_it_is_stored(place: Place) -> None:
    entity = {"codec": "gzip", "pack": True}
    site = Settings.model_validate(
        {
            "archive": {"root": place.root},
            "sources": {"weather": {"entities": {"forecast": entity}}},
        }
    )
    with archive.session(slot(), run(), settings=site) as session:
        session.write(part(TEXT, "1"))
        session.write(part(TEXT, "2"))
    assert session.commit is not None
    (payload,) = session.commit.manifest.payloads
    assert payload.stored is not None
    assert payload.size_bytes == 2 * len(TEXT) > 50 * payload.stored.size_bytes
    with archive.session(slot(), run("2"), codec="none", pack=False, settings=site) as session:
        session.write(part(TEXT, "1"))
    assert session.commit is not None
    assert session.commit.manifest.payloads[0].name == "1"
