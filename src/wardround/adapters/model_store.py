"""The model store: versioned model folders, their recorded digests and the live version of each condition.

<root>/<condition>/versions.json             what was saved: version -> file -> SHA-256, the card included
<root>/<condition>/decisions.jsonl           who decided what about which version, when and why; it says what is live
<root>/<condition>/live.json                 the version in use and the one before it, for other programs to read
<root>/<condition>/comparisons/<version>.json  how it did beside what was live when it was trained last
<root>/<condition>/<version>/{model.ubj | model.joblib, card.json, card.html, statements.json}

A model is used only if every file has the digest that the store recorded, so a folder that was edited, or copied in
by hand, is refused. Files appear whole or not at all; one process at a time changes a condition.
"""

import fcntl
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from wardround.adapters.decisions import read_decisions
from wardround.adapters.model_loading import scorer_of
from wardround.adapters.store_files import as_text, checked, digest_of, parsed, place_folder, write_whole
from wardround.core.decisions import Decision, Standing, What, says_again, standing
from wardround.core.evaluation.comparison import Comparison
from wardround.core.model import ModelCard, ScoringModel
from wardround.errors import ConditionSuspended, ModelError
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest

_LOG = logging.getLogger(__name__)

CARD = "card.json"
PAGE = "card.html"
DECISIONS = "decisions.jsonl"


