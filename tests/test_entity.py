"""The values: a manifest is read back as it was written or refused, and digests are stock tools' own."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from platform_ops.entity import (
    MANIFEST_VERSION,
    Entity,
    Manifest,
    Members,
    Origin,
    Part,
    Payload,
    Reference,
    RunIdentity,
    Slot,
    Stored,
    content_digest,
    manifest_schema,
)
from platform_ops.errors import ArchiveCorrupt, UrlError

TUESDAY = datetime(2024, 3, 5, 6, 7, 8, 9, tzinfo=UTC)
TEXT = st.text(st.characters(codec=None, categories=None), max_size=12)
TIMES = st.datetimes(timezones=st.just(UTC))
DIGESTS = st.binary(max_size=4).map(lambda data: hashlib.sha256(data).hexdigest())
COUNTS = st.integers(0, 2**62)
NAMES = TEXT.filter(bool)
ENTITIES = st.builds(Entity, NAMES.filter(lambda text: "." not in text), NAMES)
ORIGINS = st.builds(
    Origin,
    url=TEXT,
    method=TEXT,
    fingerprint=st.none() | DIGESTS,
    status=st.none() | st.integers(100, 599),
    headers=st.dictionaries(TEXT, TEXT, max_size=3),
    fetched_at_utc=st.none() | TIMES,
)
PAYLOADS = st.builds(
    Payload,
    key=TEXT,
    name=TEXT,
    size_bytes=COUNTS,
    sha256=DIGESTS,
    media_type=TEXT,
    origin=ORIGINS,
    codec=st.none() | TEXT,
    rows=st.none() | COUNTS,
    schema_sha256=st.none() | DIGESTS,
    stored=st.none() | st.builds(Stored, TEXT, COUNTS, DIGESTS),
    members=st.none() | st.builds(Members, TEXT, COUNTS, DIGESTS, COUNTS, TEXT, TEXT),
)
RUNS = st.builds(
    RunIdentity,
    dag_id=TEXT,
    task_id=TEXT,
    run_id=TEXT,
    map_index=st.integers(-1, 2**31),
    try_number=st.integers(0, 99),
    max_tries=st.integers(0, 99),
    team=st.none() | TEXT,
    interval_start_utc=st.none() | TIMES,
    interval_end_utc=st.none() | TIMES,
)
MANIFESTS = st.builds(
    Manifest,
    slot=st.builds(Slot, ENTITIES, TIMES, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT),
    revision=st.integers(1, 999_999),
    token=DIGESTS.map(lambda digest: digest[:12]),
    run=RUNS,
    template=TEXT,
    payloads=st.lists(PAYLOADS, max_size=3).map(tuple),
    sha256=DIGESTS,
    started_at_utc=TIMES,
    committed_at_utc=TIMES,
    previous_sha256=st.none() | DIGESTS,
    redacted=st.dictionaries(TEXT, st.integers(0, 9), max_size=2),
    retention_days=st.none() | st.integers(1, 9999),
    versions=st.dictionaries(TEXT, TEXT, max_size=2),
)


def payload(name: str = "page.json", body: bytes = b"{}", **fields: Any) -> Payload:
    digest = hashlib.sha256(body).hexdigest()
    origin = Origin("https://weather.example", headers={"etag": '"é"'}, fetched_at_utc=TUESDAY)
    return Payload(f"data/{name}", name, len(body), digest, "application/json", origin, **fields)


def manifest(*payloads: Payload) -> Manifest:
    slot = Slot(Entity("weather", "forecast"), TUESDAY, "EU", "", "ops")
    found = RunIdentity("dag", "task", "run", 3, 1, 2, "ops", TUESDAY, TUESDAY)
    digest = content_digest(payloads)
    return Manifest(slot, 1, "0123456789ab", found, "v1/x", payloads, digest, TUESDAY, TUESDAY)


# --- Entities, slots, runs ------------------------------------------------------------------------


@given(ENTITIES)
def test_an_entity_is_parsed_back_from_its_text(entity: Entity) -> None:
    assert Entity.parse(str(entity)) == Entity.parse(entity) == entity


@given(ENTITIES, ENTITIES)
def test_two_entities_never_share_a_text_or_an_asset(one: Entity, other: Entity) -> None:
    assert (str(one) == str(other)) is (one == other)
    assert (one.uri == other.uri) is (one == other)


def test_an_asset_uri_is_plain_where_the_name_is() -> None:
    assert Entity("weather", "forecast.hourly").uri == "platform-ops://weather/forecast.hourly"
    assert Entity("a", "b/c?d#e f").uri == "platform-ops://a/b%2Fc%3Fd%23e%20f"


@pytest.mark.parametrize("text", ["", ".", "weather", "weather.", ".forecast"])
def test_an_entity_without_two_parts_is_refused(text: str) -> None:
    with pytest.raises(UrlError) as caught:
        Entity.parse(text)
    assert str(caught.value) == (
        f"entity {text!r}: write it as source.name, for instance 'weather.forecast'"
    )


@pytest.mark.parametrize(("source", "name"), [("", "a"), ("a", ""), ("a.b", "c")])
def test_an_entity_that_could_not_be_parsed_back_is_refused(source: str, name: str) -> None:
    with pytest.raises(UrlError, match=r"must not be empty, and the source has no dot"):
        Entity(source, name)


def test_a_slot_is_in_utc_and_needs_a_zone() -> None:
    east = datetime(2024, 3, 5, 8, tzinfo=timezone(timedelta(hours=2)))
    slot = Slot(Entity("a", "b"), east)
    assert (slot.time_utc, slot.time_utc.tzinfo) == (datetime(2024, 3, 5, 6, tzinfo=UTC), UTC)
    with pytest.raises(UrlError, match=r"slot of a\.b: .* has no time zone; add one"):
        Slot(Entity("a", "b"), east.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("change", "retry"),
    [
        ({"try_number": 9, "team": "x", "interval_start_utc": TUESDAY}, True),
        ({"max_tries": 3}, False),
        ({"run_id": "other"}, False),
        ({"task_id": "other"}, False),
        ({"dag_id": "other"}, False),
        ({"map_index": 0}, False),
    ],
)
def test_a_retry_is_the_same_task_instance_without_a_clear(
    change: Mapping[str, Any], retry: bool
) -> None:
    first = RunIdentity("dag", "task", "run", max_tries=2)
    assert replace(first, **change).is_retry_of(first) is retry


# --- Manifests ------------------------------------------------------------------------------------


HEADER_OF_NO_TEXT = replace(payload(), origin=Origin("u", headers={"\ud800": "a", "b": "\udfff"}))


@given(MANIFESTS)
@example(manifest(HEADER_OF_NO_TEXT))
def test_a_manifest_is_read_back_as_it_was_written(made: Manifest) -> None:
    data = made.to_json()
    again = Manifest.from_json(data, "u")
    assert again == made
    assert again.to_json() == data


@given(MANIFESTS)
@settings(max_examples=30)
def test_the_published_schema_accepts_what_is_written(made: Manifest) -> None:
    validator = Draft202012Validator(manifest_schema())
    assert list(validator.iter_errors(json.loads(made.to_json()))) == []


def test_the_published_schema_is_one_and_refuses_what_is_not_whole() -> None:
    schema = manifest_schema()
    Draft202012Validator.check_schema(schema)
    whole = json.loads(manifest(payload()).to_json())
    for name in ("seal", "slot", "payloads", "committed_at_utc", "run"):
        part = {key: value for key, value in whole.items() if key != name}
        assert not Draft202012Validator(schema).is_valid(part), name


def test_one_flipped_bit_is_found_at_every_byte() -> None:
    data = manifest(payload(), payload("two", rows=7)).to_json()
    dice = random.Random(len(data))
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << dice.randrange(8)
        with pytest.raises(ArchiveCorrupt, match=r"^file:///m\.json: "):
            Manifest.from_json(bytes(flipped), "file:///m.json")


@given(st.data())
@settings(max_examples=50)
def test_a_cut_or_a_changed_piece_is_found(data: st.DataObject) -> None:
    whole = manifest(payload()).to_json()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
    if changed != whole:
        with pytest.raises(ArchiveCorrupt):
            Manifest.from_json(changed, "u")


def sealed(plain: dict[str, Any]) -> bytes:
    """Somebody's own manifest, with a seal that fits."""
    text = json.dumps(plain, sort_keys=True, indent=2) + "\n"
    seal = hashlib.sha256(text.encode()).hexdigest()
    return (json.dumps({**plain, "seal": seal}, sort_keys=True, indent=2) + "\n").encode()


