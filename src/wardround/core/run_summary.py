"""Defines the result of a screening: the content of summary.json and its parts."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from wardround.core.account import Account
from wardround.core.expected_stays import Census
from wardround.spec.conditions import Mode

COUNTS: Final = ("found", "scored", "indeterminate", "excluded", "failed", "written")

MISSING: Final = "missing"
DUPLICATE: Final = "duplicate"
DIFFERENT: Final = "different"
WRONG: Final = (MISSING, DUPLICATE, DIFFERENT)
"""What may be wrong with the server's RiskAssessment of a stay."""


class CohortAccount(Account):
    """The patients that the cohort names, and how many of them are not screened.

    Attributes:
        cohort: the kind of the cohort.
        cohort_patients: how many patients it names; None if it names none and takes every patient found.
        cohort_without_stay: how many of them have no ICU stay in the look-back.
        cohort_set_aside: how many others are not screened, by reason.
    """

    cohort: str = ""
    cohort_patients: int | None = None
    cohort_without_stay: int = 0
    cohort_set_aside: Mapping[str, int] = {}


class OfBoth(Account):
    """The number of stays for the live model, and for its challenger."""

    live: int = 0
    challenger: int = 0


class ChallengerAccount(Account):
    """How a challenger compares with the live model on the run's stays (`results.challenger.agreement`).

    Attributes:
        left_out: why the challenger did not score; "" if it did.
        compared: the number of stays that both scored; None if the challenger was left out.
        bands: the number of stays by the live band and then by the challenger's band.
    """

    version: str = ""
    left_out: str = ""
    scored: OfBoth = OfBoth()
    alerts: OfBoth = OfBoth()
    alerts_of_both: int = 0
    compared: int | None = None
    same_band: int = 0
    median_difference: float | None = None
    largest_difference: float | None = None
    bands: Mapping[str, Mapping[str, int]] = {}


class Kept(StrEnum):
    """What happened to the Group of the high band."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    NEWER = "newer"  # the Group is of a later as_of, and was left alone
    SUSPENDED = "suspended"  # the condition was switched off in the meantime
    REFUSED = "refused"


class HighBandAccount(Account):
    """The server's Group of the patients in the high band.

    Attributes:
        why: the HTTP status or the error with which the server refused the Group; "" if it did not.
        reference: `Group/…`; None if there is none.
    """

    kept: Kept = Kept.UNCHANGED
    why: str = ""
    reference: str | None = None
    members: int = 0

    @property
    def is_refused(self) -> bool:
        """Returns whether the server refused the write, and so still holds the Group of an earlier time."""
        return self.kept is Kept.REFUSED


class StepAccount(Account):
    """A step of a run, or of one of its chunks; times are in seconds since 1970."""

    step: str
    began: float
    ended: float
    http_requests: int = 0


class Retraction(Account):
    """The account of a retraction: when and why it happened, and the results of the stays that the run had scored.

    Attributes:
        at: the time given in all notes on the server.
        retracted: stays whose result is marked as entered in error.
        superseded: stays for which the server holds another score, which a later run wrote and which is left alone.
        missing: stays for which the server holds nothing.
        failed: stays whose result still stands.
        complete: whether no result still stands.
    """

    at: AwareDatetime
    why: str = ""
    retracted: int = 0
    superseded: int = 0
    missing: int = 0
    failed: int = 0
    complete: bool = False


class RunSummary(Account):
    """The result of a run, as `reconcile` finds it and `screen --json` prints it.

    Attributes:
        found: the number of stays; scored, indeterminate, excluded and failed are their outcomes and add up to it.
        written: stays whose RiskAssessment the server holds.
        report: where the report will be.
        source: base URL of the server that was read; results_at is that of the server that takes the results.
        source_map: the digest of the source map in use.
        unchanged: stays for which the server already held the same RiskAssessment.
        repaired: stays for which the server held several RiskAssessments, of which one stands now.
        withdrawn: stays whose RiskAssessment somebody else withdrew.
        to_write: the number of RiskAssessments to write; a shadow run writes none of them.
        problems: stay_id -> what is wrong with the server's RiskAssessment, one of WRONG.
        complete: whether few enough stays failed, and the server holds what the ledger says.
        hours_after_as_of: when the last score was available; None if there was no score.
        durations: seconds by step.
        retraction: the account of the retraction, if the run was retracted.
    """

    found: int = 0
    scored: int = 0
    indeterminate: int = 0
    excluded: int = 0
    failed: int = 0
    written: int = 0
    cohort: str = ""
    cohort_patients: int | None = None
    cohort_without_stay: int = 0
    cohort_set_aside: Mapping[str, int] = {}
    census: Census = Census()
    run: str = ""
    report: str = ""
    model_version: str = ""
    condition: str = ""
    as_of: AwareDatetime | None = None
    mode: Mode | None = None
    source: str = ""
    results_at: str = ""
    source_map: str | None = None
    unchanged: int = 0
    repaired: int = 0
    withdrawn: int = 0
    to_write: int = 0
    challenger: ChallengerAccount | None = None
    problems: Mapping[str, str] = {}
    high_band: HighBandAccount | None = None
    complete: bool = False
    hours_after_as_of: float | None = None
    durations: Mapping[str, float] = {}
    http_requests: int | None = None
    retraction: Retraction | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Returns whether the results go to a different server than the one that was read."""
        return self.results_at != self.source

    @property
    def counts(self) -> dict[str, int]:
        """Returns the counts by name, in the order of COUNTS; empty for a run without a summary."""
        return {name: getattr(self, name) for name in COUNTS if name in self.model_fields_set}

    @property
    def left_out(self) -> dict[str, int]:
        """Returns how many patients of the cohort are not screened, by reason; reasons with no patients are omitted."""
        counted = {"cohort_without_stay": self.cohort_without_stay, **self.cohort_set_aside}
        return {reason: number for reason, number in counted.items() if number}
