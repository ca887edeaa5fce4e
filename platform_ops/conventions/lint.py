"""Many files held against the rules: from the cache, in several processes, with exceptions applied."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from platform_ops.conventions.cache import Cache
from platform_ops.conventions.catalogue import (
    META,
    NO_REASON,
    STALE,
    UNLOADABLE,
    UNREADABLE,
    chosen,
)
from platform_ops.conventions.examine import Examined, examine, examine_files, read
from platform_ops.conventions.model import Agreed, Convention, Edit, Hit, Write
from platform_ops.conventions.rewrite import applied
from platform_ops.errors import ConfigError
from platform_ops.findings import Excused, Finding, Place, Report, Rule

if TYPE_CHECKING:
    from platform_ops.settings import Settings

__all__ = ["Linted", "agreed_by", "files_of", "fix", "lint"]

_SKIPPED: Final = {"__pycache__", "node_modules", "venv", "site-packages"}
_CHUNK: Final = 40
_WORTH_A_PROCESS: Final = 80


@dataclass(frozen=True, slots=True)
class Linted:
    """The outcome of a run.

    :param edits: What would mend what was found, by file.
    :param cached: How many files were known from before.
    """

    report: Report
    edits: Mapping[str, Sequence[tuple[str, Edit]]] = field(default_factory=dict)
    files: int = 0
    cached: int = 0


def agreed_by(settings: Settings) -> Agreed:
    """What rules may know of a site."""
    entities = frozenset(str(each) for each in settings.entities())
    return Agreed(settings.conventions, entities or None)


def lint(
    paths: Iterable[Path],
    agreed: Agreed,
    *,
    cache: Path | None = None,
    jobs: int | None = None,
    load: bool = False,
    conventions: Iterable[Convention] | None = None,
) -> Linted:
    """Hold files, and all Python files below folders, against the rules of a site.

    :param cache: Where results are kept from one run to the next.
    :param jobs: Processes at most; one for each core where unset.
    :param load: Also let Airflow load the files, in processes of their own, for what only that shows.
    :param conventions: Those to take; all that are installed where unset.
    :raises ConfigError: A path is not there, or the settings name a rule that is not.
    """
    rules = chosen(agreed.settings, conventions)
    files = {_shown(each): each for each in files_of(paths)}
    kept = Cache(cache, rules, agreed)
    own = conventions is not None
    found, cached = _examined(files, rules, agreed, kept, 1 if own else jobs or os.cpu_count() or 1)
    kept.save()
    _add_templates(found, rules, agreed)
    if load:
        from platform_ops.conventions.loading import load_files

        load_files(files, found, rules, agreed)
    _add_across(found, rules, agreed)
    checked: list[Rule] = [*rules, *(rule for rule in META if load or rule is not UNLOADABLE)]
    if not load:
        checked = [rule for rule in checked if not _needs_loading(rule)]
    return replace(_judged(found, checked), files=len(files), cached=cached)


def _needs_loading(rule: Rule) -> bool:
    return isinstance(rule, Convention) and not any(
        (rule.source, rule.on_dag, rule.on_task, rule.across, rule.on_template)
    )


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Files, and all Python files below folders.

    :raises ConfigError: A path is not there.
    """
    for path in paths:
        if path.is_dir():
            for folder, below, names in os.walk(path):
                below[:] = sorted(
                    each for each in below if each not in _SKIPPED and not each.startswith(".")
                )
                yield from (Path(folder, each) for each in sorted(names) if each.endswith(".py"))
        elif path.is_file():
            yield path
        else:
            raise ConfigError(f"{path}: no such file or folder; name DAG files, or folders of them")


def _shown(path: Path) -> str:
    """Relative to where the command runs, where that is above it."""
    full, here = path.absolute(), Path.cwd()
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else full.as_posix()


def _examined(
    files: Mapping[str, Path],
    rules: Sequence[Convention],
    agreed: Agreed,
    cache: Cache,
    jobs: int,
) -> tuple[dict[str, Examined], int]:
    found: dict[str, Examined] = {}
    digests: dict[str, str] = {}
    for shown, path in files.items():
        content = path.read_bytes()
        digests[shown] = hashlib.blake2b(content, digest_size=16).hexdigest()
        # What stands in a pod template file may change while the file that names it does not.
        known = None if b"pod_template_file" in content else cache.get(shown, digests[shown])
        if known is not None:
            found[shown] = Examined.from_json(known)
    todo = [each for each in files if each not in found]
    for shown, plain in zip(todo, _fresh(todo, files, rules, agreed, jobs), strict=True):
        found[shown] = Examined.from_json(plain)
        cache.put(shown, digests[shown], plain)
    return found, len(files) - len(todo)


