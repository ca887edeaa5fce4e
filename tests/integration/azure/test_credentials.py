"""Connections of type ``wasb`` against a server that checks signatures."""

from __future__ import annotations

import json
from typing import Any

import pytest

import platform_ops.ingest  # noqa: F401  # it lets the archive see connections
from platform_ops import archive
from platform_ops.errors import ArchiveUnwritable, ConfigError
from platform_ops.settings import Settings
from tests.archive.samples import commit
from tests.fakes.azurite import ACCOUNT, KEY, Azurite


def site_at(
    server: Azurite, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
) -> Settings:  # Any: fields of a connection
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "wasb", **fields}))
    root = f"abfs://{server.new_bucket()}/x"
    return Settings.model_validate({"archive": {"root": root, "connection": "store"}})


@pytest.mark.parametrize("form", ["password", "shared key", "connection string"])
def test_a_wasb_connection_opens_the_container(
    azurite_server: Azurite, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{azurite_server.url}/{ACCOUNT}"
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url};"
    )
    fields: dict[str, dict[str, Any]] = {  # Any: fields of a connection
        "password": {"host": url, "login": ACCOUNT, "password": KEY},
        "shared key": {"host": url, "login": ACCOUNT, "extra": {"shared_access_key": KEY}},
        "connection string": {"extra": {"connection_string": text}},
    }
    site = site_at(azurite_server, monkeypatch, fields[form])
    done = commit(site)
    assert archive.open(done.reference, settings=site).read() == b"sunny"


def test_a_wrong_key_is_refused_and_not_told(
    azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = KEY.replace("Eby8", "Ebz9")
    url = f"{azurite_server.url}/{ACCOUNT}"
    site = site_at(azurite_server, monkeypatch, {"host": url, "login": ACCOUNT, "password": wrong})
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials") as caught:
        commit(site)
    assert wrong not in str(caught.value)


def test_a_key_that_is_none_is_told_without_its_text(
    azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_at(azurite_server, monkeypatch, {"login": ACCOUNT, "password": "secret-of-mine"})
    with pytest.raises(ConfigError) as caught:
        archive.root(site)
    assert "secret-of-mine" not in str(caught.value)
