"""Addresses of the archive browser: known without a network, and safe for any name."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from platform_ops import links
from platform_ops.errors import UrlError


def test_an_entity_has_one_address() -> None:
    page = links.entity_page("https://airflow.example.com/team/", "weather.forecast")
    assert page == (
        "https://airflow.example.com/team/platform-ops/archive/entity?name=weather.forecast"
    )


def test_any_name_and_any_key_come_back_as_they_were() -> None:
    name = "shop.a&b=c#d/../é\n%2F"
    query = parse_qs(urlsplit(links.entity_page("http://a", name)).query)
    assert query == {"name": [name]}
    manifest = "s3://bucket/meta/v1/shop/%41%26/dt=2020-01-01/at=000000Z/000001.json"
    query = parse_qs(urlsplit(links.revision_page("http://a", manifest)).query)
    assert query == {"manifest": [manifest]}


def test_without_a_base_url_the_address_is_one_of_the_same_host() -> None:
    assert links.home_page(None) == links.home_page("") == "/platform-ops/archive/"


def test_what_is_no_entity_has_no_page() -> None:
    with pytest.raises(UrlError, match=r"write it as source\.name"):
        links.entity_page("http://a", "forecast")
