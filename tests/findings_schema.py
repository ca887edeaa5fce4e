"""What the schemas of SARIF 2.1.0 and JUnit ask of the parts that we write.

The official SARIF schema has 112 kB; this is its core for logs without code flows and fixes: the
required properties, the closed objects and the closed lists of values.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SARIF"]


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_MARKED_UP = _closed(["text"], text=_TEXT, markdown=_TEXT)
_RULE = _closed(
    ["id"],
    id=_TEXT,
    shortDescription=_MARKED_UP,
    fullDescription=_MARKED_UP,
    help=_MARKED_UP,
    defaultConfiguration=_closed([], level=_LEVEL),
)
_PHYSICAL = _closed(
    ["artifactLocation"],
    artifactLocation=_closed([], uri={"type": "string", "pattern": r"^[^\s\\]+$"}),
    region=_closed([], startLine={"type": "integer", "minimum": 1}),
)
_LOCATION = _closed(
    [],
    physicalLocation=_PHYSICAL,
    logicalLocations={"type": "array", "items": _closed([], fullyQualifiedName=_TEXT)},
)
_SUPPRESSION = _closed(
    ["kind"],
    kind={"enum": ["inSource", "external"]},
    status={"enum": ["accepted", "underReview", "rejected"]},
    justification=_TEXT,
)
_RESULT = _closed(
    ["message"],
    ruleId=_TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=_LEVEL,
    message=_closed(["text"], text=_TEXT),
    locations={"type": "array", "items": _LOCATION},
    partialFingerprints={"type": "object", "additionalProperties": _TEXT},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    suppressions={"type": "array", "items": _SUPPRESSION, "uniqueItems": True},
)
_DRIVER = _closed(
    ["name"],
    name=_TEXT,
    version=_TEXT,
    rules={"type": "array", "items": _RULE, "uniqueItems": True},
)
_RUN = _closed(
    ["tool"],
    tool=_closed(["driver"], driver=_DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": _RESULT},
)

SARIF = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_closed(
        ["version", "runs"],
        **{"$schema": _TEXT, "version": {"enum": ["2.1.0"]}},
        runs={"type": "array", "items": _RUN},
    ),
}
