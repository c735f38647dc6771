"""Makes FHIR R4 RiskAssessment, Provenance and Device from scores. Equal input gives equal resources; uses no clock."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from wardround.results.bands import HIGH, LOW, MODERATE
from wardround.results.referring import About, Reference, literal, logical
from wardround.spec.conditions import Condition

IDENTIFIER_SYSTEM: Final = "urn:wardround:risk-assessment"
DEVICE_SYSTEM: Final = "urn:wardround:device"
MODEL_SYSTEM: Final = "urn:wardround:model"
DOOR_SYSTEM: Final = "urn:wardround:door"
BEDSIDE: Final = "bedside"
"""The door that answers when a chart is opened."""
SAME_WITHIN: Final = timedelta(minutes=10)
"""Results that name what they rest on, and rest on the same, are one result within such a part of an hour."""
RISK_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/risk-probability"
RISK_DISPLAYS: Final = {LOW: "Low likelihood", MODERATE: "Moderate likelihood", HIGH: "High likelihood"}
ADJUNCT: Final = "Adjunct only: one input to a clinical judgement, never the sole basis of a decision."
COMPARED: Final = "Raises and lowers are meant in comparison with an average patient."
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# Parts that others may change without changing what a resource says, or that only the server knows.
_NOT_CONTENT: Final = ("id", "meta", "text", "status")


@dataclass(frozen=True)
class Screening:
    """What all RiskAssessments of one run share, or what is known of the one that the bedside door makes of a call.

    Attributes:
        source_url: base URL of the FHIR server that the stays are read from.
        condition: the spec.
        model_version: version of the model in the model store.
        software_version: the version of Wardround.
        as_of: the prediction time.
        horizon: how far after as_of the model looks; None: until the hospital stay ends, whenever that is.
        percent: whether to write the probability as a percentage instead of a fraction.
        elsewhere: whether the results are written to a different server than the source.
        door: what made them, unless it was a scheduled screening: their `method` says so, and their identifiers are
            others, so that nobody takes them for a screening's.
        rests_on: what the one result of a door rests on, as a digest, if the door may be asked again and again.
    """

    source_url: str
    condition: Condition
    model_version: str
    software_version: str
    as_of: datetime
    horizon: timedelta | None = None
    percent: bool = False
    elsewhere: bool = False
    door: str = ""
    rests_on: str = ""

    @property
    def model_name(self) -> str:
        return f"{self.condition.id}/{self.model_version}"


@dataclass(frozen=True)
class Assessment:
    """One stay's score and what it rests on.

    Attributes:
        stay_id, patient_id: FHIR ids of Encounter and Patient.
        score: probability, 0 to 1.
        band: low, moderate or high.
        basis: references of the resources used, in a stable order.
        reasons: the largest contributions, in words.
        missing: names of the inputs of which nothing is known.
    """

    stay_id: str
    patient_id: str
    score: float
    band: str
    basis: tuple[str, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


def identity(screening: Screening, stay_id: str) -> str:
    """Returns the opaque identifier value.

    It is equal for equal source, encounter, condition, model version, as_of and door. If `rests_on` is given, that
    counts too, and as_of only as `SAME_WITHIN` does: charts are opened again and again.
    """
    as_of, again = screening.as_of, bool(screening.rests_on)
    parts = [
        screening.source_url.rstrip("/"),
        stay_id,
        screening.condition.id,
        screening.model_version,
        fhir_time(as_of - (as_of - _EPOCH) % SAME_WITHIN if again else as_of),
        *((screening.door,) if screening.door else ()),
        *((screening.rests_on,) if again else ()),
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()


@lru_cache(maxsize=256)
def fhir_time(moment: datetime) -> str:
    """Returns a FHIR dateTime in UTC, with a fraction of a second only if there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def risk_assessment(
    assessment: Assessment, screening: Screening, device: str, about: About | None = None
) -> dict[str, Any]:
    """Returns the RiskAssessment, status final; `device` is the reference of the Device that performed it.

    It is `about` the source's own patient and stay, unless it is written to another server: then `about` names them
    there, and its basis refers to the resources at the source.
    """
    condition = screening.condition
    subject, encounter = about or about_at_source(assessment.patient_id, assessment.stay_id)
    basis = [logical(one, screening.source_url) if screening.elsewhere else literal(one) for one in assessment.basis]
    resource: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "identifier": [{"system": IDENTIFIER_SYSTEM, "value": identity(screening, assessment.stay_id)}],
        "status": "final",
        "method": {
            "coding": [
                {"system": MODEL_SYSTEM, "version": screening.model_version, "code": condition.id},
                *([{"system": DOOR_SYSTEM, "code": screening.door}] if screening.door else ()),
            ],
            "text": f"{condition.title}: Wardround model {screening.model_name}",
        },
        "subject": subject,
        "encounter": encounter,
        "occurrenceDateTime": fhir_time(screening.as_of),
        "performer": {**literal(device), "display": _software(screening)},
        "basis": basis,
        "prediction": [_prediction(assessment, screening)],
        "note": [{"text": _note(assessment)}],
    }
    return resource


def is_scheduled(resource: Mapping[str, Any]) -> bool:
    """Returns whether a RiskAssessment of ours is of a scheduled screening, and not of another door."""
    return not any(one.get("system") == DOOR_SYSTEM for one in method_codings(resource))


