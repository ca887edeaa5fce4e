"""Connection types and their forms, from providers' descriptions; runs in the worker process."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

from platform_ops.registry.model import Connection, ConnectionField

__all__ = ["connection"]

# The columns of every Airflow connection, in the order and with the labels of its form.
_STANDARD = {
    "description": "Description",
    "host": "Host",
    "login": "Login",
    "password": "Password",
    "port": "Port",
    "schema": "Schema",
    "extra": "Extra Fields JSON",
}


def connection(info: Mapping[str, Any], package: str) -> Connection:  # Any: provider.yaml
    """One connection type, as a provider's description has it.

    :param package: The provider's package.
    """
    hook = str(info.get("hook-class-name", ""))
    behaviour = info.get("ui-field-behaviour") or _behaviour_of(hook)
    hidden = set(_get(behaviour, "hidden-fields", "hidden_fields") or ())
    labels = _get(behaviour, "relabeling", "relabeling") or {}
    hints = _get(behaviour, "placeholders", "placeholders") or {}
    standard = [
        ConnectionField(
            name=name,
            label=str(labels.get(name, label)),
            standard=True,
            type="integer" if name == "port" else "object" if name == "extra" else "string",
            placeholder=str(hints.get(name, "")),
            secret=name == "password",
        )
        for name, label in _STANDARD.items()
        if name not in hidden and name != "description"
    ]
    extra = [
        _extra_field(name, each, hints) for name, each in (info.get("conn-fields") or {}).items()
    ]
    return Connection(
        conn_type=str(info["connection-type"]),
        title=str(info.get("hook-name") or info["connection-type"]),
        hook=hook,
        package=package,
        fields=(*standard, *extra),
    )


def _extra_field(
    name: str,
    info: Mapping[str, Any],
    hints: Mapping[str, Any],  # Any: provider.yaml
) -> ConnectionField:
    schema = info.get("schema") or {}
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else [each for each in kinds if each != "null"]
    default = schema.get("default")
    return ConnectionField(
        name=name,
        label=str(info.get("label") or schema.get("title") or name),
        standard=False,
        type=" or ".join(map(str, kinds)),
        description=str(info.get("description") or schema.get("description") or "").strip(),
        placeholder=str(hints.get(name, hints.get(f"extra__{name}", ""))),
        default="" if default is None else json.dumps(default),
        secret=schema.get("format") == "password",
    )


def _behaviour_of(hook: str) -> Mapping[str, Any]:  # Any: what older hooks return
    """Older providers keep the form's behaviour in a class method of the hook."""
    module, _, name = hook.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
        return (
            dict(found.get_ui_field_behaviour()) if "get_ui_field_behaviour" in dir(found) else {}
        )
    except (Exception, SystemExit):  # noqa: BLE001  an optional dependency of that hook
        return {}


def _get(values: Mapping[str, Any], *names: str) -> Any:  # Any: provider.yaml
    return next((values[name] for name in names if name in values), None)
