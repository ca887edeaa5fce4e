"""The archive kept by tasks: shard by shard, failing with what they find."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.archive.upkeep.witnesses import parse
from platform_ops.maintenance import (
    ArchiveEraseOperator,
    ArchiveExpireOperator,
    ArchiveExportOperator,
    ArchiveHoldOperator,
    ArchiveReleaseOperator,
    ArchiveShardsOperator,
    ArchiveSweepOperator,
    ArchiveVerifyOperator,
    ArchiveWitnessOperator,
)
from platform_ops.settings import Settings, load
from platform_ops.testing.runner import DagResult, TaskResult
from tests.archive.places import Bucket, Disk
from tests.archive.samples import aged, commit, part, run, slot
from tests.archive.strays import FOLDER, LONG_AGO, orphan
from tests.fakes.s3 import S3Server
from tests.test_examples import dag_of

DAY = "2024-03-05"
FORECAST = "v1/weather/forecast"

RunDag = Callable[..., DagResult]
RunTask = Callable[..., TaskResult]


@pytest.fixture
def place(platform_archive: Settings) -> Disk:
    return Disk(Path(platform_archive.archive.root.removeprefix("file://")))


@pytest.fixture
def site(platform_archive: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two revisions that are over, one that is not, an orphan and a temporary file."""
    file = tmp_path / "platform.toml"
    file.write_text("[sources.weather.entities.forecast]\nretention_days = 30\n")
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(file))
    found = load().settings
    with aged(days=40):
        commit(found, part(b"sunny"))
        commit(found, part(b"rainy"), by=run("manual-2"))
    commit(found, part(b"windy"), at=slot(1))
    return found


def ran(run_task: RunTask, operator: type, **arguments: Any) -> TaskResult:
    with DAG("keeping"):
        task = operator(task_id="keep", **arguments)
    return run_task(task, at=DAY)


def test_shards_are_the_entities_and_what_lies_beside_them(
    site: Settings, run_task: RunTask
) -> None:
    assert ran(run_task, ArchiveShardsOperator).xcom == [FORECAST, "."]
    assert ran(run_task, ArchiveShardsOperator, depth=1).xcom == ["v1/weather", "."]


def test_verify_counts_what_it_read(site: Settings, run_task: RunTask) -> None:
    done = ran(run_task, ArchiveVerifyOperator, prefix=FORECAST)
    assert done.xcom == {"manifests": 3, "size_bytes": 15, "faults": 0}
    quick = ran(run_task, ArchiveVerifyOperator, prefix=FORECAST, share=0)
    assert quick.xcom == {"manifests": 3, "size_bytes": 0, "faults": 0}


def test_verify_fails_and_names_each_fault(site: Settings, place: Disk, run_task: RunTask) -> None:
    key = next(key for key in place.objects() if key.startswith(f"data/{FOLDER}/000002-"))
    place.write(key, b"RAINY")
    failed = ran(run_task, ArchiveVerifyOperator, prefix=FORECAST)
    assert failed.state == "failed"
    assert f"1 findings:\ndigest: {place.root}/{key}: SHA-256 " in str(failed.error)


def test_verify_of_what_lies_beside_the_slots_names_a_damaged_template(
    site: Settings, place: Disk, run_task: RunTask
) -> None:
    assert ran(run_task, ArchiveSweepOperator, prefix=".").state == "success"
    hold = archive.hold("weather", reason="lawsuit 7", by="counsel", settings=site)
    place.write(f"holds/{hold.id}.json", b"{}")
    failed = ran(run_task, ArchiveVerifyOperator, prefix=".")
    assert f"hold: {place.root}/holds/{hold.id}.json: not a hold" in str(failed.error)


def test_expire_and_sweep_count_and_do_only_what_they_are_asked(
    site: Settings, place: Disk, run_task: RunTask
) -> None:
    orphan(place, f"{FOLDER}/000009-0123456789ab/a", LONG_AGO)
    before = place.objects()
    assert ran(run_task, ArchiveExpireOperator).xcom == {"to_bury": 2, "to_bury_bytes": 10}
    assert ran(run_task, ArchiveSweepOperator).xcom == {"left": 1, "size_bytes": 6}
    assert place.objects() == before
    buried = ran(run_task, ArchiveExpireOperator, delete=True).xcom
    assert buried == {"bury": 2, "bury_bytes": 10}
    removed = ran(run_task, ArchiveExpireOperator, delete=True, pause_days=0).xcom
    assert removed == {"remove": 2, "remove_bytes": 10}
    assert ran(run_task, ArchiveSweepOperator, delete=True).xcom == {"removed": 1, "size_bytes": 6}
    left = [place.read(key) for key in place.objects() if key.startswith("data/")]
    assert left == [b"windy"]


