"""The demo's source: a small HTTP API over the data sets of the package ``vega_datasets``.

It wants a token, pages its answers, tags them, counts what it is asked, fails when it is woken, and
can be switched off.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Lock, Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.demo.databases import databases
from tests.demo.mail import inbox
from tests.demo.processes import DemoFailed
from tests.demo.stream import stream
from tests.fakes.imap import PostOffice

__all__ = ["CONNECTIONS", "Source", "records"]

PAGE_ROWS: Final = 10
TOKEN: Final = "a-token-for-the-demo"
CONNECTIONS: Final = {
    "weather_api": "",
    "airports_api": "",
    "market_api": "cboe.volatility",
}
"""Airflow connections to it, and the entity that stands in each one's extra."""

Row = Mapping[str, str]


@cache
def records(name: str) -> Sequence[Row]:
    """The rows of one data set; the package itself is not imported, since that takes pandas.

    :raises DemoFailed: The package is not installed.
    """
    found = importlib.util.find_spec("vega_datasets")
    if found is None or found.origin is None:
        raise DemoFailed(
            "the demo's data comes from the package vega_datasets, which is not installed; run "
            "python3 noxfile.py -s demo, or install the dependency group 'demo'"
        )
    text = (Path(found.origin).parent / "_data" / name).read_text("utf-8")
    if name.endswith(".csv"):
        return tuple(csv.DictReader(io.StringIO(text)))
    return tuple(json.loads(text))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API says to one request."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        """A strong validator: equal bytes have equal ones."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    @classmethod
    def csv(cls, rows: Sequence[Row]) -> Answer | None:
        """Rows as CSV with a header; no rows are no resource."""
        if not rows:
            return None
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return cls(200, out.getvalue().encode(), "text/csv; charset=utf-8")

    @classmethod
    def lines(cls, rows: Iterable[Mapping[str, object]], headers: Mapping[str, str]) -> Answer:
        """Rows as JSON lines."""
        body = "".join(json.dumps(row) + "\n" for row in rows)
        return cls(200, body.encode(), "application/x-ndjson", headers)

    @classmethod
    def error(cls, status: int, message: str, **headers: str) -> Answer:
        """A refusal, with its reason as JSON."""
        return cls(status, json.dumps({"error": message}).encode(), headers=headers)


