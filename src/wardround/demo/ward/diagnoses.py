"""Generates coded diagnoses of discharged stays: common ones, and sepsis if it was coded; ICD codes without dots."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.demo.ward.patients import WardPatients

_COLUMNS: Final = {"subject_id": int, "hadm_id": int, "seq_num": int, "icd_code": "str", "icd_version": int}
_COMMON: Final = {
    10: ("I10", "E119", "E785", "N179", "J9601", "I4891", "I2510", "D62", "K219", "F329", "J189", "I5033", "Z87891"),
    9: ("4019", "25000", "2724", "5849", "51881", "42731", "41401", "2851", "53081", "311", "486", "4280", "V1582"),
}
# In order of severity: sepsis, severe sepsis, septic shock.
_SEPSIS: Final = {
    10: (("A419",), ("A4151", "R6520"), ("A4101", "R6521")),
    9: (("0389", "99591"), ("0389", "99592"), ("0389", "78552")),
}
_OLD_CODES: Final = 0.3


def diagnoses(
    subject: np.ndarray, admission: np.ndarray, patients: WardPatients, rng: np.random.Generator
) -> pd.DataFrame:
    """Returns rows of diagnoses_icd; none for stays in progress, because diagnoses are coded at discharge."""
    rows: list[tuple[int, int, int, str, int]] = []
    old = rng.random(len(subject)) < _OLD_CODES
    count = rng.integers(3, 9, len(subject))
    order = np.argsort(rng.random((len(subject), len(_COMMON[10]))), axis=1)
    shock = np.clip(patients.illness.intensity + patients.illness.severity * 0.3, 0, 2.99).astype(int)
    for n in range(len(subject) if patients.discharged else 0):
        version = 9 if old[n] else 10
        codes = list(_SEPSIS[version][shock[n]]) if patients.coded[n] else []
        codes += [_COMMON[version][place] for place in order[n, : count[n]]]
        rows += [(int(subject[n]), int(admission[n]), seq + 1, code, version) for seq, code in enumerate(codes)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
