"""The site of a package that brings one of everything."""

project = "attic"
extensions = ["platform_ops.sphinx_ext"]
html_theme = "furo"
airflow_catalog = {
    "packages": ["attic"],
    "rules": ["attic_rules:RULES"],
    "archiving": ["attic.operators.StoreOperator"],
}
suppress_warnings = ["airflow.module"]
