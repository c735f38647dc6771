"""The stored versions of each condition's models: saved whole, and used only as they were saved.

<root>/<condition>/versions.json             what was saved: version -> file -> SHA-256, the card included
<root>/<condition>/comparisons/<version>.json  how it compared with the live version when last trained
<root>/<condition>/<version>/{model.ubj | model.joblib, card.json, card.html, statements.json}

A model is used only if every file has the digest that the store recorded, so a folder that was edited, or copied in
by hand, is refused. The record is written last: what a killed process saved in part is no version. Files appear whole
or not at all; one process at a time changes a condition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wardround.adapters.models.files import ConditionFiles, as_bytes, digest_of
from wardround.adapters.models.loading import scorer_of
from wardround.adapters.models.version_record import VERSIONS, recorded_versions
from wardround.errors import ModelError
from wardround.evaluation.comparison import Comparison
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.training.model import ModelCard, ScoringModel

_CARD: Final = "card.json"


@dataclass(frozen=True)
class ModelVersions:
    """The model folders under `root`, a path or a URL.

    Attributes:
        database: the URL of Wardround's own database, which keeps the locks of a store in object storage.
    """

    root: Path | str
    database: str = field(default="", repr=False)

    def versions(self, condition_id: str) -> tuple[str, ...]:
        """Returns all recorded versions, oldest first."""
        return tuple(self._recorded(condition_id))

    def card(self, condition_id: str, version: str) -> ModelCard:
        """Returns the card of a version, after checking its digest. Raises ModelError."""
        return self._card(condition_id, version, self._trusted(condition_id, version))

    def page(self, condition_id: str, version: str) -> str:
        """Returns a version's card as HTML: the stored page, or one with its comparison if it has one.

        Raises ModelError.
        """
        files = self._trusted(condition_id, version)
        comparison = self.comparison(condition_id, version)
        # jinja2 is needed for no other work of the store.
        from wardround.adapters.html.model_card import PAGE, render_card

        if PAGE in files and comparison is None:
            return files[PAGE].decode()

        return render_card(self._card(condition_id, version, files), comparison)

    def comparison(self, condition_id: str, version: str) -> Comparison | None:
        """Returns the version's last comparison with the live one; None if it was never compared."""
        files, name = self._files(condition_id), _comparison_file(version)
        content = files.found(name)
        return None if content is None else files.parsed(Comparison, content, name)

    def keep_comparison(self, comparison: Comparison) -> None:
        """Stores the comparison for the version's page, replacing an earlier one."""
        folder = self._files(comparison.condition)
        folder.write_bytes(_comparison_file(comparison.version), as_bytes(comparison.model_dump(mode="json")))

    def model(self, condition: Condition, version: str) -> ScoringModel:
        """Returns a version to score with.

        Raises:
            ModelError: a file differs from its recorded digest; or the model was trained for another spec, or stored by
                a release of its library that this one may not read.
        """
        files = self._trusted(condition.id, version)
        card = self._card(condition.id, version, files)
        where = f"model {version} of {condition.id}"
        if card.spec_digest != spec_digest(condition):
            raise ModelError(
                f"{where}: trained for another spec (digest {card.spec_digest[:12]}, today's is"
                f" {spec_digest(condition)[:12]}); train again, or restore include/schemas as it was"
            )
        return ScoringModel(card, scorer_of(card, files, where))

    def save(self, condition_id: str, card: ModelCard, files: Mapping[str, bytes]) -> str:
        """Stores a version and records its digests; returns the version. Saving it again only repairs what is broken.

        Raises StorageError or DatabaseError; then nothing of it is recorded.
        """
        with self._files(condition_id).alone(self.database) as changes:
            if not self._is_intact(condition_id, card.version):
                contents = {**files, _CARD: (card.model_dump_json(indent=2) + "\n").encode()}
                changes.place_folder(card.version, contents)
                digests = {name: digest_of(content) for name, content in contents.items()}
                recorded = recorded_versions(changes.files)
                both = as_bytes({**recorded.digests, card.version: digests})
                changes.write_over(VERSIONS, recorded.content, both)
        return card.version

    def _trusted(self, condition_id: str, version: str) -> dict[str, bytes]:
        """Returns the content of a version's files, exactly the bytes that were checked."""
        digests = self._recorded(condition_id).get(version)
        if digests is None:
            known = ", ".join(self.versions(condition_id)) or "none"
            raise ModelError(
                f"model store, {condition_id}: {version!r} is not a stored version, expected one of: {known};"
                " correct it, or train it here"
            )
        names = {f"{version}/{name}": name for name in digests}
        found = self._files(condition_id).checked({place: digests[name] for place, name in names.items()})
        return {names[place]: content for place, content in found.items()}

    def _is_intact(self, condition_id: str, version: str) -> bool:
        try:
            self._trusted(condition_id, version)
        except ModelError:
            return False
        return True

    def _card(self, condition_id: str, version: str, files: Mapping[str, bytes]) -> ModelCard:
        return self._files(condition_id).parsed(ModelCard, files[_CARD], f"{version}/{_CARD}")

    def _recorded(self, condition_id: str) -> dict[str, dict[str, str]]:
        return recorded_versions(self._files(condition_id)).digests

    def _files(self, condition_id: str) -> ConditionFiles:
        return ConditionFiles(self.root, condition_id)


def _comparison_file(version: str) -> str:
    return f"comparisons/{version}.json"
