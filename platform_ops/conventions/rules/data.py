"""What DAGs take in and hand on: archived, declared, and written by one alone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from platform_ops.conventions.literals import Called, Named
from platform_ops.conventions.model import (
    MISSING,
    Agreed,
    Convention,
    Hit,
    TaskFacts,
    Told,
    Write,
)
from platform_ops.conventions.rules.naming import shown
from platform_ops.conventions.rules.samples import LOAD, sample
from platform_ops.findings import Severity
from platform_ops.stock_operators import STOCK_OPERATORS

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module

__all__ = ["RULES", "writes"]

_LOCAL: Final = re.compile(r"/(?:var/)?tmp/[\w./{}…%~-]+")
_REMOVED: Final = re.compile(r"\brm\s+(?:-\w+\s+)*/(?:var/)?tmp/[^\s;&|]+")
_CHOICES: Final = {
    "FTPFileTransmitOperator": "operation",
    "FTPSFileTransmitOperator": "operation",
    "HttpOperator": "method",
    "SFTPOperator": "operation",
}
"""Operators that take in or send, and the argument that says which."""
_SENDS: Final = ("put", "patch", "delete", "head", "options")
_FETCH: Final = re.compile(
    r"(requests|httpx)\.(get|request|stream)|urllib\.request\.(urlopen|urlretrieve)"
)


def _named(text: str) -> Iterator[str]:
    """Paths that a text names, but for those that it only removes."""
    yield from (each.rstrip("./") for each in _LOCAL.findall(_REMOVED.sub("", text)))


def _handed_over(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    users: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for task in module.tasks if "/tmp/" in module.text else ():  # noqa: S108  what is looked for
        for line, path in _local_paths(module, task):
            users[id(task.dag), path].setdefault(task.name, line)
    for (_, path), tasks in users.items():
        names = list(tasks)
        if len(names) > 1:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            message = f"{path} lies on one worker's disk, between {names[0]} and {names[1]}{more}"
            yield Hit(tasks[names[1]], names[1], message)


def _local_paths(module: Module, task: Any) -> Iterator[tuple[int, str]]:  # Any: a TaskSite
    nodes: list[ast.AST] = [task.call, *task.made.more]
    if task.made.function is not None:
        nodes.append(task.made.function)
    named = task.keywords.get("python_callable")
    if isinstance(named, ast.Name) and named.id in module.walk.functions:
        nodes.append(module.walk.functions[named.id].node)
    for node in nodes:
        yield from _paths(node)


def _paths(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.JoinedStr):
        text = "".join(
            str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values
        )
        yield from ((node.lineno, each) for each in _named(text))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str) and "/tmp/" in node.value:  # noqa: S108  what is looked for
            yield from ((node.lineno, each) for each in _named(node.value))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _paths(child)


def _stock(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:
    row = STOCK_OPERATORS.get(task.operator)
    if row is None or _sends(task, row.name):
        return
    connection = task.given(row.connection) if row.connection else MISSING
    patterns = agreed.settings.archiving_connections if row.by_type else ()
    if isinstance(connection, str) and any(re.fullmatch(each, connection) for each in patterns):
        return
    message = f"{row.name} takes in from {row.system}, and keeps no copy"
    yield Hit(task.line, task.name, message, row.advice)


def _sends(task: TaskFacts, name: str) -> bool:
    """Whether it is told to send, or to run a statement whose result nobody takes."""
    if name == "SQLExecuteQueryOperator":
        query = task.given("sql")
        return not (
            isinstance(query, str) and re.match(r"\s*(select|with)\b", query, re.IGNORECASE)
        )
    if name not in _CHOICES:
        return False
    told = task.given(_CHOICES[name])
    if told is MISSING:
        return _CHOICES[name] == "operation"  # which is to send, by these operators' defaults
    return isinstance(told, str) and told.lower() in _SENDS


def _fetched(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    archiving = {
        each.scope for each in module.calls if each.name.rpartition(".")[2] == "archive_session"
    }
    archiving |= {each.made.function for each in module.tasks if each.operator == "task.archive"}
    for call in module.task_time_calls():
        if _FETCH.fullmatch(call.name) and call.scope not in archiving:
            function = getattr(call.scope, "name", "")
            yield Hit(
                call.node.lineno, function, f"{call.name}(…) takes data in, and keeps no copy"
            )


def entity_of(task: TaskFacts) -> str | None:
    """The entity that a task archives, where that is spelled out."""
    short = task.operator.rpartition(".")[2]
    if task.operator == "task.archive" or short.startswith("Archiving"):
        found = task.given("entity")
        if found is MISSING and hasattr(task, "first"):
            found = task.first()
        return found if isinstance(found, str) and not isinstance(found, Named) else None
    return None


def _undeclared(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:
    entity = entity_of(task)
    if agreed.entities is None or entity is None or "{{" in entity:
        return
    if entity not in agreed.entities:
        yield Hit(task.line, task.name, f"the entity {entity!r} stands in no platform.toml")


def writes(module: Module) -> Iterator[Write]:
    """What the DAGs of a file write and wait for, for the rules that look at all files together."""
    for task in module.tasks:
        dag = str(task.dag.dag_id) if task.dag and isinstance(task.dag.dag_id, str) else ""
        if entity := entity_of(task):
            yield Write("entity", entity, dag or module.path, task.line)
            yield Write("asset", entity, dag, task.line)
        yield from _assets(task.own("outlets"), "asset", dag, task.line)
    for name, node in module.walk.assets:
        yield Write("asset", name, "", getattr(node, "lineno", 1))
    for each in module.dags:
        schedule = each.given("schedule")
        if isinstance(schedule, (list, Called)):
            yield from _assets(schedule, "waits", shown(each), each.line)
        yield from _assets(each.default("outlets"), "asset", shown(each), each.line)


def _assets(value: Any, kind: str, dag: str, line: int) -> Iterator[Write]:  # Any: literals
    if isinstance(value, list):
        for each in value:
            yield from _assets(each, kind, dag, line)
    elif isinstance(value, Called) and value.name.rpartition(".")[2] in (
        "Asset",
        "Dataset",
        "asset",
    ):
        first = value.node.args[0] if value.node.args else None
        name = first.value if isinstance(first, ast.Constant) else value.kwargs.get("name")
        uri = value.kwargs.get("uri")
        if "watchers" in value.kwargs:
            return  # something outside updates it
        found = [each for each in (name, uri) if isinstance(each, str)]
        yield from (Write(kind, each, dag, line) for each in found[: 1 if kind == "waits" else 2])
        if not found and kind == "asset":
            yield Write("computed", "", dag, line)
    elif kind == "asset" and value not in (MISSING, None):
        yield Write("computed", "", dag, line)


def _rivals(found: Sequence[Write], agreed: Agreed) -> Iterator[Told]:  # noqa: ARG001  as all checks
    by_entity: dict[str, dict[str, Write]] = defaultdict(dict)
    for each in found:
        if each.kind == "entity":
            by_entity[each.name].setdefault(each.dag, each)
    for entity, dags in sorted(by_entity.items()):
        first, *others = dags.values()
        for each in others:
            message = f"the entity {entity!r} is written by {first.dag} as well, in {first.file}"
            yield Told(each.file, Hit(each.line, each.dag, message))


def _never(found: Sequence[Write], agreed: Agreed) -> Iterator[Told]:
    if any(each.kind == "computed" for each in found):
        return  # it may be the one
    written = {each.name for each in found if each.kind == "asset"}
    outside = agreed.settings.external_assets
    for each in found:
        if each.kind != "waits" or each.name in written:
            continue
        if not any(re.fullmatch(pattern, each.name) for pattern in outside):
            message = f"waits for the asset {each.name!r}, and no DAG here has it as an outlet"
            yield Told(each.file, Hit(each.line, each.dag, message))


def _hand_over(write: str, read: str) -> str:
    return f'''
@task
def fetch() -> str:
    """Write the day's file."""
    return {write}

