"""What a delivery meets that is empty, cut off, malformed, or unlike those before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from click.testing import CliRunner

from platform_ops import archive
from platform_ops.archive import Evidence, LeftAlone, Removal
from platform_ops.cli import main
from platform_ops.entity import Entity, Manifest, Origin, Part, Slot
from platform_ops.errors import ArchiveCorrupt, DeliveryRefused, SourceTruncated
from platform_ops.ingest import ArchivingOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests.archive.places import Place, place_of
from tests.fakes.statsd import Listener

DAY = "2024-03-05"  # a Tuesday
ENTITY = "shop.orders"
MIB = 1 << 20


class Delivers(ArchivingOperator):
    """Archives the parts that it is given."""

    def __init__(self, *, parts: Callable[[], Iterator[Part]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        return self.parts()


def part(body: bytes, name: str = "orders.json", **given: Any) -> Part:
    return Part(name, [body[:5], body[5:]], Origin("https://shop.example/orders"), **given)


def delivered(*parts: Part, day: str = DAY, **arguments: Any) -> TaskResult:
    with DAG("policies"):
        task = Delivers(
            task_id="take", entity=ENTITY, parts=lambda: iter(parts), retries=1, **arguments
        )
    return run_task(task, at=day, run_id=f"run-{day}")


def committed(ran: TaskResult) -> Manifest:
    assert ran.state == "success", ran.error
    return archive.manifest(ran.xcom)


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where the archive is, and all evidence with it."""
    made = place_of(request, tmp_path / "archive")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", made.root)
    return made


on_disk = pytest.mark.parametrize("place", ["disk"], indirect=True)
"""For what does not depend on the store, and takes a history that takes its time."""


