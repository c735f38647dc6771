"""One message while it is read: what is known, what it says, and what of it counts so far."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from wardround.adt.admissions import Admission, Ending, Step, Watches, asked
from wardround.adt.event_time import occurred, recorded
from wardround.adt.feed import Feed
from wardround.adt.known import Draft, Kind
from wardround.adt.numbers import Group, patient_of, visit_of
from wardround.adt.visit import Location, Visit
from wardround.hl7.reader import NULL, Hl7Message, Segment


class Refused(Exception):
    """The message cannot be used, by a rule and a place."""


class Reading:
    """What the effects of an event work with.

    Attributes:
        message, feed: what is read, and how.
        draft: what is known, with the changes so far.
        remarks: what is to be counted.
        admissions, endings: whom branches are asked about, and what is over.
        is_applied: something of the message counts. If nothing does, `is_late` tells why.
    """

    def __init__(
        self, message: Hl7Message, draft: Draft, feed: Feed, watches: Watches, received: datetime, number: int
    ) -> None:
        self.message, self.draft, self.feed = message, draft, feed
        self._watches, self._received, self._number = watches, received, number
        self.said = occurred(message, feed.zone, received)
        self.recorded = recorded(message, feed.zone, received)
        self.remarks: list[str] = list(message.remarks)
        self.admissions: list[Admission] = []
        self.endings: list[Ending] = []
        self.is_applied = self.is_late = False

    def before(self, group: Group) -> Visit | None:
        """Returns the known state of the group's visit. Raises Refused if it names no visit."""
        number = visit_of(group, self.feed)
        if number is None:
            raise Refused("no_visit_number PV1-19")
        return self.draft.visit(number)

    def now(self, group: Group, before: Visit | None, location: Location, visit_class: str, is_open: bool) -> Visit:
        """Returns the state since the event. Raises Refused if nobody knows whose visit it is."""
        return replace(
            self.renewed(group, before),
            location=location,
            visit_class=visit_class,
            is_open=is_open,
            event_time=self.said.at,
            cancelled=None,
        )

    def renewed(self, group: Group, before: Visit | None) -> Visit:
        """Returns the state as before, with the patient whom the group names. Raises Refused likewise."""
        number, patient = visit_of(group, self.feed), patient_of(group, self.feed)
        if patient is None:
            if before is None:
                raise Refused("no_patient_number PID-3")
            self.remarks.append("no_patient_number PID-3")
            return replace(before, message=self._number)
        if before is not None:
            return replace(before, patient=patient, message=self._number)
        if number is None:
            raise Refused("no_visit_number PV1-19")
        kept = self.draft.remaining(Kind.VISIT, number)
        return Visit(kept, patient, Location("", ""), "", True, self.said.at, message=self._number)

    def placed(self, group: Group, before: Visit | None) -> tuple[Location, str]:
        """Returns where the group says that the visit lies, and as what. An empty field says nothing."""
        location, visit_class = (before.location, before.visit_class) if before else (Location("", ""), "")
        if before and is_filled(group.pv1, 6) and location_in(group.pv1, 6) != location:
            self.remarks.append("other_prior_unit PV1-6")
        if _says(group.pv1, 3):
            location = location_in(group.pv1, 3)
        else:
            self.remarks.append("no_unit PV1-3")
        return location, _value(group.pv1, 2) if _says(group.pv1, 2) else visit_class

    def is_other(self, before: Visit | None, after: Visit | None) -> bool:
        """Returns whether two states are of different patients."""
        if before is None or after is None:
            return False
        return not self.draft.is_same_patient(before.patient, after.patient)

    def is_older(self, before: Visit) -> bool:
        """Returns whether what the message says happened before what is known.

        After something was taken back, what was entered since then counts, whenever it happened.
        """
        older = self.recorded < before.cancelled if before.cancelled else self.said.at < before.event_time
        self.is_late |= older
        return older

    def is_older_cancellation(self, before: Visit) -> bool:
        """Returns the same of a cancellation.

        Its EVN-6 is the time of what is cancelled (HL7 v2.9, 3.4.1.6): it is not late if that is the state's own.
        """
        older = max(self.recorded, self.said.at) < (before.cancelled or before.event_time)
        self.is_late |= older
        return older

    def keep(self, step: Step) -> None:
        """Keeps the state after a step, and what branches are asked about it."""
        self.is_applied = True
        if step.is_other_patient:
            self.remarks.append("other_patient PID-3")
        found = asked(step, self.feed, self._watches, self._number, self._received, self.draft.scores)
        if found.is_locked_out:
            self.remarks.append("scored_within_lock_out PV1-3")
        self.draft.keep(found.visit)
        self.admissions += found.admissions
        self.end(found.endings)

    def end(self, endings: Iterable[Ending]) -> None:
        """Ends requests. One that this message itself made is not made at all."""
        for one in endings:
            made_now = [admission for admission in self.admissions if admission.request == one.request]
            for admission in made_now:
                self.admissions.remove(admission)
            if not made_now:
                self.endings.append(one)


def is_filled(segment: Segment | None, field: int) -> bool:
    """Returns whether a field has a value."""
    return bool(_value(segment, field))


def location_in(segment: Segment | None, field: int) -> Location:
    """Returns the unit and facility of a field such as PV1-3."""
    return Location(_value(segment, field), _value(segment, field, 4))


def _value(segment: Segment | None, field: int, component: int = 1) -> str:
    text = segment.value(field, component) if segment else ""
    return "" if text == NULL else text


def _says(segment: Segment | None, field: int) -> bool:
    """Returns whether a field says anything, be it that there is nothing."""
    return bool(segment and segment.repetitions(field))
