"""What the catalogue lacks, as findings: the promise that nothing goes undocumented, checked."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.findings import Finding, Place, Report, Rule, Severity
from platform_ops.registry.model import Catalog, ClassEntry, Dag

__all__ = ["RULES", "check"]

UNREADABLE = Rule(
    "DOC001",
    "Cannot be imported",
    "What cannot be imported is missing from the site, and readers take it for not existing.",
)
CLASS = Rule(
    "DOC101",
    "Class without a summary",
    "Its page and every list of it would say nothing.",
)
PARAMETER = Rule(
    "DOC102",
    "Parameter without a description",
    "A type does not say what a value means; users find out by reading the source.",
)
STRAY = Rule(
    "DOC103",
    "Docstring describes a parameter that does not exist",
    "Users pass it, and Airflow refuses the DAG.",
)
TEMPLATE_FIELD = Rule(
    "DOC104",
    "Template field that is no parameter",
    "Readers look for an argument of that name, and mapped tasks cannot render it.",
    Severity.WARNING,
)
TEMPLATED = Rule(
    "DOC105",
    'Docstring says "(templated)", and the class does not',
    "Users write Jinja that is never rendered, and is sent as it stands.",
)
EXAMPLE = Rule(
    "DOC106",
    "Operator without an example",
    "An example that is parsed and run is the only one that stays true.",
    Severity.WARNING,
)
CONNECTION = Rule(
    "DOC107",
    "Connection type without a form",
    "The UI offers no such type, and users cannot tell which fields it reads.",
)
METRIC = Rule("DOC201", "Metric without help or unit", "Nobody can alert on what nobody can read.")
SETTING = Rule("DOC202", "Setting without a description", "It is set by guesswork, or not at all.")
ERROR = Rule("DOC203", "Error without a docstring", "Who meets it cannot tell what to do.")
DAG_TEXT = Rule(
    "DOC301",
    "DAG without a description",
    "Whoever is on call sees a name and a failure, and no purpose.",
)
DAG_OWNER = Rule("DOC302", "DAG without an owner", "There is no one to ask.", Severity.WARNING)

RULES = (
    UNREADABLE, CLASS, PARAMETER, STRAY, TEMPLATE_FIELD, TEMPLATED, EXAMPLE, CONNECTION,
    METRIC, SETTING, ERROR, DAG_TEXT, DAG_OWNER,
)  # fmt: skip

_NO_OWNER = "airflow"  # what Airflow calls a task whose author named none


def check(catalog: Catalog) -> Report:
    """Hold a catalogue against every rule.

    :return: Findings on the walked packages and DAGs alone; bases elsewhere are their authors'.
    """
    own = [each for each in catalog.classes if not each.base]
    forms = {each.conn_type for each in catalog.connections}
    used = {task.operator for dag in catalog.dags for task in dag.tasks}
    inherited = {each.name: {known.name for known in each.parameters} for each in catalog.classes}
    found: list[Finding] = [
        UNREADABLE.at(
            f"{each.kind} {each.where}", each.message, "install what it needs, or mend it"
        )
        for each in catalog.problems
    ]
    for each in own:
        found += _class(each)
        found += _templates(each, inherited)
        found += _connection(each, forms)
        if catalog.dags and _wants_example(each) and each.name not in used:
            fix = "use it in a DAG of a folder that the site shows"
            found.append(EXAMPLE.at(_place(each), "no DAG uses it", fix))
    found += _tables(catalog)
    for dag in catalog.dags:
        found += _dag(dag)
    return Report.of(found)


def _class(entry: ClassEntry) -> Iterator[Finding]:
    place = _place(entry)
    if not entry.summary:
        yield CLASS.at(place, "no docstring", "say in one sentence what it does")
    for parameter in entry.parameters:
        if parameter.declared_by == entry.name and not parameter.description:
            field = f":param {parameter.name}:"
            yield PARAMETER.at(place, f"no {field} field", f"add {field} to the class's docstring")
    for name in entry.stray_fields:
        yield STRAY.at(
            place, f"describes {name!r}, which no constructor takes", f"remove :param {name}:"
        )


def _wants_example(entry: ClassEntry) -> bool:
    return entry.kind in ("operator", "sensor") and not entry.abstract


def _templates(entry: ClassEntry, inherited: dict[str, set[str]]) -> Iterator[Finding]:
    taken = {each.name for each in entry.parameters}
    for base in entry.inherits:
        taken |= inherited.get(base, set())
    for name in entry.template_fields:
        if name not in taken:
            yield TEMPLATE_FIELD.at(
                _place(entry),
                f"{name!r} is in template_fields",
                "take it as an argument of that name",
            )
    for parameter in entry.parameters:
        claims = "(templated)" in parameter.description.lower()
        if claims and not parameter.templated and parameter.declared_by == entry.name:
            fix = "add it to template_fields, or drop the word; the site marks what is templated"
            yield TEMPLATED.at(_place(entry), f"{parameter.name!r} is not in template_fields", fix)


def _connection(entry: ClassEntry, forms: set[str]) -> Iterator[Finding]:
    if entry.kind == "hook" and entry.conn_type and entry.conn_type not in forms:
        fix = "list it under connection-types in the provider's description"
        yield CONNECTION.at(
            _place(entry), f"type {entry.conn_type!r} is in no provider's list", fix
        )


def _tables(catalog: Catalog) -> Iterator[Finding]:
    for metric in catalog.metrics:
        missing = [name for name in ("help", "unit") if not getattr(metric, name)]
        if missing:
            yield METRIC.at(f"metric {metric.name}", f"no {' and no '.join(missing)}")
    for setting in catalog.settings:
        if not setting.description:
            fix = "give the field a description"
            yield SETTING.at(f"setting {setting.name}", "no description", fix)
    for error in catalog.errors:
        if not error.summary:
            place = Place(f"{error.module}.{error.name}", error.source.file, error.source.line)
            yield ERROR.at(place, "no docstring", "say what happened and who can mend it")


def _dag(dag: Dag) -> Iterator[Finding]:
    place = Place(f"DAG {dag.dag_id}", f"{dag.folder}/{dag.source.file}", dag.source.line)
    if not dag.summary:
        yield DAG_TEXT.at(place, "neither description nor doc_md", "give it a description=")
    if set(dag.owners) <= {_NO_OWNER}:
        yield DAG_OWNER.at(
            place, "its tasks have Airflow's default owner", "set owner in default_args"
        )


def _place(entry: ClassEntry) -> Place:
    return Place(entry.public, entry.source.file, entry.source.line)
