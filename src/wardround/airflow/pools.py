"""Pools: how many tasks may talk to one FHIR server at once, over all DAGs."""

from wardround.airflow.provider import DEFAULT_CONNECTION

# One pool per connection, of the same name. Airflow schedules no task whose pool is missing.
FHIR_POOL = DEFAULT_CONNECTION
FHIR_POOL_SLOTS = 4


def create_missing_pools() -> None:
    """Creates the pool in Airflow's database where it is absent; one that is there keeps its slots."""
    from airflow.models.pool import Pool

    if Pool.get_pool(FHIR_POOL) is None:
        Pool.create_or_update_pool(
            FHIR_POOL, FHIR_POOL_SLOTS, "Tasks that talk to the FHIR server at once", include_deferred=False
        )
