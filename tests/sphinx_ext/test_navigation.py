"""The navigation beside each page: Furo's own where there is room, and a part of it where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from platform_ops.sphinx_ext.theming.wrapping import breakable

CONF = (
    'project = "tree"\nhtml_theme = "furo"\nextensions = [{extensions}]\nhtml_copy_source = False\n'
)
OURS = '"platform_ops.sphinx_ext"'

SMALL = {
    "index": (
        "Root\n====\n\n.. toctree::\n   :caption: Read & learn\n\n   self\n   guide/index\n   Elsewhere"
        " <https://example.com/>\n\n.. toctree::\n   :hidden:\n\n   Named anew <odd>\n   genindex\n"
    ),
    "guide/index": "Guide\n=====\n\nPart\n----\n\n.. toctree::\n   :maxdepth: 1\n\n   one\n   two words\n",
    "guide/one": "``Code`` & *more*\n=================\n\nIts section\n-----------\n\nText.\n",
    "guide/two words": "Two\n===\n\n.. toctree::\n\n   deep/down\n",
    "guide/deep/down": "Down\n====\n\nText.\n",
    "odd": "Odd\n===\n\nText.\n",
    "lost": ":orphan:\n\nLost\n====\n\nText.\n",
}


def built(folder: Path, pages: dict[str, str], *extensions: str, builder: str = "html") -> Path:
    """A site of these pages; returns where its HTML is."""
    source = folder / "source"
    for name, text in {"conf.py": CONF.format(extensions=", ".join(extensions)), **pages}.items():
        path = source / (name if "." in name else f"{name}.rst")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-b",
        builder,
        str(source),
        str(folder / "out"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder / "out"


def tree(path: Path) -> Tag:
    found = BeautifulSoup(path.read_text(), "html.parser").select_one(".sidebar-tree")
    assert isinstance(found, Tag)
    return found


def described(parent: Tag) -> Iterator[object]:
    """Everything that shows or matters in a tree, without the order of attributes and white space."""
    for each in parent.find_all(True):
        attributes = {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in each.attrs.items()
            if name not in ("aria-current", "aria-level")  # ours alone says them to screen readers
        }
        yield each.name, attributes, "".join(each.find_all(string=True, recursive=False)).strip()


@pytest.mark.parametrize("builder", ["html", "dirhtml"])
def test_a_small_site_has_the_tree_that_furo_draws(tmp_path: Path, builder: str) -> None:
    theirs = built(tmp_path / "theirs", SMALL, builder=builder)
    ours = built(tmp_path / "ours", SMALL, OURS, builder=builder)
    pages = sorted(path.relative_to(theirs) for path in theirs.rglob("*.html"))
    assert len(pages) == len(SMALL) + 2  # the index and the search
    for page in pages:
        assert list(described(tree(ours / page))) == list(described(tree(theirs / page))), page


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sections of 90 pages, and one of three."""
    pages = {"index": "Root\n====\n\n.. toctree::\n\n   a/index\n   b/index\n   c/index\n"}
    for section, count in (("a", 90), ("b", 90), ("c", 3)):
        below = "".join(f"   p{number:02}\n" for number in range(count))
        pages[f"{section}/index"] = f"{section.upper()}\n===\n\n.. toctree::\n\n{below}"
        for number in range(count):
            pages[f"{section}/p{number:02}"] = f"{section}{number:02}\n=====\n\nText.\n"
    return built(tmp_path_factory.mktemp("large"), pages, OURS)


def texts(found: Iterator[Tag] | list[Tag]) -> list[str]:
    return [each.get_text() for each in found]


@pytest.mark.parametrize(
    ("page", "first", "last"), [(0, 0, 39), (19, 0, 39), (50, 30, 69), (89, 50, 89)]
)
def test_a_page_of_a_large_section_shows_its_neighbours(
    large: Path, page: int, first: int, last: int
) -> None:
    shown = tree(large / "a" / f"p{page:02}.html")
    assert texts(shown.select("li.toctree-l1 > a")) == ["A", "B", "C"]
    assert texts(shown.select("li.toctree-l1.current > ul > li > a")) == [
        *(f"a{number:02}" for number in range(first, last + 1)),
        "All 90",
    ]
    (current,) = shown.select("li.current-page > a")
    assert (current.get_text(), current["href"], current["aria-current"]) == (
        f"a{page:02}", "#", "page",
    )  # fmt: skip
    assert shown.select_one("li.toctree-l1.current > input[checked]")
    links = {each.get_text(): each["href"] for each in shown.select("a")}
    assert links["All 90"] == "index.html"
    assert links["c02"] == "../c/p02.html"
    assert "b00" not in links


def test_every_link_of_every_tree_leads_to_a_page(large: Path) -> None:
    reached = {
        (page.parent / str(each["href"])).resolve()
        for page in large.rglob("*.html")
        for each in tree(page).select("a")
        if each["href"] != "#"
    }
    assert all(path.is_file() for path in reached)
    assert {path.name for path in large.glob("a/p*.html")} == {
        path.name for path in reached if path.parent.name == "a" and path.name != "index.html"
    }


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ArchivingObjectStoreOperator", ["Archiving", "Object", "Store", "Operator"]),
        ("noaa.hourly_temperature", ["noaa.", "hourly_", "temperature"]),
        ("HttpHook", ["HttpHook"]),  # short names stay whole
        ("What stock operators archive &amp; why", ["What stock operators archive &amp; why"]),
    ],
)
def test_a_long_name_breaks_between_its_words_alone(name: str, parts: list[str]) -> None:
    assert breakable(name).split("<wbr>") == parts
