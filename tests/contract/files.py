"""Files: two of them in a folder, of this machine and behind each protocol."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from platform_ops.sources.files import (
    ArchivingFtpOperator,
    ArchivingLocalFilesOperator,
    ArchivingSftpOperator,
)
from tests.contract.case import SECRETS, Case, HookCase
from tests.servers import running
from tests.servers.program import free_port

BODIES = (b"station,high\nKSEA,31\n", b"station,high\nKBOS,33\n")
NAMES = ("observations-1.csv", "observations-2.csv")
MAPPED = {name: f"{name}\n".encode() for name in ("KSEA.csv", "KBOS.csv")}


def fill(folder: Path) -> None:
    """What each case's folder holds; the second file is the newer one."""
    for number, (name, body) in enumerate(zip(NAMES, BODIES, strict=True)):
        (folder / name).write_bytes(body)
        os.utime(folder / name, (1_700_000_000 + number,) * 2)
    for name, body in MAPPED.items():
        (folder / name).write_bytes(body)


_opened: Counter[str] = Counter()
"""How often Python opened a file, by folder: its own audit events tell."""


def _note(event: str, arguments: tuple[Any, ...]) -> None:  # Any: as the event has them
    if event == "open" and arguments[1] == "rb" and str(arguments[0]).endswith(".csv"):
        _opened[os.path.dirname(arguments[0])] += 1  # noqa: PTH120  # as the event has it


@dataclass
class LocalSource:
    """A folder of this machine, from behind."""

    folder: Path

    def asked(self) -> int:
        return _opened[str(self.folder)]

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        raise NotImplementedError("a file is whole before it is read")

    def stop(self) -> None:
        if self.folder.exists():
            self.folder.rename(self.folder.with_name("gone"))


@dataclass
class LocalCase:
    """Two files of a folder, every time it is asked."""

    name: str = "a folder of this machine"
    servers: tuple[str, ...] = ()
    operator: type[BaseOperator] = ArchivingLocalFilesOperator
    expected: bytes = b"".join(BODIES)
    payload_count: int = 2
    streams: bool = False
    _auditing: list[bool] = field(default_factory=list)

    def readable(self, archived: bytes) -> bytes:
        return archived

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        if not self._auditing:
            sys.addaudithook(_note)
            self._auditing.append(True)
        with TemporaryDirectory() as name:
            source = LocalSource(Path(name) / "incoming")
            source.folder.mkdir()
            fill(source.folder)
            connection = {"conn_type": "fs", "extra": {"path": name}}
            monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(connection))
            yield source

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {
            "fs_conn_id": "source",
            "folder": "incoming",
            "files": "observations-*.csv",
            "new_only": False,
            "attempts": 1,
        }

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [({"files": name}, body) for name, body in MAPPED.items()]


@dataclass
class ServedSource:
    """A folder behind a protocol.

    :param count: How many files of it were read so far.
    :param unreachable: The connection ``source`` as it is where nobody listens.
    """

    count: Callable[[], int]
    unreachable: str
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self._before = self.count()

    def asked(self) -> int:
        return self.count() - self._before

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        raise NotImplementedError("a file is whole before it is read")

    def stop(self) -> None:
        self.monkeypatch.setenv("AIRFLOW_CONN_SOURCE", self.unreachable)


@dataclass
class SftpCase(LocalCase):
    """The same over SFTP."""

    name: str = "SFTP"
    servers: tuple[str, ...] = ("sshd",)
    operator: type[BaseOperator] = ArchivingSftpOperator
    _folder: str = ""

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        server = running("sshd")
        with TemporaryDirectory(dir=server.folder) as name:
            self._folder = name
            fill(Path(name))
            password = SECRETS["password"]
            monkeypatch.setenv("AIRFLOW_CONN_SOURCE", server.connection(password=password))
            yield ServedSource(
                lambda: server.reads(Path(name)),
                server.connection(port=free_port(), password=password),
                monkeypatch,
            )

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        given = {**super().arguments, "sftp_conn_id": "source", "folder": self._folder}
        del given["fs_conn_id"]
        return given


@dataclass
class FtpCase(LocalCase):
    """The same over FTP, or over FTPS."""

    name: str = "FTP"
    servers: tuple[str, ...] = ("vsftpd",)
    operator: type[BaseOperator] = ArchivingFtpOperator
    kind: str = "ftp"
    _folder: str = ""

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        server = running("vsftpd")
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        with TemporaryDirectory(dir=server.folder) as name:
            Path(name).chmod(0o755)
            fill(Path(name))
            self._folder = f"/{Path(name).name}"
            monkeypatch.setenv("AIRFLOW_CONN_SOURCE", server.connection(self.kind))
            yield ServedSource(
                lambda: server.reads(self._folder),
                server.connection(self.kind, port=free_port()),
                monkeypatch,
            )

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        given = {**super().arguments, "ftp_conn_id": "source", "folder": self._folder}
        del given["fs_conn_id"]
        return given


CASES: tuple[Case, ...] = (
    LocalCase(),
    SftpCase(),
    FtpCase(),
    FtpCase(name="FTPS", kind="ftps"),
)
HOOK_CASES: tuple[HookCase, ...] = ()
