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
_HTTP_MODULES: Final = ["platform_ops.sources.http", "platform_ops.sources.web.export"]
_HTTP_HOOKS: Final = ["platform_ops.sources.web.hook"]
_KAFKA: Final = "Archiving Kafka"
_KAFKA_MODULES: Final = ["platform_ops.sources.kafka"]
_MAIL: Final = "Archiving mail"
_MAIL_MODULES: Final = ["platform_ops.sources.mail"]
_FILES: Final = "Archiving files"
_FILES_MODULES: Final = ["platform_ops.sources.files"]
_FILES_SENSORS: Final = ["platform_ops.sources.folders.sensors"]
_FILES_TRIGGERS: Final = ["platform_ops.sources.folders.triggers"]
_HTTP_SENSORS: Final = ["platform_ops.sources.web.sensor"]
_HTTP_TRIGGERS: Final = ["platform_ops.sources.web.trigger"]
_SQL: Final = "Archiving SQL databases"
_SQL_MODULES: Final = ["platform_ops.sources.sql"]
_SQL_HOOKS: Final = [
    "platform_ops.sources.duckdb",
    "platform_ops.sources.mysql",
    "platform_ops.sources.postgres",
    "platform_ops.sources.sqlite",
]
_KEEPING: Final = "Keeping the archive"
_KEEPING_MODULES: Final = [
    "platform_ops.maintenance.copies",
    "platform_ops.maintenance.requests",
    "platform_ops.maintenance.shards",
]
_TELLING: Final = "Telling people"
_TELLING_MODULES: Final = ["platform_ops.notify.watch"]


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
            {"integration-name": _KAFKA, "tags": ["software"]},
            {"integration-name": _MAIL, "tags": ["protocol"]},
            {"integration-name": _FILES, "tags": ["protocol"]},
            {"integration-name": _SQL, "tags": ["protocol"]},
            {"integration-name": _KEEPING, "tags": ["software"]},
            {"integration-name": _TELLING, "tags": ["service"]},
        ],
        "operators": [
            {"integration-name": _KEEPING, "python-modules": _KEEPING_MODULES},
            {"integration-name": _FILES, "python-modules": _FILES_MODULES},
            {"integration-name": _HTTP, "python-modules": _HTTP_MODULES},
            {"integration-name": _KAFKA, "python-modules": _KAFKA_MODULES},
            {"integration-name": _MAIL, "python-modules": _MAIL_MODULES},
            {"integration-name": _SQL, "python-modules": _SQL_MODULES},
            {"integration-name": _TELLING, "python-modules": _TELLING_MODULES},
        ],
        "hooks": [
            {"integration-name": _HTTP, "python-modules": _HTTP_HOOKS},
            {"integration-name": _SQL, "python-modules": _SQL_HOOKS},
        ],
        "sensors": [
            {"integration-name": _FILES, "python-modules": _FILES_SENSORS},
            {"integration-name": _HTTP, "python-modules": _HTTP_SENSORS},
        ],
        "triggers": [
            {"integration-name": _FILES, "python-modules": _FILES_TRIGGERS},
            {"integration-name": _HTTP, "python-modules": _HTTP_TRIGGERS},
        ],
        "connection-types": [
            _archiving_http(),
            _archiving_file("duckdb", "DuckDb", "DuckDB", "/srv/warehouse.duckdb"),
            _archiving_server("mysql", "MySql", "MySQL and MariaDB", "3306", "ssl_ca"),
            _archiving_server("postgres", "Postgres", "PostgreSQL", "5432", "sslmode"),
            _archiving_file("sqlite", "Sqlite", "SQLite", "/srv/shop.sqlite"),
        ],
        "notifications": [
            "platform_ops.notify.notifier.EmailNotifier",
            "platform_ops.notify.notifier.SiteNotifier",
            "platform_ops.notify.notifier.SlackNotifier",
            "platform_ops.notify.notifier.WebhookNotifier",
        ],
        "task-decorators": [
            {"name": "archive", "class-name": "platform_ops.ingest.decorator.archive_task"},
        ],
        "extra-links": [
            "platform_ops.ingest.docs_link.DocsLink",
            "platform_ops.ui.plugin.RevisionLink",
        ],
        "config": {"platform_ops": _config()},
    }


