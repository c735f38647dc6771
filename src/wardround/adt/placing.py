"""Events that say where a visit lies: admissions, transfers, corrections, discharges, and their cancellations."""

from dataclasses import replace

from wardround.adt.admissions import Step
from wardround.adt.effects import WENT_ON_BEFORE
from wardround.adt.merging import rename
from wardround.adt.numbers import Group
from wardround.adt.reading import Reading, is_filled, location_in
from wardround.adt.visit import Visit


def places(reading: Reading, group: Group) -> None:
    """The visit lies where PV1-3 says, and goes on. A06 and A07 may give it another number, too."""
    rename(reading, group)
    before = reading.before(group)
    if before is not None and reading.is_older(before):
        return
    location, visit_class = reading.placed(group, before)
    after = reading.now(group, before, location, visit_class, is_open=True)
    reading.keep(Step(before or _stand_in(reading, group, after), after, reading.is_other(before, after)))


def corrects(reading: Reading, group: Group) -> None:
    """An update: unit and class are as it says; whether the visit goes on, it does not say."""
    before = reading.before(group)
    if before is None:
        _records(reading, group)
        return
    location, visit_class = reading.placed(group, before)
    if (location, visit_class) != (before.location, before.visit_class):
        after = reading.now(group, before, location, visit_class, before.is_open)
    else:
        # What only confirms a state does not make it younger: a transfer that is entered afterwards still counts.
        after = reading.renewed(group, before)
    if after == replace(before, patient=after.patient, message=after.message) and not reading.is_other(before, after):
        reading.is_applied = True
    elif not reading.is_older(before):
        reading.keep(Step(before, after, reading.is_other(before, after)))


def _records(reading: Reading, group: Group) -> None:
    """Keeps a visit that an update is the first to name: a restart must not flag a whole ward."""
    reading.remarks.append("first_seen_by_update PV1-19")
    location, visit_class = reading.placed(group, None)
    is_over = is_filled(group.pv1, 45)  # discharged: coding goes on for weeks
    after = reading.now(group, None, location, visit_class, not is_over)
    reading.keep(Step(None, after, only_recorded=not reading.feed.flag_first_seen))


def closes(reading: Reading, group: Group) -> None:
    """The visit is over. It stays known, with its last unit, so that nothing older opens it again."""
    before = reading.before(group)
    if before is not None and reading.is_older(before):
        return
    location, visit_class = (before.location, before.visit_class) if before else reading.placed(group, None)
    after = reading.now(group, before, location, visit_class, is_open=False)
    reading.keep(Step(before, after, reading.is_other(before, after)))


def cancels_admission(reading: Reading, group: Group) -> None:
    """The visit never began."""
    before = reading.before(group)
    if before is not None and reading.is_older_cancellation(before):
        return
    location, visit_class = (before.location, before.visit_class) if before else reading.placed(group, None)
    after = _taken_back(reading, before, reading.now(group, before, location, visit_class, is_open=False))
    reading.keep(Step(before, after, reading.is_other(before, after), cancels=True, cancels_all=True))


def cancels_transfer(reading: Reading, group: Group) -> None:
    """The visit lies where PV1-3 says, which is where it lay before."""
    before = reading.before(group)
    if before is not None and reading.is_older_cancellation(before):
        return
    location, visit_class = reading.placed(group, before)
    is_open = before.is_open if before else True
    after = _taken_back(reading, before, reading.now(group, before, location, visit_class, is_open))
    lay = before or _stand_in(reading, group, after)
    reading.keep(Step(lay, after, reading.is_other(before, after), cancels=True))


def cancels_discharge(reading: Reading, group: Group) -> None:
    """The visit goes on, where PV1-3 says."""
    before = reading.before(group)
    if before is not None and reading.is_older_cancellation(before):
        return
    location, visit_class = reading.placed(group, before)
    after = _taken_back(reading, before, reading.now(group, before, location, visit_class, is_open=True))
    reading.keep(Step(before, after, reading.is_other(before, after), cancels=True))


def _taken_back(reading: Reading, before: Visit | None, after: Visit) -> Visit:
    """Returns a state after a cancellation, which says nothing of when the visit came to where it is."""
    return replace(after, event_time=before.event_time if before else reading.recorded, cancelled=reading.recorded)


def _stand_in(reading: Reading, group: Group, after: Visit) -> Visit | None:
    """Returns a state from PV1-6, for a visit that went on before and of which nothing is known."""
    if reading.message.event not in WENT_ON_BEFORE or not is_filled(group.pv1, 6):
        return None
    return replace(after, location=location_in(group.pv1, 6), is_open=True)