def plain() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest(payload()).to_json())
    del found["seal"]
    return found


def test_the_text_of_a_manifest_stays_as_it_is() -> None:
    """Digests, chains and references depend on every byte of it for ever."""
    assert (
        hashlib.sha256(manifest(payload()).to_json()).hexdigest()
        == "354a78b3eb5e0a6a6d90e0fca6f2c445a3faa099ec7b746ded604fe0b67cddb5"
    )


def test_the_seal_is_what_its_description_says() -> None:
    assert sealed(plain()) == manifest(payload()).to_json()


@pytest.mark.parametrize("version", [2, 0, "1", None, 99])
def test_another_version_is_refused_by_name(version: object) -> None:
    with pytest.raises(ArchiveCorrupt) as caught:
        Manifest.from_json(sealed({**plain(), "version": version}), "s3://b/m.json")
    assert str(caught.value) == (
        f"s3://b/m.json: manifest version {version!r}; this release reads {MANIFEST_VERSION}; "
        "upgrade platform-ops"
    )


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"revision": "one"}, "revision: "),
        ({"slot": {}}, "slot.entity: "),
        ({"payloads": [{}]}, "payloads.0.key: "),
        ({"committed_at_utc": "yesterday"}, "committed_at_utc: "),
        (
            {"slot": {"entity": {"source": "", "name": "b"}, "time_utc": "2024-03-05T00:00:00Z"}},
            "slot",
        ),
    ],
)
def test_a_sealed_text_that_is_no_manifest_names_the_field(
    change: dict[str, Any], where: str
) -> None:
    with pytest.raises(ArchiveCorrupt) as caught:
        Manifest.from_json(sealed({**plain(), **change}), "u")
    assert str(caught.value).startswith(f"u: damaged manifest: {where}")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"3", b"null", b'"version"', b"{}", b"\xff\xfe", b"[" * 99_999]
)
def test_rubbish_is_no_manifest(text: bytes) -> None:
    with pytest.raises(
        ArchiveCorrupt, match=r"^u: not a manifest \(\w+\); restore it from a copy$"
    ):
        Manifest.from_json(text, "u")


