"""Docstring prose as nodes, whatever document it is shown in, and however faulty its markup is.

The prose is parsed as reStructuredText in a document of its own: a page in Markdown may show it, its
targets and headings stay out of the page, and its faults are noted at the docstring, never as a
broken page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import states
from docutils.statemachine import StringList
from docutils.transforms import references
from docutils.utils import new_document
from sphinx import addnodes

from platform_ops.sphinx_ext.elements import snippet
from platform_ops.sphinx_ext.faults import note_markup

if TYPE_CHECKING:
    from sphinx.environment import BuildEnvironment

__all__ = ["Prose", "markdown_html", "unmarked"]

# What may be more than words. A colon or an underscore inside a word or a sentence is none.
_MARKUP = re.compile(
    r"[`*|\\@]|_(?=\W|$)|(?<!\w)_|:[\w+.-]+:|::|://|\n\s*\n|^\s*(?:[-+#]|\d+[.)]|\.\.|>>>)\s",
    re.MULTILINE | re.ASCII,
)
# Inline code, where the parser would find it too: most docstrings have nothing else.
_CODE = re.compile(r"(?<![^\s(\[{\"'/-])``(?=[^\s`])([^`]*[^\s`])``(?=[\s.,:;!?)\]}\"'/-]|$)")
_TRANSFORMS = (
    references.Substitutions,
    references.PropagateTargets,
    references.AnonymousHyperlinks,
    references.IndirectHyperlinks,
    references.ExternalTargets,
    references.InternalTargets,
)
# Roles of intersphinx name inventories that a site may not have; the plain role finds it or is text.
_EXTERNAL = re.compile(r":external(?:\+[\w.-]+)?:(?=[\w:]+:`)")
_TARGETS = (
    nodes.system_message,
    nodes.target,
    nodes.footnote,
    nodes.citation,
    nodes.substitution_definition,
)
_POINTERS = (nodes.footnote_reference, nodes.citation_reference, nodes.substitution_reference)
_WARNING = 2  # docutils counts: 1 information, 2 warning, 3 error, 4 severe


class Prose:
    """Parses docstrings for one document.

    :param settings: Those of the document that the nodes go into.
    """

    def __init__(self, env: BuildEnvironment, settings: Any) -> None:  # Any: docutils' settings
        self._env = env
        self._settings = settings

    def blocks(
        self, text: str, where: str, *, within: str = "", quiet: bool = False
    ) -> list[nodes.Node]:
        """Paragraphs and all else.

        :param where: What the text is the docstring of, for warnings.
        :param within: Dotted name of the class that unqualified references are relative to.
        :param quiet: True for text that this site did not write and cannot mend.
        """
        if not text.strip():
            return []
        text = _EXTERNAL.sub(":", text)
        if not _MARKUP.search(_CODE.sub("", text)):
            return [nodes.paragraph("", "", *_words(" ".join(text.split())))]
        document = new_document(where, self._settings)
        faults: list[str] = []
        reporter: Any = document.reporter  # Any: the stubs narrow what it takes
        reporter.stream = None
        reporter.report_level = 5  # collected here, printed nowhere
        reporter.attach_observer(lambda message: _note(message, faults))
        with self._relative_to(within):
            machine = states.RSTStateMachine(
                state_classes=states.state_classes, initial_state="Body"
            )
            machine.run(StringList(text.splitlines(), where), document)
        document.transformer.add_transforms(_TRANSFORMS)
        document.transformer.apply_transforms()
        _settle(document, "" if quiet else where)
        if not quiet:
            for fault in faults:
                note_markup(self._env, where, fault)
        return list(document.children)

    def line(
        self, text: str, where: str, *, within: str = "", quiet: bool = False
    ) -> list[nodes.Node]:
        """One line: what stands in the first paragraph."""
        found = self.blocks(text, where, within=within, quiet=quiet)
        if len(found) == 1 and isinstance(found[0], nodes.paragraph):
            return list(found[0].children)
        return [nodes.Text(unmarked(text))] if text else []

    @contextmanager
    def _relative_to(self, name: str) -> Iterator[None]:
        """Unqualified references mean the class's own members, then its module's."""
        context = self._env.ref_context
        before = dict(context)
        module, _, cls = name.rpartition(".")
        if module:
            context.update({"py:module": module, "py:class": cls})
        try:
            yield
        finally:
            context.clear()
            context.update(before)


def _words(text: str) -> Iterator[nodes.Node]:
    """Words and inline code, without the cost of a parser."""
    for number, part in enumerate(_CODE.split(text)):
        if part:
            yield snippet(f"``{part}``", part) if number % 2 else nodes.Text(part)


def unmarked(text: str) -> str:
    """Bare text of some prose."""
    from platform_ops.registry.classes.docstrings import plain

    return plain(text)


def _note(message: nodes.system_message, faults: list[str]) -> None:
    if message["level"] >= _WARNING:
        faults.append(message.astext())


def _settle(document: nodes.document, where: str) -> None:
    """Leave nothing behind that only makes sense in the document it came from.

    :param where: Whose docstring is told of references that lead nowhere; empty where nobody is.
    """
    for problematic in list(document.findall(nodes.problematic)):
        problematic.replace_self(nodes.literal("", problematic.astext().strip("`:")))
    for section in list(document.findall(nodes.section)):
        title, *rest = section.children
        section.replace_self([nodes.rubric("", "", *title.children), *rest])
    for reference in list(document.findall(nodes.reference)):
        if not reference.get("refuri"):
            reference.replace_self(nodes.inline("", "", *reference.children))
    for node in list(document.findall(lambda each: isinstance(each, _TARGETS))):
        node.parent.remove(node)
    pointers = [each for each in document.findall(nodes.Element) if isinstance(each, _POINTERS)]
    for node in pointers:
        node.replace_self(nodes.Text(node.astext()))
    for xref in document.findall(addnodes.pending_xref):
        xref["airflow_docstring"] = where
    # Else each page is pickled with this document, its settings, and the environment in them.
    for node in document.findall():
        node.document = None  # type: ignore[assignment]  # docutils' default, which its setter omits


def markdown_html(text: str, *, demote: int = 2) -> str:
    """Markdown as Airflow's own UI reads it; raw HTML in it is shown, not obeyed.

    :param demote: How far headings go down, so that they stay below the page's own.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + demote)}"
    return str(parser.renderer.render(tokens, parser.options, {}))
