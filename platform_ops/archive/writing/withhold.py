"""Bodies without the fields that a site keeps out of its archive, before anything is hashed.

What the archive then calls verbatim is the body without them: its digest, its size, and what a replay
reads. A body that cannot be searched is refused, since nobody could say what it holds.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from platform_ops.entity import Part
from platform_ops.errors import NotRedactable, SourceTruncated
from platform_ops.redaction import FieldPath, JsonRedactor

__all__ = ["Withholding"]

_JSON: Final = re.compile(
    r"(?i)(application|text)/([a-z0-9.+-]*\+)?(json|jsonl|ndjson|x-ndjson|x-jsonlines)"
)
_GZIP: Final = 16 + zlib.MAX_WBITS
_INFLATED_BYTES: Final = 1 << 20


class Withholding:
    """The fields that one capture leaves out, and how often it met them.

    :param paths: JSON Pointers with wildcards; see :class:`~platform_ops.redaction.FieldPath`.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(FieldPath.compile(text) for text in paths)
        self._counts = Counter({path.text: 0 for path in self._paths})

    @property
    def counts(self) -> Mapping[str, int]:
        """Values that were replaced so far, by path; a path that met nothing stands there with 0."""
        return dict(self._counts)

    def applied(self, part: Part) -> Part:
        """The part as it may be archived; the same one where the site keeps every field.

        Its body raises :class:`~platform_ops.errors.NotRedactable` where it turns out not to be JSON.

        :raises NotRedactable: It is not said to be JSON, or has a content coding other than gzip.
        """
        if not self._paths:
            return part
        where = f"{part.origin.url} {part.name}"
        if not _JSON.fullmatch(part.media_type.partition(";")[0].strip()):
            raise _refused(where, f"its type is {part.media_type}, and only JSON can be searched")
        if part.codec not in (None, "gzip"):
            raise _refused(where, f"its coding is {part.codec}, and only gzip can be undone")
        redactor = JsonRedactor(where, self._paths)
        # The announced length is that of the bytes as they come: it is compared before they change.
        body = _of_length(part)
        plain = _inflated(body, where) if part.codec else body
        return replace(part, body=self._counted(redactor, plain), codec=None, size_bytes=None)

    def _counted(self, redactor: JsonRedactor, chunks: Iterable[bytes]) -> Iterator[bytes]:
        yield from redactor.redacted(chunks)
        self._counts.update(redactor.counts)


def _of_length(part: Part) -> Iterator[bytes]:
    size_bytes = 0
    for chunk in part.body:
        size_bytes += len(chunk)
        yield bytes(chunk)
    if part.size_bytes is not None and size_bytes != part.size_bytes:
        raise SourceTruncated(
            f"{part.origin.url}: {part.name} ended after {size_bytes} of the {part.size_bytes} bytes "
            "that the source announced; nothing of it was kept"
        )


def _inflated(chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The bytes inside gzip, one member after the other, in constant memory."""
    inflate = zlib.decompressobj(_GZIP)
    begun = False
    for chunk in chunks:
        left = chunk
        while left:
            if inflate.eof:
                inflate = zlib.decompressobj(_GZIP)
            try:
                yield inflate.decompress(left, _INFLATED_BYTES)
            except zlib.error as err:
                raise _refused(where, "it is said to be gzip, and is not") from err
            begun, left = True, inflate.unconsumed_tail or inflate.unused_data
    if begun:
        yield inflate.flush()
    if begun and not inflate.eof:
        raise _refused(where, "its gzip ends in the middle")


def _refused(where: str, fault: str) -> NotRedactable:
    return NotRedactable(f"{where}: fields of it are to be redacted, and {fault}; nothing was kept")
