"""A run in; the runs before it that asked the same, read one by one for as long as they are needed, out.

These functions see ledgers; they never log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import orjson
import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, read_together, runs_before
from wardround.core import run_files
from wardround.core.expected_stays import Census, Question
from wardround.core.ledger import SCORED
from wardround.core.run_mode import mode_of
from wardround.core.run_summary import RunSummary
from wardround.report.earlier import DRAWN, EarlierRuns, PassedOver, Point, RunBefore
from wardround.settings import Settings
from wardround.workflows.run_inputs import kept_unknown

MOST_LOOKED_AT: Final = 100
"""So many earlier runs are opened, at most: other sources and other cohorts may lie between."""
_OF_STAYS: Final = ["stay_id", "unit", "outcome", "reason", "score", "band"]
_FILES: Final = (run_files.REQUEST, run_files.CENSUS, run_files.SUMMARY)
_AT_ONCE: Final = 12
UNREADABLE: Final = "its files cannot be read"


def earlier_runs(census: Census, request: Mapping[str, Any], settings: Settings) -> EarlierRuns:
    """What came before a run, by prediction time: a report that is made again later compares with the same.

    `census` and `request` are those of the run; the census says nothing for one that never found its stays.
    """
    question = _question(census, request)
    if question is None:
        return EarlierRuns()
    as_of = pd.Timestamp(request["as_of"])
    names = list(islice(runs_before(settings.runs, request["condition"], as_of), MOST_LOOKED_AT))
    before: RunBefore | None = None
    passed_over: list[PassedOver] = []
    points: dict[pd.Timestamp, Point] = {}
    for earlier in _that_ask(question, names, settings):
        if earlier.as_of in points:
            continue
        why_not = earlier.why_not
        if not why_not:
            try:
                before = before or earlier.run_before()
                points[earlier.as_of] = earlier.point()
            except Exception:  # noqa: BLE001 - what is wrong with an old run's files must not cost this one its report
                why_not = UNREADABLE
        if why_not and before is None:
            passed_over.append(PassedOver(earlier.as_of, why_not))
        if len(points) == DRAWN:
            break
    oldest_first = tuple(reversed(points.values()))
    return EarlierRuns(before, tuple(passed_over), oldest_first, exhausted=len(names) == MOST_LOOKED_AT)


@dataclass(frozen=True)
class _Earlier:
    """A run that asked the same, before anything else of it is read."""

    folder: RunFolder
    as_of: pd.Timestamp
    model_version: str
    summary: RunSummary

    @property
    def why_not(self) -> str:
        """Why nothing is compared with it; "" if it can be."""
        if not self.summary:
            return "it has not ended"
        if self.summary.retraction:
            return "it was taken back"
        return "" if self.summary.complete else "it is incomplete"

    def run_before(self) -> RunBefore:
        unknown, rows = kept_unknown(self.folder)
        ledger = self.folder.read_frame(run_files.LEDGER, _OF_STAYS)
        return RunBefore(self.as_of, self.model_version, ledger, unknown, rows)

    def point(self) -> Point:
        ledger = self.folder.read_frame(run_files.LEDGER, ["outcome", "band"])
        high = int(((ledger["outcome"] == SCORED) & (ledger["band"] == "high")).sum())
        return Point(self.as_of, len(ledger), high)


def _that_ask(question: tuple[Question, bool], names: Sequence[str], settings: Settings) -> Iterator[_Earlier]:
    """The runs, of these, that asked the same; some are read at a time, and no more once there are enough."""
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        contents = read_together(settings.runs, [f"{name}/{file}" for name in some for file in _FILES])
        for name in some:
            read = {file: contents[place] for file in _FILES if (place := f"{name}/{file}") in contents}
            earlier = _earlier(question, RunFolder.of(settings.runs, name), read)
            if earlier:
                yield earlier


def _earlier(question: tuple[Question, bool], folder: RunFolder, read: Mapping[str, bytes]) -> _Earlier | None:
    """A run, if it asked the same. A folder that is removed meanwhile, or is of another release, asked nothing."""
    try:
        request, census = orjson.loads(read[run_files.REQUEST]), Census.model_validate_json(read[run_files.CENSUS])
        if _question(census, request) != question:
            return None
        summary = RunSummary.model_validate_json(read.get(run_files.SUMMARY, b"{}"))
        return _Earlier(folder, pd.Timestamp(request["as_of"]), str(request["model_version"]), summary)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _question(census: Census, request: Mapping[str, Any]) -> tuple[Question, bool] | None:
    """What two runs have in common that can be compared, and whether they write; None where that is not known.

    None also for patients who were asked for by their ids.
    """
    if not census.of or census.of.names_patients:
        return None
    return census.of, mode_of(request) == "live"
