"""The site of a large provider, beside autodoc with typehints; and packages of 100 to 5,000 classes.

Each build is a process of its own, with ``--jobs auto`` and bytecode there as in any installation.
Its memory is that of its largest process; its processor time is that of all of them, which other
work on the machine changes least.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks import provider_sites as sites
from tests.benchmarks.first_paint import first_paint_s

SMALLEST: Final = 100  # compiles what all of them import, too
SMALL: Final = 500
LARGE: Final = 5_000
HEAVIEST_KB: Final = 60
GROWTH_HEADER: Final = (
    "", "pages", "processor seconds", "of them a page, ms", "seconds", "MiB", "largest page, kB",
)  # fmt: skip
HEADER: Final = (
    "", "seconds", "processor seconds", "MiB", "warnings", "pages", "median page, kB", "largest, kB",
    "first paint, s",
)  # fmt: skip
PACKAGES: Final = ("sphinx", "furo", "sphinx-autodoc-typehints", "apache-airflow-providers-amazon")
_PROJECT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Build:
    """One build."""

    seconds: float
    processor_seconds: float
    peak_mib: float
    warnings: int
    pages: int
    largest_page_kb: float
    median_page_kb: float
    first_paint_s: float | None = None


def main() -> dict[str, Build]:
    """Builds of the provider, by what they are; the peer's and ours take turns on one copy of it."""
    with tempfile.TemporaryDirectory() as name:
        return dict(_builds(Path(name)))


def growth() -> dict[str, Build]:
    """Builds of packages made up, of ever more classes."""
    with tempfile.TemporaryDirectory() as name:
        return dict(_made_up(Path(name)))


def growth_rows(builds: Mapping[str, Build]) -> list[tuple[str, ...]]:
    """The figures as a table; processor time is what other work on the machine changes least."""
    return [
        (
            name,
            str(each.pages),
            f"{each.processor_seconds:.1f}",
            f"{1000 * each.processor_seconds / each.pages:.1f}",
            f"{each.seconds:.1f}",
            f"{each.peak_mib:.0f}",
            f"{each.largest_page_kb:.0f}",
        )
        for name, each in builds.items()
    ]


def growth_broken(builds: Mapping[str, Build]) -> list[str]:
    """What is promised of growth and was not reached."""
    small, large = builds[f"{SMALL:,} classes"], builds[f"{LARGE:,} classes"]
    ratio = _per_page_s(large) / _per_page_s(small)
    promises = {
        f"a page of {LARGE:,} takes 1.3 × as long as one of {SMALL}, not {ratio:.2f} ×": ratio
        <= 1.3,
        f"no page is heavier than {HEAVIEST_KB} kB": max(
            each.largest_page_kb for each in builds.values()
        )
        <= HEAVIEST_KB,
    }
    return [f"site: promised: {promise}" for promise, kept in promises.items() if not kept]


def _per_page_s(build: Build) -> float:
    return build.processor_seconds / build.pages


def rows(builds: Mapping[str, Build]) -> list[tuple[str, ...]]:
    """The figures as a table."""
    return [
        (
            name,
            f"{each.seconds:.1f}",
            f"{each.processor_seconds:.1f}",
            f"{each.peak_mib:.0f}",
            str(each.warnings),
            str(each.pages),
            f"{each.median_page_kb:.0f}",
            f"{each.largest_page_kb:.0f}",
            "" if each.first_paint_s is None else f"{each.first_paint_s:.2f}",
        )
        for name, each in builds.items()
    ]


def broken(builds: Mapping[str, Build]) -> list[str]:
    """What the documentation promises and this run did not reach."""
    cold, peer = builds["ours, cold"], builds["peer, cold"]
    promises = {
        "a cold build takes 20 s or a fifth of the peer's time": cold.seconds
        <= max(20, peer.seconds / 5),
        "a build holds less than 400 MiB": cold.peak_mib < 400,
        "no warning": cold.warnings == 0,
        "a page is painted within 0.5 s": (cold.first_paint_s or 0) < 0.5,
        "one docstring edited: 4 s": builds["ours, one docstring edited"].seconds <= 4,
        "nothing changed: 2 s": builds["ours, nothing changed"].seconds <= 2,
        f"no page is heavier than {HEAVIEST_KB} kB": cold.largest_page_kb <= HEAVIEST_KB,
    }
    return [f"site: promised: {promise}" for promise, kept in promises.items() if not kept]


def _builds(folder: Path) -> Iterator[tuple[str, Build]]:
    provider = sites.editable_provider(folder / "provider")
    sites.our_site(folder / "ours" / "docs")
    _build(
        folder / "ours", provider
    )  # compiles what both import, and tells which classes there are
    sites.peer_site(folder / "peer" / "docs", _classes(folder / "ours"))
    shutil.rmtree(folder / "ours" / "html")
    for site in ("peer", "ours"):
        built = _build(folder / site, provider)
        yield f"{site}, cold", replace(built, first_paint_s=_first_paint_s(folder / site))
    sites.edit(provider)
    for site in ("peer", "ours"):
        yield f"{site}, one docstring edited", _build(folder / site, provider)
    for site in ("peer", "ours"):
        yield f"{site}, nothing changed", _build(folder / site, provider)


def _made_up(folder: Path) -> Iterator[tuple[str, Build]]:
    for count in (SMALLEST, SMALL, LARGE):
        place = folder / f"made-up-{count}"
        sites.made_up_package(place / "package", count)
        sites.our_site(place / "docs", "made_up")
        yield f"{count:,} classes", _build(place, place / "package")


def _first_paint_s(site: Path) -> float:
    html = site / "html"
    page = next(html.rglob(f"*.{sites.EDITED_CLASS}.html"))
    return first_paint_s(html, page.relative_to(html).as_posix())


def _classes(site: Path) -> list[tuple[str, str]]:
    cache = json.loads((site / "html" / ".doctrees" / "airflow-catalog.cache.json").read_bytes())
    return [
        (each["kind"], each["name"])
        for part in cache["parts"].values()
        for each in (part.get("module") or {}).get("classes", ())
        if not each.get("static")  # autodoc could not import it
    ]


def _build(site: Path, first_on_path: Path) -> Build:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [str(first_on_path), str(_PROJECT), os.environ.get("PYTHONPATH", "")]
        ),
        "PYTHONPYCACHEPREFIX": str(site.parent / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        "AIRFLOW_HOME": str(site.parent / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "tests.benchmarks.site_build", "docs", "html"]
    child = subprocess.run(
        command, cwd=site, env=environment, check=True, capture_output=True, text=True
    )
    measured = json.loads(child.stdout.splitlines()[-1])
    sizes = sorted(path.stat().st_size / 1000 for path in (site / "html").rglob("*.html"))
    return Build(
        seconds=measured["seconds"],
        processor_seconds=measured["processor_seconds"],
        peak_mib=measured["peak_mib"],
        warnings=measured["warnings"],
        pages=len(sizes),
        largest_page_kb=sizes[-1],
        median_page_kb=sizes[len(sizes) // 2],
    )


def _child(source: str, target: str) -> None:
    """Run one build as a process of its own, and measure that."""
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "auto", "-b", "html", source, target]
    started = time.perf_counter()
    ran = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if ran.returncode != 0:
        raise SystemExit(ran.stderr[-4000:])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "seconds": seconds,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "warnings": ran.stderr.count("WARNING: ") + ran.stderr.count("ERROR: "),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    _child(*sys.argv[1:])
