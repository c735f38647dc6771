"""Answers one hook call: what is read, what the model says of it, whether people are told again, and the card.

What cannot be computed is said on a card, and never answered with an empty list. It sees patient values; it never logs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from wardround.adapters.pseudonyms import Pseudonyms
from wardround.cds import card_words as words
from wardround.cds import cards
from wardround.cds.cards import About, Card, told
from wardround.cds.discovery import Service
from wardround.cds.exchange import Answer, Call, Outcome, Request, Result
from wardround.cds.hook_request import HookRequest, hook_request
from wardround.cds.keeping import Keeping, Shown, StayKey, Told
from wardround.cds.problems import Problem
from wardround.cds.reading import UNKNOWN_LOCATIONS, Lack, Reader, Reading
from wardround.cds.scoring import Scored, score_stay
from wardround.cds.screened import Screened
from wardround.cds.templates import SCREENINGS
from wardround.errors import DatabaseError, StorageError, named
from wardround.results.alert_policy import AlertPolicy, Notification, Verdict, verdict
from wardround.results.bands import INDETERMINATE, LOW, MODERATE
from wardround.results.risk_assessment import Assessment
from wardround.results.training_hours import OUTSIDE_TRAINING_HOURS
from wardround.sources.fhir.current_stay import NO_ICU_STAY, CurrentStay, How
from wardround.workflows.live_models import InUse, Live

CHANNEL: Final = "bedside"
MODEL_CARDS: Final = "/model-cards"
RETRY_AFTER: Final = {"Retry-After": "30"}
# A call is answered when it arrives, so that none is late.
_NEVER_LATE: Final = timedelta(days=1)
_NO_STAY: Final = (NO_ICU_STAY, UNKNOWN_LOCATIONS)
_SHOWN: Final = ("card", "locked_out", "low")  # whoever asked learns the score, if only from the `extension`


@dataclass(frozen=True)
class Means:
    """What every call is answered with.

    Attributes:
        readers: how calls of each condition are read.
        base_url: of the door, without a slash at its end; empty if nobody reaches it from outside.
        as_of: the prediction time of all calls; None: when each arrives.
    """

    live: Live
    readers: Mapping[str, Reader]
    keeping: Keeping
    pseudonyms: Pseudonyms
    base_url: str
    as_of: datetime | None


@dataclass(frozen=True)
class _Said:
    """What is said to a call.

    Attributes:
        outcome: what became of it.
        cards: what people are shown.
        scored: what the model says of the stay, if it was asked.
        repeats: the uuid of the card whose risk is repeated; empty if none is.
    """

    outcome: Outcome
    cards: list[Card]
    scored: Scored | None = None
    repeats: str = ""


def answer_call(service: Service, request: Request, means: Means) -> Answer:
    """Returns the answer to a call of the service: cards, or an OperationOutcome (400, 412, 503)."""
    in_use = means.live.of(service.condition.id)
    call = Call(
        at=request.arrived,
        issuer=request.issuer,
        service=service.id,
        hook=service.hook,
        as_of=means.as_of or request.arrived,
        condition=service.condition.id,
        model_version=in_use.version,
        outcome="refused",
    )
    try:
        asked = hook_request(request.body, service.hook)
        call = replace(call, patient_key=means.pseudonyms.of(request.issuer, "Patient", asked.context.patient_id))
        return _Answering(service, request, means, in_use, asked, call).answer()
    except Problem as problem:
        return problem.answer(replace(call, outcome=problem.outcome))


@dataclass(frozen=True)
class _Answering:
    """One call while it is answered."""

    service: Service
    request: Request
    means: Means
    in_use: InUse
    asked: HookRequest
    call: Call

    def answer(self) -> Answer:
        """Returns the answer. Raises Problem for a call that cannot be answered with cards."""
        self._require_waiting()
        about = self._about()
        if self.in_use.suspended:
            return self._kept(about, _Said("suspended", [cards.suspended(about)]))
        if self.in_use.scoring is None:
            raise Problem(503, "no model can be used for this condition at the moment; ask again later", RETRY_AFTER)
        try:
            return self._read_and_scored(about)
        except Problem:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one patient's data may break, the clinician is told so
            answer = self._kept(about, _Said("failed", [cards.failed(about)]))
            return replace(answer, fault=named(error))

    def _read_and_scored(self, about: About) -> Answer:
        reading = self.means.readers[about.condition.id].read(self.asked, self._as_of, self.request.while_waiting)
        lacking = [gap.key for gap in reading.gaps if gap.lack is not Lack.UNSENT and gap.key != SCREENINGS]
        if lacking:
            return self._kept(about, _Said("not_read", [cards.not_read(about, lacking)]))
        found = reading.found
        if not isinstance(found, CurrentStay):
            about = about if found.reason in _NO_STAY else replace(about, why_not=found.reason)
            return self._kept(about, _no_stay(about, found.reason))
        screened = reading.screened
        about = replace(about, stay_id=found.stay.stay_id, notes=tuple(_notes(reading, found, about)))
        unwanted = self._unwanted(about, reading, screened)
        if unwanted is not None:
            return self._kept(about, unwanted)
        assert self.in_use.scoring is not None
        scored = score_stay(found.stay, reading.readings, self.in_use.scoring, self._as_of)
        if screened is not None and screened.band != scored.explained.stated.band:
            about = replace(about, notes=(*about.notes, words.otherwise_screened(*screened, about.condition)))
        answer = self._scored(about, scored)
        return replace(answer, result=self._result(answer, reading, found, scored))

    @property
    def _as_of(self) -> datetime:
        return self.means.as_of or self.request.arrived

    def _about(self) -> About:
        condition, version, base = self.service.condition, self.in_use.version, self.means.base_url
        return About(
            condition=condition,
            as_of=self._as_of,
            version=version,
            horizon=self.in_use.horizon,
            patient_id=self.asked.context.patient_id,
            model_card=f"{base}{MODEL_CARDS}/{condition.id}/{version}" if base and version else "",
        )

    def _unwanted(self, about: About, reading: Reading, screened: Screened | None) -> _Said | None:
        """Returns what is said of a stay for which the condition wants no card; None for one that is scored."""
        only_if = about.condition.bedside.only_if
        if only_if is None:
            return None
        recent = screened is not None and self._as_of - screened.as_of <= only_if.within
        if recent and screened is not None and screened.band != INDETERMINATE:
            return None if screened.band in only_if.screened else _Said("screened_otherwise", [])
        if not recent and (unread := [gap.key for gap in reading.gaps if gap.key == SCREENINGS]):
            return _Said("not_read", [cards.not_read(about, unread)])
        return _Said("not_screened", [cards.not_screened(about, screened, recent)])

    def _scored(self, about: About, scored: Scored) -> Answer:
        """Returns the answer about a stay that was scored, or for which the model gives no score."""
        condition, stated = about.condition, scored.explained.stated
        if condition.mode_at(self._as_of) == "shadow":
            return self._kept(about, _Said("shadow", [cards.tried_out(about)], scored))
        if stated.score is None:
            assert self.in_use.scoring is not None
            card = cards.indeterminate(about, scored, self.in_use.scoring.model.card.training_hours)
            outside = stated.why == OUTSIDE_TRAINING_HOURS
            return self._kept(about, _Said("outside_training_hours" if outside else "indeterminate", [card], scored))
        if stated.band == LOW:
            shown = [cards.risk(about, scored)] if condition.bedside.low == "info" else []
            return self._kept(about, _Said("low", shown, scored))
        return self._told(about, scored)

    def _result(self, answer: Answer, reading: Reading, found: CurrentStay, scored: Scored) -> Result | None:
        """Returns the score for the record, if people were shown it, and the call names the server that it is of.

        In a playback, it is of another time than now.
        """
        stated, call = scored.explained.stated, answer.call
        shown = call is not None and call.outcome in _SHOWN
        if not shown or stated.score is None or not reading.of_listed or self.means.as_of is not None:
            return None
        assert call is not None
        assessment = Assessment(
            stay_id=found.stay.stay_id,
            patient_id=found.stay.patient_id,
            score=stated.score,
            band=stated.band,
            basis=scored.basis,
            reasons=scored.explained.reasons,
            missing=scored.explained.missing,
        )
        condition, horizon = self.service.condition, self.in_use.horizon
        return Result(call, assessment, condition, horizon, reading.source, scored.rests_on)

    def _told(self, about: About, scored: Scored) -> Answer:
        """Returns the answer about a risk that people are told of: as an alert, or repeated."""
        key = self.means.pseudonyms.of(self.request.issuer, "Encounter", about.stay_id)
        policy = AlertPolicy(lock_out=about.condition.lock_out, late_after=_NEVER_LATE, band=MODERATE)
        stated, now = scored.explained.stated, self._as_of

        def answered(last: Shown | None) -> Told:
            self._require_waiting()
            before = last.notification if last else None
            decided = verdict(stated.score, stated.band, now, policy, before, now)
            if last is None or decided is Verdict.NOTIFY:
                said = _Said("card", [cards.risk(about, scored)], scored)
                return Told(self._answer(about, said), Notification(now, now, stated.band))
            said = _Said("locked_out", [cards.still(about, scored, last.notification, now)], scored, last.card)
            return Told(self._answer(about, said), None)

        try:
            with self.request.while_waiting():
                return self.means.keeping.told(StayKey(key, about.condition.id, CHANNEL), answered)
        except (DatabaseError, StorageError) as error:
            # Better told twice than not at all.
            return _unkept(answered(None).answer, error)

    def _kept(self, about: About, said: _Said) -> Answer:
        """Returns the answer that tells people of no new risk, and keeps the call if it has a card."""
        self._require_waiting()
        answer = self._answer(about, said)
        if not said.cards:  # there is nothing that could be set aside; the audit has the call
            return answer
        try:
            with self.request.while_waiting():
                self.means.keeping.kept(self._call(said))
        except (DatabaseError, StorageError) as error:
            return _unkept(answer, error)
        return answer

    def _require_waiting(self) -> None:
        """Raises Problem if nobody waits any more: a card that nobody sees must not lock out the next one."""
        if self.request.given_up():
            raise Problem(503, "it took too long; ask again", RETRY_AFTER, outcome="given_up")

    def _answer(self, about: About, said: _Said) -> Answer:
        # Of a condition in mode shadow nobody learns the score.
        shown = None if said.outcome == "shadow" else said.scored
        for_programs = told(about, said.outcome, shown, said.repeats)
        body = {"cards": [{**card, "extension": for_programs} for card in said.cards], "extension": for_programs}
        return Answer(200, orjson.dumps(body), self._call(said))

    def _call(self, said: _Said) -> Call:
        scored = said.scored
        return replace(
            self.call,
            outcome=said.outcome,
            inputs_digest=scored.digest if scored else "",
            band=scored.explained.stated.band if scored else "",
            card=str(said.cards[0]["uuid"]) if said.cards else "",
        )


def _unkept(answer: Answer, error: DatabaseError | StorageError) -> Answer:
    """Returns an answer that the database does not have. It is given all the same: a score must not wait for that."""
    assert answer.call is not None
    return replace(answer, call=replace(answer.call, kept=False), fault=named(error))


def _no_stay(about: About, reason: str) -> _Said:
    if reason == UNKNOWN_LOCATIONS:
        return _Said("not_read", [cards.not_read(about, [reason])])
    if reason == NO_ICU_STAY:
        return _Said("no_stay", [cards.no_stay(about)])
    return _Said("not_eligible", [cards.not_eligible(about)])


def _notes(reading: Reading, found: CurrentStay, about: About) -> Iterator[str]:
    """Yields what a reader must know about the data, as Markdown."""
    if found.how is How.INSTEAD_OF_NAMED:
        yield words.INSTEAD
    elif found.how is How.PART_OF_NAMED:
        yield words.PART
    if unsent := [gap.key for gap in reading.gaps if gap.lack is Lack.UNSENT and gap.key != SCREENINGS]:
        yield words.listed("Not sent by the EHR", (words.sent_as(key, about.condition) for key in unsent))
    for kind, number in sorted(reading.other_patient.items()):
        yield words.of_others(kind, number)
