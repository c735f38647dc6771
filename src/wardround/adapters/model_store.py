"""The model store: versioned model folders, their recorded digests and the live version of each condition.

<root>/<condition>/versions.json             what was saved: version -> file -> SHA-256, the card included
<root>/<condition>/live.json                 the version in use and the one before it
<root>/<condition>/decisions.jsonl           who decided what about which version, when and why
<root>/<condition>/comparisons/<version>.json  how it did beside what was live when it was trained last
<root>/<condition>/<version>/{model.ubj | model.joblib, card.json, card.html, statements.json}

A model is used only if every file has the digest that the store recorded, so a folder that was edited, or copied in
by hand, is refused. Files appear whole or not at all; one process at a time changes a condition.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from wardround.adapters.decisions import Decision, What, judgement_of, read_decisions, says_again
from wardround.core.candidates.base import Scorer
from wardround.core.evaluation.comparison import Comparison
from wardround.core.model import ModelCard, ScoringModel
from wardround.errors import ModelError
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest

CARD = "card.json"
PAGE = "card.html"
DECISIONS = "decisions.jsonl"
M = TypeVar("M", bound=SpecModel)


class LiveRecord(SpecModel):
    """Which version of a condition's model is in use, since when, by whom and why, and which was before it."""

    version: str
    previous: str | None
    by: str
    when: datetime
    why: str


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ModelStore:
    """The model folders under `root`; `clock` gives the time that live.json records."""

    root: Path
    clock: Callable[[], datetime] = _now

    def conditions(self) -> tuple[str, ...]:
        """The ids of all conditions with a recorded version, sorted."""
        return tuple(sorted(path.parent.name for path in self.root.glob("*/versions.json")))

    def versions(self, condition_id: str) -> tuple[str, ...]:
        """All recorded versions, oldest first."""
        return tuple(self._recorded(condition_id))

    def live(self, condition_id: str) -> LiveRecord | None:
        """What is in use, or None if nothing is."""
        path = self._folder(condition_id) / "live.json"
        return _parsed(LiveRecord, path.read_bytes(), path) if path.is_file() else None

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
        return _parsed(Comparison, path.read_bytes(), path) if path.is_file() else None

    def keep_comparison(self, comparison: Comparison) -> None:
        """Keeps it for the version's page, in place of an earlier one."""
        path = self._comparison_file(comparison.condition, comparison.version)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, _as_text(comparison.model_dump(mode="json")))

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
        return ScoringModel(card, _scorer(card, files, where))

    def save(self, condition_id: str, card: ModelCard, files: Mapping[str, bytes]) -> str:
        """Stores a version and records its digests; returns the version. Saving it again only mends what is broken."""
        with self._alone(condition_id):
            if not self._is_intact(condition_id, card.version):
                contents = {**files, CARD: (card.model_dump_json(indent=2) + "\n").encode()}
                _place_folder(self._folder(condition_id) / card.version, contents)
                digests = {name: _digest(content) for name, content in contents.items()}
                recorded = {**self._recorded(condition_id), card.version: digests}
                _replace(self._folder(condition_id) / "versions.json", _as_text(recorded))
        return card.version

    def promote(self, condition: Condition, version: str, by: str, why: str, despite_gates: bool = False) -> LiveRecord:
        """Makes a version live and records who decided so and why. What is live already stays as it is.

        Raises:
            ModelError: the version cannot be used today (see `load`); no reason is given; or a promotion gate failed
                and it is not to go live despite that.
        """
        failed = self._failed_gates(condition.id, version)
        if failed and not despite_gates:
            raise ModelError(
                f"model {version} of {condition.id}: a promotion gate failed ({failed}); train again, or promote it"
                " despite its gates (--despite-gates) and say why"
            )
        return self._make_live(condition, version, by, why, "promoted", despite_gates=bool(failed))

    def rollback(self, condition: Condition, by: str, why: str) -> LiveRecord:
        """Makes the version live that was live before; raises ModelError if there was none, and as `promote`."""
        before = self.live(condition.id)
        if before is None or before.previous is None:
            raise ModelError(
                f"model store, {condition.id}: no version was live before this one; promote the one you want"
            )
        return self._make_live(condition, before.previous, by, why, "rolled_back")

    def record(self, condition_id: str, what: What, version: str, by: str, why: str) -> None:
        """Keeps a decision that leaves live as it is; said again with nothing in between, it is kept once.

        A task of Airflow may be done a second time, and its question then answered a second time.
        """
        with self._alone(condition_id):
            live = self.live(condition_id)
            decision = _decision(self.clock(), by, what, version, live.version if live else None, why)
            if not says_again(decision, self.decisions(condition_id)):
                self._append(condition_id, decision)

    def decisions(self, condition_id: str) -> tuple[Decision, ...]:
        """Every decision about the condition's models, oldest first."""
        return read_decisions(self._folder(condition_id) / DECISIONS)

    def _failed_gates(self, condition_id: str, version: str) -> str:
        """Why the version's promotion gates failed when they judged it last; empty if they did not."""
        judgement = judgement_of(version, self.decisions(condition_id))
        return judgement.why if judgement and judgement.what == "gates_failed" else ""

    def _make_live(
        self, condition: Condition, version: str, by: str, why: str, what: What, despite_gates: bool = False
    ) -> LiveRecord:
        # What cannot score must not be live: files, digests, spec and library are checked as for a screening.
        self.load(condition, version)
        with self._alone(condition.id):
            before = self.live(condition.id)
            if before and before.version == version:
                return before
            previous = before.version if before else None
            decision = _decision(self.clock(), by, what, version, previous, why, despite_gates)
            live = LiveRecord(version=version, previous=previous, by=decision.by, when=decision.when, why=decision.why)
            _replace(self._folder(condition.id) / "live.json", _as_text(live.model_dump(mode="json")))
            self._append(condition.id, decision)
            return live

    def _append(self, condition_id: str, decision: Decision) -> None:
        lines = [each.model_dump_json() for each in (*self.decisions(condition_id), decision)]
        _replace(self._folder(condition_id) / DECISIONS, "\n".join(lines) + "\n")

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
        return {name: _checked(folder / name, digest) for name, digest in digests.items()}

    def _is_intact(self, condition_id: str, version: str) -> bool:
        try:
            self._trusted(condition_id, version)
        except ModelError:
            return False
        return True

    def _card(self, condition_id: str, version: str, files: Mapping[str, bytes]) -> ModelCard:
        return _parsed(ModelCard, files[CARD], self._folder(condition_id) / version / CARD)

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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore it, or train again") from None
    if _digest(content) != digest:
        raise ModelError(
            f"{path}: its digest is not the one recorded when it was saved: the file was changed; do not use it,"
            " restore it or train again"
        )
    return content