@pytest.fixture
def agree(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write what the site agrees on for the entity."""
    path = tmp_path / "platform.toml"
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))

    def write(lines: str) -> None:
        path.write_text(f"[sources.shop.entities.orders]\n{lines}\n")

    write("")
    return write


def kept() -> list[Evidence]:
    return list(archive.evidence(ENTITY))


def body_of(found: Evidence) -> bytes:
    return b"".join(archive.root().read(each.key) for each in found.payloads)


def checks(statsd: Listener) -> list[tuple[str, str]]:
    sent = [each for each in statsd.ours() if each.name == "platform_ops.checks"]
    return [(each.tags["check"], each.tags["policy"]) for each in sent]


def test_without_a_word_from_the_site_nothing_is_looked_at(agree: Any, statsd: Listener) -> None:
    manifest = committed(delivered(part(b'{"a": ', media_type="application/json")))
    assert (manifest.remarks, kept(), checks(statsd)) == ((), [], [])


BAD: dict[str, tuple[str, list[Part], str]] = {
    "empty": ("on_empty", [part(b"")], "it holds no byte"),
    "no rows": ("on_empty", [part(b"[]", rows=0)], "it holds no row"),
    "unparsable": (
        "on_unparsable",
        [part(b'{"a": 1}', "good.json"), part(b'{"a": 1, ', "bad.json")],
        "bad.json: at byte 9 it ends in the middle",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_fail_refuses_for_good_and_keeps_what_came(case: str, agree: Any, statsd: Listener) -> None:
    setting, parts, message = BAD[case]
    agree(f'{setting} = "fail"')
    ran = delivered(*parts)
    check = setting.removeprefix("on_")
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, DeliveryRefused)
    assert message in str(ran.error)
    (found,) = kept()
    assert (found.check, found.run.try_number) == (check, 1)
    assert f"kept as evidence: {archive.root().url}/evidence/records/" in str(ran.error)
    assert body_of(found) == b"".join(b"".join(each.body) for each in parts)
    assert checks(statsd) == [(check, "fail")]
    assert (list(archive.find(ENTITY)), archive.files(ENTITY), dict(ran.asset_events)) == (
        [],
        [],
        {},
    )


@pytest.mark.parametrize("case", BAD)
def test_skip_skips_the_task_and_keeps_what_came(case: str, agree: Any, statsd: Listener) -> None:
    setting, parts, _ = BAD[case]
    agree(f'{setting} = "skip"')
    ran = delivered(*parts)
    assert (ran.state, len(kept())) == ("skipped", 1)
    assert checks(statsd) == [(setting.removeprefix("on_"), "skip")]
    assert list(archive.find(ENTITY)) == []


@pytest.mark.parametrize("case", BAD)
def test_warn_takes_it_and_the_manifest_says_so(
    case: str, agree: Any, statsd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    setting, parts, message = BAD[case]
    agree(f'{setting} = "warn"')
    manifest = committed(delivered(*parts))
    (remark,) = manifest.remarks
    told = f"{remark.body}: {remark.message}" if remark.body else remark.message
    assert (told, remark.policy) == (message, "warn")
    assert kept() == []
    assert any(message in line for line in caplog.messages)
    assert checks(statsd) == [(setting.removeprefix("on_"), "warn")]
    again = Manifest.from_json(manifest.to_json(), "x")
    assert again == manifest


def short() -> Part:
    return part(b"12345678", "orders.csv", size_bytes=100)


def test_a_truncated_body_fails_the_try_and_leaves_nothing_by_default(agree: Any) -> None:
    ran = delivered(short())
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceTruncated)
    assert "nothing of it was kept" in str(ran.error)
    assert (kept(), list(archive.root().entries("data"))) == ([], [])


@pytest.mark.parametrize("size_bytes", [100, 3])
@pytest.mark.parametrize(
    ("policy", "state"),
    [("fail", "up_for_retry"), ("skip", "skipped"), ("warn", "success"), ("accept", "success")],
)
def test_a_truncated_body_meets_its_policy(
    policy: str, state: str, size_bytes: int, agree: Any, statsd: Listener
) -> None:
    agree(f'on_truncated = "{policy}"')
    ran = delivered(part(b"12345678", "orders.csv", size_bytes=size_bytes))
    assert ran.state == state
    if state == "success":
        (remark,) = committed(ran).remarks
        assert (remark.check, remark.policy) == ("truncated", policy)
        assert archive.open(ran.xcom).read() == b"12345678"
    else:
        assert [(each.check, body_of(each)) for each in kept()] == [("truncated", b"12345678")]
        assert "orders.csv ended after 8 of the " in kept()[0].message
    if policy == "fail":
        assert isinstance(ran.error, SourceTruncated)
    assert checks(statsd) == ([] if policy == "accept" else [("truncated", policy)])


def test_a_source_that_breaks_off_by_itself_is_truncated_too(agree: Any) -> None:
    agree('on_truncated = "skip"')

    def breaks() -> Iterator[bytes]:
        yield b"half"
        raise SourceTruncated("the connection was closed")

    ran = delivered(Part("x", breaks(), Origin("test:")))
    assert ran.state == "skipped"
    assert [body_of(each) for each in kept()] == [b"half"]


def test_packed_bodies_are_evidence_as_well(agree: Any) -> None:
    agree('on_unparsable = "fail"\npack = true\ncodec = "gzip"')
    ran = delivered(part(b"{}", "a.json"), part(b"[1", "b.json"), part(b"{}", "never-asked.json"))
    assert ran.state == "failed"
    (found,) = kept()
    (payload,) = found.payloads
    assert payload.members is not None
    assert payload.members.count == 2
    keys = {each.key for each in archive.root().entries("evidence")}
    assert {blob.key for blob in payload.blobs} < keys


def test_what_an_earlier_revision_holds_is_not_copied(agree: Any) -> None:
    committed(delivered(part(b'{"a": ', "a.json")))
    agree('on_unparsable = "fail"')
    with DAG("policies"):
        again = Delivers(
            task_id="take", entity=ENTITY, parts=lambda: iter([part(b'{"a": ', "a.json")])
        )
    assert run_task(again, at=DAY, run_id="again").state == "failed"
    (found,) = kept()
    assert found.payloads[0].key.startswith("data/")
    assert body_of(found) == b'{"a": '


@on_disk
def test_rows_that_the_check_counts_are_in_the_manifest(agree: Any) -> None:
    agree('on_unparsable = "warn"')
    manifest = committed(
        delivered(part(b"a,b\n1,2\n3,4\n", "x.csv"), part(b'[{"a": 1}]', "y.json"))
    )
    assert [each.rows for each in manifest.payloads] == [2, 1]
    agree('on_unparsable = "warn"\nformat = "jsonl"')
    assert committed(delivered(part(b"{}\n{}\n", "x.bin"), day="2024-03-06")).rows == 2


def test_a_limit_ends_a_delivery_before_its_end(agree: Any, place: Place) -> None:
    agree("limit_bytes = 4194304")
    drawn: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in range(10_000):
            drawn.append(number)
            yield bytes(MIB)

    ran = delivered(Part("big.bin", endless(), Origin("test:"), size_bytes=10_000 * MIB))
    assert ran.state == "failed"
    assert "large: big.bin: more than 4,194,304 bytes came, which is the limit" in str(ran.error)
    assert len(drawn) < 20
    assert kept()[0].size_bytes == 5 * MIB
    assert body_of(kept()[0]) == bytes(5 * MIB)
    assert place.unfinished() == []


def test_a_large_delivery_is_evidence_to_the_byte(agree: Any, place: Place) -> None:
    agree('on_unparsable = "fail"')
    lines = [b'{"n": "%s"}\n' % (b"%d" % number * 1000) for number in range(8000)]
    ran = delivered(Part("big.jsonl", [*lines, b"{"], Origin("test:")))
    assert ran.state == "failed"
    (found,) = kept()
    assert found.size_bytes > 20 * MIB  # several parts of an upload
    assert body_of(found) == b"".join(lines) + b"{"
    assert place.unfinished() == []


# --- The volume -----------------------------------------------------------------------------------


def days(since: str, count: int) -> list[datetime]:
    first = datetime.fromisoformat(since).replace(tzinfo=UTC)
    return [first + timedelta(days=number) for number in range(count)]


def brought(time: datetime, rows: int, **slot: Any) -> None:
    """One capture that is there already, of as many rows."""
    from platform_ops.archive.writing.write import Session
    from platform_ops.entity import RunIdentity
    from platform_ops.url_scheme import DEFAULT_TEMPLATE, Template

    run = RunIdentity("d", "t", f"r{time}", -1, 1, 0)
    with Session(
        archive.root(),
        Template.compile(DEFAULT_TEMPLATE),
        Slot(Entity.parse(ENTITY), time, **slot),
        run,
    ) as session:
        session.write(part(b"x" * rows, "x.bin", rows=rows))


def history() -> None:
    """Ten weeks in which Tuesdays bring about ten thousand rows, and other days about five hundred."""
    for number, time in enumerate(days("2023-12-26", 70)):
        brought(time, 10_000 + 50 * (number % 8) if time.weekday() == 1 else 500 + number)


def test_far_fewer_rows_than_on_such_days_are_told_in_words(agree: Any) -> None:
    agree('on_small = "fail"\non_large = "warn"')
    history()
    ran = delivered(part(b"x" * 412, rows=412))
    assert ran.state == "failed"
    assert "small: 412 rows; Tuesdays bring 10,000–10,350 (median 10," in str(ran.error)
    assert " of 10 captures)" in str(ran.error)
    assert committed(delivered(part(b"x", rows=10_200), day="2024-03-12")).remarks == ()
    (remark,) = committed(delivered(part(b"x", rows=10_200), day="2024-03-06")).remarks
    assert remark.check == "large"
    assert remark.message.startswith("10,200 rows; Wednesdays bring 50")
    assert committed(delivered(part(b"x", rows=540), day="2024-03-07")).remarks == ()


@on_disk
def test_odd_days_of_the_past_do_not_move_the_bounds(agree: Any) -> None:
    agree('on_small = "skip"')
    for number, time in enumerate(days("2024-02-20", 14)):
        brought(time, 3 if number in (3, 9) else 1000)
    assert delivered(part(b"x", rows=600)).state == "skipped"
    assert committed(delivered(part(b"x", rows=950), day="2024-03-06")).remarks == ()


@on_disk
def test_too_few_captures_judge_nothing(agree: Any) -> None:
    agree('on_small = "fail"\nvolume_floor = 8')
    for time in days("2024-02-27", 7):
        brought(time, 1000)
    assert committed(delivered(part(b"x", rows=1))).remarks == ()
    agree('on_small = "fail"\nvolume_floor = 7')
    assert delivered(part(b"x", rows=1), day="2024-03-05").state == "success"  # adopted
    assert delivered(part(b"x", rows=1), day="2024-03-06").state == "failed"


@on_disk
def test_bytes_serve_where_rows_are_not_known_and_each_map_key_has_its_own(agree: Any) -> None:
    agree('on_large = "fail"')
    for time in days("2024-02-20", 14):
        brought(time, 100, map_key="ak")
        brought(time, 90_000, map_key="wa")
    ran = delivered(part(b"x" * 5000), map_key="ak")
    assert ran.state == "failed"
    assert "5,000 bytes; captures bring 100 (median 100 of 14 captures)" in str(ran.error)
    assert committed(delivered(part(b"x" * 90_000), map_key="wa")).remarks == ()


@on_disk
def test_hours_have_a_usual_of_their_own(agree: Any) -> None:
    agree('on_small = "fail"\ntimezone = "America/New_York"')
    for time in days("2024-02-20", 14):
        for hour in (3, 15):
            brought(time + timedelta(hours=hour), 10 if hour == 3 else 5000)
    ran = delivered(part(b"x", rows=10), day=f"{DAY}T15:00")
    assert "10 rows; captures at 10:00 bring 5,000 (median 5,000 of 14 captures)" in str(ran.error)
    assert committed(delivered(part(b"x", rows=10), day=f"{DAY}T03:00")).remarks == ()


# --- What becomes of evidence ---------------------------------------------------------------------


def removals(**options: Any) -> list[Removal]:
    found = list(archive.expire(**options))
    assert all(isinstance(each, Removal) for each in found)
    return [each for each in found if isinstance(each, Removal)]


@pytest.fixture
def refused(agree: Any) -> Evidence:
    committed(delivered(part(b"{}", "a.json"), day="2024-03-04"))
    agree('on_unparsable = "fail"')
    assert delivered(part(b"[1", "a.json")).state == "failed"
    (found,) = kept()
    return found


def test_no_reader_sees_it_and_no_check_finds_fault_with_it(refused: Evidence) -> None:
    assert len(list(archive.find(ENTITY))) == len(archive.files(ENTITY)) == 1
    assert [(each.evidence, each.faults) for each in archive.verify()] == [(False, ()), (True, ())]
    assert not list(archive.sweep())
    record = next(iter(archive.root().entries("evidence/records")))
    assert json.loads(archive.root().read(record.key))["check"] == "unparsable"


def long_ago(place: Place) -> None:
    """Date all evidence before anybody's time for it."""
    for key in place.objects():
        if key.startswith("evidence/"):
            place.date(key, datetime(2001, 9, 9, tzinfo=UTC))


def test_it_is_removed_once_its_time_is_over(refused: Evidence, place: Place) -> None:
    assert removals(delete=True) == []
    long_ago(place)
    (dry,) = removals()
    assert (dry.step, dry.done, "evidence_days = 90" in dry.reason) == ("remove", False, True)
    held = archive.hold(Entity.parse(ENTITY), reason="a lawsuit", by="legal")
    assert [each.held_by for each in removals(delete=True)] == [held.id]
    assert kept() == [refused]
    archive.release(held.id, reason="settled", by="legal")
    assert [each.done for each in removals(delete=True)] == [True]
    assert list(archive.root().entries("evidence")) == []


def test_a_damaged_record_does_not_keep_the_others_from_expiring(
    refused: Evidence, place: Place
) -> None:
    (whole,) = (key for key in place.objects() if key.startswith("evidence/records/"))
    damaged = f"{whole.rpartition('/')[0]}/{'0' * 12}.json"
    place.write(damaged, place.read(whole).replace(b"unparsable", b"unreadable"))
    long_ago(place)
    named, removed = archive.expire(delete=True)
    assert isinstance(named, LeftAlone)
    assert named.url == f"{place.root}/{damaged}"
    assert "damaged record of evidence" in named.message
    assert isinstance(removed, Removal)
    assert removed.done
    assert [each.key for each in archive.root().entries("evidence")] == [damaged]


def test_verify_names_what_is_wrong_with_it(refused: Evidence, place: Place) -> None:
    def found(prefix: str = "", share: float = 1) -> list[tuple[str, str]]:
        verdicts = archive.verify(prefix, share=share)
        return [(fault.kind, fault.url) for each in verdicts for fault in each.faults]

    body, record = refused.payloads[0].key, next(archive.root().entries("evidence/records")).key
    intact = place.read(record)
    shard = archive.shards()[0]
    assert (shard, found()) == ("v1/shop/orders", [])
    place.write(body, bytes(refused.size_bytes))
    digest = [("digest", f"{place.root}/{body}")]
    assert (found(), found(shard), found("v1/weather"), found(share=0)) == (digest, digest, [], [])
    place.write(body, b"")
    assert found(share=0) == [("size", f"{place.root}/{body}")]
    place.remove(body)
    assert found(share=0) == [("missing", f"{place.root}/{body}")]
    place.write(record, intact.replace(b"unparsable", b"unreadable"))
    assert found() == [("evidence", f"{place.root}/{record}")]
    elsewhere = record.replace("orders", "others")
    place.remove(record)
    place.write(elsewhere, intact)
    assert found() == [("evidence", f"{place.root}/{elsewhere}")]


def test_an_erasure_of_its_slot_takes_it_along(refused: Evidence) -> None:
    gone = archive.erase(refused.slot, reason="a request", by="dpo", delete=True)
    assert [(each.cause, each.done) for each in gone] == [("erased", True)]
    assert list(archive.root().entries("evidence")) == []


def test_the_command_line_lists_it(refused: Evidence, place: Place) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(
            main, ["archive", "evidence", *arguments], env={"COLUMNS": "400"}
        )
        assert result.exit_code == 0, result.output
        return result.output

    (line,) = said("--json").splitlines()
    told = json.loads(line)
    assert (told["entity"], told["check"], told["run"]) == (ENTITY, "unparsable", f"run-{DAY}")
    assert place.read(told["urls"][0].removeprefix(f"{place.root}/")) == b"[1"
    assert "a.json: at byte 2 it ends in the middle" in said(ENTITY)
    assert told["urls"][0] in said()
    assert said("shop.others") == "nothing was refused\n"


def test_it_is_listed_by_entity_and_a_damaged_record_is_told(
    refused: Evidence, place: Place
) -> None:
    assert list(archive.evidence("shop.others")) == []
    assert list(archive.evidence()) == [refused]
    (record,) = archive.root().entries("evidence/records")
    place.write(record.key, place.read(record.key).replace(b"unparsable", b"accepted!!"))
    with pytest.raises(ArchiveCorrupt, match="damaged record of evidence"):
        list(archive.evidence())
