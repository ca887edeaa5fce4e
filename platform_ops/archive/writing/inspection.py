"""What a site lets pass of an entity's deliveries: looked at while they are stored, judged at their end.

A body that is refused is still read and stored to its end: what came is evidence (ADR 0023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from platform_ops.archive.writing.volume import Sample, usual
from platform_ops.checks import Check, Format, Malformed, check_of
from platform_ops.entity import CheckKind, Part, Payload, Remark
from platform_ops.errors import DeliveryRefused, SourceError, SourceTruncated
from platform_ops.settings import Reaction

__all__ = ["Acceptance", "BodyWatch", "Inspection"]

_REFUSING: Final = ("fail", "skip")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What an entity's deliveries meet; without a word from the site all but what ends too early passes.

    :param truncated: None ends the try at once, and keeps nothing.
    :param format: What bodies are, where neither their media type nor their name tells.
    :param limit_bytes: Where a delivery is refused as large, whatever came before.
    :param floor: Captures that it takes to judge the volume of another.
    :param at: Local time of the slot, of which the season is.
    :param past: The captures before; asked once, at the end, where the volume is judged at all.
    """

    empty: Reaction = "accept"
    truncated: Reaction | None = None
    unparsable: Reaction = "accept"
    small: Reaction = "accept"
    large: Reaction = "accept"
    format: Format | None = None
    limit_bytes: int | None = None
    floor: int = 8
    at: datetime | None = None
    past: Callable[[], Sequence[Sample]] = tuple


@dataclass(slots=True)
class Inspection:
    """Everything that was found of one delivery.

    :param of: The delivery, for messages.
    :ivar refusal: The first thing that its policy does not let pass.
    """

    of: object
    acceptance: Acceptance
    remarks: list[Remark] = field(default_factory=list, init=False)
    refusal: SourceError | None = field(default=None, init=False)
    size_bytes: int = field(default=0, init=False)

    def body(self, part: Part) -> BodyWatch:
        """Watch a body while it is read."""
        return BodyWatch(self, part)

    def require(self) -> None:
        """End the delivery where something was refused.

        :raises SourceError: The refusal.
        """
        if self.refusal is not None:
            raise self.refusal

    def conclude(self, payloads: Sequence[Payload]) -> None:
        """Judge the delivery as a whole."""
        size_bytes = sum(each.size_bytes for each in payloads)
        counts = [each.rows for each in payloads]
        rows = sum(each or 0 for each in counts) if counts and None not in counts else None
        if size_bytes == 0 or rows == 0:
            what = "it holds no row" if size_bytes else "it holds no byte"
            if self.acceptance.empty != "accept":  # that it is empty, its size says
                self.found("empty", self.acceptance.empty, what)
            return
        self._judge_volume(rows, size_bytes)

    def _judge_volume(self, rows: int | None, size_bytes: int) -> None:
        agreed = self.acceptance
        if agreed.at is None or {agreed.small, agreed.large} == {"accept"}:
            return
        past = agreed.past()
        by_rows = None if rows is None else usual(past, agreed.at, "rows", agreed.floor)
        known = by_rows or usual(past, agreed.at, "bytes", agreed.floor)
        if known is None:
            return
        value = rows if by_rows and rows is not None else size_bytes
        if value < known.low and agreed.small != "accept":
            self.found("small", agreed.small, known.told(value))
        if value > known.high and agreed.large != "accept":
            self.found("large", agreed.large, known.told(value))

    def found(
        self, check: CheckKind, policy: Reaction, message: str, body: str | None = None
    ) -> None:
        """Take note of what a check found, and of what its policy makes of it."""
        if policy not in _REFUSING:
            self.remarks.append(Remark(check, policy, message, body))
            return
        if self.refusal is not None:
            return
        text = f"{self.of}: {check}: {f'{body}: ' if body else ''}{message}"
        if check == "truncated" and policy == "fail":
            self.refusal = SourceTruncated(text)
        else:
            self.refusal = DeliveryRefused(text, check, skip=policy == "skip")


class BodyWatch:
    """Looks at one body while it is read; refuses nothing before the body is over."""

    def __init__(self, inspection: Inspection, part: Part) -> None:
        self._inspection = inspection
        self._name = part.name
        self._check: Check | None = None
        self.rows: int | None = None
        agreed = inspection.acceptance
        if agreed.unparsable != "accept":
            self._looking(lambda: self._begin(part, agreed.format))

    @property
    def keeps_what_is_cut(self) -> bool:
        """Whether a body that ends too early is read and stored all the same."""
        return self._inspection.acceptance.truncated is not None

    def saw(self, chunk: bytes) -> bool:
        """Look at the next bytes; whether more of the body is wanted."""
        check, limit = self._check, self._inspection.acceptance.limit_bytes
        if check is not None:
            self._looking(lambda: check.feed(chunk))
        self._inspection.size_bytes += len(chunk)
        if limit is None or self._inspection.size_bytes <= limit:
            return True
        policy: Reaction = "skip" if self._inspection.acceptance.large == "skip" else "fail"
        message = f"more than {limit:,} bytes came, which is the limit; the rest was not read"
        self._inspection.found("large", policy, message, self._name)
        self._check = None
        return False

    def cut(self, message: str) -> None:
        """The body ended before its announced length, or went past it."""
        policy = self._inspection.acceptance.truncated
        if policy is not None:
            self._inspection.found("truncated", policy, message, self._name)

    def end(self, size_bytes: int) -> None:
        """The body is over."""
        check = self._check
        if check is not None and size_bytes:  # an empty one is empty, not malformed

            def ended() -> None:
                self.rows = check.end()

            self._looking(ended)

    def _begin(self, part: Part, known: Format | None) -> None:
        self._check = check_of(part, known)

    def _looking(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Malformed as err:
            self._check = None
            policy = self._inspection.acceptance.unparsable
            self._inspection.found("unparsable", policy, str(err), self._name)
