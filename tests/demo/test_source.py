"""The demo's source speaks HTTP as its docstring promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.demo.source import TOKEN, Source


@pytest.fixture
def source() -> Iterator[Source]:
    with Source.started() as running:
        yield running


def ask(source: Source, path: str, **headers: str) -> requests.Response:
    wanted = {"Authorization": f"Bearer {TOKEN}", **headers}
    return requests.get(source.url + path, headers=wanted, timeout=10)


def test_without_a_token_it_answers_401(source: Source) -> None:
    answer = ask(source, "/stations/seattle/daily/2015-12-01.csv", Authorization="Bearer wrong")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_known_etag_is_answered_with_304_and_no_body(source: Source) -> None:
    path = "/stations/seattle/daily/2015-12-01.csv"
    etag = ask(source, path).headers["ETag"]
    again = ask(source, path, **{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_lead_to_one_another_and_end(source: Source) -> None:
    path: str | None = "/stations/seattle/hourly?date=2010-07-01"
    sizes = []
    while path:
        answer = ask(source, path)
        sizes.append(len(answer.text.splitlines()))
        path = answer.links.get("next", {}).get("url")
    assert sizes == [10, 10, 4]


def test_each_path_of_the_sleepy_station_fails_once(source: Source) -> None:
    paths = [f"/stations/san-francisco/hourly/2010-07-0{day}.csv" for day in (1, 2)]
    statuses = [ask(source, path).status_code for path in paths for _ in range(3)]
    assert statuses == [503, 200, 200, 503, 200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/airports.csv?state=XX",
        "/indices/vix/2009-06-06.json",
        "/stations/seattle/daily/1999-01-01.csv",
        "/stations/seattle/hourly",
        "/stations/seattle/hourly?date=2010-07-01&page=4",
    ],
)
def test_what_is_not_there_is_404(source: Source, path: str) -> None:
    assert ask(source, path).status_code == 404


def test_it_counts_what_it_is_asked_and_can_be_switched_off_and_on(source: Source) -> None:
    path = "/indices/vix/2009-06-01.json"
    before = ask(source, path).json()
    source.switch_off()
    with pytest.raises(requests.ConnectionError):
        ask(source, path)
    source.switch_on()
    assert ask(source, path).json() == before
    assert source.asked == [path, path]
