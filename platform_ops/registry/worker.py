"""The process that imports other people's code: a job comes in as JSON, a result goes out as JSON.

Run as ``python -m platform_ops.registry.worker JOB RESULT`` by :mod:`platform_ops.registry.build`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from platform_ops.registry.classes.introspect import Introspector
from platform_ops.registry.dags.bag import parse_folders
from platform_ops.registry.entities import read_entities
from platform_ops.registry.jobs import Job, Result
from platform_ops.registry.models.catalog import adapter
from platform_ops.registry.providers import describe
from platform_ops.registry.tables import read

__all__ = ["main", "run"]


def run(job: Job) -> Iterator[Result]:
    """Do the job in this process; the result so far, after each part."""
    result = Result()
    if job.tables:
        each = job.tables
        result.tables = read(each)
    if job.entities:
        result.entities = read_entities(job.entities.path, job.entities.moment)
    if job.classes:
        declared = job.classes.declared
        if declared is None:
            result.providers = describe(job.classes.providers)
            declared = result.providers.declared
        introspector = Introspector(job.classes.packages, declared)
        for module, package in job.classes.modules:
            result.modules[module.name] = introspector.module(
                module.name, str(module.path), package
            )
    if job.dags:
        yield result  # before DAG files are run, which may end the process
        result.dags = parse_folders(
            dict(job.dags.folders), job.dags.moment, job.dags.only, audit=job.dags.audit
        )
    yield result


def main(job: str, result: str) -> None:
    """Read the job's file, write the result's."""
    for found in run(adapter(Job).validate_json(Path(job).read_bytes())):
        Path(result).write_bytes(adapter(Result).dump_json(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