@pytest.mark.parametrize("operator", [ArchiveExpireOperator, ArchiveSweepOperator])
def test_a_slot_that_is_left_alone_fails_the_task(
    site: Settings, place: Disk, run_task: RunTask, operator: type
) -> None:
    orphan(place, f"{FOLDER}/000009-0123456789ab/a", LONG_AGO)
    place.write(f"meta/{FOLDER}/000001.json", b"{}")
    failed = ran(run_task, operator, delete=True)
    assert failed.state == "failed"
    assert f"left alone: {place.root}/meta/{FOLDER}/000001.json" in str(failed.error)


def test_export_writes_a_bag(site: Settings, tmp_path: Path, run_task: RunTask) -> None:
    done = ran(
        run_task,
        ArchiveExportOperator,
        folder=f"{tmp_path}/bag-{{{{ ds_nodash }}}}",
        entity="weather.forecast",
        since="{{ data_interval_start }}",
    )
    assert done.xcom == f"{tmp_path}/bag-20240305"
    assert (tmp_path / "bag-20240305" / "bagit.txt").is_file()


def test_the_example_keeps_the_archive_night_by_night(
    site: Settings, place: Disk, run_dag: RunDag
) -> None:
    orphan(place, f"{FOLDER}/000009-0123456789ab/a", LONG_AGO)
    dag = dag_of("archive_maintenance")
    first = run_dag(dag, at=DAY)
    assert first.state == "success"
    assert [each.map_index for each in first.mapped("verify")] == [0, 1]
    assert first.mapped("expire")[0].xcom == {"bury": 2, "bury_bytes": 10}
    assert first.mapped("sweep")[0].xcom == {"removed": 1, "size_bytes": 6}
    for key in place.objects():
        if key.startswith("tombstones/"):
            place.date(key, datetime.now(UTC) - timedelta(days=1, hours=1))
    second = run_dag(dag, at="2024-03-06")
    assert second.mapped("expire")[0].xcom == {"remove": 2, "remove_bytes": 10}


def test_the_example_removes_nothing_in_a_night_that_finds_a_fault(
    site: Settings, place: Disk, run_dag: RunDag
) -> None:
    place.write(f"meta/{FOLDER}/000001.json", b"{}")
    before = place.objects()
    ended = run_dag(dag_of("archive_maintenance"), at=DAY)
    assert ended.state == "failed"
    assert {each.task_id for each in ended.tasks} == {"shards", "verify"}
    assert place.objects() == before


def test_the_example_writes_a_year_as_a_bag(
    site: Settings, tmp_path: Path, run_dag: RunDag
) -> None:
    year = timedelta(days=366)
    ended = run_dag(
        dag_of("yearly_bag"), at="2024-01-01", interval=year, conf={"folder": str(tmp_path)}
    )
    assert ended["bag"].xcom == f"{tmp_path}/2024"
    assert len([path for path in (tmp_path / "2024" / "data").rglob("*") if path.is_file()]) == 3


def test_erase_takes_one_body_and_leaves_the_others(
    place: Disk, platform_archive: Settings, run_task: RunTask
) -> None:
    commit(platform_archive, part(b"sunny", "a"), part(b"mild", "b"))
    asked = {"entity": "weather.forecast", "time": "{{ ds }}T00:00:00Z", "reason": "request 4711"}
    dry = ran(run_task, ArchiveEraseOperator, **asked, name="b")
    assert dry.xcom == {"to_bury": 1, "to_bury_bytes": 4}
    done = ran(run_task, ArchiveEraseOperator, **asked, name="b", delete=True)
    assert done.xcom == {"bury": 1, "bury_bytes": 4, "remove": 1, "remove_bytes": 4}
    assert [each.read() for each in archive.bodies(slot(), platform_archive)] == [b"sunny"]
    record = next(key for key in place.objects() if key.startswith("tombstones/"))
    assert '"by": "keeping.keep ' in place.read(record).decode()


