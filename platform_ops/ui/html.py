"""Pages as HTML: every text is escaped, and what a reader could not see is spelled out."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from platform_ops import links

__all__ = ["GUARDS", "attachment", "moment_text", "page", "prefix_of", "size_text", "visible"]

_HERE: Final = Path(__file__).parent
# Controls, marks that turn the direction of writing, invisible letters, and halves of a letter.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)
_SELF: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every answer carries."""


def visible(text: str, *, keep: str = "") -> str:
    """A text as it may stand on a page: what cannot be seen is written as its code.

    :param keep: Letters that are left as they are, such as line breaks.
    """

    def spelled(hit: re.Match[str]) -> str:
        letter = hit[0]
        if letter in keep:
            return letter
        code = ord(letter)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return _UNSEEN.sub(spelled, text)


def page(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """Render a template."""
    prefix = prefix_of(request)
    text = (
        _environment()
        .get_template(template)
        .render(
            **values,
            airflow=prefix,
            home=links.home_page(prefix),
            entity_page=lambda entity: links.entity_page(prefix, entity),
            revision_page=lambda url: links.revision_page(prefix, url),
            framed=request.headers.get("sec-fetch-dest") == "iframe",
        )
    )
    guards = {**GUARDS, "Content-Security-Policy": _SELF, **(headers or {})}
    return HTMLResponse(text, status, guards)


def prefix_of(request: Request) -> str:
    """The path below which Airflow itself is served; mostly empty."""
    return str(request.scope.get("root_path", "")).removesuffix(links.MOUNT)


def attachment(name: str, size_bytes: int) -> dict[str, str]:
    """Headers of a file that no browser shows, whatever it holds."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name.rpartition("/")[2]).lstrip(".")[-150:] or "body"
    whole = quote(visible(name.rpartition("/")[2]), safe="")
    return {
        **GUARDS,
        "Content-Type": "application/octet-stream",
        "Content-Length": str(size_bytes),
        # Told, so that nothing on the way compresses it: a length that is short shows a broken body.
        "Content-Encoding": "identity",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}",
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }


def size_text(size_bytes: int | None) -> str:
    """A length as people read it."""
    if size_bytes is None:
        return ""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def moment_text(time: datetime | None, seconds: bool = False) -> str:
    """A time in UTC."""
    if time is None:
        return ""
    exact = seconds or time.second or time.microsecond
    text = f"{time:%Y-%m-%d %H:%M:%S}" if exact else f"{time:%Y-%m-%d %H:%M}"
    return f"{text}.{time.microsecond:06d}" if time.microsecond and not seconds else text


def _block(text: str) -> Markup:
    """A text with its line breaks, for ``pre``."""
    return Markup(escape(visible(text, keep="\n\t")))  # noqa: S704  # escaped right here


def _shown(value: Any) -> Any:  # Any: whatever a template puts out
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(block=_block, size=size_text, moment=moment_text)
    return environment
