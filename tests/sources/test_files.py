"""Files of folders: which are taken, once each, and what becomes of them; over every protocol in process."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import ConfigError, SourceChanged, SourceRejected, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.files import (
    ArchivingFtpOperator,
    ArchivingLocalFilesOperator,
    ArchivingObjectStoreOperator,
    ArchivingSftpOperator,
    FilesOperator,
)
from platform_ops.sources.folders import RemoteFile, pickup
from platform_ops.sources.folders.local import LocalFolder
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.ftp import ftp_server
from tests.fakes.gcs import gcs_server
from tests.fakes.sftp import sftp_server

ENTITY = "erp.orders"


@dataclass
class Place:
    """A folder behind one protocol.

    :param folder: The same files, seen from behind.
    :param server: What may be told to lie.
    """

    operator: type[Any]
    arguments: dict[str, Any]
    folder: Path
    server: Any = None

    def take(self, at: str = "2024-03-05", **arguments: Any) -> TaskResult:
        given = {**self.arguments, **arguments}
        run = {name: given.pop(name) for name in ("run_id", "try_number", "conf") if name in given}
        with DAG("files"):
            operator = self.operator(task_id="take", entity=ENTITY, retries=2, **given)
        return run_task(operator, at=at, **run)


@pytest.fixture(params=["local", "sftp", "ftp"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    platform_archive: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    folder = tmp_path / "served" / "outbox"
    folder.mkdir(parents=True)
    if request.param == "local":
        yield Place(ArchivingLocalFilesOperator, {"folder": str(folder)}, folder)
        return
    protocols: dict[str, tuple[Any, type[FilesOperator], str]] = {
        "sftp": (sftp_server, ArchivingSftpOperator, "sftp_conn_id"),
        "ftp": (ftp_server, ArchivingFtpOperator, "ftp_conn_id"),
    }
    serve, operator, name = protocols[request.param]
    with serve(folder.parent) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
        yield Place(operator, {"folder": "outbox", name: "erp"}, folder, server)


@pytest.fixture
def local(tmp_path: Path, platform_archive: Settings) -> Place:
    folder = tmp_path / "outbox"
    folder.mkdir()
    return Place(ArchivingLocalFilesOperator, {"folder": str(folder)}, folder)


def put(path: Path, data: bytes = b"1\n", time_s: float = 1_700_000_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time_s, time_s))


def bodies(ran: TaskResult) -> dict[str, bytes]:
    assert ran.state == "success", ran.error
    return {body.name: body.read() for body in archive.bodies(ran.xcom)}


def refusal(ran: TaskResult) -> BaseException | None:
    """What the task failed of for good."""
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    return ran.error.__cause__


def test_each_version_is_taken_once(place: Place) -> None:
    put(place.folder / "a.csv", b"one\n")
    assert bodies(place.take("2024-03-05")) == {"a.csv": b"one\n"}
    put(place.folder / "b.csv", b"two\n")
    assert bodies(place.take("2024-03-06")) == {"b.csv": b"two\n"}
    nothing = place.take("2024-03-07")
    assert bodies(nothing) == {"b.csv": b"two\n"}
    assert dict(nothing.asset_events) == {}
    put(place.folder / "a.csv", b"new\n", 1_700_000_100)
    assert bodies(place.take("2024-03-08")) == {"a.csv": b"new\n"}
    assert len(list(archive.find(ENTITY))) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"files": "*.csv"}, ["a.csv", "é\u2003x.csv"]),
        ({"files": "a.csv"}, ["a.csv"]),
        ({"files": "none.csv"}, None),
        ({"files": ".part*"}, [".part.csv"]),
        ({"files": "[!a]*.csv"}, ["é\u2003x.csv"]),
        ({"files": "?.csv"}, ["a.csv"]),
        ({"files": "**/*.csv"}, ["a.csv", "deep/er/c.csv", "deep/b.csv", "é\u2003x.csv"]),
        ({"files": "deep/*.csv"}, ["deep/b.csv"]),
        ({"files": "deep/**"}, ["deep/er/c.csv", "deep/b.csv"]),
        ({"files": "*/*/*"}, ["deep/er/c.csv"]),
        ({"regex": r"[a-b]\.(csv|txt)"}, ["a.csv", "b.txt"]),
        ({"regex": r".*/[a-c]\.csv"}, ["deep/er/c.csv", "deep/b.csv"]),
    ],
)
def test_names_patterns_and_expressions(
    place: Place, arguments: dict[str, Any], expected: list[str] | None
) -> None:
    names = ("a.csv", "b.txt", "é\u2003x.csv", ".part.csv", "deep/b.csv", "deep/er/c.csv")
    for name in names:
        put(place.folder / name, name.encode())
    ran = place.take(**arguments)
    if expected is None:
        assert ran.state == "up_for_retry"
        assert "none came before" in str(ran.error)
        return
    assert bodies(ran) == {name: name.encode() for name in expected}


def test_a_file_counts_once_its_marker_and_checksum_are_there(place: Place) -> None:
    put(place.folder / "a.csv", b"one\n")
    put(place.folder / "b.csv", b"two\n")
    put(place.folder / "a.csv.done", b"")
    put(place.folder / "a.csv.sha256", hashlib.sha256(b"one\n").hexdigest().encode() + b" *a.csv\n")
    put(place.folder / "b.csv.sha256", hashlib.sha256(b"two\n").hexdigest().encode())
    taken = place.take(done="{name}.done", checksum="sha256")
    assert bodies(taken) == {"a.csv": b"one\n"}


def test_bytes_that_are_not_what_the_checksum_says_are_not_kept(place: Place) -> None:
    put(place.folder / "a.csv", b"one\n")
    put(place.folder / "a.csv.md5", f"{hashlib.md5(b'other').hexdigest()}  a.csv\n".encode())
    ran = place.take(checksum="md5")
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceChanged)
    assert list(archive.find(ENTITY)) == []


@pytest.mark.parametrize("after", ["move", "delete"])
def test_what_is_committed_is_put_aside_with_its_companions(place: Place, after: str) -> None:
    put(place.folder / "a.csv")
    put(place.folder / "a.csv.done", b"")
    put(place.folder / "deep" / "b.csv")
    put(place.folder / "deep" / "b.csv.done", b"")
    aside = {"move_to": f"{place.arguments['folder']}/aside"} if after == "move" else {}
    ran = place.take(files="**/*", done="{name}.done", after=after, **aside)
    assert set(bodies(ran)) == {"a.csv", "deep/b.csv"}
    left = {
        str(each.relative_to(place.folder)) for each in place.folder.rglob("*") if each.is_file()
    }
    names = {"a.csv", "a.csv.done", "deep/b.csv", "deep/b.csv.done"}
    assert left == ({f"aside/{name}" for name in names} if after == "move" else set())
    again = place.take("2024-03-06", files="**/*", done="{name}.done", after=after, **aside)
    assert again.xcom == ran.xcom


def test_nothing_is_written_over_where_a_file_is_moved(place: Place) -> None:
    aside = {"after": "move", "move_to": f"{place.arguments['folder']}/aside"}
    put(place.folder / "a.csv", b"one\n")
    place.take("2024-03-05", files="*.csv", **aside)
    put(place.folder / "a.csv", b"two\n", 1_700_000_100)
    place.take("2024-03-06", files="*.csv", **aside)
    kept = sorted((place.folder / "aside").iterdir())
    assert [each.read_bytes() for each in kept] == [b"one\n", b"two\n"]
    assert not (place.folder / "a.csv").exists()


def test_a_file_that_changed_after_the_commit_is_left(place: Place) -> None:
    put(place.folder / "a.csv", b"one\n")
    first = place.take()
    put(place.folder / "a.csv", b"newer\n", 1_700_000_100)
    retried = place.take(try_number=2, after="delete")
    assert retried.xcom == first.xcom
    assert (place.folder / "a.csv").read_bytes() == b"newer\n"
    assert bodies(place.take("2024-03-06", after="delete")) == {"a.csv": b"newer\n"}
    assert not (place.folder / "a.csv").exists()


def test_an_acknowledgement_that_was_lost_is_made_up_for(place: Place) -> None:
    put(place.folder / "a.csv")
    place.take("2024-03-05")  # as if it had died between its commit and its deletion
    place.take("2024-03-06", after="delete")
    assert not (place.folder / "a.csv").exists()


def test_a_further_revision_of_a_slot_holds_what_came_before(place: Place) -> None:
    put(place.folder / "a.csv", b"one\n")
    place.take(after="delete")
    put(place.folder / "b.csv", b"two\n")
    cleared = place.take(run_id="manual", after="delete")
    assert bodies(cleared) == {"a.csv": b"one\n", "b.csv": b"two\n"}
    assert cleared.xcom["revision"] == 2


def test_packed_files_are_known_too(local: Place) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        put(local.folder / name, name.encode())
    first = local.take("2024-03-05", pack=True)
    assert len(bodies(first)) == 3
    assert len(first.xcom["payload_urls"]) == 1
    assert local.take("2024-03-06", pack=True).xcom == first.xcom


def test_what_a_damaged_manifest_may_have_held_is_taken_again(
    local: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(local.folder / "a.csv", b"one\n")
    local.take("2024-03-05")
    (manifest,) = (tmp_path / "archive" / "meta").rglob("*.json")
    manifest.chmod(0o644)
    manifest.write_bytes(b"damaged")
    again = local.take("2024-03-06")
    assert bodies(again) == {"a.csv": b"one\n"}
    told = f"1 files count as new, and nobody knows whether this held one: file://{manifest}"
    assert told in caplog.text


def test_refetch_takes_what_is_known(local: Place) -> None:
    put(local.folder / "a.csv")
    local.take("2024-03-05")
    again = local.take("2024-03-06", mode="refetch")
    assert (again.xcom["revision"], set(bodies(again))) == (1, {"a.csv"})
    assert len(list(archive.find(ENTITY))) == 2


@pytest.mark.parametrize(
    ("on_nothing", "state"),
    [
        ("skip", "skipped"),
        ("fail", "up_for_retry"),
        ("accept", "success"),
        ("unchanged", "success"),
    ],
)
def test_what_nothing_new_means(local: Place, on_nothing: str, state: str) -> None:
    put(local.folder / "a.csv")
    local.take("2024-03-05")
    ran = local.take("2024-03-06", on_nothing=on_nothing)
    assert ran.state == state
    assert len(list(archive.find(ENTITY))) == (2 if on_nothing == "accept" else 1)
    if on_nothing == "accept":
        assert ran.xcom["size_bytes"] == 0


def test_a_file_larger_than_it_may_be_is_not_read(place: Place) -> None:
    put(place.folder / "a.csv", b"x" * 101)
    refused = refusal(place.take(max_bytes=100))
    assert isinstance(refused, SourceRejected)
    assert "has 101 bytes, and max_bytes allows 100" in str(refused)
    assert list(archive.find(ENTITY)) == []


def test_a_file_that_moves_is_left_for_later(local: Place) -> None:
    put(local.folder / "a.csv")
    growing = local.folder / "b.csv"
    put(growing)
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(0.01):
            with growing.open("ab") as file:
                file.write(b"more\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        ran = local.take(stable_s=0.2)
    finally:
        stop.set()
        writer.join()
    assert set(bodies(ran)) == {"a.csv"}


class Growing(LocalFolder):
    """A folder in which a file grows as it is read."""

    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        for chunk in super().read(file, offset):
            yield chunk
            with Path(file.path).open("ab") as grown:
                grown.write(b"more\n")


def test_a_file_that_grows_while_it_is_read_is_not_kept(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", bytes(3 << 20))
    folder = Growing()
    found = folder.stat(str(tmp_path / "a.csv"))
    assert found is not None
    entity = archive.Question().entity
    transfer = pickup.Transfer(folder, found, "a.csv", entity, attempts=1)  # type: ignore[arg-type]  # no metric is emitted
    with pytest.raises(SourceChanged, match="changed while it was read"):
        list(transfer.body())


def test_a_broken_line_is_taken_up_where_it_broke(
    tmp_path: Path, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(3 << 20)
    put(tmp_path / "outbox" / "a.bin", data)
    with ftp_server(tmp_path) as server:
        monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
        server.breaks = [1 << 20, 0, 1 << 19]
        arguments = {"folder": "outbox", "ftp_conn_id": "erp"}
        ran = Place(ArchivingFtpOperator, arguments, tmp_path).take()
        assert bodies(ran) == {"a.bin": data}
        assert server.offsets == [0, 1 << 20, 1 << 20, 3 << 19]
        server.breaks = [0, 0, 0]
        put(tmp_path / "outbox" / "b.bin", data)
        failed = Place(ArchivingFtpOperator, arguments, tmp_path).take("2024-03-06")
    assert failed.state == "up_for_retry"
    assert isinstance(failed.error, SourceUnavailable)
    assert len(list(archive.find(ENTITY))) == 1


@pytest.mark.parametrize("lie", ["../../etc/passwd", "/etc/passwd", "a/../../b"])
@pytest.mark.parametrize("place", ["sftp", "ftp"], indirect=True)
def test_a_server_that_lists_what_leaves_its_folder_is_not_believed(place: Place, lie: str) -> None:
    put(place.folder / "a.csv")
    place.server.lies = [lie.encode() if place.operator is ArchivingSftpOperator else lie]
    refused = refusal(place.take())
    assert isinstance(refused, SourceRejected)
    assert "would leave the folder" in str(refused)
    assert list(archive.find(ENTITY)) == []


def test_a_nul_in_a_listing_is_not_believed(
    tmp_path: Path, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outbox").mkdir()
    with sftp_server(tmp_path) as server:
        server.lies = [b"a\0.csv"]
        monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
        arguments = {"folder": "outbox", "sftp_conn_id": "erp"}
        refused = refusal(Place(ArchivingSftpOperator, arguments, tmp_path).take())
    assert isinstance(refused, SourceRejected)


@pytest.mark.parametrize("place", ["local", "sftp"], indirect=True)
def test_hostile_names_are_archived_under_safe_ones(place: Place) -> None:
    raw = [b"con.txt", b"a\nb.txt", b"\xe9\xff.txt", b"-rf.txt", b"%2e%2e.txt"]
    for name in raw:
        put(Path(os.fsdecode(os.fsencode(place.folder) + b"/" + name)), name)
    found = bodies(place.take(files="*.txt"))
    safe = {"con.txt", "a%0Ab.txt", "%E9%FF.txt", "-rf.txt", "%2e%2e.txt"}
    assert set(found) == safe
    assert sorted(found.values()) == sorted(raw)
    (manifest,) = archive.find(ENTITY)
    assert any(each.origin.url.endswith("/outbox/%E9%FF.txt") for each in manifest.payloads)
    assert not any("con.txt" in each.key.rsplit("/", 1)[1][:3] for each in manifest.payloads)


def test_links_of_a_local_folder_are_left_alone(local: Place, tmp_path: Path) -> None:
    put(tmp_path / "secret.csv", b"secret")
    put(local.folder / "a.csv")
    (local.folder / "b.csv").symlink_to(tmp_path / "secret.csv")
    assert set(bodies(local.take())) == {"a.csv"}


@pytest.mark.parametrize("place", ["sftp", "ftp"], indirect=True)
def test_a_wrong_password_is_told_once_and_without_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = json.loads(place.server.connection())
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps({**fields, "password": "hunter3-wrong"}))
    refused = refusal(place.take())
    assert isinstance(refused, SourceRejected)
    assert "refuses the login" in str(refused)
    assert "hunter" not in str(refused)


def test_objects_of_a_bucket_are_taken_once_each_and_put_aside(
    platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gcs_server() as server:
        bucket = server.new_bucket()
        blobs = server.buckets[bucket].blobs
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        for key in ("in/a.csv", "in/deep/b.csv", "other/c.csv"):
            blobs[key] = server.stored(key.encode())
        arguments = {"folder": f"gs://{bucket}/in", "files": "**/*.csv"}
        place = Place(ArchivingObjectStoreOperator, arguments, Path())
        assert bodies(place.take("2024-03-05")) == {
            "a.csv": b"in/a.csv",
            "deep/b.csv": b"in/deep/b.csv",
        }
        blobs["in/a.csv"] = server.stored(b"newer")
        taken = place.take("2024-03-06", after="delete")
        assert bodies(taken) == {"a.csv": b"newer"}
        assert sorted(blobs) == ["other/c.csv"]
        missing = Place(ArchivingObjectStoreOperator, {"folder": "gs://nowhere/in"}, Path())
        assert isinstance(refusal(missing.take("2024-03-07")), SourceRejected)


@pytest.mark.parametrize(
    "arguments",
    [
        {"after": "move"},
        {"move_to": "aside"},
        {"after": "burn"},
        {"on_nothing": "shrug"},
    ],
)
def test_words_that_do_not_exist_are_refused_as_the_dag_is_read(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ArchivingLocalFilesOperator(task_id="take", entity=ENTITY, folder="x", **arguments)
