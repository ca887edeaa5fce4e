"""Docstrings, taken apart."""

from __future__ import annotations

import pytest

from platform_ops.registry.classes.docstrings import first_sentence, parse, plain


def test_fields_leave_the_prose_and_keep_their_own_markup() -> None:
    found = parse(
        """
        Fetch it.

        It is *big*.

        :param url: Where it is,
            in full.
        :param str kind: Which one.
        :type kind: str
        :raises OSError: It is not there.
        :return: Nothing.

        More prose.

        Source: RFC 9110,
            section 4.
        """
    )
    assert found.summary == "Fetch it."
    assert found.body == "It is *big*.\n\nMore prose."
    assert found.parameters == {"url": "Where it is,\nin full.", "kind": "Which one."}
    assert found.raises == (("OSError", "It is not there."),)
    assert found.references == ("RFC 9110, section 4.",)


def test_a_field_that_was_wrapped_without_indentation_is_kept_whole() -> None:
    found = parse("X.\n\n:param a: One\nand two.\n:param b: Three.\n\nProse.")
    assert found.parameters == {"a": "One\nand two.", "b": "Three."}
    assert found.body == "Prose."


def test_a_field_keeps_its_paragraphs_and_lists() -> None:
    found = parse("X.\n\n:param a: One:\n\n    - two\n    - three\n:param b: Four.")
    assert found.parameters == {"a": "One:\n\n- two\n- three", "b": "Four."}


def test_versions_are_taken_from_directives() -> None:
    found = parse("X.\n\n.. versionadded:: 1.4\n\n.. deprecated:: 2.0\n    Use Y.\n")
    assert (found.since, found.deprecated) == ("1.4", "2.0 Use Y.")


@pytest.mark.parametrize("text", [None, "", "   \n  "])
def test_nothing_is_an_empty_docstring(text: str | None) -> None:
    assert parse(text) == parse("")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("Version 1.2 of it\nis here. Next", "Version 1.2 of it is here."),
        ("e.g. this\n\nThat.", "e.g. this"),
    ],
)
def test_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize(
    ("markup", "bare"),
    [
        (":class:`~a.b.Hook` and :ref:`a guide <x>`", "Hook and a guide"),
        ("``code``, **bold**, `link <https://x.y>`__", "code, bold, link"),
        (":py:class:`!a.Hook`", "a.Hook"),
    ],
)
def test_plain_takes_the_markup_off(markup: str, bare: str) -> None:
    assert plain(markup) == bare


def test_types_of_old_docstrings_are_kept_apart() -> None:
    found = parse(
        """Do it.

        :param str name: Whose.
        :param count: How many.
        :type count: int or
            None
        :param **options: More.
        :param *: Of nobody knows what.
        """
    )
    assert found.parameters == {"name": "Whose.", "count": "How many.", "options": "More."}
    assert found.types == {"name": "str", "count": "int or None"}
