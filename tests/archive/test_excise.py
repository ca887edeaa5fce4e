"""Erasing one body of a pack: it goes alone, and of all others each byte and each digest stays."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.archive import Commit
from platform_ops.archive.payloads import pack
from platform_ops.archive.records import excisions
from platform_ops.entity import Entity, Origin, Part, digest_line
from platform_ops.errors import (
    ArchiveHeld,
    ArchiveUnavailable,
    ConfigError,
    NotArchived,
    Removed,
)
from platform_ops.settings import Settings
from tests.archive.places import Place, place_of, store_of
from tests.archive.samples import commit, faults, part, run, slot
from tests.archive.strays import FOLDER, LONG_AGO, contents, swept
from tests.archive.test_erase import WHY

SUBJECT = "jane.doe"
NAMES = ["adam", SUBJECT, "karl", "zoe"]
META, RECORD = f"meta/{FOLDER}/000001.json", f"tombstones/{FOLDER}/000001.0001.json"


def packing(place: Place) -> Settings:
    entities = {"forecast": {"pack": True, "codec": "gzip"}}
    plain = {"archive": {"root": place.root}, "sources": {"weather": {"entities": entities}}}
    return Settings.model_validate(plain)


@pytest.fixture(params=["disk", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """One store of each kind; the crashes are tried on the others too."""
    return place_of(request, tmp_path / "archive")


@pytest.fixture
def site(place: Place) -> Settings:
    return packing(place)


def body_of(name: str, extra: str = "") -> bytes:
    return (f"all that is known of {name}{extra}. " * 20).encode()


def of_person(name: str, extra: str = "", media_type: str = "text/plain") -> Part:
    origin = Origin(f"https://crm.example/people?name={name}", fingerprint="f" * 64, status=200)
    return Part(name, [body_of(name, extra)], origin, media_type)


@pytest.fixture
def done(site: Settings) -> Commit:
    return commit(site, *map(of_person, NAMES), part(b"x" * (5 << 20), "big"))


def erase(site: Settings, name: str = SUBJECT, **how: int) -> list[archive.Removal]:
    return archive.erase(slot(), **how, name=name, **WHY, delete=True, settings=site)


def unpacked(data: bytes) -> bytes:
    """Everything that an object says, with nothing compressed."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            return b"".join(name.encode() + pack.read(name) for name in pack.namelist())
    return data


def traces(place: Place, *texts: str) -> list[str]:
    """Objects in which any of these texts is left."""
    found = {key: key.encode() + unpacked(data) for key, data in contents(place).items()}
    return [key for key, data in found.items() if any(text.encode() in data for text in texts)]


def read_by_name(site: Settings) -> dict[str, bytes]:
    return {each.name: each.read() for each in archive.bodies(slot(), site)}


def test_a_dry_run_names_the_body_and_writes_nothing(
    site: Settings, place: Place, done: Commit
) -> None:
    before = contents(place)
    (found,) = archive.erase(slot(), name=SUBJECT, **WHY, settings=site)
    assert (found.step, found.revision, found.body, found.done) == ("bury", 1, SUBJECT, False)
    assert found.size_bytes == len(body_of(SUBJECT))
    assert contents(place) == before


@pytest.mark.parametrize("name", NAMES)
def test_one_body_goes_without_a_trace_and_the_others_stay_as_they_were(
    site: Settings, place: Place, done: Commit, name: str
) -> None:
    others = {each: body_of(each) for each in NAMES if each != name} | {"big": b"x" * (5 << 20)}
    assert [each.step for each in erase(site, name)] == ["bury", "remove"]
    assert read_by_name(site) == others
    assert archive.open(slot(), settings=site).read() == b"".join(others.values())
    for each, body in others.items():
        assert archive.open(slot(), each, settings=site).read() == body
    with pytest.raises(Removed, match="request 4711; the others are there"):
        archive.open(slot(), name, settings=site)
    assert faults(site) == []
    assert traces(place, name) == []


def test_the_chain_goes_on_and_older_references_read_what_is_left(
    site: Settings, place: Place, done: Commit, caplog: pytest.LogCaptureFixture
) -> None:
    followed = commit(site, of_person("adam", "!"), of_person("karl"), by=run("run-2"))
    erase(site, revision=1)
    later = commit(site, of_person("adam", "?"), of_person("karl"), by=run("run-3"))
    assert [each.manifest.revision for each in (followed, later)] == [2, 3]
    assert faults(site) == []
    rest = b"".join(map(body_of, ["adam", "karl", "zoe"])) + b"x" * (5 << 20)
    assert archive.open(done.reference, settings=site).read() == rest
    assert "1 of its bodies were erased since the reference" in caplog.text
    assert done.manifest.bodies - archive.manifest(done.reference, site).bodies == 1


