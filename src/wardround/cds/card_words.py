"""The sentences on cards. What comes from files, models or servers is escaped here, and nowhere else in this room."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from wardround.cds.reading import UNKNOWN_LOCATIONS
from wardround.cds.templates import ENCOUNTERS, PATIENT, SCREENINGS, is_about_observations
from wardround.escaping import markdown, markdown_code, visible
from wardround.report.report_words import STAY_REASONS, count, reason_in_words, span
from wardround.results.bands import INDETERMINATE
from wardround.results.rationale import DEMOGRAPHIC_WORDS
from wardround.results.risk_assessment import ADJUNCT, COMPARED
from wardround.results.training_hours import TrainingHours
from wardround.sources.fhir.begins import NO_BEGIN, NO_HOSPITAL, NOT_READ, UNCERTAIN_BEGIN, UNUSABLE
from wardround.spec.conditions import Condition
from wardround.workflows.screen.find_stays import UNCERTAIN_UNIT_BEGIN

# CDS Hooks: fewer than 140 characters.
LONGEST_SUMMARY: Final = 139
CAVEAT: Final = f"*{ADJUNCT} It needs validation on local patients before use.*"
NOT_LOW: Final = "This does not mean that the risk is low."
INSTEAD: Final = (
    "The EHR's call names an encounter that is no current stay in intensive care; this is about the patient's current"
    " stay there."
)
PART: Final = "The EHR's call names the hospital stay; this is about its current part in intensive care."
_SENT: Final = {
    PATIENT: "the Patient",
    ENCOUNTERS: "Encounters",
    SCREENINGS: "results of the scheduled screening",
    UNKNOWN_LOCATIONS: "the Locations of intensive care",
}
_BEGINS: Final = {
    UNCERTAIN_UNIT_BEGIN: "the begin in the unit is a date, or a time without a zone",
    NO_HOSPITAL: "the Encounter names no hospital stay",
    NOT_READ: "the Encounter of the hospital stay was not sent, and could not be read",
    UNUSABLE: "the Encounter of the hospital stay cannot be used",
    NO_BEGIN: "the Encounter of the hospital stay has no begin",
    UNCERTAIN_BEGIN: "the begin in the hospital is a date, or a time without a zone",
}
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def summary(condition: Condition, what: str) -> str:
    """Returns `Sepsis risk: …` in at most 139 characters; a long title is cut, and never what is said of the risk."""
    ending = f" risk: {what}"
    title = " ".join(visible(condition.title).split())
    left = LONGEST_SUMMARY - len(ending)
    return (title if len(title) <= left else f"{title[: left - 1]}…") + ending


def percent(score: float) -> str:
    """Returns a probability in whole percent: `85%`; 0 and 1 alone are 0% and 100%."""
    if 0 < score <= 0.005:
        return "<1%"
    if 0.995 <= score < 1:
        return ">99%"
    return f"{score * 100:.0f}%"


def ago(earlier: datetime, now: datetime) -> str:
    """Returns how long before `now` it was: `2 h ago`, `just now`; calls overtake each other, so it may be later."""
    return "just now" if now - earlier < _MINUTE else f"{span((now - earlier) / _HOUR)} ago"


def hours(time: timedelta) -> str:
    """Returns a length of time in hours: `24 h`."""
    return f"{time / _HOUR:g} h"


def moment(time: datetime, condition: Condition) -> str:
    """Returns a time in the condition's time zone: `2 January 2026, 06:00 (Europe/Berlin)`."""
    local = time.astimezone(condition.zone)
    return f"{local.day} {local:%B %Y, %H:%M} ({markdown(condition.time_zone)})"


def ahead(horizon: timedelta | None) -> str:
    """Returns how far ahead a score looks."""
    return "until the hospital stay ends" if horizon is None else f"within the next {hours(horizon)}"


def bullets(title: str, texts: Iterable[str]) -> str:
    """Returns a titled list; empty for no texts."""
    lines = [f"* {markdown(text)}" for text in texts]
    return "\n".join([f"**{title}**", "", *lines]) if lines else ""


def listed(title: str, names: Iterable[str]) -> str:
    """Returns a titled line of names; empty for none."""
    names = [markdown(name) for name in names]
    # Some names have a comma of their own.
    return f"**{title}:** {'; '.join(names)}." if names else ""


def reasons(texts: tuple[str, ...]) -> str:
    """Returns what moved a score most."""
    told = bullets("What moved it most", texts)
    return f"{told}\n\n{COMPARED}" if told else ""


def not_known(missing: Iterable[str], begins: Mapping[str, str]) -> str:
    """Returns the inputs of which nothing is known, those of the stay itself with the reason; empty for none."""
    why = {DEMOGRAPHIC_WORDS[name]: _BEGINS.get(reason, reason) for name, reason in begins.items()}
    return listed("Not known", (f"{name} ({why[name]})" if name in why else name for name in missing))


def set_aside(numbers: Mapping[str, int]) -> str:
    """Returns how many values were not used, by reason; empty for none."""
    told = (f"{count(number)} ({reason_in_words(reason)})" for reason, number in numbers.items())
    return listed("Values not used", told)


def too_little(condition: Condition) -> str:
    """Returns how much must be known for a score."""
    minimum = condition.minimum_data
    names = ", ".join(condition.variables[name].display for name in minimum.of)
    window = hours(condition.longest_window)
    return markdown(f"A score needs values of the last {window} of at least {minimum.at_least} of these: {names}.")


def outside_hours(covered: TrainingHours | None, since: float) -> str:
    """Returns which hours of a stay a model covers, and where this stay is."""
    told = "" if covered is None else f" It covers {covered.first / _HOUR:g} to {covered.last / _HOUR:g} hours."
    return f"The model is not asked {span(since)} after admission to the unit: nobody has checked it there.{told}"


def for_whom(condition: Condition) -> str:
    """Returns for whom the model is."""
    return f"It is for patients of {condition.cohort.min_age} years or older who are in an intensive care unit."


def why_not_this_stay(reason: str) -> str:
    """Returns why a stay is not scored."""
    return f"{markdown(STAY_REASONS.get(reason, 'The stay cannot be used'))}."


def source_line(condition: Condition, version: str, as_of: datetime) -> str:
    """Returns what was asked and when, in the condition's time zone."""
    model = f" Model {markdown_code(f'{condition.id}/{version}')}." if version else ""
    return f"As of {moment(as_of, condition)}.{model}"


def paragraphs(*texts: str) -> str:
    """Returns Markdown paragraphs; empty ones are left out."""
    return "\n\n".join(text for text in texts if text)


def sent_as(key: str, condition: Condition) -> str:
    """Returns what a key of prefetch stands for."""
    if is_about_observations(key):
        return "Observations"
    known = condition.variables.get(key)
    return known.display if known else _SENT.get(key, key)


def of_others(kind: str, number: int) -> str:
    """Returns how many resources of a type were about somebody else."""
    return f"{count(number)} {kind}{'' if number == 1 else 's'} about another patient not used."


def otherwise_screened(as_of: datetime, band: str, condition: Condition) -> str:
    """Returns what the latest scheduled screening said, where it differs."""
    said = f"put this stay into the band **{band.upper()}**" if band != INDETERMINATE else "knew too little for a score"
    return f"The scheduled screening of {moment(as_of, condition)} {said}."
