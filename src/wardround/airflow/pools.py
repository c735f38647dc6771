"""Airflow's pools: they limit how many tasks of all DAGs talk to one FHIR server at once."""

from wardround.airflow.conditions import valid_conditions
from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.airflow.sources import screening_dags
from wardround.settings import settings_from

# Each connection has a pool of the same name. Airflow never schedules a task whose pool is missing.
FHIR_POOL = DEFAULT_CONNECTION
FHIR_POOL_SLOTS = 4
_FHIR_POOL_WORDS = "Tasks that talk to the FHIR server at once"


def create_missing_pools() -> None:
    """Creates the missing pools of all sources in Airflow's database; an existing pool keeps its slots."""
    from airflow.models.pool import Pool

    conditions = valid_conditions(settings_from())
    sources = {source for each in conditions for source in screening_dags(each.id, each.sources)}
    for pool in sorted({FHIR_POOL, *sources}):
        if Pool.get_pool(pool) is None:
            Pool.create_or_update_pool(pool, FHIR_POOL_SLOTS, _FHIR_POOL_WORDS, include_deferred=False)
