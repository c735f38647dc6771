"""Reads the condition files and the stored versions from which the DAG files build DAGs and forms."""

from wardround.adapters.models.files import ConditionFiles
from wardround.adapters.models.version_record import recorded_versions
from wardround.errors import SpecError, WardroundError
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.spec.loading import condition_ids, load_condition


def valid_conditions(settings: Settings) -> list[Condition]:
    """Returns all conditions that load.

    An invalid file must not stop the screening of the others; dags/spec_errors.py reports it.
    """
    found = []
    for condition_id in condition_ids(settings.schemas):
        try:
            found.append(load_condition(condition_id, settings.schemas))
        except SpecError:
            continue
    return found


def stored_versions(condition_id: str, settings: Settings) -> list[str]:
    """Returns the condition's stored versions, newest first; none from object storage, or if they cannot be read.

    They are only suggestions in a form. So an unreadable record is not an error here, and object storage, which takes
    time and may not answer, is not asked whenever Airflow reads the DAG files.
    """
    if isinstance(settings.models, str):
        return []
    try:
        return list(reversed(recorded_versions(ConditionFiles(settings.models, condition_id)).digests))
    except WardroundError:
        return []
