"""Fields of JSON bodies: gone from what is archived, and nothing else touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_ops.errors import NotRedactable
from platform_ops.redaction import FieldPath, JsonRedactor

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "name", "a/b", "~", "*", "é", '"', ""]), below)
    ),
    max_leaves=20,
)
STEPS = st.sampled_from(["a", "b", "name", "a~1b", "~0", "*", "**", "0", "1", "é", ""])
PATHS = st.lists(STEPS, max_size=4).flatmap(
    lambda steps: STEPS.filter(lambda last: last != "**").map(lambda last: [*steps, last])
)


def redacted(body: bytes, *paths: str, size: int = 1 << 20) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(JsonRedactor("b", tuple(map(FieldPath.compile, paths))).redacted(chunks))


def expected(value: Any, paths: list[list[str]]) -> Any:
    """The plain way: whole documents in memory, paths walked one by one."""
    if any(not steps for steps in paths):
        return "REDACTED"
    if not isinstance(value, dict | list):
        return value
    members = value.items() if isinstance(value, dict) else enumerate(value)
    below = {
        key: expected(each, [rest for steps in paths for rest in onward(steps, str(key))])
        for key, each in members
    }
    return below if isinstance(value, dict) else list(below.values())


def onward(steps: list[str], name: str) -> Iterator[list[str]]:
    if steps[0] == "**":
        yield steps
        yield from onward(steps[1:], name)
    elif steps[0] in ("*", name):
        yield steps[1:]


@given(JSON, st.lists(PATHS, min_size=1, max_size=3), st.integers(1, 9), st.booleans())
def test_what_is_named_is_gone_and_the_rest_is_as_it_was(
    value: object, paths: list[list[str]], size: int, escaped: bool
) -> None:
    body = json.dumps(value, ensure_ascii=escaped, indent=1).encode()
    texts = ["/" + "/".join(steps) for steps in paths]
    plain = [[step.replace("~1", "/").replace("~0", "~") for step in steps] for steps in paths]
    assert json.loads(redacted(body, *texts, size=size)) == expected(value, plain)


@given(JSON, st.integers(1, 9))
def test_bytes_outside_the_fields_are_verbatim(value: object, size: int) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(value, indent=3).encode() + b" \r\n"
    assert redacted(body, "/not/there", size=size) == body


@pytest.mark.parametrize(
    ("body", "path", "left"),
    [
        (b'{"a" :1.50 , "b":[ 1,2 ]}', "/a", b'{"a" :"REDACTED" , "b":[ 1,2 ]}'),
        (b'{"a":{"b":{"c":[1,"]}"]}},"d":0}', "/a", b'{"a":"REDACTED","d":0}'),
        (b'{"n\\u0061me":"x"}', "/name", b'{"n\\u0061me":"REDACTED"}'),
        (b'{"name":1,"name":2}', "/name", b'{"name":"REDACTED","name":"REDACTED"}'),
        (b'{"a":1}\n{"a":2}\n', "/a", b'{"a":"REDACTED"}\n{"a":"REDACTED"}\n'),
        (b'[{"a":1},{"b":[{"a":2}]}]', "/**/a", b'[{"a":"REDACTED"},{"b":[{"a":"REDACTED"}]}]'),
        (b'{"a":NaN,"b":-Infinity,"c":3}', "/c", b'{"a":NaN,"b":-Infinity,"c":"REDACTED"}'),
        (b'["a","b"]', "/1", b'["a","REDACTED"]'),
        (b"", "/a", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_body_leaves_like_this(body: bytes, path: str, left: bytes, size: int) -> None:
    assert redacted(body, path, size=size) == left


@pytest.mark.parametrize(
    "body",
    [
        b"name,ssn\nann,1\n", b"<a/>", b'{"a":1', b'{"a":1,}', b"[1,]", b'{"a" 1}', b'{a:1}', b"{'a':1}",
        b"]", b'{"a":1]', b'[1 2]', b'{"a":"x', b'{"a":"\\x"}', b'{"a":"\n"}', b'{"a":01}', b'{"a":tru}',
        b'{"a"}', b'{"a":1 /* */}', b'"\\u12', b'{"\xff":1}', b'\x1f\x8b\x08', '{"a":1}'.encode("utf-16"),
        b"[" * 1001, b'{"' + b"k" * 70_000 + b'":1}', b"[" + b"1" * 5000 + b",",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_not_json_is_refused(body: bytes, size: int) -> None:
    if size == 1 and len(body) > 2000:
        size = 1000
    with pytest.raises(NotRedactable, match=r"b: .* at byte \d+ .*; nothing of it was kept"):
        redacted(body, "/a", size=size)


@pytest.mark.parametrize("text", ["", "a", "a/b", "/a/**", "/**", "/~2", "$.a", "/~"])
def test_a_path_that_names_no_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no field; write a JSON Pointer"):
        FieldPath.compile(text)


def test_what_was_replaced_is_counted_by_path() -> None:
    redactor = JsonRedactor("b", tuple(map(FieldPath.compile, ("/*/a", "/*/b"))))
    list(redactor.redacted([b'[{"a":1,"b":2},{"a":3}]']))
    assert redactor.counts == {"/*/a": 2, "/*/b": 1}


def test_a_long_string_is_passed_on_piece_by_piece() -> None:
    pieces = iter([b'{"a":"', *[b"x" * 100_000] * 50, b'","b":"', *[b"y" * 100_000] * 50, b'"}'])
    sizes = [len(each) for each in JsonRedactor("b", (FieldPath.compile("/b"),)).redacted(pieces)]
    assert max(sizes) < 200_000
    assert sum(sizes) == len('{"a":"","b":"REDACTED"}') + 5_000_000
