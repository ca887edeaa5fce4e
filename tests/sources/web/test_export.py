"""Exports that are made while nobody waits: submitted once, waited for by a trigger, fetched whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import ConfigError, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.http import LinkHeader, Since
from platform_ops.sources.web.export import ArchivingHttpExportOperator, Export
from platform_ops.testing.runner import Supervisor, TaskResult, run_dag, run_task
from tests.fakes.wire import Wire, redirect, say, wire
from tests.sources.outcomes import ENTITY, body_of, nothing_left

SECRET = "hunter2-of-the-export"
REPLAY = {"platform_ops": {"replay": True}}
EXPORT: dict[str, Any] = {
    "job": "job.id",
    "poll": "/exports/{job}",
    "state": "status",
    "result": "/exports/{job}/file",
    "interval_s": 0.02,
}
Ask = Callable[..., TaskResult]


@pytest.fixture
def office() -> Supervisor:
    """What Airflow keeps from one try to the next."""
    return Supervisor()


@pytest.fixture
def api(server: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """An API that makes an export in three looks."""
    server.connect(monkeypatch, login=None, password=SECRET, auth="bearer")
    server.on("/exports", say(b'{"job": {"id": "a/7"}}', 202))
    server.on("/exports/a%2F7", state("queued"), state("running"), state("DONE"))
    server.on("/exports/a%2F7/file", say(b"day,total\n1,2\n", headers={"Content-Type": "text/csv"}))
    return server


@pytest.fixture
def submit(
    api: Wire, office: Supervisor, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Run the operator, until it ends or defers."""
    monkeypatch.setattr("platform_ops.sources.web.delivery._BACKOFF", lambda _: 0.0)

    def run(run: dict[str, Any] | None = None, **arguments: Any) -> TaskResult:
        export = {**EXPORT, **arguments.pop("export", {})}
        return run_task(
            operator(export=Export(**export), **arguments),
            **{"at": "2024-03-05", "supervisor": office, **(run or {})},
        )

    return run


def operator(**arguments: Any) -> ArchivingHttpExportOperator:
    given = {"endpoint": "/exports", "http_conn_id": "source", "deferrable": True, "retries": 2}
    with DAG("weather"):
        return ArchivingHttpExportOperator(
            task_id="export", entity=ENTITY, **{**given, **arguments}
        )


def state(name: str, **more: Any) -> Any:
    return say(json.dumps({"status": name, **more}).encode())


def asked(server: Wire) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


def submissions(server: Wire) -> int:
    return asked(server).count("POST /exports")


# --- Submit, wait, fetch --------------------------------------------------------------------------


def test_the_waiting_is_a_triggers_and_the_result_is_archived(api: Wire, submit: Ask) -> None:
    waiting = submit(json={"month": "2024-03"})
    assert waiting.state == "deferred"
    assert asked(api) == ["POST /exports", "GET /exports/a%2F7"]
    assert json.loads(api.requests[0].body) == {"month": "2024-03"}
    assert list(archive.find(ENTITY)) == []

    ran = submit({"resume": waiting.deferral}, json={"month": "2024-03"})
    assert body_of(ran) == b"day,total\n1,2\n"
    assert submissions(api) == 1
    (payload,) = archive.manifest(ran.xcom).payloads
    assert payload.name == "response.csv"
    assert payload.origin.url == f"{api.url}/exports/a%2F7/file"
    assert list(ran.asset_events) == [ENTITY]


def test_the_trigger_carries_no_secret_and_no_byte(api: Wire, submit: Ask) -> None:
    waiting = submit(json={"password": SECRET}, headers={"X-API-Key": SECRET})
    assert waiting.deferral is not None
    assert waiting.deferral.trigger == "platform_ops.sources.web.trigger.HttpExportTrigger"
    assert set(waiting.deferral.arguments) == {
        "http_conn_id",
        "url",
        "entity",
        "export",
        "deadline_s",
    }
    assert waiting.deferral.arguments["url"] == f"{api.url}/exports/a%2F7"
    assert "hunter" not in repr(waiting)
    assert waiting.deferral.fired() == {"outcome": "ready"}


def test_nothing_secret_is_kept_by_airflow_or_the_archive(
    api: Wire, submit: Ask, office: Supervisor, tmp_path: Path
) -> None:
    ran = submit({"resume": submit().deferral})
    assert ran.state == "success", ran.error
    files = [path for path in (tmp_path / "archive").rglob("*") if path.is_file()]
    assert files
    assert not any(b"hunter" in path.read_bytes() for path in files)
    assert "hunter" not in repr(office.state_store) + repr(office.xcoms)


def test_a_dag_waits_and_goes_on(api: Wire, submit: Ask) -> None:
    with DAG("weather") as dag:
        ArchivingHttpExportOperator(
            task_id="export",
            entity=ENTITY,
            endpoint="/exports",
            http_conn_id="source",
            export=Export(**EXPORT),
            deferrable=True,
        )
    ran = run_dag(dag, at="2024-03-05")
    assert (ran.state, len(ran.tasks)) == ("success", 1)


