"""The site of platform_ops: written pages, and pages that the catalogue writes.

Source: https://www.sphinx-doc.org/en/master/usage/configuration.html
"""

import os
import sys
import warnings
from importlib.metadata import version as installed
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.deprecation import RemovedInSphinx10Warning

# Of sphinx-autodoc-typehints 3.6, the last for Python 3.11; it says so once for each signature.
warnings.filterwarnings(
    "ignore", category=RemovedInSphinx10Warning, module="sphinx_autodoc_typehints"
)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))  # site_tables, which the catalogue reads, and site_messages

project = "platform_ops"
author = "The platform_ops authors"
copyright = author
release = version = installed("platform-ops")

extensions = [
    "platform_ops.sphinx_ext",
    "platform_ops.sphinx_ext.switcher",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "notfound.extension",
    "sphinx_reredirects",
    "site_messages",
]
exclude_patterns = ["_build", "_ext", "examples", "reference/_benchmarks"]

# What the catalogue holds. Every path is an object of this project; the extension knows none of them.
airflow_catalog = {
    "packages": ["platform_ops"],
    "exclude": ["platform_ops.sphinx_ext", "platform_ops.testing", "platform_ops.cli"],
    "metrics": "platform_ops.metrics:METRICS",
    "settings": "platform_ops.settings:Settings",
    "errors": "platform_ops.errors",
    "rules": [
        "platform_ops.conventions.rules:CONVENTIONS",
        "platform_ops.conventions.catalogue:META",
        "platform_ops.doctor.rules:RULES",
        "platform_ops.registry.completeness.rules:RULES",
        "platform_ops.sphinx_ext.checks.check_rules:RULES",
        "platform_ops.findings.policy:RULES",
    ],
    "archiving": ["platform_ops.ingest.operator.ArchivingOperator"],
    "tables": {
        "url-fields": "site_tables:url_fields",
        "url-examples": "site_tables:url_examples",
        "alerts": "site_tables:alerts",
    },
    "entities": "site_archive:published",
    "dags": ["examples"],
    "examples": {"examples": "site_examples:run"},
    "audit": "platform_ops.auditor:audit_dag",
}
airflow_faults = "warn"  # every docstring shown here is ours to mend
# The catalogue of the version before, where a publisher has fetched it.
airflow_previous = [name for name in ["_build/previous.json"] if (HERE / name).is_file()]
# Where a fork publishes its code, for instance https://example.com/repo/blob/main/{path}#L{line}
airflow_source_url = os.environ.get("DOCS_SOURCE_URL", "")

# References: every one leads somewhere. The inventories are made from the installed packages, since
# a build must not depend on the network; `python docs/_ext/inventories.py` writes them.
nitpicky = True
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "_inventories/python.inv"),
    "airflow": ("https://airflow.apache.org/docs/task-sdk/stable", "_inventories/airflow.inv"),
    "requests": ("https://requests.readthedocs.io/en/latest", "_inventories/requests.inv"),
    "pyarrow": ("https://arrow.apache.org/docs", "_inventories/pyarrow.inv"),
}
nitpick_ignore = [
    ("py:data", "Ellipsis"),  # of tuple[X, ...]; Python's inventory has it as another kind
    ("py:exc", "AirflowFailException"),  # Airflow's inventory has no page for it
    ("py:class", "airflow.sdk.definitions.mappedoperator.OperatorPartial"),  # private to Airflow
]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
always_use_bars_union = True
typehints_defaults = "comma"

html_theme = "furo"
pygments_dark_style = "github-dark"  # the theme's own underlines module names, underscores and all
html_title = f"platform_ops {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_favicon = "_static/favicon.svg"
# Where the newest release is read, for instance https://docs.example.com/platform_ops/stable/
html_baseurl = os.environ.get("DOCS_BASE_URL", "")
notfound_urls_prefix = urlsplit(html_baseurl).path or "/"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5d66", "color-brand-content": "#0b5d66"},
    "dark_css_variables": {"color-brand-primary": "#5cc8d2", "color-brand-content": "#5cc8d2"},
}
ogp_social_cards = {"line_color": "#0b5d66"}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
redirects: dict[str, str] = {}