def _parsed(model: type[M], content: bytes, path: Path) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "(file)"
        raise ModelError(f"{path}: {place}: not what this release writes; restore the file, or train again") from None


def _scorer(card: ModelCard, files: Mapping[str, bytes], where: str) -> Scorer:
    """What the model file holds, after its libraries were compared."""
    # Imported here, with scikit-learn and XGBoost, so that listing models stays quick.
    if card.imported:
        from wardround.core.candidates.imported import ImportedModel

        for library in card.imported.libraries:
            _check_library(library, card, where)
        return ImportedModel.parse(files[ImportedModel.file_name], card.imported, card.columns, where)
    from wardround.core.candidates.registry import CANDIDATES

    candidate = CANDIDATES[card.chosen]
    _check_library(candidate.library, card, where)
    return candidate.parse(files[candidate.file_name])


def _check_library(library: str, card: ModelCard, where: str) -> None:
    """No library promises to read or to score the files of other releases alike."""
    trained = card.libraries[library]
    try:
        here = library_version(library)
    except PackageNotFoundError:
        raise ModelError(f"{where}: needs {library} {trained}, which is not installed; install it") from None
    if trained.split(".")[:2] != here.split(".")[:2]:
        raise ModelError(f"{where}: trained with {library} {trained}, here is {here}; train again, or install that")


def _place_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Puts a folder in place as a whole; one that a broken save left there without a record is replaced."""
    staging = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder.parent))
    for name, content in contents.items():
        (staging / name).write_bytes(content)
    staging.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    staging.replace(folder)


def _decision(
    when: datetime, by: str, what: What, version: str, live: str | None, why: str, despite_gates: bool = False
) -> Decision:
    if not why.strip() or not by.strip():
        raise ModelError(f"model {version}: no name or no reason is given, expected who decides and why; give both")
    return Decision(
        when=when, by=by.strip(), what=what, version=version, live=live, why=why.strip(), despite_gates=despite_gates
    )


def _as_text(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _replace(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    staging.write_text(text, encoding="utf-8")
    staging.replace(path)