def test_a_task_may_wait_itself(api: Wire, submit: Ask) -> None:
    assert body_of(submit(deferrable=False)) == b"day,total\n1,2\n"
    assert asked(api).count("GET /exports/a%2F7") == 3


def test_an_export_that_is_ready_at_once_is_fetched_at_once(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("done"))
    assert body_of(submit()) == b"day,total\n1,2\n"


def test_the_status_alone_may_tell(api: Wire, submit: Ask) -> None:
    api.on("/exports", say(b"", 202, {"Location": "/jobs/7?view=short"}))
    api.on("/jobs/7?view=short", say(b"", 202, {"Retry-After": "0"}), say(b"the result itself"))
    export = {"job": "header:Location", "poll": "{job}", "state": None, "result": "{job}"}
    assert body_of(submit(export=export, deferrable=False)) == b"the result itself"


def test_a_result_of_several_pages_is_one_revision(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("done"))
    api.on("/exports/a%2F7/file", say(b"1", headers={"Link": '</rest>; rel="next"'}))
    api.on("/rest", say(b"2"))
    assert body_of(submit(pagination=LinkHeader())) == b"12"


@pytest.fixture
def bucket() -> Iterator[Wire]:
    """The object store that an API puts its exports into."""
    with wire() as other:
        other.on("*", say(b"signed for"))
        yield other


def test_a_signed_result_elsewhere_is_fetched_without_credentials(
    api: Wire, submit: Ask, bucket: Wire, tmp_path: Path
) -> None:
    api.on("/exports/a%2F7", state("done", url=f"{bucket.url}/file?X-Amz-Signature=hunter3"))
    ran = submit(export={"result": None, "result_at": "url"}, headers={"X-API-Key": SECRET})
    assert body_of(ran) == b"signed for"
    assert bucket.requests[0].path == "/file?X-Amz-Signature=hunter3"
    assert set(bucket.requests[0].headers) <= {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
    }
    (payload,) = archive.manifest(ran.xcom).payloads
    assert payload.origin.url == f"{bucket.url}/file?X-Amz-Signature=REDACTED"


# --- Tries, clears and replays --------------------------------------------------------------------


def test_a_retry_goes_on_with_the_job_that_was_submitted(
    api: Wire, submit: Ask, office: Supervisor
) -> None:
    api.on("/exports/a%2F7", state("done"))
    api.on("/exports/a%2F7/file", say(b"", 503))
    first = submit(attempts=1)
    assert first.state == "up_for_retry"
    assert office.state_store["http_export"]["job"] == "a/7"
    api.on("/exports/a%2F7/file", say(b"there"))
    assert body_of(submit({"try_number": 2})) == b"there"
    assert submissions(api) == 1


WAITING = """
import json, sys
from pathlib import Path
from platform_ops.sources.web.export import Export
from platform_ops.testing.runner import Supervisor, run_task
from tests.sources.web.test_export import EXPORT, operator

class Kept(dict):  # as Airflow's database, it is there when the process is not
    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        Path(sys.argv[1]).write_text(json.dumps(self))

task = operator(export=Export(**EXPORT), deferrable=False)
run_task(task, at="2024-03-05", supervisor=Supervisor(state_store=Kept()))
"""


def test_a_kill_while_a_task_waits_leaves_nothing_but_the_job(
    api: Wire, submit: Ask, office: Supervisor, tmp_path: Path
) -> None:
    api.on("/exports/a%2F7", state("running"))
    command = [sys.executable, "-c", WAITING, str(tmp_path / "kept")]
    child = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while asked(api).count("GET /exports/a%2F7") < 2:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert list(archive.find(ENTITY)) == []
    assert [each for each in (tmp_path / "archive").rglob("*") if each.is_file()] == []

    office.state_store.update(json.loads((tmp_path / "kept").read_text()))
    api.on("/exports/a%2F7", state("done"))
    assert body_of(submit({"try_number": 2})) == b"day,total\n1,2\n"
    assert submissions(api) == 1


def test_a_triggerer_that_dies_is_replaced_by_another(api: Wire, submit: Ask) -> None:
    waiting = submit()
    assert waiting.deferral is not None
    for _ in range(2):
        assert waiting.deferral.fired() == {"outcome": "ready"}
    assert body_of(submit({"resume": waiting.deferral})) == b"day,total\n1,2\n"
    assert submissions(api) == 1


def test_all_tries_of_a_run_submit_under_one_key(api: Wire, submit: Ask) -> None:
    api.on("/exports", say(b"", 503))
    for number in (1, 2):
        assert submit({"try_number": number}).state == "up_for_retry"
    submit({"run_id": "another"})
    first, second, other = (each.headers["idempotency-key"] for each in api.requests)
    assert first == second
    assert other != first


