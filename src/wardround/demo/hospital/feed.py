"""Decides what happens in the hospital next, and gives the message that says so.

It sees patient values, though made-up ones; it never logs.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final, Literal

from wardround.core.microseconds import micros
from wardround.demo.hospital.announcing import Announced, Announcer
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.people import Person, made_up_person
from wardround.demo.hospital.places import EMERGENCY, EMERGENT, INPATIENT, OUTPATIENT, PREADMIT, WARDS, WATCHED, ZONE
from wardround.demo.hospital.stays import Stay
from wardround.demo.hospital.visits import Visit

Step = Callable[[datetime], Announced]
Kind = Literal["new", "repeated", "delayed"]
_REPEATED: Final = 0.02
_DELAYED: Final = 0.02
_LONGEST_DELAY: Final = 12
_MOST_OPEN: Final = 200
"""Visits on the wards at most: above it, each admission of one is the discharge of another."""
_GENDERS: Final = {"male": "M", "female": "F"}


@dataclass(frozen=True)
class Sent:
    """A message to send now: a new one, an exact repeat, or one that was held back while others went before."""

    announced: Announced
    kind: Kind


@dataclass
class Happened:
    """What the messages so far must have told a reader who gets them all.

    Attributes:
        events: messages by event.
        to_the_unit: numbers of visits that came to a watched unit, in order.
        withdrawn: those of them whose coming was cancelled.
        left: those of them who have left it.
    """

    events: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    to_the_unit: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


class Feed:
    """The hospital: a row of messages that depends on nothing but the seed of `rng`, the stays and the times given.

    All numbers begin with `run`, so that another run has other patients.

    Every `every`-th message begins the way of a stay to the unit, as long as there are stays left; each comes by one of
    the ways that hospitals know (admitted there, moved there, from the emergency department, by a mere correction).
    """

    def __init__(self, stays: list[Stay], charts: Charts, rng: Random, run: str, every: int) -> None:
        self.happened = Happened()
        self._stays, self._charts, self._rng, self._every = list(stays), charts, rng, every
        self._announcer, self._run = Announcer(run), run
        self._numbers = count(1)
        self._turn, self._next_stay = count(1), every
        self._order = count()
        self._planned: list[tuple[int, int, Step]] = []
        self._delayed: list[tuple[int, int, Announced]] = []
        self._leaving: list[tuple[int, str, Visit]] = []
        self._on_wards: list[Visit] = []
        self._gone: list[Visit] = []
        self._people: list[Person] = []
        self._last: Announced | None = None

    @property
    def stays_left(self) -> int:
        """How many stays have not begun their way to the unit."""
        return len(self._stays)

    def next(self, now: datetime) -> Sent:
        """Returns the next message; `now` must not go back. Raises FhirError if a chart cannot be written."""
        sent = self._next(now.astimezone(ZONE), next(self._turn))
        self.happened.kinds[sent.kind] += 1
        if sent.kind == "new":
            self._last = sent.announced
        return sent

    def _next(self, now: datetime, turn: int) -> Sent:
        if self._delayed and self._delayed[0][0] <= turn:
            return Sent(heappop(self._delayed)[2], "delayed")
        if self._last and self._rng.random() < _REPEATED:
            return Sent(self._last, "repeated")
        if self._leaving and self._leaving[0][0] <= micros(now):
            return self._new(self._leave(heappop(self._leaving)[2], now))
        if self._planned and self._planned[0][0] <= turn:
            return self._new(heappop(self._planned)[2](now))
        if self._stays and turn >= self._next_stay:
            self._next_stay += self._every
            return self._new(self._to_the_unit(self._stays.pop(0), now, turn))
        announced = self._on_the_wards(now)
        if self._rng.random() < _DELAYED:
            heappush(self._delayed, (turn + self._rng.randrange(2, _LONGEST_DELAY), next(self._order), announced))
            self.happened.events[announced.event] += 1
            return self._next(now, turn)
        return self._new(announced)

    def _new(self, announced: Announced) -> Sent:
        self.happened.events[announced.event] += 1
        return Sent(announced, "new")

    # The ways to the unit.

    def _to_the_unit(self, stay: Stay, now: datetime, turn: int) -> Announced:
        """Returns the first message of a stay's way to the unit, and plans the others."""
        person = made_up_person(self._number(), self._rng, *_of_patient(stay))
        visit = self._visit(person, INPATIENT, self._rng.choice(WATCHED), now, stay)
        way = self._rng.choices(
            (self._admitted, self._moved, self._from_emergency, self._corrected), weights=(4, 4, 3, 1)
        )[0]
        return way(visit, now, turn)

    def _admitted(self, visit: Visit, now: datetime, turn: int) -> Announced:
        if self._rng.random() < 0.1:
            self._plan(turn + 2, partial(self._withdraw, "A11", visit))
        return self._arrive("A01", visit, now)

    def _moved(self, visit: Visit, now: datetime, turn: int) -> Announced:
        unit, visit.unit = visit.unit, self._rng.choice(WARDS)
        self._plan(turn + 2, partial(self._move_in, "A02", visit, unit))
        if self._rng.random() < 0.1:
            self._plan(turn + 5, partial(self._withdraw, "A12", visit))
        return self._say("A01", visit, now)

    def _from_emergency(self, visit: Visit, now: datetime, turn: int) -> Announced:
        """In the emergency department the person may get a temporary number, which is merged into their own."""
        unit, visit.unit, visit.visit_class = visit.unit, EMERGENCY, EMERGENT
        if self._rng.random() < 0.4:
            own, visit.person.number = visit.person.number, self._number()
            self._plan(turn + 3, partial(self._merge, visit, own))
        event = self._rng.choice(("A02", "A06"))
        self._plan(turn + 2, partial(self._move_in, event, visit, unit))
        return self._say("A04", visit, now)

    def _corrected(self, visit: Visit, now: datetime, turn: int) -> Announced:
        unit, visit.unit = visit.unit, self._rng.choice(WARDS)
        self._plan(turn + 2, partial(self._move_in, "A08", visit, unit))
        return self._say("A01", visit, now)

    def _move_in(self, event: str, visit: Visit, unit: str, now: datetime) -> Announced:
        visit.visit_class = INPATIENT
        visit.move(unit, self._bed())
        return self._arrive(event, visit, now)

    def _arrive(self, event: str, visit: Visit, now: datetime) -> Announced:
        """Writes the chart, and returns the message of a visit that is in the unit from now on."""
        self._charts.admit(visit, now)
        self.happened.to_the_unit.append(visit.number)
        if (end := self._charts.end_of(visit)) is not None:
            heappush(self._leaving, (end, visit.number, visit))
        return self._say(event, visit, now)

    def _withdraw(self, event: str, visit: Visit, now: datetime) -> Announced:
        """Cancels the admission (A11), or the transfer to the unit (A12): the visit is where it was before."""
        if visit.number in self.happened.left:
            return self._on_the_wards(now)
        self._charts.withdraw(visit)
        self.happened.withdrawn.add(visit.number)
        if event == "A11":
            visit.is_open = False
        else:
            visit.move(visit.before, self._bed())
            self._on_wards.append(visit)
        self._leaving = [one for one in self._leaving if one[2] is not visit]
        return self._say(event, visit, now)

    def _leave(self, visit: Visit, now: datetime) -> Announced:
        self._charts.leave(visit, now)
        self.happened.left.add(visit.number)
        visit.move(self._rng.choice(WARDS), self._bed())
        self._on_wards.append(visit)
        return self._say("A02", visit, now)

    def _merge(self, visit: Visit, into: str, now: datetime) -> Announced:
        ended, visit.person.number = visit.person.number, into
        visit.person.earlier.append(ended)
        self._charts.rename(visit)
        return self._announcer.of_visit("A40", visit, now, ended)

    # The rest of the hospital.

    def _on_the_wards(self, now: datetime) -> Announced:
        """Returns a message about somebody who is not in the unit."""
        if len(self._on_wards) < 8:
            return self._new_visit(now)
        if len(self._on_wards) > _MOST_OPEN:
            return self._discharge(now)
        happenings = (
            self._new_visit, self._discharge, self._move, self._correct, self._swap, self._merge_people, self._person,
            self._mere_note, self._cancelled_admission, self._cancelled_discharge, self._admit_outpatient,
        )  # fmt: skip
        chosen = self._rng.choices(happenings, weights=(14, 10, 16, 26, 1, 2, 8, 12, 2, 2, 3))[0]
        return chosen(now)

    def _new_visit(self, now: datetime) -> Announced:
        event, visit_class, unit = self._rng.choices(
            (
                ("A01", INPATIENT, self._rng.choice(WARDS)),
                ("A04", EMERGENT, EMERGENCY),
                ("A04", OUTPATIENT, self._rng.choice(WARDS)),
                ("A05", PREADMIT, self._rng.choice(WARDS)),
            ),
            weights=(6, 4, 2, 1),
        )[0]
        known = bool(self._people) and self._rng.random() < 0.2
        person = self._rng.choice(self._people) if known else made_up_person(self._number(), self._rng)
        visit = self._visit(person, visit_class, unit, now)
        self._people = [*self._people[-_MOST_OPEN:], person]
        self._on_wards.append(visit)
        return self._say(event, visit, now)

    def _discharge(self, now: datetime) -> Announced:
        visit = self._on_wards.pop(self._rng.randrange(len(self._on_wards)))
        visit.is_open = False
        self._gone = [*self._gone[-20:], visit]
        return self._say("A03", visit, now)

    def _move(self, now: datetime) -> Announced:
        visit = self._anybody()
        visit.move(self._rng.choice([ward for ward in WARDS if ward != visit.unit]), self._bed())
        return self._say("A02", visit, now)

    def _correct(self, now: datetime) -> Announced:
        visit = self._anybody()
        visit.bed = self._bed()
        return self._say("A08", visit, now)

    def _swap(self, now: datetime) -> Announced:
        one, other = self._rng.sample(self._on_wards, 2)
        places = (other.unit, other.bed), (one.unit, one.bed)
        for visit, (unit, bed) in zip((one, other), places, strict=True):
            visit.move(unit, bed)
        return self._announcer.of_swap(one, other, now)

    def _merge_people(self, now: datetime) -> Announced:
        """Somebody had been registered twice; now and then a system merges a number into itself."""
        visit = self._anybody()
        ended = visit.person.number if self._rng.random() < 0.1 else self._number()
        return self._announcer.of_visit("A40", visit, now, ended)

    def _person(self, now: datetime) -> Announced:
        event = self._rng.choice(("A28", "A31"))
        person = self._anybody().person if event == "A31" else made_up_person(self._number(), self._rng)
        return self._announcer.of_person(event, person, now)

    def _mere_note(self, now: datetime) -> Announced:
        """Returns an event that moves nobody: on the way, on leave, something pending, an allergy."""
        return self._say(
            self._rng.choice(("A10", "A21", "A22", "A14", "A15", "A16", "A25", "A26", "A60")), self._anybody(), now
        )

    def _cancelled_admission(self, now: datetime) -> Announced:
        visit = self._anybody()
        if visit.stay is not None:
            return self._correct(now)
        self._on_wards.remove(visit)
        visit.is_open = False
        return self._say("A11", visit, now)

    def _cancelled_discharge(self, now: datetime) -> Announced:
        if not self._gone:
            return self._correct(now)
        visit = self._gone.pop()
        visit.is_open = True
        self._on_wards.append(visit)
        return self._say("A13", visit, now)

    def _admit_outpatient(self, now: datetime) -> Announced:
        outside = [visit for visit in self._on_wards if visit.visit_class != INPATIENT]
        if not outside:
            return self._new_visit(now)
        visit = self._rng.choice(outside)
        visit.visit_class = INPATIENT
        visit.move(self._rng.choice(WARDS), self._bed())
        return self._say("A06", visit, now)

    # What these have in common.

    def _say(self, event: str, visit: Visit, now: datetime) -> Announced:
        return self._announcer.of_visit(event, visit, now)

    def _plan(self, turn: int, step: Step) -> None:
        heappush(self._planned, (turn, next(self._order), step))

    def _visit(self, person: Person, visit_class: str, unit: str, now: datetime, stay: Stay | None = None) -> Visit:
        return Visit(f"V{self._number()}", person, visit_class, unit, self._bed(), now, stay)

    def _anybody(self) -> Visit:
        return self._rng.choice(self._on_wards)

    def _number(self) -> str:
        return f"{self._run}{next(self._numbers):06d}"

    def _bed(self) -> str:
        return f"{self._rng.randrange(1, 30):02d}{self._rng.choice('AB')}"


def _of_patient(stay: Stay) -> tuple[str, date | None]:
    """Returns sex and birth date as messages have them."""
    born = stay.patient.get("birthDate", "")
    return _GENDERS.get(stay.patient.get("gender", ""), "U"), date.fromisoformat(born) if len(born) == 10 else None
