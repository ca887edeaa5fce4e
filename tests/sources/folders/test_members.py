"""Lists of archives: what is in them, and what is refused, with memory that stays flat."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.errors import SourceRejected
from platform_ops.settings import Settings
from platform_ops.sources.files import ArchivingLocalFilesOperator
from platform_ops.sources.folders.members import Listing, MemberLimits
from platform_ops.testing.runner import run_task

MIB = 1 << 20


def pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def listed(
    name: str,
    data: bytes,
    limits: MemberLimits = MemberLimits(),  # noqa: B008  # frozen
) -> list[tuple[str, int, str]]:
    listing = Listing(name, limits)
    assert b"".join(listing.watch(pieces(data))) == data
    found = [json.loads(line) for line in listing.lines()]
    return [(each["name"], each["size_bytes"], each["kind"]) for each in found]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, body in members.items():
            file.writestr(zipfile.ZipInfo(name), body, method)  # dated 1980, not now
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", **links: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:  # type: ignore[call-overload]  # a mode by its name
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            file.addfile(info)
    return out.getvalue()


MEMBERS = {"a.csv": b"1\n" * 5000, "deep/é.csv": b"2\n"}
LIST = [("a.csv", 10_000, "file"), ("deep/é.csv", 2, "file")]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("A.TGZ", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
    ],
)
def test_names_and_sizes_are_listed_and_the_bytes_pass_as_they_are(name: str, mode: str) -> None:
    assert listed(name, tarred(MEMBERS, mode)) == LIST


def test_a_zip_is_listed_as_a_tar_is() -> None:
    assert listed("a.zip", zipped(MEMBERS)) == LIST


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "C:\\evil", "a/../../evil", "..\\evil", "\\\\host\\share"]
)
def test_a_member_that_leaves_its_folder_is_refused(name: str) -> None:
    for kind, data in (("a.zip", zipped({name: b"x"})), ("a.tar", tarred({name: b"x"}))):
        with pytest.raises(SourceRejected, match="leaves its folder"):
            listed(kind, data)


def test_a_link_that_leads_out_is_refused() -> None:
    with pytest.raises(SourceRejected, match="leaves its folder"):
        listed("a.tar", tarred({}, link="../../etc/passwd"))
    assert listed("a.tar", tarred({}, link="beside")) == [("link", 0, "link")]


def test_a_bomb_is_refused() -> None:
    zeros = {"zeros": bytes(40 * MIB)}
    for name, data in (("a.zip", zipped(zeros)), ("a.tar.gz", tarred(zeros, "w:gz"))):
        with pytest.raises(SourceRejected, match="is a bomb: it unpacks to more than 250 times"):
            listed(name, data)


def test_members_that_lie_upon_each_other_are_refused() -> None:
    honest = zipped({"a": b"x" * 100, "b": b"x" * 100}, zipfile.ZIP_STORED)
    second = honest.rindex(b"PK\x01\x02")
    forged = bytearray(honest)
    struct.pack_into("<I", forged, second + 42, 1)  # the second member begins within the first
    with pytest.raises(SourceRejected, match="lie upon each other"):
        listed("a.zip", bytes(forged))


def test_too_many_and_too_large_are_refused() -> None:
    many = {str(number): b"" for number in range(12)}
    for name, data in (("a.zip", zipped(many)), ("a.tar", tarred(many))):
        with pytest.raises(SourceRejected, match="more than 11 members"):
            listed(name, data, MemberLimits(count=11))
    for name, data in (("a.zip", zipped(MEMBERS)), ("a.tar", tarred(MEMBERS))):
        with pytest.raises(SourceRejected, match="unpacks to more than 10001 bytes"):
            listed(name, data, MemberLimits(size_bytes=10_001))


def test_a_header_that_has_no_end_is_refused() -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    header = info.tobuf(tarfile.USTAR_FORMAT if info.size < 1 << 33 else tarfile.GNU_FORMAT)
    bomb = gzip.compress(header + bytes(64 * MIB), 1)
    with pytest.raises(SourceRejected, match="cannot be read as a tar"):
        listed("a.tar.gz", bomb)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_what_is_no_archive_is_refused(name: str) -> None:
    with pytest.raises(SourceRejected, match="cannot be read"):
        listed(name, b"no archive at all" * 100)


def test_the_list_is_archived_beside_what_it_lists(
    tmp_path: Path, platform_archive: Settings
) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(MEMBERS))
    (tmp_path / "b.csv").write_bytes(b"1\n")
    with DAG("files"):
        operator = ArchivingLocalFilesOperator(
            task_id="take",
            entity="erp.orders",
            folder=str(tmp_path),
            list_members=True,
            after="delete",
        )
    ran = run_task(operator, at="2024-03-05")
    assert ran.state == "success", ran.error
    names = [body.name for body in archive.bodies(ran.xcom)]
    assert sorted(names) == ["a.zip", "a.zip.members.jsonl", "b.csv"]
    assert archive.open(ran.xcom, "a.zip").read() == zipped(MEMBERS)
    lines = archive.open(ran.xcom, "a.zip.members.jsonl").read().splitlines()
    assert [json.loads(line)["name"] for line in lines] == list(MEMBERS)
    assert list(tmp_path.glob("*.*")) == []
