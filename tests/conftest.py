"""Fixtures for every test: a clean environment, and an S3 server where one is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from platform_ops.archive import store
from tests.fakes.s3 import S3Server
from tests.fakes.s3 import s3_server as serve_s3


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the settings or credentials of the machine that it runs on."""
    for name in os.environ:
        if name.startswith(("PLATFORM_OPS", "AWS_")):
            monkeypatch.delenv(name)
    store.at.cache_clear()
    yield
    store.at.cache_clear()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for all tests of a worker."""
    with serve_s3() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new bucket, with the credentials for it in the environment."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server.new_bucket()
