"""Makes a condition's prefetch templates: what an EHR is asked to send along with a call.

They keep to what CDS Hooks allows: a read, or a search by reference, token and date, with no modifier, one `date` a
search (some clients merge repeated parameters), whole days and no `now()`. `today()` is the client's date without a
time: one day more than the window is asked for, and the window itself cuts.
"""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import Final
from urllib.parse import quote

from wardround.core.reading_rule import reading_rule
from wardround.spec.code_systems import LOINC
from wardround.spec.conditions import Condition
from wardround.spec.servers import ServerProfile

PATIENT: Final = "patient"
ENCOUNTERS: Final = "encounters"
OBSERVATIONS: Final = "observations"
SCREENINGS: Final = "screenings"
_MINE: Final = "patient={{context.patientId}}"
_DAY: Final = timedelta(days=1)


def templates(condition: Condition, profile: ServerProfile) -> dict[str, str]:
    """Returns the templates by their keys, for EHRs of this kind.

    `patient`; `encounters`, those that go on, in the unit and in the hospital; `observations`, `observations_2` and so
    on; and `screenings` if cards depend on the scheduled screening.
    """
    asked = {
        PATIENT: "Patient/{{context.patientId}}",
        ENCOUNTERS: f"Encounter?{_MINE}&date=ge{_days_ago(_DAY)}",
        **_observations(condition, profile),
    }
    if condition.bedside.only_if is not None:
        asked[SCREENINGS] = f"RiskAssessment?{_MINE}&date=ge{_days_ago(condition.bedside.only_if.within + _DAY)}"
    return asked


def is_about_observations(key: str) -> bool:
    """Returns whether this is the key of a template for Observations."""
    return key == OBSERVATIONS or key.startswith(f"{OBSERVATIONS}_")


def _observations(condition: Condition, profile: ServerProfile) -> dict[str, str]:
    since = _days_ago(condition.longest_window + _DAY)
    return {
        OBSERVATIONS if number == 1 else f"{OBSERVATIONS}_{number}": f"Observation?{_MINE}&{criterion}&date=ge{since}"
        for number, criterion in enumerate(_criteria(condition, profile), start=1)
    }


def _criteria(condition: Condition, profile: ServerProfile) -> Iterator[str]:
    """Yields what the Observations are searched by: a category each, or as many codes as the profile allows."""
    if profile.prefetch_by == "category" or profile.observation_needs == "category":
        yield from (f"category={quote(one, safe=':/|')}" for one in profile.observation_categories)
        return
    systems = profile.code_systems if profile.prefetch_by == "all_codes" else (LOINC,)
    by_code = profile.model_copy(update={"code_systems": systems})
    for name, codes in reading_rule(condition.variables).criteria(by_code):
        yield f"{name}={','.join(quote(code, safe=':/|') for code in codes)}"


def _days_ago(time: timedelta) -> str:
    return f"{{{{today() - {ceil(time / _DAY)} days}}}}"
