"""Finds the earlier runs with the same request as a run, and reads them one by one for as long as they are needed.

These functions see ledgers; they never log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import pandas as pd

from wardround.adapters.files.folder import Folder
from wardround.adapters.files.run_folder import RunFolder, runs_before
from wardround.core import run_files
from wardround.core.expected_stays import Census, Question
from wardround.core.ledger import SCORED
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening
from wardround.report.earlier import DRAWN, EarlierRuns, PassedOver, Point, RunBefore
from wardround.settings import Settings
from wardround.workflows.run_inputs import kept_unknown

_MOST_LOOKED_AT: Final = 100
"""At most this many earlier runs are opened: runs of other sources and cohorts may lie between."""
_OF_STAYS: Final = ["stay_id", "unit", "outcome", "reason", "score", "band"]
_FILES: Final = (run_files.REQUEST, run_files.CENSUS, run_files.SUMMARY)
_AT_ONCE: Final = 12
UNREADABLE: Final = "its files cannot be read"


def earlier_runs(census: Census, request: StoredScreening, settings: Settings) -> EarlierRuns:
    """Returns what came before a run by prediction time, so that a report made again later compares with the same runs.

    `census` and `request` are those of the run; the census is empty for a run that never found its stays.
    """
    question = _question(census, request)
    if question is None:
        return EarlierRuns()
    as_of = pd.Timestamp(request.as_of)
    names = list(islice(runs_before(settings.runs, request.condition, as_of), _MOST_LOOKED_AT))
    before: RunBefore | None = None
    passed_over: list[PassedOver] = []
    points: dict[pd.Timestamp, Point] = {}
    for earlier in _with_same_request(question, names, settings):
        if earlier.as_of in points:
            continue
        why_not = earlier.why_not
        if not why_not:
            try:
                before = before or earlier.run_before()
                points[earlier.as_of] = earlier.point()
            except Exception:  # noqa: BLE001 - a damaged old run must not cost this one its report
                why_not = UNREADABLE
        if why_not and before is None:
            passed_over.append(PassedOver(earlier.as_of, why_not))
        if len(points) == DRAWN:
            break
    oldest_first = tuple(reversed(points.values()))
    return EarlierRuns(before, tuple(passed_over), oldest_first, exhausted=len(names) == _MOST_LOOKED_AT)


@dataclass(frozen=True)
class _Earlier:
    """A run with the same request, of which nothing else has been read yet."""

    folder: RunFolder
    as_of: pd.Timestamp
    model_version: str
    summary: RunSummary

    @property
    def why_not(self) -> str:
        """Why it is not compared; "" if it can be."""
        if not self.summary:
            return "it has not ended"
        if self.summary.retraction:
            return "it was retracted"
        return "" if self.summary.complete else "it is incomplete"

    def run_before(self) -> RunBefore:
        unknown, rows = kept_unknown(self.folder)
        ledger = self.folder.read_frame(run_files.LEDGER, _OF_STAYS)
        return RunBefore(self.as_of, self.model_version, ledger, unknown, rows)

    def point(self) -> Point:
        ledger = self.folder.read_frame(run_files.LEDGER, ["outcome", "band"])
        high = int(((ledger["outcome"] == SCORED) & (ledger["band"] == "high")).sum())
        return Point(self.as_of, len(ledger), high)


def _with_same_request(question: tuple[Question, bool], names: Sequence[str], settings: Settings) -> Iterator[_Earlier]:
    """Yields the runs with the same request; runs are read a few at a time, and no more once there are enough."""
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        contents = Folder(settings.runs).found_of(f"{name}/{file}" for name in some for file in _FILES)
        for name in some:
            read = {file: contents[place] for file in _FILES if (place := f"{name}/{file}") in contents}
            earlier = _earlier(question, RunFolder.of(settings.runs, name), read)
            if earlier:
                yield earlier


def _earlier(question: tuple[Question, bool], folder: RunFolder, read: Mapping[str, bytes]) -> _Earlier | None:
    """Returns a run with the same request, else None; also None for a folder that is removed or of another release."""
    try:
        request = StoredScreening.model_validate_json(read[run_files.REQUEST])
        census = Census.model_validate_json(read[run_files.CENSUS])
        if _question(census, request) != question:
            return None
        summary = RunSummary.model_validate_json(read.get(run_files.SUMMARY, b"{}"))
        return _Earlier(folder, pd.Timestamp(request.as_of), request.model_version, summary)
    except (KeyError, ValueError):
        return None


def _question(census: Census, request: StoredScreening) -> tuple[Question, bool] | None:
    """Returns what two comparable runs have in common, and whether they write; None if that is not known.

    Also returns None for patients who were requested by their ids.
    """
    if not census.of or census.of.names_patients:
        return None
    return census.of, request.mode == "live"
