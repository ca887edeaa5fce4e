"""What this site agreed on besides."""

from platform_ops.conventions import MISSING, Convention, Hit


def _one_at_a_time(dag, agreed):
    most = agreed.options("AL101").get("most", 1)
    given = dag.given("max_active_runs")
    if given is MISSING or (isinstance(given, int) and given > most):
        yield Hit(dag.line, str(dag.dag_id), f"more than {most} runs at once")


RULES = [
    Convention(
        id="AL101",
        title="Runs that overlap",
        why="Two runs of one almanac overwrite each other's tables.",
        bad='DAG("tides")',
        good='DAG("tides", max_active_runs=1)',
        fix="set max_active_runs",
        on_dag=_one_at_a_time,
    )
]
