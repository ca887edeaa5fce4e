"""The contract of every registered operator, on every store: see ``tests/contract.py``."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time import comms

from platform_ops import archive
from platform_ops.entity import Reference
from platform_ops.errors import ArchiveConflict, NotArchived, SourceError
from platform_ops.ingest import ArchivingOperator
from platform_ops.testing.runner import Supervisor, TaskResult, run_dag, run_task
from tests.archive.places import Disk, Place, place_of
from tests.contract import CASES, is_fast, on_every_store
from tests.contract.case import (
    DAY,
    ENTITY,
    SECRETS,
    Case,
    Source,
    as_json,
    build,
    build_mapped,
    is_archiving,
    registered_operators,
    uncovered,
)
from tests.fakes.statsd import Listener

REPLAY = {"platform_ops": {"replay": True}}
MIB = 1 << 20


POOL = [pair for pair in on_every_store(CASES) if is_fast(*pair)]
"""The cases and stores of this module; ``tests/integration/sources`` runs the tests over the others."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test over every case of its module; one that is about streams over those that stream."""
    if "case" in metafunc.fixturenames:
        about_streams = metafunc.definition.get_closest_marker("streams")
        chosen = [pair for pair in metafunc.module.POOL if pair[0].streams or not about_streams]
        ids = [f"{case.name}-{store}" for case, store in chosen]
        metafunc.parametrize(("case", "place"), chosen, ids=ids, indirect=["place"])


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = place_of(request, tmp_path / "archive")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", found.root)
    return found