def method_codings(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the codings of `method`: the model, and the door if it was not a scheduled screening."""
    method = resource.get("method")
    codings = method.get("coding") if isinstance(method, Mapping) else None
    return [one for one in (codings if isinstance(codings, list) else ()) if isinstance(one, Mapping)]


def about_at_source(patient_id: str, stay_id: str) -> About:
    """Returns references to the patient and the stay for a result that is written to the source itself."""
    return About(literal(f"Patient/{patient_id}"), literal(f"Encounter/{stay_id}"))


def probability(resource: Mapping[str, Any], percent: bool) -> float | None:
    """Returns the probability (0 to 1) that a RiskAssessment of ours states, or None if it states none."""
    predictions = resource.get("prediction") or [{}]
    stated = predictions[0].get("probabilityDecimal")
    number = isinstance(stated, int | float) and not isinstance(stated, bool)
    return float(stated) / (100 if percent else 1) if number else None


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Returns whether two RiskAssessments say the same, apart from status and anything that the server added."""
    return _content(one) == _content(other)


def device(screening: Screening) -> dict[str, Any]:
    """Returns the Device that performs: this software with this model."""
    return {
        "resourceType": "Device",
        "identifier": [{"system": DEVICE_SYSTEM, "value": device_identity(screening)}],
        "status": "active",
        "manufacturer": "Wardround",
        "deviceName": [{"name": f"Wardround: {screening.condition.title}", "type": "model-name"}],
        "modelNumber": screening.model_name,
        "version": [
            {"type": {"text": "software"}, "value": screening.software_version},
            {"type": {"text": "model"}, "value": screening.model_version},
        ],
        "note": [{"text": ADJUNCT}],
    }


def device_identity(screening: Screening) -> str:
    """Returns the value of the Device's identifier: software and model, no site."""
    return f"wardround-{screening.software_version}-{screening.condition.id}-{screening.model_version}"


def provenance(target: str, assessment: Mapping[str, Any], screening: Screening, recorded: datetime) -> dict[str, Any]:
    """Returns the Provenance of a RiskAssessment; `target` is its reference, `recorded` when the server took it.

    `assessment` is as we made it: what a server leaves out when storing it is still true of it.
    """
    model = {"identifier": {"system": MODEL_SYSTEM, "value": screening.model_name}}
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "occurredDateTime": fhir_time(screening.as_of),
        "recorded": fhir_time(recorded),
        "activity": {"text": "Automated risk assessment on request" if screening.door else "Automated risk screening"},
        "agent": [
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                            "code": "assembler",
                            "display": "Assembler",
                        }
                    ]
                },
                "who": assessment["performer"],
            }
        ],
        "entity": [{"role": "source", "what": what} for what in (assessment["encounter"], model)],
    }


def _software(screening: Screening) -> str:
    return f"Wardround {screening.software_version} with model {screening.model_name}"


def _prediction(assessment: Assessment, screening: Screening) -> dict[str, Any]:
    outcome = screening.condition.outcome
    shown = round(assessment.score * 100, 4) if screening.percent else assessment.score
    return {
        "outcome": {"coding": [coding.model_dump() for coding in outcome.coding], "text": outcome.text},
        "probabilityDecimal": shown,
        "qualitativeRisk": {
            "coding": [{"system": RISK_SYSTEM, "code": assessment.band, "display": RISK_DISPLAYS[assessment.band]}]
        },
        "whenPeriod": _when(screening.as_of, screening.horizon),
        "rationale": _rationale(assessment),
    }


def _when(as_of: datetime, horizon: timedelta | None) -> dict[str, str]:
    start = {"start": fhir_time(as_of)}
    # The end of the hospital stay is unknown, so the period stays open.
    return start if horizon is None else {**start, "end": fhir_time(as_of + horizon)}


def _rationale(assessment: Assessment) -> str:
    # Some readers take the R4 probabilityDecimal as a percentage, others as a fraction; the sentence leaves no doubt.
    stated = f"Probability = {assessment.score:.4g} ({assessment.score * 100:.3g} %)."
    compared = (COMPARED,) if assessment.reasons else ()
    return " ".join((stated, *(f"{reason}." for reason in assessment.reasons), *compared))


def _note(assessment: Assessment) -> str:
    missing = f"Missing inputs: {', '.join(assessment.missing)}. " if assessment.missing else "No input is missing. "
    return missing + ADJUNCT


def _content(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a RiskAssessment says, with its date-times in one form: servers answer `+00:00` for `Z`."""
    content = {key: value for key, value in resource.items() if key not in _NOT_CONTENT}
    if isinstance(content.get("occurrenceDateTime"), str):
        content["occurrenceDateTime"] = _normal_time(content["occurrenceDateTime"])
    if isinstance(content.get("prediction"), list):
        content["prediction"] = [_normal_period(prediction) for prediction in content["prediction"]]
    return content


def _normal_period(prediction: Any) -> Any:
    period = prediction.get("whenPeriod") if isinstance(prediction, dict) else None
    if not isinstance(period, dict):
        return prediction
    normal = {key: _normal_time(value) if isinstance(value, str) else value for key, value in period.items()}
    return {**prediction, "whenPeriod": normal}


@lru_cache(maxsize=256)
def _normal_time(text: str) -> str:
    try:
        return fhir_time(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def references(resource: Mapping[str, Any]) -> Iterable[Reference]:
    """Yields all references of a RiskAssessment of ours."""
    return (*(resource[key] for key in ("subject", "encounter", "performer")), *resource["basis"])
