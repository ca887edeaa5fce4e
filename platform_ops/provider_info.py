"""What Airflow is told about this package: the provider's metadata, static and stdlib only.

Airflow calls :func:`get_provider_info` in every process that it starts, by the entry point
``apache_airflow_provider``; an invalid answer breaks ``import airflow`` for the whole site. So it is
written out here, and a test equates it with the code and validates it against Airflow's own schema.

Source: ``airflow/provider_info.schema.json``, and for the forms of connections
``airflow/customized_form_field_behaviours.schema.json``.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["get_provider_info"]

_HTTP: Final = "Archiving over HTTP"
_HTTP_MODULES: Final = ["platform_ops.sources.http"]
_HTTP_HOOKS: Final = ["platform_ops.sources.http_hook"]
_KEEPING: Final = "Keeping the archive"
_KEEPING_MODULES: Final = ["platform_ops.maintenance"]


def get_provider_info() -> dict[str, Any]:  # Any: a document of Airflow's schema
    """The provider as Airflow's schema wants it."""
    return {
        "package-name": "platform-ops",
        "name": "platform_ops",
        "description": (
            "Archives what DAGs take in: verbatim, exactly once, under a URL known in advance."
        ),
        "integrations": [
            {"integration-name": _HTTP, "tags": ["protocol"]},
            {"integration-name": _KEEPING, "tags": ["software"]},
        ],
        "operators": [
            {"integration-name": _KEEPING, "python-modules": _KEEPING_MODULES},
            {"integration-name": _HTTP, "python-modules": _HTTP_MODULES},
        ],
        "hooks": [{"integration-name": _HTTP, "python-modules": _HTTP_HOOKS}],
        "connection-types": [_archiving_http()],
        "task-decorators": [
            {"name": "archive", "class-name": "platform_ops.ingest.decorator.archive_task"},
        ],
        "extra-links": ["platform_ops.ingest.docs_link.DocsLink"],
        "config": {"platform_ops": _config()},
    }


def _archiving_http() -> dict[str, Any]:  # Any: a document of Airflow's schema
    return {
        "connection-type": "archiving_http",
        "hook-class-name": "platform_ops.sources.http_hook.ArchivingHttpHook",
        "hook-name": "Archiving HTTP",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {
                "host": "Base URL",
                "schema": "Protocol",
                "extra": "Headers and further options (JSON)",
            },
            "placeholders": {
                "host": "https://api.example.com",
                "schema": "https, where the base URL names no protocol",
                "login": "user of HTTP basic authentication",
                "password": "its password",
                "entity": "weather.forecast",
            },
        },
        "conn-fields": {
            "entity": {
                "label": "Entity",
                "description": (
                    "Entity, as source.name, under which stock operators archive what they fetch "
                    "over this connection; {conn_id}.{task_id} where it is empty."
                ),
                "schema": {"type": ["string", "null"]},
            },
            # No field for verify: a form writes false for a box that nobody touched.
            "timeout": {
                "label": "Timeout (seconds)",
                "description": (
                    "Longest wait for a connection, and for the next bytes of an answer; "
                    "10 and 60 where it is empty."
                ),
                "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
            },
        },
    }


def _config() -> dict[str, Any]:  # Any: a document of Airflow's schema
    return {
        "description": "Where platform_ops finds what this site has set.",
        "options": {
            "config": {
                "description": (
                    "Path of platform.toml. Where it is empty: $PLATFORM_OPS_CONFIG, then "
                    "$AIRFLOW_HOME/conf/platform.toml, then ./conf/platform.toml."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "/opt/airflow/conf/platform.toml",
                "default": None,
            },
        },
    }
