"""The model store: the versions of each condition's models (`versions.py`), and the decisions on them.

<root>/<condition>/decisions.jsonl  who decided what about which version, when and why; it decides what is live
<root>/<condition>/live.json        the version in use and the one before it, for other programs to read

A decision is made once its line is in decisions.jsonl. live.json follows; if a killed process left it outdated, or it
is missing, the next reader repairs it.

The store is a folder, which several machines may share through NFS, or lies in object storage. There the locks are
those of Wardround's own database, without which nothing can be decided or saved; scoring needs the store alone.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from wardround.adapters.files.folder import Folder
from wardround.adapters.models.decisions import DECISIONS, DecisionRecord
from wardround.adapters.models.files import Changes
from wardround.adapters.models.live_record import LiveRecord, accept, doubts, lags, write_live
from wardround.adapters.models.version_record import VERSIONS
from wardround.adapters.models.versions import ModelVersions
from wardround.errors import ConditionSuspended, DatabaseError, ModelError, StorageError
from wardround.evaluation.comparison import Comparison
from wardround.spec.conditions import Condition
from wardround.training.decisions import Decision, Standing, What, is_repeat, standing
from wardround.training.model import ScoringModel

_LOG = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ModelStore(ModelVersions):
    """The stored versions and the decisions on them; `clock` gives the time of a decision."""

    clock: Callable[[], datetime] = _now

    def conditions(self) -> tuple[str, ...]:
        """Returns the ids of all conditions with a recorded version or decision, sorted."""
        names = (name.split("/") for name in Folder(str(self.root)).list())
        return tuple(sorted({parts[0] for parts in names if parts[1:] in ([VERSIONS], [DECISIONS])}))

    def live(self, condition_id: str) -> LiveRecord | None:
        """Returns what is in use; None if nothing is."""
        if lags(self._files(condition_id), self._read(condition_id)):
            # A process that may only read the store, or cannot lock it now, relies on the decisions.
            with suppress(StorageError, DatabaseError), self._alone(condition_id):
                pass
        return LiveRecord.of(self._read(condition_id))

    def standing(self, condition_id: str) -> Standing:
        """Returns what is live, what was withdrawn and what the gates said, according to all decisions."""
        return standing(self.decisions(condition_id))

    def require_active(self, condition_id: str) -> None:
        """Raises ConditionSuspended if the condition is switched off: every entry point checks this before computing.

        The message says who did it and when. The reason is shown by `wardround model list`: what a person wrote does
        not belong in a log.
        """
        suspended = self.standing(condition_id).suspended
        if suspended:
            raise ConditionSuspended(
                f"{condition_id}: suspended by {' '.join(suspended.by.split())} since"
                f" {suspended.when:%Y-%m-%dT%H:%M:%SZ}, expected an active condition; `wardround model list"
                f" {condition_id}` says why, `wardround model resume {condition_id} --why TEXT` ends it"
            )

    def live_version(self, condition_id: str) -> str:
        """Returns the version in use; raises ModelError, saying what to do, if there is none."""
        live = self.live(condition_id)
        if live is None:
            raise ModelError(f"{self.root}, {condition_id}: no model is live; {self._way_to_live(condition_id)}")
        return live.version

    def _way_to_live(self, condition_id: str) -> str:
        """Returns what to do if nothing is live."""
        if stored := self.versions(condition_id):
            promote = f"`wardround model promote {condition_id} VERSION --why TEXT`"
            return f"promote one with {promote}; stored versions: {', '.join(stored)}"
        return (
            f"train one with `wardround train {condition_id} --mimic DIR`,"
            " with MIMIC-IV or with what `wardround simulate --stays 1000 --seed 1 --out DIR` writes to"
            " DIR/mimic; or rehearse with the demo's model: `wardround screen … --mode shadow --demo-model`,"
            " after `make demo`"
        )

    def load(self, condition: Condition, version: str | None = None) -> ScoringModel:
        """Returns the requested version, or the live one.

        Raises:
            ModelError: there is none, or it cannot be used (see `model`).
        """
        return self.model(condition, version or self.live_version(condition.id))

    def promote(
        self,
        condition: Condition,
        version: str,
        by: str,
        why: str,
        despite_gates: bool = False,
        compared: Comparison | None = None,
    ) -> LiveRecord:
        """Makes a version live and records who decided so and why. If it is already live, nothing changes.

        Args:
            compared: the comparison that the decision is based on; a version that went live since is not replaced.

        Raises:
            ModelError: the version cannot be used today (see `load`); no reason is given; a promotion gate failed and
                is not overridden; or the version was compared with another one than is live now.
        """
        # A version that cannot score must not go live: files, digests, spec and library are checked as for a screening.
        self.load(condition, version)
        with self._alone(condition.id) as deciding:
            now = deciding.standing
            if now.version == version:
                return deciding.live()
            if compared and compared.live != now.version:
                raise ModelError(
                    f"model {version} of {condition.id}: compared with {compared.live or 'nothing'}, but"
                    f" {now.version or 'nothing'} is live now; compare again (in Airflow clear the task compare)"
                )
            failed = now.verdict(version) == "failed"
            if failed and not despite_gates:
                raise ModelError(
                    f"model {version} of {condition.id}: a promotion gate failed ({now.judged[version].why});"
                    " train again, or promote it despite its gates (--despite-gates) and say why"
                )
            deciding.append(self._decision(by, "promoted", version, now, why, failed))
            return deciding.live()

    def rollback(self, condition: Condition, by: str, why: str) -> LiveRecord:
        """Makes the previously live version live again, and marks the current one as withdrawn.

        Doing it again changes nothing: if two people go back at once, or a task is repeated, it goes back once. To go
        back further, use `promote` with a version. Versions that were withdrawn earlier are skipped.

        Raises ModelError if no version that was not withdrawn was live before, and as `promote`.
        """
        with self._alone(condition.id) as deciding:
            now = deciding.standing
            if now.live and now.live.what == "rolled_back":
                return deciding.live()
            if now.previous is None:
                raise ModelError(
                    f"model store, {condition.id}: no version was live before this one,"
                    " or all were withdrawn; promote the one you want by name"
                )
            self.load(condition, now.previous)
            deciding.append(self._decision(by, "rolled_back", now.previous, now, why))
            return deciding.live()

    def suspend(self, condition_id: str, by: str, why: str) -> Decision:
        """Switches a condition off; returns the decision that did so, an earlier one if it was off already."""
        with self._alone(condition_id) as deciding:
            now = deciding.standing
            deciding.append_new(self._decision(by, "suspended", "", now, why))
            return now.suspended or deciding.record.decisions[-1]

    def resume(self, condition_id: str, by: str, why: str) -> Decision | None:
        """Switches a condition on again; returns the decision that had switched it off, None if none had."""
        with self._alone(condition_id) as deciding:
            now = deciding.standing
            decision = self._decision(by, "resumed", "", now, why)
            if now.suspended:
                deciding.append(decision)
            return now.suspended

    def challenge(
        self, condition: Condition, version: str, by: str, why: str, until: datetime | None = None
    ) -> Decision:
        """Has screenings before `until` score a stored version beside the live one, replacing an earlier challenger.

        Raises ModelError if it cannot be scored today (see `load`), if it is live itself, if nothing is live, or if
        `until` is past.
        """
        self.load(condition, version)
        self.live_version(condition.id)
        with self._alone(condition.id) as deciding:
            now = deciding.standing
            if now.version == version:
                raise ModelError(
                    f"model {version} of {condition.id}: is the live version,"
                    " expected another one to score beside it; name another"
                )
            if until and until <= self.clock():
                raise ModelError(
                    f"model {version} of {condition.id}: the day {until:%Y-%m-%d} is over; give a later one"
                )
            decision = self._decision(by, "challenged", version, now, why).model_copy(update={"until": until})
            deciding.append_new(decision)
            return decision

    def end_challenge(self, condition_id: str, by: str, why: str) -> Decision | None:
        """Ends the challenge; returns the decision that it began with, None if there was none."""
        with self._alone(condition_id) as deciding:
            now = deciding.standing
            if now.challenge:
                deciding.append(self._decision(by, "challenge_ended", now.challenge.version, now, why))
            return now.challenge

    def record(self, condition_id: str, what: What, version: str, by: str, why: str) -> None:
        """Records a decision that does not change what is live; repeated with nothing in between, it is recorded once.

        An Airflow task may run a second time, and its question may then be answered a second time.
        """
        with self._alone(condition_id) as deciding:
            deciding.append_new(self._decision(by, what, version, deciding.standing, why))

    def accept_record(self, condition_id: str, by: str, why: str) -> Standing:
        """Accepts the record as it is, whatever was changed in it, as the new baseline; returns what it says."""
        with self._alone(condition_id) as deciding:
            decision = self._decision(by, "record_accepted", "", deciding.standing, why)
            # Repeated for a record that was changed since, it is another decision.
            if self.doubts(condition_id) or not is_repeat(decision, deciding.record.decisions):
                deciding.append(decision)
            accept(deciding.changes)
            return deciding.standing

    def decisions(self, condition_id: str) -> tuple[Decision, ...]:
        """Returns every decision about the condition's models, oldest first."""
        return self._read(condition_id).decisions

    def head(self, condition_id: str) -> str:
        """Returns the SHA-256 of the decisions so far."""
        return self._read(condition_id).head

    def once_was(self, condition_id: str, head: str) -> bool:
        """Returns whether the decisions begin with those that had this SHA-256."""
        return self._read(condition_id).once_was(head)

    def doubts(self, condition_id: str) -> str | None:
        """Returns why, and where, the decisions may not be the original ones; None if every line is as written."""
        try:
            return doubts(self._files(condition_id), self._read(condition_id))
        except ModelError as error:  # a line that cannot be read at all
            return str(error)

    @contextmanager
    def _alone(self, condition_id: str) -> Iterator["_Deciding"]:
        """Holds the condition's lock; live.json matches the decisions when this begins and when it ends."""
        with self._files(condition_id).alone(self.database) as changes:
            deciding = _Deciding(changes, self._read(condition_id))
            deciding.repair()
            yield deciding
            deciding.repair()

    def _decision(
        self, by: str, what: What, version: str, now: Standing, why: str, despite_gates: bool = False
    ) -> Decision:
        if not why.strip() or not by.strip():
            about = f"model {version}" if version else "model store"
            raise ModelError(f"{about}: the name or the reason is missing, expected who decides and why; give both")
        return Decision(
            when=self.clock(),
            by=_kept(by),
            what=what,
            version=version,
            live=now.version,
            why=_kept(why),
            despite_gates=despite_gates,
        )

    def _read(self, condition_id: str) -> DecisionRecord:
        return DecisionRecord.read(self._files(condition_id))


class _Deciding:
    """Adds decisions to the record of a condition, each to the record that it was made upon."""

    def __init__(self, changes: Changes, record: DecisionRecord) -> None:
        self.changes = changes
        self.record = record

    @property
    def standing(self) -> Standing:
        """What all decisions so far say."""
        return standing(self.record.decisions)

    def append_new(self, decision: Decision) -> None:
        """Adds a decision, unless it repeats the last one."""
        if not is_repeat(decision, self.record.decisions):
            self.append(decision)

    def append(self, decision: Decision) -> None:
        """Adds a decision, which is made when this returns."""
        self.record.add(decision, self.changes)
        self.record = DecisionRecord.read(self.changes.files)
        _LOG.info("model store, %s: %s %s", self.record.condition, decision.what, decision.version)

    def live(self) -> LiveRecord:
        """Returns what is live according to the decisions, after writing it to live.json."""
        return write_live(self.changes)

    def repair(self) -> None:
        """Writes live.json if it lags behind the decisions."""
        if lags(self.changes.files, self.record):
            write_live(self.changes)


def _kept(text: str) -> str:
    """Returns what a person wrote, without half characters from a terminal, which no file can store."""
    return text.strip().encode(errors="replace").decode()
