"""What a screening came to: the content of summary.json, and of what goes into it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from wardround.core.account import Account
from wardround.core.expected_stays import Census
from wardround.spec.conditions import Mode

COUNTS: Final = ("found", "scored", "indeterminate", "excluded", "failed", "written")


class CohortAccount(Account):
    """The patients that the cohort names, and how many of them are not screened.

    Attributes:
        cohort: its kind.
        cohort_patients: how many patients it names; None if it is whoever is found.
        cohort_without_stay: those of them without an ICU stay in the look-back.
        cohort_set_aside: the others who are not screened, by reason.
    """

    cohort: str = ""
    cohort_patients: int | None = None
    cohort_without_stay: int = 0
    cohort_set_aside: Mapping[str, int] = {}


class OfBoth(Account):
    """A number of stays by the live model, and by its challenger."""

    live: int = 0
    challenger: int = 0


class ChallengerAccount(Account):
    """How a challenger compares with the live model on the run's stays (`results.challenger.agreement`).

    Attributes:
        left_out: why it did not score; "" if it did.
        compared: stays that both scored; None if none can be, as the challenger was left out.
        bands: the stays by the live band, and then the challenger's.
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
    """What became of the Group of the high band."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    NEWER = "newer"  # it is of a later as_of, and left alone
    SUSPENDED = "suspended"  # the condition was switched off meanwhile
    REFUSED = "refused"


class HighBandAccount(Account):
    """The server's Group of the patients in the high band.

    Attributes:
        why: the HTTP status, or the error, with which the server refused it; "" if it did not.
        reference: `Group/…`; None if there is none.
    """

    kept: Kept = Kept.UNCHANGED
    why: str = ""
    reference: str | None = None
    members: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether the server refused the write, and so still holds the Group of an earlier time."""
        return self.kept is Kept.REFUSED


class StepAccount(Account):
    """A step of a run, or of one of its chunks; times are in seconds since 1970."""

    step: str
    began: float
    ended: float
    http_requests: int = 0


class Retraction(Account):
    """The account of a retraction: when, why, and what became of the results of the stays that the run scored.

    Attributes:
        at: the time that all notes on the server give.
        retracted: their result is marked as entered in error.
        superseded: the server holds another score, which a later run wrote and which is left alone.
        missing: the server holds nothing.
        failed: their result still stands.
        complete: whether none still stands.
    """

    at: AwareDatetime
    why: str = ""
    retracted: int = 0
    superseded: int = 0
    missing: int = 0
    failed: int = 0
    complete: bool = False


class RunSummary(Account):
    """What `reconcile` found of a run, and `screen --json` prints.

    Attributes:
        found: stays; scored, indeterminate, excluded and failed are what became of them, and add up to it.
        written: stays of which the server holds the RiskAssessment.
        report: where the report will be.
        source: base URL of the server that was read; results_at of the one that takes the results.
        source_map: the digest of the source map that was in use.
        unchanged: stays of which the server held the same before.
        repaired: stays of which it held several RiskAssessments, of which one stands now.
        withdrawn: stays whose RiskAssessment somebody else took back.
        to_write: RiskAssessments that there were to write; a shadow run writes none of them.
        problems: stay_id -> what is wrong with the server's RiskAssessment.
        complete: whether few enough stays failed, and the server holds what the ledger says.
        hours_after_as_of: when the last score was there; None if none was.
        durations: seconds by step.
        retraction: if the run was taken back.
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
        """Whether the results go to another server than the one that was read."""
        return self.results_at != self.source

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name, in the order of COUNTS; empty for a run without a summary."""
        return {name: getattr(self, name) for name in COUNTS if name in self.model_fields_set}

    @property
    def left_out(self) -> dict[str, int]:
        """How many patients of the cohort are not screened, by reason; without reasons that count nobody."""
        counted = {"cohort_without_stay": self.cohort_without_stay, **self.cohort_set_aside}
        return {reason: number for reason, number in counted.items() if number}
