"""A run in; the runs before it that asked the same, read one by one for as long as they are needed, out.

These functions see ledgers; they never log.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pandas as pd

from wardround.adapters.run_folder import RunFolder, runs_before
from wardround.core.ledger import SCORED
from wardround.core.report.earlier import DRAWN, EarlierRuns, PassedOver, Point, RunBefore
from wardround.core.run_mode import mode_of
from wardround.settings import Settings
from wardround.workflows.run_inputs import kept_unknown

MOST_LOOKED_AT: Final = 100
"""So many earlier runs are opened, at most: other sources and other cohorts may lie between."""
_OF_STAYS: Final = ["stay_id", "unit", "outcome", "reason", "score", "band"]
UNREADABLE: Final = "its files cannot be read"


def earlier_runs(folder: RunFolder, request: Mapping[str, Any], settings: Settings) -> EarlierRuns:
    """What came before the run in `folder`, by prediction time: a report made again later compares with the same."""
    question = _question(folder, request)
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
    summary: Mapping[str, Any]

    @property
    def why_not(self) -> str:
        """Why nothing is compared with it; "" if it can be."""
        if not self.summary:
            return "it has not ended"
        if self.summary.get("retraction"):
            return "it was taken back"
        return "it is incomplete" if self.summary.get("complete") is False else ""

    def run_before(self) -> RunBefore:
        unknown, rows = kept_unknown(self.folder)
        ledger = self.folder.read_frame("ledger.parquet", _OF_STAYS)
        return RunBefore(self.as_of, self.model_version, ledger, unknown, rows)

    def point(self) -> Point:
        ledger = self.folder.read_frame("ledger.parquet", ["outcome", "band"])
        high = int(((ledger["outcome"] == SCORED) & (ledger["band"] == "high")).sum())
        return Point(self.as_of, len(ledger), high)


def _that_ask(question: Mapping[str, Any], names: Iterable[str], settings: Settings) -> Iterator[_Earlier]:
    """The runs, of these, that asked the same. A folder that is removed meanwhile, or is no run's, asked nothing."""
    for name in names:
        folder = RunFolder.of(settings.runs, name)
        try:
            request = folder.read_json("request.json")
            if _question(folder, request) != question:
                continue
            summary = folder.read_json("summary.json") if folder.exists("summary.json") else {}
            yield _Earlier(folder, pd.Timestamp(request["as_of"]), str(request["model_version"]), summary)
        except Exception:  # noqa: BLE001 - see earlier_runs
            continue


def _question(folder: RunFolder, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """What two runs have in common that can be compared; None for a run that never found its stays.

    None also for patients who were asked for by their ids: one run's are not another's who left.
    """
    if not folder.exists("census.json"):
        return None
    of = folder.read_json("census.json").get("of")
    if of and of.get("cohort", {}).get("kind") == "patients":
        return None
    return {"of": of, "writes": mode_of(request) == "live"}
