"""A publisher that dies half-way has changed nothing that a reader sees."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from platform_ops.sphinx_ext.publish import publish, remove
from tests.fakes.s3 import S3Server
from tests.sphinx_ext.published import Place, in_folder, in_git, in_s3, site

PUBLISH = (sys.executable, "-m", "platform_ops.sphinx_ext.publish")


def _assert_every_reader_is_served(place: Place, builds: set[str]) -> None:
    assert place.follow("index.html") == "old release"
    assert place.follow("latest/reference/http.html") == "old release"
    for entry in place.listing():
        expected = {"old release"} if entry.version == "1.0" else builds
        assert place.follow(f"{entry.url}index.html") in expected
        for page in ("index.html", "reference/http.html"):
            assert place.follow(f"{entry.version}/{page}") in expected


FILE_CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "open"})
PROCESSES = frozenset(
    {"subprocess.Popen"}
)  # what git does in one of them, it does at once or not at all


def _dies_at(step: int, steps: frozenset[str], publishing: Callable[[], object]) -> bool:
    """Run it in a fork that is killed before its nth step, as Python's audit events tell them."""
    child = os.fork()
    if child == 0:
        sys.addaudithook(_killer(step, steps))
        publishing()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _killer(step: int, steps: frozenset[str]) -> Callable[[str, tuple[object, ...]], None]:
    left = step

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in steps and not (event == "open" and _only_reads(arguments[2])):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return watch


def _only_reads(flags: object) -> bool:
    return isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR)


@pytest.mark.parametrize(
    ("build", "steps", "before"),
    [
        (in_folder, FILE_CHANGES, ()),
        (in_folder, FILE_CHANGES, ("a", "b")),
        (in_git, PROCESSES, ("a",)),
    ],
)
def test_death_at_any_step_leaves_readers_with_whole_builds(
    build: Callable[[Path], Place], steps: frozenset[str], before: tuple[str, ...], tmp_path: Path
) -> None:
    start = build(tmp_path)
    publish(site(tmp_path, "old release"), start.destination, "1.0", ["latest"])
    for mark in before:
        publish(site(tmp_path, mark), start.destination, "main")
    new = site(tmp_path, "new")

    for step in count(1):
        folder = tmp_path / f"step {step}"
        name = Path(re.sub(r"^git\+|#.*", "", start.destination)).name
        shutil.copytree(tmp_path / name, folder / name, symlinks=True)
        tried = build(folder)
        if not _dies_at(step, steps, partial(publish, new, tried.destination, "main")):
            assert step > 5
            break
        _assert_every_reader_is_served(tried, {"new", *before[-1:]})

        publish(new, tried.destination, "main")
        assert tried.follow("main/index.html") == "new"
        assert not list(folder.rglob(".new-*"))


@pytest.mark.parametrize(
    ("build", "steps"), [(in_folder, FILE_CHANGES), (in_git, PROCESSES)], ids=["folder", "git"]
)
def test_a_removal_that_dies_leaves_whole_builds_and_can_be_done_again(
    build: Callable[[Path], Place], steps: frozenset[str], tmp_path: Path
) -> None:
    start = build(tmp_path)
    publish(site(tmp_path, "old release"), start.destination, "1.0", ["latest"])
    publish(site(tmp_path, "a"), start.destination, "main", ["next"])

    for step in count(1):
        folder = tmp_path / f"step {step}"
        name = Path(re.sub(r"^git\+|#.*", "", start.destination)).name
        shutil.copytree(tmp_path / name, folder / name, symlinks=True)
        tried = build(folder)
        if not _dies_at(step, steps, partial(remove, tried.destination, "main")):
            assert step > 3
            break
        _assert_every_reader_is_served(tried, {"a"})

        if len(tried.listing()) == 2:
            remove(tried.destination, "main")
        publish(site(tmp_path, "old release"), tried.destination, "1.0")
        assert tried.read("main/index.html") is None
        assert tried.follow("latest/index.html") == "old release"


@contextmanager
def _killing_proxy(upstream: str, step: int) -> Iterator[tuple[str, list[int]]]:
    """Pass requests on to an S3 server; instead of the nth that changes something, kill the process named."""
    victims: list[int] = []
    changes = 0
    lock = threading.Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            nonlocal changes
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                changes += self.command != "GET"
                dead = changes >= step
            if dead:
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
                self.close_connection = True
                return
            server = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=30)
            server.request(self.command, self.path, body, dict(self.headers))
            reply = server.getresponse()
            content = reply.read()
            server.close()
            self.send_response(reply.status)
            for name in ("Content-Type", "ETag", "Last-Modified"):
                if value := reply.headers[name]:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815  the names http.server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
            """Keep the test's output to itself."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", victims
    server.shutdown()
    thread.join()
    server.server_close()


def test_death_at_any_request_leaves_readers_of_s3_with_whole_builds(
    s3_bucket: str, s3_server: S3Server, tmp_path: Path
) -> None:
    new = site(tmp_path, "new")
    for step in count(1):
        tried = in_s3(f"s3://{s3_bucket}/{step}")
        publish(site(tmp_path, "old release"), tried.destination, "1.0", ["latest"])
        publish(site(tmp_path, "a"), tried.destination, "main")

        command = [*PUBLISH, "add", str(new), tried.destination, "--version", "main"]
        with _killing_proxy(s3_server.url, step) as (proxy, victims):
            environment = {**os.environ, "AWS_ENDPOINT_URL": proxy}
            with subprocess.Popen(command, env=environment) as process:
                victims.append(process.pid)
        _assert_every_reader_is_served(tried, {"new", "a"})

        publish(new, tried.destination, "main")
        assert tried.follow("main/index.html") == "new"
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0
            assert step > 5
            break
