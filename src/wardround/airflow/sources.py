"""The sources of a condition, and the DAG that screens each: a name of its own, a pool of its own, runs of its own.

The first source keeps the DAG that a condition without `sources` has, so that a second one changes nothing about it.
Ids of conditions hold no two underscores, so a DAG's id says which condition and which source it is of.
"""

from collections.abc import Sequence
from typing import Final

from wardround.airflow.provider import DEFAULT_CONNECTION

SCREENING: Final = "screen_icu"
_PARTS: Final = "__"


def screening_dags(condition_id: str, sources: Sequence[str]) -> dict[str, str]:
    """The id of the screening DAG of each source, by source; without sources, of the usual connection."""
    first, *further = sources or (DEFAULT_CONNECTION,)
    dag_id = f"{SCREENING}{_PARTS}{condition_id}"
    return {first: dag_id, **{source: f"{dag_id}{_PARTS}{source}" for source in further}}


def of_dag(dag_id: str) -> tuple[str, str | None]:
    """The condition of a DAG, empty for a DAG of somebody else's, and its source if that is not the first one."""
    parts = dag_id.split(_PARTS, 2)
    return (parts[1] if len(parts) > 1 else ""), (parts[2] if len(parts) > 2 else None)


def run_key(dag_id: str, dag_run_id: str) -> str:
    """What a run is named after: DAG runs of one time have one id in every DAG, and must not share a run's folder."""
    _, source = of_dag(dag_id)
    return dag_run_id if source is None else f"{dag_id}/{dag_run_id}"
