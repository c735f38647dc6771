"""FHIR Observations as plain dicts in, readings out; nothing is judged here except what makes a reading impossible."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, NamedTuple

import pandas as pd

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_references import Resource, patient_of, patient_values
from wardround.adapters.fhir_times import UNKNOWN, micros_of, no_earlier_than, no_later_than, times_of
from wardround.core.events import NO_TIME, NO_VALUE, READING_COLUMNS, empty_readings, frame_of
from wardround.spec.servers import ServerProfile
from wardround.spec.variables import LOINC, Variable

Codes = Mapping[tuple[str, str], str]  # (system, code) -> name of the variable

OTHER_PATIENT: Final = "other_patient"  # the server answered with a patient who was not asked for
MALFORMED: Final = "malformed"  # not shaped like an Observation
_NAN: Final = float("nan")


class Reading(NamedTuple):
    """A row of readings; times in microseconds since 1970."""

    patient_id: str
    time: int
    available: int
    variable: str
    value: float
    source_ref: str
    unit: str
    comparator: bool
    status: str
    problem: str


def codes_of(variables: Mapping[str, Variable]) -> Codes:
    """What an Observation's codings mean."""
    return {code: variable.name for variable in variables.values() for code in variable.codes()}


def readings_of(observation: Resource, codes: Codes) -> list[Reading]:
    """The readings in one Observation: of its own value and of each component, over all codings, matched exactly.

    time is effectiveDateTime or effectiveInstant; of an effectivePeriod its end, when the value was true at last, or
    its start while it is open. A date without a time of day is no time. available is `issued`, or else time.
    """
    try:
        return _readings(observation, codes)
    except (TypeError, AttributeError, ValueError, OverflowError):
        return [_malformed(observation, variable) for variable in _mentioned(observation, codes)]


def frame_of_readings(readings: Sequence[Reading]) -> pd.DataFrame:
    """Rows as a frame (READING_COLUMNS)."""
    frame = pd.DataFrame(readings, columns=Reading._fields)
    return frame_of(READING_COLUMNS, frame.assign(time=times_of(frame["time"]), available=times_of(frame["available"])))


def fetch(
    client: FhirClient,
    patient_ids: Sequence[str],
    variables: Mapping[str, Variable],
    start: datetime,
    end: datetime,
) -> pd.DataFrame:
    """All readings of the patients that a server dates between start and end, both ends included (READING_COLUMNS).

    One search for `patients_per_search` patients, or a few where the profile bears fewer codes; `threads` searches at a
    time. The server may read a time as a whole minute or day, so some readings outside come along, and one may come
    with two codes, so twice; an Observation about somebody else has problem other_patient.
    """
    size = client.source.patients_per_search
    groups = [patient_ids[place : place + size] for place in range(0, len(patient_ids), size)]
    with ThreadPoolExecutor(client.source.threads) as pool:
        frames = list(pool.map(lambda group: _fetch_group(client, group, variables, start, end), groups))
    return pd.concat(frames, ignore_index=True) if frames else empty_readings()


def _fetch_group(
    client: FhirClient, patient_ids: Sequence[str], variables: Mapping[str, Variable], start: datetime, end: datetime
) -> pd.DataFrame:
    codes = codes_of(variables)
    profile = client.source.profile
    patients = ("patient", patient_values(patient_ids, profile))
    dates = [("date", no_earlier_than(start)), ("date", no_later_than(end))]
    asked = set(patient_ids)
    return frame_of_readings(
        [
            reading if reading.patient_id in asked else reading._replace(problem=OTHER_PATIENT)
            for criterion in _criteria(variables, profile)
            for observation in client.search("Observation", [patients, criterion, *dates])
            for reading in readings_of(observation, codes)
        ]
    )


def _criteria(variables: Mapping[str, Variable], profile: ServerProfile) -> list[tuple[str, list[str]]]:
    """What the searches for the variables name beside the patient: codes, or categories where codes will not do."""
    if profile.observation_needs == "category":
        return [("category", list(profile.observation_categories))]
    alone = {code for components in profile.panels_only.values() for code in components}
    pairs = dict.fromkeys(pair for variable in variables.values() for pair in variable.search_codes())
    tokens = [f"{system}|{code}" for system, code in pairs if system != LOINC or code not in alone]
    size = profile.codes_per_search
    return [("code", tokens[place : place + size]) for place in range(0, len(tokens), size)]


def _readings(observation: Resource, codes: Codes) -> list[Reading]:
    # A hundred of these for each stay: what they need is looked up once, and no generator stands in between.
    if observation.get("resourceType") != "Observation":
        return []
    holders = [(observation, variable) for variable in _variables_in(observation.get("code"), codes)]
    for component in observation.get("component", ()):
        holders += [(component, variable) for variable in _variables_in(component.get("code"), codes)]
    if not holders:
        return []
    patient, status = patient_of(observation), str(observation.get("status", ""))
    time, issued = _time(observation), micros_of(observation.get("issued"))
    available = time if issued == UNKNOWN else issued
    source_ref = f"Observation/{observation.get('id', '')}"
    readings = []
    for holder, variable in holders:
        value, unit, comparator = _value(holder)
        problem = NO_TIME if time == UNKNOWN else NO_VALUE if value is None and not comparator else ""
        number = _NAN if value is None else value
        readings.append(
            Reading(patient, time, available, variable, number, source_ref, unit, comparator, status, problem)
        )
    return readings


def _variables_in(concept: Any, codes: Codes) -> list[str]:
    found: list[str] = []
    for coding in concept.get("coding", ()) if concept else ():
        name = codes.get((coding.get("system"), coding.get("code")))
        if name and name not in found:
            found.append(name)
    return found


def _value(holder: Resource) -> tuple[float | None, str, bool]:
    """Number, unit and whether a comparator makes it a bound. A number in a text is not guessed."""
    if "dataAbsentReason" in holder:
        return None, "", False
    quantity = holder.get("valueQuantity")
    if quantity is None:
        return _number(holder.get("valueInteger")), "", False
    unit = quantity.get("code") or quantity.get("unit") or ""
    return _number(quantity.get("value")), str(unit).strip(), bool(quantity.get("comparator"))


def _number(value: Any) -> float | None:
    # What JSON gives is of exactly these types; a boolean is an int, and no number.
    return float(value) if type(value) is float or type(value) is int else None


def _time(observation: Resource) -> int:
    text = observation.get("effectiveDateTime") or observation.get("effectiveInstant")
    if not text:
        period = observation.get("effectivePeriod") or {}
        text = period.get("end") or period.get("start")
    return micros_of(text)


def _mentioned(observation: Resource, codes: Codes) -> Iterable[str]:
    """The variables whose codes occur anywhere in something that has not the shape of an Observation."""
    text = str(observation)
    return dict.fromkeys(name for (_, code), name in codes.items() if f"'{code}'" in text)


def _malformed(observation: Resource, variable: str) -> Reading:
    subject = observation.get("subject")
    patient = patient_of(observation) if isinstance(subject, dict) else ""
    source_ref = f"Observation/{observation.get('id', '')}"
    return Reading(patient, UNKNOWN, UNKNOWN, variable, _NAN, source_ref, "", False, "", MALFORMED)
