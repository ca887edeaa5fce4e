"""One pass over a file's tree, which collects what all rules ask for."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Call", "Function", "Import", "MadeDag", "MadeTask", "Scope", "Walk"]

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None

_DAG_CLASS: Final = re.compile(r"airflow(\.\w+)*\.DAG")
_DAG_DECORATOR: Final = re.compile(
    r"airflow\.(sdk|decorators|providers\.common\.compat\.sdk)(\.\w+)*?\.dag"
)
_TASK_DECORATOR: Final = re.compile(
    r"(?:airflow\.(?:sdk|decorators|providers\.common\.compat\.sdk)(?:\.\w+)*?|platform_ops)\.(task(?:\.\w+)*)"
)
_GROUP_DECORATOR: Final = re.compile(
    r"airflow\.(sdk|decorators|providers\.common\.compat\.sdk)(\.\w+)*?\.task_group"
)
_ASSET_DECORATOR: Final = re.compile(
    r"airflow\.(sdk|providers\.common\.compat\.sdk)(\.\w+)*?\.asset"
)
_OPERATOR: Final = re.compile(
    r"(?:.*\.)?_?[A-Z]\w*(?:Operator|Sensor|SensorAsync)(?<!BaseOperator)(?<!BaseSensor)"
)
_MAPPING: Final = {"partial", "expand", "expand_kwargs"}


_HANDLERS: Final = {
    ast.Import: "_import",
    ast.ImportFrom: "_import_from",
    ast.If: "_if",
    ast.Assign: "_assign",
    ast.AnnAssign: "_assign",
    ast.Name: "_name",
    ast.Constant: "_constant",
    ast.With: "_with",
    ast.AsyncWith: "_with",
    ast.FunctionDef: "_function",
    ast.AsyncFunctionDef: "_function",
    ast.Lambda: "_lambda",
    ast.Call: "_call",
}


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call, where it is made, and the dotted name of what is called."""

    node: ast.Call
    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Import:
    """One module or name that is imported."""

    name: str
    line: int
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the file.

    :param builds: It makes a DAG or a group of tasks when it is called.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef
    is_task: bool
    builds: bool


@dataclass(slots=True, eq=False)
class MadeDag:
    """A DAG: the call that makes it, or the function that is decorated.

    :param call: None of a bare ``@dag``.
    """

    call: ast.Call | None
    function: ast.FunctionDef | ast.AsyncFunctionDef | None
    line: int


@dataclass(slots=True, eq=False)
class MadeTask:
    """A task: the call that makes it, or the decorator of its function.

    :param operator: Dotted name of the class, or ``task`` and what follows the dot.
    :param call: Holds its arguments; empty of a bare decorator.
    :param more: Further calls that belong to it: those of a mapped task, and of a function.
    """

    operator: str
    call: ast.Call
    function: ast.FunctionDef | ast.AsyncFunctionDef | None
    line: int
    dag: MadeDag | None
    more: list[ast.Call] = field(default_factory=list)


