"""Planning the parts of a big table, which the instances of a mapped task read side by side."""

from __future__ import annotations

import datetime
from contextlib import closing
from decimal import Decimal
from typing import Any

from platform_ops.errors import ConfigError, SourceRejected
from platform_ops.ingest import connection
from platform_ops.sources.tables.faults import translated
from platform_ops.sources.tables.rows import address, mark_of, system_of
from platform_ops.sources.tables.statements import quoted

__all__ = ["partitions"]


def partitions(conn_id: str, table: str, by: str, parts: int) -> list[dict[str, str]]:
    """Cut a table into ranges of one column, for ``expand_kwargs`` of an archiving operator.

    The ranges leave nothing out: the first has no lower end and takes the rows without a value, the
    last has no upper end, so that rows which come meanwhile are in one of them. Each has a
    ``map_key`` that stays the same when the table grows.

    :param conn_id: Connection to the database.
    :param table: As ``table`` or ``schema.table``.
    :param by: Column of whole numbers, dates or timestamps; an indexed one makes this quick.
    :param parts: How many ranges; fewer where the column holds fewer values.
    :return: Shape ``(ranges,)``, each with ``where`` and ``map_key``.
    :raises ConfigError: ``parts`` is below 1.
    :raises SourceRejected: The column is of another type.
    """
    if parts < 1:
        raise ConfigError(f"partitions of {table}: parts={parts!r}; at least 1 is right")
    hook: Any = connection(conn_id).get_hook()  # type: ignore[no-untyped-call]  # Airflow's is untyped
    mark = mark_of(system_of(hook))
    column, where = quoted(by, mark), f"{address(hook)} {table}"
    text = f"SELECT MIN({column}), MAX({column}) FROM {quoted(table, mark)}"  # noqa: S608  # quoted
    with (
        translated(where),
        closing(hook.get_conn()) as connected,
        closing(connected.cursor()) as cursor,
    ):
        cursor.execute(text)
        low, high = cursor.fetchone()
    ends = [_literal(each) for each in _ends(low, high, parts, f"{where}, column {by!r}")]
    lows = [f"{column} >= {each}" for each in ends]
    highs = [f"{column} < {each}" for each in ends]
    if not ends:
        return [{"where": "1 = 1", "map_key": "1-of-1"}]
    ranges = [
        f"({highs[0]} OR {column} IS NULL)",
        *(f"{start} AND {end}" for start, end in zip(lows, highs[1:], strict=False)),
        lows[-1],
    ]
    return [
        {"where": each, "map_key": f"{number}-of-{len(ranges)}"}
        for number, each in enumerate(ranges, start=1)
    ]


def _ends(low: Any, high: Any, parts: int, where: str) -> list[Any]:  # Any: values of the column
    """Where one range ends and the next begins."""
    if low is None or low == high:
        return []
    if isinstance(low, Decimal) and low == int(low) and high == int(high):
        low, high = int(low), int(high)
    if isinstance(low, str):
        low, high = _times(low, high, where)
    if isinstance(low, datetime.datetime):
        steps = [low + (high - low) * number / parts for number in range(1, parts)]
    elif isinstance(low, datetime.date):
        days = (high - low).days
        steps = [low + datetime.timedelta(days * number // parts) for number in range(1, parts)]
    elif isinstance(low, int):
        steps = [low + (high - low) * number // parts for number in range(1, parts)]
    else:
        raise _no_range(where, type(low).__name__)
    return [each for each in dict.fromkeys(steps) if each > low]


def _times(low: str, high: str, where: str) -> tuple[datetime.datetime, datetime.datetime]:
    """Times that a database without such a type keeps as text."""
    try:
        return datetime.datetime.fromisoformat(low), datetime.datetime.fromisoformat(high)
    except ValueError:
        raise _no_range(where, "text that is no time") from None


def _no_range(where: str, held: str) -> SourceRejected:
    return SourceRejected(
        f"{where}: holds {held}; ranges are made of whole numbers, dates and timestamps"
    )


def _literal(value: Any) -> str:  # Any: a value of the column
    if isinstance(value, int):
        return str(value)
    text = value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()
    return f"'{text}'"
