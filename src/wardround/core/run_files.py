"""Every file of a run's folder: its name, and what is in it. No other module spells one.

Frames are parquet with the columns that stand here or that the comment names; everything else is JSON unless its name
says otherwise. This module imports nothing heavy: lists of runs need the names alone.
"""

from collections.abc import Iterable
from typing import Final

# Of every run.
REQUEST: Final = "request.json"
"""What was asked for, and what the run was opened with. A folder that has it is a run's."""
STAYS: Final = "stays.parquet"
"""Of a screening STAY_COLUMNS and these: every stay found. Of a training the stays of its cohort, with the outcome,
the onset and the last hour to predict at."""
STAYS_COLUMNS: Final = {
    "chunk": "int64",  # 0 for a stay that is not screened
    "excluded": "str",  # why it is not; "" for one that is
}
SET_ASIDE: Final = "set_aside.json"
"""Readings that are no events, counted: variable -> reason -> number; of a training `variable: reason` -> number."""

# What a screening was opened with.
CONDITION: Final = "condition.json"
PATIENTS: Final = "patients.json"
"""The Patient ids that a request asks for, so that request.json names nobody."""
TRANSLATION: Final = "source_map.json"
"""What the source's own codes and units meant when the run was opened."""
PROFILE: Final = "profile.json"
"""The profile of the source's server (`profile`) and what speaks for it (`why`), where it was to be recognised."""
RESULTS_PROFILE: Final = "results_profile.json"
"""The same of the server that takes the results, if it is another one."""

# What a screening found.
COHORT: Final = "cohort.parquet"
COHORT_COLUMNS: Final = {
    "patient_id": "str",  # whom the cohort names without a stay in the run; "" for what is no id, or one named again
    "reason": "str",
}
COHORT_ACCOUNT: Final = "cohort.json"
"""The cohort's kind, and how many patients it named, by what became of them (`core.run_summary.CohortAccount`)."""
CENSUS: Final = "census.json"
"""How many stays were found and expected (`core.run_summary.Census`)."""
CHUNKS: Final = "chunks.json"
"""The chunks' numbers, from 1 (`chunks`), and the most stays of one (`stays_per_chunk`)."""
DEVICE: Final = "device.json"
"""The reference of our Device at the server of the results (`reference`)."""

# Of an export, until its readings are in the chunks.
EXPORT_STATE: Final = "export.json"
"""Which export is under way, and which files it has given (`fhir.bulk_export`)."""
EXPORT: Final = "export"
"""The folder of its files (NDJSON)."""
OUTSIDE: Final = "outside_windows.json"
"""How many of the patients' exported readings lie in no window, by variable."""
UNMAPPED: Final = "unmapped.json"
"""The codes of exported Observations that no variable names, the most frequent first."""
SOURCE_MAP_DRAFT: Final = "source-map.draft.yaml"

# What data validation found.
QUALITY: Final = "quality.json"
"""The suite's account, counts alone (`quality.suite.QualityResult`)."""
QUALITY_FAILED: Final = "quality_failed.json"
"""stay_id -> the rule that its feature row broke."""

# How a screening ended.
LEDGER: Final = "ledger.parquet"
"""LEDGER_COLUMNS of `core.ledger`; with a challenger CHALLENGER_COLUMNS as well."""
SUMMARY: Final = "summary.json"
"""`core.run_summary.RunSummary`."""
RETRACTION: Final = "retraction.json"
"""`core.run_summary.Retraction`: the run was taken back, or is being."""

HISTORY_MISSING: Final = "history_missing.json"
"""Why the run could not be written to the history (`why`); there is no such file for one that was."""

# What people read of a screening.
INPUTS: Final = "inputs.json"
"""The number of feature rows (`rows`), and of each column how many do not know it (`unknown`)."""
REPORT: Final = "report.html"
REPORT_WITHOUT_IDENTIFIERS: Final = "report-no-identifiers.html"
"""Beside the other one, which stays as it was."""
WORKLIST: Final = "worklist.csv"
AGGREGATES: Final = "aggregates.html"
AGGREGATES_TABLE: Final = "aggregates.csv"
MODEL_CARD: Final = "model-card.html"
"""The page of the model's card, as it was at the run's first report."""

