"""Faults in docstrings, kept for the check: a page stands whatever its author wrote.

A large package has hundreds of them, and who documents it can mend none: warnings would bury
those of the site's own pages. A site that wants its own docstrings right sets
``airflow_faults = "warn"``; any other finds them with :func:`read`, after a build.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sphinx.config import ENUM
from sphinx.util import logging

from platform_ops.registry.models.catalog import Problem
from platform_ops.sphinx_ext.domain import domain_of

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["connect", "note_markup", "note_reference", "read"]

logger = logging.getLogger(__name__)

_FILE: Final = "airflow-faults.json"
_Rows = dict[str, list[tuple[str, str]]]


def connect(app: Sphinx) -> None:
    """Write down what a build notes, and add its setting."""
    about = "Faults in docstrings: record them for the check, or warn."
    app.add_config_value("airflow_faults", "record", "env", ENUM("record", "warn"), about)
    app.connect("builder-inited", _choose)
    app.connect("doctree-resolved", _note_resolved)
    app.connect("build-finished", _write)


def note_markup(env: BuildEnvironment, where: str, message: str) -> None:
    """Say that a docstring in the document being read is no valid markup."""
    domain_of(env).note_fault(where, message)
    if domain_of(env).warns:
        logger.warning(
            "docstring of %s: %s", where, message,
            type="airflow", subtype="markup", location=env.docname,
        )  # fmt: skip


def note_reference(env: BuildEnvironment, node: pending_xref, where: str) -> None:
    """Say that a docstring refers to what is not to be found."""
    message = f"refers to {node['reftype']} {node['reftarget']!r}, which is not to be found"
    domain_of(env).dangling.setdefault(node.get("refdoc", ""), []).append((where, message))
    if domain_of(env).warns:
        logger.warning(
            "docstring of %s: %s", where, message,
            type="airflow", subtype="reference", location=node,
        )  # fmt: skip


def read(doctrees: Path) -> tuple[Problem, ...]:
    """The faults that the last build knew of, each once.

    :param doctrees: The folder that Sphinx keeps between builds.
    :return: Problems of the kinds ``markup`` and ``reference``; empty where no build has ended.
    """
    try:
        kinds: dict[str, _Rows] = json.loads((doctrees / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    found = {
        (kind, where, message)
        for kind, documents in kinds.items()
        for rows in documents.values()
        for where, message in rows
    }
    return tuple(Problem(*each) for each in sorted(found))


def _choose(app: Sphinx) -> None:
    """The check's own builder listens to warnings, and makes findings of them."""
    checking = app.builder.name == "airflow-check"
    domain_of(app.env).warns = checking or app.config.airflow_faults == "warn"


def _note_resolved(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    domain_of(app.env).dangling.setdefault(docname, [])


def _write(app: Sphinx, exception: Exception | None) -> None:
    """References are looked up as pages are written: what stands on others is what it was."""
    if exception is not None:
        return
    domain, path = domain_of(app.env), Path(app.doctreedir, _FILE)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    dangling = {**before.get("reference", {}), **domain.dangling}
    kinds = {
        "markup": domain.faults,
        "reference": {
            name: rows for name, rows in dangling.items() if rows and name in app.env.found_docs
        },
    }
    text = json.dumps(kinds, indent=1)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    if app.config.airflow_faults == "record" and (count := len(read(Path(app.doctreedir)))):
        logger.info("%d faults in docstrings, kept for `platform-ops docs check`", count)
