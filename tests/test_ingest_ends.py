"""What follows the bytes: the source's acknowledgement, its watermark, and an answer of nothing new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.entity import Manifest, Origin, Part
from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.ingest import ArchivingOperator, Unchanged, watermark_of
from platform_ops.settings import Settings
from platform_ops.testing.runner import Supervisor, TaskResult, run_task
from tests.fakes.statsd import Listener

DAY = "2024-03-05"
NEXT = "2024-03-06"
ENTITY = "shop.orders"


class Shop:
    """A source whose orders are numbered, and that deletes what was acknowledged."""

    def __init__(self) -> None:
        self.orders = ["1", "2"]
        self.asked_since: list[str | None] = []
        self.acknowledged: list[int] = []
        self.refuses: Exception | None = None


class Orders(ArchivingOperator):
    """Takes the orders after the watermark, and acknowledges them."""

    def __init__(self, *, shop: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shop = shop

    def fetch(self, context: Any) -> Iterator[Part]:
        since = watermark_of(context, self.entity)
        self.shop.asked_since.append(since)
        fresh = [order for order in self.shop.orders if since is None or order > since]
        if not fresh:
            raise Unchanged(archive.newest(self.entity))
        yield Part(
            "orders.txt",
            [order.encode() for order in fresh],
            Origin("test://shop"),
            watermark=lambda: fresh[-1],
        )

    def acknowledge(self, context: Any, manifest: Manifest) -> None:  # noqa: ARG002  # the base class's signature
        if self.shop.refuses:
            raise self.shop.refuses
        self.shop.acknowledged.append(manifest.revision)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def run(shop: Shop, **arguments: Any) -> TaskResult:
    own = {name: arguments.pop(name) for name in ("on_existing", "mode") if name in arguments}
    with DAG("ends"):
        operator = Orders(task_id="capture", entity=ENTITY, shop=shop, retries=2, **own)
    return run_task(operator, **{"at": DAY, **arguments})


def kept(watermark: str, day: str) -> dict[tuple[str, str], str]:
    """What Airflow's state store holds of the entity's asset."""
    time = f"{day}T00:00:00+00:00"
    return {(ENTITY, "watermark"): watermark, (ENTITY, "watermark_time"): time}


def test_the_next_capture_goes_on_where_the_last_one_ended(
    platform_archive: Settings, shop: Shop
) -> None:
    supervisor = Supervisor()
    first = run(shop, supervisor=supervisor)
    assert archive.manifest(first.xcom).watermark == "2"
    assert supervisor.asset_store == kept("2", DAY)
    shop.orders += ["3"]
    second = run(shop, at=NEXT, supervisor=supervisor)
    assert archive.open(second.xcom).read() == b"3"
    assert shop.asked_since == [None, "2"]
    assert supervisor.asset_store == kept("3", NEXT)


def test_a_watermark_that_was_lost_is_read_from_the_archive(
    platform_archive: Settings, shop: Shop
) -> None:
    run(shop, at=NEXT)
    shop.orders = ["0"]
    run(shop, at=DAY, supervisor=Supervisor(asset_store={(ENTITY, "watermark"): ""}))
    shop.orders = ["3"]
    run(shop, at="2024-03-07")
    assert shop.asked_since == [None, "", "2"]


def test_a_retry_that_adopts_puts_the_watermark_back(
    platform_archive: Settings, shop: Shop
) -> None:
    run(shop)
    supervisor = Supervisor()
    run(shop, try_number=2, supervisor=supervisor)
    assert supervisor.asset_store == kept("2", DAY)
    assert len(shop.asked_since) == 1


def test_neither_a_replay_nor_a_reuse_moves_the_watermark_or_acknowledges(
    platform_archive: Settings, shop: Shop
) -> None:
    run(shop)
    supervisor = Supervisor(asset_store={(ENTITY, "watermark"): "9"})
    conf = {"platform_ops": {"replay": {"emit": True}}}
    run(shop, run_id="replay", conf=conf, supervisor=supervisor)
    run(shop, run_id="other", on_existing="reuse", supervisor=supervisor)
    assert supervisor.asset_store == {(ENTITY, "watermark"): "9"}
    assert shop.acknowledged == [1]


def test_nothing_new_refers_to_the_revision_that_holds_and_makes_none(
    platform_archive: Settings, shop: Shop, statsd: Listener
) -> None:
    first = run(shop)
    second = run(shop, at=NEXT)
    assert second.xcom == first.xcom
    assert (dict(second.asset_events), second.asset_names) == ({}, ())
    assert len(list(archive.find(ENTITY))) == 1
    assert shop.acknowledged == [1]
    names = [line.partition(",")[0] for line in statsd.lines()]
    assert names.count("airflow.platform_ops.unchanged") == 1
    assert names.count("airflow.platform_ops.entities") == 1


def test_nothing_new_after_a_body_is_an_error_and_commits_nothing(
    platform_archive: Settings, shop: Shop
) -> None:
    first = run(shop)
    held = archive.manifest(first.xcom)

    class Late(Orders):
        def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # as above
            yield Part("orders.txt", [b"7"], Origin("test://shop"))
            raise Unchanged(held)

    with DAG("ends"):
        late = Late(task_id="capture", entity=ENTITY, shop=shop)
    ran = run_task(late, at=NEXT)
    assert ran.state == "failed"
    assert "say that there is nothing new before the first" in str(ran.error)
    assert len(list(archive.find(ENTITY))) == 1


def test_a_source_that_takes_no_acknowledgement_is_told_again_and_not_asked_again(
    platform_archive: Settings, shop: Shop
) -> None:
    shop.refuses = SourceUnavailable("shop: connection lost")
    first = run(shop)
    assert first.state == "up_for_retry"
    assert len(list(archive.find(ENTITY))) == 1
    shop.refuses = None
    second = run(shop, try_number=2)
    assert second.state == "success"
    assert dict(second.asset_events) == {ENTITY: second.xcom}
    assert (shop.acknowledged, len(shop.asked_since)) == ([1], 1)


def test_an_acknowledgement_that_is_refused_for_good_is_not_retried(
    platform_archive: Settings, shop: Shop
) -> None:
    shop.refuses = SourceRejected("shop: no such order")
    ran = run(shop)
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
