"""What holds after any sequence of messages."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.adt.ward import EVERY, NOON, OF_SICU, WATCHES, Stream, adt, merge, swap, visit

from wardround.adt.admissions import Watch
from wardround.adt.known import Kind
from wardround.spec.branches import Branch

BRANCHES = WATCHES | {OF_SICU: Watch(Branch(id="sicu", units=("SICU",)), timedelta(hours=12))}
VISITS = st.sampled_from(["V1", "V2", "V3"])
PATIENTS = st.sampled_from(["P1", "P2", "P3"])
UNITS = st.sampled_from(["MICU", "SICU", "WARD7", ""])
MINUTES = st.integers(-90, 90)
EVENTS = st.sampled_from(["A01", "A02", "A03", "A04", "A06", "A07", "A08", "A11", "A12", "A13"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message of a ward in which numbers, times and units are mixed up."""
    when = NOON + timedelta(minutes=draw(MINUTES))
    recorded = when + timedelta(minutes=draw(st.integers(0, 60)))
    kind = draw(st.sampled_from(["moves", "moves", "moves", "merges", "renames", "swaps"]))
    if kind == "merges":
        return merge(draw(PATIENTS), draw(PATIENTS), draw(st.sampled_from(["A40", "A18", "A47"])), when)
    if kind == "renames":
        event = draw(st.sampled_from(["A42", "A45", "A50", "A06"]))
        return adt(
            event, draw(VISITS), draw(UNITS), of=draw(PATIENTS), when=when, merged=f"||||{draw(VISITS)}^^^VISITS"
        )
    if kind == "swaps":
        one = adt("A02", draw(VISITS), draw(UNITS), of=draw(PATIENTS), when=when)
        return swap(one, adt("A02", draw(VISITS), draw(UNITS), of=draw(PATIENTS), when=when))
    visit_class = draw(st.sampled_from(["I", "I", "I", "O", ""]))
    fields = {"when": when, "recorded": recorded, "visit_class": visit_class, "prior": draw(UNITS)}
    return adt(draw(EVENTS), draw(VISITS), draw(UNITS), of=draw(PATIENTS), **fields)


class Histories(RuleBasedStateMachine):
    """A stream that takes message after message, and what must be true of it at any time."""

    @initialize()
    def begin(self) -> None:
        self.stream, self.bodies = Stream(watches=BRANCHES), list[bytes]()

    @rule(body=messages())
    def a_message_comes(self, body: bytes) -> None:
        was = {number: one for number, one in self.stream.known.visits.items() if one}
        change = self.stream.take(body)
        self.bodies.append(body)
        for ending in change.endings:
            assert ending.request in {request for one in was.values() for request in one.requests}
        for admission in change.admissions:
            found = self.stream.known.visits[admission.visit.number]
            assert found is not None
            assert admission.request in found.requests
            assert found.is_open
            assert found.location.unit in (("SICU",) if admission.request.branch == OF_SICU else ("MICU", "SICU"))
            assert admission.request.message == len(self.bodies)

    @rule()
    def the_last_one_comes_again(self) -> None:
        """A repetition asks nobody anew and changes no state, whatever it is."""
        if not self.bodies:
            return
        before = self.places()
        change = self.stream.take(self.bodies[-1])
        self.bodies.append(self.bodies[-1])
        assert (change.admissions, self.places()) == ((), before)

    def places(self) -> dict:
        return {
            number: one and (one.location, one.visit_class, one.is_open)
            for number, one in self.stream.known.visits.items()
        }

    @invariant()
    def one_state_for_a_visit_under_the_number_that_remains(self) -> None:
        for number, one in self.stream.known.visits.items():
            if one is not None:
                assert one.number == number == self.stream.known.remaining(Kind.VISIT, number)

    @invariant()
    def numbers_lead_to_one_that_remains(self) -> None:
        for name, into in self.stream.known.aliases.items():
            last = self.stream.known.remaining(*name)
            assert into is None or self.stream.known.remaining(name.kind, into) == last
            assert self.stream.known.remaining(name.kind, last) == last

    @invariant()
    def a_request_is_made_once_and_for_a_branch_that_there_is(self) -> None:
        for one in self.stream.known.visits.values():
            if one is not None:
                assert len(one.requests) == len(set(one.requests))
                assert {request.branch for request in one.requests} <= {EVERY, OF_SICU}

    @invariant()
    def a_replay_gives_the_same(self) -> None:
        again = Stream(watches=BRANCHES)
        for body in self.bodies:
            again.take(body)
        assert again.changes == self.stream.changes
        assert again.known.visits == self.stream.known.visits


Histories.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = Histories.TestCase


@settings(max_examples=60, deadline=None)
@given(
    st.lists(messages(), max_size=8),
    st.lists(st.tuples(EVENTS, UNITS, MINUTES), max_size=8),
    st.randoms(use_true_random=False),
)
def test_what_happens_to_one_visit_does_not_depend_on_the_order_of_others(mixed, own, random) -> None:
    """V8 of P8 alone, and V8 among the messages of others."""
    mine = [adt(event, "V8", unit, of="P8", when=NOON + timedelta(minutes=at)) for event, unit, at in own]
    alone, among = Stream(watches=BRANCHES), Stream(watches=BRANCHES)
    alone.take(adt("A28"), *mine)
    places = sorted(random.sample(range(len(mine) + len(mixed)), len(mine)))
    order = list(mixed)
    for place, body in zip(places, mine, strict=True):
        order.insert(place, body)
    among.take(adt("A28"), *order)
    assert _facts(alone) == _facts(among)


def _facts(stream: Stream) -> tuple | None:
    found = stream.known.visits.get(visit("V8"))
    return found and (found.location, found.visit_class, found.is_open, found.event_time, found.cancelled)
