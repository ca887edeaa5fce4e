"""The catalogue of a package that platform_ops never saw."""

from __future__ import annotations

from platform_ops.registry import Catalog
from platform_ops.registry.models.catalog import ClassEntry, Task


def entry(catalog: Catalog, name: str) -> ClassEntry:
    """One class by its bare name."""
    (found,) = [each for each in catalog.classes if each.short == name]
    return found


def test_classes_are_told_by_their_bases_and_not_by_their_names(shelf_catalog: Catalog) -> None:
    own = {(each.kind, each.short) for each in shelf_catalog.classes if not each.base}
    assert own == {
        ("operator", "ShelfTask"),
        ("operator", "LendOperator"),
        ("sensor", "Patience"),
        ("hook", "ShelfHook"),
    }


def test_an_operator_is_described_in_full(shelf_catalog: Catalog) -> None:
    found = entry(shelf_catalog, "LendOperator")
    assert found.import_line == "from shelf import LendOperator"
    assert found.summary == "Lend a book, and write down to whom. It keeps a ledger."
    assert (
        found.description == "The ledger is *never* shortened; see :class:`shelf.hooks.ShelfHook`."
    )
    assert found.since == "1.4"
    assert found.template_ext == (".title",)
    assert found.references == ("`The shelf's rules <https://example.com/rules>`__.",)
    assert [each.name for each in found.raises] == ["ShelfClosed"]
    assert (found.source.file, found.source.line) == ("shelf/operators.py", 23)


def test_parameters_say_type_default_template_and_where_they_come_from(
    shelf_catalog: Catalog,
) -> None:
    found = entry(shelf_catalog, "LendOperator")
    rows = [
        (each.name, each.type, each.default, each.templated, each.renderer, each.declared_by)
        for each in found.parameters
    ]
    lend, shelf = "shelf.operators.LendOperator", "shelf.operators.ShelfTask"
    assert rows == [
        ("title", "str", None, True, "bash", lend),
        ("reader", "str", "'anyone'", False, "", lend),
        ("condition", "'new' | 'worn' | None", "None", False, "", lend),
        ("shelf_conn_id", "str", "'shelf_default'", False, "", shelf),
    ]
    assert found.parameters[1].description == "Who takes it,\nin full."
    assert found.parameters[3].documented_by == shelf


def test_what_a_foreign_base_takes_is_kept_once_and_named(shelf_catalog: Catalog) -> None:
    found = entry(shelf_catalog, "LendOperator")
    assert found.inherits == ("airflow.sdk.bases.operator.BaseOperator",)
    base = entry(shelf_catalog, "BaseOperator")
    assert base.base
    assert base.public == "airflow.sdk.BaseOperator"
    assert {"task_id", "retries", "queue"} <= {each.name for each in base.parameters}


def test_an_operator_finds_its_hook_by_airflows_convention(shelf_catalog: Catalog) -> None:
    found = entry(shelf_catalog, "LendOperator")
    assert (found.hook, found.conn_type) == ("shelf.hooks.ShelfHook", "shelf")


def test_deferrable_is_seen(shelf_catalog: Catalog) -> None:
    assert entry(shelf_catalog, "Patience").deferrable
    assert not entry(shelf_catalog, "LendOperator").deferrable


def test_what_cannot_be_imported_is_named_with_its_reason(shelf_catalog: Catalog) -> None:
    named = {(each.kind, each.where): each.message for each in shelf_catalog.problems}
    assert named == {
        ("module", "shelf.broken"): (
            "ModuleNotFoundError: No module named 'a_library_that_nobody_has'"
        ),
        ("dag", "torn.py"): "RuntimeError: the page is torn",
    }


def test_metrics_settings_errors_and_tables(shelf_catalog: Catalog) -> None:
    (metric,) = shelf_catalog.metrics
    assert (metric.name, metric.kind, metric.tags) == ("shelf.loans", "counter", ("branch",))
    assert [(each.name, each.type, each.default, each.unit) for each in shelf_catalog.settings] == [
        ("mood", '"quiet" | "silent"', '"quiet"', ""),
        ("branches.<branch>.street", "str", "", ""),
        ("branches.<branch>.open_hours", "int", "8", "hours"),
    ]
    assert shelf_catalog.settings[1].required
    closed = shelf_catalog.errors[1]
    assert (closed.name, closed.parent, closed.retryable) == ("ShelfClosed", "ShelfError", True)
    assert shelf_catalog.tables[0].rows == (("Monday", "``08:00``"), ("Sunday", "never"))


def test_a_dag_is_what_a_scheduler_sees(shelf_catalog: Catalog) -> None:
    (dag,) = shelf_catalog.dags
    assert dag.dag_id == "lending"
    assert dag.schedule_words == "at 04:30 (UTC)"
    assert dag.owners == ("librarian",)
    assert (dag.source.file, dag.source.line) == ("lending.py", 10)
    assert dag.tasks == (
        Task("lend", "shelf.operators.LendOperator", "LendOperator", ("tell",), mapped=True),
        Task(
            "tell",
            dag.tasks[1].operator,
            "@task",
            summary="Count what went out.",
        ),
    )


def test_a_catalogue_reads_back_equal(shelf_catalog: Catalog) -> None:
    assert Catalog.from_json(shelf_catalog.to_json()) == shelf_catalog