def test_erase_of_what_is_held_fails_for_good(
    platform_archive: Settings, run_task: RunTask
) -> None:
    commit(platform_archive, part(b"sunny", "a"))
    hold = archive.hold("weather", reason="lawsuit 7", by="counsel", settings=platform_archive)
    asked = {"entity": "weather.forecast", "time": DAY + "T00:00:00Z", "reason": "request 4711"}
    failed = ran(run_task, ArchiveEraseOperator, **asked, revision=1, delete=True)
    assert failed.state == "failed"
    assert "ArchiveHeld: " in str(failed.error)
    assert hold.id in str(failed.error)


SCOPE = {"scope": "weather.forecast", "time": "2024-03-05T00:00Z", "reason": "lawsuit 7"}
REQUEST = {"entity": "weather.forecast", "time": "2024-03-05T00:00Z", "reason": "letter 7"}


@pytest.mark.parametrize(
    ("operator", "arguments", "told"),
    [
        (ArchiveEraseOperator, {**REQUEST, "time": "Tuesday"}, "ConfigError: time='Tuesday'"),
        (ArchiveEraseOperator, {**REQUEST, "time": "2024-03-05"}, "has no zone"),
        (ArchiveEraseOperator, {**REQUEST, "revision": "one"}, "revision='one' is no number"),
        (ArchiveEraseOperator, {**REQUEST, "entity": "forecast"}, "UrlError: "),
        (ArchiveExportOperator, {"folder": ".", "since": "2024-03-05"}, "has no zone"),
        (ArchiveExportOperator, {"folder": "."}, "is there already"),
        (ArchiveSweepOperator, {"grace_days": 0}, "ConfigError: a grace period of"),
        (ArchiveVerifyOperator, {"share": 2.0}, "ConfigError: share=2.0"),
        (ArchiveHoldOperator, {"scope": "weather", "reason": " "}, "ConfigError: reason is empty"),
        (ArchiveHoldOperator, {"scope": ".", "reason": "lawsuit 7"}, "UrlError: entity '.'"),
        (ArchiveHoldOperator, {**SCOPE, "scope": "weather"}, "a slot has an entity"),
        (ArchiveHoldOperator, {**SCOPE, "time": "", "map_key": "a"}, "a slot has an entity"),
        (ArchiveHoldOperator, {**SCOPE, "time": "2024-03-05"}, "has no zone"),
        (ArchiveReleaseOperator, {"hold": "7", "reason": "settled"}, "NotArchived: '7': no such"),
        (ArchiveWitnessOperator, {"folder": "heads"}, "ConfigError: 'heads': no store for"),
        (ArchiveWitnessOperator, {"folder": "ftp://elsewhere/heads"}, "no store for 'ftp'"),
        (ArchiveWitnessOperator, {"folder": "/", "name": "etc/passwd"}, "is no file's"),
    ],
)
def test_what_no_retry_can_cure_fails_for_good(
    operator: type, arguments: dict[str, Any], told: str, site: Settings, run_task: RunTask
) -> None:
    task = ran(run_task, operator, **arguments, retries=3)
    assert task.state == "failed"
    assert told in str(task.error)


def test_the_example_erases_what_it_is_started_with_and_nothing_otherwise(
    platform_archive: Settings, run_dag: RunDag
) -> None:
    commit(platform_archive, part(b"sunny", "a"), part(b"mild", "b"))
    assert run_dag(dag_of("erase_on_request"), at=DAY)["erase"].state == "skipped"
    asked = {"request": "4711", "entity": "weather.forecast", "time": f"{DAY}T00:00Z", "name": "b"}
    assert run_dag(dag_of("erase_on_request"), at=DAY, conf=asked)["erase"].state == "success"
    assert [each.read() for each in archive.bodies(slot(), platform_archive)] == [b"sunny"]


def test_a_hold_keeps_what_it_covers_until_its_release(site: Settings, run_task: RunTask) -> None:
    asked = {"scope": "weather.forecast", "reason": "lawsuit 7", "by": "counsel"}
    placed = ran(run_task, ArchiveHoldOperator, **asked).xcom
    assert ran(run_task, ArchiveHoldOperator, **asked).xcom == placed  # a retry finds its own
    assert [hold.id for hold, _ in archive.holds(site)] == [placed]
    assert ran(run_task, ArchiveExpireOperator, delete=True).xcom == {"held": 2, "held_bytes": 10}
    end = {"hold": placed, "reason": "settled"}
    ended = ran(run_task, ArchiveReleaseOperator, **end).xcom
    assert (ended["hold"], ended["reason"]) == (placed, "settled")
    assert ended["by"].startswith("keeping.keep ")
    assert ran(run_task, ArchiveReleaseOperator, **end, by="another").xcom == ended
    assert ran(run_task, ArchiveExpireOperator).xcom == {"to_bury": 2, "to_bury_bytes": 10}
    again = ran(run_task, ArchiveHoldOperator, **asked).xcom
    assert again != placed  # what has ended is no hold