@task
def load(path: str) -> None:
    """Load the day's file."""
    print({read})

load(fetch())
'''


_HTTP: Final = "from airflow.providers.http.operators.http import HttpOperator"
_OURS: Final = "from platform_ops import ArchivingHttpOperator"
_SESSION: Final = '''
@task
def fetch() -> None:
    """Ask the station."""
    with archive_session("weather.forecast") as session:
        session.write([requests.get("https://weather.example.com/now", timeout=10).content])

fetch()
'''
_BARE: Final = '''
@task
def fetch() -> str:
    """Ask the station."""
    return requests.get("https://weather.example.com/now", timeout=10).text

fetch()
'''


def _ours(entity: str) -> str:
    return f'ArchivingHttpOperator(task_id="forecast", entity="{entity}", endpoint="/forecast")'


RULES: Final = (
    Convention(
        id="PO501",
        title="Hand-over by a worker's own disk",
        why=(
            "The next task may run on another machine, in another pod, or tomorrow: the file is missing, or "
            "it is another run's."
        ),
        bad=sample(_hand_over('"/tmp/weather.csv"', 'open("/tmp/weather.csv").read()')),
        good=sample(_hand_over('"s3://lake/weather.csv"', "path")),
        fix="keep it at rest in the archive or an object store, and hand on its URL or reference",
        source=_handed_over,
    ),
    Convention(
        id="PO502",
        goes_by=("archiving_connections",),
        title="Stock operator where an archiving one is due",
        why=(
            "What came in is gone once it is transformed: nobody can prove what the source sent, and a "
            "fault found next month cannot be replayed."
        ),
        severity=Severity.WARNING,
        bad=sample('HttpOperator(task_id="forecast", endpoint="/forecast", method="GET")', _HTTP),
        good=sample(_ours("weather.forecast"), _OURS),
        fix="use the archiving operator of the system, or a connection that archives, and list that in "
        "`archiving_connections` of [conventions]",
        on_task=_stock,
    ),
    Convention(
        id="PO503",
        title="Entity that is not declared",
        why="Nobody answers for it, nothing says how long it is kept, and it has no page.",
        severity=Severity.WARNING,
        bad=sample(_ours("weather.forcast"), _OURS),
        good=sample(_ours("weather.forecast"), _OURS),
        fix="declare it in platform.toml, below [sources], or mend its name",
        on_task=_undeclared,
    ),
    Convention(
        id="PO504",
        title="Two DAGs write one entity",
        why=(
            "Both fill the same slots, in turns: readers see now the one, now the other, and nobody knows "
            "whose fault a wrong day is."
        ),
        bad=sample(_ours("weather.forecast"), _OURS)
        + "\n\n"
        + sample(_ours("weather.forecast"), dag_id='"hourly_weather"')
        .partition("\n\n")[2]
        .partition("\n\n")[2],
        good=sample(_ours("weather.forecast"), _OURS),
        fix="let one of them archive it, and the other read it from the archive",
        across=_rivals,
    ),
    Convention(
        id="PO505",
        goes_by=("external_assets",),
        title="Waits for an asset that no DAG updates",
        why="It never runs, and nothing fails: a letter too many in a name, or an outlet nobody declared.",
        severity=Severity.WARNING,
        bad=sample(
            imports="from airflow.sdk import Asset",
            schedule='[Asset("weather.forcast")]',
            start_date=None,
            catchup=None,
        ),
        good=sample(
            LOAD.replace("@task", '@task(outlets=[Asset("weather.daily")])'),
            imports="from airflow.sdk import Asset",
        ),
        fix="declare it as an outlet of the task that writes it; where something outside does, list it in "
        "`external_assets` of [conventions]",
        across=_never,
    ),
    Convention(
        id="PO506",
        title="Fetched by code, and not archived",
        why="What the source sent is gone with the task: it can be neither proved nor replayed.",
        severity=Severity.WARNING,
        bad=sample(_BARE.replace("    return", "    import requests\n\n    return", 1)),
        good=sample(
            _SESSION.replace("    with", "    import requests\n\n    with", 1),
            "from platform_ops import archive_session",
        ),
        fix="wrap it in `archive_session(entity)`, or use an archiving operator",
        source=_fetched,
    ),
)
