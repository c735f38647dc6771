"""Finds branches of the stream that ask a model at hours that it does not cover, where there is never a score."""

from datetime import timedelta
from typing import Final

from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.results.training_hours import TrainingHours
from wardround.spec.base import format_duration
from wardround.spec.branches import LIVE, Branch
from wardround.spec.conditions import Condition

_MESSAGE_LATE: Final = timedelta(minutes=15)
"""How long after the admission its message may well be received, from which the times of a branch are counted."""


def uncovered_times(condition: Condition, store: ModelStore, live: str | None) -> tuple[str, ...]:
    """Returns a sentence for each branch with such times; `live` is the condition's live version, if there is one.

    A branch whose model cannot be read is left out: `wardround check` says so of a live one.
    """
    found = []
    for branch in condition.stream.branches:
        version = live if branch.model == LIVE else branch.model
        covered = _covered(condition, store, version) if version else None
        if covered is not None and (sentence := _sentence(f"{condition.id}/{branch.id}", branch, version, covered)):
            found.append(sentence)
    return tuple(found)


def _covered(condition: Condition, store: ModelStore, version: str) -> TrainingHours | None:
    try:
        return store.card(condition.id, version).training_hours
    except ModelError:
        return None


def _sentence(name: str, branch: Branch, version: str | None, covered: TrainingHours) -> str:
    outside = [one for one in branch.at if not covered.first - _MESSAGE_LATE <= one <= covered.last]
    if not outside:
        return ""
    times = ", ".join(map(format_duration, outside))
    what = "there is never a score" if len(outside) == len(branch.at) else "there is no score then"
    return (
        f"{name}: asks at {times}, and its model {version} covers {format_duration(covered.first)} to"
        f" {format_duration(covered.last)} after admission to the unit: {what};"
        " correct `at`, or train for those hours (`wardround train --at`)"
    )