@pytest.fixture
def source(case: Case, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    with case.serve(monkeypatch) as served:
        yield served


def reference_of(ran: TaskResult) -> dict[str, Any]:
    assert ran.state == "success", ran.error
    found: dict[str, Any] = ran.xcom
    return found


def manifests(place: Place) -> list[str]:
    return [key for key in place.objects() if key.startswith("meta/")]


def test_every_registered_operator_has_a_case() -> None:
    assert uncovered(registered_operators(), [case.operator for case in CASES]) == []


def test_an_operator_without_a_case_is_named() -> None:
    forgotten = type("Forgotten", (ArchivingOperator,), {"__module__": "plant.sources"})
    found = uncovered({*registered_operators(), forgotten}, [case.operator for case in CASES])
    assert found == ["plant.sources.Forgotten"]


def test_every_registered_operator_goes_the_one_way() -> None:
    assert all(is_archiving(operator) for operator in registered_operators())


def test_the_bytes_are_archived_as_they_came(case: Case, source: Source) -> None:
    ran = run_task(build(case), at=DAY)
    with archive.open(reference_of(ran)) as body:
        assert case.readable(body.read()) == case.expected


def test_the_xcom_is_the_reference_as_json(case: Case, source: Source) -> None:
    ran = run_task(build(case), at=DAY)
    reference = Reference.from_dict(as_json(reference_of(ran)))
    assert reference.to_dict() == ran.xcom
    assert (reference.entity, reference.revision) == (ENTITY, 1)
    assert reference.size_bytes == len(archive.open(reference).read())
    assert len(reference.payload_urls) == case.payload_count


def test_the_manifest_says_what_when_and_by_whom(case: Case, source: Source, place: Place) -> None:
    ran = run_task(build(case), at=DAY, try_number=2, partition_key="EU/west")
    manifest = archive.manifest(reference_of(ran))
    assert str(manifest.slot) == f"{ENTITY} {DAY}T00:00:00Z part=EU/west"
    run = manifest.run
    assert (run.dag_id, run.task_id, run.map_index) == ("contract", "capture", -1)
    assert (run.run_id, run.try_number, run.max_tries) == (f"scheduled__{DAY}T00:00:00+00:00", 2, 2)
    assert run.interval_start_utc == datetime(2024, 3, 5, tzinfo=UTC)
    assert run.interval_end_utc == datetime(2024, 3, 6, tzinfo=UTC)
    assert set(manifest.versions) == {"platform-ops", "apache-airflow-core"}
    for payload in manifest.payloads:
        stored = place.read(payload.key)
        assert payload.size_bytes == len(stored)
        assert payload.sha256 == hashlib.sha256(stored).hexdigest()
        assert payload.origin.fingerprint is not None
        assert payload.origin.fetched_at_utc is not None
    verdicts = list(archive.verify())
    assert [verdict.faults for verdict in verdicts] == [()]


def test_one_asset_event_carries_the_reference(case: Case, source: Source) -> None:
    ran = run_task(build(case), at=DAY)
    assert dict(ran.asset_events) == {ENTITY: reference_of(ran)}
    assert ran.asset_names == (ENTITY,)


def test_a_task_downstream_reads_the_bytes(case: Case, source: Source) -> None:
    @task
    def load(ref: Any) -> str:  # Any: an XComArg to the author, a dictionary to the task
        with archive.open(ref) as body:
            return body.read().hex()

    operator = build(case)
    with operator.dag:
        load(operator.output)
    ran = run_dag(operator.dag, at=DAY)
    assert ran.state == "success"
    assert case.readable(bytes.fromhex(ran["load"].xcom)) == case.expected


def test_a_retry_adopts_and_announces_again_without_a_request(
    case: Case, source: Source, place: Place
) -> None:
    first = run_task(build(case), at=DAY)
    asked, stored = source.asked(), place.objects()
    source.stop()
    again = run_task(build(case), at=DAY, try_number=2)
    assert again.xcom == reference_of(first)
    assert dict(again.asset_events) == {ENTITY: first.xcom}
    assert source.asked() == asked
    assert place.objects() == stored


@pytest.mark.parametrize("policy", ["revise", "reuse", "fail"])
def test_a_clear_follows_the_policy(case: Case, source: Source, place: Place, policy: str) -> None:
    first = run_task(build(case), at=DAY)
    asked = source.asked()
    cleared = run_task(build(case, on_existing=policy), at=DAY, try_number=2, max_tries=3)
    if policy == "revise":
        assert reference_of(cleared)["revision"] == 2
        assert cleared.xcom["sha256"] == first.xcom["sha256"]
        assert source.asked() == 2 * asked
    else:
        assert source.asked() == asked
        assert len(manifests(place)) == 1
    if policy == "reuse":
        assert reference_of(cleared) == first.xcom
    if policy == "fail":
        assert cleared.state == "failed"
        assert isinstance(cleared.error, AirflowFailException)
        assert isinstance(cleared.error.__cause__, ArchiveConflict)


def test_refetch_asks_where_reuse_would_not(case: Case, source: Source) -> None:
    run_task(build(case), at=DAY)
    asked = source.asked()
    again = run_task(
        build(case, on_existing="reuse"),
        at=DAY,
        run_id="manual",
        conf={"platform_ops": {"mode": "refetch"}},
    )
    assert reference_of(again)["revision"] == 2
    assert source.asked() == 2 * asked


def test_a_replay_reads_the_archive_alone(case: Case, source: Source, place: Place) -> None:
    first = run_task(build(case), at=DAY)
    asked, stored = source.asked(), place.objects()
    source.stop()
    replayed = run_task(build(case), at=DAY, run_id="replay", conf=REPLAY)
    assert reference_of(replayed) == first.xcom
    assert (dict(replayed.asset_events), replayed.asset_names) == ({}, ())
    assert source.asked() == asked
    assert place.objects() == stored


def test_a_replay_announces_the_asset_where_it_is_asked_to(case: Case, source: Source) -> None:
    first = run_task(build(case), at=DAY)
    conf = {"platform_ops": {"replay": {"emit": True}}}
    replayed = run_task(build(case), at=DAY, run_id="replay", conf=conf)
    assert dict(replayed.asset_events) == {ENTITY: reference_of(first)}
    assert replayed.asset_names == (ENTITY,)


def test_a_replay_reads_the_revision_time_or_moment_that_it_names(
    case: Case, source: Source
) -> None:
    first = run_task(build(case), at=DAY)
    second = run_task(build(case), at=DAY, run_id="manual")
    assert reference_of(second)["revision"] == 2
    committed = archive.manifest(reference_of(first)).committed_at_utc

    def replayed(**options: object) -> dict[str, Any]:
        conf = {"platform_ops": {"replay": options}}
        return reference_of(run_task(build(case), at="2030-01-01", run_id="replay", conf=conf))

    day = f"{DAY}T00:00Z"
    assert replayed(time=day) == second.xcom
    assert replayed(time=day, revision=1) == first.xcom
    assert replayed(time=day, as_of=committed.isoformat()) == first.xcom


@pytest.mark.parametrize(
    "conf",
    [REPLAY, {"platform_ops": {"replay": {"revision": 7}}}, {"platform_ops": {"replay": {}}}],
)
def test_a_miss_fails_at_once_and_never_asks_the_source(
    case: Case, source: Source, place: Place, conf: dict[str, Any]
) -> None:
    missed = run_task(build(case), at=DAY, conf=conf)
    assert missed.state == "failed"
    assert isinstance(missed.error, AirflowFailException)
    assert isinstance(missed.error.__cause__, NotArchived)
    assert "nothing is archived" in str(missed.error)
    assert source.asked() == 0
    assert place.objects() == []


def test_the_operators_mode_and_the_entitys_replay_too(
    case: Case, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_task(build(case), at=DAY)
    asked = source.asked()
    by_operator = run_task(build(case, mode="replay"), at=DAY, run_id="replay")
    site = tmp_path / "platform.toml"
    site.write_text('[sources.weather.entities.observations]\nmode = "replay"\n')
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(site))
    by_entity = run_task(build(case), at=DAY, run_id="replay-2")
    assert reference_of(by_operator) == reference_of(by_entity) == first.xcom
    assert source.asked() == asked
    fresh = run_task(build(case), at=DAY, run_id="fresh", conf={"platform_ops": {"mode": "auto"}})
    assert reference_of(fresh)["revision"] == 2


def test_each_instance_of_a_mapped_task_fills_its_own_slot(case: Case, source: Source) -> None:
    mapped = build_mapped(case)
    results = [run_task(mapped, at=DAY, map_index=index) for index in range(len(case.mapped))]
    for number, (ran, (_, body)) in enumerate(zip(results, case.mapped, strict=True)):
        assert case.readable(archive.open(reference_of(ran)).read()) == body
        assert archive.manifest(ran.xcom).slot.map_key == f"key-{number}"
        assert dict(ran.asset_events) == {ENTITY: ran.xcom}
    assert len(archive.files(ENTITY)) == len(case.mapped)
    asked = source.asked()
    replayed = run_task(mapped, at=DAY, map_index=0, run_id="replay", conf=REPLAY)
    assert reference_of(replayed) == results[0].xcom
    assert (dict(replayed.asset_events), source.asked()) == ({}, asked)


def test_a_failing_source_leaves_nothing_and_announces_nothing(
    case: Case, source: Source, place: Place
) -> None:
    source.stop()
    ran = run_task(build(case), at=DAY)
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceError)
    assert (dict(ran.asset_events), ran.asset_names, ran.xcom) == ({}, (), None)
    assert place.objects() == []


