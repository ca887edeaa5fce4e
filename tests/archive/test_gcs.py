"""What is peculiar to Cloud Storage: who replaces an object needs the right to delete it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from platform_ops import archive
from platform_ops.settings import ArchiveSettings, Settings
from tests.archive.samples import commit, faults, part, run
from tests.fakes.faulty import faulty_proxy
from tests.fakes.gcs import GcsServer, gcs_server


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A server whose writers may create, and not replace."""
    with gcs_server() as server:
        server.replaces = False
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def site_of(server: GcsServer) -> Settings:
    return Settings(archive=ArchiveSettings(root=f"gs://{server.new_bucket()}/raw"))


def test_writers_need_no_right_to_delete(strict: GcsServer) -> None:
    site = site_of(strict)
    commit(site, part(b"small", "a"), part(b"x" * (9 << 20), "b"))
    commit(site, part(b"other"), by=run("another"))
    assert faults(site) == []


def test_a_lost_reply_to_a_payload_needs_no_right_to_delete_either(
    strict: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sends the payload again, which is refused: it is there already, and whole."""
    with faulty_proxy(strict.url) as proxy:
        monkeypatch.setenv("GOOGLE_BASE_URL", proxy.url)
        commit(site_of(strict))
        sent = [
            number for number, line in enumerate(proxy.seen, 1) if line.endswith("/page-0001.json")
        ]
        site = site_of(strict)
        proxy.arm("lost", sent[0])
        done = commit(site)
        asked = [line.split()[0] for line in proxy.seen if line.endswith("/page-0001.json")]
        assert asked == ["PUT", "PUT", "HEAD"]
        assert archive.open(done.reference, settings=site).read() == b"sunny"
        assert faults(site) == []
