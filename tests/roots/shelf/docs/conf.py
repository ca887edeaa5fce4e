"""The site of a package that platform_ops never saw."""

project = "shelf"
extensions = ["platform_ops.sphinx_ext", "myst_parser"]
html_theme = "furo"
airflow_catalog = {
    "packages": ["shelf"],
    "metrics": "shelf.tables:METRICS",
    "settings": "shelf.tables:Settings",
    "errors": "shelf.errors",
    "tables": {"times": "shelf.tables:opening_times"},
    "dags": ["../dags"],
}
airflow_source_url = "https://example.com/{path}#L{line}"
airflow_methods = False
suppress_warnings = ["airflow.module", "airflow.dag"]
