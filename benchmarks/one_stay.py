"""Processor time of one stay: from its bundle to its checked RiskAssessment, and as a call at the bedside."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from benchmarks.measure import table
from benchmarks.population import NOW, ward
from benchmarks.screening import train
from wardround.adapters.models.store import ModelStore
from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.keeping import KeepsNothing
from wardround.core.events import admit
from wardround.core.microseconds import PER_DAY, micros
from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.readings import Readings
from wardround.core.texts import Texts
from wardround.features.basis import NO_EVENTS, used_events
from wardround.features.build import feature_values
from wardround.features.index import DAYS_PER_YEAR, Index
from wardround.fhir.references import Bases
from wardround.results.fhir_validity import check_risk_assessment
from wardround.results.risk_assessment import Assessment, Screening, risk_assessment
from wardround.settings import PROJECT, settings_from
from wardround.sources.fhir.observation import readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.workflows.screen.scoring import Scoring

_URL = "https://example.org/fhir"
_AS_OF = datetime.fromisoformat(NOW)
_STAYS = 400
# Since admission, for every stay: hours that the model covers.
_HOURS = np.array([24.0])


def main() -> None:
    """Trains a model, then scores some patients of the ward one after the other."""
    condition = load_condition("sepsis", PROJECT / "include" / "schemas")
    with TemporaryDirectory() as folder:
        train(ward(1000) / "mimic", {"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": folder})
        scoring = Scoring.of(condition, ModelStore(Path(folder) / "models").load(condition))
        settings = settings_from({"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": folder})
        door = Door.of(settings, KeepsNothing())
        door.warm_up(_AS_OF)
        rule, patients = reading_rule(condition.variables), list(_bundles(ward(1000) / "fhir", condition))
        calls = [Request("POST", "/cds-services/sepsis-risk", _AS_OF, _call(*one)) for one in patients]
        stays = _measured([partial(_answer, *one, rule, scoring) for one in patients])
        bedside = _measured([partial(door.answer, call) for call in calls])
    table(
        "one stay, ms of processor time",
        ["", "stays", "mean", "p50", "p90", "p99"],
        [
            ["bytes of its bundle to its checked RiskAssessment", *stays],
            ["aim", "", "", "3", "", "8"],
            [f"a call at the bedside, {np.median([len(call.body) for call in calls]) / 1000:.0f} KB", *bedside],
            ["aim", "", "", "6", "", ""],
        ],
    )


def _measured(work: list[Callable[[], object]]) -> list[str]:
    took = []
    for place, one in enumerate(work):
        before = time.process_time()
        one()
        if place:  # The first one loads what later ones find.
            took.append((time.process_time() - before) * 1000)
    return [f"{len(took):,}", *(f"{value:.2f}" for value in (np.mean(took), *np.quantile(took, (0.5, 0.9, 0.99))))]


def _call(patient: dict[str, str], bundle: bytes) -> bytes:
    """Returns the body of a call about the patient, who has been in the unit for a day."""
    key = patient["id"]
    encounter = {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": f"Patient/{key}"},
        "period": {"start": (_AS_OF - timedelta(hours=24)).isoformat()},
    }
    stays = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": encounter}]}
    prefetch = {"patient": patient, "encounters": stays, "observations": orjson.Fragment(bundle)}
    context = {"userId": "Practitioner/1", "patientId": key}
    return orjson.dumps({"hook": "patient-view", "hookInstance": key, "context": context, "prefetch": prefetch})


def _bundles(folder: Path, condition: Condition) -> Iterator[tuple[dict[str, str], bytes]]:
    """Patients, each with a searchset of its Observations in the longest window."""

    def resources(pattern: str) -> Iterator[dict[str, str]]:
        for file in sorted(folder.glob(pattern)):
            with gzip.open(file, "rt") as lines:
                yield from map(json.loads, lines)

    patients = {patient["id"]: patient for patient in resources("MimicPatient.*")}
    mine: dict[str, list[dict[str, str]]] = {}
    for one in resources("MimicObservation*"):
        if _AS_OF - condition.longest_window <= datetime.fromisoformat(one["effectiveDateTime"]) <= _AS_OF:
            subject: dict[str, str] = one["subject"]  # type: ignore[assignment]
            mine.setdefault(subject["reference"].removeprefix("Patient/"), []).append(one)
    for key in sorted(mine)[: _STAYS + 1]:
        entries = [{"resource": one} for one in mine[key]]
        yield patients[key], orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries})


def _answer(patient: dict[str, str], bundle: bytes, rule: ReadingRule, scoring: Scoring) -> None:
    condition, key = scoring.columns.condition, patient["id"]
    page = OBSERVATION.page(bundle)
    assert page is not None
    found = [entry.resource for entry in page.entry if entry.resource is not None]
    events, _ = admit(Readings.of(readings_of(found, rule, Bases(_URL))), condition.variables, _AS_OF)
    used = used_events(events, condition, _AS_OF).get(key, NO_EVENTS)
    (one,) = scoring.explained(feature_values(events, _index(patient), condition), _HOURS, [used])
    score, band, _ = one.stated
    if score is None:
        return
    screening = Screening(_URL, condition, scoring.model.version, "0", _AS_OF)
    assessment = Assessment(key, key, score, band, used.basis(), one.reasons, one.missing)
    check_risk_assessment(risk_assessment(assessment, screening, "Device/1"), percent=False)


def _index(patient: dict[str, str]) -> Index:
    now, born = micros(_AS_OF), micros(datetime.fromisoformat(patient["birthDate"]).replace(tzinfo=UTC))
    sex = {"male": 1.0, "female": 0.0}[patient["gender"]]
    years = (now - born) / PER_DAY / DAYS_PER_YEAR
    # When the stay began would come with the call.
    known = {"age": years, "sex": sex, "hours_in_unit": 24.0, "hours_in_hospital": 30.0}
    demographics = {name: np.array([value]) for name, value in known.items()}
    return Index(Texts.of([patient["id"]]), np.array([now]), demographics)


if __name__ == "__main__":
    main()
