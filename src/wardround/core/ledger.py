"""Builds the ledger of a run: each stay found occurs once, with its outcome, and the counts add up."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import pandas as pd

from wardround.core.events import frame_of
from wardround.errors import RunIncomplete

SCORED: Final = "scored"
INDETERMINATE: Final = "indeterminate"  # too little is known for a score, or the model does not cover the stay's hour
EXCLUDED: Final = "excluded"  # not in the cohort
FAILED: Final = "failed"
WITHDRAWN: Final = "withdrawn"  # the reason of a scored stay whose result somebody else marked as entered in error
OUTCOMES: Final = (SCORED, INDETERMINATE, EXCLUDED, FAILED)

_AT_ONCE: Final = 2_000  # entries that become a frame together

LEDGER_COLUMNS: Final = {
    "stay_id": "str",
    "patient_id": "str",
    "unit": "str",
    "chunk": "int64",  # 0 for a stay that was in no chunk
    "outcome": "str",
    "reason": "str",  # "" for scored, unless its RiskAssessment was withdrawn
    "score": "float64",  # probability, 0 to 1; NaN unless scored
    "band": "str",
    "written": "bool",  # the source holds the stay's RiskAssessment
}


def open_ledger(entries: Iterable[dict[str, object]], found: Iterable[str]) -> pd.DataFrame:
    """Returns the ledger (LEDGER_COLUMNS) of a run, ordered by stay_id.

    Args:
        entries: the outcome of each stay: one mapping per stay, with all ledger columns, in any order.
        found: the stay_ids that the run found.

    Raises:
        RunIncomplete: a stay is missing, unknown or listed twice, or an outcome lacks its reason.
    """
    ledger = pd.concat(_parts(entries), ignore_index=True).sort_values("stay_id", ignore_index=True)
    expected = pd.Series(sorted(found), dtype="str")
    if ledger["stay_id"].tolist() != expected.tolist():
        different = set(ledger["stay_id"]) ^ set(expected)
        doubtful = sorted(different or set(ledger["stay_id"][ledger["stay_id"].duplicated()]))
        raise RunIncomplete(
            f"ledger: {len(expected)} stays were found and {len(ledger)} are accounted for,"
            f" expected each once; check {_some(doubtful)}"
        )
    unexplained = ledger[~ledger["outcome"].isin(OUTCOMES) | ((ledger["outcome"] != SCORED) & (ledger["reason"] == ""))]
    if len(unexplained):
        raise RunIncomplete(
            f"ledger: {len(unexplained)} stays have no known outcome with a reason, expected one of "
            f"{', '.join(OUTCOMES)}; check {_some(unexplained['stay_id'].tolist())}"
        )
    return ledger


def _parts(entries: Iterable[dict[str, object]]) -> Iterator[pd.DataFrame]:
    """Yields the entries as frames, and at least one: as mappings, those of a hospital take ten times the memory."""
    left = iter(entries)
    while some := list(islice(left, _AT_ONCE)):
        yield frame_of(LEDGER_COLUMNS, some)
    yield frame_of(LEDGER_COLUMNS)


def counts(ledger: pd.DataFrame) -> dict[str, int]:
    """Returns found, scored, indeterminate, excluded, failed and written; the four outcomes add up to found."""
    by_outcome = {outcome: int((ledger["outcome"] == outcome).sum()) for outcome in OUTCOMES}
    if sum(by_outcome.values()) != len(ledger):
        raise RunIncomplete(
            f"ledger: outcomes add up to {sum(by_outcome.values())}, expected {len(ledger)}; report this as a bug"
        )
    return {"found": len(ledger), **by_outcome, "written": int(ledger["written"].sum())}


def _some(stay_ids: list[str], most: int = 5) -> str:
    named = ", ".join(f"Encounter/{stay_id}" for stay_id in stay_ids[:most])
    return named if len(stay_ids) <= most else f"{named} and {len(stay_ids) - most} more"
