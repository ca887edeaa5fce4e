"""Checks of what bodies are said to be: whole, cut anywhere, hostile, and in any pieces."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_ops.checks import Malformed, check_of, format_of
from platform_ops.entity import Origin, Part


def part(name: str, media_type: str = "application/octet-stream", codec: str | None = None) -> Part:
    return Part(name, (), Origin("test:"), media_type, codec)


def checked(body: bytes, of: Part, size: int = 0) -> int | None:
    """Rows that the check counts, fed in pieces of a size."""
    check = check_of(of)
    assert check is not None
    for start in range(0, len(body), size or len(body) or 1):
        check.feed(body[start : start + (size or len(body))])
    return check.end()


def parquet(rows: int = 1000) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": range(rows), "s": ["x"] * rows}), sink, row_group_size=100)
    return sink.getvalue()


XML = '<?xml version="1.0" encoding="UTF-8"?><r a="1"><b>é</b><!-- x --><c/></r>'.encode()
GOOD = {
    "array.json": (b'[{"a": [1, {"b": "]"}]}, {"a": 2},\n {"a": "\\"x"}]', 3),
    "object.json": (b'\xef\xbb\xbf{"a": [1, 2, 3], "b": {}} ', None),
    "plain.json": (b"[1, 2, 3]", 3),
    "empty-array.json": (b"[]", 0),
    "lines.jsonl": (b'{"a": 1}\n{"a": [1]}\n\n{"a": null}', 3),
    "comma.csv": (b'a,b\n1,"x\n""y"""\n\n2,\n', 2),
    "semicolon.csv": (b"a;b;c\r\n1;2,5;3\r\n", 1),
    "marked.csv": (b"\xef\xbb\xbfa\tb\n1\t2", 1),
    "header.csv": (b"a,b\n", 0),
    "table.parquet": (parquet(), 1000),
    "empty.parquet": (parquet(0), 0),
    "feed.xml": (XML, None),
}
CUT = {
    "array.json": "it ends in the middle",
    "lines.jsonl": "this is no value of JSON",
    "comma.csv": "never closes",
    "table.parquet": "does not end as Parquet does",
    "feed.xml": "unclosed token",
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("size", [0, 1, 7])
def test_what_is_well_formed_passes_in_any_pieces(name: str, size: int) -> None:
    body, rows = GOOD[name]
    assert checked(body, part(name), size) == rows


@pytest.mark.parametrize("size", [0, 1, 3])
@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"[1, -2.5e-3 ,0,\n4, true, 5,6]", 7),
        (b'{"a": {"b": 1, "c": [1,2]}, "d": "e", "f\\u0000" : 3}', None),
        (b'[{"a": 1}, 2, 3, {"b": {}}, 4]', 5),
    ],
)
def test_what_comes_in_runs_is_counted_as_what_comes_alone(
    body: bytes, count: int | None, size: int
) -> None:
    assert checked(body, part("a.json"), size) == count


@pytest.mark.parametrize("name", GOOD)
def test_it_passes_inside_gzip_too(name: str) -> None:
    body, rows = GOOD[name]
    half = len(body) // 2
    members = gzip.compress(body[:half]) + gzip.compress(body[half:])
    assert checked(members, part(f"{name}.gz", codec="gzip"), 5) == rows


