"""What changed between two catalogues of a package, and which of it breaks its users."""

from __future__ import annotations

import json

import pytest

from platform_ops.registry import Catalog
from platform_ops.registry.changes import Action, Change, Changes, compare
from tests.roots import Root, copied

_MAIN = "from platform_ops.cli import main; main()"

# File of the shelf, text in it, and what a later release says instead.
_EDITS = (
    ("package/shelf/operators.py", 'reader: str = "anyone"', "reader: str"),
    (
        "package/shelf/operators.py",
        'template_fields = ("title", "note")',
        'template_fields = ("note",)',
    ),
    ("package/shelf/operators.py", "class Patience(", "class LongPatience("),
    ("package/shelf/tables.py", '"branch"', '"town"'),
    ("package/shelf/tables.py", "open_hours: int", "closed_hours: int"),
    ("package/shelf/errors.py", "class ShelfClosed(ShelfError)", "class ShelfClosed(OSError)"),
    ("dags/lending.py", '"30 4 * * *"', '"30 5 * * *"'),
)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory, shelf_catalog: Catalog) -> Root:
    """The shelf after the edits, with the catalogues of both releases beside it."""
    root = copied("shelf", tmp_path_factory.mktemp("later"))
    for file, old, new in _EDITS:
        root.replace(file, old, new)
    (root.path / "old.json").write_text(shelf_catalog.to_json(), encoding="utf-8")
    root.run("-c", _MAIN, "docs", "catalog", "docs", "-o", "new.json")
    return root


@pytest.fixture(scope="module")
def changes(later: Root, shelf_catalog: Catalog) -> Changes:
    """The comparison of both."""
    return compare(shelf_catalog, Catalog.from_json((later.path / "new.json").read_bytes()))


def test_each_edit_is_one_change_and_says_whether_it_breaks(changes: Changes) -> None:
    lend, was, gone, came = "shelf.LendOperator", Action.CHANGED, Action.REMOVED, Action.ADDED
    assert {
        (each.kind, each.name, each.action, each.part, each.aspect, each.breaking)
        for each in changes
    } == {
        ("operator", lend, was, "parameter reader", "default", True),
        ("operator", lend, was, "parameter title", "templating", True),
        ("sensor", "shelf.operators.Patience", gone, "", "", True),
        ("sensor", "shelf.operators.LongPatience", came, "", "", False),
        ("metric", "shelf.loans", was, "", "tags", True),
        ("setting", "branches.<branch>.open_hours", gone, "", "", True),
        ("setting", "branches.<branch>.closed_hours", came, "", "", False),
        ("error", "ShelfClosed", was, "", "parent", True),
        ("dag", "lending", was, "", "schedule", False),
    }


def test_a_change_says_what_was_and_what_is(changes: Changes) -> None:
    found = {(each.name, each.part): each for each in changes}
    assert found["shelf.LendOperator", "parameter reader"].sentence == (
        "parameter reader default was 'anyone', is required"
    )
    assert found["lending", ""].sentence == ("schedule was at 04:30 (UTC), is at 05:30 (UTC)")
    assert found["shelf.operators.LongPatience", ""].summary == "Wait until a book is back."
    assert [each.name for each in changes.of(Action.REMOVED)] == [
        "shelf.operators.Patience", "branches.<branch>.open_hours",
    ]  # fmt: skip
    assert ("operator", "shelf.LendOperator") in {
        (kind, name) for kind, name, _ in changes.by_object()
    }


def test_a_catalogue_has_not_changed_against_itself(shelf_catalog: Catalog) -> None:
    assert len(compare(shelf_catalog, shelf_catalog)) == 0


def test_the_command_fails_on_what_breaks_and_prints_both_ways(later: Root) -> None:
    command = ("-c", _MAIN, "docs", "diff", "old.json", "new.json")
    said = later.run(*command, code=1).stdout
    assert "parameter reader default was 'anyone', is required" in said
    assert "breaking" in said
    document = json.loads(later.run(*command, "--json", code=1).stdout)
    assert sum(each["breaking"] for each in document["changes"]) == 6
    later.run("-c", _MAIN, "docs", "diff", "new.json", "new.json", code=0)
    (later.path / "torn.json").write_text("[]")
    fault = later.run("-c", _MAIN, "docs", "diff", "torn.json", "new.json", code=2).stderr
    assert "torn.json is no catalogue" in fault


def moved(public: str) -> Catalog:
    """A catalogue of one class whose import line is another."""
    from platform_ops.registry.models.catalog import ClassEntry, Source

    entry = ClassEntry(
        "operator", "shelf.operators.Lend", public, "shelf", "Lend.", "", Source("a.py", 1)
    )
    return Catalog(classes=(entry,))


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [("shelf.operators.Lend", "shelf.Lend", False), ("shelf.Lend", "shelf.operators.Lend", True)],
)
def test_a_new_import_line_breaks_only_where_the_old_one_fails(
    before: str, after: str, breaks: bool
) -> None:
    (change,) = compare(moved(before), moved(after))
    assert change == Change(
        "operator", after, Action.CHANGED, aspect="import", before=before, after=after,
        breaking=breaks, summary="Lend.",
    )  # fmt: skip
