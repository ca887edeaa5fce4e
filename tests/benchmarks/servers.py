"""Two loopback servers that are faster than what is measured: a source of bytes, and an S3 that forgets.

Both run in processes of their own. The sink speaks as much of the S3 REST API as an upload needs and
counts bytes instead of keeping them, so that the client is what a benchmark measures.
"""

from __future__ import annotations

import io
import multiprocessing
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BLOCK = b"\x5a" * (1 << 20)


@contextmanager
def source(size_bytes: int) -> Iterator[str]:
    """An HTTP server whose every resource has ``size_bytes`` bytes; yields its URL."""
    with _process(_serve_source, size_bytes) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def s3_sink() -> Iterator[str]:
    """An S3 endpoint that discards what it is given; yields its URL."""
    with _process(_serve_sink, 0) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _process(serve: Callable[[socket.socket, int], None], argument: int) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = multiprocessing.get_context("fork").Process(
        target=serve, args=(listener, argument), daemon=True
    )
    process.start()
    try:
        yield listener.getsockname()[1]
    finally:
        process.terminate()
        process.join()
        listener.close()


def _serve_source(listener: socket.socket, size_bytes: int) -> None:
    def answer(peer: socket.socket) -> None:
        with peer, io.BufferedReader(socket.SocketIO(peer, "r")) as lines:
            while _head(lines):
                peer.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    b"Content-Length: %d\r\n\r\n" % size_bytes
                )
                for left in range(size_bytes, 0, -len(BLOCK)):
                    peer.sendall(BLOCK[:left])

    _accept(listener, answer)


def _serve_sink(listener: socket.socket, _: int) -> None:
    sizes: dict[str, int] = {}
    parts: dict[str, int] = {}

    def answer(peer: socket.socket) -> None:
        scratch = bytearray(1 << 20)
        with peer, io.BufferedReader(socket.SocketIO(peer, "r"), 1 << 16) as lines:
            while head := _head(lines):
                verb, target = head[0].split(" ")[:2]
                headers = dict(line.lower().split(": ", 1) for line in head[1:])
                left = int(headers.get("content-length", 0))
                if headers.get("expect") == "100-continue":
                    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                size = left
                while left:
                    left -= lines.readinto(memoryview(scratch)[: min(left, len(scratch))]) or 0
                key, _, query = target.partition("?")
                peer.sendall(_reply(verb, key, query, size, sizes, parts))

    _accept(listener, answer)


def _reply(  # noqa: PLR0911  # one line for each request of the protocol
    verb: str, key: str, query: str, size: int, sizes: dict[str, int], parts: dict[str, int]
) -> bytes:
    if verb == "POST" and "uploads" in query:
        parts[key] = 0
        return _ok(
            b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        )
    if verb == "PUT" and "partNumber" in query:
        parts[key] += size
        return _ok(b"", b'ETag: "0"\r\n')
    if verb == "POST":
        sizes[key] = parts.pop(key)
        return _ok(
            b'<CompleteMultipartUploadResult><ETag>"0"</ETag></CompleteMultipartUploadResult>'
        )
    if verb == "PUT":
        sizes[key] = size
        return _ok(b"", b'ETag: "0"\r\n')
    if verb == "HEAD" and key in sizes:
        return _ok(b"", b"Content-Type: application/octet-stream\r\n", sizes[key])
    if verb == "GET" and "list-type" in query:
        return _ok(b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    if verb == "DELETE":
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def _ok(body: bytes, headers: bytes = b"", length: int | None = None) -> bytes:
    stamp = b"Last-Modified: Tue, 01 Dec 2015 00:00:00 GMT\r\n"
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\n%s%sContent-Length: %d\r\n\r\n%s" % (headers, stamp, size, body)


def _head(lines: io.BufferedReader[socket.SocketIO]) -> list[str]:
    head = []
    while (line := lines.readline()) not in (b"\r\n", b""):
        head.append(line.decode("latin-1").rstrip("\r\n"))
    return head


def _accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    def guarded(peer: socket.socket) -> None:
        try:
            answer(peer)
        except (ConnectionError, re.error):
            peer.close()

    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=guarded, args=(peer,), daemon=True).start()
