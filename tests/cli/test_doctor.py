from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result

from platform_ops.doctor import rules
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place
from tests.archive.samples import commit
from tests.cli.conftest import Call
from tests.cli.test_main import PROGRAM
from tests.fakes.s3 import CREDENTIALS, S3Server


@pytest.fixture(autouse=True)
def _airflow_at_work() -> None:
    """Import Airflow in full, before the doctor does as a library: other tests share this process."""
    import airflow.configuration  # noqa: F401


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], None]:
    """Write this site's platform.toml."""

    def write(text: str) -> None:
        (tmp_path / "conf").mkdir(exist_ok=True)
        (tmp_path / "conf" / "platform.toml").write_text(text, encoding="utf-8")

    return write


def findings(result: Result) -> dict[str, list[dict[str, Any]]]:  # Any: JSON values
    found: dict[str, list[dict[str, Any]]] = {}  # Any: JSON values
    for each in json.loads(result.stdout)["findings"]:
        found.setdefault(each["rule"], []).append(each)
    return found


def facts(result: Result) -> dict[tuple[str, str], tuple[str, str]]:
    listed = json.loads(result.stdout)["facts"]
    return {(each["topic"], each["name"]): (each["value"], each["origin"]) for each in listed}


def test_a_new_site_is_fine_and_the_trial_of_its_root_leaves_nothing(
    cli: Call, tmp_path: Path
) -> None:
    result = cli("doctor", "--json")
    assert result.exit_code == 0
    assert set(findings(result)) == {"PD101", "PD405"}
    assert facts(result)["archive", "root"] == (f"file://{tmp_path}/home/archive", "default")
    assert facts(result)["software", "provider"] == ("registered", "")
    assert not (tmp_path / "home" / "archive").exists()


def test_the_installed_program_reads_airflow_without_touching_its_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    text = (
        "[core]\nexecutor = CeleryExecutor\n"
        "[metrics]\nstatsd_on = True\nstatsd_influxdb_enabled = True\n"
    )
    (home / "airflow.cfg").write_text(text, encoding="utf-8")
    result = subprocess.run([PROGRAM, "doctor"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "PD201 A local root under a remote executor\n" in result.stdout
    assert f"    file://{home}/archive\n      [core] executor is CeleryExecutor\n" in result.stdout
    assert result.stdout.endswith("1 error, 1 note\n")
    assert [path.name for path in home.rglob("*")] == ["airflow.cfg"]


def test_facts_say_where_each_value_comes_from(
    cli: Call, toml: Callable[[str], None], tmp_path: Path
) -> None:
    toml(
        f'[archive]\nroot = "file://{tmp_path}/a"\non_existing = "fail"\n'
        "[sources.weather.entities.forecast]\n[sources.weather.entities.alerts]\n"
    )
    result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__UNDECLARED="fail")
    found = facts(result)
    assert found["settings", "file"] == (f"{tmp_path}/conf/platform.toml", "found")
    assert found["settings", "entities"] == ("weather.forecast, weather.alerts", "2 declared")
    assert found["archive", "root"] == (f"file://{tmp_path}/a", "platform.toml")
    assert found["archive", "on_existing"] == ("fail", "platform.toml")
    assert found["archive", "undeclared"] == ("fail", "$PLATFORM_OPS__ARCHIVE__UNDECLARED")
    assert found["archive", "template"][1] == "default"
    assert set(findings(result)) == {"PD405"}


@pytest.mark.parametrize(
    ("executor", "found"),
    [
        ("LocalExecutor", False),
        ("airflow.executors.local_executor.LocalExecutor", False),
        ("KubernetesExecutor", True),
        (
            "LocalExecutor,k8s:airflow.providers.cncf.kubernetes.executors.x.KubernetesExecutor",
            True,
        ),
        ("LocalExecutor;team1=CeleryExecutor", True),
    ],
)
def test_a_local_root_serves_local_executors_only(
    disk: Disk, cli: Call, executor: str, found: bool
) -> None:
    result = cli("doctor", "--json", AIRFLOW__CORE__EXECUTOR=executor)
    assert ("PD201" in findings(result), result.exit_code) == (found, int(found))


def test_an_object_store_serves_every_executor(place: Place, cli: Call) -> None:
    result = cli("doctor", "--json", AIRFLOW__CORE__EXECUTOR="CeleryExecutor")
    assert ("PD201" in findings(result)) == isinstance(place, Disk)
    assert "PD206" not in findings(result)


def test_a_settings_file_that_airflow_names_and_that_is_not_there(tmp_path: Path) -> None:
    text = "[platform_ops]\nconfig = /no/such.toml\n"
    (tmp_path / "home" / "airflow.cfg").write_text(text, encoding="utf-8")
    # A process of its own: Airflow reads airflow.cfg once.
    ran = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True, check=False)
    (finding,) = [each for each in json.loads(ran.stdout)["findings"] if each["rule"] == "PD102"]
    assert ran.returncode == 1
    assert finding["place"]["file"] == "/no/such.toml"


def test_wrong_settings_are_named_by_line_and_field(
    cli: Call, toml: Callable[[str], None], tmp_path: Path
) -> None:
    toml('[archive]\nroot = "ftp://x"\n')
    result = cli("doctor", "--json")
    (finding,) = findings(result)["PD103"]
    assert result.exit_code == 1
    assert finding["message"].startswith(
        f"{tmp_path}/conf/platform.toml:2: archive.root: 'ftp://x'"
    )
    assert facts(result)["software", "executor"] == ("LocalExecutor", "")


