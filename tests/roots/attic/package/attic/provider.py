"""What Airflow is told."""


def get_provider_info():
    return {
        "package-name": "attic",
        "name": "Attic",
        "description": "Things kept for later.",
        "integrations": [
            {
                "integration-name": "Attic",
                "external-doc-url": "https://example.com/attic",
                "tags": ["service"],
            }
        ],
        "operators": [{"integration-name": "Attic", "python-modules": ["attic.operators"]}],
        "transfers": [
            {
                "source-integration-name": "Cellar",
                "target-integration-name": "Attic",
                "python-module": "attic.moves",
            }
        ],
        "asset-uris": [{"schemes": ["attic"], "handler": "attic.uris.sanitize"}],
        "connection-types": [
            {
                "connection-type": "attic",
                "hook-class-name": "attic.hooks.AtticHook",
                "hook-name": "Attic",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "extra"],
                    "relabeling": {"host": "House"},
                    "placeholders": {"host": "house.example.com", "port": "7"},
                },
                "conn-fields": {
                    "box": {"label": "Box", "schema": {"type": "integer", "default": 3}},
                },
            }
        ],
        "task-decorators": [{"name": "tidy", "class-name": "attic.decorators.tidy_task"}],
        "logging": ["attic.logs.AtticLog"],
        "config": {
            "attic": {
                "description": "How the attic is kept.",
                "options": {
                    "dust": {
                        "description": "How much is borne.",
                        "version_added": "2.0",
                        "type": "integer",
                        "example": "5",
                        "default": "1",
                    },
                    "key": {
                        "description": "Opens it.",
                        "version_added": None,
                        "type": "string",
                        "sensitive": True,
                        "example": None,
                        "default": None,
                    },
                },
            }
        },
    }
