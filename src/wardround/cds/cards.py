"""Makes cards: one about a risk, or one that says why there is none. Each says what it is about, and for whom.

It sees patient values; it never logs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4

from wardround.cds import card_words as words
from wardround.cds.exchange import Outcome
from wardround.cds.scoring import Scored
from wardround.cds.screened import Screened
from wardround.results.alert_policy import Notification
from wardround.results.bands import HIGH, LOW, MODERATE
from wardround.results.risk_assessment import about_at_source, fhir_time
from wardround.results.training_hours import OUTSIDE_TRAINING_HOURS, TrainingHours
from wardround.spec.bedside import Suggestion
from wardround.spec.conditions import Condition
from wardround.workflows.screen.scoring import MINIMUM_DATA

Card = dict[str, Any]
Indicator = Literal["info", "warning", "critical"]
EXTENSION: Final = "com.wardround.risk"
_INDICATORS: Final[dict[str, Indicator]] = {LOW: "info", MODERATE: "warning", HIGH: "critical"}


@dataclass(frozen=True)
class About:
    """What a card is about.

    Attributes:
        condition: the spec.
        as_of: the prediction time.
        version: of the model; empty if none is live.
        horizon: how far the model looks ahead; None: until the hospital stay ends.
        patient_id, stay_id: FHIR ids of Patient and Encounter; stay_id is empty where no stay was found.
        model_card: the address of the model's card; empty if it is not to be had.
        notes: what a reader must know about the data, as Markdown.
        why_not: why the stay is not scored, in a word such as `under_age`; empty if it is, or there is none.
    """

    condition: Condition
    as_of: datetime
    version: str
    horizon: timedelta | None
    patient_id: str
    stay_id: str = ""
    model_card: str = ""
    notes: tuple[str, ...] = ()
    why_not: str = ""


def told(about: About, outcome: Outcome, scored: Scored | None, repeats: str = "") -> dict[str, Any]:
    """Returns what became of a call, for programs: the exact probability and its band, if there is one.

    It stands in each card and beside the cards, so that an empty list of cards says what it means. `repeats` is the
    uuid of the card whose risk is repeated.
    """
    known: dict[str, Any] = {
        "condition": about.condition.id,
        "modelVersion": about.version,
        "asOf": fhir_time(about.as_of),
        "outcome": outcome,
        "reason": about.why_not,
        "patientId": about.patient_id,
        "encounterId": about.stay_id,
        "repeats": repeats,
    }
    if scored is not None:
        known |= {"band": scored.explained.stated.band, "reason": scored.explained.stated.why}
    told = {key: value for key, value in known.items() if value}
    if scored is not None and scored.explained.stated.score is not None:
        told["probability"] = scored.explained.stated.score
    return {EXTENSION: told}


def risk(about: About, scored: Scored) -> Card:
    """Returns the card about a risk."""
    band, bedside = scored.explained.stated.band, about.condition.bedside
    card = _card(about, _risk_in_words(scored), _detail(about, scored))
    card["indicator"] = _INDICATORS[band]
    if band == LOW:
        return card
    card["overrideReasons"] = [one.model_dump() for one in bedside.reasons]
    card["links"] = [
        {"label": one.label, "url": one.url, "type": one.type}
        | ({"appContext": one.app_context} if one.app_context else {})
        for one in bedside.links
    ]
    if band == HIGH and bedside.suggestions:
        card["selectionBehavior"] = "any"
        card["suggestions"] = [_suggested(one, about) for one in bedside.suggestions]
    return {key: value for key, value in card.items() if value}


def still(about: About, scored: Scored, last: Notification, now: datetime) -> Card:
    """Returns the card that repeats, without alerting anybody again, what a card told of the stay before."""
    shown = f"shown {words.ago(last.at, now)}"
    same = last.band == scored.explained.stated.band
    said = f"as {shown}" if same else f"{last.band.upper()} was {shown}"
    detail = words.paragraphs(
        f"A card about this stay was {shown}, with the band **{last.band.upper()}** as of"
        f" {words.moment(last.as_of, about.condition)}. The risk is only repeated until the band rises or"
        f" {words.hours(about.condition.lock_out)} have passed.",
        _detail(about, scored),
    )
    return _card(about, f"{_risk_in_words(scored)}, {said}", detail)


def indeterminate(about: About, scored: Scored, covered: TrainingHours | None) -> Card:
    """Returns the card that says why a stay gets no score. `covered`: the hours of a stay that the model covers."""
    condition, why = about.condition, scored.explained.stated.why
    missing = _not_known(scored)
    if why == OUTSIDE_TRAINING_HOURS:
        what, because = "not given at this time of the stay", words.outside_hours(covered, scored.hours)
        missing = ""
    elif why == MINIMUM_DATA:
        what, because = "not known, too little data", words.too_little(condition)
    else:
        what, because = "not known, an input is missing", "The model cannot be asked without it."
    return _without_score(about, what, because, missing, words.set_aside(scored.set_aside))


def suspended(about: About) -> Card:
    """Returns the card that says that the condition is switched off."""
    return _without_score(about, "switched off", "The people responsible have switched it off; no risk is computed.")


def tried_out(about: About) -> Card:
    """Returns the card of a condition in mode shadow, whose scores reach nobody."""
    return _without_score(about, "not shown yet", "It is being tried out: scores are computed and shown to nobody.")


def no_stay(about: About) -> Card:
    """Returns the card of a patient who is not in intensive care."""
    because = "The patient has no current stay in intensive care."
    return _without_score(about, "not for this patient", because, words.for_whom(about.condition))


def not_eligible(about: About) -> Card:
    """Returns the card of a patient whose stay is not scored."""
    because = words.why_not_this_stay(about.why_not)
    return _without_score(about, "not for this patient", because, words.for_whom(about.condition))


def not_screened(about: About, latest: Screened | None, recent: bool) -> Card:
    """Returns the card of a stay of which no recent screening has a score; `recent`: one has, and could not tell."""
    condition = about.condition
    only_if = condition.bedside.only_if
    assert only_if is not None
    within = words.hours(only_if.within)
    if latest is None:
        what, because = "not screened", f"No scheduled screening of the last {within} has a result for this stay."
    elif recent:
        what = "not known, too little data"
        because = f"The scheduled screening of {words.moment(latest.as_of, condition)} knew too little for a score."
    else:
        what = "not screened lately"
        because = (
            f"The latest scheduled screening with a result for this stay is of {words.moment(latest.as_of, condition)},"
            f" more than {within} ago."
        )
    return _without_score(about, what, because, words.NOT_LOW)


def not_read(about: About, lacking: Sequence[str]) -> Card:
    """Returns the card of a call whose data could not be read; `lacking`: the keys of prefetch, or what else."""
    names = dict.fromkeys(words.sent_as(key, about.condition) for key in lacking)
    because = words.listed("Refused by the server of the EHR, or incomplete", names)
    return _without_score(about, "not known, data could not be read", because, words.NOT_LOW)


def failed(about: About) -> Card:
    """Returns the card of a call that could not be computed."""
    return _without_score(
        about,
        "not known, it could not be computed",
        "Something went wrong in Wardround, and its log says what.",
        words.NOT_LOW,
    )


def _without_score(about: About, what: str, *texts: str) -> Card:
    return _card(about, what, words.paragraphs(*texts, *_ending(about)))


def _card(about: About, what: str, detail: str) -> Card:
    topic = about.condition.outcome.coding[0]
    source = {"label": "Wardround", "url": about.model_card, "topic": topic.model_dump()}
    return {
        "uuid": str(uuid4()),
        "summary": words.summary(about.condition, what),
        "detail": detail,
        "indicator": "info",
        "source": {key: value for key, value in source.items() if value},
    }


def _risk_in_words(scored: Scored) -> str:
    stated = scored.explained.stated
    assert stated.score is not None
    return f"{stated.band.upper()} ({words.percent(stated.score)})"


def _detail(about: About, scored: Scored) -> str:
    return words.paragraphs(
        f"**{_risk_in_words(scored)}**, {words.ahead(about.horizon)}.",
        words.reasons(scored.explained.reasons),
        _not_known(scored),
        words.set_aside(scored.set_aside),
        *_ending(about),
    )


def _not_known(scored: Scored) -> str:
    return words.not_known(scored.explained.missing, scored.begins_unknown)


def _ending(about: About) -> tuple[str, ...]:
    return (*about.notes, words.source_line(about.condition, about.version, about.as_of), words.CAVEAT)


def _suggested(suggestion: Suggestion, about: About) -> Mapping[str, Any]:
    subject, encounter = about_at_source(about.patient_id, about.stay_id)
    order = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [suggestion.order.model_dump()], "text": suggestion.order.display},
        "subject": subject,
        "encounter": encounter,
    }
    action = {"type": "create", "description": suggestion.label, "resource": order}
    return {"label": suggestion.label, "uuid": str(uuid4()), "actions": [action]}
