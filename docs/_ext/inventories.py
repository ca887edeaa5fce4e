"""Write the inventories of ``docs/_inventories`` from the packages that are installed.

``python docs/_ext/inventories.py`` needs no network: it lists the public names of the modules that
our signatures and docstrings refer to, and where their projects document them. A name that a later
release drops disappears from the file, and the site's build then names each page that refers to it.

Source: https://www.sphinx-doc.org/en/master/usage/extensions/intersphinx.html
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

_TARGET = Path(__file__).parent.parent / "_inventories"
_MODULES = (
    "collections", "collections.abc", "dataclasses", "datetime", "enum", "io", "os", "pathlib",
    "typing",
)  # fmt: skip
_ON_FUNCTIONS_PAGE = frozenset({"bool", "float", "object", "property", "type"})

Entry = tuple[str, str, str]


def _python() -> Iterator[Entry]:
    for name, value in vars(builtins).items():
        if not inspect.isclass(value) or name.startswith("_"):
            continue
        if issubclass(value, BaseException):
            yield name, "exception", f"library/exceptions.html#{name}"
        else:
            page = "functions" if name in _ON_FUNCTIONS_PAGE else "stdtypes"
            yield name, "class", f"library/{page}.html#{name}"
    yield "None", "data", "library/constants.html#None"
    for module in _MODULES:
        for name in getattr(importlib.import_module(module), "__all__", ()) or ("PathLike",):
            role = "data" if module == "typing" else "class"
            yield f"{module}.{name}", role, f"library/{module}.html#{module}.{name}"


def _airflow() -> Iterator[Entry]:
    sdk = importlib.import_module("airflow.sdk")
    for name in sdk.__all__:  # some of them are modules, which it cannot load by itself
        value = getattr(sdk, name, None)
        if inspect.isclass(value):
            yield f"airflow.sdk.{name}", "class", f"api.html#airflow.sdk.{name}"
            if value.__module__.startswith("airflow.sdk."):
                # Signatures name the private module; readers are led to the public name.
                yield (
                    f"{value.__module__}.{value.__qualname__}", "class", f"api.html#airflow.sdk.{name}",
                )  # fmt: skip


def _requests() -> Iterator[Entry]:
    for name in ("Session", "Response", "PreparedRequest", "Request"):
        value = getattr(importlib.import_module("requests"), name)
        for path in {f"requests.{name}", f"{value.__module__}.{name}"}:
            yield path, "class", f"api/#requests.{name}"


def _arrow() -> Iterator[Entry]:
    for name in ("Table", "RecordBatch", "Schema"):
        value = getattr(importlib.import_module("pyarrow"), name)
        for path in {f"pyarrow.{name}", f"{value.__module__}.{name}"}:
            yield path, "class", f"python/generated/pyarrow.{name}.html#pyarrow.{name}"


def _write(project: str, version: str, entries: Iterator[Entry]) -> None:
    header = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {version}\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    lines = [f"{name} py:{role} 1 {uri} -\n" for name, role, uri in sorted(set(entries))]
    body = zlib.compress("".join(lines).encode(), 9)
    (_TARGET / f"{project.lower()}.inv").write_bytes(header.encode() + body)


def main() -> None:
    """Write them all."""
    _TARGET.mkdir(exist_ok=True)
    _write("Python", ".".join(map(str, sys.version_info[:2])), _python())
    for name, entries in (
        ("Airflow", _airflow()),
        ("Requests", _requests()),
        ("PyArrow", _arrow()),
    ):
        _write(name, importlib.import_module(name.lower()).__version__, entries)


if __name__ == "__main__":
    main()
