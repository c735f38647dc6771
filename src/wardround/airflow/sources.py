"""Names the DAG that screens a condition at each of its sources; each has its own DAG, pool and runs.

The first source has the same DAG id as a condition without `sources`, so that adding a second source does not change
the first. Condition ids contain no double underscore, so that a DAG id can be split into condition and source.
"""

from collections.abc import Sequence
from typing import Final

from wardround.airflow.provider import DEFAULT_CONNECTION

SCREENING: Final = "screen_icu"
_PARTS: Final = "__"


def screening_dags(condition_id: str, sources: Sequence[str]) -> dict[str, str]:
    """Returns the id of the screening DAG for each source; without sources, for the default connection."""
    first, *further = sources or (DEFAULT_CONNECTION,)
    dag_id = f"{SCREENING}{_PARTS}{condition_id}"
    return {first: dag_id, **{source: f"{dag_id}{_PARTS}{source}" for source in further}}


def of_dag(dag_id: str) -> tuple[str, str | None]:
    """Returns the condition of a DAG (empty if the DAG is not ours), and its source unless that is the first one."""
    parts = dag_id.split(_PARTS, 2)
    return (parts[1] if len(parts) > 1 else ""), (parts[2] if len(parts) > 2 else None)


def run_key(dag_id: str, dag_run_id: str) -> str:
    """Returns the key that a run is named after. It includes the DAG id for further sources.

    DAG runs for the same time have the same id in every DAG, and must not share a run folder.
    """
    _, source = of_dag(dag_id)
    return dag_run_id if source is None else f"{dag_id}/{dag_run_id}"
