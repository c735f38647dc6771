"""Names every file of a run's folder, and says what each holds. No other module spells out these names.

Tables are parquet, with the columns listed here or named in the comment; every other file is JSON unless its name
says otherwise. This module imports nothing heavy, because code that lists runs needs only the names.
"""

from collections.abc import Iterable
from typing import Final

# Of every run.
REQUEST: Final = "request.json"
"""The request, and what the run was opened with (`core.stored_request`). A folder with this file is that of a run."""
OPENED: Final = "opened.json"
"""Who opened the run in Airflow (`host`), and a `token` that shows the tasks after it that they see the same folder."""
REMOVAL: Final = "removal.json"
"""The run is being removed: since when (`at`) and by which rule (`why`). What is left of it is removed next time."""
STAYS: Final = "stays.parquet"
"""For a screening: every stay found, with STAY_COLUMNS and the columns below. For a training: the stays of its cohort,
with the outcome, the onset and the hours of the first and the last prediction."""
STAYS_COLUMNS: Final = {
    "chunk": "int64",  # 0 for a stay that is not screened
    "excluded": "str",  # why the stay is not screened; "" for one that is
}
SET_ASIDE: Final = "set_aside.json"
"""Counts of readings that did not become events: variable -> reason -> number; for a training `variable: reason` ->
number."""

# What a screening was opened with.
CONDITION: Final = "condition.json"
PATIENTS: Final = "patients.json"
"""The Patient ids that were asked for, kept apart so that request.json identifies no patient."""
TRANSLATION: Final = "source_map.json"
"""What the source's own codes and units meant when the run was opened."""
PROFILE: Final = "profile.json"
"""The profile of the source's server (`profile`) and the reason for choosing it (`why`), if it had to be recognised."""
RESULTS_PROFILE: Final = "results_profile.json"
"""The same for the server that takes the results, if it is a different one."""

# What a screening found.
COHORT: Final = "cohort.parquet"
COHORT_COLUMNS: Final = {
    "patient_id": "str",  # a patient of the cohort without a stay in the run; "" for an invalid or repeated id
    "reason": "str",
}
COHORT_ACCOUNT: Final = "cohort.json"
"""The kind of the cohort, and how many patients it named, by outcome (`core.run_summary.CohortAccount`)."""
CENSUS: Final = "census.json"
"""How many stays were found and expected (`core.expected_stays.Census`)."""
CHUNKS: Final = "chunks.json"
"""The numbers of the chunks, from 1 (`chunks`), and the largest number of stays in one (`stays_per_chunk`)."""
DEVICE: Final = "device.json"
"""The reference of our Device on the server that takes the results (`reference`)."""

# Of an export, until its readings have been sorted into the chunks.
EXPORT_STATE: Final = "export.json"
"""Which export is under way, and which of its files have been fetched (`fhir.bulk_export`)."""
EXPORT: Final = "export"
"""The folder of the export's files (NDJSON)."""
OUTSIDE: Final = "outside_windows.json"
"""How many of the patients' exported readings lie outside every window, by variable."""
UNMAPPED: Final = "unmapped.json"
"""The codes of exported Observations that belong to no variable, the most frequent first."""
SOURCE_MAP_DRAFT: Final = "source-map.draft.yaml"

# What data validation found.
QUALITY: Final = "quality.json"
"""The account of the suite, as counts only (`quality.suite.QualityResult`)."""
QUALITY_FAILED: Final = "quality_failed.json"
"""stay_id -> the rule that its feature row broke."""

# How a screening ended.
LEDGER: Final = "ledger.parquet"
"""LEDGER_COLUMNS of `core.ledger`, and CHALLENGER_COLUMNS if there is a challenger."""
SUMMARY: Final = "summary.json"
"""`core.run_summary.RunSummary`."""
RETRACTION: Final = "retraction.json"
"""`core.run_summary.Retraction`: the run has been retracted, or is being retracted."""

HISTORY_MISSING: Final = "history_missing.json"
"""Why the run could not be written to the history (`why`); the file does not exist if it was written."""

BEDSIDE: Final = "bedside.json"
"""`report.bedside.BedsideUse`; the file does not exist if nothing was shown at the bedside."""

# Reports of a screening, for people to read.
INPUTS: Final = "inputs.json"
"""The number of feature rows (`rows`), and for each column the number of rows in which it is unknown (`unknown`)."""
REPORT: Final = "report.html"
REPORT_WITHOUT_IDENTIFIERS: Final = "report-no-identifiers.html"
"""Written beside the other report, which is left unchanged."""
WORKLIST: Final = "worklist.csv"
AGGREGATES: Final = "aggregates.html"
AGGREGATES_TABLE: Final = "aggregates.csv"
MODEL_CARD: Final = "model-card.html"
"""The page of the model's card, as it was when the run's first report was written."""