def test_sizes_and_rows_add_up_where_all_are_known() -> None:
    known = manifest(payload("a", b"12", rows=2), payload("b", b"345", rows=3))
    assert (known.size_bytes, known.rows) == (5, 5)
    assert manifest(payload("a", rows=2), payload("b")).rows is None
    assert manifest().rows is None


# --- Digests and references -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "bodies",
    [
        {"a.json": b"one", "b.json": b"two", "c d.csv": b""},
        {"page-1": b"x" * 100_000},
        {"a\nb": b"1", "a\\b": b"2", "é": b"4"},
    ],
)
def test_the_digest_is_what_sha256sum_prints(tmp_path: Path, bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    printed = subprocess.run(
        ["sh", "-c", "LC_ALL=C; export LC_ALL; sha256sum * | sha256sum"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = sorted(bodies, key=str.encode)
    digest = content_digest(payload(name, bodies[name]) for name in names)
    assert printed.stdout == f"{digest}  -\n"


def test_no_name_forges_the_line_of_another_payload() -> None:
    one, two = payload("a", b"1"), payload("b", b"2")
    forged = payload(f"a\n{two.sha256}  b", b"1")
    assert content_digest([one, two]) != content_digest([forged])


@given(
    st.builds(
        Reference,
        entity=TEXT,
        revision=COUNTS,
        manifest_url=TEXT,
        manifest_sha256=DIGESTS,
        sha256=DIGESTS,
        size_bytes=COUNTS,
        rows=st.none() | COUNTS,
        payload_urls=st.lists(TEXT, max_size=3).map(tuple),
    )
)
def test_a_reference_survives_json(reference: Reference) -> None:
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


@pytest.mark.parametrize(
    "wrong", [None, "text", 3, {}, {"payload_urls": []}, {"payload_urls": None}]
)
def test_what_is_no_reference_says_what_it_is(wrong: Any) -> None:
    with pytest.raises(ArchiveCorrupt, match=r"^not a reference of the archive: got ") as caught:
        Reference.from_dict(wrong)
    assert str(caught.value).endswith(
        "; its fields are entity, revision, manifest_url, manifest_sha256, sha256, size_bytes, rows, "
        "payload_urls"
    )


def test_a_part_reads_nothing_until_it_is_asked() -> None:
    asked: list[int] = []
    part = Part("name", (bytes([number]) for number in asked), Origin("https://x"))
    asked.append(7)
    assert list(part.body) == [b"\x07"]
