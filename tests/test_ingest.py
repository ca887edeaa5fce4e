"""The one way in, from an operator and from a task's own code, where no source is special."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part, Slot
from platform_ops.errors import (
    ConfigError,
    EntityUndeclared,
    ExtraMissing,
    PlatformError,
    SourceUnavailable,
    UrlError,
)
from platform_ops.ingest import ArchivingOperator, archive_session, asset
from platform_ops.settings import Settings
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.s3 import S3Server
from tests.fakes.statsd import Listener

DAY = "2024-03-05"
ORIGIN = Origin("test://source")


class Given(ArchivingOperator):
    """Archives what it is given, or raises it."""

    template_fields = (*ArchivingOperator.template_fields, "body")

    def __init__(self, *, body: Any = "sunny", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = body

    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        if isinstance(self.body, BaseException):
            raise self.body
        yield Part("body.txt", [self.body.encode()], ORIGIN)


def given(**arguments: Any) -> Given:
    with DAG("ingest"):
        return Given(task_id="capture", **{"entity": "weather.forecast", "retries": 2, **arguments})


def slot_of(ran: TaskResult) -> Slot:
    assert ran.state == "success", ran.error
    return archive.manifest(ran.xcom).slot


def failed(ran: TaskResult, kind: type[BaseException]) -> str:
    """The message of a failure that Airflow does not retry."""
    assert ran.state == "failed", ran
    assert isinstance(ran.error, AirflowFailException)
    assert type(ran.error.__cause__) is kind
    return str(ran.error)


# --- Which slot -----------------------------------------------------------------------------------


def test_the_slot_is_the_start_of_the_data_interval(platform_archive: Settings) -> None:
    ran = run_task(given(), at="2024-03-05T01:30+01:00", interval=timedelta(hours=1))
    assert slot_of(ran).time_utc == datetime(2024, 3, 5, 0, 30, tzinfo=UTC)


def test_keys_are_rendered_and_the_runs_partition_is_the_default(
    platform_archive: Settings,
) -> None:
    ran = run_task(given(map_key="{{ ds_nodash }}"), at=DAY, partition_key="EU")
    assert (slot_of(ran).partition_key, slot_of(ran).map_key) == ("EU", "20240305")
    own = run_task(given(partition_key="{{ 1 + 1 }}"), at=DAY, partition_key="EU")
    assert slot_of(own).partition_key == "2"


def test_a_mapped_task_without_a_key_falls_back_to_its_index(platform_archive: Settings) -> None:
    with DAG("ingest"):
        mapped = Given.partial(task_id="capture", entity="weather.forecast").expand(body=["a", "b"])
    slots = [slot_of(run_task(mapped, at=DAY, map_index=index)) for index in (0, 1)]
    assert [slot.map_key for slot in slots] == ["0", "1"]


def test_a_mapped_task_must_name_its_entity_before_it_expands() -> None:
    with pytest.raises(ConfigError, match=r"capture: give entity= to partial\(\), not to expand"):
        Given.partial(task_id="capture").expand(entity=["a.b", "c.d"])


# --- Which asset ----------------------------------------------------------------------------------


def test_the_outlet_joins_the_authors_own_once() -> None:
    other = Asset("other")
    assert given().outlets == [asset("weather.forecast")]
    assert given(outlets=[other]).outlets == [other, asset("weather.forecast")]
    assert given(outlets=[asset("weather.forecast")]).outlets == [asset("weather.forecast")]


@pytest.mark.parametrize(
    "entity", ["weather.forecast", "a-1.b_2.c", "Erp.Orders", "a.b/c d", "a.é", "a.b."]
)
def test_the_asset_is_the_one_that_airflow_makes_of_its_name_and_uri(entity: str) -> None:
    parsed = Entity.parse(entity)
    made, stock = asset(entity), Asset(name=str(parsed), uri=parsed.uri)
    assert (made, repr(made), hash(made)) == (stock, repr(stock), hash(stock))
    assert made.extra is not asset(entity).extra


def test_the_asset_does_not_depend_on_the_archive() -> None:
    assert asset(Entity("weather", "forecast.hourly")) == Asset(
        name="weather.forecast.hourly", uri="platform-ops://weather/forecast.hourly"
    )


# --- What is refused ------------------------------------------------------------------------------


def test_an_entity_without_a_source_is_refused_where_the_dag_is_parsed() -> None:
    with pytest.raises(UrlError, match=r"entity 'forecast': write it as source\.name"):
        given(entity="forecast")


class Many(ArchivingOperator):
    """Archives three small bodies."""

    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        for name in "abc":
            yield Part(name, [name.encode() * 1000], Origin("test://many"), "text/plain")


def test_an_operator_says_how_its_bodies_are_stored(platform_archive: Settings) -> None:
    with DAG("stored"):
        packed = Many(task_id="packed", entity="shop.many", codec="gzip", pack=True)
    ran = run_task(packed, at="2024-03-05")
    assert ran.state == "success", ran.error
    (payload,) = archive.manifest(ran.xcom).payloads
    assert payload.name == "pack-0001.zip"
    assert payload.stored is not None
    assert payload.size_bytes == 3000 > 5 * payload.stored.size_bytes
    assert archive.open(ran.xcom, "b").read() == b"b" * 1000
    again = run_task(packed, at="2024-03-05", try_number=2)
    assert again.xcom == ran.xcom


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (
            {"mode": "replya"},
            "mode='replya' does not exist; right are: 'auto', 'refetch', 'replay'",
        ),
        ({"codec": "lzma"}, "codec='lzma' does not exist; right are: 'none', 'gzip', 'zstd'"),
        (
            {"on_existing": "overwrite"},
            "on_existing='overwrite' does not exist; right are: 'revise', 'reuse', 'fail'",
        ),
    ],
)
def test_a_mode_or_policy_that_does_not_exist_is_refused_where_the_dag_is_parsed(
    arguments: dict[str, str], right: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        given(**arguments)
    assert str(caught.value) == right


def test_a_wrong_conf_fails_the_task_at_once(platform_archive: Settings) -> None:
    message = failed(run_task(given(), at=DAY, conf={"platform_ops": {"reply": 1}}), ConfigError)
    assert message == (
        "ConfigError: the run's conf: 'platform_ops' holds 'replay' or 'mode'; it is {'reply': 1}"
    )


@pytest.fixture
def site(tmp_path: Path, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ``platform.toml`` that Airflow's own option names."""
    path = tmp_path / "platform.toml"
    path.touch()
    monkeypatch.setenv("AIRFLOW__PLATFORM_OPS__CONFIG", str(path))
    return path


