"""An HTTP server that keeps to no rule but its script: each reply writes to the socket as it likes."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from platform_ops.testing.source import SourceRequest

Reply = Callable[["Exchange"], None]


@dataclass
class Wire:
    """What was asked, and what is answered.

    :param close: Refuses every connection from now on.
    :param stopped: Set when the test is over, so that no reply waits longer.
    """

    url: str
    requests: list[SourceRequest] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    close: Callable[[], None] = lambda: None
    _replies: dict[str, list[Reply]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, path: str, *replies: Reply) -> None:
        """Answer a path with these replies, one a request, the last one for ever."""
        self._replies[path] = list(replies)

    def take(self, request: SourceRequest) -> Reply:
        with self._lock:
            self.requests.append(request)
            replies = self._replies.get(request.path) or self._replies.get("*")
            if not replies:
                return say(b"not recorded", 404)
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def connect(
        self,
        monkeypatch: pytest.MonkeyPatch,
        conn_id: str = "source",
        *,
        conn_type: str = "archiving_http",
        password: str | None = None,
        login: str | None = "user",
        **extra: Any,  # Any: JSON values
    ) -> None:
        """Make the server known to Airflow as a connection."""
        parts = urlsplit(self.url)
        plain = {
            "conn_type": conn_type,
            "schema": parts.scheme,
            "host": parts.hostname,
            "port": parts.port,
            "login": login if password else None,
            "password": password,
            "extra": extra,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(plain))


@contextmanager
def wire(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """Serve on a free port of loopback until the block ends."""
    server = _Server((host, 0), Exchange)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.wire = Wire(f"{'https' if tls else 'http'}://{host}:{server.server_port}")
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()

    def close() -> None:
        server.wire.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()

    server.wire.close = close
    try:
        yield server.wire
    finally:
        close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    wire: Wire

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that hangs up is what many a test wants."""


class Exchange(BaseHTTPRequestHandler):
    """One connection, as a reply sees it."""

    protocol_version = "HTTP/1.1"
    server: _Server
    request_: SourceRequest

    @property
    def wire(self) -> Wire:
        return self.server.wire

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.request_ = SourceRequest(self.command, self.path, headers, body)
        self.wire.take(self.request_)(self)

    do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815  # names that http.server looks for

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def drop(self) -> None:
        """End the connection so that the client sees a reset, not an orderly end."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Nothing: the requests are kept instead."""


def say(body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A whole answer."""

    def reply(exchange: Exchange) -> None:
        exchange.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if exchange.command != "HEAD":
            exchange.wfile.write(body)

    return reply


def redirect(url: str, status: int = 302) -> Reply:
    return say(b"elsewhere", status, {"Location": url})


def cut(body: bytes, after: int, headers: Mapping[str, str] | None = None) -> Reply:
    """Announce all, send a part, and hang up in an orderly way."""

    def reply(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(body)), **(headers or {})})
        exchange.wfile.write(body[:after])
        exchange.close_connection = True

    return reply


def reset(exchange: Exchange) -> None:
    """No answer at all."""
    exchange.drop()


def silent(exchange: Exchange) -> None:
    """Take the request, and say nothing until the test is over."""
    exchange.wire.stopped.wait()
    exchange.close_connection = True


def stalled(body: bytes, after: int, headers: Mapping[str, str] | None = None) -> Reply:
    """Send a part, and then nothing until the test is over."""

    def reply(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(body)), **(headers or {})})
        exchange.wfile.write(body[:after])
        exchange.wfile.flush()
        silent(exchange)

    return reply


def chunked(*pieces: bytes, whole: bool = True) -> Reply:
    """A body of unknown length, with or without its end."""

    def reply(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        for piece in pieces:
            exchange.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if whole:
            exchange.wfile.write(b"0\r\n\r\n")
        exchange.close_connection = not whole

    return reply


def paced(pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> Reply:
    """A body that is made while it is sent."""

    def reply(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(size_bytes)})
        for piece in pieces():
            exchange.wfile.write(piece)
            exchange.wfile.flush()

    return reply


def rest(body: bytes, etag: str, stop: int | None = None) -> Reply:
    """The range that is asked for, up to ``stop``, as a server that honours ``If-Range``."""

    def reply(exchange: Exchange) -> None:
        asked = exchange.request_.headers
        start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
        assert asked["if-range"].startswith('"')
        exchange.head(
            206,
            {
                "Content-Length": str(len(body) - start),
                "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}",
                "ETag": etag,
            },
        )
        exchange.wfile.write(body[start:stop])
        exchange.close_connection = stop is not None

    return reply
