"""The pages: what they list, what they refuse, and that nothing in the archive gets out of its place."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from platform_ops import archive, links
from platform_ops.archive import Evidence
from platform_ops.archive.upkeep import refused
from platform_ops.entity import Entity, RunIdentity, Slot
from platform_ops.settings import Settings
from tests.archive.samples import commit, part, run, slot
from tests.ui.conftest import Airflow, Visitor

NASTY = "<script>alert(1)</script>\r\nb\u202e\x00.csv"


def manifest_url(commit_of: archive.Commit) -> str:
    return commit_of.reference.manifest_url


def revision(visitor: Visitor, made: archive.Commit, **more: str) -> str:
    reply = visitor.get("revision", manifest=manifest_url(made), **more)
    assert reply.status_code == 200, reply.text
    return str(reply.text)


def token(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1]


# --- What is listed ---------------------------------------------------------------------------------


def test_the_list_has_what_is_archived_and_what_is_expected(
    visitor: Visitor, site: Settings
) -> None:
    commit(site, at=Slot(Entity("weather", "forecast"), datetime.now(UTC) - timedelta(hours=1)))
    commit(site, at=Slot(Entity("shop", "orders"), datetime.now(UTC)))
    page = visitor.get("").text
    names = re.findall(r'entity\?name=[^"]+">([^<]+)</a>', page)
    assert names == ["shop.orders", "staff.salaries", "weather.forecast", "weather.gale"]
    assert page.count("Met Team") == 2
    assert page.count("undeclared") == 1
    assert "missing" in page  # the gale was expected for a month


def test_the_list_is_found_in_by_name_and_owner(visitor: Visitor, site: Settings) -> None:
    assert "weather.gale" not in visitor.get("", q="salar").text
    assert "weather.gale" in visitor.get("", q="met team").text
    assert "Nothing here has that name or owner" in visitor.get("", q='"><b>').text


def test_a_list_of_many_has_pages(visitor: Visitor, site: Settings) -> None:
    for number in range(41):
        commit(site, at=Slot(Entity("many", f"e{number:02d}"), datetime(2024, 3, 5, tzinfo=UTC)))
    first, second = visitor.get("", q="many").text, visitor.get("", q="many", page="2").text
    assert "Page 1 of 2" in first
    assert "many.e39" in first
    assert "many.e40" not in first
    assert re.findall(r">(many\.e\d\d)<", second) == ["many.e40"]
    assert visitor.get("", page="9" * 5000).status_code == 200


def test_an_entity_shows_what_was_expected_day_by_day(visitor: Visitor, site: Settings) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    forecast = Entity("weather", "forecast")
    for ago in (4, 2):
        at = Slot(forecast, today - timedelta(days=ago))
        commit(site, part(b"sunny" if ago == 4 else b""), at=at, by=run(f"scheduled-{ago}"))
    page = visitor.get("entity", name="weather.forecast").text

    def day(ago: int) -> str:
        return f"{today - timedelta(days=ago):%Y-%m-%d}"

    told = re.findall(r'aria-label="(\d{4}-[^"]+)"', page)
    assert f"{day(4)}: 1 of 1 there, late" in told
    assert f"{day(3)}: 0 of 1 there, missing" in told
    assert f"{day(2)}: 1 of 1 there, empty" in told
    of_day = visitor.get("entity", name="weather.forecast", day=day(3)).text
    assert "due" in of_day.partition('id="slots"')[2]
    assert "revision?manifest" not in of_day
    assert visitor.get("entity", name="weather.forecast", day="yesterday").status_code == 400


def test_a_name_that_nobody_knows_is_no_entity_that_is_empty(visitor: Visitor) -> None:
    assert "No entity of this name is declared" in visitor.get("entity", name="weather.gael").text
    assert "No entity of this name" not in visitor.get("entity", name="weather.gale").text


def test_an_entity_tells_what_was_refused_last(visitor: Visitor, site: Settings) -> None:
    store, when = archive.root(site), datetime(2024, 3, 9, 6, tzinfo=UTC)
    for day in range(7):
        record = Evidence(slot(day), run(), "0" * 12, "empty", "it holds no <byte>", (), when)
        refused.keep(store, f"v1/weather/forecast/dt=2024-03-{5 + day:02d}/at=000000Z", record)
    page = visitor.get("entity", name="weather.forecast").text
    told = re.findall(
        r"for the slot of (2024-03-\d\d) 00:00: empty, it holds no &lt;byte&gt;", page
    )
    assert told == [f"2024-03-{day:02d}" for day in (11, 10, 9, 8, 7)]


def test_a_revision_shows_its_manifest_and_its_rows(visitor: Visitor, site: Settings) -> None:
    made = commit(site, part(b"city,mm\nBern,3\nRome,0\n", "rain.csv", media_type="text/csv"))
    page = revision(visitor, made)
    assert '<th scope="col">city</th>' in page
    assert "<td>Rome</td>" in page
    assert made.reference.sha256 in page
    assert "/dags/weather/runs/scheduled-1/tasks/forecast" in page


def test_a_newer_revision_is_pointed_to(visitor: Visitor, site: Settings) -> None:
    first = commit(site)
    second = commit(site, part(b"rain"), by=run("manual"))
    assert "A newer revision of this slot is there" in revision(visitor, first)
    page = revision(visitor, second)
    assert "A newer revision" not in page
    assert links.revision_page("", manifest_url(first)).partition("?")[2] in page


# --- Whatever is in it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name", "media_type"),
    [
        (b"<script>alert(1)</script>", "a.html", "text/html"),
        (b"a,b\n<img src=x onerror=alert(1)>,2\n", "a.csv", "text/csv"),
        (b'[{"<b>": "</td><script>"}]', "a.json", "application/json"),
        (b'{"a": "<svg/onload=1>"}\n', "a.jsonl", "application/jsonl"),
        (b"x" * 300_000, "a.txt", "text/plain"),
        (b'{"a":' * 20_000, "a.json", "application/json"),
        (b"PAR1" + b"\xff" * 500, "a.parquet", "application/vnd.apache.parquet"),
        (b"\x1f\x8b" + b"\0" * 50, "a.gz", "application/gzip"),
        (b"a\0b\xff\xfe<script>", "a.csv", "text/csv"),
        (b'"' + b"," * 200_000, "a.csv", "text/csv"),
        ("\u202e<script>\u2066".encode(), "a.txt", "text/plain"),
    ],
    ids=["html", "csv", "json", "jsonl", "long", "deep", "parquet", "gzip", "nul", "open", "bidi"],
)
def test_no_content_leaves_its_place(
    visitor: Visitor, site: Settings, body: bytes, name: str, media_type: str
) -> None:
    made = commit(site, part(body, name, media_type=media_type))
    page = revision(visitor, made)
    assert page.count("<script") == 1  # our own
    assert not re.search(r"<(svg|img)|[\x00\u202e\u2066]", page)
    assert len(page) < 300_000
    assert "Preview of" in page
    reply = visitor.get("download", manifest=manifest_url(made), body=name)
    assert reply.content == body
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith('attachment; filename="')
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]


def test_no_name_leaves_its_place(visitor: Visitor, site: Settings) -> None:
    at = Slot(Entity("weather", NASTY), datetime(2024, 3, 5, tzinfo=UTC), NASTY, f"{NASTY}\ud800")
    made = commit(site, part(b"a,b\n1,2\n", NASTY), at=at, by=RunIdentity(NASTY, NASTY, NASTY))
    for page in (
        visitor.get("").text,
        visitor.get("entity", name=str(at.entity)).text,
        revision(visitor, made),
    ):
        assert page.count("<script") == 1
        assert not re.search("[\x00\r\u202e]", page)
        assert "&lt;script&gt;" in page
    reply = visitor.get("download", manifest=manifest_url(made), body=NASTY)
    assert reply.content == b"a,b\n1,2\n"
    assert not re.search(r"[\r\n<>]", reply.headers["content-disposition"])


def test_a_pages_policy_lets_no_script_of_its_content_run(visitor: Visitor, site: Settings) -> None:
    commit(site)
    for path in ("", "entity?name=weather.forecast", "nowhere", "revision?manifest=x"):
        reply = visitor.get(path)
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"<[^>]* (on\w+|style)=", reply.text)


def test_a_bomb_in_parquet_ends_a_child_alone(visitor: Visitor, site: Settings) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    # A text of 24 MiB, told once and meant 48 times: some kilobytes that ask for a gigabyte.
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 48), pa.array(["x" * (24 << 20)]))
    sink = pa.BufferOutputStream()
    options = {"dictionary_pagesize_limit": 64 << 20, "store_schema": False, "compression": "zstd"}
    parquet.write_table(pa.table({"a": texts}), sink, **options)
    bomb = sink.getvalue().to_pybytes()
    assert len(bomb) < 1 << 20
    page = revision(visitor, commit(site, part(bomb, "a.parquet")))
    assert "rows cannot be shown" in page
    assert "00000000  50 41 52 31" in page


def test_parquet_shows_its_rows(visitor: Visitor, site: Settings) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"city": ["Bern", "<b>"] * 40, "mm": range(80)}), sink)
    page = revision(visitor, commit(site, part(sink.getvalue().to_pybytes(), "a.parquet")))
    assert "<td>&lt;b&gt;</td>" in page
    assert "The first 50 rows are shown" in page
    assert "<td>49</td>" in page
    assert "<td>50</td>" not in page


def test_what_came_in_gzip_is_shown_unpacked(visitor: Visitor, site: Settings) -> None:
    packed = gzip.compress(b"city,mm\nBern,4\n")
    page = revision(visitor, commit(site, part(packed, "a.csv", codec="gzip")))
    assert "<td>Bern</td>" in page


def test_what_only_says_to_be_gzip_is_shown_as_it_is(visitor: Visitor, site: Settings) -> None:
    page = revision(visitor, commit(site, part(b"city,mm\nBern,4\n", "a.csv", codec="gzip")))
    assert "<td>Bern</td>" in page


def test_a_text_cut_within_a_letter_is_still_text(visitor: Visitor, site: Settings) -> None:
    long = "x" + "é" * 300_000  # two bytes each, from an odd place on
    page = revision(visitor, commit(site, part(long.encode(), "a.txt", media_type="text/plain")))
    assert "xéé" in page
    assert "Only the beginning is shown." in page
    assert "\ufffd" not in page


# --- What is broken --------------------------------------------------------------------------------


def test_a_damaged_manifest_is_named(visitor: Visitor, site: Settings, tmp_path: Path) -> None:
    made = commit(site)
    file = Path(manifest_url(made).removeprefix("file://"))
    file.write_bytes(b"{}")
    reply = visitor.get("revision", manifest=manifest_url(made))
    assert reply.status_code == 502
    assert "000001.json" in reply.text
    page = visitor.get("entity", name="weather.forecast")
    assert page.status_code == 200
    assert "Damaged:" in page.text


def test_a_damaged_body_is_never_handed_out_as_whole(visitor: Visitor, site: Settings) -> None:
    made = commit(site)
    (payload,) = made.reference.payload_urls
    Path(payload.removeprefix("file://")).write_bytes(b"snowy")
    reply = visitor.get("download", manifest=manifest_url(made), body="page-0001.json")
    assert reply.status_code == 502
    assert b"snowy" not in reply.content
    page = revision(visitor, made)
    checked = visitor.post("verify", manifest=manifest_url(made), token=token(page)).text
    assert "1 faults in 1 revisions" in checked
    assert "digest" in checked


def test_a_revision_whose_body_is_gone_still_has_its_page(visitor: Visitor, site: Settings) -> None:
    made = commit(site)
    (payload,) = made.reference.payload_urls
    Path(payload.removeprefix("file://")).unlink()
    page = revision(visitor, made)
    assert Path(payload).name in page
    assert "Preview of" not in page
    manifest = visitor.get("download", manifest=manifest_url(made))
    assert manifest.content == Path(manifest_url(made).removeprefix("file://")).read_bytes()
    assert manifest.headers["content-disposition"].startswith("attachment")


def test_a_fault_of_ours_is_a_page_without_a_word_of_it(
    visitor: Visitor, site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("platform_ops.ui.app.revision_at", broken)
    client = TestClient(visitor.client.app, raise_server_exceptions=False)
    reply = client.get(f"{links.MOUNT}/revision", params={"manifest": "file:///any"})
    assert reply.status_code == 500
    assert "The page could not be made" in reply.text
    assert "hunter2" not in reply.text


def test_style_and_script_are_served_and_nothing_beside_them(visitor: Visitor) -> None:
    assert visitor.get("static/archive.css").headers["content-type"].startswith("text/css")
    assert visitor.get("static/archive.js").headers["x-content-type-options"] == "nosniff"
    for name in ("app.py", "..%2fapp.py", "archive.css.map"):
        assert visitor.get(f"static/{name}").status_code == 404


def test_an_archive_out_of_reach_is_a_page(
    visitor: Visitor, site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "s3://nowhere/at-all")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "eu-west-1",
        "PLATFORM_OPS_STORE_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    reply = visitor.get("")
    assert reply.status_code == 503
    assert "s3://nowhere/at-all" in reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "{root}/meta/../../secret/000001.json",
        "{root}/meta/v1/%2e%2e/000001.json",
        "{root}/meta/v1/weather/.hidden/000001.json",
        "{root}/../000001.json",
        "s3://other/meta/v1/a/000001.json",
    ],
)
def test_no_address_leaves_the_archive(visitor: Visitor, site: Settings, url: str) -> None:
    reply = visitor.get("revision", manifest=url.format(root=site.archive.root))
    assert reply.status_code in (400, 404)


# --- Who may --------------------------------------------------------------------------------------


def test_who_is_not_logged_in_is_led_to_airflows_login(visitor: Visitor, site: Settings) -> None:
    visitor.role = None
    reply = visitor.get("entity", name="weather.forecast")
    assert reply.status_code == 302
    assert reply.headers["location"].startswith("/api/v2/auth/login?next=")
    assert "entity%3Fname%3Dweather.forecast" in reply.headers["location"]
    assert visitor.post("replay").status_code == 401


def test_who_has_no_role_sees_nothing(visitor: Visitor, site: Settings) -> None:
    made, visitor.role = commit(site), ""
    for path in ("", "entity?name=weather.forecast", f"revision?manifest={manifest_url(made)}"):
        reply = visitor.get(path)
        assert reply.status_code == 403
        assert "right to read assets" in reply.text


def test_what_is_personal_needs_more_than_a_viewer(visitor: Visitor, site: Settings) -> None:
    at = Slot(Entity("staff", "salaries"), datetime(2024, 3, 5, tzinfo=UTC))
    made = commit(site, part(b"lovelace,1\n", "pay.csv"), at=at)
    visitor.role = "VIEWER"
    page = revision(visitor, made)
    assert "lovelace" not in page
    assert "is personal: to read it you need the right to read connections" in page
    assert visitor.get("download", manifest=manifest_url(made), body="pay.csv").status_code == 403
    visitor.role = "OP"
    assert visitor.get("download", manifest=manifest_url(made), body="pay.csv").status_code == 200


def test_a_viewer_starts_nothing(visitor: Visitor, site: Settings, airflow: Airflow) -> None:
    made = commit(site)
    form = token(revision(visitor, made))
    visitor.role = "VIEWER"
    page = revision(visitor, made)
    assert "Verify now" not in page
    assert "Replay …" not in page
    assert visitor.get("replay", manifest=manifest_url(made)).status_code == 403
    for action in ("verify", "replay"):
        assert visitor.post(action, manifest=manifest_url(made), token=form).status_code == 403
    assert airflow.asked == []


# --- What is done -----------------------------------------------------------------------------------


def test_verifying_reads_every_byte(visitor: Visitor, site: Settings) -> None:
    made = commit(site)
    checked = visitor.post(
        "verify", manifest=manifest_url(made), token=token(revision(visitor, made))
    )
    assert "1 revision of this slot, 5 B read: every byte is what was committed" in checked.text


def test_what_is_too_large_is_verified_elsewhere(
    visitor: Visitor, site: Settings, tmp_path: Path
) -> None:
    made = commit(site)
    form = token(revision(visitor, made))
    file = tmp_path / "platform.toml"
    text = file.read_text("utf-8").replace("[ui]", "[ui]\nverify_limit_bytes = 4")
    file.write_text(text, encoding="utf-8")
    page = visitor.post("verify", manifest=manifest_url(made), token=form).text
    assert "platform-ops archive verify v1/weather/forecast/dt=2024-03-05" in page


def interval(run_id: str = "scheduled-1") -> RunIdentity:
    start = datetime(2024, 3, 5, tzinfo=UTC)
    return RunIdentity(
        "weather",
        "forecast",
        run_id,
        interval_start_utc=start,
        interval_end_utc=start + timedelta(days=1),
    )


def test_a_replay_is_a_run_of_the_same_interval(
    visitor: Visitor, site: Settings, airflow: Airflow
) -> None:
    made = commit(site, by=interval())
    visitor.client.cookies.set("_token", "ada's")
    page = visitor.get("replay", manifest=manifest_url(made)).text
    assert airflow.asked == []
    assert airflow.cookies == ["_token=ada's"]
    reply = visitor.post("replay", manifest=manifest_url(made), token=token(page))
    assert reply.status_code == 303
    (body,) = airflow.asked
    assert body["conf"] == {"platform_ops": {"replay": {"revision": 1}}}
    assert body["data_interval_start"] == "2024-03-05T00:00:00+00:00"
    assert body["data_interval_end"] == "2024-03-06T00:00:00+00:00"
    assert body["logical_date"].startswith("2024-03-05T00:00:00.")
    shown = visitor.client.get(reply.headers["location"])
    assert "queued" in shown.text
    assert shown.headers["refresh"] == "2"
    airflow.runs[body["dag_run_id"]]["state"] = "success"
    assert "refresh" not in visitor.client.get(reply.headers["location"]).headers


def test_a_replay_of_a_run_that_archived_more_reads_what_stood_at_its_end(
    visitor: Visitor, site: Settings, airflow: Airflow
) -> None:
    gale = Slot(Entity("weather", "gale"), slot().time_utc)
    commit(site, at=gale, by=run("earlier"))
    made = commit(site, by=interval())
    last = commit(site, part(b"storm"), at=gale, by=interval())
    visitor.get("")  # the index is as new as the last page
    page = visitor.get("replay", manifest=manifest_url(made)).text
    visitor.post("replay", manifest=manifest_url(made), token=token(page), emit="yes")
    wish = {"as_of": last.manifest.committed_at_utc.isoformat(), "emit": True}
    assert airflow.asked[0]["conf"] == {"platform_ops": {"replay": wish}}


def test_a_taken_date_is_tried_anew_and_a_paused_dag_is_told(
    visitor: Visitor, site: Settings, airflow: Airflow
) -> None:
    made, airflow.paused = commit(site, by=interval()), True
    airflow.taken.add("once")
    page = visitor.get("replay", manifest=manifest_url(made)).text
    assert "The DAG is paused" in page
    assert visitor.post("replay", manifest=manifest_url(made), token=token(page)).status_code == 303
    first, second = (each["logical_date"] for each in airflow.asked)
    assert first != second


def test_without_an_interval_the_conf_names_the_time(
    visitor: Visitor, site: Settings, airflow: Airflow
) -> None:
    made = commit(site)
    page = visitor.get("replay", manifest=manifest_url(made)).text
    visitor.post("replay", manifest=manifest_url(made), token=token(page))
    wish = {"revision": 1, "time": "2024-03-05T00:00:00+00:00"}
    assert airflow.asked[0]["conf"] == {"platform_ops": {"replay": wish}}
    assert airflow.asked[0]["logical_date"] is None


def test_a_dag_that_is_gone_is_told(visitor: Visitor, site: Settings) -> None:
    made = commit(site, by=RunIdentity("gone", "forecast", "r"))
    reply = visitor.get("replay", manifest=manifest_url(made))
    assert reply.status_code == 502
    assert "`gone` was not found" in reply.text


def test_no_form_of_another_site_user_or_page_counts(
    visitor: Visitor, site: Settings, airflow: Airflow
) -> None:
    made = commit(site, by=interval())
    other = commit(site, at=slot(1))
    form = token(visitor.get("replay", manifest=manifest_url(made)).text)
    for_verify = token(revision(visitor, made))
    url = manifest_url(made)
    assert visitor.post("replay", manifest=url).status_code == 403
    assert visitor.post("replay", manifest=url, token=f"{form}x").status_code == 403
    assert visitor.post("replay", manifest=url, token=for_verify).status_code == 403
    assert visitor.post("replay", manifest=manifest_url(other), token=form).status_code == 403
    cross = {"sec-fetch-site": "cross-site"}
    assert visitor.post("replay", headers=cross, manifest=url, token=form).status_code == 403
    assert visitor.get("replay", manifest=url, token=form).status_code == 200
    assert airflow.asked == []
