"""The gates that need no model: folds, patients and metrics in, what each gate found out."""

import pandas as pd

from wardround.core.evaluation.gates import GateResult


def patient_overlap(patients: pd.Series, folds: pd.Series) -> GateResult:
    """No patient may be on both sides, nor in two folds: a model would be judged on patients that it knows.

    Args:
        patients: the patient of each row.
        folds: the fold of each row; the test side counts as one.
    """
    shared = int((folds.groupby(patients.to_numpy()).nunique() > 1).sum())
    remedy = "split again by patient" if shared else "no patient is on two sides or in two folds"
    return GateResult(name="patient_overlap", passed=shared == 0, found=shared, limit=0, message=remedy)


def failed(gates: tuple[GateResult, ...]) -> tuple[GateResult, ...]:
    """The gates that stop a training."""
    return tuple(gate for gate in gates if gate.passed is False)
