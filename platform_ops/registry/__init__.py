"""The catalogue: what packages and DAG folders hold, by introspection, as one cached JSON file.

It knows nothing of Sphinx, and reaches operators, metrics and settings by name alone, so that it
serves packages that it never saw. Whatever must be imported for that is imported in a subprocess:
the caller's process loads no Airflow, and a build whose inputs did not change loads none at all.
"""

from platform_ops.registry.build import Builder, Outcome, build
from platform_ops.registry.completeness import check
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.models.catalog import Catalog, catalog_schema

__all__ = ["Builder", "Catalog", "CatalogConfig", "Outcome", "build", "catalog_schema", "check"]
