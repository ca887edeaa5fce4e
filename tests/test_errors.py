"""The tree of errors: drawn as it is, and each one says whether a retry can help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from platform_ops import errors


def classes() -> dict[str, type[errors.PlatformError]]:
    found = {name: getattr(errors, name) for name in errors.__all__}
    assert all(issubclass(each, errors.PlatformError) for each in found.values())
    return found


def test_the_drawing_at_the_top_is_the_tree() -> None:
    assert errors.__doc__ is not None
    parents = ["PlatformError"]
    drawn = {"PlatformError": "Exception"}
    for line in errors.__doc__.splitlines():
        if hit := re.match(r"([│ ]*)[├└]── (\w+) +\S", line):
            depth = len(hit[1]) // 4 + 1
            drawn[hit[2]] = parents[depth - 1]
            parents[depth:] = [hit[2]]
    real = {name: each.__bases__[0].__name__ for name, each in classes().items()}
    assert drawn == real


def test_everything_public_is_listed() -> None:
    public = [
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, Exception)
    ]
    assert sorted(public) == sorted(errors.__all__)


def test_what_time_may_cure_is_worth_a_retry() -> None:
    retryable = {name for name, each in classes().items() if each.retryable}
    assert retryable == {
        "ArchiveUnavailable",
        "SourceChanged",
        "SourceTruncated",
        "SourceUnavailable",
    }


def test_each_has_a_description() -> None:
    assert [name for name, each in classes().items() if not each.__doc__] == []


def test_a_missing_library_comes_with_the_command() -> None:
    assert str(errors.ExtraMissing("obstore", "s3", "an archive at s3://lake")) == (
        "an archive at s3://lake needs obstore, which is not installed; "
        "run: pip install 'platform-ops[s3]'"
    )


@pytest.mark.parametrize(
    ("kind", "builtin"), [(errors.UrlError, ValueError), (errors.NotArchived, LookupError)]
)
def test_some_are_caught_as_what_python_calls_them(
    kind: type[errors.PlatformError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


def test_the_page_says_what_to_do_about_each() -> None:
    text = (Path(__file__).parents[1] / "docs/reference/errors.md").read_text("utf-8")
    told = re.findall(r"{airflow:error}`(\w+)`", text.partition("## What to do")[2])
    raised = set(classes()) - {"PlatformError", "SourceError", "ArchiveError"}  # never themselves
    assert sorted(told) == sorted(raised)
