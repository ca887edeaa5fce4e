"""The contract of every registered hook, below the stock operator that finds it by connection type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, BaseOperator
from airflow.sdk.execution_time import comms

from platform_ops import archive
from platform_ops.ingest import asset
from platform_ops.testing.runner import Supervisor, TaskResult, run_task
from tests.archive.places import Place, place_of
from tests.contract import HOOK_CASES, is_fast, on_every_store
from tests.contract.case import (
    DAY,
    ENTITY,
    SECRETS,
    HookCase,
    Source,
    registered_hooks,
    uncovered,
)
from tests.fakes.statsd import Listener

pytestmark = pytest.mark.filterwarnings(
    "ignore:The `airflow.utils:FutureWarning"  # the stock operator's own import
)

REPLAY = {"platform_ops": {"replay": True}}


POOL = [pair for pair in on_every_store(HOOK_CASES) if is_fast(*pair)]
"""The cases and stores of this module; ``tests/integration/sources`` runs the tests over the others."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test over every case of its module."""
    if "case" in metafunc.fixturenames:
        chosen = metafunc.module.POOL
        ids = [f"{case.name}-{store}" for case, store in chosen]
        metafunc.parametrize(("case", "place"), chosen, ids=ids, indirect=["place"])


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = place_of(request, tmp_path / "archive")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", found.root)
    return found


@pytest.fixture
def source(case: HookCase, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    with case.serve(monkeypatch) as served:
        yield served


def build(case: HookCase, **arguments: Any) -> BaseOperator:
    with DAG("contract"):
        return case.build(**{"retries": 2, **arguments})


def references(supervisor: Supervisor) -> list[dict[str, Any]]:
    """What is in the XCom key ``archive``."""
    found: list[dict[str, Any]] = supervisor.xcoms["stock", "archive", -1]
    return found


def run(case: HookCase, **arguments: Any) -> tuple[TaskResult, list[dict[str, Any]]]:
    """One run of the stock operator that must succeed, and its references."""
    supervisor = Supervisor()
    ran = run_task(build(case), at=DAY, supervisor=supervisor, **arguments)
    assert ran.state == "success", ran.error
    return ran, references(supervisor)


def test_every_registered_hook_has_a_case() -> None:
    assert uncovered(registered_hooks(), [case.hook for case in HOOK_CASES]) == []


def test_the_operators_own_xcom_stays_as_it_was(case: HookCase, source: Source) -> None:
    ran, _ = run(case)
    assert ran.xcom == list(case.xcom)


def test_each_call_is_archived_verbatim_in_a_slot_of_its_own(
    case: HookCase, source: Source, place: Place
) -> None:
    _, found = run(case)
    bodies = [case.readable(archive.open(each).read()) for each in found]
    assert bodies == list(case.bodies)
    slots = [archive.manifest(each).slot for each in found]
    assert len({slot.map_key for slot in slots}) == len(case.bodies)
    assert {str(slot.entity) for slot in slots} == {ENTITY}
    assert len(archive.files(ENTITY)) == len(case.bodies)
    assert [verdict.faults for verdict in archive.verify()] == [()] * len(case.bodies)


def test_a_retry_is_given_the_archived_answers(case: HookCase, source: Source) -> None:
    first, stored = run(case)
    asked = source.asked()
    source.stop()
    again, found = run(case, try_number=2)
    assert (again.xcom, found) == (first.xcom, stored)
    assert source.asked() == asked


def test_a_replay_is_given_the_archived_answers(
    case: HookCase, source: Source, place: Place
) -> None:
    first, stored = run(case)
    asked, objects = source.asked(), place.objects()
    source.stop()
    replayed, found = run(case, run_id="replay", conf=REPLAY)
    assert (replayed.xcom, found) == (first.xcom, stored)
    assert (source.asked(), place.objects()) == (asked, objects)


def test_a_miss_fails_at_once_and_never_asks_the_source(case: HookCase, source: Source) -> None:
    missed = run_task(build(case), at=DAY, conf=REPLAY)
    assert missed.state == "failed"
    assert "nothing is archived" in str(missed.error)
    assert source.asked() == 0


def test_another_run_adds_revisions_to_the_same_slots(case: HookCase, source: Source) -> None:
    _, first = run(case)
    _, second = run(case, run_id="manual")
    assert [each["revision"] for each in second] == [2] * len(case.bodies)
    assert [each["sha256"] for each in second] == [each["sha256"] for each in first]


def test_the_asset_is_announced_only_where_it_is_declared(case: HookCase, source: Source) -> None:
    silent = run_task(build(case), at=DAY)
    assert (dict(silent.asset_events), silent.asset_names) == ({}, ())
    supervisor = Supervisor()
    declared = build(case, outlets=[asset(ENTITY), Asset("other")])
    ran = run_task(declared, at=DAY, run_id="declared", supervisor=supervisor)
    assert dict(ran.asset_events) == {ENTITY: references(supervisor)[-1]}
    assert ran.asset_names == (ENTITY, "other")
    replayed = run_task(declared, at=DAY, run_id="replay", conf=REPLAY)
    assert (dict(replayed.asset_events), replayed.asset_names) == ({}, ("other",))


@pytest.mark.parametrize("fate", ["success", "out of reach", "replay"])
def test_no_secret_is_written_anywhere(
    case: HookCase,
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
        run(case)
    # Its own log of the answer is the operator's to switch off, and its fields are not ours to hide.
    stock = build(case, log_response=False)
    conf = REPLAY if fate == "replay" else None
    ran = run_task(stock, at=DAY, run_id="any", conf=conf, supervisor=supervisor)
    assert (ran.state == "success") is (fate != "out of reach")
    told = [
        each
        for each in supervisor.sent
        if not isinstance(each, (comms.MaskSecret, comms.SetRenderedFields))
    ]
    objects = place.objects()
    texts = {
        "log": "".join(capfd.readouterr()) + caplog.text,
        "error": repr(ran.error) + str(ran.error),
        "archive": "".join(objects)
        + "".join(place.read(key).decode(errors="replace") for key in objects),
        "messages": repr(told),
        "metrics": "\n".join(statsd.lines()),
    }
    found = [
        (what, where)
        for what, secret in SECRETS.items()
        for where, text in texts.items()
        if secret in text
    ]
    assert found == []


def test_outside_of_a_task_nothing_is_archived(
    case: HookCase, source: Source, place: Place
) -> None:
    before = source.asked()
    hook: Any = case.hook_of(build(case))  # Any: each hook calls its source in its own way
    assert isinstance(hook, case.hook)
    assert case.ask(hook) == case.bodies[0]
    assert source.asked() == before + 1
    assert place.objects() == []
