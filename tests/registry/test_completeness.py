"""The check that nothing goes undocumented."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from platform_ops.findings import Severity
from platform_ops.registry import Catalog, CatalogConfig, build, check
from platform_ops.registry.examples import examples, run
from platform_ops.registry.models.catalog import ClassEntry, Parameter
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

    command = ("docs", "check", "--no-pages", "--format", "json", "docs")
    report = json.loads(shelf.run("-c", _MAIN, *command, code=1).stdout)

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
    assert dag["place"] == {"object": "DAG lending", "file": "dags/lending.py", "line": 10}


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


def test_a_dag_that_says_one_line_is_a_warning(shelf_catalog: Catalog) -> None:
    terse = replace(
        shelf_catalog, dags=tuple(replace(each, doc_md="") for each in shelf_catalog.dags)
    )
    assert named(terse) - named(shelf_catalog) == {("DOC303", "DAG lending", "a description alone")}


def test_what_another_class_says_is_told_there_alone(shelf_catalog: Catalog) -> None:
    def say(entry: ClassEntry) -> ClassEntry:
        text = "Connection of the shelf. (templated)"
        return replace(
            entry,
            parameters=tuple(
                replace(each, description=text) if each.name == "shelf_conn_id" else each
                for each in entry.parameters
            ),
        )

    found = with_class(with_class(shelf_catalog, "ShelfTask", say), "LendOperator", say)
    assert [each for each in named(found) if each[0] == "DOC105"] == [
        ("DOC105", "shelf.operators.ShelfTask", "'shelf_conn_id' is not in template_fields")
    ]


@pytest.mark.parametrize(
    ("described", "default", "fault"),
    [
        ("How many; defaults to 2.", "1", "defaults to 1, and is described with the default 2"),
        ("How many (default: ``2``)", "1", "defaults to 1, and is described with the default 2"),
        ("Loud. Default is true.", "False", "defaults to False, and is described with the default true"),
        ("Town; defaults to 'Bonn'", "'Ulm'", "defaults to 'Ulm', and is described with the default 'Bonn'"),
        ("How many; defaults to 2.", None, "is required, and is described with the default 2"),
        ("How many; defaults to 2.", "2", ""),
        ("How many; defaults to 2 weeks.", "14", ""),  # in another unit
        ("How many; defaults to 2.", "None", ""),  # worked out later
        ("The mood; defaults to 'quiet'.", "Mood.QUIET", ""),  # no literal
        ("The mood; defaults to `quiet`, or loud.", "'loud'", ""),
        ("Loud. Default is true.", "True", ""),
        ("Whose defaults are used.", "1", ""),
    ],
)  # fmt: skip
def test_a_docstrings_default_is_held_against_the_signature(
    shelf_catalog: Catalog, described: str, default: str | None, fault: str
) -> None:
    def say(entry: ClassEntry) -> ClassEntry:
        def changed(each: Parameter) -> Parameter:
            return replace(each, description=described, default=default, required=default is None)

        return replace(
            entry,
            parameters=tuple(
                changed(each) if each.name == "reader" else each for each in entry.parameters
            ),
        )

    new = named(with_class(shelf_catalog, "LendOperator", say)) - named(shelf_catalog)
    expected = {("DOC109", "shelf.LendOperator", f"'reader' {fault}")} if fault else set()
    assert new == expected


@pytest.mark.parametrize(
    ("said", "real", "contradicts"),
    [
        ("str", "int", True),
        ("list[str]", "dict[str, str] | None", True),
        ("str or int", "str", True),
        ("string", "str | None", False),
        ("Optional[dict]", "Mapping[str, list[str]] | None", False),
        ("float", "int", False),
        ("Connection", "str", False),  # which of them has a better name, nobody can tell
        ("", "int", False),
    ],
)
def test_a_docstrings_type_is_held_against_the_signature(
    shelf_catalog: Catalog, said: str, real: str, contradicts: bool
) -> None:
    def say(entry: ClassEntry) -> ClassEntry:
        return replace(
            entry,
            parameters=tuple(
                replace(each, type=real, documented_type=said) if each.name == "reader" else each
                for each in entry.parameters
            ),
        )

    new = named(with_class(shelf_catalog, "LendOperator", say)) - named(shelf_catalog)
    message = f"'reader' is {real}, and described as {said}"
    assert new == ({("DOC108", "shelf.LendOperator", message)} if contradicts else set())


def test_a_metric_that_no_table_declares_is_named(shelf: Root, shelf_config: CatalogConfig) -> None:
    shelf.replace(
        "package/shelf/operators.py",
        '        """Lend it."""',
        '        stats.incr("shelf.loans")\n'
        '        stats.incr("shelf.returns", tags={})\n'
        '        self.stats.timing(f"shelf.{self.reader}.wait", 1.0)\n'
        '        Stats.gauge(f"shelf.{self.kind}", 1.0)',
    )
    shelf.replace(
        "package/shelf/tables.py",
        "METRICS = [",
        'LOST = Metric("shelf.lost", Kind.COUNTER, "books", "Books lost.", ())\nMETRICS = [',
    )
    catalog = build(shelf_config).catalog
    found = [each for each in check(catalog, shelf_config) if each.rule.id == "DOC204"]
    assert {(str(each.place), each.message) for each in found} == {
        ("package/shelf/operators.py:59 metric shelf.returns", "stats.incr() names it"),
        ("package/shelf/operators.py:60 metric shelf.*.wait", "self.stats.timing() names it"),
        ("package/shelf/tables.py:21 metric shelf.lost", "Metric() names it"),
    }


def test_an_example_must_have_been_run_since_it_changed(
    shelf: Root, shelf_config: CatalogConfig
) -> None:
    config = replace(shelf_config, examples=(("../dags", "shelf.runner:run"),))
    catalog = build(config).catalog

    def faults() -> set[tuple[str, str, str]]:
        return {
            (each.rule.id, str(each.place), each.message)
            for each in check(catalog, config)
            if each.rule.id.startswith("DOC4")
        }

    place = "dags/lending.py example ../dags/lending.py"
    assert faults() == {("DOC401", place, "no output is kept for it")}

    assert [each.error for each in run(tuple(examples(catalog, config)), config)] == [""]
    assert faults() == set()

    shelf.replace("package/shelf/operators.py", "return self.title", "return self.reader")
    assert faults() == {("DOC402", place, "lending.json was made by other code")}

    shelf.replace("package/shelf/operators.py", "return self.reader", "return self.title")
    shelf.path.joinpath("dags/_output/gone.json").write_text("{}")
    ((rule, where, _),) = faults()
    assert (rule, where) == ("DOC403", "dags/_output/gone.json example ../dags/_output/gone.json")


def test_foreign_bases_are_their_authors_business(shelf_catalog: Catalog) -> None:
    found = with_class(shelf_catalog, "BaseOperator", lambda entry: replace(entry, summary=""))
    assert named(found) == named(shelf_catalog)
