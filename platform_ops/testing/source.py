"""A real HTTP server on loopback with recorded answers, for tests of DAGs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pytest

__all__ = ["RecordedSource", "SourceRequest"]


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """One request that the source received.

    :param path: Path and query, as they came.
    :param headers: Names in lower case.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    media_type: str
    status: int
    headers: Mapping[str, str]
    times: int | None


@dataclass(slots=True)
class RecordedSource:
    """What the source says, and what it was asked.

    :param url: Its address, such as ``http://127.0.0.1:41235``.
    :param requests: Every request so far, in order.
    """

    url: str
    _monkeypatch: pytest.MonkeyPatch
    requests: list[SourceRequest] = field(default_factory=list)
    _answers: dict[str, list[_Answer]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def started(cls, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedSource]:
        """Serve on a free port of 127.0.0.1 until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        source = cls(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        server.source = source  # type: ignore[attr-defined]  # how http.server hands state to a handler
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield source
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(
        self,
        path: str,
        body: bytes,
        media_type: str = "application/octet-stream",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Record an answer.

        :param path: Path and query; answers of one path are given in the order of their recording.
            A path that nothing is recorded for gets a 404.
        :param media_type: The answer's ``Content-Type``.
        :param headers: Further headers of the answer.
        :param times: How often it is given before the next one, once where unset; the last one for
            ever.
        """
        self._answers.setdefault(path, []).append(
            _Answer(body, media_type, status, headers or {}, times)
        )

    def connect(
        self,
        conn_id: str,
        *,
        login: str = "test",
        password: str = "",
        **extra: Any,  # Any: JSON values
    ) -> None:
        """Make the source known to Airflow, for this test, as a connection of type ``archiving_http``.

        :param login: User of HTTP basic authentication, where there is a password.
        :param extra: The connection's extra: the entity, default headers, ``timeout`` and the like.
        """
        parts = urlsplit(self.url)
        plain = {
            "conn_type": "archiving_http",
            "host": parts.hostname,
            "port": parts.port,
            "login": login if password else None,
            "password": password or None,
            "extra": extra,
        }
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(plain))

    def next_answer(self, path: str) -> _Answer | None:
        """What the next request of the path gets; None where nothing is recorded."""
        answers = self._answers.get(path)
        if not answers:
            return None
        asked = sum(request.path == path for request in self.requests)
        for answer in answers[:-1]:
            asked -= 1 if answer.times is None else answer.times
            if asked <= 0:
                return answer
        return answers[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        source: RecordedSource = self.server.source  # type: ignore[attr-defined]  # set in started()
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        source.requests.append(SourceRequest(self.command, self.path, headers, body))
        answer = source.next_answer(self.path) or _Answer(
            b"not recorded", "text/plain", 404, {}, None
        )
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815  # names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: the requests are kept instead."""
