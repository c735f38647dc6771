"""Who was newly admitted, and whose request is over: by comparing a visit before and after a message, per branch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from wardround.adt.feed import Feed
from wardround.adt.visit import Location, Request, Visit
from wardround.spec.branches import Branch

FACILITY_MARK: Final = "^^^"  # as PV1-3 writes it: point of care ^ room ^ bed ^ facility


@dataclass(frozen=True)
class Watch:
    """A branch, and how long after a score its condition does not ask again about one who only came back."""

    branch: Branch
    lock_out: timedelta


Watches = Mapping[str, Watch]
"""By "<condition>/<branch id>"."""


class Why(StrEnum):
    """Why a request ends before it is scored, which is also its outcome in the queue."""

    CANCELLED = "cancelled"
    DISCHARGED = "discharged"


@dataclass(frozen=True)
class Admission:
    """A branch is to score a visit that was newly admitted."""

    request: Request
    visit: Visit


class Ending(NamedTuple):
    """A request is over. One that was taken back must also be taken out of the record if it was written there."""

    request: Request
    why: Why
    is_taken_back: bool = False


@dataclass(frozen=True)
class Step:
    """What one group of a message did to one visit, for the comparison.

    Attributes:
        before: the state before; None if nothing is known.
        after: the state after, without requests for what this step admits.
        is_other_patient: the visit is another patient's than was known.
        cancels: something was taken back: what it asked for is `cancelled`, and who comes back by it is asked about
            again only after the lock-out.
        cancels_all: the admission itself was taken back.
        only_recorded: nobody is admitted by it: a visit that an update was the first to name.
    """

    before: Visit | None
    after: Visit
    is_other_patient: bool = False
    cancels: bool = False
    cancels_all: bool = False
    only_recorded: bool = False


class Asked(NamedTuple):
    """What a step asks for and ends; `visit` has the requests that remain. `is_locked_out`: one was not asked again."""

    visit: Visit
    admissions: tuple[Admission, ...]
    endings: tuple[Ending, ...]
    is_locked_out: bool


def is_watched(location: Location, visit_class: str, feed: Feed) -> bool:
    """Returns whether a visit of this class in this unit is one of those that the feed watches."""
    is_wanted = not feed.classes or visit_class in feed.classes
    return is_wanted and any(name in feed.watched for name in unit_names(location))


def asked(
    step: Step, feed: Feed, watches: Watches, message: int, at: datetime, scores: Mapping[tuple[int, str], datetime]
) -> Asked:
    """Returns what a step means for each branch. `at` is the receipt of the message, `message` its number."""
    admissions, endings = list[Admission](), list[Ending]()
    requests, is_locked_out = list(step.after.requests), False
    if step.is_other_patient or step.cancels_all:
        endings += [Ending(one, Why.CANCELLED, True) for one in requests]
        requests.clear()
    for name, watch in watches.items():
        was = step.before is not None and not step.is_other_patient and _lies(step.before, feed, watch)
        is_there = _lies(step.after, feed, watch)
        if is_there and not was and not step.only_recorded:
            if step.cancels and _scored_since(at - watch.lock_out, name, requests, scores):
                is_locked_out = True
                continue
            request = Request(name, message, step.after.number)
            admissions.append(Admission(request, step.after))
            requests.append(request)
        elif was and not is_there:
            latest = [one for one in requests if one.branch == name][-1:]
            endings += [Ending(one, Why.CANCELLED if step.cancels else Why.DISCHARGED, step.cancels) for one in latest]
            if step.cancels:
                requests = [one for one in requests if one not in latest]
    return Asked(replace(step.after, requests=tuple(requests)), tuple(admissions), tuple(endings), is_locked_out)


def _lies(visit: Visit, feed: Feed, watch: Watch) -> bool:
    if not visit.is_open or not is_watched(visit.location, visit.visit_class, feed):
        return False
    return wants(watch.branch, visit)


def wants(branch: Branch, visit: Visit) -> bool:
    """Returns whether a branch is about visits like this one, by its unit and class."""
    return any(branch.takes(name, visit.visit_class) for name in unit_names(visit.location))


def unit_names(location: Location) -> tuple[str, ...]:
    """Returns the names that settings may use for a unit: alone, or with its facility."""
    return (location.unit, f"{location.unit}{FACILITY_MARK}{location.facility}") if location.unit else ()


def _scored_since(
    since: datetime, branch: str, requests: Iterable[Request], scores: Mapping[tuple[int, str], datetime]
) -> bool:
    found = (scores.get((one.message, one.branch)) for one in requests if one.branch == branch)
    return any(as_of > since for as_of in found if as_of is not None)
