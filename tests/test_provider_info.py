"""What Airflow is told about this package, against Airflow's schemas and against the code."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from platform_ops.provider_info import get_provider_info

INFO = get_provider_info()
CONNECTIONS = {each["connection-type"]: each for each in INFO["connection-types"]}


def schema(name: str) -> Any:  # Any: JSON
    return json.loads(files("airflow").joinpath(name).read_text("utf-8"))


def classes_of_sources() -> Iterator[type]:
    """Every public operator and hook of the sources, and those that keep the archive."""
    from airflow.sdk import BaseHook, BaseOperator

    import platform_ops.sources

    sources = pkgutil.walk_packages(platform_ops.sources.__path__, "platform_ops.sources.")
    for module in (
        "platform_ops.maintenance.copies",
        "platform_ops.maintenance.requests",
        "platform_ops.maintenance.shards",
        "platform_ops.notify.watch",
        *(each.name for each in sources),
    ):
        loaded = importlib.import_module(module)
        for name, each in inspect.getmembers(loaded, inspect.isclass):
            if (
                each.__module__ == module
                and not name.startswith("_")
                and issubclass(each, (BaseHook, BaseOperator))
                and not inspect.isabstract(each)
            ):
                yield each


def test_airflow_s_schema_holds() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


@pytest.mark.parametrize("connection", CONNECTIONS.values(), ids=list(CONNECTIONS))
def test_the_form_of_each_connection_holds_airflow_s_schema(connection: dict[str, Any]) -> None:
    behaviour = {
        name.replace("-", "_"): value for name, value in connection["ui-field-behaviour"].items()
    }
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))
    standard = {"host", "schema", "port", "login", "password", "extra", "description"}
    assert set(behaviour["relabeling"]) <= standard
    assert set(behaviour["placeholders"]) <= standard | set(connection["conn-fields"])
    for field in connection["conn-fields"].values():
        assert field["label"]
        assert field["description"]
        jsonschema.Draft202012Validator.check_schema(field["schema"])
        jsonschema.validate(None, field["schema"])


def test_every_operator_and_hook_is_listed() -> None:
    from airflow.sdk import BaseHook, BaseSensorOperator

    kinds = {"hooks": BaseHook, "sensors": BaseSensorOperator, "operators": object}
    found = {kind: set[str]() for kind in kinds}
    for each in classes_of_sources():
        kind = next(kind for kind, base in kinds.items() if issubclass(each, base))
        found[kind].add(each.__module__)
    for kind, modules in found.items():
        listed = [module for group in INFO[kind] for module in group["python-modules"]]
        assert sorted(modules) == sorted(listed)
        assert {group["integration-name"] for group in INFO[kind]} <= {
            each["integration-name"] for each in INFO["integrations"]
        }


def test_every_notifier_is_listed() -> None:
    from platform_ops.notify import notifier

    found = [
        f"{each.__module__}.{name}"
        for name, each in inspect.getmembers(notifier, inspect.isclass)
        if each.__module__ == notifier.__name__ and name in notifier.__all__
    ]
    assert found == INFO["notifications"]


def test_connection_types_equal_what_the_hooks_say() -> None:
    from airflow.sdk import BaseHook

    hooks: list[Any] = [
        each for each in classes_of_sources() if issubclass(each, BaseHook)
    ]  # Any: attributes of hooks
    said = {
        hook.conn_type: (f"{hook.__module__}.{hook.__qualname__}", hook.hook_name) for hook in hooks
    }
    told = {
        name: (each["hook-class-name"], each["hook-name"]) for name, each in CONNECTIONS.items()
    }
    assert told == said


def test_the_entry_point_leads_here() -> None:
    (found,) = [
        each
        for each in entry_points(group="apache_airflow_provider")
        if each.module.startswith("platform_ops")
    ]
    assert found.load()() == INFO


def test_it_is_static_and_needs_the_standard_library_alone() -> None:
    script = (
        "import sys\n"
        "from platform_ops.provider_info import get_provider_info\n"
        "get_provider_info()\n"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "assert not names & {'airflow', 'pydantic', 'click', 'rich'}, names\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def airflow(home: Path, *arguments: str) -> Any:  # Any: JSON
    """What a real ``airflow`` prints, with a home of its own and an empty environment otherwise."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")
    }
    result = subprocess.run(
        [Path(sys.executable).with_name("airflow"), *arguments, "--output", "json"],
        env={**environment, "AIRFLOW_HOME": str(home)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(result.stdout)


def test_airflow_lists_the_provider_and_its_connection_types(tmp_path: Path) -> None:
    (provider,) = [
        each
        for each in airflow(tmp_path, "providers", "list")
        if each["package_name"] == "platform-ops"
    ]
    assert provider["description"] == INFO["description"].rstrip(".")
    hooks = {each["connection_type"]: each for each in airflow(tmp_path, "providers", "hooks")}
    for name, connection in CONNECTIONS.items():
        assert hooks[name]["class"] == connection["hook-class-name"]
        assert hooks[name]["hook_name"] == connection["hook-name"]
        assert hooks[name]["package_name"] == "platform-ops"


def test_airflow_offers_the_fields_of_each_form_and_the_option(tmp_path: Path) -> None:
    script = """
import json
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
option = conf.configuration_description["platform_ops"]["options"]["config"]
print(json.dumps({
    "fields": {name: each.field for name, each in manager.connection_form_widgets.items()},
    "behaviours": manager.field_behaviours,
    "option": option,
}))
"""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    offered = json.loads(result.stdout.splitlines()[-1])
    for name, connection in CONNECTIONS.items():
        for field, told in connection["conn-fields"].items():
            shown = offered["fields"][f"extra__{name}__{field}"]
            assert shown["schema"] == {**told["schema"], "title": told["label"]}
            assert shown["description"] == told["description"]
        relabeling = connection["ui-field-behaviour"]["relabeling"]
        assert offered["behaviours"][name]["relabeling"] == relabeling
    assert offered["option"] == INFO["config"]["platform_ops"]["options"]["config"]
