"""The index: how fast it is made anew from manifests on disk, and how fast it answers on a million.

The manifests that are read are real ones, sealed, one file each in a tree of hourly slots. The million
rows are put into the index as a refresh would put them: a million files would take longer to make than
all other benchmarks take together.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from platform_ops import archive
from platform_ops.archive.indexing import Index, Question, insert, note, tables
from platform_ops.archive.indexing.rows import Row, checksum, microseconds
from platform_ops.archive.stores import store
from platform_ops.entity import Entity, Manifest, Origin, Part, Payload, RunIdentity, Slot
from platform_ops.settings import ArchiveSettings, Settings
from platform_ops.url_scheme import DEFAULT_TEMPLATE, Template, manifest_key

MANIFESTS: Final = 200_000
ROWS: Final = 1_000_000
BODIES: Final = 1_000_000
ROUNDS: Final = 3
_IN_A_PACK: Final = 10_000
REBUILD_PROMISE: Final = 20_000
"""Manifests a second."""
FIND_PROMISE_S: Final = 0.2
HEADER: Final = ("the index", "")

_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_HOURS: Final = 8_760


def main(manifests: int = MANIFESTS, rows: int = ROWS, bodies: int = BODIES) -> dict[str, float]:
    """Manifests a second of a rebuild; seconds of each question to an index of ``rows`` revisions."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "archive"
        _write(root, manifests)
        os.sync()  # else the disk is still busy with what was written when it is read
        index = Index(store.at(f"file://{root}"), Path(folder) / "index.sqlite")
        samples = []
        for _ in range(ROUNDS):
            tables.remove(index.path)
            started = time.perf_counter()
            count = index.refresh().read
            samples.append(count / (time.perf_counter() - started))
        figures = {"rebuild": statistics.median(samples)}
        started = time.perf_counter()
        figures["refresh"] = index.refresh().listed / (time.perf_counter() - started)
        _fill(index, manifests, rows)
        figures |= _ask(index, rows // 2)
        return figures | _packed(Path(folder), bodies)


def rows(figures: dict[str, float]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    speeds = {
        "rebuild": f"manifests read, {MANIFESTS:,}",
        "refresh": f"manifests listed, all known, {MANIFESTS:,}",
        "bodies": f"bodies of packs read, {BODIES:,}",
    }
    told = [(what, f"{figures[name]:,.0f}/s") for name, what in speeds.items()]
    asked = [(name, each) for name, each in figures.items() if name.startswith("find")]
    return [*told, *((f"{name}, among {ROWS:,}", f"{1000 * s:.1f} ms") for name, s in asked)]


def broken(figures: dict[str, float]) -> list[str]:
    """Each promise that does not hold, in words."""
    slow = [
        f"{name}: promised within {FIND_PROMISE_S} s"
        for name, seconds in figures.items()
        if name.startswith("find") and seconds > FIND_PROMISE_S
    ]
    if figures["rebuild"] < REBUILD_PROMISE:
        slow.append(f"rebuild of the index: promised {REBUILD_PROMISE:,} manifests a second")
    return slow


def _packed(folder: Path, count: int) -> dict[str, float]:
    """Bodies a second of an index over packs alone, and how fast it finds one of them."""
    site = Settings(archive=ArchiveSettings(root=f"file://{folder}/packs"))
    entity, text = Entity("benchmark", "packed"), b"{}"
    for first in range(0, count, _IN_A_PACK):
        slot = Slot(entity, _START + timedelta(hours=first // _IN_A_PACK))
        run = RunIdentity("benchmark", "fetch", f"run-{first}")
        with archive.session(slot, run, pack=True, settings=site) as session:
            for number in range(first, first + _IN_A_PACK):
                origin = Origin("https://packed.example/", "GET", _digest("p", number))
                session.write(Part(f"item-{number}.json", [text], origin))
    index = Index(archive.root(site), folder / "packs.sqlite")
    started = time.perf_counter()
    index.refresh()
    seconds = time.perf_counter() - started
    asked = Question(name=f"item-{count // 2}.json")
    return {"bodies": count / seconds, "find by name of a body in a pack": _seconds(index, asked)}


def _ask(index: Index, number: int) -> dict[str, float]:
    """Seconds of each question.

    :param number: Of one of the rows that were put in.
    """
    slot = _slot(number)
    (hit,) = index.find(
        Question(slot.entity, slot.time_utc, slot.time_utc + timedelta(hours=1))
    ).hits
    questions = {
        "entity and day": Question(slot.entity, slot.time_utc, slot.time_utc + timedelta(days=1)),
        "run": Question(run=hit.run_id),
        "payload digest": Question(sha256=_digest("b", number)),
        "start of a digest": Question(sha256=_digest("b", number)[:12]),
        "fingerprint": Question(fingerprint=_digest("f", number)),
        "URL": Question(url=_url(number)),
        "name of a body": Question(name=f"page-{number}.json"),
        "DAG and day": Question(
            dag=hit.dag_id, since=slot.time_utc, until=slot.time_utc + timedelta(days=1)
        ),
    }
    return {f"find by {name}": _seconds(index, each) for name, each in questions.items()}


def _seconds(index: Index, question: Question) -> float:
    samples = []
    for _round in range(5):
        started = time.perf_counter()
        found = index.find(question).hits
        samples.append(time.perf_counter() - started)
        if not found:
            raise SystemExit(f"{question}: nothing is found")
    return statistics.median(samples)


def _slot(number: int) -> Slot:
    entity, hour = divmod(number, _HOURS)
    return Slot(Entity(f"source{entity % 10}", f"entity{entity}"), _START + timedelta(hours=hour))


def _digest(kind: str, number: int) -> str:
    return hashlib.sha256(f"{kind}{number}".encode()).hexdigest()


def _url(number: int) -> str:
    slot = _slot(number)
    return f"https://{slot.entity.name}.example/readings?at={slot.time_utc:%Y-%m-%dT%H}"


def _manifest(number: int) -> Manifest:
    slot = _slot(number)
    time_utc, name = slot.time_utc, slot.entity.name
    origin = Origin(_url(number), "GET", _digest("f", number), 200, {"etag": '"a"'}, time_utc)
    key = f"data/{Template.compile(DEFAULT_TEMPLATE).render(slot)}/000001-0123456789ab/page.json"
    payload = Payload(key, "page.json", 1234, _digest("b", number), "application/json", origin)
    run = RunIdentity(name, "fetch", f"scheduled__{name}__{time_utc.isoformat()}")
    return Manifest(
        slot, 1, "0123456789ab", run, DEFAULT_TEMPLATE, (payload,), _digest("c", number), time_utc, time_utc
    )  # fmt: skip


def _write(root: Path, count: int) -> None:
    """Real manifests, written by as many processes as there are cores."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("fork")) as pool:
        steps = range(0, count, _HOURS)
        done = [
            pool.submit(_write_some, root, first, min(first + _HOURS, count)) for first in steps
        ]
        for each in done:
            each.result()


def _write_some(root: Path, first: int, end: int) -> None:
    """Those of one entity; the text of one is made into the others, and sealed, for speed."""
    template, path = Template.compile(DEFAULT_TEMPLATE), root
    for number in range(first, end):
        text = _text(number)
        seal = hashlib.sha256(text).hexdigest()
        # Where the field belongs, among keys in order: before the outermost "sha256".
        head, _, tail = text.rpartition(b'\n  "sha256": ')
        sealed = head + f'\n  "seal": "{seal}",'.encode() + b'\n  "sha256": ' + tail
        path = root / manifest_key(template.render(_slot(number)), 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed)
    if Manifest.from_json(path.read_bytes(), "") != _manifest(end - 1):
        raise SystemExit("the manifests of this benchmark are none: mend it")


def _text(number: int) -> bytes:
    """The manifest's text without its seal: of the first of each entity as it is, else by its model."""
    first = number - number % _HOURS
    if first not in _models:
        _models.clear()
        plain = json.loads(_manifest(first).to_json())
        del plain["seal"]
        _models[first] = (json.dumps(plain, sort_keys=True, indent=2) + "\n").encode()
    text = _models[first]
    for old, new in zip(_parts(first), _parts(number), strict=True):
        text = text.replace(old, new)
    return text


_models: dict[int, bytes] = {}


def _parts(number: int) -> Iterator[bytes]:
    time_utc = _slot(number).time_utc
    texts = (
        time_utc.isoformat(),
        f"{time_utc:%Y-%m-%dT%H:%M:%SZ}",
        f"dt={time_utc:%Y-%m-%d}/at={time_utc:%H}",
        f"at={time_utc:%Y-%m-%dT%H}",
        *(_digest(kind, number) for kind in "fbc"),
    )
    return (text.encode() for text in texts)


def _fill(index: Index, start: int, end: int) -> None:
    with closing(tables.connect(index.path, index.root)) as connection:
        connection.execute("BEGIN")
        # As a first refresh does it: rows into indices cost ten times as much as indices over rows.
        named = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        for (name,) in connection.execute(named).fetchall():
            connection.execute(f"DROP INDEX {name}")
        for number in range(start, end, 1000):
            insert(connection, [_row(each) for each in range(number, number + 1000)], {})
        note(connection, "", datetime.now(UTC))
        connection.execute("COMMIT")
        tables.index_columns(connection)


def _row(number: int) -> Row:
    slot = _slot(number)
    key = manifest_key(Template.compile(DEFAULT_TEMPLATE).render(slot), 1)
    stamp, entity = microseconds(slot.time_utc), slot.entity
    run_id = f"scheduled__{entity.name}__{slot.time_utc.isoformat()}"
    digests = (bytes.fromhex(_digest("c", number)), bytes.fromhex(_digest("m", number)))
    columns: tuple[Any, ...] = (  # Any: as in a row
        *(key, 1900, stamp, None, entity.source, entity.name, stamp, None, None, None, 1),
        *(entity.name, "fetch", run_id, -1, 1, stamp, 1234, None, 1, *digests),
    )
    asked = (bytes.fromhex(_digest("b", number)), bytes.fromhex(_digest("f", number)))
    return (*columns, checksum(columns)), [(*asked, _url(number), f"page-{number}.json")], []


if __name__ == "__main__":  # how many manifests to read, and how many rows to ask
    print(json.dumps(main(*map(int, sys.argv[1:])), indent=2))
