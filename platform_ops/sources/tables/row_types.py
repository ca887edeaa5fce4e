"""Columns of databases as columns of Arrow: every type exactly, or as its text where Arrow has none.

Source: https://www.postgresql.org/docs/current/catalog-pg-type.html,
https://mariadb.com/kb/en/result-set-packets/#field-types and https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from platform_ops.errors import SourceRejected

__all__ = ["array", "inferred", "mysql_type", "postgres_type", "sqlite_type"]

_POSTGRES: Final = {  # by name of the type; what is not here is asked for as text
    "bool": "bool_",
    "bytea": "binary",
    "date": "date32",
    "float4": "float32",
    "float8": "float64",
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "json": "json_",
    "jsonb": "json_",
    "uuid": "uuid",
}
_POSTGRES_OIDS: Final = {
    16: "bool",
    17: "bytea",
    20: "int8",
    21: "int2",
    23: "int4",
    114: "json",
    700: "float4",
    701: "float8",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1700: "numeric",
    2950: "uuid",
    3802: "jsonb",
}
_MYSQL: Final = {  # by number of the type: its Arrow type, and that of the unsigned one
    1: ("int8", "uint8"),
    2: ("int16", "uint16"),
    3: ("int32", "uint32"),
    4: ("float32", "float32"),
    5: ("float64", "float64"),
    8: ("int64", "uint64"),
    9: ("int32", "uint32"),
    10: ("date32", "date32"),
    13: ("int16", "int16"),
    14: ("date32", "date32"),
    245: ("json_", "json_"),
}
_BINARY_CHARSET: Final = 63
_UNSIGNED: Final = 32


def postgres_type(oid: int, precision: int | None, scale: int | None) -> Any:  # Any: pyarrow's type
    """Of a column that psycopg describes; None where it has to be asked for as text."""
    import pyarrow as pa

    name = _POSTGRES_OIDS.get(oid, "")
    if name == "numeric":
        # Without a declared precision each value may have another: text keeps every digit.
        known = precision is not None and precision <= 1000
        return _decimal(precision or 0, scale or 0) if known else None
    times = {
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", tz="UTC"),
    }
    if oid in (25, 1043, 1042, 18, 19):
        return pa.string()
    return times.get(name) or (getattr(pa, _POSTGRES[name])() if name in _POSTGRES else None)


def mysql_type(field: Any) -> Any:  # Any: pymysql's field, and pyarrow's type
    """Of a column as MySQL and MariaDB describe it."""
    import pyarrow as pa

    unsigned = bool(field.flags & _UNSIGNED)
    kind = int(field.type_code)
    if kind in (0, 246):
        digits = field.length - (not unsigned) - bool(field.scale)
        return _decimal(digits, field.scale)
    times = {
        7: pa.timestamp("us", tz="UTC"),
        11: pa.duration("us"),
        12: pa.timestamp("us"),
    }
    if kind in times:
        return times[kind]
    if kind in _MYSQL:
        return getattr(pa, _MYSQL[kind][unsigned])()
    is_text = kind in (247, 248, 249, 250, 251, 252, 253, 254) and (
        field.charsetnr != _BINARY_CHARSET
    )
    return pa.string() if is_text else pa.binary()


def sqlite_type(declared: str) -> Any:  # Any: pyarrow's type
    """Of a column by its declared type, as SQLite derives its affinity; None where the rows tell."""
    import pyarrow as pa

    name = declared.upper()
    if "INT" in name:
        return pa.int64()
    if any(each in name for each in ("CHAR", "CLOB", "TEXT", "DATE", "TIME", "JSON")):
        return pa.string()
    if "BLOB" in name:
        return pa.binary()
    if any(each in name for each in ("REAL", "FLOA", "DOUB")):
        return pa.float64()
    return None


def _decimal(precision: int, scale: int) -> Any:  # Any: pyarrow's type
    import pyarrow as pa

    if precision > 76 or not 0 <= scale <= precision:
        return None
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def inferred(values: Iterable[Any]) -> Any:  # Any: what a driver returns, and pyarrow's type
    """The type of a column whose driver describes none, by its values; text where they differ."""
    import pyarrow as pa

    there = [each for each in values if each is not None]
    kinds = {type(each) for each in there}
    if kinds == {int, float}:
        return pa.float64()
    if len(kinds) != 1:
        return pa.string()
    return _of_kind(kinds.pop(), there)


def _of_kind(
    kind: type, values: Sequence[Any]
) -> Any:  # Any: what a driver returns; pyarrow's type
    import pyarrow as pa

    known = {
        bytearray: pa.binary(),
        datetime.time: pa.time64("us"),
        datetime.timedelta: pa.duration("us"),
        dict: pa.json_(),
        memoryview: pa.binary(),
        uuid.UUID: pa.uuid(),
    }
    if kind in known:
        return known[kind]
    if kind is Decimal:
        return _widest(values)
    if kind is datetime.datetime:
        zoned = any(each.tzinfo for each in values)
        return pa.timestamp("us", tz="UTC" if zoned else None)
    try:
        return pa.array(values).type
    except pa.ArrowException:
        return pa.json_() if kind in (list, tuple) else pa.string()


def _widest(values: Sequence[Decimal]) -> Any:  # Any: pyarrow's type
    import pyarrow as pa

    parts = [each.as_tuple() for each in values]
    if not all(isinstance(each.exponent, int) for each in parts):  # NaN, infinity
        return pa.string()
    scale = max(max(-int(each.exponent), 0) for each in parts)
    whole = max(max(len(each.digits) + int(each.exponent), 0) for each in parts)
    return _decimal(max(whole + scale, 1), scale) or pa.string()


def array(values: Sequence[Any], kind: Any, column: str) -> Any:  # Any: a driver's values; pyarrow
    """One column of a batch.

    :param kind: Its Arrow type.
    :raises SourceRejected: A value does not fit, which happens where a database lets it: SQLite's
        columns hold any type, and numbers may be no number.
    """
    import pyarrow as pa

    try:
        if isinstance(kind, pa.BaseExtensionType):
            plain = [None if each is None else _stored(each) for each in values]
            return pa.ExtensionArray.from_storage(kind, pa.array(plain, kind.storage_type))
        if pa.types.is_integer(kind):
            _require_whole(values)
        if pa.types.is_string(kind):
            values = [
                each if each is None or isinstance(each, str) else _text(each) for each in values
            ]
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
        # Not from err: its text holds the value.
        raise SourceRejected(
            f"column {column!r} holds a value that is no {kind}, as the column's type or its first "
            "rows say; cast it in the query, for instance to text"
        ) from None


def _require_whole(values: Sequence[Any]) -> None:  # Any: a driver's values
    if {float, Decimal} & set(map(type, values)):
        raise TypeError("Arrow would cut the fraction off without a word")


def _stored(value: Any) -> Any:  # Any: a driver's value
    if isinstance(value, uuid.UUID):
        return value.bytes
    return json.dumps(value, default=str) if isinstance(value, (dict, list, tuple)) else value


def _text(value: Any) -> str:  # Any: a driver's value
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes are no text")
    return str(value)