def test_a_clear_asks_for_a_new_export(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("done"))
    submit()
    cleared = submit({"try_number": 2, "max_tries": 3})
    assert cleared.state == "success"
    assert submissions(api) == 2


def test_a_replay_submits_nothing(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("done"))
    first = submit()
    count = len(api.requests)
    again = submit({"run_id": "r", "conf": REPLAY})
    assert again.xcom == first.xcom
    assert len(api.requests) == count


# --- Exports that do not come ---------------------------------------------------------------------


def retried(ran: TaskResult) -> str:
    assert ran.state == "up_for_retry", ran
    assert type(ran.error) is SourceUnavailable
    return nothing_left(ran)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (state("FAILED"), "the export has failed at the source; a retry submits it again"),
        (say(b"", 404), "the export is not known any more (HTTP 404); a retry submits it again"),
    ],
    ids=["failed", "gone"],
)
def test_an_export_that_never_comes_is_submitted_again_by_the_retry(
    api: Wire, submit: Ask, answer: Any, fault: str
) -> None:
    api.on("/exports/a%2F7", answer)
    assert fault in retried(submit())
    api.on("/exports/a%2F7", state("done"))
    assert submit({"try_number": 2}).state == "success"
    assert submissions(api) == 2


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_export_that_takes_too_long_is_waited_for_by_the_retry(
    api: Wire, submit: Ask, deferrable: bool
) -> None:
    api.on("/exports/a%2F7", state("running"))
    export = {"timeout_s": 0.1}
    ran = submit(export=export, deferrable=deferrable)
    if deferrable:
        assert ran.deferral is not None
        assert ran.deferral.fired() == {"outcome": "late"}
        ran = submit({"resume": ran.deferral}, export=export)
    assert "not ready after 0 s; a retry goes on waiting for the same one" in retried(ran)
    api.on("/exports/a%2F7", state("done"))
    assert submit({"try_number": 2}).state == "success"
    assert submissions(api) == 1


def test_a_passing_failure_is_waited_out_by_the_trigger(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("running"), say(b"", 503), state("done"))
    waiting = submit()
    assert waiting.deferral is not None
    assert waiting.deferral.fired() == {"outcome": "ready"}


def test_a_trigger_that_cannot_look_leaves_it_to_the_task(api: Wire, submit: Ask) -> None:
    api.on("/exports/a%2F7", state("running"), say(b"", 403), state("running"), state("done"))
    waiting = submit()
    assert submit({"resume": waiting.deferral}).state == "success"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"job": "number"}, "the answer names no job at 'number'; check export="),
        ({"result": None, "result_at": "url"}, "is done and names no result at 'url'"),
        ({"poll": "http://127.0.0.9:1/{job}"}, "asked after on another host"),
    ],
)
def test_an_export_that_was_described_wrongly_says_so(
    api: Wire, submit: Ask, given: dict[str, Any], fault: str
) -> None:
    api.on("/exports/a%2F7", state("done"))
    ran = submit(export=given)
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    assert fault in nothing_left(ran)


def test_a_job_whose_name_holds_a_secret_is_kept_by_nobody(
    api: Wire, submit: Ask, office: Supervisor
) -> None:
    api.on("/exports", say(b"", 202, {"Location": "/jobs/7?token=hunter4"}))
    api.on("/jobs/7?token=hunter4", say(b"", 202), say(b"there"))
    export = {"job": "header:Location", "poll": "{job}", "state": None, "result": "{job}"}
    ran = submit(export=export)
    assert body_of(ran) == b"there"
    assert office.state_store == {}


def test_a_secret_in_the_dag_s_own_endpoints_reaches_no_trigger(api: Wire, submit: Ask) -> None:
    export = {"poll": "/exports/{job}?sig=hunter4", "result": "/exports/{job}/file?sig=hunter5"}
    api.on("/exports/a%2F7?sig=hunter4", state("running"), state("done"))
    api.on("/exports/a%2F7/file?sig=hunter5", say(b"there"))
    assert body_of(submit(export=export)) == b"there"
    waiting = submit({"run_id": "r"}, export={"result": export["result"]})
    assert waiting.deferral is not None
    assert "hunter" not in repr(waiting.deferral)


def test_a_redirect_of_a_submission_to_another_host_is_refused(
    api: Wire, submit: Ask, bucket: Wire
) -> None:
    api.on("/exports", redirect(f"{bucket.url}/x", 307))
    ran = submit(json={"a": 1})
    assert (ran.state, bucket.requests) == ("failed", [])


@pytest.mark.parametrize(
    "build",
    [
        lambda: Export(job="id", poll="/x/{job}"),
        lambda: Export(job="id", poll="/x/{job}", result="/r", result_at="url"),
        lambda: Export(job="id", poll="/x", result="/r"),
        lambda: operator(export=Export(**EXPORT), conditional=True),
        lambda: operator(export=Export(**EXPORT), since=Since(path="a", parameter="b")),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_file(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        build()
