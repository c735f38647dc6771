"""The gates: what is planted is caught, and what is clean passes."""

import pandas as pd

from wardround.core.evaluation.leakage import failed, patient_overlap


def test_a_patient_on_two_sides_is_caught() -> None:
    patients = pd.Series(["a", "a", "b", "b", "c"])
    gate = patient_overlap(patients, pd.Series([0, 0, 1, -1, -1]))
    assert (gate.passed, gate.found, gate.limit) == (False, 1, 0)
    assert failed((gate,)) == (gate,)
    assert patient_overlap(patients, pd.Series([0, 0, 1, 1, -1])).passed
