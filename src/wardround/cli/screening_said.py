"""Says how a screening ended, on standard output and standard error."""

from typing import Final

from wardround.cli.results import say, show
from wardround.core.run_summary import ChallengerAccount, Kept, RunSummary

SHOWN: Final = (
    *("condition", "as_of", "mode", "cohort", "found", "scored", "indeterminate", "excluded", "failed"),
    *("written", "unchanged", "repaired", "withdrawn", "http_requests", "model_version", "run", "report"),
)


def say_how_it_ended(summary: RunSummary, as_json: bool) -> None:
    """Shows the summary as a table or as one JSON object, and says what else someone should know."""
    said = summary.as_json()
    challenger = ("challenger",) if as_json else ()
    elsewhere = ("results_at",) if summary.is_elsewhere else ()
    show({key: said[key] for key in (*SHOWN, *elsewhere, *challenger)}, as_json)
    _say_challenger(summary.challenger)
    if summary.found == 0 and summary.cohort != "patients" and not summary.census.doubt:
        say("The ward is empty: no ICU stay overlaps the look-back window.")
    _say_left_out(summary)
    _say_high_band(summary)
    if summary.mode == "shadow":
        held = summary.to_write
        say(f"In shadow: {held:,} RiskAssessment{'' if held == 1 else 's'} would be written in a live run; none was.")


def _say_challenger(challenger: ChallengerAccount | None) -> None:
    if challenger is None:
        return
    if challenger.left_out:
        say(f"The challenger {challenger.version} was left out: {challenger.left_out}")
    if challenger.compared is not None:
        same, compared, high = challenger.same_band, challenger.compared, challenger.alerts
        say(
            f"Challenger {challenger.version} (nothing of it was written): {same:,} of {compared:,} stays in the"
            f" same band; {high.challenger:,} in the high band, against {high.live:,} by the live model."
        )


def _say_high_band(summary: RunSummary) -> None:
    high_band = summary.high_band
    if high_band is None or high_band.reference is None:
        return
    if high_band.kept in (Kept.WRITTEN, Kept.UNCHANGED):
        cohort = high_band.reference.replace("Group/", "group:")
        usable = "" if summary.is_elsewhere else f" (--cohort {cohort})"
        say(f"{high_band.reference} lists the patients in the high band: {high_band.members:,}{usable}.")
    elif high_band.kept is Kept.NEWER:
        say(f"{high_band.reference} lists the high band of a later time, and was not changed.")


def _say_left_out(summary: RunSummary) -> None:
    """Says how many members of the cohort are not screened, and why."""
    for reason, number in summary.left_out.items():
        say(f"Of the cohort {number:,} {'is' if number == 1 else 'are'} not screened: {reason.replace('_', ' ')}.")
