"""Fields that a site keeps out of its archive: gone before anything is hashed, and recorded."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.entity import Part
from platform_ops.errors import NotRedactable, SourceTruncated
from platform_ops.settings import Settings
from tests.archive.places import Place, settings_of
from tests.archive.samples import commit, faults, part, run

BODY = b'[{"id": 1, "email": "a@example.com"},\n {"id": 2, "email": null}]\n'
KEPT = b'[{"id": 1, "email": "REDACTED"},\n {"id": 2, "email": "REDACTED"}]\n'


@pytest.fixture
def private(place: Place) -> Settings:
    """A site that must not keep addresses of its forecast's readers."""
    agreement = {"redact": ["/*/email", "/**/ssn"]}
    site = settings_of(place).model_dump(exclude={"sources"})
    return Settings.model_validate(
        {**site, "sources": {"weather": {"entities": {"forecast": agreement}}}}
    )


def json_part(
    body: bytes | Iterable[bytes] = BODY,
    media_type: str = "application/json",
    **fields: Any,  # Any: fields of Part
) -> Part:
    return part(body, media_type=media_type, **fields)


def test_the_field_is_nowhere_in_the_store(private: Settings, place: Place) -> None:
    done = commit(private, json_part(size_bytes=len(BODY)))
    assert archive.open(done.reference, settings=private).read() == KEPT
    (payload,) = done.manifest.payloads
    assert (payload.sha256, payload.size_bytes) == (hashlib.sha256(KEPT).hexdigest(), len(KEPT))
    assert done.manifest.redacted == {"/*/email": 2, "/**/ssn": 0}
    assert not any(b"example.com" in place.read(key) for key in place.objects())
    assert faults(private) == []


def test_another_secret_is_no_change(private: Settings) -> None:
    first = commit(private, json_part())
    second = commit(private, json_part(BODY.replace(b"a@", b"b@")), by=run("another"))
    assert second.manifest.payloads == first.manifest.payloads
    assert second.outcome == "unchanged"


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_body_in_gzip_is_searched_as_well(private: Settings, size: int) -> None:
    zipped = gzip.compress(BODY[:30]) + gzip.compress(BODY[30:])
    chunks = [zipped[at : at + size] for at in range(0, len(zipped), size)]
    done = commit(private, json_part(chunks, codec="gzip", size_bytes=len(zipped)))
    assert archive.open(done.reference, settings=private).read() == KEPT
    assert done.manifest.payloads[0].codec is None


@pytest.mark.parametrize(
    ("refused", "fault"),
    [
        (json_part(b"id,email\n1,a@example.com\n"), "at byte 0 this is no value of JSON"),
        (json_part(b"id,email\n", "text/csv"), "its type is text/csv, and only JSON"),
        (json_part(codec="br"), "its coding is br, and only gzip"),
        (json_part(codec="gzip"), "it is said to be gzip, and is not"),
        (json_part(gzip.compress(BODY)[:-9], codec="gzip"), "its gzip ends in the middle"),
    ],
    ids=["not JSON", "of another type", "brotli", "no gzip", "half a gzip"],
)
def test_what_cannot_be_searched_is_not_kept(
    private: Settings, place: Place, refused: Part, fault: str
) -> None:
    with pytest.raises(NotRedactable, match=f"{fault}.*; nothing .*was kept"):
        commit(private, refused)
    assert list(archive.find("weather.forecast", settings=private)) == []
    assert not any(b"example.com" in place.read(key) for key in place.objects())


def test_a_body_that_ends_early_is_told_by_the_length_that_came(private: Settings) -> None:
    with pytest.raises(SourceTruncated, match=f"ended after {len(BODY)} of the 1000 bytes"):
        commit(private, json_part(size_bytes=1000))


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", "application/ld+json", "application/x-ndjson", "text/json"],
)
def test_every_type_of_json_is_searched(private: Settings, media_type: str) -> None:
    done = commit(private, json_part(media_type=media_type))
    assert archive.open(done.reference, settings=private).read() == KEPT


def test_packed_and_compressed_bodies_are_searched_as_well(private: Settings) -> None:
    session = archive.session(
        done_slot := commit(private, json_part()).manifest.slot,
        run("packed"),
        codec="gzip",
        pack=True,
        settings=private,
    )
    with session:
        for name in ("a", "b"):
            session.write(json_part(name=name))
    assert session.commit is not None
    assert session.commit.manifest.slot == done_slot
    assert archive.open(session.commit.reference, settings=private).read() == KEPT * 2
    assert session.commit.manifest.redacted["/*/email"] == 4


def test_a_bomb_passes_in_pieces(private: Settings) -> None:
    """A megabyte of zip makes a gigabyte; a tenth of it shows that nobody holds it whole."""
    deflate = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    zipped = deflate.compress(b'"' + b"0" * (100 << 20) + b'"') + deflate.flush()
    done = commit(private, json_part(zipped, codec="gzip"))
    assert done.manifest.size_bytes == (100 << 20) + 2