class LiveRecord(SpecModel):
    """Which version of a condition's model is in use, since when, by whom and why, and which was before it."""

    version: str
    previous: str | None = Field(description="What a rollback leads to; None if nothing, or nothing good, was before.")
    by: str
    when: datetime
    why: str

    @classmethod
    def of(cls, now: Standing) -> "LiveRecord":
        """Raises ModelError if nothing is live."""
        if now.live is None:
            raise ModelError("model store: no model is live; promote one")
        live = now.live
        return cls(version=live.version, previous=now.previous, by=live.by, when=live.when, why=live.why)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ModelStore:
    """The model folders under `root`, and what was decided about them; `clock` gives the time of a decision."""

    root: Path
    clock: Callable[[], datetime] = _now

    def conditions(self) -> tuple[str, ...]:
        """The ids of all conditions with a recorded version or decision, sorted."""
        files = (path for name in ("versions.json", DECISIONS) for path in self.root.glob(f"*/{name}"))
        return tuple(sorted({path.parent.name for path in files}))

    def versions(self, condition_id: str) -> tuple[str, ...]:
        """All recorded versions, oldest first."""
        return tuple(self._recorded(condition_id))

    def live(self, condition_id: str) -> LiveRecord | None:
        """What is in use, or None if nothing is."""
        now = self.standing(condition_id)
        return LiveRecord.of(now) if now.live else None

    def standing(self, condition_id: str) -> Standing:
        """What is live, what was withdrawn and what the gates said, by all decisions."""
        return standing(self.decisions(condition_id))

    def require_active(self, condition_id: str) -> None:
        """Raises ConditionSuspended if somebody has switched the condition off: every door asks before it computes.

        It says who and when. The reason is for `wardround model list`: what a person wrote belongs in no log.
        """
        suspended = self.standing(condition_id).suspended
        if suspended:
            raise ConditionSuspended(
                f"{condition_id}: suspended by {' '.join(suspended.by.split())} since"
                f" {suspended.when:%Y-%m-%dT%H:%M:%SZ}, expected an active condition; `wardround model list"
                f" {condition_id}` says why, `wardround model resume {condition_id} --why TEXT` ends it"
            )

    def live_version(self, condition_id: str) -> str:
        """The version in use; raises ModelError, saying what to do, if there is none."""
        live = self.live(condition_id)
        if live is None:
            known = f"promote one of: {', '.join(self.versions(condition_id))}" if self.versions(condition_id) else ""
            remedy = known or f"run `wardround train {condition_id} --mimic DIR`"
            raise ModelError(f"model store, {condition_id}: no model is live; {remedy}")
        return live.version

    def card(self, condition_id: str, version: str) -> ModelCard:
        """The card of a version, its digest checked. Raises ModelError."""
        return self._card(condition_id, version, self._trusted(condition_id, version))

    def page(self, condition_id: str, version: str) -> str:
        """The card of a version as HTML: the page that was stored with it, or one with its comparison, if it has one.

        Raises ModelError.
        """
        files = self._trusted(condition_id, version)
        comparison = self.comparison(condition_id, version)
        if PAGE in files and comparison is None:
            return files[PAGE].decode()
        # jinja2 is needed for no other work of the store.
        from wardround.adapters.card_html import render_card

        return render_card(self._card(condition_id, version, files), comparison)

    def comparison(self, condition_id: str, version: str) -> Comparison | None:
        """How the version compared with the live one, last; None if it was never compared."""
        path = self._comparison_file(condition_id, version)
        return parsed(Comparison, path.read_bytes(), path) if path.is_file() else None

    def keep_comparison(self, comparison: Comparison) -> None:
        """Keeps it for the version's page, in place of an earlier one."""
        path = self._comparison_file(comparison.condition, comparison.version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, as_text(comparison.model_dump(mode="json")))

    def load(self, condition: Condition, version: str | None = None) -> ScoringModel:
        """The version asked for, or the live one.

        Raises:
            ModelError: there is none; a file differs from its recorded digest; the model was trained for another spec
                or stored by a release of its library that this one may not read.
        """
        chosen = version or self.live_version(condition.id)
        files = self._trusted(condition.id, chosen)
        card = self._card(condition.id, chosen, files)
        where = f"model {chosen} of {condition.id}"
        if card.spec_digest != spec_digest(condition):
            raise ModelError(
                f"{where}: trained for another spec (digest {card.spec_digest[:12]}, today's is"
                f" {spec_digest(condition)[:12]}); train again, or restore include/schemas as it was"
            )
        return ScoringModel(card, scorer_of(card, files, where))

    def save(self, condition_id: str, card: ModelCard, files: Mapping[str, bytes]) -> str:
        """Stores a version and records its digests; returns the version. Saving it again only mends what is broken."""
        with self._alone(condition_id):
            if not self._is_intact(condition_id, card.version):
                contents = {**files, CARD: (card.model_dump_json(indent=2) + "\n").encode()}
                place_folder(self._folder(condition_id) / card.version, contents)
                digests = {name: digest_of(content) for name, content in contents.items()}
                recorded = {**self._recorded(condition_id), card.version: digests}
                write_whole(self._folder(condition_id) / "versions.json", as_text(recorded))
        return card.version

    def promote(
        self,
        condition: Condition,
        version: str,
        by: str,
        why: str,
        despite_gates: bool = False,
        compared: Comparison | None = None,
    ) -> LiveRecord:
        """Makes a version live and records who decided so and why. What is live already stays as it is.

        Args:
            compared: the comparison that this is decided by; what went live since is not replaced.

        Raises:
            ModelError: the version cannot be used today (see `load`); no reason is given; a promotion gate failed and
                it is not to go live despite that; or another version is live than it was compared with.
        """
        # What cannot score must not be live: files, digests, spec and library are checked as for a screening.
        self.load(condition, version)
        with self._alone(condition.id):
            now = self.standing(condition.id)
            if now.version == version:
                return self._live_now(condition.id)
            if compared and compared.live != now.version:
                raise ModelError(
                    f"model {version} of {condition.id}: compared with {compared.live or 'nothing'}, but"
                    f" {now.version or 'nothing'} is live now; compare again (in Airflow clear the task compare)"
                )
            failed = now.verdict(version) == "failed"
            if failed and not despite_gates:
                raise ModelError(
                    f"model {version} of {condition.id}: a promotion gate failed ({now.judged[version].why}); train"
                    " again, or promote it despite its gates (--despite-gates) and say why"
                )
            self._append(condition.id, self._decision(by, "promoted", version, now, why, failed))
            return self._live_now(condition.id)

    def rollback(self, condition: Condition, by: str, why: str) -> LiveRecord:
        """Makes the version live that was live before, and marks the one that was as withdrawn.

        Done again it changes nothing: two people who go back at once, or a task that is repeated, go back once. Further
        back leads `promote`, by name. What was withdrawn before is passed over.

        Raises ModelError if no version that was not withdrawn was live before, and as `promote`.
        """
        with self._alone(condition.id):
            now = self.standing(condition.id)
            if now.live and now.live.what == "rolled_back":
                return self._live_now(condition.id)
            if now.previous is None:
                raise ModelError(
                    f"model store, {condition.id}: no version was live before this one, or each was withdrawn;"
                    " promote the one you want by name"
                )
            self.load(condition, now.previous)
            self._append(condition.id, self._decision(by, "rolled_back", now.previous, now, why))
            return self._live_now(condition.id)

    def suspend(self, condition_id: str, by: str, why: str) -> Decision:
        """Switches a condition off; gives the decision since which it is, an earlier one if it was off already."""
        with self._alone(condition_id):
            now = self.standing(condition_id)
            self._append_new(condition_id, self._decision(by, "suspended", "", now, why))
            return now.suspended or self.decisions(condition_id)[-1]

    def resume(self, condition_id: str, by: str, why: str) -> Decision | None:
        """Switches a condition on again; gives the decision that had switched it off, None if none had."""
        with self._alone(condition_id):
            now = self.standing(condition_id)
            decision = self._decision(by, "resumed", "", now, why)
            if now.suspended:
                self._append(condition_id, decision)
            return now.suspended

    def challenge(
        self, condition: Condition, version: str, by: str, why: str, until: datetime | None = None
    ) -> Decision:
        """Has a stored version scored beside the live one, instead of another that is, by screenings of before `until`.

        Raises ModelError if it cannot be scored today (see `load`), is live itself, or nothing is; or `until` is over.
        """
        self.load(condition, version)
        with self._alone(condition.id):
            if self.live_version(condition.id) == version:
                raise ModelError(
                    f"model {version} of {condition.id}: is the live one, expected another to score beside it; name one"
                )
            if until and until <= self.clock():
                raise ModelError(f"model {version} of {condition.id}: until {until:%Y-%m-%d} is over; give a later day")
            now = self.standing(condition.id)
            decision = self._decision(by, "challenged", version, now, why).model_copy(update={"until": until})
            self._append_new(condition.id, decision)
            return decision

    def end_challenge(self, condition_id: str, by: str, why: str) -> Decision | None:
        """Ends the challenge; gives the decision that it began with, None if there was none."""
        with self._alone(condition_id):
            now = self.standing(condition_id)
            if now.challenge:
                self._append(condition_id, self._decision(by, "challenge_ended", now.challenge.version, now, why))
            return now.challenge

    def record(self, condition_id: str, what: What, version: str, by: str, why: str) -> None:
        """Keeps a decision that leaves live as it is; said again with nothing in between, it is kept once.

        A task of Airflow may be done a second time, and its question then answered a second time.
        """
        with self._alone(condition_id):
            self._append_new(condition_id, self._decision(by, what, version, self.standing(condition_id), why))

    def decisions(self, condition_id: str) -> tuple[Decision, ...]:
        """Every decision about the condition's models, oldest first."""
        return read_decisions(self._folder(condition_id) / DECISIONS)

    def _live_now(self, condition_id: str) -> LiveRecord:
        """What is live by the decisions, put into live.json: one that a killed process left behind is mended."""
        live = LiveRecord.of(self.standing(condition_id))
        write_whole(self._folder(condition_id) / "live.json", as_text(live.model_dump(mode="json")))
        return live

    def _decision(
        self, by: str, what: What, version: str, now: Standing, why: str, despite_gates: bool = False
    ) -> Decision:
        if not why.strip() or not by.strip():
            about = f"model {version}" if version else "model store"
            raise ModelError(f"{about}: no name or no reason is given, expected who decides and why; give both")
        return Decision(
            when=self.clock(),
            by=by.strip(),
            what=what,
            version=version,
            live=now.version,
            why=why.strip(),
            despite_gates=despite_gates,
        )

    def _append_new(self, condition_id: str, decision: Decision) -> None:
        if not says_again(decision, self.decisions(condition_id)):
            self._append(condition_id, decision)

    def _append(self, condition_id: str, decision: Decision) -> None:
        lines = [each.model_dump_json() for each in (*self.decisions(condition_id), decision)]
        write_whole(self._folder(condition_id) / DECISIONS, "\n".join(lines) + "\n")
        _LOG.info("model store, %s: %s %s", condition_id, decision.what, decision.version)

    def _trusted(self, condition_id: str, version: str) -> dict[str, bytes]:
        """The content of a version's files; what is returned is what was checked."""
        folder = self._folder(condition_id) / version
        digests = self._recorded(condition_id).get(version)
        if digests is None:
            known = ", ".join(self.versions(condition_id)) or "none"
            raise ModelError(
                f"model store, {condition_id}: no digest is recorded for version {version!r}, expected one of: {known};"
                " train it here"
            )
        return {name: checked(folder / name, digest) for name, digest in digests.items()}

    def _is_intact(self, condition_id: str, version: str) -> bool:
        try:
            self._trusted(condition_id, version)
        except ModelError:
            return False
        return True

    def _card(self, condition_id: str, version: str, files: Mapping[str, bytes]) -> ModelCard:
        return parsed(ModelCard, files[CARD], self._folder(condition_id) / version / CARD)

    def _recorded(self, condition_id: str) -> dict[str, dict[str, str]]:
        path = self._folder(condition_id) / "versions.json"
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_bytes()))
        except ValueError:
            raise ModelError(f"{path}: not the store's record of digests; restore it, or train again") from None

    def _comparison_file(self, condition_id: str, version: str) -> Path:
        return self._folder(condition_id) / "comparisons" / f"{version}.json"

    def _folder(self, condition_id: str) -> Path:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", condition_id):
            raise ModelError(f"model store: got condition {condition_id!r}, expected an id such as sepsis; correct it")
        return self.root / condition_id

    @contextmanager
    def _alone(self, condition_id: str) -> Iterator[None]:
        folder = self._folder(condition_id)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