# Of each chunk of a screening (`of_chunk`).
EVENTS: Final = "events.parquet"
"""EVENT_COLUMNS of `core.events`."""
EVENTS_SET_ASIDE: Final = "set_aside.parquet"
"""SET_ASIDE_COLUMNS of `core.events`."""
FEATURES: Final = "features.parquet"
"""Of a chunk stay_id, as_of and the condition's columns; of a training ROW_COLUMNS of `training.tasks` and these
columns, of all its predictions, until the table is made of them."""
FAILURES: Final = "failures.json"
"""stay_id -> why it could not be read (`core.reasons.Reason`)."""
SCORES: Final = "scores.parquet"
SCORE_COLUMNS: Final = {
    "stay_id": "str",
    "patient_id": "str",
    "score": "float64",  # NaN for an indeterminate stay
    "band": "str",
    "why": "str",  # a stay is indeterminate
    "reasons": "object",  # lists of text
    "missing": "object",
    "basis": "object",
}
OUTCOMES: Final = "outcomes.parquet"
"""What became of every stay of the chunk."""
OUTCOME_COLUMNS: Final = {"stay_id": "str", "outcome": "str", "reason": "str", "score": "float64", "band": "str"}
CHALLENGER: Final = "challenger.parquet"
CHALLENGER_COLUMNS: Final = {
    "stay_id": "str",
    "challenger_score": "float64",  # NaN where it gives none
    "challenger_band": "str",  # by its own thresholds; "" where it was not asked
}
CHALLENGER_FAILED: Final = "challenger_failed.json"
"""Why the challenger could not score the chunk (`reason`)."""
ABOUT: Final = "about.parquet"
"""Where results lie at another server: how those of each stay refer to it, as JSON. A frame, as frames are what holds
record numbers."""
ABOUT_COLUMNS: Final = {"stay_id": "str", "subject": "str", "encounter": "str"}
WRITTEN: Final = "written.json"
"""What became of the chunk's RiskAssessments (`workflows.screen.written.Written`)."""

_READINGS: Final = "readings-"

# Of each step of a screening (`of_step`).
STEPS: Final = "steps"
"""The folder of the steps: `step`, when it `began` and `ended` in seconds since 1970, and its `http_requests`."""

# Of a training.
TASK: Final = "task.json"
LEFT_OUT: Final = "left_out.parquet"
"""Stays that are not in the cohort: EXCLUDED_COLUMNS of `core.stays`."""
ONSETS: Final = "onsets.parquet"
"""Of the label sepsis3: stay_id, sofa_time, suspected_infection_time."""
TABLE: Final = "table.parquet"
"""ROW_COLUMNS of `training.tasks`, fold and the condition's columns: a row a prediction."""
NOT_IN_TABLE: Final = "excluded.parquet"
"""Every stay that is not in the table: EXCLUDED_COLUMNS."""
ROWS: Final = "rows.json"
"""How many predictions are in the table, and how many lack the least data."""
CANDIDATES: Final = "candidates.json"
"""The names of the candidates to fit; the result of each is at `of_candidate`."""
EVALUATION: Final = "evaluation.json"
"""`evaluation.results.Evaluated`; the chosen model lies beside it, called as its kind says."""
GATES: Final = "gates.json"
COMPARISON: Final = "comparison.json"
VERSION: Final = "version.json"
"""The version that the model store gave the model (`version`)."""


def of_chunk(chunk: int, name: str) -> str:
    """Returns the name of a chunk's file, such as `chunk-0001/events.parquet`."""
    return f"{folder_of_chunk(chunk)}/{name}"


def folder_of_chunk(chunk: int) -> str:
    """Returns the folder of a chunk's files."""
    return f"chunk-{chunk:04d}"


def of_all_chunks(name: str, names: Iterable[str]) -> list[str]:
    """Returns those of a run's files (`names`) that belong to a chunk and are called `name`."""
    return [one for one in names if one.endswith(f"/{name}")]


def readings(chunk: int, number: int) -> str:
    """Returns the name of a chunk's file with readings of an export: READING_COLUMNS of `core.events`."""
    return of_chunk(chunk, f"{_READINGS}{number:04d}.parquet")


def holds_readings(name: str) -> bool:
    """Returns whether a file of a run holds readings of an export."""
    return f"/{_READINGS}" in name


def of_step(name: str, chunk: int | None = None) -> str:
    """Returns the file with the account of a step, or of a step of one chunk."""
    return f"{STEPS}/{name}.json" if chunk is None else f"{STEPS}/{name}-{chunk:04d}.json"


def of_candidate(name: str) -> str:
    """Returns the file with the result of a candidate's cross-validation (`training.fitting.CandidateResult`)."""
    return f"candidates/{name}.json"
