"""Scores what was read once more, from the stored readings alone, and compares it with what was said then.

It needs no FHIR server, writes nothing, and tells nobody. With the model that was live then, every score must be equal
to the last bit; with another one, the comparison shows what it would have said. It sees patient values; it never logs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, select

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.models.store import ModelStore
from wardround.adapters.queue.erasing import ERASED
from wardround.adapters.queue.message import DONE
from wardround.adapters.queue.portions import in_portions
from wardround.adapters.queue.queue import Queue
from wardround.results.alert_policy import Verdict, verdict
from wardround.spec.branches import LIVE
from wardround.stream.asking import ASKED_AGAIN
from wardround.stream.bodies import Scored, for_record, stay_in
from wardround.stream.branches import Way
from wardround.stream.models import Model, StoredModels
from wardround.stream.policies import policy_of
from wardround.stream.predict import INDETERMINATE, SHADOW
from wardround.stream.scoring import Outcome, ToScore, score_together
from wardround.stream.stored_readings import of_parquet
from wardround.stream.visit_keys import visit_in
from wardround.training.decisions import standing

_TOGETHER: Final = 64
_SCORED: Final = (DONE, SHADOW, ASKED_AGAIN, INDETERMINATE)
_MESSAGE: Final = STREAM_MESSAGE.c
_Row = Any  # of the columns that a query names


class Span(NamedTuple):
    """What is played back: messages received from `start` to before `end`, of these branches, or of all."""

    start: datetime
    end: datetime
    branches: tuple[str, ...] = ()


class Said(NamedTuple):
    """What a model said of a stay: a score and its band, or why none; and the SHA-256 of the columns, if known.

    Of a score also what was told with it: its reasons, the inputs that were missing, and what it rests on.
    """

    score: float | None
    band: str
    why: str
    digest: str
    told: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Replayed:
    """One prediction, as it was said then and as it is said now.

    Attributes:
        branch: of it.
        then: None if the score's own body is no longer stored.
        version: of the model that says it now.
        alerts_now: whether people would be told of it, apart from lock-outs.
    """

    branch: str
    then: Said | None
    now: Said
    version: str
    alerts_now: bool

    @property
    def is_same(self) -> bool:
        """Returns whether both say the same to the last bit, as far as it is stored."""
        then = self.then
        if then is None:
            return False
        same_digest = then.digest in ("", self.now.digest)
        return then._replace(digest="") == self.now._replace(digest="") and same_digest


class Gone(NamedTuple):
    """A prediction whose readings are no longer stored, because they were erased or are old, or of no branch now."""

    branch: str
    is_erased: bool = False


def replayed(
    queue: Queue, ways: Mapping[str, Way], store: ModelStore, span: Span, version: str | None = None
) -> Iterator[Replayed | Gone]:
    """Yields each prediction of a span, in order of the messages.

    Args:
        queue: of what is live, which is only read.
        ways: the branches as they are now; features come from the conditions as they are now.
        store: the model store.
        span: what is played back.
        version: a stored model of the condition, instead of the one that said it then.

    Raises ModelError for a model that cannot be used today; StorageError or DatabaseError.
    """
    models = _Models(store, version)
    for rows in in_portions(queue, _asked(queue, span), _TOGETHER):
        known = [row for row in rows if row.body is not None and row.branch in ways]
        gone = (row for row in rows if row.body is None or row.branch not in ways)
        yield from (Gone(row.branch, row.reason == ERASED) for row in gone)
        then = _scores_then(queue, known)
        asked = [(row, models.of(ways[row.branch], row, then.get(row.seq))) for row in known]
        for (branch, _), some in groupby(asked, key=lambda pair: (pair[0].branch, pair[1].version)):
            yield from _portion(list(some), ways[branch], then)


def _portion(asked: Sequence[tuple[_Row, Model]], way: Way, then: Mapping[int, Scored]) -> Iterator[Replayed]:
    read = [stay_in(row.body) for row, _ in asked]
    to_score = [ToScore(one.of, of_parquet(one.readings), row.as_of) for one, (row, _) in zip(read, asked, strict=True)]
    model = asked[0][1]
    for (row, _), outcome in zip(asked, score_together(to_score, model.scoring), strict=True):
        now = _said(outcome)
        before = _said_then(row, then.get(row.seq), now)
        yield Replayed(way.name, before, now, model.version, _alerts(now, way, row.as_of))


def _said(outcome: Outcome) -> Said:
    explained, stated = outcome.explained, outcome.explained.stated
    told = () if stated.score is None else (explained.reasons, explained.missing, outcome.basis)
    return Said(stated.score, stated.band, stated.why, outcome.digest, told)


def _said_then(row: _Row, scored: Scored | None, now: Said) -> Said | None:
    if scored is not None:
        told = (scored.reasons, scored.missing, scored.basis)
        return Said(scored.score, scored.band, "", scored.digest, told)
    if row.outcome in (ASKED_AGAIN, INDETERMINATE):
        return Said(None, INDETERMINATE, row.reason, "")
    # Of a shadow's score, only the band was kept.
    return now._replace(band=row.reason, digest="") if row.outcome == SHADOW else None


def _alerts(said: Said, way: Way, as_of: datetime) -> bool:
    return verdict(said.score, said.band, as_of, policy_of(way), None, as_of) is Verdict.NOTIFY


def _asked(queue: Queue, span: Span) -> Select[Any]:
    """Returns what asks for the messages of the span that were scored."""
    asked = (
        select(
            *(_MESSAGE[name] for name in ("seq", "key", "branch", "origin", "as_of", "outcome", "reason", "ended")),
            STREAM_BODY.c.body,
        )
        .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq, isouter=True)
        .where(
            _MESSAGE.run == queue.run,
            _MESSAGE.stage == "predict",
            _MESSAGE.received >= span.start,
            _MESSAGE.received < span.end,
            _MESSAGE.outcome.in_(_SCORED),
        )
    )
    return asked.where(_MESSAGE.branch.in_(span.branches)) if span.branches else asked


def _scores_then(queue: Queue, rows: Sequence[_Row]) -> dict[int, Scored]:
    """Returns what was put for the record of these messages, by their `seq`."""
    seq_of = {(row.origin, row.branch, visit_in(row.key), row.as_of): row.seq for row in rows}
    asked = (
        select(_MESSAGE.origin, _MESSAGE.branch, _MESSAGE.key, _MESSAGE.as_of, STREAM_BODY.c.body)
        .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq)
        .where(
            _MESSAGE.run == queue.run,
            _MESSAGE.stage == "notify",
            _MESSAGE.origin.in_({row.origin for row in rows}),
            _MESSAGE.as_of.is_not(None),
        )
    )
    found = {}
    with queue.database.reading() as connection:
        for origin, branch, key, as_of, body in connection.execute(asked):
            what = for_record(body)
            if isinstance(what, Scored) and (seq := seq_of.get((origin, branch, key, as_of))):
                found[seq] = what
    return found


class _Models:
    """The models of a replay: the version that was asked for, or the one that scored then."""

    def __init__(self, store: ModelStore, version: str | None) -> None:
        self._store = store
        self._version = version
        self._stored = StoredModels(store)

    def of(self, way: Way, row: _Row, then: Scored | None) -> Model:
        version = self._version or (then.model_version if then else self._live_at(way, row.ended))
        return self._stored.of(way.condition, version)

    def _live_at(self, way: Way, when: datetime) -> str:
        if way.branch.model != LIVE:
            return way.branch.model
        decisions = [one for one in self._store.decisions(way.condition.id) if one.when <= when]
        return standing(decisions).version or self._store.live_version(way.condition.id)
