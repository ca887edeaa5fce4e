"""A Sphinx extension that documents Airflow packages and DAGs from a catalogue of them.

Two lines in ``conf.py`` are enough::

    extensions = ["platform_ops.sphinx_ext"]
    airflow_catalog = {"packages": ["my_package"], "dags": ["../dags"]}

It knows nothing of any package: what it shows comes from the catalogue, whose nodes it builds
itself; it subclasses no documenter, and a build with nothing changed imports no Airflow.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.errors import ExtensionError
from sphinx.util import logging

from platform_ops.errors import ConfigError
from platform_ops.registry import CatalogConfig
from platform_ops.registry.build import build
from platform_ops.registry.models.catalog import Catalog
from platform_ops.sphinx_ext import changes, elements, faults
from platform_ops.sphinx_ext.checks import checking
from platform_ops.sphinx_ext.domain import AirflowDomain, domain_of
from platform_ops.sphinx_ext.graphics import drawing
from platform_ops.sphinx_ext.kinds import ADDITION_KINDS, CLASS_KINDS
from platform_ops.sphinx_ext.objects.additions import AdditionIndexDirective, OptionIndexDirective
from platform_ops.sphinx_ext.objects.classes import ClassDirective
from platform_ops.sphinx_ext.objects.connections import ConnectionIndexDirective
from platform_ops.sphinx_ext.objects.dags import (
    BrokenDagDirective,
    DagDirective,
    DagIndexDirective,
    UnarchivedDirective,
)
from platform_ops.sphinx_ext.objects.entities import (
    AssetDirective,
    DataIndexDirective,
    EntityDirective,
    SourceDirective,
)
from platform_ops.sphinx_ext.objects.indices import GraphDirective, IndexDirective
from platform_ops.sphinx_ext.objects.lineage import LineageDirective
from platform_ops.sphinx_ext.objects.methods import MethodsDirective
from platform_ops.sphinx_ext.objects.providers import ProviderDirective, ProviderIndexDirective
from platform_ops.sphinx_ext.objects.rules import RuleDirective, RuleIndexDirective
from platform_ops.sphinx_ext.objects.tables import (
    ErrorsDirective,
    MetricsDirective,
    SettingsDirective,
    TableDirective,
)
from platform_ops.sphinx_ext.outputs import cards, machines, missing, search
from platform_ops.sphinx_ext.pages import generated_pages
from platform_ops.sphinx_ext.project import CatalogProject
from platform_ops.sphinx_ext.site import Site
from platform_ops.sphinx_ext.theming import access, lean, navigation, speed, wrapping

if TYPE_CHECKING:
    from docutils import nodes
    from docutils.nodes import TextElement
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]

logger = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_VERSION = "1"  # of the pickled environment


def _load_catalog(app: Sphinx) -> None:
    """Make or read the catalogue, and lay out its pages."""
    config = _catalog_config(app)
    try:
        catalog = _catalog(app, config)
    except ConfigError as err:
        raise ExtensionError(str(err), modname=__name__) from err
    folders = dict(zip(config.dags, config.dag_folders, strict=True))
    site = Site(
        catalog,
        prefix=app.config.airflow_pages,
        source_url=app.config.airflow_source_url,
        dag_folders=folders,
        methods=app.config.airflow_methods,
        audited=bool(config.audit),
    )
    domain_of(app.env).site = site
    pages = dict(generated_pages(site, changes=bool(app.config.airflow_previous)))
    folder = Path(app.doctreedir, "airflow-pages")
    app.project = CatalogProject(app.project, folder, pages, Path(app.outdir))
    app.env.project = app.project
    app.config.html_static_path.append(str(_STATIC))
    # Where written pages use autodoc, Airflow writes a configuration when it finds none, and says so.
    os.environ.setdefault("AIRFLOW_HOME", str(Path(app.doctreedir, "airflow-home").resolve()))
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")


def _catalog_config(app: Sphinx) -> CatalogConfig:
    try:
        return CatalogConfig.from_mapping(app.config.airflow_catalog, Path(app.confdir))
    except ConfigError as err:
        raise ExtensionError(str(err), modname=__name__) from err


def _catalog(app: Sphinx, config: CatalogConfig) -> Catalog:
    if app.config.airflow_catalog_file:
        path = Path(app.confdir, app.config.airflow_catalog_file)
        return Catalog.from_json(path.read_bytes())
    outcome = build(config, Path(app.doctreedir))
    for problem in outcome.catalog.problems:
        logger.warning(
            "%s %s: %s", problem.kind, problem.where, problem.message,
            type="airflow", subtype=problem.kind,
        )  # fmt: skip
    return outcome.catalog


def _stale(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Written pages that show a part of the catalogue which changed."""
    return [each for each in domain_of(env).stale_documents() if each in env.found_docs]


