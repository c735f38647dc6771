"""Merges: numbers of patients and visits that are others' from now on, and visits that move to another patient."""

from dataclasses import replace

from wardround.adt.admissions import Ending, Step, Why
from wardround.adt.known import Kind
from wardround.adt.numbers import Group, patient_of, prior_patient_of, renamed_in, visit_of
from wardround.adt.reading import Reading, Refused
from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier


def merges_patients(reading: Reading, group: Group) -> None:
    """MRG-1 is another number of PID-3. States stay as they are: they are kept by visit."""
    old, new = prior_patient_of(group, reading.feed), patient_of(group, reading.feed)
    if new is None:
        raise Refused("no_patient_number PID-3")
    if old is None:
        reading.remarks.append("no_known_number MRG-1")
    elif old == new:
        reading.remarks.append("merged_with_itself MRG-1")
    elif reading.draft.merge(Kind.PATIENT, old, new):
        reading.is_applied = True
    else:
        reading.remarks.append("merged_before MRG-1")


def merges_both(reading: Reading, group: Group) -> None:
    """Patient and account together."""
    merges_patients(reading, group)
    rename(reading, group)


def renames_visit(reading: Reading, group: Group) -> None:
    """A visit has another number, or another account that may be another patient's."""
    if not rename(reading, group):
        reading.remarks.append("no_known_number MRG")
    number = visit_of(group, reading.feed)
    before = reading.draft.visit(number) if number else None
    if before is not None and patient_of(group, reading.feed) is not None:
        after = reading.renewed(group, before)
        if reading.is_other(before, after):
            reading.keep(Step(before, after, is_other_patient=True))


def rename(reading: Reading, group: Group) -> bool:
    """Gives a visit its new number if the group names both; returns whether it does."""
    renamed = renamed_in(group, reading.feed)
    if renamed is None:
        return False
    old, new = renamed
    was, there = reading.draft.visit(old), reading.draft.visit(new)
    if old == new:
        reading.remarks.append("merged_with_itself MRG")
    elif not reading.draft.merge(Kind.VISIT, old, new):
        reading.remarks.append("merged_before MRG")
    else:
        reading.is_applied = True
        _carry(reading, was, there, reading.draft.remaining(Kind.VISIT, new))
    return True


def _carry(reading: Reading, was: Visit | None, there: Visit | None, number: Identifier) -> None:
    """Keeps one state of two that are one visit now: that of what happened last."""
    both = [one for one in (there, was) if one is not None]
    for one in both:
        if one.number != number:
            reading.draft.visits[one.number] = None
    if not both:
        return
    latest = max(both, key=lambda one: one.event_time)
    requests = tuple(request for one in both for request in one.requests)
    is_other = reading.is_other(was, there)
    if was and there and not is_other:
        asked = {one.branch for one in there.requests}
        twice = [one for one in was.requests if one.branch in asked]
        reading.end(Ending(one, Why.CANCELLED) for one in twice)
        requests = tuple(one for one in requests if one not in twice)
    lay = next((one for one in both if one.is_open), latest)
    reading.keep(Step(lay, replace(latest, number=number, requests=requests), is_other))
