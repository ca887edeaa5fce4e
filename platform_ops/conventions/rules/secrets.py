"""Secrets where others can read them. No message holds the value of one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from platform_ops.conventions.model import Agreed, Convention, Hit, TaskFacts
from platform_ops.conventions.rules.samples import sample
from platform_ops.findings import Severity

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module

__all__ = ["RULES"]

_NAME: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret|secret_key|api_?key|apikey|access_?key"
    r"|private_?key|auth_?token|access_?token|bearer_?token|api_?token|token|client_?secret"
    r"|secret_access_key|credentials?)$",
    re.IGNORECASE,
)
# What any name above holds: where a file has none of it there is nothing to look at.
_WORD: Final = re.compile(r"passw|passphrase|pwd|secret|key|token|credential", re.IGNORECASE)
_GIVEN_AWAY: Final = re.compile(r"\bpassword\b|extra_dejson|get_uri|Variable")
_SHAPE: Final = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[\w-]{20}"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|AIza[\w-]{35}"
    r"|[a-z][a-z0-9+]*://[^\s/:@{}<>]+:(?![\s/:@{}<>*]*(?:\{|<|\*{3}))[^\s/:@{}<>*]{3,}@[^\s/@]+"
)
_PLACEHOLDER: Final = re.compile(
    r"\s*|[*x.]+|<.*>|\$\{?\w+\}?|.*\{\{.*|.*%\(.*|(your|my|dummy|fake|test|example|change|placeholder|none|null"
    r"|true|false|todo|xxx)\b.*|.*[-_]?(placeholder|example|changeme)",
    re.IGNORECASE | re.DOTALL,
)
_RENDERED: Final = re.compile(
    r"\bconn\.\w+\.(?:password|get_password\(\)|get_uri\(\)|extra_dejson\.\w*(?:token|secret|key|password)\w*)"
    r"|\bvar\.(?:value|json)\.(?:get\(\s*['\"])?\w*(?:password|passwd|secret|token|api_?key)\w*",
    re.IGNORECASE,
)
_READERS: Final = ("os.getenv", "os.environ.get")
_ENVIRONMENT: Final = re.compile(r"\benviron\b|\bgetenv\b")
_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def _in_code(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    seen: set[int] = set()
    for line, name, value in _named(module.tree) if _WORD.search(module.text) else ():
        if line not in seen and _NAME.search(name) and _is_secret(value):
            seen.add(line)
            yield Hit(line, "", f"{name} is given as text")
    for each in module.walk.strings:
        if isinstance(each.value, str) and each.lineno not in seen and _SHAPE.search(each.value):
            seen.add(each.lineno)
            yield Hit(
                each.lineno, "", "a text has the shape of a key, a token or a URL with password"
            )


def _is_secret(value: str) -> bool:
    """Whether a text might open something: names of files, fields and sentences do not."""
    return (
        len(value) >= 4
        and not re.search(r"\s", value)
        and not _PLACEHOLDER.fullmatch(value)
        and not _NAME.fullmatch(value)
        and not re.fullmatch(r"[a-z]+(?:[_./:-][a-z]+)+|/[\w./-]*|[A-Z]+(?:_[A-Z]+)+", value)
    )


def _named(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Texts that stand under a name: assigned, in a dictionary, or as an argument."""
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_last(each), node.value) for each in node.targets]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs = [(_last(node.target), node.value)]
        elif isinstance(node, ast.keyword):
            pairs = [(node.arg or "", node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            ]
        for name, value in pairs:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, name, value.value


def _last(target: ast.expr) -> str:
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")


def _in_template(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for line, text in task.texts():
        for expression in _EXPRESSION.findall(text):
            if match := _RENDERED.search(expression):
                message = f"{match[0]} is rendered into an argument, which Airflow keeps and shows"
                yield Hit(line or task.line, task.name, message)


def _in_xcom(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for task in module.tasks if _GIVEN_AWAY.search(module.text) else ():
        if task.made.function is None:
            continue
        for node in ast.walk(task.made.function):
            value = node.value if isinstance(node, ast.Return) else _pushed(node)
            if value is not None and (what := _tells(module, value)):
                yield Hit(node.lineno, task.name, f"hands {what} to XCom")  # type: ignore[attr-defined]  # a statement or call


def _pushed(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "xcom_push":
        return next((each.value for each in node.keywords if each.arg == "value"), None)
    return None


def _tells(module: Module, value: ast.expr) -> str:
    """What of a connection an expression gives away; nothing where it is handed to a call."""
    if isinstance(value, ast.Attribute) and value.attr in ("password", "extra_dejson"):
        return f"a connection's {value.attr}"
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute) and value.func.attr == "get_uri":
            return "a connection's URI"
        name = module.resolve(value.func)
        first = value.args[0] if value.args else None
        if name.endswith("Variable.get") and isinstance(first, ast.Constant):
            return f"the Variable {first.value!r}" if _NAME.search(str(first.value)) else ""
        return ""
    if isinstance(value, ast.JoinedStr):
        parts = [each.value for each in value.values if isinstance(each, ast.FormattedValue)]
    elif isinstance(value, ast.Dict):
        parts = value.values
    elif isinstance(value, (ast.Tuple, ast.List)):
        parts = value.elts
    else:
        return ""
    return next((told for each in parts if (told := _tells(module, each))), "")


def _from_environment(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if not _ENVIRONMENT.search(module.text):
        return
    for site in (*module.dags, *module.tasks):
        for argument, value in site.keywords.items():
            for name in dict.fromkeys(_environment_reads(module, value, depth=2)):
                who = site.name if hasattr(site, "name") else ""
                message = (
                    f"{argument} holds {name} of the environment, which Airflow keeps and shows"
                )
                yield Hit(value.lineno, who, message)


def _environment_reads(module: Module, value: ast.expr, depth: int) -> Iterator[str]:
    """Names of secrets that an expression takes from the environment, itself or by a name bound once."""
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and depth:
            bound = module.walk.bound_once(node.id)
            if bound is not None:
                yield from _environment_reads(module, bound, depth - 1)
        elif isinstance(node, ast.Subscript) and module.resolve(node.value) == "os.environ":
            yield from _secret_names(node.slice)
        elif isinstance(node, ast.Call) and node.args and module.resolve(node.func) in _READERS:
            yield from _secret_names(node.args[0])


def _secret_names(key: ast.expr) -> Iterator[str]:
    if isinstance(key, ast.Constant) and isinstance(key.value, str) and _NAME.search(key.value):
        yield key.value


_BASH: Final = "from airflow.providers.standard.operators.bash import BashOperator"


def _key(body: str) -> str:
    return f'''
@task
def key() -> str:
    """Tell which key is in use."""
    return BaseHook.get_connection("weather_api").{body}

key()
'''


RULES: Final = (
    Convention(
        id="PO601",
        title="Secret in code",
        why=(
            "It is in the repository's history for ever, in the DAG's code that Airflow shows to every "
            "reader, and in every copy of either."
        ),
        bad=sample(top='API_KEY = "k3y-93bd-77a1"'),
        good=sample(),
        fix="change the secret, since it is known now, and keep the new one in a secrets backend",
        source=_in_code,
        hides=True,
    ),
    Convention(
        id="PO602",
        title="Secret rendered into an argument",
        why=(
            "Airflow stores rendered arguments and shows them in the UI; a command line is also seen by "
            "everybody on the machine. What is masked there is not masked in the process list."
        ),
        severity=Severity.WARNING,
        bad=sample(
            'BashOperator(task_id="load", bash_command="load --key {{ conn.weather_api.password }}")',
            _BASH,
        ),
        good=sample(
            'BashOperator(task_id="load", bash_command="load --connection weather_api")', _BASH
        ),
        fix="let a hook read the connection in the task, or mount the secret into its environment",
        on_task=_in_template,
    ),
    Convention(
        id="PO603",
        title="Secret handed to XCom",
        why="XCom is a table that every task and every reader of the UI can see, and nobody empties it.",
        bad=sample(_key("password"), "from airflow.sdk.bases.hook import BaseHook"),
        good=sample(_key("login"), "from airflow.sdk.bases.hook import BaseHook"),
        fix="hand on the connection's id, and read the secret where it is used",
        source=_in_xcom,
    ),
    Convention(
        id="PO604",
        title="Secret of the environment in an argument",
        why=(
            "Arguments, `params` and `default_args` become a part of the DAG that Airflow stores and shows: "
            "what the file reads from the environment while it is parsed stands there in clear."
        ),
        severity=Severity.WARNING,
        bad=sample(
            'BashOperator(task_id="load", bash_command="load", env={"KEY": os.getenv("API_KEY", "")})',
            f"import os\n\n{_BASH}",
        ),
        good=sample(
            'BashOperator(task_id="load", bash_command="load", append_env=True)',
            _BASH,
        ),
        fix="read it in the task, from the environment of the worker or from a connection",
        source=_from_environment,
    ),
)
