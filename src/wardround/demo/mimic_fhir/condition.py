"""Converts a row of diagnoses_icd to a Condition."""

from typing import NamedTuple

from wardround.demo.mimic_fhir.shapes import MIMIC, TERMINOLOGY, Resource, concept, meta, reference
from wardround.sources.mimic.ids import encounter_id, mimic_id, patient_id


class DiagnosisRow(NamedTuple):
    """A row of diagnoses_icd; `title` is the code's text in d_icd_diagnoses, None if that table is absent."""

    subject_id: int
    hadm_id: int
    seq_num: int
    icd_code: str
    icd_version: int
    title: str | None


def condition(row: DiagnosisRow) -> Resource:
    system = f"{MIMIC}/CodeSystem/mimic-diagnosis-icd{row.icd_version}"
    return {
        "resourceType": "Condition",
        "id": mimic_id("Condition", f"{row.hadm_id}-{row.seq_num}-{row.icd_code}"),
        "meta": meta("condition"),
        "category": [concept(f"{TERMINOLOGY}/condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
        "code": concept(system, row.icd_code.strip(), row.title),
        "subject": reference("Patient", patient_id(row.subject_id)),
        "encounter": reference("Encounter", encounter_id(row.hadm_id)),
    }