@pytest.mark.parametrize("root", ["file:///proc/archive", "file://{tmp}/a-file/archive"])
def test_a_root_that_cannot_be_written(cli: Call, tmp_path: Path, root: str) -> None:
    (tmp_path / "a-file").touch()
    result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__ROOT=root.format(tmp=tmp_path))
    assert result.exit_code == 1
    assert len(findings(result)["PD203"]) == 1


@pytest.mark.parametrize(("call", "rule"), [("link", "PD205"), ("fsync", "PD207")])
def test_a_file_system_that_lacks_what_a_commit_needs(
    disk: Disk, cli: Call, monkeypatch: pytest.MonkeyPatch, call: str, rule: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, call, refused)
    result = cli("doctor", "--json")
    assert result.exit_code == 1
    assert findings(result)[rule][0]["message"] == f"{call}: Operation not supported"
    assert not disk.folder.exists()


def test_a_file_system_that_folds_case(
    disk: Disk, cli: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.stat

    def folding(path: Any, *arguments: Any, **named: Any) -> os.stat_result:  # Any: as in os.stat
        folded = str(path).replace("FIRST", "first") if isinstance(path, (str, Path)) else path
        return really(folded, *arguments, **named)

    monkeypatch.setattr(os, "stat", folding)
    result = cli("doctor", "--json")
    assert (result.exit_code, len(findings(result)["PD208"])) == (0, 1)


def test_a_store_that_overwrites_what_it_was_told_to_create(
    s3_server: S3Server, s3_bucket: str, cli: Call
) -> None:
    root = f"s3://{s3_bucket}/x"
    with deaf_to_conditions(s3_server.url) as url:
        result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__ROOT=root, AWS_ENDPOINT_URL=url)
    assert result.exit_code == 1
    assert findings(result)["PD206"][0]["place"]["object"] == f"{root}/.doctor/create-only"


def test_a_bucket_that_is_not_there(s3_server: S3Server, s3_bucket: str, cli: Call) -> None:
    result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__ROOT="s3://no-such-bucket/x")
    assert result.exit_code == 1
    assert "no such bucket" in findings(result)["PD204"][0]["message"]


def test_a_template_that_was_changed_over_data(
    place: Place, site: Callable[[], Settings], cli: Call
) -> None:
    old = site().archive.template
    commit(site())
    new = "v2/{source}/{entity}/dt={date}/at={time}/part={partition_key}/map={map_key}"
    assert "PD301" not in findings(cli("doctor", "--json"))
    result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__TEMPLATE=new)
    (finding,) = findings(result)["PD301"]
    assert result.exit_code == 0
    assert finding["message"] == f"data was written with {old!r}, and {new!r} is in force"
    assert facts(result)["archive", "entities"] == ("weather.forecast", "1 archived")


@pytest.mark.parametrize(("undeclared", "rule"), [("report", "PD302"), ("fail", "PD303")])
def test_an_archived_entity_that_nobody_declared(
    place: Place, site: Callable[[], Settings], cli: Call, undeclared: str, rule: str
) -> None:
    commit(site())
    result = cli("doctor", "--json", PLATFORM_OPS__ARCHIVE__UNDECLARED=undeclared)
    (finding,) = findings(result)[rule]
    assert (result.exit_code, finding["place"]["object"]) == (0, "weather.forecast")


def test_a_declared_entity_is_no_finding(
    disk: Disk, site: Callable[[], Settings], cli: Call, toml: Callable[[str], None]
) -> None:
    commit(site())
    toml("[sources.weather.entities.forecast]\n")
    assert set(findings(cli("doctor", "--json"))) == {"PD405"}


def test_a_template_record_that_is_damaged(
    place: Place, site: Callable[[], Settings], cli: Call
) -> None:
    commit(site())
    (key,) = [key for key in place.objects() if key.startswith("templates/")]
    place.write(key, b"v1/{nonsense}")
    result = cli("doctor", "--json")
    assert (result.exit_code, len(findings(result)["PD304"])) == (1, 1)


def test_a_connection_is_resolved_and_never_read_out(
    s3_server: S3Server, s3_bucket: str, cli: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    environment = {
        "PLATFORM_OPS__ARCHIVE__ROOT": f"s3://{s3_bucket}/x",
        "PLATFORM_OPS__ARCHIVE__CONNECTION": "archive_s3",
    }
    missing = cli("doctor", "--json", **environment)
    assert (missing.exit_code, len(findings(missing)["PD404"])) == (0, 1)
    extra = {"endpoint_url": s3_server.url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "user-x", "password": "s3cr3t-x", "extra": extra}
    found = cli("doctor", "--json", **environment, AIRFLOW_CONN_ARCHIVE_S3=json.dumps(connection))
    assert set(findings(found)) == {"PD101", "PD405"}
    assert facts(found)["archive", "entities"] == ("none", "0 archived")
    assert "s3cr3t-x" not in found.output
    assert "user-x" not in found.output


def test_every_rule_has_an_id_of_its_own_and_is_listed_by_it() -> None:
    ids = [rule.id for rule in rules.RULES]
    assert ids == sorted(set(ids))


@contextmanager
def deaf_to_conditions(upstream: str) -> Iterator[str]:
    """A gateway in front of an object store that drops If-None-Match, as old ones do."""
    behind = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() != "if-none-match"
            }
            client = HTTPConnection(behind)
            client.request(self.command, self.path, body, headers)
            reply = client.getresponse()
            content = reply.read()
            self.send_response_only(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            client.close()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = forward  # noqa: N815 - http.server's

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
