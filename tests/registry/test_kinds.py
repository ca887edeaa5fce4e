"""The catalogue of a package that brings one of everything that Airflow knows."""

from __future__ import annotations

import pytest

from platform_ops.registry import Catalog
from platform_ops.registry.models.catalog import ClassEntry, ExtraLink, Raises
from platform_ops.registry.models.providers import Integration, UriScheme
from tests.roots import copied

_MAIN = "from platform_ops.cli import main; main()"


@pytest.fixture(scope="module")
def attic(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The attic's catalogue, as the command prints it."""
    root = copied("attic", tmp_path_factory.mktemp("attic"))
    return Catalog.from_json(root.run("-c", _MAIN, "docs", "catalog", "docs").stdout)


def entry(catalog: Catalog, short: str) -> ClassEntry:
    """One class by its bare name."""
    (found,) = [each for each in catalog.classes if each.short == short]
    return found


def test_kinds_come_from_bases_and_where_those_are_silent_from_the_provider(
    attic: Catalog,
) -> None:
    assert {
        each.short: each.kind for each in attic.classes if not each.base and not each.static
    } == {
        "StoreOperator": "operator",
        "KeepOperator": "operator",
        "KeepLongOperator": "operator",
        "CarryUp": "transfer",
        "AtticHook": "hook",
        "BoxLink": "extra-link",
        "AtticPlugin": "plugin",
        "Chest": "secrets-backend",
        "RainyDays": "timetable",
        "AtticLog": "log-handler",
    }


def test_what_is_no_class_is_found_by_its_mark_or_declaration(attic: Catalog) -> None:
    assert [(each.kind, each.name, each.target, each.summary) for each in attic.additions] == [
        ("decorator", "task.tidy", "attic.decorators.tidy_task", "Tidy up by a function."),
        ("listener", "on_starting", "attic.plugin.on_starting", "Air the room."),
        ("macro", "macros.attic.age", "attic.plugin.age", "Say how old a thing is."),
        ("policy", "task_policy", "attic.policies.task_policy", "Ask for an owner."),
    ]
    tidy = attic.additions[0]
    assert tidy.operator == "attic.operators.StoreOperator"
    assert [(each.name, each.type, each.default, each.description) for each in tidy.parameters] == [
        ("python_callable", "", "None", "What decides."),
        ("shelf", "str", "'left'", "Where to begin."),
    ]
    assert (tidy.source.file, tidy.source.line) == ("attic/decorators.py", 11)


def test_the_provider_is_described_as_it_describes_itself(attic: Catalog) -> None:
    (package,) = attic.packages
    assert (package.title, package.version, package.python) == ("Attic", "2.1", ">=3.11")
    assert package.integrations == (
        Integration("Attic", "https://example.com/attic", ("service",)),
    )
    assert package.uri_schemes == (UriScheme("attic", asset_handler="attic.uris.sanitize"),)
    assert package.dependencies == ("apache-airflow-core>=3.3",)
    assert package.extras == (("ladder", ("ladders>=1",)),)
    assert [(each.variable, each.default, each.since, each.secret) for each in attic.options] == [
        ("AIRFLOW__ATTIC__DUST", "1", "2.0", False),
        ("AIRFLOW__ATTIC__KEY", "", "", True),
    ]
    assert entry(attic, "StoreOperator").system == "Attic"
    assert entry(attic, "CarryUp").system == "Cellar → Attic"


def test_rules_of_any_engine_are_read(attic: Catalog) -> None:
    rule, shown = attic.rules
    assert (rule.id, rule.title, rule.severity, rule.group) == (
        "ATT1", "Box without a label", "error", "attic_rules",
    )  # fmt: skip
    assert not rule.has_page
    assert "height_cm=300" in shown.bad
    assert (shown.fix, shown.has_page) == ("cut it", True)


def test_an_operator_says_how_it_looks_and_what_it_does_to_its_task(attic: Catalog) -> None:
    store = entry(attic, "StoreOperator")
    assert (store.ui_color, store.ui_fgcolor) == ("#ffe0b2", "#333333")
    assert store.links == (ExtraLink("Box", "attic.operators.BoxLink"),)
    assert store.deferrable
    assert store.archiving
    assert not entry(attic, "CarryUp").archiving
    assert not store.durable


def test_deprecation_is_not_inherited(attic: Catalog) -> None:
    assert entry(attic, "KeepOperator").deprecated == "use StoreOperator"
    assert entry(attic, "KeepLongOperator").deprecated == ""


def test_what_every_operator_takes_cannot_be_mapped(attic: Catalog) -> None:
    store, base = entry(attic, "StoreOperator"), entry(attic, "BaseOperator")
    assert {each.name: each.mappable for each in store.parameters} == {"thing": True, "box": True}
    assert not any(each.mappable for each in base.parameters)
    assert not any(each.mappable for each in entry(attic, "AtticHook").parameters)


def test_docstrings_in_the_styles_of_google_and_numpy(attic: Catalog) -> None:
    store, keep = entry(attic, "StoreOperator"), entry(attic, "KeepOperator")
    assert store.summary == "Put a thing into a box."
    assert store.description == "It stays there.\n\n**Note**\n\nBoxes are *not* labelled."
    assert {each.name: each.description for each in store.parameters} == {
        "thing": "What to keep;\nwrapped in paper.",
        "box": "Which one.",
    }
    assert store.raises == (Raises("OSError", "The box is full."),)
    assert keep.parameters[0].description == "What to close it with."
    assert keep.raises[0] == Raises("OSError", "There is no lid.")


def test_a_module_that_cannot_be_imported_is_read_from_its_source(attic: Catalog) -> None:
    torn = entry(attic, "TornOperator")
    assert {each.short for each in attic.classes if each.static} == {
        "TornOperator", "TornTwice", "StillTorn", "Borrowed",
    }  # fmt: skip
    assert (torn.kind, torn.summary) == ("operator", "Tear a thing up.")
    assert [
        (each.name, each.type, each.default, each.templated, each.description)
        for each in torn.parameters
    ] == [("parts", "int", "2", True, "How many remain.")]
    assert torn.inherits[0] == "attic.operators.StoreOperator"
    assert torn.stray_fields == ()
    assert (torn.source.file, torn.source.line) == ("attic/torn.py", 10)
    borrowed = entry(attic, "Borrowed")
    assert borrowed.kind == "operator"  # as the folder says that its base would lie in
    assert [(each.name, each.default, each.description) for each in borrowed.parameters] == [
        ("colour", "'red'", "Of the ribbon.")
    ]
    assert entry(attic, "StillTorn").kind == "sensor"
    assert [each.where for each in attic.problems] == ["attic.torn"]
