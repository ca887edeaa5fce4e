"""A proxy between a client and an HTTP server that does one wrong thing at one chosen request."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

Fault = Literal[
    "refused",  # the connection is reset before the request reaches the server
    "lost",  # the server did it, and the connection is reset before the reply
    "halved",  # the server did it, and the reply ends in the middle
    "500-done",  # the server did it, and a gateway answers 500
    "500", "503", "429", "412", "409", "403", "404",  # answered so, and the server never asked
    "killed-before", "killed-after",  # the client dies, and the request reaches the server or not
]  # fmt: skip

_CODES: Final = {
    "500": "InternalError",
    "500-done": "InternalError",
    "503": "SlowDown",
    "429": "TooManyRequests",
    "412": "PreconditionFailed",
    "409": "ConditionalRequestConflict",
    "403": "AccessDenied",
    "404": "NoSuchKey",
}
_HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


@dataclass
class FaultyProxy:
    """What goes wrong, and what went through.

    :param upstream: URL of the server behind.
    :param at: Which request it strikes, counted from 1 since it was armed.
    :param times: How many requests in a row.
    :param kill: Ends the client, and returns when it is dead.
    :param seen: ``METHOD path`` of every request so far, in order, decoded.
    """

    upstream: str
    fault: Fault | None = None
    at: int = 0
    times: int = 1
    kill: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault | None, at: int, times: int = 1) -> None:
        """Do wrong at the ``at``-th request from now, counted from 1, and at those that follow."""
        with self._lock:
            self.fault, self.at, self.times = fault, at, times
            self.seen = []

    def take(self, line: str) -> Fault | None:
        """Note a request, and say what happens to it."""
        with self._lock:
            self.seen.append(unquote(line))
            return self.fault if self.at <= len(self.seen) < self.at + self.times else None


@contextmanager
def faulty_proxy(
    upstream: str, certificate: tuple[Path, Path] | None = None
) -> Iterator[FaultyProxy]:
    """Stand before a server.

    :param certificate: Files of a certificate and its key, to speak TLS to clients.
    """
    proxy = FaultyProxy(upstream)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    proxy.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: else the client's delayed ACK costs 40 ms a reply
    proxy: FaultyProxy

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # the client is gone, as some schedules want it

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.proxy.take(f"{self.command} {self.path}")
        if fault == "killed-before":
            self.proxy.kill()
        if fault in ("refused", "killed-before"):
            self._reset()
        elif fault in _CODES and fault != "500-done":
            self._answer(int(fault), {}, _error(_CODES[fault]))
        else:
            self._pass_on(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  # http.server's names

    def _pass_on(self, body: bytes, fault: Fault | None) -> None:
        status, headers, reply = self._ask(body)
        if fault == "killed-after":
            self.proxy.kill()
        if fault in ("lost", "killed-after"):
            self._reset()
        elif fault == "500-done":
            self._answer(500, {}, _error("InternalError"))
        elif fault == "halved":
            self._answer(status, headers, reply, cut=True)
        else:
            self._answer(status, headers, reply)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            headers = {
                name: value for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP
            }
            if self.command == "HEAD":
                headers["Content-Length"] = reply.getheader("Content-Length", "0")
            return reply.status, headers, reply.read()
        finally:
            connection.close()

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut and body:
            self._reset()

    def _reset(self) -> None:
        """End the connection so that the client sees a reset, not an orderly end."""
        self.close_connection = True
        self.wfile.flush()
        linger_not = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.connection.close()


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>by the proxy</Message></Error>".encode()
