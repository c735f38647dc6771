"""Sums up a run from its small files, for lists of runs: what it was, how it ended, its counts. Names no patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from wardround.core import run_files
from wardround.core.expected_stays import Census, doubt_in_words
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening, StoredTraining

Kind = Literal["screening", "training"]
State = Literal["complete", "incomplete", "in_doubt", "stopped", "unfinished", "taken_back", "unreadable", "trained"]

STATES: Final[dict[State, str]] = {
    "complete": "complete",
    "incomplete": "incomplete",
    "in_doubt": "too few stays",
    "stopped": "stopped by data validation",
    "unfinished": "not finished",
    "taken_back": "retracted",
    "unreadable": "cannot be read",
    "trained": "model stored",
}
FILES: Final = (
    run_files.REQUEST,
    run_files.SUMMARY,
    run_files.CENSUS,
    run_files.CONDITION,
    run_files.QUALITY,
    run_files.RETRACTION,
    run_files.of_step("find_stays"),
    run_files.of_step("reconcile"),
    run_files.VERSION,
)
"""The files that `overview` reads, where they exist. None of them grows with the amount of data that the run read."""

TRAINING: Final = "train_"
"""The prefix of a training's name, before its condition."""


class RunName(NamedTuple):
    """The parts of a run's name. They serve to sort and filter runs; the run's files are authoritative."""

    condition: str
    as_of: str
    key: str

    @classmethod
    def of(cls, run: str) -> "RunName":
        return cls(*run.rsplit("-", 2))

    @property
    def kind(self) -> Kind:
        return "training" if self.condition.startswith(TRAINING) else "screening"

    @property
    def of_condition(self) -> str:
        """Returns the condition's id; also for a training."""
        return self.condition.removeprefix(TRAINING)

    @property
    def time(self) -> datetime:
        """Returns the prediction time, or when the training began, to the second."""
        return datetime.strptime(self.as_of, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    def __str__(self) -> str:
        return "-".join(self)


@dataclass(frozen=True)
class RunOverview:
    """One run, as a list shows it.

    Attributes:
        run: the name of the run.
        title: the title of the condition when the run was opened.
        source: the name of the connection, or the URL of the server; empty for a training.
        further_source: the name of the connection again, if a separate DAG screens the condition there.
        as_of: the prediction time, or when the training began; None if it cannot be read.
        mode: live or shadow; empty for a training.
        counts: COUNTS of `core.run_summary`; empty while there is no summary.
        model_version: the version that the run scored with or, for a training, stored.
        began: when its first step began.
        ended: when its last step ended; None while the run is under way, or if it was stopped.
        doubt: why the low number of stays may be due to a wrong setting, in words.
    """

    run: str
    kind: Kind
    condition: str
    state: State
    title: str = ""
    source: str = ""
    further_source: str = ""
    as_of: datetime | None = None
    mode: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    model_version: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    doubt: str = ""


def overview(run: str, request: StoredScreening | StoredTraining, files: Mapping[str, Any], source: str) -> RunOverview:
    """Returns the run's overview from its request and the content of FILES.

    `source` names the server that it read, without a secret.
    """
    if isinstance(request, StoredTraining):
        stored = files.get(run_files.VERSION, {})
        return RunOverview(
            run=run,
            kind="training",
            condition=request.condition,
            state="trained" if stored else "unfinished",
            as_of=request.created,
            model_version=stored.get("version", ""),
        )
    condition = files.get(run_files.CONDITION, {})
    summary = RunSummary.model_validate(files.get(run_files.SUMMARY, {}))
    census = Census.model_validate(files.get(run_files.CENSUS, {}))
    return RunOverview(
        run=run,
        kind="screening",
        condition=request.condition,
        state=_state(summary, census, files),
        title=condition.get("title", RunName.of(run).condition),
        source=source,
        further_source=source if source in condition.get("sources", ())[1:] else "",
        as_of=request.as_of,
        mode=request.mode or "",
        counts=summary.counts,
        model_version=request.model_version,
        began=_time(files.get(run_files.of_step("find_stays"), {}).get("began")),
        ended=_time(files.get(run_files.of_step("reconcile"), {}).get("ended")),
        doubt=doubt_in_words(census),
    )


def unreadable(run: str) -> RunOverview:
    """Returns the overview of a run whose files this release cannot read."""
    name = RunName.of(run)
    return RunOverview(run=run, kind=name.kind, condition=name.of_condition, state="unreadable")


def _state(summary: RunSummary, census: Census, files: Mapping[str, Any]) -> State:
    if run_files.RETRACTION in files:
        return "taken_back"
    if not summary:
        return "stopped" if _broke_the_suite(files) else "unfinished"
    if not summary.complete:
        return "incomplete"
    return "in_doubt" if doubt_in_words(census) else "complete"


def _broke_the_suite(files: Mapping[str, Any]) -> bool:
    quality = files.get(run_files.QUALITY)
    if not quality or not quality["rows"]:
        return False
    return bool(quality["set_aside"] / quality["rows"] > files[run_files.CONDITION]["quality"]["max_set_aside"])


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
