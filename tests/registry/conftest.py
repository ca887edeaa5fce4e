"""One catalogue of the mini package for every test that only reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_ops.registry import Catalog, CatalogConfig
from tests.roots import Root, copied


@pytest.fixture
def shelf(tmp_path: Path) -> Root:
    """A copy of the mini package, to change."""
    return copied("shelf", tmp_path)


@pytest.fixture
def shelf_config(shelf: Root, monkeypatch: pytest.MonkeyPatch) -> CatalogConfig:
    """What the copy's ``conf.py`` says; this process finds the package as well."""
    monkeypatch.syspath_prepend(str(shelf.path / "package"))
    return CatalogConfig.from_conf(shelf.path / "docs")


@pytest.fixture(scope="session")
def shelf_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The mini package's catalogue, as the command prints it."""
    root = copied("shelf", tmp_path_factory.mktemp("shelf"))
    printed = root.run("-c", "from platform_ops.cli import main; main()", "docs", "catalog", "docs")
    return Catalog.from_json(printed.stdout)