@dataclass(slots=True)
class Source:
    """The API, and how often it was asked.

    :param asked: Paths with their queries, in the order of the requests.
    """

    asked: list[str] = field(default_factory=list)
    _awake: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _server: ThreadingHTTPServer | None = None
    url: str = ""
    mail: PostOffice | None = None
    databases: Mapping[str, str] = field(default_factory=dict)
    stream: str | None = None

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Source]:
        """Serve on a free port of 127.0.0.1 until the block ends."""
        records("airports.csv")  # missing data is known before anything starts
        source = cls()
        source.switch_on()
        try:
            with (
                inbox() as source.mail,
                stream() as source.stream,
                databases(records("seattle-weather.csv")) as source.databases,
            ):
                yield source
        finally:
            source.switch_off()

    def switch_on(self) -> None:
        """Serve, at the same address as before where there was one."""
        address = ("127.0.0.1", urlsplit(self.url).port or 0)
        self._server = _Server(address, type("Handler", (_Handler,), {"source": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def switch_off(self) -> None:
        """Stop serving: from now on nobody listens at :attr:`url`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def environment(self) -> dict[str, str]:
        """Airflow's connections to this server and the databases, as environment variables."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        others = {"AIRFLOW_CONN_MAILBOX": self.mail.connection()} if self.mail else {}
        if self.stream is not None:
            others["AIRFLOW_CONN_SHOP_STREAM"] = self.stream
        return others | {
            **self.databases,
            **{
                f"AIRFLOW_CONN_{name.upper()}": json.dumps(
                    {
                        "conn_type": "archiving_http",
                        "host": self.url,
                        "extra": {**headers, "entity": entity} if entity else headers,
                    }
                )
                for name, entity in CONNECTIONS.items()
            },
        }

    def answer(self, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Decide on one request; one with a body submits an export."""
        with self._lock:
            self.asked.append(target)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = {"WWW-Authenticate": "Bearer"}
            return Answer.error(401, "a bearer token is required", **challenge)
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        asleep = "/san-francisco/" in parts.path and self._wakes(parts.path)
        if asleep:
            return Answer.error(503, "the station is waking up; call again")
        if body:
            return _submitted(parts.path, body)
        if parts.path.startswith("/exports/"):
            return self._export(parts.path)
        if parts.path == "/indices/vix":
            return _week(query)
        return _resource(parts.path, query) or Answer.error(404, f"nothing is at {target}")

    def _export(self, path: str) -> Answer:
        """How far an export is, which is not ready at the first look; or the export itself."""
        if path.endswith(".csv"):
            rows = _of_month("seattle-weather.csv", PurePosixPath(path).stem)
            return Answer.csv(rows) or Answer.error(404, "there is no such month")
        status = "running" if self._wakes(path) else "done"
        return Answer(200, json.dumps({"status": status}).encode())

    def _wakes(self, path: str) -> bool:
        """Whether this is the first request of a path."""
        with self._lock:
            first = path not in self._awake
            self._awake.add(path)
        return first


def _resource(path: str, query: Mapping[str, str]) -> Answer | None:
    """What is at a path, if anything is."""
    match path.strip("/").split("/"):
        case ["stations", "seattle", "daily", file]:
            return Answer.csv(_of_day("seattle-weather.csv", file))
        case ["stations", "seattle", "hourly"]:
            return _page(path, query)
        case ["stations", "san-francisco", "hourly", file]:
            return Answer.csv(_of_day("sf-temps.csv", file))
        case ["airports.csv"]:
            state = query.get("state")
            return Answer.csv([row for row in records("airports.csv") if row["state"] == state])
        case ["indices", "vix", file]:
            rows = _of_day("ohlc.json", file)
            return Answer(200, json.dumps(rows[0]).encode()) if rows else None
    return None


def _of_day(name: str, file: str) -> Sequence[Row]:
    """The rows of one day; the data sets write dates with dashes or slashes."""
    day = PurePosixPath(file).stem
    return [row for row in records(name) if row["date"].replace("/", "-")[:10] == day]


def _of_month(name: str, month: str) -> Sequence[Row]:
    return [row for row in records(name) if row["date"].replace("/", "-")[:7] == month]


def _submitted(path: str, body: bytes) -> Answer:
    month = json.loads(body).get("month")
    if path != "/exports" or not month:
        return Answer.error(400, "what month is to be exported?")
    return Answer(202, json.dumps({"id": month}).encode())


def _week(query: Mapping[str, str]) -> Answer:
    """The next five trading days after one, two a page."""
    days = [row for row in records("ohlc.json") if row["date"] > query.get("after", "")][:5]
    number = int(query.get("page", "1"))
    chosen = days[(number - 1) * 2 : number * 2]
    return Answer(200, json.dumps({"items": chosen, "pages": -(-len(days) // 2)}).encode())


def _page(path: str, query: Mapping[str, str]) -> Answer | None:
    day, number = query.get("date", ""), int(query.get("page", "1"))
    rows = _of_day("seattle-temps.csv", day)
    chosen = rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    if not chosen:
        return None
    more = number * PAGE_ROWS < len(rows)
    link = {"Link": f'<{path}?date={day}&page={number + 1}>; rel="next"'} if more else {}
    readings = (
        {"time": row["date"].replace("/", "-"), "temp_f": float(row["temp"])} for row in chosen
    )
    return Answer.lines(readings, link)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client may go away whenever it likes; anything else is a fault of this file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # socketserver's own types are private


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    source: Source

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.source.answer(self.path, dict(self.headers.items()), body)
        known = answer.status == 200 and self.headers.get("If-None-Match") == answer.etag
        told = b"" if known else answer.body
        self.send_response(304 if known else answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(told)))
        self.send_header("ETag", answer.etag)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told)

    do_POST = do_GET  # noqa: N815  # a name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: the requests are counted instead."""
