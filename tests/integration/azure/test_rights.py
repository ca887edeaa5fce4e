"""The permissions of a SAS that the site's page asks for: enough for each role, and not one too many."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from platform_ops import archive
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveUnwritable
from platform_ops.settings import Settings
from tests.archive.samples import aged, commit, faults, part, run, slot
from tests.fakes.azurite import ACCOUNT, KEY, Azurite

_PAGE = Path(__file__).parents[3] / "docs/how-to/choose-a-store.md"
As = Callable[[str], None]


def documented() -> dict[str, str]:
    """The permissions, by role, as the page's table for Azure has them."""
    section = _PAGE.read_text(encoding="utf-8").partition("## Azure")[2].partition("\n## ")[0]
    found = re.findall(
        r"^\| (reader|writer|maintainer) \| .* \| `([a-z]+)` \|$", section, re.MULTILINE
    )
    return dict(found)


RIGHTS = documented()


def shared_access(container: str, permissions: str) -> str:
    """A service SAS of one container, for an hour.

    Source: https://learn.microsoft.com/rest/api/storageservices/create-service-sas
    """
    end, version = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "2019-12-12"
    signed = [permissions, "", end, f"/blob/{ACCOUNT}/{container}", "", "", "", version, "c"]
    text = "\n".join([*signed, *[""] * 6])
    digest = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
    fields = {"sp": permissions, "se": end, "sv": version, "sr": "c"}
    return urlencode({**fields, "sig": base64.b64encode(digest).decode()})


@pytest.fixture
def site(azurite_server: Azurite) -> Settings:
    plain = {
        "archive": {"root": f"abfs://{azurite_server.new_bucket()}/raw"},
        "sources": {"weather": {"entities": {"forecast": {"retention_days": 30}}}},
    }
    return Settings.model_validate(plain)


@pytest.fixture
def become(azurite_server: Azurite, site: Settings, monkeypatch: pytest.MonkeyPatch) -> As:
    container = site.archive.root.split("/")[2]

    def become(permissions: str) -> None:
        named = azurite_server.environment()
        del named["AZURE_STORAGE_ACCOUNT_KEY"]
        named["AZURE_STORAGE_SAS_TOKEN"] = shared_access(container, permissions)
        for name, value in named.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
        store.opened.cache_clear()

    return become


def write(site: Settings) -> None:
    """All that a writer does: small bodies and large ones, a retry, and a revision."""
    commit(site, part(b"small", "a"), part(b"x" * (9 << 20), "b"))
    commit(site, part(b"small", "a"), by=run(try_number=2))
    commit(site, part(b"small", "a"), part(b"other", "b"), by=run("another"))


def test_the_page_gives_each_role_its_permissions() -> None:
    assert RIGHTS == {"reader": "rl", "writer": "rwl", "maintainer": "rwdl"}


def test_a_writer_writes_reads_and_verifies(site: Settings, become: As) -> None:
    become(RIGHTS["writer"])
    write(site)
    assert [found.revision for found in archive.revisions(slot(), site)] == [2, 1]
    assert archive.open(slot(), "b", settings=site).read() == b"other"
    assert list(archive.sweep(settings=site)) == []
    assert faults(site) == []


def test_a_reader_reads_and_verifies_and_cannot_write(site: Settings, become: As) -> None:
    become(RIGHTS["writer"])
    write(site)
    become(RIGHTS["reader"])
    assert archive.open(slot(), "b", settings=site).read() == b"other"
    assert faults(site) == []
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials"):
        commit(site, at=slot(1))
    assert [found.slot for found in archive.find("weather.forecast", settings=site)] == [slot()] * 2


@pytest.mark.parametrize("right", RIGHTS.get("writer", ""))
def test_a_writer_needs_each_of_its_permissions(site: Settings, become: As, right: str) -> None:
    become(RIGHTS["writer"].replace(right, ""))
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials") as caught:
        write(site)
    assert "sig=" not in str(caught.value)


def test_a_maintainer_alone_removes(site: Settings, become: As) -> None:
    become(RIGHTS["writer"])
    with aged(days=40):
        commit(site)
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials"):
        list(archive.expire(delete=True, pause=timedelta(), settings=site))
    become(RIGHTS["maintainer"])
    list(archive.expire(delete=True, pause=timedelta(), settings=site))
    assert faults(site) == []
    assert archive.files("weather.forecast", settings=site) == []
