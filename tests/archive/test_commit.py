"""What a commit promises, on every store: once, whole, and never over another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive import Outcome
from platform_ops.entity import Entity
from platform_ops.errors import (
    ArchiveConflict,
    EntityUndeclared,
    NotArchived,
    PlatformError,
    SourceTruncated,
)
from platform_ops.settings import ArchiveSettings, Settings
from tests.archive.places import Place, settings_of
from tests.archive.samples import commit, faults, part, run, slot, untouchable


def stored(settings: Settings, day: int = 0) -> list[bytes]:
    """The bodies of every revision of a slot, oldest first, read through the archive."""
    found = list(archive.revisions(slot(day), settings))
    return [
        archive.open(archive.refer(each, settings), settings=settings).read()
        for each in found[::-1]
    ]


def test_the_body_comes_back_as_it_was_sent(site: Settings) -> None:
    body = bytes(range(256)) * 11
    done = commit(site, part(iter([body[:100], b"", body[100:]])))
    assert archive.open(done.reference, settings=site).read() == body
    assert done.outcome is Outcome.CREATED
    assert done.manifest.payloads[0].sha256 == hashlib.sha256(body).hexdigest()
    assert done.manifest.size_bytes == len(body)


def test_payload_and_manifest_lie_where_the_scheme_says(site: Settings, place: Place) -> None:
    done = commit(site, at=slot(partition_key="EU/west", map_key=""))
    folder = "v1/weather/forecast/dt=2024-03-05/at=000000Z/part=%45%55%2Fwest/map=~e"
    payload = f"data/{folder}/000001-{done.manifest.token}/page-0001.json"
    assert f"meta/{folder}/000001.json" in place.objects()
    assert place.read(payload) == b"sunny"
    assert (
        archive.url("weather.forecast", done.manifest.slot, site) == f"{place.root}/data/{folder}"
    )


def test_several_parts_read_as_one_stream_in_order(site: Settings) -> None:
    parts = [part(f"page {number};".encode(), f"page-{number}.txt") for number in (3, 1, 2)]
    done = commit(site, *parts)
    assert archive.open(done.reference, settings=site).read() == b"page 3;page 1;page 2;"
    assert [payload.name for payload in done.manifest.payloads] == [
        "page-3.txt",
        "page-1.txt",
        "page-2.txt",
    ]


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
def test_an_empty_body_is_a_payload_of_no_bytes(site: Settings, chunks: list[bytes]) -> None:
    done = commit(site, part(iter(chunks), size_bytes=0))
    assert archive.open(done.reference, settings=site).read() == b""
    assert archive.files("weather.forecast", settings=site) == list(done.reference.payload_urls)
    assert faults(site) == []


def test_a_capture_of_nothing_is_a_revision_without_payloads(site: Settings) -> None:
    with archive.session(slot(), run(), settings=site) as session:
        pass
    assert session.commit is not None
    assert archive.open(session.commit.reference, settings=site).read() == b""
    assert archive.newest(slot(), settings=site).payloads == ()


def test_a_big_body_is_streamed_in_pieces(site: Settings, place: Place) -> None:
    block = hashlib.sha256(b"seed").digest() * (1 << 15)  # 1 MiB

    def body() -> Iterator[bytes]:
        for number in range(40):
            yield number.to_bytes(2, "big") + block[2:]

    done = commit(site, part(body(), size_bytes=40 << 20))
    digest = hashlib.sha256()
    with archive.open(done.reference, settings=site) as stream:
        while chunk := stream.read(3 << 20):
            digest.update(chunk)
    assert digest.hexdigest() == done.manifest.payloads[0].sha256
    assert done.manifest.size_bytes == 40 << 20
    assert place.unfinished() == []


def test_a_source_that_reuses_its_buffer_is_stored_as_it_was_read(site: Settings) -> None:
    """Against its type, which says bytes; but a piece must not change between digest and disk."""
    buffer = bytearray(2 << 20)

    def body() -> Iterator[Any]:  # Any: wrong on purpose
        for number in range(12):
            buffer[:] = bytes([number]) * len(buffer)
            yield buffer

    done = commit(site, part(body()))
    stream = archive.open(done.reference, settings=site)
    assert [stream.read(2 << 20)[0] for _ in range(12)] == list(range(12))


def test_two_parts_of_one_name_are_an_error_and_commit_nothing(
    site: Settings, place: Place
) -> None:
    with pytest.raises(PlatformError, match=r"two parts are named 'page-0001\.json'; name each"):
        commit(site, part(b"first"), part(untouchable()))
    assert not [key for key in place.objects() if key.startswith("meta/")]


# --- Tries, clears and other runs -----------------------------------------------------------------


@pytest.mark.parametrize("policy", ["revise", "reuse", "fail"])
def test_a_retry_adopts_without_touching_the_source(
    site: Settings, place: Place, policy: str
) -> None:
    settings = settings_of(place, on_existing=policy)
    first = commit(settings, part(b"sunny"))
    before = place.objects()
    again = commit(settings, part(untouchable()), by=run(try_number=2))
    assert again.outcome is Outcome.ADOPTED
    assert again.reference == first.reference
    assert place.objects() == before


def test_a_settled_session_hands_out_what_is_stored_and_leaves_the_body_alone(
    site: Settings,
) -> None:
    first = commit(site, part(b"sunny"))
    with archive.session(slot(), run(try_number=2), settings=site) as session:
        assert session.write(part(untouchable())) == first.manifest.payloads[0]
        with pytest.raises(
            PlatformError, match=r"no body 'other'; it has: page-0001.json; revision 1 is"
        ):
            session.write(part(untouchable(), "other"))


def test_a_retry_adopts_its_own_revision_below_a_rivals_newer_one(site: Settings) -> None:
    first = commit(site, part(b"one"))
    commit(site, part(b"two"), by=run("manual-2"))
    again = commit(site, part(untouchable()), by=run(try_number=2))
    assert (again.outcome, again.reference) == (Outcome.ADOPTED, first.reference)


def test_a_clear_makes_a_revision_under_revise(site: Settings) -> None:
    commit(site, part(b"one"))
    cleared = commit(site, part(b"two"), by=run(try_number=2, max_tries=4))
    assert (cleared.outcome, cleared.manifest.revision) == (Outcome.CREATED, 2)
    assert stored(site) == [b"one", b"two"]


def test_a_clear_reuses_under_reuse(place: Place) -> None:
    settings = settings_of(place, on_existing="reuse")
    first = commit(settings, part(b"one"))
    cleared = commit(settings, part(untouchable()), by=run(try_number=2, max_tries=4))
    assert (cleared.outcome, cleared.reference) == (Outcome.REUSED, first.reference)


def test_a_clear_conflicts_under_fail_before_the_source_is_asked(place: Place) -> None:
    settings = settings_of(place, on_existing="fail")
    first = commit(settings, part(b"one"))
    with pytest.raises(ArchiveConflict) as caught:
        commit(settings, part(untouchable()), by=run(try_number=2, max_tries=4))
    assert str(caught.value) == (
        "weather.forecast 2024-03-05T00:00:00Z: revision 1 of run 'scheduled-1' is there "
        f"({first.reference.manifest_url}), and the policy is 'fail'; use 'revise' or 'reuse', "
        "or another partition key"
    )


def test_the_sessions_policy_takes_the_place_of_the_sites(place: Place) -> None:
    settings = settings_of(place, on_existing="fail")
    commit(settings, part(b"one"))
    again = commit(settings, part(b"two"), by=run("manual-2"), on_existing="revise")
    assert again.manifest.revision == 2


def test_unchanged_bytes_make_a_revision_that_shares_the_payload(
    site: Settings, place: Place
) -> None:
    first = commit(site, part(b"same"), part(b"old", "b"))
    second = commit(site, part(b"same"), part(b"new", "b"), by=run("manual-2"))
    third = commit(site, part(b"same"), part(b"new", "b"), by=run("manual-3"))
    assert second.outcome is Outcome.CREATED
    assert third.outcome is Outcome.UNCHANGED
    assert third.manifest.revision == 3
    keys = [[payload.key for payload in each.manifest.payloads] for each in (first, second, third)]
    assert keys[0][0] == keys[1][0] == keys[2][0]
    assert keys[1][1] == keys[2][1] != keys[0][1]
    assert len([key for key in place.objects() if key.startswith("data/")]) == 3
    assert faults(site) == []


def test_unchanged_big_bytes_leave_no_upload_behind(site: Settings, place: Place) -> None:
    body = b"x" * (9 << 20)
    commit(site, part(body))
    again = commit(site, part(body), by=run("manual-2"))
    assert again.outcome is Outcome.UNCHANGED
    assert place.unfinished() == []


def test_a_body_may_be_read_from_the_archive_itself(site: Settings) -> None:
    first = commit(site, part(b"x" * (20 << 20)))

    def body() -> Iterator[bytes]:
        with archive.open(first.reference, settings=site) as stream:
            while chunk := stream.read(1 << 20):
                yield chunk.upper()

    copied = commit(site, part(body()), at=slot(1))
    assert archive.open(copied.reference, settings=site).read() == b"X" * (20 << 20)


@pytest.mark.parametrize("harm", ["removed", "cut"])
def test_a_payload_that_was_lost_is_stored_again_not_shared(
    site: Settings, place: Place, harm: str
) -> None:
    first = commit(site, part(b"precious"))
    (key,) = [payload.key for payload in first.manifest.payloads]
    if harm == "removed":
        place.remove(key)
    else:
        place.write(key, b"prec")
    again = commit(site, part(b"precious"), by=run("manual-2"))
    assert again.manifest.payloads[0].key != key
    assert archive.open(again.reference, settings=site).read() == b"precious"


def test_the_chain_runs_through_every_revision(site: Settings) -> None:
    for number in range(3):
        commit(site, part(b"%d" % number), by=run(f"run-{number}"))
    newest, middle, oldest = archive.revisions(slot(), site)
    digests = [hashlib.sha256(each.to_json()).hexdigest() for each in (middle, oldest)]
    assert [newest.previous_sha256, middle.previous_sha256] == digests
    assert oldest.previous_sha256 is None


# --- Sources that break off -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "announced", "ended"),
    [(b"12345", 6, 5), (b"1234567", 6, 7), (b"", 6, 0), (b"x" * (9 << 20), 10 << 20, 9 << 20)],
    ids=["short", "long", "empty", "short-and-big"],
)
def test_another_length_than_announced_leaves_nothing(
    site: Settings, place: Place, body: bytes, announced: int, ended: int
) -> None:
    with pytest.raises(SourceTruncated) as caught:
        commit(site, part(body, size_bytes=announced))
    assert str(caught.value) == (
        f"https://weather.example/forecast: page-0001.json ended after {ended} of the {announced} "
        "bytes that the source announced; nothing of it was kept"
    )
    assert place.objects() == []
    assert place.unfinished() == []


@pytest.mark.parametrize("before", [0, 100, 20 << 20], ids=["at-once", "small", "big"])
@pytest.mark.parametrize(
    "kind", [RuntimeError, FileExistsError, FileNotFoundError, KeyboardInterrupt]
)
def test_an_error_of_the_source_passes_unchanged_and_leaves_nothing(
    site: Settings, place: Place, before: int, kind: type[BaseException]
) -> None:
    cause, fault = ValueError("the reason"), kind("the source broke")

    def body() -> Iterator[bytes]:
        yield b"x" * before
        raise fault from cause

    with pytest.raises(kind) as caught:
        commit(site, part(body()))
    assert caught.value is fault
    assert (caught.value.__cause__, caught.value.__context__) == (cause, None)
    assert place.objects() == []
    assert place.unfinished() == []


def test_an_error_in_the_block_commits_nothing(site: Settings, place: Place) -> None:
    session = archive.session(slot(), run(), settings=site)
    with suppress(ZeroDivisionError), session:
        session.write(part())
        raise ZeroDivisionError
    assert session.commit is None
    assert not [key for key in place.objects() if key.startswith("meta/")]
    with pytest.raises(NotArchived):
        archive.newest(slot(), settings=site)


# --- What the site demands ------------------------------------------------------------------------


def test_an_undeclared_entity_is_refused_where_the_site_says_so(place: Place) -> None:
    settings = settings_of(place, undeclared="fail")
    with pytest.raises(EntityUndeclared, match=r"add \[sources\.weather\.entities\.forecast\]"):
        commit(settings, part(untouchable()))
    assert place.objects() == []


def test_retention_and_policy_come_from_the_entitys_declaration(place: Place) -> None:
    declared = {
        "weather": {"entities": {"forecast": {"retention_days": 30, "on_existing": "reuse"}}}
    }
    archive_settings = ArchiveSettings(root=place.root)
    settings = Settings.model_validate({"archive": archive_settings, "sources": declared})
    first = commit(settings)
    assert first.manifest.retention_days == 30
    assert commit(settings, part(untouchable()), by=run("manual-2")).outcome is Outcome.REUSED


def test_slots_of_other_days_keys_and_entities_do_not_meet(site: Settings) -> None:
    slots = [
        slot(),
        slot(1),
        slot(partition_key=""),
        slot(map_key=""),
        slot(partition_key="a", map_key="b"),
        slot(partition_key="b", map_key="a"),
        slot(team="a"),
    ]
    for number, each in enumerate(slots):
        assert commit(site, part(b"%d" % number), at=each).manifest.revision == 1
    found = [archive.newest(each, settings=site) for each in slots]
    bodies = [archive.open(archive.refer(each, site), settings=site).read() for each in found]
    assert bodies == [b"%d" % number for number in range(len(slots))]


def test_url_refuses_a_slot_of_another_entity(site: Settings) -> None:
    with pytest.raises(ValueError, match=r"no slot of weather\.alerts"):
        archive.url(Entity("weather", "alerts"), slot(), site)


def test_the_times_of_a_commit_are_utc_and_in_order(site: Settings) -> None:
    manifest = commit(site).manifest
    assert manifest.started_at_utc <= manifest.committed_at_utc
    assert manifest.committed_at_utc.utcoffset() == timedelta(0)
