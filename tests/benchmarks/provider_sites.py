"""Sites for the benchmark: one provider as others document it and as we do, and packages made up."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROVIDER: Final = "airflow.providers.amazon"
EDITED: Final = "aws/operators/athena.py"
EDITED_CLASS: Final = "AthenaOperator"

_OURS = """
project = "benchmark"
html_theme = "furo"
extensions = ["platform_ops.sphinx_ext"]
airflow_catalog = {{"packages": ["{package}"]}}
suppress_warnings = ["airflow.module"]  # modules of this provider that want packages which are not here
"""
_PEER = """
project = "benchmark"
html_theme = "furo"
extensions = ["sphinx.ext.autodoc", "sphinx_autodoc_typehints"]
always_use_bars_union = True
autodoc_typehints_format = "short"
typehints_defaults = "comma"
"""
_ROOT = "Benchmark\n=========\n\n.. toctree::\n\n   {}\n"
_CLASSES_A_MODULE: Final = 50
_CLASS = '''
class Made{number}Operator(BaseOperator):
    """Do the work of number {number}, and say so.

    It takes what it needs from ``source``, and *never* asks twice; see :class:`BaseOperator`.

    :param source: Where it comes from, such as ``s3://bucket/{number}``. (templated)
    :param target: Where it goes.
    :param limit: How many at most.
    :param conn_id: The connection.
    """

    template_fields = ("source",)

    def __init__(
        self,
        *,
        source: str,
        target: str | None = None,
        limit: int = {number},
        conn_id: str = "x",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source

    def execute(self, context: Any) -> None:
        """Do it.

        :param context: What Airflow knows of the run.
        """
'''


def editable_provider(folder: Path) -> Path:
    """A copy of the provider that may be edited; a folder to put first on ``PYTHONPATH``.

    Everything else of Airflow is linked, so that the installed one stays as it is.
    """
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    airflow = folder / "airflow"
    providers = airflow / "providers"
    providers.mkdir(parents=True)
    _link(installed, airflow, leave="providers")
    _link(installed / "providers", providers, leave="amazon")
    _copy(installed / "providers" / "amazon", providers / "amazon")
    return folder


def _link(source: Path, target: Path, *, leave: str) -> None:
    for each in source.iterdir():
        if each.name not in (leave, "__pycache__"):
            (target / each.name).symlink_to(each)


def _copy(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir()
        for name in names:
            if not name.endswith(".pyc"):
                (place / name).write_bytes(Path(folder, name).read_bytes())


def edit(folder: Path) -> None:
    """Add a sentence to one docstring."""
    path = folder / "airflow" / "providers" / "amazon" / EDITED
    text = path.read_text(encoding="utf-8")
    start = text.index('"""', text.index(f"class {EDITED_CLASS}(")) + 3
    path.write_text(f"{text[:start]}\n    Edited.\n{text[start:]}", encoding="utf-8")


def our_site(folder: Path, package: str = PROVIDER) -> None:
    """All that someone writes who uses the extension."""
    folder.mkdir(parents=True)
    (folder / "conf.py").write_text(_OURS.format(package=package), encoding="utf-8")
    (folder / "index.rst").write_text(_ROOT.format("reference/index"), encoding="utf-8")


def peer_site(folder: Path, classes: Iterable[tuple[str, str]]) -> None:
    """The same classes by autodoc and typehints: a page for each, by kind, as people write them."""
    kinds: dict[str, list[str]] = {}
    for kind, name in classes:
        kinds.setdefault(kind, []).append(name)
    folder.mkdir(parents=True)
    (folder / "conf.py").write_text(_PEER, encoding="utf-8")
    (folder / "index.rst").write_text(_ROOT.format("\n   ".join(f"{kind}/index" for kind in kinds)))
    for kind, names in kinds.items():
        (folder / kind).mkdir()
        below = "\n   ".join(names)
        title = f"{kind}\n{'=' * len(kind)}\n"
        (folder / kind / "index.rst").write_text(f"{title}\n.. toctree::\n\n   {below}\n")
        for name in names:
            short = name.rpartition(".")[2]
            page = f"{short}\n{'=' * len(short)}\n\n.. autoclass:: {name}\n"
            options = "   :members:\n   :show-inheritance:\n"
            (folder / kind / f"{name}.rst").write_text(page + options, encoding="utf-8")


def made_up_package(folder: Path, count: int) -> None:
    """A package of this many operators, named ``made_up``."""
    package = folder / "made_up"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    for first in range(0, count, _CLASSES_A_MODULE):
        numbers = range(first, min(first + _CLASSES_A_MODULE, count))
        head = (
            '"""Made up."""\n\nfrom typing import Any\n\nfrom airflow.sdk import BaseOperator\n\n'
        )
        body = "\n".join(_CLASS.format(number=number) for number in numbers)
        (package / f"part{first}.py").write_text(head + body, encoding="utf-8")
