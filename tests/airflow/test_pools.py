import pytest

from wardround.airflow.pools import FHIR_POOL, FHIR_POOL_SLOTS, create_missing_pools

pytestmark = pytest.mark.usefixtures("airflow_database")


def test_an_existing_pool_keeps_its_slots():
    from airflow.models.pool import Pool

    Pool.create_or_update_pool(FHIR_POOL, 7, "set by hand", include_deferred=False)

    create_missing_pools()

    assert Pool.get_pool(FHIR_POOL).slots == 7
    Pool.create_or_update_pool(FHIR_POOL, FHIR_POOL_SLOTS, "", include_deferred=False)