def test_an_undeclared_entity_is_reported(
    site: Path, statsd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    site.write_text("[sources.weather.entities.alerts]\n")
    slot_of(run_task(given(), at=DAY))
    assert "entity weather.forecast is not declared in platform.toml" in caplog.messages
    assert "platform_ops.undeclared" in {each.name for each in statsd.ours()}
    caplog.clear()
    slot_of(run_task(given(entity="weather.alerts"), at=DAY))
    assert not [line for line in caplog.messages if "not declared" in line]
    assert "platform_ops.undeclared" not in {each.name for each in statsd.ours()}


def test_an_undeclared_entity_fails_where_the_site_asks_for_that(site: Path) -> None:
    site.write_text('[archive]\nundeclared = "fail"\n[sources.weather.entities.alerts]\n')
    message = failed(run_task(given(), at=DAY), EntityUndeclared)
    assert (
        "add [sources.weather.entities.forecast] to platform.toml (declared: weather.alerts)"
        in message
    )
    slot_of(run_task(given(entity="weather.alerts"), at=DAY))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[archive]\nroot =", "not valid TOML"),
        ('[archive]\n\ntemplate = "{source}"', ":3: archive.template: "),
        ('[archive]\nroto = "x"', ":2: archive.roto: unknown field; right here are: root, "),
        ('[archive]\non_existing = "overwrite"', ":2: archive.on_existing: "),
    ],
)
def test_a_malformed_file_fails_the_task_at_once_with_line_and_field(
    site: Path, text: str, fault: str
) -> None:
    site.write_text(text)
    message = failed(run_task(given(), at=DAY), ConfigError)
    assert f"{site}" in message
    assert fault in message


def test_a_file_that_is_named_and_missing_is_told(site: Path) -> None:
    site.unlink()
    message = failed(run_task(given(), at=DAY), ConfigError)
    assert f"{site}: no such file, and Airflow's option [platform_ops] config names it" in message


