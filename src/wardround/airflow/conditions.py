"""The condition files in, what DAG files make DAGs of out."""

from wardround.errors import SpecError
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.spec.loading import condition_ids, load_condition


def valid_conditions(settings: Settings) -> list[Condition]:
    """All conditions that load. One wrong file must not stop the screening of the others; dags/spec.py reports it."""
    found = []
    for condition_id in condition_ids(settings.schemas):
        try:
            found.append(load_condition(condition_id, settings.schemas))
        except SpecError:
            continue
    return found
