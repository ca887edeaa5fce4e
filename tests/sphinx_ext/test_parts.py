"""Pages stay small however much a package brings: lists, methods and options are divided over several."""

from __future__ import annotations

import zlib

import pytest
from bs4 import BeautifulSoup, Tag

from platform_ops.registry.models.catalog import Catalog, Setting
from platform_ops.sphinx_ext.parts import divided
from platform_ops.sphinx_ext.site import Site
from tests.roots import Root, copied

LIMIT_BYTES = 60_000
_HEAD = '"""Made up."""\n\nfrom airflow.sdk import BaseHook, BaseOperator\n\n\n'
_CLASS = '''class Number{number}Operator(BaseOperator):
    """Do the work of number {number}, which is one of very many of its kind, and say so afterwards."""


'''
_METHOD = '''    def method_{number:02}(self, first: str, second: dict[str, list[int]] | None = None) -> str:
        """Do the work of method {number}.

        Some more is to be said of it, and that is said here, at the length that such things have.

        :param first: What it begins with.
        :param second: What it goes on with.
        :return: What has become of it.
        """
        return first

'''
_HOOKS = "reference/hooks/shelf.many"


def test_parts_keep_the_order_and_the_limit() -> None:
    assert divided([], int) == ((),)
    assert divided([3, 3], int, room=10) == ((3, 3),)
    assert divided([4, 4, 4, 4], int, room=10) == ((4, 4), (4, 4))
    assert divided([50, 1, 1], int, room=10) == ((50,), (1, 1))
    parts = divided(range(100), lambda _: 7, room=100)
    assert [each for part in parts for each in part] == list(range(100))
    assert max(map(len, parts)) * 7 <= 100
    assert min(map(len, parts)) >= 10


def test_settings_are_divided_between_sections_alone() -> None:
    settings = tuple(
        Setting(f"s{part}.k{number}", f"s{part}", "str", "", False, "Says what. " * 30)
        for part in range(6)
        for number in range(20)
    )
    site = Site(Catalog(settings=settings), prefix="", source_url="", dag_folders={})

    pages = site.parts.settings

    assert site.parts.of("setting") == len(pages) > 1
    assert [name for page in pages for name, _ in page] == [f"s{part}" for part in range(6)]
    assert tuple(each for page in pages for _, rows in page for each in rows) == settings


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A package with 130 operators, and hooks of 90 methods, of 40 and of 3."""
    root = copied("shelf", tmp_path_factory.mktemp("parts"))
    classes = "".join(_CLASS.format(number=number) for number in range(130))
    hooks = "".join(
        f'class {name}Hook(BaseHook):\n    """Has much to offer."""\n\n    conn_type = "{name}"\n\n'
        + "".join(_METHOD.format(number=number) for number in range(count))
        + "\n"
        for name, count in (("Huge", 90), ("Big", 40), ("Little", 3))
    )
    (root.package / "many.py").write_text(_HEAD + classes + hooks)
    root.build("-q", "-W", "-n", "-j", "2", "-D", "airflow_search=0", "-D", "airflow_methods=1")
    return root


def article(site: Root, page: str) -> Tag:
    found = BeautifulSoup(site.page(page), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


def test_no_page_is_heavier_than_the_limit(site: Root) -> None:
    sizes = {path: path.stat().st_size for path in site.html.rglob("*.html")}
    assert len(sizes) > 130
    heavy = {path.name: size for path, size in sizes.items() if size > LIMIT_BYTES}
    assert heavy == {}


def test_a_long_list_is_whole_over_its_parts_and_each_leads_to_all(site: Root) -> None:
    listed, parts = [], sorted(site.html.glob("reference/operators*.html"))
    assert [path.name for path in parts][:2] == ["operators-2.html", "operators.html"]
    for path in parts:
        page = article(site, f"reference/{path.stem}")
        listed += [each.get_text() for each in page.select("ul.airflow-index p:first-child a")]
        links = page.select("ul.airflow-parts a")
        here = page.select("ul.airflow-parts strong")
        assert (len(links), len(here)) == (len(parts) - 1, 1)
        assert {str(each["href"]) for each in links} == {each.name for each in parts} - {path.name}
    assert len(listed) == len({*listed})
    assert {f"Number{number}Operator" for number in range(130)} < {*listed}


@pytest.mark.parametrize(("hook", "count"), [("HugeHook", 90), ("BigHook", 40)])
def test_methods_without_room_have_pages_of_their_own(site: Root, hook: str, count: int) -> None:
    page = article(site, f"{_HOOKS}.{hook}")
    assert page.select("dl.method") == []
    links = [str(each["href"]) for each in page.select("ul.airflow-methods a")]
    anchors, folder = [], (site.html / _HOOKS).parent
    for path in sorted(folder.glob(f"shelf.many.{hook}-methods*.html")):
        shown = article(site, f"reference/hooks/{path.stem}")
        anchors += [f"{path.name}#{each['id']}" for each in shown.select("dl.method > dt")]
        assert shown.select_one(f"p a[href='shelf.many.{hook}.html']")
    assert {each.partition("#")[2] for each in anchors} == {
        f"shelf.many.{hook}.method_{number:02}" for number in range(count)
    }
    if count < 80:
        assert sorted(links) == sorted(anchors)
    else:  # too many to name: the pages, each by its range
        assert set(links) == {each.partition("#")[0] for each in anchors}


def test_few_methods_stay_where_they_were(site: Root) -> None:
    assert len(article(site, f"{_HOOKS}.LittleHook").select("dl.method")) == 3
    assert not (site.html / f"{_HOOKS}.LittleHook-methods.html").exists()


def test_the_inventory_leads_to_methods_where_they_stand(site: Root) -> None:
    body = (site.html / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]
    rows = {
        line.split()[0]: line.split()[3] for line in zlib.decompress(body).decode().splitlines()
    }
    for name in ("HugeHook.method_89", "BigHook.method_00", "LittleHook.method_01"):
        page, _, anchor = rows[f"shelf.many.{name}"].partition("#")
        anchor = f"shelf.many.{name}" if anchor == "$" else anchor
        assert article(site, page.removesuffix(".html")).find(id=anchor), name


def test_the_page_of_a_package_counts_what_it_has_no_room_to_name(site: Root) -> None:
    page = article(site, "reference/providers/shelf")
    counts = page.select("ul.airflow-counts a")
    assert sum(int(each.get_text()) for each in counts) >= 130
    assert {str(each["href"]) for each in counts} >= {"../operators.html", "../operators-2.html"}
