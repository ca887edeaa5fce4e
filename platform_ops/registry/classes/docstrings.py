"""Docstrings as data: summary, prose, and the fields that describe parameters and errors.

The shape of reStructuredText field lists is read here, that of Google's and NumPy's sections by
griffe; the prose stays markup, for whoever renders it.
The types that old docstrings carry (``:param str name:``, ``:type name:``) are kept
for the check alone: types come from signatures.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Docstring", "first_sentence", "parse", "parse_rest", "plain"]

_FIELD = re.compile(r":(?P<name>[A-Za-z]+)(?:\s+(?P<argument>[^:]*?))?:(?:\s+(?P<text>.*)|$)")
_DIRECTIVE = re.compile(r"\.\. (?P<name>versionadded|deprecated):: *(?P<text>.*)")
_SOURCE = re.compile(r"Source: *(?P<text>.*)")
_ROLE = re.compile(r":(?:[\w+-]+:)*[\w+-]+:`(?P<text>[^`]*)`")
_LINK = re.compile(r"`(?P<text>[^`<]+?)\s*<[^`>]*>`__?")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*:])")
_BLANK_LINES = re.compile(r"\n{3,}")
_PARAM = frozenset({"param", "parameter", "arg", "argument", "key", "keyword", "kwarg"})
_RAISES = frozenset({"raises", "raise", "except", "exception"})
_RETURNS = frozenset({"return", "returns"})
_DROPPED = frozenset({"type", "vartype", "rtype", "meta"})  # pages take types from signatures
_FIELDS = _PARAM | _RAISES | _RETURNS | _DROPPED


@dataclass(frozen=True, slots=True)
class Docstring:
    """One docstring taken apart.

    :param body: Everything after the summary that is no field.
    :param types: Of parameters, as old docstrings carry them; only the check reads them.
    """

    summary: str = ""
    body: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    raises: tuple[tuple[str, str], ...] = ()
    references: tuple[str, ...] = ()
    since: str = ""
    deprecated: str = ""
    returns: str = ""
    types: dict[str, str] = field(default_factory=dict)


def parse(text: str | None) -> Docstring:
    """Take a docstring apart; any text is accepted, and what is no field is prose.

    :param text: As ``__doc__`` has it, indentation and all.
    """
    if not text or not text.strip():
        return Docstring()
    from platform_ops.registry.classes.docstring_styles import parse_styled, style_of

    text = inspect.cleandoc(text)
    style = style_of(text)
    return parse_styled(text, style) if style else parse_rest(text)


def parse_rest(text: str) -> Docstring:
    """Take a docstring apart that is reStructuredText, or nothing in particular.

    :param text: Dedented.
    """
    prose: list[str] = []
    parameters: dict[str, str] = {}
    types: dict[str, str] = {}
    raises: list[tuple[str, str]] = []
    marks = {"versionadded": "", "deprecated": ""}
    returns = ""
    references: list[str] = []
    for block in _blocks(text.splitlines()):
        head = block[0]
        if (hit := _FIELD.match(head)) and hit["name"] in _FIELDS:
            body = _dedented(hit["text"] or "", block[1:])
            argument = (hit["argument"] or "").replace("*", "").strip()
            if hit["name"] in _PARAM and argument:
                *said, name = argument.split()
                parameters.setdefault(name, body)
                if said:
                    types[name] = " ".join(said)
            elif hit["name"] == "type" and argument:
                types[argument] = " ".join(body.split())
            elif hit["name"] in _RAISES:
                raises.append((argument, body))
            elif hit["name"] in _RETURNS:
                returns = body
        elif hit := _DIRECTIVE.match(head):
            marks[hit["name"]] = _joined(hit["text"], block[1:])
        elif hit := _SOURCE.match(head):
            references.append(_joined(hit["text"], block[1:]))
        else:
            prose += block
    summary, _, rest = "\n".join(prose).strip().partition("\n\n")
    return Docstring(
        summary=" ".join(summary.split()),
        body=_BLANK_LINES.sub("\n\n", rest.strip("\n")),
        parameters=parameters,
        raises=tuple(raises),
        references=tuple(references),
        since=marks["versionadded"],
        deprecated=marks["deprecated"],
        returns=returns,
        types=types,
    )


def first_sentence(text: str) -> str:
    """The first sentence of some prose, on one line."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    return _SENTENCE.split(paragraph, maxsplit=1)[0]


def plain(text: str) -> str:
    """Markup taken off, for places that show bare text."""
    text = _ROLE.sub(lambda hit: _role_title(hit["text"]), text)
    text = _LINK.sub(lambda hit: hit["text"], text)
    return " ".join(text.replace("``", "").replace("`", "").replace("**", "").split())


def _role_title(text: str) -> str:
    title, angle, _ = text.partition("<")
    if angle and title.strip():
        return title.strip()
    target = text.strip("<>")
    return target.rpartition(".")[2] if target.startswith("~") else target.lstrip("!~")


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """A field, directive or ``Source:`` line with what is indented below it; other lines singly.

    A field's text may go on unindented, which is how many authors wrap it by mistake: a line that
    follows at once, and starts nothing of its own, still belongs to it.
    """
    index = 0
    while index < len(lines):
        end = index + 1
        if _opens(lines[index]):
            while end < len(lines) and _continues(lines, end):
                end += 1
        block = lines[index:end]
        closed = len(block) > 1 and not block[-1].strip()
        while len(block) > 1 and not block[-1].strip():
            block.pop()
        yield block
        if closed:
            yield [""]  # what follows is another paragraph
        index = end


def _opens(line: str) -> bool:
    hit = _FIELD.match(line)
    if hit:
        return hit["name"] in _FIELDS
    return bool(_DIRECTIVE.match(line) or _SOURCE.match(line))


def _continues(lines: list[str], index: int) -> bool:
    line = lines[index]
    if line.startswith((" ", "\t")):
        return True
    if not line.strip():
        following = next((each for each in lines[index:] if each.strip()), "")
        return following.startswith((" ", "\t"))
    starts_own = _opens(line) or line.startswith((":", ".. ")) or not lines[index - 1].strip()
    return not starts_own


def _dedented(first: str, rest: list[str]) -> str:
    return "\n".join([first.strip(), textwrap.dedent("\n".join(rest))]).strip()


def _joined(first: str, rest: list[str]) -> str:
    return " ".join(" ".join([first, *rest]).split())
