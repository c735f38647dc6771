"""How many stays a run found, beside what the condition expects and the run before found: kept in census.json.

The stays that were found are patients whatever is wrong with their number: they are screened, and the run then ends
with CensusImplausible (see `require_complete`).
"""

from itertools import islice
from typing import Final

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, read_together, runs_before
from wardround.core import run_files
from wardround.core.expected_stays import Census, Question, RunBefore, doubt
from wardround.settings import Settings
from wardround.spec.base import format_duration
from wardround.workflows.screen.run import Run

COMPARED_WITHIN: Final = pd.Timedelta(days=7)
"""An older run says little about today's ward."""
READ_TOGETHER: Final = 25
"""Of so many earlier runs the census is read at a time, until one is found that asked the same. Between two rounds of a
ward there may be hundreds: of other sources, and of single patients who were asked for."""


def count_stays(opened: Run, found: int, settings: Settings) -> Census:
    """Writes census.json, and gives it: how many stays were found, what was expected, and whether that is in doubt."""
    cohort = opened.condition.cohort
    # Whoever asks for patients by their ids knows how many they are, and each of them is accounted for.
    asked_for = opened.cohort_source.kind == "patients"
    before = None if asked_for else _run_before(opened, settings)
    census = Census(
        of=_question(opened),
        found=found,
        at_least=cohort.at_least,
        may_fall_by=cohort.may_fall_by,
        before=before,
        doubt="" if asked_for or opened.request.accept_census else doubt(found, before, cohort),
    )
    opened.folder.write_json(run_files.CENSUS, census.as_json())
    return census


def census_of(folder: RunFolder) -> Census:
    """What `count_stays` wrote; it says nothing for a run that had no such file."""
    return Census.model_validate(folder.read_json_or(run_files.CENSUS, {}))


def _question(opened: Run) -> Question:
    request, condition = opened.request, opened.condition
    return Question(
        condition=request.condition,
        source=request.source,
        cohort=opened.cohort_source.model_dump(mode="json", exclude={"patients"}),
        look_back=format_duration(request.look_back or condition.cohort.look_back),
    )


def _run_before(opened: Run, settings: Settings) -> RunBefore | None:
    """The latest run as of an earlier time, within a week, that asked the same and whose census was not in doubt."""
    question = _question(opened)
    since = opened.as_of - COMPARED_WITHIN
    earlier = runs_before(settings.runs, opened.request.condition, opened.as_of, since)
    while some := list(islice(earlier, READ_TOGETHER)):
        held = read_together(settings.runs, [f"{run}/{run_files.CENSUS}" for run in some])
        for run in some:
            census = Census.model_validate_json(held.get(f"{run}/{run_files.CENSUS}", b"{}"))
            if census and census.of == question and not census.doubt:
                return RunBefore(run=run, found=census.found)
    return None