@pytest.mark.parametrize("name", ["array.json", "lines.jsonl", "table.parquet", "feed.xml"])
@pytest.mark.parametrize("size", [0, 1])
def test_a_tail_that_is_cut_off_is_found(name: str, size: int) -> None:
    body = GOOD[name][0]
    with pytest.raises(Malformed, match=CUT[name]):
        checked(body[:-3], part(name), size)


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        ("a.json", b'{"a": 1', "at byte 7 it ends in the middle"),
        ("a.json", b'[{"a": 1},]', "'\\]' does not belong here"),
        ("a.json", b'{"a": 1, "b": 2,}', "'}' does not belong here"),
        ("a.json", b'{"a": 1, "b" 2, "c": 3}', "at byte 13 "),
        ("a.json", b'{"a": 1, 2: 3}', "at byte 9 "),
        ("a.json", b"[1, 2.5e3, 03, 4]", "at byte 11 "),
        ("a.json", b"[1, 2,, 3]", "at byte 6 "),
        ("a.json", b"<html>", "at byte 0 this is not JSON"),
        ("a.json", b"{} {}", "it holds 2 values"),
        ("a.json", b'["\xff"]', "it is not UTF-8"),
        ("a.json", b"[" * 2000, "nested more than 1000 levels"),
        ("a.jsonl", b'{"a": 1}\n{"a": ', "at byte 15 it ends in the middle"),
        ("a.csv", b'a,b\n1,"x', "a quote that opens in record 2 never closes"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "record 3 has 3 fields, and the first has 2"),
        ("a.csv", b'a,b\n1,"x"y\n', "record 2: "),
        ("a.csv", b"a,b\n1,\xff\n", "it is not utf-8"),
        ("a.xml", b"<a><b></a>", "line 1, column 8: mismatched tag"),
        ("a.xml", b"<a>" * 2000, "nested more than 1,000 levels"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it declares an entity"),
        ("a.xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a/>', "declares an"),
        ("a.parquet", b"<html>", "does not begin as Parquet"),
        ("a.parquet", b"PAR1PAR1", "shorter than any"),
        ("a.parquet", b"PAR1" + b"\xff\xff\xff\x7fPAR1", "more than came"),
        ("a.parquet", b"PAR1junk" + b"\x04\x00\x00\x00PAR1", "its footer cannot be read"),
    ],
)
def test_each_fault_is_told_with_its_place(name: str, body: bytes, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        checked(body, part(name))


def test_a_row_group_that_is_missing_is_found() -> None:
    body = parquet()
    footer = int.from_bytes(body[-8:-4], "little") + 8
    with pytest.raises(Malformed, match="row group 1 ends behind the bytes that came"):
        checked(body[:4] + body[-footer:], part("a.parquet"))


def test_gzip_that_is_none_or_cut_is_found() -> None:
    with pytest.raises(Malformed, match="said to be gzip, and is not"):
        checked(b"{}", part("a.json", codec="gzip"))
    with pytest.raises(Malformed, match="its gzip ends in the middle"):
        checked(gzip.compress(b"{}")[:-4], part("a.json", codec="gzip"))


def test_a_charset_that_the_media_type_names_is_read_by() -> None:
    latin = "a,b\n1,é\n".encode("latin-1")
    assert checked(latin, part("x", "text/csv; charset=latin-1")) == 1
    with pytest.raises(Malformed, match="charset 'klingon' is none"):
        check_of(part("x", "text/csv; charset=klingon"))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (part("x", "application/problem+json; charset=utf-8"), "json"),
        (part("x", "application/rss+xml"), "xml"),
        (part("x.CSV"), "csv"),
        (part("x.geojson"), "json"),
        (part("x.jsonl.gz", codec="gzip"), "jsonl"),
        (part("x.json.gz"), None),
        (part("x.pdf", "application/pdf"), None),
    ],
)
def test_the_format_follows_from_media_type_or_name(of: Part, expected: str | None) -> None:
    assert format_of(of) == expected


def test_what_nobody_can_check_is_not_checked() -> None:
    assert check_of(part("x.pdf")) is None
    assert check_of(part("x.json", codec="br")) is None
    assert check_of(part("x.bin"), "json") is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(1, 9))
def test_all_json_passes_and_no_part_of_it_does(value: object, size: int) -> None:
    body = json.dumps([{"value": value}]).encode()
    assert checked(body, part("x.json"), size) == 1
    for end in range(1, len(body)):
        with pytest.raises(Malformed):
            checked(body[:end], part("x.json"), size)


ENDLESS = [
    ("json", "b'['", 'b\'{"a": "x"},\' * 50_000'),
    ("jsonl", "b''", 'b\'{"a": "x"}\\n\' * 50_000'),
    ("csv", "b''", "b'a,b\\n' * 100_000"),
    ("xml", "b'<a>'", "b'<b>x</b>' * 60_000"),
    ("parquet", "b'PAR1'", "bytes(600_000)"),
]


@pytest.mark.parametrize(("kind", "first", "chunk"), ENDLESS)
def test_memory_does_not_grow_with_the_body(kind: str, first: str, chunk: str) -> None:
    script = f"""
import resource, sys
from platform_ops.checks import check_of
from platform_ops.entity import Origin, Part
check = check_of(Part("x.{kind}", (), Origin("")))
chunk = {chunk}
check.feed({first} + chunk)
for _ in range(int(sys.argv[1])):
    check.feed(chunk)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", script, count], env=os.environ))
        for count in (("70", "100") if kind == "parquet" else ("3", "15"))
    ]
    assert peaks[1] - peaks[0] < 8 << 10  # KiB