def _missing_reference(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: TextElement
) -> nodes.Element | None:
    """Last help for references in docstrings.

    An error or class that is named as in its module's own code is found by its bare name. What leads
    nowhere becomes text, and is noted as a fault of its docstring.
    """
    if node.get("refdomain") == "py" and node.get("reftype") in ("exc", "class"):
        found = domain_of(env).find_bare(app.builder, node, contnode)
        if found is not None:
            return found
    where = node.get("airflow_docstring")
    if where is None:
        return None
    if where:
        faults.note_reference(env, node, where)
    return contnode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the domain, its directives and its settings with Sphinx."""
    _add_settings(app)
    elements.register(app)
    drawing.register(app)
    faults.connect(app)
    navigation.connect(app)
    speed.connect(app)
    checking.connect(app)
    app.add_domain(AirflowDomain)
    for part in (access, cards, changes, lean, machines, missing, search, wrapping):
        part.connect(app)
    for kind in CLASS_KINDS:
        app.add_directive_to_domain("airflow", kind, ClassDirective)
        app.add_directive_to_domain("airflow", f"{kind}-index", IndexDirective)
    for kind in ADDITION_KINDS:
        app.add_directive_to_domain("airflow", f"{kind}-index", AdditionIndexDirective)
    for name, directive in _DIRECTIVES.items():
        app.add_directive_to_domain("airflow", name, directive)
    app.connect("builder-inited", _load_catalog)
    app.connect("env-get-outdated", _stale)
    app.connect("missing-reference", _missing_reference, priority=900)
    app.add_css_file("airflow.css")
    app.add_js_file("facets.js", loading_method="defer")
    app.add_css_file("airflow-dags.css")
    app.add_js_file("airflow-dags.js", loading_method="defer")
    return {
        "version": _VERSION,
        "env_version": 2,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


_DIRECTIVES: dict[str, Any] = {  # Any: docutils' type for directives is generic in no useful way
    "dag": DagDirective,
    "dag-index": DagIndexDirective,
    "broken-dag": BrokenDagDirective,
    "unarchived": UnarchivedDirective,
    "source": SourceDirective,
    "source-index": DataIndexDirective,
    "entity": EntityDirective,
    "entity-index": DataIndexDirective,
    "asset": AssetDirective,
    "asset-index": DataIndexDirective,
    "lineage": LineageDirective,
    "methods": MethodsDirective,
    "connection-index": ConnectionIndexDirective,
    "option-index": OptionIndexDirective,
    "provider": ProviderDirective,
    "provider-index": ProviderIndexDirective,
    "rule": RuleDirective,
    "rule-index": RuleIndexDirective,
    "metrics": MetricsDirective,
    "settings": SettingsDirective,
    "errors": ErrorsDirective,
    "table": TableDirective,
    "graph": GraphDirective,
}


def _add_settings(app: Sphinx) -> None:
    add = app.add_config_value
    add(
        "airflow_catalog",
        {},
        "env",
        (dict,),
        "What to catalogue: packages, DAG folders, and objects.",
    )
    add(
        "airflow_catalog_file", "", "env", (str,), "A catalogue made before, instead of making one."
    )
    add("airflow_pages", "reference", "env", (str,), "Folder of the generated pages.")
    add(
        "airflow_source_url", "", "env", (str, dict), "Template of links to source: {path}, {line}."
    )
    add("airflow_methods", True, "env", (bool,), "Whether pages show methods.")
