"""What was found in a file before, kept for as long as file, rules and settings stay what they were."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from platform_ops.conventions.model import Agreed, Convention

__all__ = ["Cache"]


class Cache:
    """A file of results, by path and digest; a damaged or foreign one counts as empty.

    :param path: Where it lies; None keeps nothing.
    """

    def __init__(
        self, path: Path | None, conventions: Iterable[Convention], agreed: Agreed
    ) -> None:
        self.path = path
        self._mark = _mark(conventions, agreed)
        self._known: dict[str, Any] = {}  # Any: JSON values
        self._kept: dict[str, Any] = {}  # Any: JSON values
        if path is not None:
            try:
                held = json.loads(path.read_bytes())
                if held["mark"] == self._mark:
                    self._known = held["files"]
            except (OSError, ValueError, KeyError, TypeError):
                self._known = {}

    @staticmethod
    def default(folder: Path) -> Path:
        """Where the results of runs in this folder are kept."""
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        name = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
        return Path(home) / "platform-ops" / f"lint-{name}.json"

    def get(self, path: str, digest: str) -> Any:  # Any: JSON values, or None
        """What was found in exactly these bytes."""
        known = self._known.get(path)
        if known is not None and known[0] == digest:
            self._kept[path] = known
            return known[1]
        return None

    def put(self, path: str, digest: str, found: Any) -> None:  # Any: JSON values
        """Keep what was found."""
        self._kept[path] = [digest, found]

    def save(self) -> None:
        """Write it back; where that cannot be done the next run is slower, and that is all."""
        if self.path is None or self._kept == self._known:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps({"mark": self._mark, "files": self._kept}), "utf-8")
            new.replace(self.path)
        except OSError:
            return


def _mark(conventions: Iterable[Convention], agreed: Agreed) -> str:
    """Changes when any rule's code, or anything that the site agreed on, changes."""
    text = hashlib.blake2b(digest_size=16)
    text.update(agreed.settings.model_dump_json().encode())
    text.update(repr(sorted(agreed.entities or ())).encode())
    sources = {*Path(__file__).parent.rglob("*.py")}
    for rule in conventions:
        text.update(repr((rule.id, rule.severity)).encode())
        for check in (rule.source, rule.on_dag, rule.on_task, rule.across, rule.on_template):
            code = getattr(check, "__code__", None)
            if code is not None:
                sources.add(Path(code.co_filename))
    for path in sorted(sources):
        try:
            text.update(path.read_bytes())
        except OSError:
            text.update(str(path).encode())
    return text.hexdigest()