class Walk:
    """What one pass finds; names are resolved by the imports that stand above them."""

    def __init__(self, tree: ast.Module) -> None:
        self.calls: list[Call] = []
        self.imports: list[Import] = []
        self.functions: dict[str, Function] = {}
        self.dags: list[MadeDag] = []
        self.tasks: list[MadeTask] = []
        self.assets: list[tuple[str, ast.AST]] = []
        self.strings: list[ast.Constant] = []
        self._aliases: dict[str, str] = {}
        self._bound: dict[str, list[ast.expr | None]] = defaultdict(list)
        self._dag_names: dict[str, MadeDag] = {}
        self._made: dict[ast.Call, MadeDag] = {}
        self._inside: list[MadeDag] = []
        self._scope: Scope = None
        self._dormant = False
        self._mapped: dict[ast.Call, ast.Call] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {  # Any: the node of that type
            kind: getattr(self, name) for kind, name in _HANDLERS.items()
        }
        for each in tree.body:
            self._visit(each)
        self._settle()

    def bound_once(self, name: str) -> ast.expr | None:
        """What a name stands for, where the file binds it once."""
        found = self._bound.get(name, ())
        return found[0] if len(found) == 1 else None

    def resolve(self, node: ast.expr) -> str:
        """The dotted name of a name or attribute, through the file's imports; else empty."""
        steps: list[str] = []
        while isinstance(node, ast.Attribute):
            steps.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        root = self._aliases.get(node.id, node.id)
        return ".".join([root, *reversed(steps)]) if steps else root

    def _visit(self, node: ast.AST) -> None:
        handler = self._handlers.get(type(node))
        if handler is not None:
            handler(node)
        else:
            self._below(node)

    def _below(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        self._visit(each)
            elif isinstance(value, ast.AST):
                self._visit(value)

    def _all(self, several: Iterable[ast.AST | None]) -> None:
        for each in several:
            if each is not None:
                self._visit(each)

    # Statements

    def _import(self, node: ast.Import) -> None:
        for each in node.names:
            bound = each.asname or each.name.partition(".")[0]
            self._aliases[bound] = each.name if each.asname else bound
            self._note_import(each.name, node.lineno)

    def _import_from(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        for each in node.names:
            dotted = f"{base}.{each.name}" if base.strip(".") else f"{base}{each.name}"
            self._aliases[each.asname or each.name] = dotted
            self._note_import(dotted, node.lineno)

    def _note_import(self, name: str, line: int) -> None:
        if not self._dormant:
            self.imports.append(Import(name, line, self._scope))

    def _if(self, node: ast.If) -> None:
        test = node.test
        if isinstance(test, ast.Compare) and self.resolve(test.left) == "__name__":
            self._all(node.orelse)
            return
        if self.resolve(test).rpartition(".")[2] == "TYPE_CHECKING":
            before, self._dormant = self._dormant, True
            self._all(node.body)
            self._dormant = before
            self._all(node.orelse)
            return
        self._below(node)

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return
        if isinstance(node.value, ast.Call):
            self._call(node.value)
        else:
            self._visit(node.value)
        for target in targets:
            if isinstance(target, ast.Name):
                self._bound[target.id].append(node.value)
                if isinstance(node.value, ast.Call) and node.value in self._made:
                    self._dag_names[target.id] = self._made[node.value]
            else:
                self._visit(target)

    def _name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bound[node.id].append(None)

    def _constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.strings.append(node)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        entered = 0
        for item in node.items:
            self._visit(item.context_expr)
            made = self._dag_of(item.context_expr)
            if made:
                self._inside.append(made)
                entered += 1
            if isinstance(item.optional_vars, ast.Name):
                self._bound[item.optional_vars.id].append(None)
                if made:
                    self._dag_names[item.optional_vars.id] = made
        self._all(node.body)
        del self._inside[len(self._inside) - entered :]

    def _dag_of(self, node: ast.expr) -> MadeDag | None:
        if isinstance(node, ast.Call):
            return self._made.get(node)
        return self._dag_names.get(node.id) if isinstance(node, ast.Name) else None

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        made, is_task, builds = None, False, False
        for each in node.decorator_list:
            call = each if isinstance(each, ast.Call) else None
            name = self.resolve(call.func if call else each)
            root, _, rest = name.partition(".")
            if root in self._dag_names and rest:
                name = f"airflow.sdk.{rest}"  # @dag.task
            if _DAG_DECORATOR.fullmatch(name):
                made = MadeDag(call, node, node.lineno)
                self.dags.append(made)
            elif _GROUP_DECORATOR.fullmatch(name):
                builds = True
            elif match := _TASK_DECORATOR.fullmatch(name):
                is_task = True
                where = call or ast.Call(each, [], [])
                self.tasks.append(MadeTask(match[1], where, node, each.lineno, self._current))
            elif _ASSET_DECORATOR.fullmatch(name):
                is_task = True
                self.assets.append((node.name, each))
            self._visit(each)
        self._all([*node.args.defaults, *node.args.kw_defaults])
        self.functions[node.name] = Function(node, is_task, made is not None or builds)
        self._enter(node, node.args, node.body, made)

    @property
    def _current(self) -> MadeDag | None:
        return self._inside[-1] if self._inside else None

    def _lambda(self, node: ast.Lambda) -> None:
        self._enter(node, node.args, [node.body], None)

    def _enter(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        arguments: ast.arguments,
        body: Iterable[ast.AST],
        made: MadeDag | None,
    ) -> None:
        before, self._scope = self._scope, node
        for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._bound[each.arg].append(None)
        if made:
            self._inside.append(made)
        self._all(body)
        if made:
            self._inside.pop()
        self._scope = before

    # Calls

    def _call(self, node: ast.Call) -> None:
        name = self.resolve(node.func)
        self.calls.append(Call(node, name, self._scope))
        if _DAG_CLASS.fullmatch(name):
            made = MadeDag(node, None, node.lineno)
            self.dags.append(made)
            self._made[node] = made
        elif not self._mapping(node) and _OPERATOR.fullmatch(name):
            self.tasks.append(MadeTask(name, node, None, node.lineno, self._named_dag(node)))
        self._below(node)

    def _mapping(self, node: ast.Call) -> bool:
        """Note ``X.partial(…).expand(…)`` as one task; the outer call comes first."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _MAPPING:
            return False
        inner = node.func.value
        if isinstance(inner, ast.Call):
            self._mapped[inner] = node
            return True
        name = self.resolve(inner)
        if _OPERATOR.fullmatch(name):
            task = MadeTask(name, node, None, node.lineno, self._named_dag(node))
            if outer := self._mapped.get(node):
                task.more.append(outer)
            self.tasks.append(task)
            return True
        return False

    def _named_dag(self, node: ast.Call) -> MadeDag | None:
        for each in node.keywords:
            if each.arg == "dag":
                return self._dag_of(each.value)
        return self._current

    def _settle(self) -> None:
        """Give decorated functions the calls that use them, and the DAG where that happens."""
        by_name = {each.function.name: each for each in self.tasks if each.function is not None}
        if not by_name:
            return
        for call in self.calls:
            task = by_name.get(call.name.partition(".")[0])
            if task is not None and call.node is not task.call:
                task.more.append(call.node)