def test_a_hold_may_cover_one_slot_or_a_source(site: Settings, run_task: RunTask) -> None:
    one = ran(run_task, ArchiveHoldOperator, **{**SCOPE, "time": "{{ ds }}T00:00Z"}).xcom
    source = ran(run_task, ArchiveHoldOperator, scope="weather", reason="lawsuit 7").xcom
    covered = {hold.id: hold.slot or hold.entity or hold.source for hold, _ in archive.holds(site)}
    assert covered == {one: slot(), source: "weather"}


def test_the_example_holds_and_releases_what_it_is_started_with(
    platform_archive: Settings, run_dag: RunDag
) -> None:
    name = "hold_on_request"
    assert {each.state for each in run_dag(dag_of(name), at=DAY).tasks} == {"skipped"}
    words = {"matter": "lawsuit 7", "by": "counsel"}
    first = run_dag(dag_of(name), at=DAY, conf={**words, "scope": "weather"})
    assert (first["hold"].state, first["release"].state) == ("success", "skipped")
    second = run_dag(dag_of(name), at=DAY, conf={**words, "hold": first["hold"].xcom})
    assert (second["hold"].state, second["release"].state) == ("skipped", "success")
    ((hold, ended),) = archive.holds(platform_archive)
    assert (hold.scope, hold.by, ended and ended.reason) == ("weather", "counsel", "lawsuit 7")


def test_a_witness_keeps_the_newest_of_every_slot_elsewhere(
    site: Settings, place: Disk, tmp_path: Path, run_task: RunTask
) -> None:
    file = tmp_path / "elsewhere" / "heads-20240305.jsonl"
    to = {"folder": str(file.parent), "name": "heads-{{ ds_nodash }}.jsonl"}
    done = ran(run_task, ArchiveWitnessOperator, **to).xcom
    told = "".join(f"{head.to_json()}\n" for head in archive.witness(settings=site)).encode()
    assert file.read_bytes() == told
    assert told.count(b"\n") == 2
    assert done == {"url": f"file://{file}", "slots": 2, "sha256": sha256(told).hexdigest()}

    place.remove(f"meta/{FOLDER}/000002.json")
    with file.open(encoding="utf-8") as lines:
        heads = [*parse(lines, str(file))]
    verdicts = archive.verify(share=0, against=heads, settings=site)
    kinds = [fault.kind for verdict in verdicts for fault in verdict.faults]
    assert kinds == ["gone"]
    refused = ran(run_task, ArchiveWitnessOperator, **to)
    assert "is there already, and no list is written over" in str(refused.error)
    assert file.read_bytes() == told


def test_a_witness_of_one_shard_goes_to_a_bucket_by_a_connection(
    site: Settings,
    s3_server: S3Server,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    run_task: RunTask,
) -> None:
    about = {
        "conn_type": "aws",
        "login": "testing",
        "password": "testing",
        "extra": {"endpoint_url": s3_server.url, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_FAR", json.dumps(about))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    far = Bucket(s3_server, s3_bucket)
    to = {"folder": f"{far.root}/", "conn_id": "far", "prefix": FORECAST}
    done = ran(run_task, ArchiveWitnessOperator, **to).xcom
    (key,) = far.objects()
    assert done["url"] == f"{far.root}/{key}"
    told = far.read(key).decode().splitlines()
    assert told == [head.to_json() for head in archive.witness(settings=site)]


def test_the_example_tells_a_witness(site: Settings, tmp_path: Path, run_dag: RunDag) -> None:
    ended = run_dag(dag_of("weekly_witness"), at=DAY, conf={"folder": str(tmp_path / "far")})
    (file,) = (tmp_path / "far").glob("*.jsonl")
    assert ended["witness"].xcom["url"] == f"file://{file}"
    assert file.name == "heads-20240305T000000-1.jsonl"
