"""The condition files and the store's record in, what DAG files make DAGs and forms of out."""

from wardround.adapters.models.version_record import recorded_versions
from wardround.errors import SpecError, WardroundError
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


def stored_versions(condition_id: str, settings: Settings) -> list[str]:
    """The condition's stored versions, the newest first; none where their record cannot be read: a form is no check."""
    try:
        return list(reversed(recorded_versions(settings.models, condition_id)))
    except WardroundError:
        return []
