"""Small packages and sites that tests copy, change and build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Root", "copied"]

_HERE = Path(__file__).parent
_PROJECT = _HERE.parent.parent


@dataclass(frozen=True)
class Root:
    """A copy of one root, which a test may change."""

    path: Path

    @property
    def package(self) -> Path:
        """The folder of the package's modules."""
        return self.path / "package" / "shelf"

    @property
    def html(self) -> Path:
        """Where its site is built."""
        return self.path / "html"

    def page(self, name: str) -> str:
        """One page as it was written."""
        return (self.html / f"{name}.html").read_text(encoding="utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a file of the package; the old text must be there."""
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run Python beside the package, in a process of its own."""
        path = os.pathsep.join([str(self.path / "package"), str(_PROJECT)])
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert code is None or ran.returncode == code, ran.stdout + ran.stderr
        return ran

    def build(self, *options: str, code: int | None = 0) -> str:
        """Build the site; returns what Sphinx said."""
        ran = self.run("-m", "sphinx", "-b", "html", *options, "docs", "html", code=code)
        return ran.stdout + ran.stderr


def copied(name: str, target: Path) -> Root:
    """A copy of a root, below a test's own folder."""
    shutil.copytree(_HERE / name, target / name)
    return Root(target / name)
