"""Calls of several hooks in one task: none hides the references of another."""

from __future__ import annotations

from airflow.sdk import DAG, get_current_context, task

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part
from platform_ops.settings import Settings
from platform_ops.sources.calls import captured_call
from platform_ops.testing.runner import Supervisor, run_dag

ASKED = [("shop", "orders", "a" * 64), ("shop", "orders", "a" * 64), ("bank", "rates", "a" * 64)]


def test_references_of_every_hook_of_a_task_stand_side_by_side(
    platform_archive: Settings,
) -> None:
    @task
    def both() -> None:
        for number, (source, name, fingerprint) in enumerate(ASKED):
            entity = Entity(source, name)
            with captured_call(get_current_context(), entity, fingerprint, "it") as capture:
                capture.write(Part("body", [b"%d" % number], Origin("test://x")))

    with DAG("calls") as dag:
        both()
    supervisor = Supervisor()
    assert run_dag(dag, at="2024-03-05", supervisor=supervisor).state == "success"
    references = supervisor.xcoms["both", "archive", -1]
    assert [archive.open(each).read() for each in references] == [b"0", b"1", b"2"]
    keys = [archive.manifest(each).slot.map_key for each in references]
    assert keys == [f"{'a' * 16}.1", f"{'a' * 16}.2", f"{'a' * 16}.1"]
