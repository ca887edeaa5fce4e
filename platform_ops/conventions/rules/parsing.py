"""What a DAG file does each time that it is parsed: by the DAG processor, and by every task's process."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from platform_ops.conventions.model import Agreed, Convention, Hit
from platform_ops.conventions.rules.clock import differs
from platform_ops.conventions.rules.samples import LOAD, sample
from platform_ops.conventions.rules.schedule import start_dates
from platform_ops.findings import Severity

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module

__all__ = ["RULES", "SLOW"]

_OUTSIDE: Final = re.compile(
    r"(requests|httpx)\.(get|post|put|patch|delete|head|options|request|stream)"
    r"|urllib\.request\.(urlopen|urlretrieve)|urllib3\.request|socket\.create_connection"
    r"|(ftplib\.FTP(_TLS)?|smtplib\.SMTP(_SSL)?|imaplib\.IMAP4(_SSL)?|paramiko\.SSHClient)"
    r"|boto3\.(client|resource)|pymongo\.MongoClient|redis\.(Redis|StrictRedis|from_url)"
    r"|(psycopg2?|pymysql|MySQLdb|oracledb|pyodbc|duckdb|sqlite3|mysql\.connector|snowflake\.connector)"
    r"\.connect|google\.cloud\.\w+\.Client"
    r"|pandas\.read_\w+|polars\.(read|scan)_\w+|pyarrow\.parquet\.read_table"
    r"|subprocess\.(run|call|check_call|check_output|Popen)|os\.(system|popen)|time\.sleep"
)
_HOOK: Final = re.compile(r"[\w.]*[A-Z]\w*Hook")
_LOOKUP: Final = re.compile(
    r"airflow\.[\w.]*?(Variable\.(get|set|delete|setdefault)|Connection\.(get|get_connection_from_secrets)"
    r"|BaseHook\.(get_connection|get_hook|get_connections))"
)


def _outside(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for call in module.parse_time_calls():
        name = call.name if _OUTSIDE.fullmatch(call.name) else _asked(module, call.node)
        if name and not _LOOKUP.fullmatch(call.name):
            yield Hit(call.node.lineno, "", f"{name}(…) runs whenever the file is parsed")


def _asked(module: Module, node: ast.Call) -> str:
    """The method of a hook that is called: to make one asks nobody yet."""
    if not isinstance(node.func, ast.Attribute):
        return ""
    owner: ast.expr | None = node.func.value
    if isinstance(owner, ast.Name):
        owner = module.walk.bound_once(owner.id)
    name = module.resolve(owner.func) if isinstance(owner, ast.Call) else ""
    return f"{name.rpartition('.')[2]}.{node.func.attr}" if _HOOK.fullmatch(name) else ""


def _lookups(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for call in module.parse_time_calls():
        if _LOOKUP.fullmatch(call.name):
            yield Hit(call.node.lineno, "", f"{call.name}(…) runs whenever the file is parsed")


def _heavy(module: Module, agreed: Agreed) -> Iterator[Hit]:
    heavy = set(agreed.settings.heavy_imports)
    seen: set[tuple[int, str]] = set()
    for each in module.walk.imports:
        steps = each.name.split(".")
        found = next(
            (name for end in range(1, len(steps) + 1) if (name := ".".join(steps[:end])) in heavy),
            "",
        )
        if found and each.scope is None and (each.line, found) not in seen:
            seen.add((each.line, found))
            yield Hit(each.line, "", f"imports {found} at the top of the file")


def _changing(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    told = {
        call
        for dag in module.dags
        for each in start_dates(module, dag.keywords.values(), dag.keywords.get("start_date"))
        for call in ast.walk(each)
    }
    for call in module.parse_time_calls():
        if differs(call.name) and call.node not in told:
            yield Hit(call.node.lineno, "", f"{call.name}() gives every parse another result")


_REQUEST: Final = (
    'STATIONS = requests.get("https://weather.example.com/stations", timeout=10).json()'
)
_LATER: Final = '''
@task
def load() -> None:
    """Ask for the stations, and load them."""
    stations = {}

load()
'''

SLOW: Final = Convention(
    id="PO305",
    goes_by=("parse_seconds",),
    title="DAG file that takes too long to parse",
    why=(
        "The DAG processor parses it over and over, and every task of it parses it once more before it "
        "starts. Above Airflow's `dagbag_import_timeout` its DAGs vanish."
    ),
    severity=Severity.WARNING,
    fix="move imports and computations into the tasks; `python -X importtime` shows which imports are slow",
)

RULES: Final = (
    Convention(
        id="PO301",
        title="Talks to another system while it is parsed",
        why=(
            "Every parse waits for it, in the DAG processor and again in the process of each task: "
            "where it is slow all DAGs are late, where it is down they vanish."
        ),
        bad=sample(imports="import requests", top=_REQUEST),
        good=sample(_LATER),
        fix="do it in a task, and hand on what it gives",
        source=_outside,
    ),
    Convention(
        id="PO302",
        title="Looks up a Variable or Connection while it is parsed",
        why=(
            "Each parse of each file becomes a request to the API server or the secrets backend, some of "
            "which bill by the request; and the value is fixed in the DAG's version."
        ),
        bad=sample(
            imports="from airflow.sdk import Variable", top='CITY = Variable.get("city", "Bergen")'
        ),
        good=sample(
            'BashOperator(task_id="load", bash_command="load {{ var.value.city }}")',
            "from airflow.providers.standard.operators.bash import BashOperator",
        ),
        fix="use `{{ var.value.… }}` or `{{ conn.… }}` in a template, or look it up in the task",
        source=_lookups,
    ),
    Convention(
        id="PO303",
        goes_by=("heavy_imports", "import_seconds"),
        title="Heavy import at the top",
        why=(
            "Each task's process parses the file before it starts: a second for pandas, ten for a model "
            "library, in every task, and the memory of it in every worker."
        ),
        severity=Severity.WARNING,
        bad=sample(imports="import pandas as pd"),
        good=sample(LOAD.rstrip().replace('"""\n', '"""\n    import pandas as pd\n', 1)),
        fix="import it in the function that needs it",
        source=_heavy,
    ),
    Convention(
        id="PO304",
        title="Every parse gives another DAG",
        why=(
            "Airflow keeps a version of each DAG that differs from the one before: a time or a random value "
            "in it makes a new version every minute, and none of them is the one that ran."
        ),
        severity=Severity.WARNING,
        bad=sample(top='BATCH = f"batch-{datetime.now(UTC):%H%M%S}"'),
        good=sample(top='BATCH = "batch-{{ ts_nodash }}"'),
        fix="compute it in the task, or in a template",
        source=_changing,
    ),
    SLOW,
)
