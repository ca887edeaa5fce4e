"""Connection types and their forms, from providers' descriptions; runs in the worker process."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from platform_ops.registry.models.catalog import Connection, ConnectionField

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
    conn_type = str(info["connection-type"])
    fields = (*standard, *extra)
    values = _example(conn_type, fields)
    return Connection(
        conn_type=conn_type,
        title=str(info.get("hook-name") or conn_type),
        hook=hook,
        package=package,
        fields=fields,
        uri=_uri(values),
        json=json.dumps(values, indent=2, ensure_ascii=False),
    )


def _example(conn_type: str, fields: Iterable[ConnectionField]) -> dict[str, Any]:  # Any: JSON
    """A connection with what the form suggests, and words where a user's own secrets belong."""
    values: dict[str, Any] = {"conn_type": conn_type}
    extra: dict[str, Any] = {}
    for field in fields:
        target = values if field.standard else extra
        if field.secret or field.name == "login":
            target[field.name] = field.name.upper()
        elif field.name != "extra" and _is_value(field):
            number = field.type == "integer" and field.placeholder.isdigit()
            target[field.name] = int(field.placeholder) if number else field.placeholder
    return {**values, "extra": extra} if extra else values


def _is_value(field: ConnectionField) -> bool:
    """Whether a placeholder shows a value, rather than words about one."""
    text = field.placeholder.strip()
    return bool(text) and not re.search(r"\s", text) and (field.name != "port" or text.isdigit())


def _uri(values: Mapping[str, Any]) -> str:  # Any: JSON
    """As Airflow writes it, with all its rules of quoting."""
    from airflow.sdk import Connection as AirflowConnection

    extra = json.dumps(values["extra"]) if "extra" in values else None
    try:
        return str(AirflowConnection(conn_id="", **{**values, "extra": extra}).get_uri())
    except Exception:  # noqa: BLE001  a type whose fields make no URI still has its JSON
        return ""


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
