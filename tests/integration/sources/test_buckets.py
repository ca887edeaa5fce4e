"""Objects of S3, Google Cloud Storage and Azure: each version once, and put aside after the commit."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import SourceChanged, SourceRejected, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.files import ArchivingObjectStoreOperator
from platform_ops.sources.folders.sensors import ArchivingObjectStoreSensor
from platform_ops.testing.runner import TaskResult, run_task
from tests.contract.buckets import SERVERS, STORES, Store
from tests.fakes.faulty import FaultyProxy
from tests.servers import running

ENTITY = "erp.orders"
MIB = 1 << 20


@dataclass
class Exchange:
    """A partner's bucket.

    :param url: Of it, as ``folder`` names it.
    """

    store: Store
    bucket: str
    url: str
    proxy: FaultyProxy
    monkeypatch: pytest.MonkeyPatch

    def put(self, **files: bytes) -> None:
        for name, body in files.items():
            self.store.put(self.bucket, f"in/{name.replace('__', '/')}.csv", body)

    def held(self) -> dict[str, bytes]:
        return self.store.objects(self.bucket)

    def let_in(self, secret: str | None = None) -> None:
        """Make the connection: ``secret`` in the place of the right one."""
        self.monkeypatch.setenv("AIRFLOW_CONN_ERP", self.store.connection(self.proxy.url, secret))

    def take(self, day: int, **arguments: Any) -> TaskResult:  # Any: the operator's own
        given = {"folder": f"{self.url}/in", "conn_id": "erp", "retries": 2, **arguments}
        with DAG("files"):
            task = ArchivingObjectStoreOperator(task_id="take", entity=ENTITY, **given)
        return run_task(task, at=f"2024-03-{day:02d}")


@pytest.fixture(params=list(STORES))
def exchange(
    request: pytest.FixtureRequest, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> Exchange:
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
    store, proxy = STORES[request.param](), running(SERVERS[request.param]).proxy
    bucket = store.new_bucket()
    made = Exchange(store, bucket, f"{request.param}://{bucket}", proxy, monkeypatch)
    made.let_in()
    return made


def bodies(ran: TaskResult) -> dict[str, bytes]:
    assert ran.state == "success", ran.error
    return {body.name: body.read() for body in archive.bodies(ran.xcom)}


def refusal(ran: TaskResult) -> str:
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, SourceRejected)
    return str(ran.error)


def test_each_version_is_taken_once(exchange: Exchange) -> None:
    exchange.put(a=b"1\n", deep__b=b"2\n")
    assert bodies(exchange.take(1, files="**/*.csv")) == {"a.csv": b"1\n", "deep/b.csv": b"2\n"}
    again = exchange.take(2, files="**/*.csv")
    assert (again.state, again.asset_names) == ("success", ())
    assert len(list(archive.find(ENTITY))) == 1
    exchange.put(a=b"3\n")  # as long as before, and within the second: its ETag alone is another
    assert bodies(exchange.take(3, files="**/*.csv")) == {"a.csv": b"3\n"}


def test_a_pattern_and_an_expression_choose(exchange: Exchange) -> None:
    exchange.put(a=b"1", b=b"2", deep__a=b"3")
    given = {"new_only": False}
    assert set(bodies(exchange.take(1, files="[ab].csv", **given))) == {"a.csv", "b.csv"}
    assert set(bodies(exchange.take(2, regex=r"(.*/)?a\.csv", **given))) == {"a.csv", "deep/a.csv"}


@pytest.mark.parametrize("after", ["move", "delete"])
def test_what_is_committed_is_put_aside(exchange: Exchange, after: str) -> None:
    exchange.put(a=b"1\n")
    aside = {"move_to": "done"} if after == "move" else {}
    ran = exchange.take(1, after=after, **aside)
    assert bodies(ran) == {"a.csv": b"1\n"}
    assert exchange.held() == ({"done/a.csv": b"1\n"} if after == "move" else {})


def test_nothing_is_put_aside_where_the_commit_failed(exchange: Exchange) -> None:
    exchange.put(a=b"1\n", b=b"22\n")
    assert "max_bytes allows 2" in refusal(exchange.take(1, after="delete", max_bytes=2))
    assert exchange.held() == {"in/a.csv": b"1\n", "in/b.csv": b"22\n"}


def test_an_object_that_is_replaced_while_it_is_read_is_not_kept(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    from platform_ops.sources.folders.objects import ObjectFolder

    exchange.put(a=b"1\n")
    read = ObjectFolder.read

    def replaced_first(self: ObjectFolder, *arguments: Any) -> Any:
        exchange.put(a=b"2\n")
        return read(self, *arguments)

    monkeypatch.setattr(ObjectFolder, "read", replaced_first)
    ran = exchange.take(1)
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceChanged)
    assert list(archive.find(ENTITY)) == []


def test_an_answer_that_ends_in_the_middle_is_taken_up_there(exchange: Exchange) -> None:
    data = os.urandom(MIB)
    exchange.put(a=data)
    exchange.proxy.arm("halved", 2)  # the first request lists
    ran = exchange.take(1)
    exchange.proxy.arm(None, 0)
    assert bodies(ran) == {"a.csv": data}


def test_a_store_that_is_out_of_order_is_left_to_airflows_retry(exchange: Exchange) -> None:
    exchange.proxy.arm("503", 1, times=100)
    ran = exchange.take(1)
    exchange.proxy.arm(None, 0)
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceUnavailable)


def test_a_refusal_names_the_object_and_no_credential(exchange: Exchange) -> None:
    exchange.put(a=b"1\n")
    exchange.proxy.arm("403", 2, times=100)
    said = refusal(exchange.take(1))
    exchange.proxy.arm(None, 0)
    assert (
        f"{exchange.url} 'in/a.csv': the store refuses the credentials of connection 'erp'" in said
    )


def test_a_bucket_that_is_not_there_is_said_to_be(exchange: Exchange) -> None:
    missing = f"{exchange.url.partition('://')[0]}://nowhere"
    assert refusal(exchange.take(1, folder=missing)).endswith(
        f"{missing}: no such bucket; check folder="
    )


@pytest.mark.parametrize("exchange", ["abfs"], indirect=True)
def test_azure_checks_the_key_and_the_message_does_not_hold_it(exchange: Exchange) -> None:
    wrong = base64.b64encode(b"hunter2" * 9).decode()
    exchange.let_in(wrong)
    said = refusal(exchange.take(1))
    assert "refuses the credentials of connection 'erp'" in said
    assert wrong not in said


def test_a_sensor_waits_for_what_is_new(exchange: Exchange) -> None:
    def wait() -> TaskResult:
        with DAG("files"):
            task = ArchivingObjectStoreSensor(
                task_id="wait", entity=ENTITY, folder=f"{exchange.url}/in", conn_id="erp"
            )
        return run_task(task, at="2024-03-05")

    waiting = wait()
    assert (waiting.state, waiting.deferral is not None) == ("deferred", True)
    assert "AccountKey" not in repr(waiting.deferral)
    exchange.put(a=b"1\n")
    assert waiting.deferral is not None
    assert waiting.deferral.fired() == {"files": 1}
    assert wait().state == "success"
    assert exchange.take(5).state == "success"
    assert wait().state == "deferred"