def test_who_knows_the_name_can_prove_that_nothing_else_changed(
    site: Settings, place: Place, done: Commit
) -> None:
    """The lines of all others, with that of the erased body at its place, give the old digest."""
    erase(site)
    record = excisions.excision_at(store_of(place), RECORD)
    assert record.payload is not None
    assert record.name_sha256 == hashlib.sha256(SUBJECT.encode()).hexdigest()
    assert record.sha256 == hashlib.sha256(body_of(SUBJECT)).hexdigest()
    lines = [
        digest_line(each.name, each.sha256)
        for each in archive.bodies(slot(), site)
        if each.name != "big"
    ]
    lines.insert(record.place, digest_line(SUBJECT, record.sha256))
    assert hashlib.sha256(b"".join(lines)).hexdigest() == record.former_sha256
    assert record.former_sha256 == done.manifest.payloads[0].sha256
    assert record.before_sha256 == done.reference.manifest_sha256


def test_several_go_one_after_another_and_each_can_be_asked_for_again(
    site: Settings, place: Place, done: Commit
) -> None:
    for name in (SUBJECT, "zoe"):
        erase(site, name)
    assert erase(site, "zoe") == []
    assert sorted(read_by_name(site)) == ["adam", "big", "karl"]
    assert faults(site) == []
    assert traces(place, SUBJECT, "zoe") == []
    assert len([key for key in place.objects() if key.endswith(".zip")]) == 1
    manifest = json.loads(place.read(META))
    assert manifest["redacted"] == {"payloads.bodies": 2}


def test_the_last_bodies_of_a_pack_take_it_along_and_the_last_of_all_the_revision(
    site: Settings, place: Place
) -> None:
    commit(site, of_person("adam"), of_person("zoe"), part(b"x" * (5 << 20), "big"))
    for name in ("adam", "zoe"):
        erase(site, name)
    assert sorted(read_by_name(site)) == ["big"]
    assert erase(site, "big")[-1].step == "remove"
    assert [key for key in place.objects() if key.startswith("data/")] == []
    assert faults(site) == []
    with pytest.raises(Removed, match="revision 1 was erased"):
        archive.open(slot(), settings=site).read()


def test_a_pack_that_another_revision_shares_stays_until_that_is_asked_for_too(
    site: Settings, place: Place, done: Commit
) -> None:
    again = commit(site, *map(of_person, NAMES), part(b"x" * (5 << 20), "big"), by=run("manual-2"))
    assert again.manifest.payloads[0].key == done.manifest.payloads[0].key
    (found,) = archive.erase(slot(), 1, name=SUBJECT, **WHY, settings=site)
    assert found.shared_with == (2,)
    erase(site, revision=1)
    assert archive.open(again.reference, SUBJECT, settings=site).read() == body_of(SUBJECT)
    assert faults(site) == []
    erase(site)
    assert traces(place, SUBJECT) == []
    assert faults(site) == []


def test_both_revisions_share_what_takes_its_place(
    site: Settings, place: Place, done: Commit
) -> None:
    commit(site, *map(of_person, NAMES), part(b"x" * (5 << 20), "big"), by=run("manual-2"))
    erase(site)
    assert traces(place, SUBJECT) == []
    assert len([key for key in place.objects() if key.endswith(".zip")]) == 1
    assert faults(site) == []


def test_a_hold_forbids_it(site: Settings, place: Place, done: Commit) -> None:
    held = archive.hold(Entity("weather", "forecast"), reason="case 12", by="legal", settings=site)
    before = contents(place)
    with pytest.raises(ArchiveHeld, match=held.id):
        erase(site)
    assert contents(place) == before


def test_what_is_not_there_is_said(site: Settings, done: Commit) -> None:
    with pytest.raises(NotArchived, match="no body 'nobody' in revision 1"):
        erase(site, "nobody", revision=1)
    with pytest.raises(NotArchived, match=r"no body 'nobody'$"):
        erase(site, "nobody")
    with pytest.raises(ConfigError):
        archive.erase(slot(), name=SUBJECT, reason="", by="privacy", settings=site)


