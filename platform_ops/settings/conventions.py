"""``[conventions]``: what a site's DAGs are held to, by the linter and by Airflow's cluster policies."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from platform_ops.settings.section import Section

__all__ = ["ConventionSettings", "RuleSettings"]


def _checked_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as err:
        raise ValueError(f"{text!r} is no regular expression: {err}") from err
    return text


Pattern = Annotated[str, AfterValidator(_checked_pattern)]


class RuleSettings(Section):
    """``[conventions.rules.<id>]``: how one rule is taken."""

    severity: Literal["error", "warning", "note", "off"] | None = Field(
        None, description="What a finding counts as in the linter; the rule's own where unset."
    )
    policy: Literal["error", "warn", "mutate", "off"] = Field(
        "off",
        description=(
            "What Airflow does when it parses a DAG that breaks the rule: refuse it, warn, mend it where "
            "the rule knows how, or nothing."
        ),
    )
    options: dict[str, Any] = Field(  # Any: what a rule of the site's own understands
        default_factory=dict, description="Options of a rule of the site's own."
    )


class ConventionSettings(Section):
    """``[conventions]``: names, bounds and lists that the rules on DAGs go by."""

    dag_id: Pattern = Field(
        "[a-z][a-z0-9_]*", description="Regular expression that the whole of a DAG's id matches."
    )
    task_id: Pattern = Field(
        "[a-z][a-z0-9_]*",
        description="The same for each part of a task's id that dots separate.",
    )
    tag: Pattern = Field("[a-z0-9][a-z0-9_:.-]*", description="The same for each tag.")
    owner: Pattern = Field(
        "(?!airflow$).+", description="The same for the owner; all but Airflow's own default."
    )
    min_retries: int = Field(
        1,
        ge=0,
        description="How often a task is tried again at least.",
    )
    max_retries: int = Field(
        10,
        ge=0,
        description="How often a task is tried again at most.",
    )
    max_execution_hours: float = Field(
        24,
        gt=0,
        description="How long a task may be allowed to run.",
        json_schema_extra={"unit": "hours"},
    )
    heavy_imports: tuple[str, ...] = Field(
        (
            "dask", "geopandas", "keras", "matplotlib", "nltk", "numpy", "pandas", "plotly", "polars",
            "pyarrow", "pyspark", "scipy", "seaborn", "skimage", "sklearn", "snowflake", "spacy",
            "statsmodels", "tensorflow", "torch", "transformers", "xarray", "xgboost",
        ),
        description="Modules that a DAG file must not import at its top.",
    )  # fmt: skip
    import_seconds: float = Field(
        0.5,
        gt=0,
        description=(
            "How long a module may take to import, beyond Airflow, that a DAG file imports at its top; "
            "counts where the linter measures."
        ),
        json_schema_extra={"unit": "seconds"},
    )
    parse_seconds: float = Field(
        2.0,
        gt=0,
        description="How long a DAG file may take to parse.",
        json_schema_extra={"unit": "seconds"},
    )
    pools: dict[str, str] = Field(
        default_factory=dict,
        description="Connections of systems that tasks share, each with the pool that bounds its users.",
    )
    archiving_connections: tuple[Pattern, ...] = Field(
        (),
        description=(
            "Regular expressions of connections that archive by themselves, so that a stock operator may "
            "use them."
        ),
    )
    external_assets: tuple[Pattern, ...] = Field(
        (), description="Regular expressions of assets that something outside these DAGs updates."
    )
    pod_templates: tuple[str, ...] = Field(
        (),
        description="Pod template files to check, as patterns below the folder of the linter's run.",
    )
    rules: dict[str, RuleSettings] = Field(
        default_factory=dict, description="How each rule is taken, by its id."
    )