def _archiving_http() -> dict[str, Any]:  # Any: a document of Airflow's schema
    return {
        "connection-type": "archiving_http",
        "hook-class-name": "platform_ops.sources.web.hook.ArchivingHttpHook",
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
                "login": "user of HTTP basic authentication, or OAuth2 client id",
                "password": "password, bearer token, API key, or OAuth2 client secret",
                "entity": "weather.forecast",
                "api_key_name": "X-API-Key",
                "token_url": "https://login.example.com/oauth2/token",
                "scope": "read:orders read:stock",
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
            **_auth_fields(),
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


def _auth_fields() -> dict[str, Any]:  # Any: a document of Airflow's schema
    def choice(label: str, description: str, *choices: str) -> dict[str, Any]:  # Any: as above
        schema = {"type": ["string", "null"], "enum": [*choices, None]}
        return {"label": label, "description": description, "schema": schema}

    def text(label: str, description: str) -> dict[str, Any]:  # Any: as above
        schema = {"type": ["string", "null"]}
        return {"label": label, "description": description, "schema": schema}

    return {
        "auth": choice(
            "Authentication",
            "What the password is: of a user (basic), a bearer token, an API key, or the secret of an "
            "OAuth2 client, which asks for a token of its own. Where it is empty: basic with a login, "
            "and none without.",
            "basic",
            "bearer",
            "api_key",
            "oauth2",
        ),
        "api_key_in": choice(
            "API key: where", "Where the key goes; header where it is empty.", "header", "query"
        ),
        "api_key_name": text(
            "API key: name",
            "Header or parameter that takes the key; X-API-Key or api_key where it is empty.",
        ),
        "token_url": text("OAuth2: token URL", "Whole address of the endpoint that grants tokens."),
        "scope": text("OAuth2: scope", "What to ask the token for, with spaces between."),
        "audience": text("OAuth2: audience", "Whom the token is for, where the source wants that."),
        "client_auth": choice(
            "OAuth2: client",
            "How the client proves itself: by basic authentication, or in the body of the request; "
            "basic where it is empty.",
            "basic",
            "body",
        ),
    }


def _archiving_server(
    system: str, hook: str, name: str, port: str, security: str
) -> dict[str, Any]:  # Any: a document of Airflow's schema
    fields = {
        "sslmode": (
            "TLS mode",
            "libpq's sslmode, such as verify-full; libpq's own default where it is empty.",
        ),
        "ssl_ca": (
            "TLS authority",
            "Path of the certificates that the server's is checked by; no TLS where it is empty.",
        ),
    }
    label, description = fields[security]
    return {
        "connection-type": f"archiving_{system}",
        "hook-class-name": f"platform_ops.sources.{system}.Archiving{hook}Hook",
        "hook-name": f"Archiving {name}",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {"schema": "Database"},
            "placeholders": {
                "host": "db.example.com",
                "port": port,
                "schema": "shop",
                "login": "reader",
                "password": "its password",
                "entity": "shop.orders",
            },
        },
        "conn-fields": {
            "entity": _entity_field(),
            security: {
                "label": label,
                "description": description,
                "schema": {"type": ["string", "null"]},
            },
        },
    }


def _archiving_file(
    system: str, hook: str, name: str, path: str
) -> dict[str, Any]:  # Any: a document of Airflow's schema
    return {
        "connection-type": f"archiving_{system}",
        "hook-class-name": f"platform_ops.sources.{system}.Archiving{hook}Hook",
        "hook-name": f"Archiving {name}",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "password", "port"],
            "relabeling": {"host": "Path of the file"},
            "placeholders": {"host": path, "entity": "shop.orders"},
        },
        "conn-fields": {"entity": _entity_field()},
    }


def _entity_field() -> dict[str, Any]:  # Any: a document of Airflow's schema
    return {
        "label": "Entity",
        "description": (
            "Entity, as source.name, under which stock operators archive the result sets that they "
            "read over this connection; {conn_id}.{task_id} where it is empty."
        ),
        "schema": {"type": ["string", "null"]},
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