# Of each chunk of a screening (`of_chunk`).
EVENTS: Final = "events.parquet"
"""EVENT_COLUMNS of `core.events`."""
EVENTS_SET_ASIDE: Final = "set_aside.parquet"
"""SET_ASIDE_COLUMNS of `core.events`."""
FEATURES: Final = "features.parquet"
"""For a chunk: stay_id, as_of and the condition's columns. For a training: ROW_COLUMNS of `training.tasks` and the
condition's columns, for all its predictions, until the table is made from them."""
FAILURES: Final = "failures.json"
"""stay_id -> why the stay could not be read (`core.stay_reasons.Reason`)."""
SCORES: Final = "scores.parquet"
SCORE_COLUMNS: Final = {
    "stay_id": "str",
    "patient_id": "str",
    "score": "float64",  # NaN for an indeterminate stay
    "band": "str",
    "why": "str",  # why a stay is indeterminate
    "reasons": "object",  # lists of text
    "missing": "object",
    "basis": "object",
}
OUTCOMES: Final = "outcomes.parquet"
"""The outcome of every stay of the chunk."""
OUTCOME_COLUMNS: Final = {"stay_id": "str", "outcome": "str", "reason": "str", "score": "float64", "band": "str"}
CHALLENGER: Final = "challenger.parquet"
CHALLENGER_COLUMNS: Final = {
    "stay_id": "str",
    "challenger_score": "float64",  # NaN where the challenger gives none
    "challenger_band": "str",  # by the challenger's own thresholds; "" where it did not score
}
CHALLENGER_FAILED: Final = "challenger_failed.json"
"""Why the challenger could not score the chunk (`reason`)."""
ABOUT: Final = "about.parquet"
"""If results are written to another server: how the result of each stay refers to it, as JSON. This is a table because
record numbers are kept in tables only."""
ABOUT_COLUMNS: Final = {"stay_id": "str", "subject": "str", "encounter": "str"}
WRITTEN: Final = "written.json"
"""The outcome of writing the chunk's RiskAssessments (`workflows.screen.written.Written`)."""

_READINGS: Final = "readings-"

# Of each step of a screening (`of_step`).
STEPS: Final = "steps"
"""The folder of the steps: `step`, when it `began` and `ended` (seconds since 1970), and its `http_requests`."""

# Of a training.
TASK: Final = "task.json"
TRAINING_HOURS: Final = "training_hours.json"
"""The hours since admission that the model covers (`results.training_hours.TrainingHours`)."""
LEFT_OUT: Final = "left_out.parquet"
"""Stays outside the cohort: EXCLUDED_COLUMNS of `core.stays`."""
DEFINITIONS: Final = "definitions.json"
"""For a label with several definitions of onset: `evaluation.results.Definition` of each, with its stays alone."""
DEFINED: Final = "definitions.parquet"
"""For the same: stay_id, definition, suspicion, outcome and onset, a row for each stay and definition."""
TABLE: Final = "table.parquet"
"""ROW_COLUMNS of `training.tasks`, fold and the condition's columns: one row per prediction."""
NOT_IN_TABLE: Final = "excluded.parquet"
"""Every stay that is missing from the table: EXCLUDED_COLUMNS."""
ROWS: Final = "rows.json"
"""How many predictions are in the table, and how many have less than the minimum data."""
CANDIDATES: Final = "candidates.json"
"""The names of the candidates to fit; the result of each is in the file `of_candidate`."""
EVALUATION: Final = "evaluation.json"
"""`evaluation.results.Evaluated`; the chosen model is stored beside it, under the file name of its kind."""
GATES: Final = "gates.json"
BY_TIME: Final = "by_time.json"
"""`evaluation.by_time.ByTime`, or null if the condition uses no time since the stay began."""
COMPARISON: Final = "comparison.json"
VERSION: Final = "version.json"
"""The version that the model store assigned to the model (`version`)."""


def of_chunk(chunk: int, name: str) -> str:
    """Returns the name of a chunk's file, such as `chunk-0001/events.parquet`."""
    return f"{folder_of_chunk(chunk)}/{name}"


def folder_of_chunk(chunk: int) -> str:
    """Returns the folder of a chunk's files."""
    return f"chunk-{chunk:04d}"


def of_all_chunks(name: str, names: Iterable[str]) -> list[str]:
    """Returns those files of a run (`names`) that belong to a chunk and are called `name`."""
    return [one for one in names if one.endswith(f"/{name}")]


def readings(chunk: int, number: int) -> str:
    """Returns the name of a chunk's file of exported readings: READING_COLUMNS of `core.events`."""
    return of_chunk(chunk, f"{_READINGS}{number:04d}.parquet")


def holds_readings(name: str) -> bool:
    """Returns whether a file of a run holds exported readings."""
    return f"/{_READINGS}" in name


def of_step(name: str, chunk: int | None = None) -> str:
    """Returns the name of the file with the account of a step, or of a step of one chunk."""
    return f"{STEPS}/{name}.json" if chunk is None else f"{STEPS}/{name}-{chunk:04d}.json"


def of_candidate(name: str) -> str:
    """Returns the name of the file with a candidate's cross-validation (`training.fitting.CandidateResult`)."""
    return f"candidates/{name}.json"
