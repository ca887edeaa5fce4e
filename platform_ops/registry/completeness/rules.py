"""The rules that a catalogue is held against, each with its reason; the site lists them all."""

from __future__ import annotations

from typing import Final

from platform_ops.findings import Rule, Severity

__all__ = ["FROM_FILES", "RULES"]

UNREADABLE: Final = Rule(
    "DOC001",
    "Cannot be imported",
    "What cannot be imported is missing from the site, and readers take it for not existing.",
    fix="install what it needs, or mend it",
)

CLASS: Final = Rule(
    "DOC101",
    "Class without a summary",
    "Its page and every list of it would say nothing.",
    bad="class LendOperator(BaseOperator):\n    def __init__(self, *, title: str, **kwargs): ...",
    good='class LendOperator(BaseOperator):\n    """Lend a book, and write down to whom."""',
    fix="say in one sentence what it does",
)
PARAMETER: Final = Rule(
    "DOC102",
    "Parameter without a description",
    "A type does not say what a value means; users find out by reading the source.",
    bad='"""Lend a book."""',
    good='"""Lend a book.\n\n:param title: As it stands on its spine.\n"""',
)
STRAY: Final = Rule(
    "DOC103",
    "Docstring describes a parameter that does not exist",
    "Users pass it, and Airflow refuses the DAG.",
    bad=":param reder: Who takes it.",
    good=":param reader: Who takes it.",
)
TEMPLATE_FIELD: Final = Rule(
    "DOC104",
    "Template field that is no parameter",
    "Readers look for an argument of that name, and mapped tasks cannot render it.",
    Severity.WARNING,
    bad='template_fields = ("title", "note")\n\ndef __init__(self, *, title: str, **kwargs): ...',
    good='template_fields = ("title",)\n\ndef __init__(self, *, title: str, **kwargs): ...',
    fix="take it as an argument of that name",
)
TEMPLATED: Final = Rule(
    "DOC105",
    'Docstring says "(templated)", and the class does not',
    "Users write Jinja that is never rendered, and is sent as it stands.",
    bad=':param reader: Who takes it. (templated)\n\ntemplate_fields = ("title",)',
    good=':param reader: Who takes it.\n\ntemplate_fields = ("title", "reader")',
    fix="add it to template_fields, or drop the word; the site marks what is templated",
)
EXAMPLE: Final = Rule(
    "DOC106",
    "Operator without an example",
    "An example that is parsed and run is the only one that stays true.",
    Severity.WARNING,
    fix="use it in a DAG of a folder that the site shows",
)
CONNECTION: Final = Rule(
    "DOC107",
    "Connection type without a form",
    "The UI offers no such type, and users cannot tell which fields it reads.",
    fix="list it under connection-types in the provider's description",
)
TYPE: Final = Rule(
    "DOC108",
    "Docstring names another type than the signature",
    "One of them is wrong, and readers believe the one that they happen to see.",
    bad=":param str copies: How many.\n\ndef __init__(self, *, copies: int, **kwargs): ...",
    good=":param copies: How many.\n\ndef __init__(self, *, copies: int, **kwargs): ...",
    fix="leave types to the signature",
)
DEFAULT: Final = Rule(
    "DOC109",
    "Docstring names another default than the signature",
    "Users leave the argument out, and get what they did not ask for.",
    bad=":param copies: How many; defaults to 2.\n\ndef __init__(self, *, copies: int = 1): ...",
    good=":param copies: How many.\n\ndef __init__(self, *, copies: int = 1): ...",
    fix="leave defaults to the signature, which the site shows",
)

METRIC: Final = Rule(
    "DOC201", "Metric without help or unit", "Nobody can alert on what nobody can read."
)
SETTING: Final = Rule(
    "DOC202",
    "Setting without a description",
    "It is set by guesswork, or not at all.",
    bad="mood: str = Field('quiet')",
    good="mood: str = Field('quiet', description=\"What is asked of readers.\")",
    fix="give the field a description",
)
ERROR: Final = Rule(
    "DOC203",
    "Error without a docstring",
    "Who meets it cannot tell what to do.",
    fix="say what happened and who can mend it",
)
UNDECLARED: Final = Rule(
    "DOC204",
    "Metric emitted, and in no table",
    "It reaches the backend, and no page says what it counts.",
    bad='stats.incr("shelf.returns")',
    good='METRICS = (*METRICS, Metric("shelf.returns", "counter", "books", "Books brought back."))',
    fix="add it to the table of metrics that the site shows",
)

DAG_TEXT: Final = Rule(
    "DOC301",
    "DAG without a description",
    "Whoever is on call sees a name and a failure, and no purpose.",
    bad='with DAG("lending", schedule="@daily"): ...',
    good='with DAG("lending", description="Lends a book every night.", schedule="@daily"): ...',
    fix="give it a description=",
)
DAG_OWNER: Final = Rule(
    "DOC302",
    "DAG without an owner",
    "There is no one to ask.",
    Severity.WARNING,
    bad='with DAG("lending", schedule="@daily"): ...',
    good='with DAG("lending", schedule="@daily", default_args={"owner": "librarian"}): ...',
    fix="set owner in default_args",
)
DAG_DOC: Final = Rule(
    "DOC303",
    "DAG without doc_md",
    "One line does not say what to do when it fails, nor who waits for what it makes.",
    Severity.WARNING,
    fix="tell in doc_md what it is for, and what to do when it fails",
)

NEVER_RUN: Final = Rule(
    "DOC401",
    "Example that was never run",
    "Nobody knows whether it works, and its page cannot show what it does.",
    fix="run `platform-ops docs examples` and commit what it writes",
)
OUTDATED: Final = Rule(
    "DOC402",
    "Example or what it uses changed since it was run",
    "Its page shows the output of other code.",
    fix="run `platform-ops docs examples` and commit what it writes",
)
LEFT_OVER: Final = Rule(
    "DOC403",
    "Output of an example that is gone",
    "Nothing shows it, and nothing keeps it true.",
    fix="remove the file",
)

RULES: Final = (
    UNREADABLE,
    CLASS,
    PARAMETER,
    STRAY,
    TEMPLATE_FIELD,
    TEMPLATED,
    EXAMPLE,
    CONNECTION,
    TYPE,
    DEFAULT,
    METRIC,
    SETTING,
    ERROR,
    UNDECLARED,
    DAG_TEXT,
    DAG_OWNER,
    DAG_DOC,
    NEVER_RUN,
    OUTDATED,
    LEFT_OVER,
)
"""All of them, by id."""

FROM_FILES: Final = (UNDECLARED, NEVER_RUN, OUTDATED, LEFT_OVER)
"""Those that read files besides the catalogue."""
