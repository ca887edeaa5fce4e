"""Addresses of the archive browser in Airflow's UI: known from names alone, as are those of the archive.

What stands for an entity or a revision is a parameter, never a part of the path: servers and proxies
decode and tidy paths, and a key of the archive holds ``%XX`` of its own.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from platform_ops.entity import Entity

__all__ = ["MOUNT", "entity_page", "home_page", "revision_page"]

MOUNT: Final = "/platform-ops/archive"
"""Where Airflow's API server serves the archive browser, below ``[api] base_url``."""


def home_page(base_url: str | None) -> str:
    """The page that lists every entity.

    :param base_url: Airflow's ``[api] base_url``; an address without a host where it is empty.
    """
    return f"{(base_url or '').rstrip('/')}{MOUNT}/"


def entity_page(base_url: str | None, entity: str | Entity) -> str:
    """The page of an entity: what was expected of it, what arrived, and its revisions.

    :param base_url: As above.
    """
    return f"{home_page(base_url)}entity?{_query(name=str(Entity.parse(entity)))}"


def revision_page(base_url: str | None, manifest_url: str) -> str:
    """The page of a revision.

    :param base_url: As above.
    :param manifest_url: As a reference in XCom names it.
    """
    return f"{home_page(base_url)}revision?{_query(manifest=manifest_url)}"


def _query(**parameters: str) -> str:
    return urlencode(parameters, quote_via=quote, safe="", errors="surrogatepass")