@pytest.mark.parametrize("fate", ["success", "out of reach", "replay", "missed"])
def test_no_secret_is_written_anywhere(
    case: Case,
    source: Source,
    place: Place,
    statsd: Listener,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fate: str,
) -> None:
    supervisor = Supervisor()
    if fate == "out of reach":
        source.stop()
    if fate == "replay":
        run_task(build(case), at=DAY, supervisor=supervisor)
    conf = REPLAY if fate in ("replay", "missed") else None
    ran = run_task(build(case), at=DAY, run_id="any", conf=conf, supervisor=supervisor)
    assert (ran.state == "success") is (fate in ("success", "replay"))
    told = [each for each in supervisor.sent if not isinstance(each, comms.MaskSecret)]
    texts = {
        "log": "".join(capfd.readouterr()) + caplog.text,
        "error": repr(ran.error) + str(ran.error),
        "archive": "".join(place.objects())
        + "".join(place.read(key).decode(errors="replace") for key in place.objects()),
        "xcom": repr(supervisor.xcoms),
        "messages": repr(told),
        "rendered fields": repr(ran.rendered),
        "metrics": "\n".join(statsd.lines()),
    }
    assert "platform_ops." in texts["metrics"]
    assert set(ran.rendered) >= {"map_key", "partition_key"}
    found = [
        (what, where)
        for what, secret in SECRETS.items()
        for where in texts
        if secret in texts[where]
    ]
    assert found == []


@pytest.mark.streams
def test_the_first_byte_is_archived_before_the_last_is_made(
    case: Case, source: Source, place: Place
) -> None:
    size_bytes, seen = 40 * MIB, threading.Event()

    def pieces() -> Iterator[bytes]:
        for _ in range(32):
            yield bytes(MIB)
        _wait_until(lambda: begun(place))
        seen.set()
        for _ in range(8):
            yield bytes(MIB)

    source.stream(pieces, size_bytes)
    ran = run_task(build(case), at=DAY)
    assert reference_of(ran)["size_bytes"] == size_bytes
    assert seen.is_set()
    assert place.unfinished() == []


def begun(place: Place) -> bool:
    """Whether bytes of an unfinished payload are in the store."""
    if isinstance(place, Disk):
        return any((place.folder / key).stat().st_size for key in place.unfinished())
    return place.unfinished() != []


@pytest.mark.streams
def test_a_kill_in_the_middle_leaves_nothing_and_the_retry_commits_once(
    case: Case, source: Source, place: Place, tmp_path: Path
) -> None:
    killed = threading.Event()

    def pieces() -> Iterator[bytes]:
        for _ in range(32):
            yield bytes(MIB)
        killed.wait(60)

    source.stream(pieces, 40 * MIB)
    script = (
        "from platform_ops.testing.runner import run_task\n"
        "from tests.contract import CASES\n"
        "from tests.contract.case import DAY, build\n"
        f"run_task(build(CASES[{CASES.index(case)}]), at=DAY)\n"
    )
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", script], env=dict(os.environ), stdout=log, stderr=log
        )
        _wait_until(lambda: begun(place) or child.poll() is not None)
        assert child.poll() is None, (tmp_path / "log").read_text()
        child.kill()
        child.wait()
    killed.set()
    assert manifests(place) == []
    assert list(archive.find(ENTITY)) == []
    source.stream(lambda: [b"whole"], 5)
    again = run_task(build(case), at=DAY, try_number=2)
    assert archive.open(reference_of(again)).read() == b"whole"
    assert len(manifests(place)) == 1
    assert archive.files(ENTITY) == list(again.xcom["payload_urls"])


def _wait_until(true: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