# --- What errors become ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "counted"),
    [
        (SourceUnavailable("later"), "up_for_retry", "SourceUnavailable"),
        (ExtraMissing("x", "y", "z"), "failed", "ExtraMissing"),
        (ZeroDivisionError(), "up_for_retry", "ZeroDivisionError"),
        (AirflowSkipException("nothing new"), "skipped", None),
    ],
)
def test_only_what_a_retry_cannot_cure_is_failed_at_once(
    platform_archive: Settings,
    statsd: Listener,
    error: Exception,
    state: str,
    counted: str | None,
) -> None:
    ran = run_task(given(body=error), at=DAY)
    assert ran.state == state
    failures = [each for each in statsd.ours() if each.name == "platform_ops.failures"]
    assert [each.tags["error"] for each in failures] == ([counted] if counted else [])
    assert list(archive.find("weather.forecast")) == []


# --- A task's own code ----------------------------------------------------------------------------


def in_a_task(code: Any, **arguments: Any) -> TaskResult:
    with DAG("ingest"):
        own: Any = task(task_id="own")(code)()  # Any: an XComArg, which hides its operator
    operator = own.operator
    return run_task(operator, at=DAY, **arguments)


def test_a_task_archives_by_itself_and_replays(platform_archive: Settings) -> None:
    fetched: list[str] = []

    def own() -> dict[str, Any]:
        with archive_session("weather.forecast", partition_key="EU", map_key="a") as capture:
            if capture.pending:
                fetched.append("once")
                capture.write(Part("body.txt", [b"sunny"], ORIGIN))
        return capture.reference.to_dict()

    first = in_a_task(own)
    assert archive.open(first.xcom).read() == b"sunny"
    assert str(slot_of(first)) == "weather.forecast 2024-03-05T00:00:00Z part=EU map=a"
    assert first.asset_names == ()
    replayed = in_a_task(own, run_id="replay", conf={"platform_ops": {"replay": True}})
    assert replayed.xcom == first.xcom
    assert in_a_task(own, try_number=2).xcom == first.xcom
    assert fetched == ["once"]


def test_an_error_in_the_block_archives_nothing(platform_archive: Settings) -> None:
    def own() -> None:
        with archive_session("weather.forecast") as capture:
            capture.write(Part("body.txt", [b"sunny"], ORIGIN))
            raise ZeroDivisionError

    assert isinstance(in_a_task(own).error, ZeroDivisionError)
    assert list(archive.find("weather.forecast")) == []


def test_a_capture_is_written_while_pending_and_referred_to_afterwards(
    platform_archive: Settings,
) -> None:
    def too_early() -> None:
        with archive_session("weather.forecast") as capture:
            _ = capture.reference

    def too_late() -> None:
        with archive_session("weather.forecast") as capture:
            pass
        capture.write(Part("body.txt", [b"sunny"], ORIGIN))

    early, late = in_a_task(too_early), in_a_task(too_late, run_id="late")
    assert "not committed yet; leave the with block first" in str(early.error)
    assert isinstance(late.error, PlatformError)
    assert "is archived already; write only while it is pending" in str(late.error)


@pytest.mark.parametrize("arguments", [{"entity": "nodot"}, {"entity": "a.b", "mode": "x"}])
def test_a_wrong_argument_fails_the_task_at_once(
    platform_archive: Settings, arguments: dict[str, Any]
) -> None:
    def own() -> None:
        with archive_session(**arguments):
            raise AssertionError

    ran = in_a_task(own)
    assert (ran.state, type(ran.error)) == ("failed", AirflowFailException)


# --- Where the archive is -------------------------------------------------------------------------


def test_the_stores_credentials_may_come_from_a_connection(
    s3_server: S3Server, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"s3://{s3_server.new_bucket()}/archive"
    extra = f"endpoint_url={s3_server.url}&region_name=us-east-1".replace("://", "%3A%2F%2F")
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", f"aws://testing:testing@/?{extra.replace(':', '%3A')}")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", root)
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__CONNECTION", "lake")
    ran = run_task(given(), at=DAY)
    assert slot_of(ran).entity == Entity("weather", "forecast")
    assert ran.xcom["payload_urls"][0].startswith(root)
