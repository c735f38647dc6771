"""A run's table and evaluation in; what the gates against leakage found out. A gate that fails stops the training."""

from typing import Final

from wardround.core.evaluation.gates import GateResult
from wardround.core.evaluation.leakage import failed, patient_overlap
from wardround.errors import TrainingError
from wardround.settings import Settings
from wardround.workflows.training.run import Run, load_run

GATES: Final = "gates.json"


def check_leakage(run: str, settings: Settings) -> None:
    """Writes gates.json, after `evaluate`. Raises TrainingError, after that, for the first gate that failed."""
    opened = load_run(run, settings)
    found = _found(opened)
    opened.folder.write_json(GATES, [gate.model_dump(mode="json") for gate in found])
    for gate in failed(found):
        raise TrainingError(
            f"run {run}, gate {gate.name}: got {gate.found}, expected at most {gate.limit}; {gate.message}"
        )


def _found(run: Run) -> tuple[GateResult, ...]:
    table = run.folder.read_frame("table.parquet")
    return (patient_overlap(table["patient_id"], table["fold"]),)
