"""A mail server for one account: as much of IMAP4rev1 as an archive asks for, and faults on request."""

from __future__ import annotations

import base64
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

Pieces = Callable[[], Iterable[bytes]]


@dataclass
class Streamed:
    """A message that is made while it is sent."""

    pieces: Pieces
    size_bytes: int
    _rest: Iterator[bytes] = field(default_factory=lambda: iter(()))
    _at: int = 0
    _held: bytes = b""

    def read(self, start: int, size: int) -> bytes:
        if start == 0:
            self._rest, self._at, self._held = iter(self.pieces()), 0, b""
        assert start == self._at, "a streamed message is read from its start, in order"
        while len(self._held) < size and (piece := next(self._rest, None)) is not None:
            self._held += piece
        given, self._held = self._held[:size], self._held[size:]
        self._at += len(given)
        return given


@dataclass
class Stored:
    """A message that is there."""

    body: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.body)

    def read(self, start: int, size: int) -> bytes:
        return self.body[start : start + size]


@dataclass
class Folder:
    uidvalidity: int = 17
    messages: dict[int, Stored | Streamed] = field(default_factory=dict)
    flags: dict[int, set[str]] = field(default_factory=dict)
    next_uid: int = 1

    def add(self, message: Stored | Streamed) -> int:
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.messages[uid] = message
        return uid


@dataclass
class PostOffice:
    """The server, from behind.

    :param asked: Command lines that came, without their tags.
    :param fault: Asked before each command; what it returns is sent in the place of the answer, and
        the connection ends.
    """

    login: str
    password: str
    folders: dict[str, Folder] = field(default_factory=lambda: {"INBOX": Folder()})
    asked: list[str] = field(default_factory=list)
    fault: Callable[[str], bytes | None] = lambda _: None
    port: int = 0
    close: Callable[[], None] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def deliver(self, message: bytes, folder: str = "INBOX") -> int:
        return self.folders.setdefault(folder, Folder()).add(Stored(message))

    def connect(
        self, monkeypatch: pytest.MonkeyPatch, conn_id: str = "source", **extra: str
    ) -> None:
        """Make the server known to Airflow as a connection."""
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", self.connection(**extra))

    def connection(self, **extra: str) -> str:
        """The connection to it, as Airflow reads one from the environment."""
        plain = {
            "conn_type": "imap",
            "host": "127.0.0.1",
            "port": self.port,
            "login": self.login,
            "password": self.password,
            "extra": {"use_ssl": False, "timeout": 30, **extra},
        }
        return json.dumps(plain)


@contextmanager
def post_office(login: str = "anna", password: str = "open sesame") -> Iterator[PostOffice]:
    """Serve on a free port of loopback until the block ends."""
    server = _Server(("127.0.0.1", 0), _Session)
    office = server.office = PostOffice(login, password, port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def close() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    office.close = close
    try:
        yield office
    finally:
        close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    office: PostOffice

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that hangs up is what a test wants."""


class _Session(socketserver.StreamRequestHandler):
    server: _Server
    _folder: Folder

    def handle(self) -> None:
        self._say(b"* OK ready")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            tag, _, command = line.partition(" ")
            office = self.server.office
            office.asked.append(command)
            if (instead := office.fault(command)) is not None:
                self.wfile.write(instead)
                return
            verb, _, rest = command.partition(" ")
            answer = getattr(self, f"_{verb.lower()}", None)
            said = answer(rest) if answer else "BAD unknown command"
            self._say(f"{tag} {said or 'OK done'}".encode())
            if verb == "LOGOUT":
                return

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")

    def _capability(self, _: str) -> None:
        self._say(b"* CAPABILITY IMAP4rev1 MOVE UIDPLUS")

    def _logout(self, _: str) -> None:
        self._say(b"* BYE bye")

    def _login(self, rest: str) -> str | None:
        office = self.server.office
        if [each.strip('"') for each in rest.split(" ", 1)] != [office.login, office.password]:
            return "NO [AUTHENTICATIONFAILED] no"
        return None

    def _authenticate(self, mechanism: str) -> str | None:
        if mechanism != "XOAUTH2":
            return "NO unknown mechanism"
        office = self.server.office
        self._say(b"+ ")
        came = base64.b64decode(self.rfile.readline())
        if came == f"user={office.login}\x01auth=Bearer {office.password}\x01\x01".encode():
            return None
        self._say(b"+ " + base64.b64encode(b'{"status":"401","schemes":"Bearer"}'))
        office.asked.append(f"answer of {len(self.rfile.readline().strip())} bytes")
        return "NO [AUTHENTICATIONFAILED] no"

    def _examine(self, name: str) -> str | None:
        folder = self.server.office.folders.get(name.strip('"'))
        if folder is None:
            return "NO no such folder"
        self._folder = folder
        self._say(f"* {len(folder.messages)} EXISTS".encode())
        self._say(f"* OK [UIDVALIDITY {folder.uidvalidity}] .".encode())
        self._say(f"* OK [UIDNEXT {folder.next_uid}] .".encode())
        return None

    _select = _examine

    def _uid(self, rest: str) -> str | None:
        verb, _, rest = rest.partition(" ")
        answer: Callable[[str], str | None] = getattr(self, f"_uid_{verb.lower()}")
        return answer(rest)

    def _uid_search(self, rest: str) -> str | None:
        asked = re.fullmatch(r'UID (\d+:\d+) (?:ALL|SUBJECT "(.*)")', rest)
        if asked is None:
            return "BAD what?"
        word = f"Subject: {asked[2] or ''}".encode()
        found = [
            str(uid)
            for uid in self._of(asked[1])
            if not asked[2] or word in self._folder.messages[uid].read(0, 1000)
        ]
        self._say(f"* SEARCH {' '.join(found)}".encode())
        return None

    def _uid_fetch(self, rest: str) -> None:
        uid, start, size = map(int, re.findall(r"\d+(?=[ .>])", rest.replace("RFC822.", "")))
        message = self._folder.messages.get(uid)
        if message is None:
            return
        body = message.read(start, size)
        head = (
            f"* 1 FETCH (UID {uid} RFC822.SIZE {message.size_bytes} BODY[]<{start}> {{{len(body)}}}"
        )
        self._say(head.encode())
        self.wfile.write(body)
        self._say(b")")

    def _uid_store(self, rest: str) -> None:
        where, _, flags = rest.partition(" ")
        for uid in self._of(where):
            self._folder.flags.setdefault(uid, set()).update(flags.split("(")[1].strip(")").split())

    def _uid_move(self, rest: str) -> str | None:
        where, _, name = rest.partition(" ")
        target = self.server.office.folders.get(name.strip('"'))
        if target is None:
            return "NO [TRYCREATE] no such folder"
        for uid in self._of(where):
            target.add(self._folder.messages.pop(uid))
        return None

    def _uid_expunge(self, rest: str) -> None:
        for uid in self._of(rest):
            if r"\Deleted" in self._folder.flags.get(uid, ()):
                del self._folder.messages[uid]

    def _of(self, numbers: str) -> list[int]:
        spans = [list(map(int, each.split(":"))) for each in numbers.split(",")]
        return [
            uid
            for uid in sorted(self._folder.messages)
            if any(span[0] <= uid <= span[-1] for span in spans)
        ]
