"""Chooses the runs that a rule no longer needs, and says which of these stay all the same.

The rule is `core.run_retention`; here it is asked about the runs of the store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from wardround.adapters.files.folder import Folder
from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.run_overview import RunName, RunOverview
from wardround.core.run_retention import IN_USE, Rule, Stays, left_to_do
from wardround.core.run_summary import Retraction
from wardround.settings import Settings
from wardround.training.decisions import What
from wardround.workflows.run_list import overviews, run_names
from wardround.workflows.stores import model_store

_DECIDED: tuple[What, ...] = ("promoted", "rejected", "unanswered")


@dataclass(frozen=True)
class Chosen:
    """The runs to remove, the earliest first, and those that stay though the rule no longer needs them: why."""

    remove: tuple[RunName, ...]
    stay: Mapping[RunName, Stays]


def choose(rule: Rule, condition: str | None, settings: Settings, now: datetime) -> Chosen:
    """Returns what a rule says about the runs of a condition, or of all; nothing is removed.

    Raises ModelError for a record of decisions that cannot be read.
    """
    names = [name for name in run_names(settings) if condition in (None, name.of_condition)]
    found = {one.run: one for one in overviews(names, settings)}
    judged = rule.judge(found.values())
    left = _left_to_do([found[run] for run, stays in judged.items() if stays is None], settings)
    remove, stay = [], {}
    for run, stays in judged.items():
        name = RunName.of(run)
        open_for = None if rule.is_open_too else left.get(run)
        why = stays or open_for or ("in_use" if is_in_use(name, settings, now) else None)
        if why:
            stay[name] = why
        else:
            remove.append(name)
    return Chosen(tuple(reversed(remove)), stay)


def is_in_use(name: RunName, settings: Settings, now: datetime) -> bool:
    """Returns whether something was written to a run so lately that somebody may still be working on it."""
    last = RunFolder.of(settings.runs, str(name)).last_written()
    return last is not None and now - last < IN_USE


def _left_to_do(runs: Sequence[RunOverview], settings: Settings) -> dict[str, Stays]:
    names = (run_files.RETRACTION, run_files.HISTORY_MISSING)
    contents = Folder(settings.runs).found_of(f"{one.run}/{name}" for one in runs for name in names)
    is_decided = _deciding(settings)
    found = {}
    for one in runs:
        retraction = contents.get(f"{one.run}/{run_files.RETRACTION}")
        left = left_to_do(
            one,
            retracting=retraction is not None and not Retraction.model_validate(orjson.loads(retraction)).complete,
            in_history=f"{one.run}/{run_files.HISTORY_MISSING}" not in contents,
            decided=one.state != "trained" or is_decided(one),
        )
        if left:
            found[one.run] = left
    return found


def _deciding(settings: Settings) -> Callable[[RunOverview], bool]:
    """Returns a function that says whether somebody has decided about a training's model; it reads each record once."""
    decided: dict[str, set[str]] = {}

    def is_decided(training: RunOverview) -> bool:
        if training.condition not in decided:
            decisions = model_store(settings).decisions(training.condition)
            decided[training.condition] = {one.version for one in decisions if one.what in _DECIDED}
        return training.model_version in decided[training.condition]

    return is_decided
