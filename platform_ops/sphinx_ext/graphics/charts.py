"""Small charts as inline SVG: what arrived a day, and where something should have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from html import escape

from platform_ops.registry.models.entities import Arrival

__all__ = ["human_size", "volumes"]

_DAYS = 30
_BAR, _GAP, _HEIGHT, _FOOT = 18, 6, 110, 22


def volumes(arrivals: Sequence[Arrival], due: Sequence[str], moment: str, label: str) -> str:
    """Bars of bytes by the day of the data.

    A day on which something was due and nothing came is drawn as an empty frame. The days end at the
    moment, or at the newest day where all of them are older than the chart is long.

    :param due: ISO dates on which something should be there.
    """
    days = _days([each.day for each in arrivals], due, moment)
    by_day = {each.day: each for each in arrivals}
    most = max((each.size_bytes for each in arrivals if each.day in days), default=0) or 1
    bars = [
        _bar(number, day, by_day.get(day), most, missing=day in due)
        for number, day in enumerate(days)
    ]
    width = len(days) * (_BAR + _GAP) - _GAP
    digest = hashlib.blake2b(repr(days).encode(), digest_size=4).hexdigest()
    return (
        f'<svg class="airflow-chart" id="airflow-chart-{digest}" role="img" '
        f'aria-label="{escape(label)}" viewBox="0 0 {width} {_HEIGHT + _FOOT}" width="{width}" '
        f'height="{_HEIGHT + _FOOT}" xmlns="http://www.w3.org/2000/svg">'
        f'<path class="axis" d="M0,{_HEIGHT}.5H{width}"/>{"".join(bars)}'
        f'<text x="0" y="{_HEIGHT + 16}">{days[0]}</text>'
        f'<text class="end" x="{width}" y="{_HEIGHT + 16}">{days[-1]}</text></svg>'
    )


def _days(seen: Sequence[str], due: Sequence[str], moment: str) -> list[str]:
    last = date.fromisoformat(moment[:10])
    newest = max((date.fromisoformat(day) for day in (*seen, *due)), default=last)
    if newest < last - timedelta(days=_DAYS - 1):
        last = newest
    return [str(last - timedelta(days=back)) for back in reversed(range(_DAYS))]


def _bar(number: int, day: str, arrival: Arrival | None, most: int, *, missing: bool) -> str:
    x = number * (_BAR + _GAP)
    if arrival is None:
        if not missing:
            return ""
        return (
            f'<g class="missing"><title>{day}: due, nothing is there</title>'
            f'<rect x="{x + 0.5}" y="0.5" width="{_BAR - 1}" height="{_HEIGHT - 1}" rx="2"/></g>'
        )
    height = max(3, round(arrival.size_bytes / most * (_HEIGHT - 6)))
    rows = f", {arrival.rows:,} rows" if arrival.rows is not None else ""
    captures = "1 capture" if arrival.captures == 1 else f"{arrival.captures} captures"
    title = f"{day}: {human_size(arrival.size_bytes)}{rows}, {captures}"
    return (
        f"<g><title>{title}</title>"
        f'<rect x="{x}" y="{_HEIGHT - height}" width="{_BAR}" height="{height}" rx="2"/></g>'
    )


def human_size(size_bytes: float) -> str:
    """Bytes for people: ``12.3 kB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
