"""Converts a row of patients, with the demographics of the latest admission, to a Patient."""

from typing import Final, NamedTuple

from wardround.demo.mimic_fhir.shapes import HOSPITAL_ID, MIMIC, TERMINOLOGY, Resource, concept, meta, reference
from wardround.sources.mimic.ids import patient_id

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core"
_CDC_RACE: Final = "urn:oid:2.16.840.1.113883.6.238"
_NULL_FLAVOR: Final = f"{TERMINOLOGY}/v3-NullFlavor"
_GENDERS: Final = {"M": "male", "F": "female"}
_MARITAL: Final = {"MARRIED": "M", "SINGLE": "S", "WIDOWED": "W", "DIVORCED": "D"}

# MIMIC's race has no code system; the OMB category follows from its first word. Anything else is unknown.
_RACES: Final = {
    "WHITE": ("2106-3", "White"),
    "PORTUGUESE": ("2106-3", "White"),
    "HISPANIC": ("2106-3", "White"),
    "BLACK": ("2054-5", "Black or African American"),
    "ASIAN": ("2028-9", "Asian"),
    "AMERICAN INDIAN": ("1002-5", "American Indian or Alaska Native"),
    "NATIVE HAWAIIAN": ("2076-8", "Native Hawaiian or Other Pacific Islander"),
}


class PatientRow(NamedTuple):
    """A row of patients; dates are ISO texts on the output's timeline."""

    subject_id: int
    gender: str | None
    birth_date: str | None
    death_date: str | None
    marital_status: str | None
    language: str | None
    race: str | None


def patient(row: PatientRow) -> Resource:
    resource: Resource = {
        "resourceType": "Patient",
        "id": patient_id(row.subject_id),
        "meta": meta("patient"),
        "identifier": [{"value": str(row.subject_id), "system": f"{MIMIC}/identifier/patient"}],
        "name": [{"use": "official", "family": f"Patient_{row.subject_id}"}],
        "gender": _GENDERS.get(row.gender or "", "unknown"),
        "maritalStatus": _marital_status(row.marital_status),
        "extension": _extensions(row),
        "managingOrganization": reference("Organization", HOSPITAL_ID),
    }
    if row.birth_date:
        resource["birthDate"] = row.birth_date
    if row.death_date:
        resource["deceasedDateTime"] = row.death_date
    if row.language in ("ENGLISH", "English"):
        resource["communication"] = [{"language": concept("urn:ietf:bcp:47", "en")}]
    return resource


def _marital_status(text: str | None) -> Resource:
    if text in _MARITAL:
        return concept(f"{TERMINOLOGY}/v3-MaritalStatus", _MARITAL[text])
    return concept(_NULL_FLAVOR, "UNK")


def _extensions(row: PatientRow) -> list[Resource]:
    race = row.race or ""
    known = next((value for start, value in _RACES.items() if race.startswith(start)), None)
    extensions = []
    if known:
        hispanic = race.startswith("HISPANIC")
        ethnicity = ("2135-2", "Hispanic or Latino") if hispanic else ("2186-5", "Not Hispanic or Latino")
        extensions = [_omb("race", _CDC_RACE, *known), _omb("ethnicity", _CDC_RACE, *ethnicity)]
    elif race == "PATIENT DECLINED TO ANSWER":
        extensions = [_omb("race", _NULL_FLAVOR, "ASKU", "asked but unknown")]
    else:
        extensions = [_omb("race", _NULL_FLAVOR, "UNK", "unknown")]
    if row.gender in _GENDERS:
        extensions.append({"url": f"{_US_CORE}-birthsex", "valueCode": row.gender})
    return extensions


def _omb(kind: str, system: str, code: str, display: str) -> Resource:
    return {
        "url": f"{_US_CORE}-{kind}",
        "extension": [
            {"url": "ombCategory", "valueCoding": {"code": code, "system": system, "display": display}},
            {"url": "text", "valueString": display},
        ],
    }
