"""Places to publish to, and readers who look at what is there."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import obstore
from obstore.store import S3Store

from platform_ops.sphinx_ext.publish.versions import Version, from_json


def site(folder: Path, mark: str) -> Path:
    """A built site: each page names its build and links a style whose content names it too."""
    pages = {
        "index.html": f'<link href="_static/style.css"><h1>{mark}</h1>',
        "reference/http.html": f'<link href="../_static/style.css"><h1>{mark}</h1>',
        f"only/in {mark} ü.html": f'<link href="../_static/style.css"><h1>{mark}</h1>',
        "_static/style.css": f"/* {mark} */",
        "objects.inv": f"# {mark}",
        ".doctrees/index.doctree": "for Sphinx alone",
        ".buildinfo": "for Sphinx alone",
    }
    for name, text in pages.items():
        path = folder / mark / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / mark


class Place(NamedTuple):
    """Where to publish, and how a reader gets a file from there."""

    destination: str
    read: Callable[[str], bytes | None]

    def listing(self) -> tuple[Version, ...]:
        return from_json(self.read("versions.json"), "versions.json")

    def follow(self, page: str) -> str:
        """Open a page as a browser does, along redirects and with its style; return its build's mark."""
        body = self.read(page)
        assert body is not None, f"{page} is not there"
        text = body.decode()
        if target := re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text):
            return self.follow(_joined(page, target[1]))
        style = re.search(r'href="([^"]+)"', text)
        mark = re.search(r"<h1>(.+)</h1>", text)
        assert style
        assert mark
        assert self.read(_joined(page, style[1])) == f"/* {mark[1]} */".encode()
        return mark[1]


def _joined(page: str, link: str) -> str:
    path = os.path.normpath(PurePosixPath(page).parent / link)
    return f"{path}/index.html" if link.endswith("/") else path


def in_folder(tmp_path: Path) -> Place:
    root = tmp_path / "served"

    def read(file: str) -> bytes | None:
        return (root / file).read_bytes() if (root / file).is_file() else None

    return Place(str(root), read)


def in_git(tmp_path: Path) -> Place:
    repository = tmp_path / "pages.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--template=", repository], check=True)

    tips: dict[bytes, dict[str, bytes]] = {}

    def read(file: str) -> bytes | None:
        tip = repository / "refs" / "heads" / "gh-pages"
        if not tip.exists():
            return None
        commit = tip.read_bytes().strip()
        if commit not in tips:
            tips[commit] = _files_of(repository, commit.decode())
        return tips[commit].get(file)

    return Place(f"git+{repository}#gh-pages", read)


def _files_of(repository: Path, commit: str) -> dict[str, bytes]:
    git = ["git", "-C", str(repository)]
    listing = subprocess.check_output([*git, "ls-tree", "-r", "-z", commit], text=True)
    entries = [entry.split("\t") for entry in listing.split("\0") if entry]
    wanted = "".join(entry[0].split()[2] + "\n" for entry in entries).encode()
    rest = subprocess.check_output([*git, "cat-file", "--batch"], input=wanted)
    files = {}
    for _, path in entries:
        header, _, rest = rest.partition(b"\n")
        size_bytes = int(header.split()[2])
        files[path], rest = rest[:size_bytes], rest[size_bytes + 1 :]
    return files


def in_s3(url: str) -> Place:
    store = S3Store.from_url(url, client_options={"allow_http": True})

    def read(file: str) -> bytes | None:
        try:
            return bytes(obstore.get(store, file).bytes())
        except FileNotFoundError:
            return None

    return Place(url, read)
