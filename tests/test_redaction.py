"""What may be written down: everything but secrets, and as it came."""

from __future__ import annotations

import pytest

from platform_ops.redaction import is_secret_name, safe_headers, safe_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/a/b",
        "https://api.example:8443/a?day=2024-03-05&page=2",
        "https://api.example/a?q=%C3%A9t%C3%A9+x&empty=&flag",
        "https://api.example/?monkey=1&keyboard=2&author=3&design=4&passage=5&encode=6",
        "https://[::1]:80/a",
        "/relative?page=2",
        "",
    ],
)
def test_a_url_without_secrets_stays_as_it_is(url: str) -> None:
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apikey", "apiKey", "x-api-key", "key", "subscription-key", "appid", "app_id",
        "access_token", "accessToken", "token", "sessionToken", "auth", "client_secret",
        "password", "passwd", "pwd",
        "sig", "Signature", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId",
        "X-Goog-Signature", "code", "ticket", "sid", "session", "jwt", "%74oken",
    ],
)  # fmt: skip
def test_the_value_of_a_secret_parameter_goes(name: str) -> None:
    assert safe_url(f"https://a.example/b?x=1&{name}=hunter2&y=2") == (
        f"https://a.example/b?x=1&{name}=REDACTED&y=2"
    )


def test_user_password_and_fragment_go() -> None:
    assert safe_url("https://user:hunter2@a.example:1/b#hunter3") == "https://a.example:1/b"


def test_parameters_may_be_parted_by_semicolons() -> None:
    assert safe_url("https://a.example/?x=1;token=hunter2;y=2") == (
        "https://a.example/?x=1;token=REDACTED;y=2"
    )


def test_what_is_no_url_is_not_quoted() -> None:
    assert safe_url("http://user:hunter2@[") == "(no URL)"


def test_only_known_headers_stay_and_links_lose_their_secrets() -> None:
    headers = {
        "Content-Type": "text/csv",
        "ETag": '"1"',
        "Set-Cookie": "sid=hunter2",
        "WWW-Authenticate": "hunter3",
        "X-Anything": "hunter4",
        "Location": "https://a.example/?sig=hunter5",
        "Link": '<https://a.example/?token=hunter6&page=2>; rel="next", </x?key=hunter7>; rel="last"',
    }
    assert safe_headers(headers) == {
        "content-type": "text/csv",
        "etag": '"1"',
        "link": '<https://a.example/?token=REDACTED&page=2>; rel="next", '
        '</x?key=REDACTED>; rel="last"',
    }


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Authorization", True),
        ("Proxy-Authorization", True),
        ("Cookie", True),
        ("X-API-Key", True),
        ("Ocp-Apim-Subscription-Key", True),
        ("X-Auth-Token", True),
        ("Accept", False),
        ("User-Agent", False),
        ("X-Request-Id", False),
    ],
)
def test_headers_are_told_by_name(header: str, secret: bool) -> None:
    assert is_secret_name(header) is secret
