"""Compares a run's version with the live model on the run's test patients, and judges the promotion gates."""

from typing import Final, NamedTuple

from wardround.adapters.models.store import ModelStore
from wardround.core import run_files
from wardround.errors import ModelError, TrainingError
from wardround.evaluation.comparison import Comparison, Seen, ToJudge, compared, counted, judged
from wardround.evaluation.tallies import Scores
from wardround.results.bands import HIGH
from wardround.settings import Settings
from wardround.training.decisions import JUDGEMENTS
from wardround.training.labels import label_named
from wardround.training.model import ModelCard, ScoringModel
from wardround.workflows.stores import model_store
from wardround.workflows.train.run import Run, load_run, step_of
from wardround.workflows.train.seen import seen_by
from wardround.workflows.train.table import Rows, Table

GATES: Final = "promotion gates"


class _Live(NamedTuple):
    """The live version, and its model or the reason why it cannot be scored."""

    version: str | None
    model: ScoringModel | None
    not_scored: str | None


def compare(run: str, settings: Settings) -> Comparison:
    """Writes comparison.json, and records the verdict of the gates in the model store.

    Raises ModelError if the candidate cannot be loaded. A live model that cannot be scored is not an error: the
    comparison says why.
    """
    with step_of(run, "compare", settings) as step:
        opened = load_run(run, settings)
        store = model_store(settings)
        comparison = _comparison(opened, store, settings)
        opened.folder.write_json(run_files.COMPARISON, comparison.model_dump(mode="json"))
        store.keep_comparison(comparison)
        what = JUDGEMENTS[comparison.verdict]
        store.record(opened.condition.id, what, comparison.version, by=GATES, why=comparison.failed or comparison.said)
        step.name(version=comparison.version, gates=comparison.verdict, live=comparison.live or "none")
    return comparison


def comparison_of(run: Run) -> Comparison:
    """Returns the comparison that `compare` wrote."""
    return Comparison.model_validate(run.folder.read_json(run_files.COMPARISON))


def require_gates(comparison: Comparison) -> None:
    """Raises TrainingError, which says what to do, if a promotion gate failed."""
    if comparison.failed:
        version, condition = comparison.version, comparison.condition
        raise TrainingError(
            f"model {version} of {condition}: stored, but may not go live: {comparison.failed}; train again, or"
            f" `wardround model promote {condition} {version} --despite-gates --why TEXT`"
        )


def _comparison(run: Run, store: ModelStore, settings: Settings) -> Comparison:
    version = run.folder.read_json(run_files.VERSION)["version"]
    table, test = run.table, run.table.side(on_test=True)
    candidate, live = store.load(run.condition, version), _live(run, store, test)
    own = _scores(candidate, table)
    alone = ToJudge(compared(test.outcome, test.sample, own, None), counted(test.outcome, test.patients))
    common = _on_common_rows(test, own, live.model, table) if live.model else alone
    not_compared = live.not_scored or (None if live.model else "none is live")
    return Comparison(
        condition=run.condition.id,
        version=version,
        live=live.version,
        not_scored=live.not_scored,
        seen=_seen(live.model.card, test, candidate.card.data_digest, settings) if live.model else None,
        notes=_notes(candidate.card, live.model.card) if live.model else (),
        test=common.counts,
        metrics=common.metrics,
        gates=judged(alone, common, candidate.card.bands, not_compared, run.condition.promotion),
    )


def _on_common_rows(test: Rows, candidate: Scores, live: ScoringModel, table: Table) -> ToJudge:
    """Returns the figures of both on the hours that both cover; the table's rows are all at hours of the candidate."""
    both = test.covered_by(live.card.training_hours)
    rows = test.take(both)
    scores = (Scores(each.score[both], each.threshold) for each in (candidate, _scores(live, table)))
    counts = counted(rows.outcome, rows.patients, not_covered=int((~both).sum()))
    return ToJudge(compared(rows.outcome, rows.sample, *scores), counts)


def _live(run: Run, store: ModelStore, test: Rows) -> _Live:
    record = store.live(run.condition.id)
    if record is None:
        return _Live(None, None, None)
    try:
        model = store.load(run.condition, record.version)
        covered = test.covered_by(model.card.training_hours)
        if not covered.any():
            return _Live(record.version, None, "it covers none of the hours of these predictions")
        if not run.table.scored(model.can_score)[covered].all():
            return _Live(record.version, None, "it cannot score test patients who lack an input that it requires")
        model.predict(next(run.table.features()).head(1))
    except ModelError as error:
        return _Live(record.version, None, str(error))
    return _Live(record.version, model, None)


def _seen(live: ModelCard, test: Rows, data_digest: str, settings: Settings) -> Seen:
    return seen_by(live, test.take(test.covered_by(live.training_hours)).patients, data_digest, settings)


def _scores(model: ScoringModel, table: Table) -> Scores:
    return Scores(table.scored(model.predict), model.card.thresholds[HIGH])


def _notes(candidate: ModelCard, live: ModelCard) -> tuple[str, ...]:
    notes = []
    if _question(live) != _question(candidate):
        notes.append(
            f"The live model was trained for a different question ({_question(live)}); here it answers the candidate's."
        )
    return tuple(notes)


def _question(card: ModelCard) -> str:
    return f"{label_named(card.label)}, horizon {card.horizon}, {card.task.task if card.task else 'task not stated'}"
