"""The check that nothing goes undocumented."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from platform_ops.findings import Severity
from platform_ops.registry import Catalog, check
from platform_ops.registry.model import ClassEntry
from tests.roots import Root

_MAIN = "from platform_ops.cli import main; main()"


def with_class(catalog: Catalog, short: str, change: Callable[[ClassEntry], ClassEntry]) -> Catalog:
    """The catalogue with one class changed."""
    return replace(
        catalog,
        classes=tuple(change(each) if each.short == short else each for each in catalog.classes),
    )


def named(catalog: Catalog) -> set[tuple[str, str, str]]:
    """Rule, object and message of each finding."""
    return {(each.rule.id, each.place.object, each.message) for each in check(catalog)}


def test_what_is_taken_away_is_named(shelf: Root) -> None:
    """End to end: each of these lines is removed from a file, and the command names it."""
    shelf.replace("package/shelf/operators.py", "    :param condition: How it left.\n", "")
    shelf.replace("package/shelf/operators.py", "Wait until a book is back.", "")
    shelf.replace("package/shelf/operators.py", ":param reader: Who", ":param reder: Who")
    shelf.replace("package/shelf/tables.py", '"Books lent."', '""')
    shelf.replace("package/shelf/tables.py", 'description="Where it stands."', "")
    shelf.replace("package/shelf/errors.py", '    """It is night; come back."""\n', "")
    shelf.replace("dags/lending.py", '    description="Lends a book every night.",\n', "")
    shelf.replace("dags/lending.py", "doc_md=", "doc_md=None and ")

    report = json.loads(shelf.run("-c", _MAIN, "docs", "check", "--json", "docs", code=1).stdout)

    errors: list[dict[str, Any]] = [
        each for each in report["findings"] if each["severity"] == "error"
    ]
    assert {(each["rule"], each["place"]["object"], each["message"]) for each in errors} == {
        ("DOC001", "module shelf.broken", "ModuleNotFoundError: No module named 'a_library_that_nobody_has'"),
        ("DOC001", "dag torn.py", "RuntimeError: the page is torn"),
        ("DOC101", "shelf.operators.Patience", "no docstring"),
        ("DOC102", "shelf.LendOperator", "no :param condition: field"),
        ("DOC102", "shelf.LendOperator", "no :param reader: field"),
        ("DOC102", "shelf.operators.Patience", "no :param deferrable: field"),
        ("DOC103", "shelf.LendOperator", "describes 'reder', which no constructor takes"),
        ("DOC107", "shelf.hooks.ShelfHook", "type 'shelf' is in no provider's list"),
        ("DOC201", "metric shelf.loans", "no help"),
        ("DOC202", "setting branches.<branch>.street", "no description"),
        ("DOC203", "shelf.errors.ShelfClosed", "no docstring"),
        ("DOC301", "DAG lending", "neither description nor doc_md"),
    }  # fmt: skip
    (dag,) = [each for each in errors if each["rule"] == "DOC301"]
    assert dag["place"] == {"object": "DAG lending", "file": "../dags/lending.py", "line": 10}


def test_the_package_as_it_is_lacks_only_what_it_lacks_on_purpose(shelf_catalog: Catalog) -> None:
    assert {each.rule.id for each in check(shelf_catalog)} == {
        "DOC001", "DOC102", "DOC104", "DOC106", "DOC107",
    }  # fmt: skip


def test_template_fields_are_held_against_parameters_and_docstrings(shelf_catalog: Catalog) -> None:
    assert ("DOC104", "shelf.LendOperator", "'note' is in template_fields") in named(shelf_catalog)
    found = with_class(
        shelf_catalog,
        "LendOperator",
        lambda entry: replace(
            entry,
            parameters=tuple(replace(each, templated=False) for each in entry.parameters),
        ),
    )
    assert ("DOC105", "shelf.LendOperator", "'title' is not in template_fields") in named(found)


def test_an_operator_that_no_dag_uses_is_a_warning(shelf_catalog: Catalog) -> None:
    unused = [each for each in check(shelf_catalog) if each.rule.id == "DOC106"]
    assert {each.place.object for each in unused} == {
        "shelf.operators.Patience",
        "shelf.operators.ShelfTask",
    }
    assert {each.rule.severity for each in unused} == {Severity.WARNING}


def test_a_dag_that_nobody_owns_is_a_warning(shelf_catalog: Catalog) -> None:
    orphaned = replace(
        shelf_catalog, dags=tuple(replace(each, owners=("airflow",)) for each in shelf_catalog.dags)
    )
    new = named(orphaned) - named(shelf_catalog)
    assert new == {("DOC302", "DAG lending", "its tasks have Airflow's default owner")}


def test_foreign_bases_are_their_authors_business(shelf_catalog: Catalog) -> None:
    found = with_class(shelf_catalog, "BaseOperator", lambda entry: replace(entry, summary=""))
    assert named(found) == named(shelf_catalog)
