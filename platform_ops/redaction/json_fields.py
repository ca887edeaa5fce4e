"""Fields of a JSON body that must not be archived: replaced on the way in, byte by byte elsewhere.

A body is scanned as it streams. Every byte outside a named value leaves as it came, white space and
spelling of numbers included; a named value, whatever it holds, leaves as ``"REDACTED"``. A body whose
structure is not that of JSON is refused: where one reader sees a field, another may see none.

Source: RFC 8259 (JSON), RFC 6901 (JSON Pointer).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final

from platform_ops.errors import NotRedactable
from platform_ops.redaction.field_path import FieldPath

__all__ = ["KEY_LIMIT_BYTES", "JsonRedactor"]

_REPLACEMENT: Final = b'"REDACTED"'
_OUT_BYTES: Final = 1 << 16
KEY_LIMIT_BYTES: Final = 1 << 16
_SCALAR_LIMIT_BYTES: Final = 1 << 12
_DEPTH_LIMIT: Final = 1000
_ESCAPE_BYTES: Final = 6

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SPACES: Final = rb"[ \t\n\r]*+"
_ESCAPE: Final = rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})'
_PLAIN: Final = rb'[^"\\\x00-\x1f]'
_STRING: Final = rb'"%b*+(?:%b%b*+)*+"' % (_PLAIN, _ESCAPE, _PLAIN)
# NaN and infinities are not JSON, and Python, JavaScript and Java write them; they hold no field.
_SCALAR: Final = (
    rb"(?:true|false|null|NaN|-?Infinity|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+)"
)
_TOKEN: Final = re.compile(
    rb"(?P<space>[ \t\n\r]+|%b)|(?P<mark>[{}\[\]:,])|(?P<scalar>[-+.0-9A-Za-z]+)"
    rb'|(?P<string>%b)|(?P<open>")' % (_BYTE_ORDER_MARK, _STRING)
)
_PIECE: Final = re.compile(rb"(?P<piece>%b+|(?:%b)+)|(?P<close>\")" % (_PLAIN, _ESCAPE))
_SCAN: Final = json.JSONDecoder().raw_decode
_SKIMMED: Final = {True: ("key", "key or end"), False: ("value", "value or end")}
_WHOLE_SCALAR: Final = re.compile(_SCALAR)


@cache
def _skim(is_object: bool, names: frozenset[str]) -> re.Pattern[bytes]:
    """A run of members, or of elements, that hold no further level and are none of these names.

    Nearly all bytes of a body are such: one match takes what would be ten tokens each.
    """
    value = rb"%b(?:%b|%b)%b," % (_SPACES, _STRING, _SCALAR, _SPACES)
    if is_object:
        meant = b"|".join(
            re.escape(name.encode("utf-8", "surrogatepass")) for name in sorted(names)
        )
        value = rb'%b"(?!(?:%b)")%b*+"%b:%b' % (_SPACES, meant, _PLAIN, _SPACES, value)
    return re.compile(rb"(?P<skimmed>(?:%b)++)" % value)


@lru_cache(maxsize=4096)
def _descend(
    paths: tuple[FieldPath, ...], behind: tuple[frozenset[int], ...], name: str
) -> tuple[frozenset[int], ...]:
    return tuple(path.descend(steps, name) for path, steps in zip(paths, behind, strict=True))


@dataclass(slots=True)
class _Level:
    """One object or array that is open.

    :param behind: How far each path has come, where this level begins.
    :param key: Of the member that is read; of an object alone.
    :param index: Of the element that is read; of an array alone.
    :param skim: What passes here unread; None where any member or element may be meant.
    """

    is_object: bool
    behind: tuple[frozenset[int], ...]
    skim: re.Pattern[bytes] | None
    key: str = ""
    index: int = 0


@dataclass(slots=True)
class JsonRedactor:
    """One body on its way through.

    :param where: What the body is, for messages.
    :param paths: The fields to replace.
    :ivar counts: How many values were replaced, by path.
    """

    where: str
    paths: tuple[FieldPath, ...]
    counts: Counter[str] = field(default_factory=Counter, init=False)
    _levels: list[_Level] = field(default_factory=list, init=False)
    _expected: str = field(default="value", init=False)
    _hidden_at: int | None = field(default=None, init=False)
    _key: bytearray | None = field(default=None, init=False)
    _offset: int = field(default=0, init=False)
    _rest: bytes = field(default=b"", init=False)
    _inside_string: bool = field(default=False, init=False)

    def redacted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The body without the values of the fields, in constant memory.

        :raises NotRedactable: It is not JSON; what was given out until then must not be kept.
        """
        out = bytearray()
        for chunk in chunks:
            for piece in self.feed(chunk):
                out += piece
                if len(out) >= _OUT_BYTES:
                    yield bytes(out)
                    out.clear()
        out += b"".join(self.close())
        if out:
            yield bytes(out)

    def feed(self, chunk: bytes, *, last: bool = False) -> Iterator[bytes]:
        """What leaves of the next bytes of the body; to be drawn to its end."""
        for kind, text in self._tokens(chunk, last):
            yield self._taken(kind, text)
            self._offset += len(text)

    def close(self) -> Iterator[bytes]:
        """What leaves of the rest, now that the body is over.

        :raises NotRedactable: It ends in the middle.
        """
        yield from self.feed(b"", last=True)
        if self._levels or self._inside_string:
            raise self._refused("it ends in the middle")

    def _tokens(self, chunk: bytes, last: bool) -> Iterator[tuple[str, bytes]]:
        """Tokens with their kind; a string that spans chunks comes as open, pieces and close."""
        text, position = self._rest + chunk, 0
        # Latin-1 gives each byte a character: positions hold, and structure is ASCII.
        letters = text.decode("latin-1")
        while position < len(text):
            if not self._inside_string:
                kind, end = self._at_once(text, letters, position)
                if end > position:
                    yield kind, text[position:end]
                    position = end
                    continue
            hit = (_PIECE if self._inside_string else _TOKEN).match(text, position)
            if not last and self._may_go_on(text, position, hit):
                break
            if hit is None or hit.lastgroup is None:
                raise self._refused("this is not JSON")
            self._inside_string = hit.lastgroup == "open" or (
                self._inside_string and hit.lastgroup != "close"
            )
            yield hit.lastgroup, hit[0]
            position = hit.end()
        self._rest = text[position:]

    def _at_once(self, text: bytes, letters: str, position: int) -> tuple[str, int]:
        """What may pass, or go, without a look at its parts: its kind, and where it ends."""
        level = self._levels[-1] if self._levels else None
        if level and level.skim and self._expected in _SKIMMED[level.is_object]:
            hit = level.skim.match(text, position)
            if hit:
                return "skimmed", hit.end()
        if letters[position] in "{[" and self._expected in _SKIMMED[False]:
            behind = self._behind()
            if not any(behind) or self._meant(behind):
                with suppress(ValueError, RecursionError):
                    return "whole", _SCAN(letters, position)[1]
        return "", position

    def _may_go_on(self, text: bytes, position: int, hit: re.Match[bytes] | None) -> bool:
        """Whether the next chunk may complete what is cut here."""
        left = len(text) - position
        if hit is None:
            cut = text[position] == ord("\\") and left < _ESCAPE_BYTES
            return cut or _BYTE_ORDER_MARK.startswith(text[position:])
        return hit.lastgroup == "scalar" and hit.end() == len(text) and left < _SCALAR_LIMIT_BYTES

    def _taken(self, kind: str, text: bytes) -> bytes:
        """What leaves for a token."""
        if kind == "skimmed":
            self._expected = "key" if self._levels[-1].is_object else "value"
            return self._shown(text)
        if kind == "mark" and text not in b"{[":
            return self._mark(text)
        if kind in ("space", "piece", "close"):
            return self._inside(kind, text)
        if self._expected in ("key", "key or end") and kind in ("string", "open"):
            self._key = bytearray(text)
            self._check_key()
            if kind == "string":
                self._end_key()
            return self._shown(text)
        return self._value(kind, text)

    def _inside(self, kind: str, text: bytes) -> bytes:
        if self._key is not None and kind != "space":
            self._key += text
            self._check_key()
            if kind == "close":
                self._end_key()
            return self._shown(text)
        shown = self._shown(text)
        if kind == "close":
            self._end_value()
        return shown

    def _mark(self, text: bytes) -> bytes:
        level = self._levels[-1] if self._levels else None
        shown = self._shown(text)
        if text == b":" and self._expected == "colon":
            self._expected = "value"
        elif level and text == b"," and self._expected == "comma":
            self._expected = "key" if level.is_object else "value"
            level.index += 1
        elif level and text == (b"}" if level.is_object else b"]") and self._may_end(level):
            self._levels.pop()
            self._end_value()
        else:
            raise self._refused(f"{text.decode()!r} does not belong here")
        return shown

    def _may_end(self, level: _Level) -> bool:
        return self._expected in ("comma", "key or end" if level.is_object else "value or end")

    def _value(self, kind: str, text: bytes) -> bytes:
        if self._expected not in ("value", "value or end"):
            raise self._refused(f"there is a value where a {self._expected} belongs")
        behind = self._behind()
        shown = self._hide(text, behind) if self._hidden_at is None else b""
        if kind == "mark":
            self._levels.append(_Level(text == b"{", behind, self._skim_at(text == b"{", behind)))
            if len(self._levels) > _DEPTH_LIMIT:
                raise self._refused(f"it is nested more than {_DEPTH_LIMIT} levels deep")
            self._expected = "key or end" if text == b"{" else "value or end"
        elif kind == "open":
            self._expected = "end of a string"
        elif kind in ("string", "whole") or _WHOLE_SCALAR.fullmatch(text):
            self._end_value()
        else:
            raise self._refused("this is no value of JSON")
        return shown

    def _skim_at(
        self, is_object: bool, behind: tuple[frozenset[int], ...]
    ) -> re.Pattern[bytes] | None:
        names = frozenset(
            name
            for path, steps in zip(self.paths, behind, strict=True)
            for name in path.next_steps(steps)
        )
        if "*" in names or (not is_object and any(name.isdigit() for name in names)):
            return None
        return _skim(is_object, names if is_object else frozenset())

    def _behind(self) -> tuple[frozenset[int], ...]:
        if not self._levels:
            return tuple(path.start for path in self.paths)
        level = self._levels[-1]
        if level.skim and not level.is_object:
            return _descend(self.paths, level.behind, "an element")
        return _descend(
            self.paths, level.behind, level.key if level.is_object else str(level.index)
        )

    def _meant(self, behind: tuple[frozenset[int], ...]) -> FieldPath | None:
        pairs = zip(self.paths, behind, strict=True)
        return next((path for path, steps in pairs if path.reached(steps)), None)

    def _hide(self, text: bytes, behind: tuple[frozenset[int], ...]) -> bytes:
        path = self._meant(behind)
        if path is None:
            return text
        self.counts[path.text] += 1
        self._hidden_at = len(self._levels)
        return _REPLACEMENT

    def _end_value(self) -> None:
        if self._hidden_at == len(self._levels):
            self._hidden_at = None
        self._expected = "comma" if self._levels else "value"

    def _check_key(self) -> None:
        if self._key is not None and len(self._key) > KEY_LIMIT_BYTES:
            raise self._refused(f"a key is longer than {KEY_LIMIT_BYTES} bytes")

    def _end_key(self) -> None:
        try:
            self._levels[-1].key = json.loads(self._key or b"")
        except ValueError:
            raise self._refused("a key is not UTF-8") from None
        self._key, self._expected = None, "colon"

    def _shown(self, text: bytes) -> bytes:
        return text if self._hidden_at is None else b""

    def _refused(self, fault: str) -> NotRedactable:
        return NotRedactable(
            f"{self.where}: fields of it are to be redacted, and at byte {self._offset} {fault}; "
            "nothing of it was kept"
        )
