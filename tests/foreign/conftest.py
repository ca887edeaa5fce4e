"""The catalogue of five published packages, made once for every test."""

from __future__ import annotations

import pytest

from platform_ops.registry import Catalog, CatalogConfig, build
from tests.foreign.packages import PACKAGES


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """All of them at once, as a site would walk them."""
    return build(CatalogConfig(packages=tuple(PACKAGES))).catalog