def test_a_writer_that_found_the_same_bytes_does_not_name_the_old_pack(
    site: Settings, done: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile() -> Iterator[bytes]:
        erase(site)
        yield b"x" * (5 << 20)

    monkeypatch.setattr(
        pack, "BODIES_LIMIT", len(NAMES)
    )  # complete, and found to be there, by then
    parts = [*map(of_person, NAMES), part(meanwhile(), "big")]
    with pytest.raises(ArchiveUnavailable, match="being removed"):
        commit(site, *parts, by=run("run-2"))
    assert faults(site) == []
    assert read_by_name(site).keys() == {"adam", "karl", "zoe", "big"}


# --- Half done ------------------------------------------------------------------------------------


@pytest.fixture
def half_done(site: Settings, place: Place, done: Commit) -> dict[str, bytes]:
    """Everything as it was but for the record and what takes the pack's place."""
    before = contents(place)
    erase(site)
    for key, data in before.items():
        place.write(key, data)
    return before


def test_a_record_without_its_manifest_is_told_and_brought_to_its_end(
    site: Settings, place: Place, half_done: dict[str, bytes]
) -> None:
    (found,) = faults(site)
    assert found == f"tombstone {place.root}/{RECORD}"
    erase(site)
    assert faults(site) == []
    assert traces(place, SUBJECT) == []
    assert read_by_name(site).keys() == {"adam", "karl", "zoe", "big"}


def test_a_sweep_meanwhile_leaves_what_the_record_names(
    site: Settings, place: Place, half_done: dict[str, bytes]
) -> None:
    for key in place.objects():
        place.date(key, datetime.now(UTC) - LONG_AGO)
    assert swept(site) == ([], [])
    erase(site)
    assert faults(site) == []


def test_an_erasure_of_the_whole_revision_ends_it_too(
    site: Settings, place: Place, half_done: dict[str, bytes]
) -> None:
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert faults(site) == []
    assert traces(place, body_of(SUBJECT).decode()[:30], "karl") == []


def test_an_excised_revision_can_expire_and_be_erased(
    site: Settings, place: Place, done: Commit
) -> None:
    commit(site, of_person("adam", "!"), of_person("karl"), by=run("run-2"))
    erase(site, revision=1)
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert faults(site) == []
    with pytest.raises(Removed, match="revision 1 was erased"):
        archive.open(done.reference, settings=site)


def test_a_manifest_that_was_read_before_says_why_its_pack_is_gone(
    site: Settings, done: Commit
) -> None:
    before = list(archive.bodies(done.manifest, site))
    erase(site)
    with pytest.raises(Removed, match="read the revision anew"):
        before[0].read()


@pytest.mark.parametrize("damage", ["flipped", "missing", "first-missing"])
def test_verify_names_a_record_that_is_not_as_it_was(
    site: Settings, place: Place, done: Commit, damage: str
) -> None:
    erase(site)
    erase(site, "zoe")
    second = RECORD.replace("0001.json", "0002.json")
    if damage == "flipped":
        place.write(RECORD, place.read(RECORD).replace(b"4711", b"4712"))
    else:
        place.remove(RECORD if damage == "first-missing" else second)
    named = second if damage == "missing" else RECORD
    assert f"tombstone {place.root}/{named}" in faults(site)
    assert read_by_name(site).keys() == {"adam", "karl", "big"}


def test_an_export_has_the_rest_and_the_record(
    site: Settings, place: Place, done: Commit, tmp_path: Path
) -> None:
    erase(site)
    bag = archive.export(tmp_path / "bag", settings=site)
    names = {each.relative_to(bag.path).as_posix() for each in bag.path.rglob("*.json")}
    assert names == {META.replace("%", "~"), RECORD.replace("%", "~")}
    assert not any(SUBJECT.encode() in unpacked(each.read_bytes()) for each in _files(bag.path))


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def test_rivals_that_erase_bodies_of_one_pack_all_get_their_way(
    site: Settings, place: Place, done: Commit
) -> None:
    def work(name: str) -> None:
        with suppress(ArchiveUnavailable, Removed):  # what a retry mends
            erase(site, name)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("adam", "karl", "zoe")))
    for name in ("adam", "karl", "zoe"):
        erase(site, name)
    assert read_by_name(site) == {SUBJECT: body_of(SUBJECT), "big": b"x" * (5 << 20)}
    assert faults(site) == []
    assert traces(place, "adam", "karl", "zoe") == []
