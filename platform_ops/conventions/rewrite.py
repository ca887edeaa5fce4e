"""Changes of a file's text that leave everything else as it was."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Sequence
from typing import Final

from platform_ops.conventions.model import Edit

__all__ = ["applied", "lines_of", "one_more_argument"]

_BLANK: Final = (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)


def one_more_argument(lines: Sequence[str], call: ast.Call, argument: str) -> tuple[Edit, ...]:
    """The edits that append an argument to a call, in the shape that its arguments have.

    :param lines: Of the file, with their ends.
    """
    end_line = call.end_lineno or call.lineno
    end = _characters(lines[end_line - 1], call.end_col_offset or 0)
    start = _characters(lines[call.lineno - 1], call.col_offset)
    tokens = _tokens(lines, (call.lineno, start), (end_line, end))
    if len(tokens) < 2 or tokens[-1].string != ")":
        return ()
    closing, last = tokens[-1], tokens[-2]
    if last.string == "(":
        return (Edit(last.end[0], last.end[1], 0, argument),)
    line, column = last.end
    if closing.start[0] == line:
        separator = " " if last.string == "," else ", "
        return (Edit(line, column, 0, f"{separator}{argument}"),)
    indent = _indent(lines, call, line)
    newline = "\r\n" if lines[line - 1].endswith("\r\n") else "\n"
    below = Edit(line + 1, 0, 0, f"{indent}{argument},{newline}")
    return (below,) if last.string == "," else (Edit(line, column, 0, ","), below)


def _indent(lines: Sequence[str], call: ast.Call, line: int) -> str:
    """That of the line on which the last argument begins."""
    nodes: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    text = lines[max((each.lineno for each in nodes), default=line) - 1]
    return text[: len(text) - len(text.lstrip())]


def _tokens(
    lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]
) -> list[tokenize.TokenInfo]:
    """What a span of the file consists of, comments and ends of lines left out."""
    first, last = start[0], end[0]
    held = list(lines[first - 1 : last])
    held[-1] = held[-1][: end[1]]
    held[0] = " " * start[1] + held[0][start[1] :]
    # Brackets around it, since the blanks for what is before the span would count as indentation.
    held_open = io.StringIO("(" + "".join(held) + ")")
    try:
        found = [
            each
            for each in tokenize.generate_tokens(held_open.readline)
            if each.type not in _BLANK and each.type != tokenize.ENDMARKER
        ]
    except (tokenize.TokenError, IndentationError):
        return []
    shifted = [_shifted(each, first) for each in found]
    return shifted[1:-1]


def _shifted(token: tokenize.TokenInfo, first: int) -> tokenize.TokenInfo:
    """The same token, told by its place in the file."""

    def moved(place: tuple[int, int]) -> tuple[int, int]:
        return place[0] + first - 1, place[1] - (1 if place[0] == 1 else 0)

    return token._replace(start=moved(token.start), end=moved(token.end))


def _characters(line: str, offset: int) -> int:
    """The column in characters of one in bytes."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))


def lines_of(text: str) -> list[str]:
    """A file's lines with their ends, as Python counts them: a form feed ends none."""
    *whole, last = text.split("\n")
    return [*(f"{each}\n" for each in whole), *([last] if last else [])]


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made, the last first, so that none moves another.

    Of edits that touch the same place in the same way one is made.
    """
    lines = lines_of(text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    lines.append("")  # an edit may stand behind the last line
    for each in sorted(set(edits), key=lambda it: (it.line, it.column, it.text), reverse=True):
        line = lines[each.line - 1]
        lines[each.line - 1] = line[: each.column] + each.text + line[each.column + each.length :]
    changed = "".join(lines)
    return changed if text.endswith("\n") or not changed.endswith("\n") else changed[:-1]
