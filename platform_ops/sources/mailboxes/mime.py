# https://www.rfc-editor.org/rfc/rfc2046
"""The attachments of a message that lies in a file, found and decoded in constant memory.

Python's own parser holds a message whole; this one walks the file line by line, keeps only where each
part begins and ends, and decodes a part when it is read. What is damaged is given as it stands: the
message itself is archived too, so nothing is lost by a part that cannot be understood.
"""

from __future__ import annotations

import binascii
import quopri
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import BinaryIO, Final

__all__ = ["Attachment", "attachments"]

MOST_ATTACHMENTS: Final = 1000
"""Attachments that one message may have; the message itself keeps what is beyond."""

_DEEPEST: Final = 32
_LINE_BYTES: Final = 1 << 16
_HEADER_BYTES: Final = 1 << 20
_NAME_LETTERS: Final = 120
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_TRANSPARENT: Final = ("7bit", "8bit", "binary", "")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]")
_SUFFIXES: Final = {"message/rfc822": ".eml", "text/calendar": ".ics", "application/pdf": ".pdf"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part of a message that is more than its text.

    :param section: Its number in the message, as IMAP counts: ``2.1``.
    :param name: The sender's name for it, made safe for any file system and any log.
    """

    section: str
    name: str
    media_type: str
    _file: BinaryIO
    _start: int
    _end: int
    _encoding: str

    def chunks(self) -> Iterator[bytes]:
        """The bytes that the sender attached, decoded."""
        lines = _lines(self._file, self._start, self._end)
        if self._encoding == "base64":
            return _base64(lines)
        if self._encoding == "quoted-printable":
            return (quopri.decodestring(line) for line in _whole(lines))
        return _block(lines)


def attachments(file: BinaryIO) -> Iterator[Attachment]:
    """Every attachment of the message in a file, in order; those of attached messages too.

    What has a file name, says that it is an attachment, or is no text counts as one.
    """
    for number, found in enumerate(_parts(file, 0, file.seek(0, 2), "", 0)):
        if number == MOST_ATTACHMENTS:
            return
        yield found


def _parts(file: BinaryIO, start: int, end: int, section: str, depth: int) -> Iterator[Attachment]:
    head, body = _head(file, start, end)
    encoding = str(head.get("content-transfer-encoding") or "").strip().lower()
    boundary = head.get_boundary() if head.get_content_maintype() == "multipart" else None
    if boundary and depth < _DEEPEST:
        for number, (first, last) in enumerate(_between(file, body, end, boundary), start=1):
            inner = f"{section}.{number}" if section else str(number)
            yield from _parts(file, first, last, inner, depth + 1)
        return
    if not _is_attached(head):
        return
    here = section or "1"
    yield Attachment(here, _name(head), _media_type(head), file, body, end, encoding)
    if head.get_content_type() == "message/rfc822" and encoding in _TRANSPARENT:
        yield from _parts(file, body, end, here, depth + 1)


def _is_attached(head: Message) -> bool:
    if head.get_content_disposition() == "attachment" or head.get_filename() is not None:
        return True
    return head.get_content_type() not in ("text/plain", "text/html", "text/enriched")


def _head(file: BinaryIO, start: int, end: int) -> tuple[Message, int]:
    """A part's headers, and where its body begins."""
    kept, place = [], start
    for line in _lines(file, start, end):
        place += len(line)
        if line in (b"\r\n", b"\n") or place - start > _HEADER_BYTES:
            break
        kept.append(line)
    return BytesHeaderParser(policy=compat32).parsebytes(b"".join(kept)), place


def _between(file: BinaryIO, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
    """Where the parts of a multipart body begin and end."""
    mark = b"--" + boundary.encode("ascii", "surrogateescape")
    found: list[tuple[int, int]] = []
    place, first, tail = start, None, b""
    for line in _lines(file, start, end):
        told = line.rstrip() if line.startswith(mark) and tail in (b"", b"\n") else b""
        if told in (mark, mark + b"--"):
            if first is not None:
                found.append((first, max(first, place - _break_before(file, place))))
            first = place + len(line)
            if told != mark:
                first = None
                break
        place += len(line)
        tail = line[-1:]
    if first is not None and first < end:  # the last boundary is missing: cut off on its way
        found.append((first, end))
    yield from found


def _break_before(file: BinaryIO, place: int) -> int:
    """The line break before a boundary belongs to the boundary."""
    file.seek(max(0, place - 2))
    before = file.read(min(2, place))
    return 2 if before == b"\r\n" else int(before[-1:] == b"\n")


def _lines(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Lines of a stretch of the file; a longer line than any mail has comes in pieces."""
    place = start
    while place < end:
        file.seek(place)
        block = file.read(min(_LINE_BYTES, end - place))
        if not block:
            return
        whole = block.rfind(b"\n") + 1 or len(block)
        place += whole
        # Not splitlines(), which ends a line at a bare carriage return as well.
        yield from re.findall(rb"[^\n]*\n|[^\n]+", block[:whole])


def _block(lines: Iterator[bytes]) -> Iterator[bytes]:
    kept, size = [], 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size >= _LINE_BYTES:
            yield b"".join(kept)
            kept, size = [], 0
    if kept:
        yield b"".join(kept)


def _base64(lines: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in _block(lines):
        letters = rest + _NOT_BASE64.sub(b"", block)
        whole = len(letters) - len(letters) % 4
        rest = letters[whole:]
        yield _decoded(letters[:whole])
    if rest:
        yield _decoded(rest + b"=" * (-len(rest) % 4))


def _decoded(letters: bytes) -> bytes:
    try:
        return binascii.a2b_base64(letters)
    except binascii.Error:  # the sender's own mistake; the message is kept as it came
        return b""


def _whole(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines whose end was cut by the reader, joined: an escape must not fall apart."""
    kept = b""
    for line in lines:
        kept += line
        if kept.endswith(b"\n") or len(kept) > _LINE_BYTES:
            yield kept
            kept = b""
    if kept:
        yield kept


def _media_type(head: Message) -> str:
    told = head.get_content_type().lower()
    return told if _TYPE.fullmatch(told) else "application/octet-stream"


def _name(head: Message) -> str:
    told = _readable(str(head.get_filename() or ""))
    last = re.split(r"[/\\]", told)[-1]
    # Control characters, and those that turn the direction of writing, deceive whoever reads a list.
    safe = "".join("_" if unicodedata.category(each)[0] == "C" else each for each in last)
    safe = safe.strip(". ")
    if not safe:
        return f"attachment{_SUFFIXES.get(_media_type(head), '')}"
    if len(safe) <= _NAME_LETTERS:
        return safe
    stem, dot, suffix = safe.rpartition(".")
    short = dot + suffix if stem and len(suffix) < 20 else ""
    return safe[: _NAME_LETTERS - len(short)] + short


def _readable(told: str) -> str:
    """The name behind encoded words, which senders use here though RFC 2047 forbids it."""
    if "=?" not in told:
        return told
    try:
        return str(make_header(decode_header(told)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return told
