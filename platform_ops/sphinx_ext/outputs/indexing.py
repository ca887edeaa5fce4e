"""Pagefind at work: the index of all pages, and after an edit a small one of those that changed.

Pagefind starts when the last page is written, and Sphinx goes on beside it; where nothing changed it
does not run. It reads all pages or none, so a few changed ones get an index of their own, below the
large one. The dialog asks both, and leaves out what the large one says of pages that were replaced::

    pagefind/            of all pages, as Pagefind wrote it
    pagefind/words.json  words of the site, and the fragments of the large index that no longer count
    pagefind/later/      of the pages that changed since; gone as soon as all are indexed again

Source: https://pagefind.app/docs/multisite/
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from sphinx.util import logging

from platform_ops.sphinx_ext.outputs.machines import markdown_path

if TYPE_CHECKING:
    from sphinx.builders.html import StandaloneHTMLBuilder

__all__ = ["Indexing"]

logger = logging.getLogger(__name__)

INDEX: Final = "pagefind"
_LATER: Final = "later"
_WORDS: Final = "words.json"
_STATE: Final = "pagefind.json"
_VOCABULARY: Final = 20_000
_WORD: Final = re.compile(r"[^\W\d_]{4,40}")
# An index beside another is worth it for few pages: each search asks both.
_ONE_IN: Final = 10
# Said once for all pages by a base's own page; and what a reader cannot see anyway.
_LEFT_OUT: Final = ".headerlink, .airflow-badges, .airflow-folded, svg"
# Of Pagefind's bundle, what no page of ours loads: its own dialogs.
_UNUSED: Final = ("*-ui.css", "*-ui.js", "pagefind-highlight.js")
# What an index beside another has in common with it: the program.
_SHARED: Final = ("*.js", "*.css", "wasm.*")
_FRAGMENT_MARK: Final = b"pagefind_dcd"


@dataclass(slots=True)
class _State:
    """What the indexes were made of: pages, each with its time and size.

    :param whole: Pages of the large index, as they were when it was made.
    :param now: Pages as the last build left them.
    """

    whole: dict[str, str] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)


class Indexing:
    """One build's indexing, from its last page to its end."""

    def __init__(self, builder: StandaloneHTMLBuilder, doctrees: Path) -> None:
        self._builder = builder
        self._doctrees = doctrees
        self._place = Path(builder.outdir, INDEX)
        self._state = _read(doctrees / _STATE) if self._place.is_dir() else _State()
        self._few: list[str] | None = None
        self._folder: Path | None = None
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin, if any page is another than it was."""
        pages = dict(_stamps(self._builder))
        if pages == self._state.now:
            return
        (self._doctrees / _STATE).unlink(missing_ok=True)
        self._state.now = pages
        whole = self._state.whole
        changed = [name for name, stamp in pages.items() if whole.get(name) != stamp]
        replaced = [name for name in whole if pages.get(name) != whole[name]]
        few = _ONE_IN * len({*changed, *replaced}) <= len(pages)
        self._few = changed if few and whole else None
        self._folder = Path(mkdtemp(prefix=f"{INDEX}-", dir=self._doctrees))
        site = (
            Path(self._builder.outdir)
            if self._few is None
            else self._copied(changed, self._folder / "pages")
        )
        if self._few is None or self._few:
            self._process = _pagefind(site, self._folder / INDEX)

    def finish(self, *, failed: bool) -> None:
        """Put the new index in its place, unless the build failed."""
        folder = self._folder
        if folder is None:
            return
        try:
            if failed and self._process is not None:
                self._process.kill()
                self._process.communicate()
            elif self._process is None or _succeeded(self._process):
                self._put(folder / INDEX)
                state = json.dumps(asdict(self._state))
                (self._doctrees / _STATE).write_text(state, encoding="utf-8")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, made: Path) -> None:
        if self._few is None:
            self._state.whole = self._state.now
            _write_words(made, _ranked(map(self._markdown, self._builder.env.found_docs)))
            _move(made, self._place, without=_UNUSED)
            return
        later = self._place / _LATER
        shutil.rmtree(later, ignore_errors=True)
        if self._few:
            _move(made, later, without=_SHARED)
        whole = self._state.whole
        gone = {name for name in whole if self._state.now.get(name) != whole[name]}
        replaced = set(_fragments(self._place, {self._address(name) for name in gone}))
        replaced -= {path.stem for path in later.glob("fragment/*")}  # says what it said before
        known = json.loads((self._place / _WORDS).read_text(encoding="utf-8"))["words"]
        words = dict.fromkeys([*known, *_ranked(map(self._markdown, self._few))])
        _write_words(self._place, [*words], sorted(replaced), later=bool(self._few))

    def _copied(self, docnames: Iterable[str], top: Path) -> Path:
        """A folder that holds some pages alone, at the same places."""
        for each in docnames:
            source = Path(self._builder.get_output_path(each))
            target = top / source.relative_to(self._builder.outdir)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return top

    def _address(self, docname: str) -> str:
        """A page's address as Pagefind says it."""
        path = Path(self._builder.get_output_path(docname)).relative_to(self._builder.outdir)
        folder = path.parent if path.name == "index.html" else None
        text = path.as_posix() if folder is None else f"{folder.as_posix()}/".removeprefix("./")
        return f"/{text}"

    def _markdown(self, docname: str) -> str:
        path = markdown_path(self._builder, docname)
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def _pagefind(site: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pagefind", "--silent", "--site", str(site)]
    options = ["--output-path", str(output), "--exclude-selectors", _LEFT_OUT]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _succeeded(process: subprocess.Popen[str]) -> bool:
    said = process.communicate()[1]
    if process.returncode != 0:
        logger.warning(
            "Pagefind ended with %d: %s; Sphinx's own search remains",
            process.returncode, " ".join(said.split()),
            type="airflow", subtype="search",
        )  # fmt: skip
    return process.returncode == 0


def _move(made: Path, place: Path, *, without: Iterable[str]) -> None:
    for pattern in without:
        for path in made.glob(pattern):
            path.unlink()
    shutil.rmtree(place, ignore_errors=True)
    shutil.move(made, place)


def _ranked(texts: Iterable[str]) -> list[str]:
    """The words of some pages, the most common first: what a misspelt one may have meant."""
    count: Counter[str] = Counter()
    for text in texts:
        count.update(set(_WORD.findall(text.lower())))
    return sorted(count, key=lambda each: (-count[each], each))[:_VOCABULARY]


def _write_words(
    folder: Path, words: Sequence[str], replaced: Sequence[str] = (), *, later: bool = False
) -> None:
    found = {"words": words, "replaced": replaced, "later": later}
    text = json.dumps(found, separators=(",", ":"))
    (folder / _WORDS).write_text(text + "\n", encoding="utf-8")


def _fragments(index: Path, addresses: set[str]) -> Iterator[str]:
    """The fragments of an index that tell of these pages."""
    for path in index.glob("fragment/*.pf_fragment") if addresses else ():
        text = gzip.decompress(path.read_bytes()).removeprefix(_FRAGMENT_MARK)
        if json.loads(text)["url"] in addresses:
            yield path.stem


def _stamps(builder: StandaloneHTMLBuilder) -> Iterator[tuple[str, str]]:
    """Each page with what changes whenever it is written."""
    for docname in sorted(builder.env.found_docs):
        path = Path(builder.get_output_path(docname))
        if path.is_file():
            status = path.stat()
            yield docname, f"{status.st_mtime_ns} {status.st_size}"


def _read(path: Path) -> _State:
    try:
        return _State(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return _State()