def _fresh(
    todo: Sequence[str],
    files: Mapping[str, Path],
    rules: Sequence[Convention],
    agreed: Agreed,
    jobs: int,
) -> Iterator[Any]:  # Any: JSON values
    if jobs == 1 or len(todo) < _WORTH_A_PROCESS:
        for each in todo:
            yield examine(each, read(files[each]), rules, agreed).to_json()
        return
    from concurrent.futures import ProcessPoolExecutor
    from itertools import repeat
    from multiprocessing import get_context

    pairs = [(each, str(files[each])) for each in todo]
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    with ProcessPoolExecutor(min(jobs, len(chunks)), get_context("spawn")) as pool:
        for results in pool.map(examine_files, chunks, repeat(agreed)):
            yield from results


def _add_templates(found: dict[str, Examined], rules: Sequence[Convention], agreed: Agreed) -> None:
    for pattern in agreed.settings.pod_templates:
        for path in sorted(Path.cwd().glob(pattern)):
            shown = _shown(path)
            for rule in rules:
                if rule.on_template is not None:
                    hits = rule.on_template(shown, read(path))
                    found.setdefault(shown, Examined()).hits += [(rule.id, hit) for hit in hits]


def _add_across(found: dict[str, Examined], rules: Sequence[Convention], agreed: Agreed) -> None:
    written: list[Write] = [
        replace(each, file=shown) for shown, examined in found.items() for each in examined.writes
    ]
    for rule in rules:
        if rule.across is not None:
            for told in rule.across(written, agreed):
                found[told.file].hits.append((rule.id, told.hit))


def _judged(found: Mapping[str, Examined], checked: Sequence[Rule]) -> Linted:
    """The report, with what a noqa excuses taken out, and what is wrong with each noqa put in."""
    by_id = {rule.id: rule for rule in (*checked, *META)}
    findings: list[Finding] = []
    excused: list[Excused] = []
    edits: dict[str, list[tuple[str, Edit]]] = {}
    for shown, examined in found.items():
        used: set[tuple[int, str]] = set()
        reasons = {(each.line, code): each.reason for each in examined.noqa for code in each.codes}
        for rule_id, hit in examined.hits:
            finding = by_id[rule_id].at(Place(hit.object, shown, hit.line), hit.message, hit.fix)
            key = (hit.line or 0, rule_id)
            if key in reasons and rule_id != UNREADABLE.id:
                used.add(key)
                excused.append(Excused(finding, "noqa", reasons[key] or "none given"))
            else:
                findings.append(finding)
                edits.setdefault(shown, []).extend((rule_id, each) for each in hit.edits)
        ids = {rule.id for rule in checked}
        for rule, hit in _faulty_exceptions(examined, used, ids):
            findings.append(rule.at(Place(hit.object, shown, hit.line), hit.message))
            edits.setdefault(shown, []).extend((rule.id, each) for each in hit.edits)
    report = replace(Report.of(findings, checked=checked), excused=tuple(excused))
    return Linted(report, edits)


def _faulty_exceptions(
    examined: Examined, used: set[tuple[int, str]], checked: set[str]
) -> Iterator[tuple[Rule, Hit]]:
    known = checked | {rule.id for rule in META}
    for each in examined.noqa:
        if not each.reason:
            yield NO_REASON, Hit(each.line, ", ".join(each.codes), "no reason is given")
        stale = [code for code in each.codes if (each.line, code) not in used]
        judged = [code for code in stale if code in checked or code not in known]
        for code in judged:
            whole = len(judged) == len(each.codes)
            edits = each.removal if whole and code == judged[0] else ()
            told = "is not found in this line" if code in checked else "is no rule of this run"
            yield STALE, Hit(each.line, code, f"{code} {told}", edits=edits)


def fix(linted: Linted, counted: Report) -> list[str]:
    """Mend what can be mended safely; the files that were changed.

    :param counted: What is left of the report once the site's choice of rules is applied.
    """
    wanted = {(each.place.file, each.rule.id) for each in counted.findings}
    changed = []
    for shown, edits in linted.edits.items():
        chosen_edits = [edit for rule, edit in edits if (shown, rule) in wanted]
        if not chosen_edits:
            continue
        path = Path(shown)
        if _rewrite(path, chosen_edits):
            changed.append(shown)
    return changed


def _rewrite(path: Path, edits: Sequence[Edit]) -> bool:
    """Write the file with the edits made; False where that would not leave it whole."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    plain = text.removeprefix(mark).replace("\r\n", "\n")
    ends = "\r\n" if "\r\n" in text else "\n"
    if mark + plain.replace("\n", ends) != text:
        return False  # lines that end now this way, now that
    new = applied(plain, edits)
    try:
        compile(new, str(path), "exec", dont_inherit=True)
    except SyntaxError:
        return False
    path.write_bytes((mark + new.replace("\n", ends)).encode())
    return True
