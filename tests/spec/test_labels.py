"""Which labels a condition may define."""

import hashlib
import json

import pytest
import yaml

from wardround.errors import SpecError
from wardround.spec.digest import _COSMETIC, spec_digest
from wardround.spec.loading import load_condition


@pytest.fixture
def with_labels(schemas, tmp_path):
    """Loads sepsis with other labels."""

    def load(*others: dict, **label: object):
        folder = tmp_path / "schemas" / "conditions"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "variables.yaml").write_text((schemas / "variables.yaml").read_text())
        content = yaml.safe_load((schemas / "conditions" / "sepsis.yaml").read_text())
        content |= {"other_labels": list(others)} | ({"label": label} if label else {})
        (folder / "sepsis.yaml").write_text(yaml.safe_dump(content))
        return load_condition("sepsis", folder.parent)

    return load


def test_labels_are_found_by_their_rule_with_the_default_first(with_labels) -> None:
    condition = with_labels({"rule": "hospital_death"}, {"rule": "sepsis3", "onset": "earlier"})
    assert list(condition.labels) == ["icd", "hospital_death", "sepsis3"]
    assert condition.labels["sepsis3"].onset == "earlier"


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"rule": "sepsis3"}, "the rule sepsis3 needs an onset"),
        ({"rule": "hospital_death", "onset": "earlier"}, "no other rule takes one"),
        ({"rule": "sepsis3", "onset": "later"}, "'sofa_time', 'sofa_rise', 'suspected_infection_time' or 'earlier'"),
        (
            {"rule": "hospital_death", "suspicion": "any_culture"},
            "the rule sepsis3 alone takes a suspicion; remove it",
        ),
        ({"rule": "sepsis3", "onset": "earlier", "suspicion": "all"}, "'any_culture' or 'without_screening_cultures'"),
        ({"rule": "icd", "icd10": ["A41"]}, "other_labels names the rule icd again"),
    ],
)
def test_a_contradictory_label_is_refused(with_labels, label: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        with_labels(label)


def test_a_different_onset_changes_the_digest(with_labels) -> None:
    digests = {spec_digest(with_labels({"rule": "sepsis3", "onset": onset})) for onset in ("earlier", "sofa_time")}
    assert len(digests) == 2


def test_a_suspicion_counts_every_culture_unless_the_label_says_otherwise(with_labels) -> None:
    said = [{}, {"suspicion": None}, {"suspicion": "any_culture"}, {"suspicion": "without_screening_cultures"}]
    conditions = [with_labels({"rule": "sepsis3", "onset": "sofa_rise", **each}) for each in said]
    found = [condition.labels["sepsis3"].suspicion for condition in conditions]
    assert found == ["any_culture"] * 3 + ["without_screening_cultures"]
    digests = [spec_digest(condition) for condition in conditions]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_the_digest_of_models_from_before_there_was_a_choice_remains(schemas) -> None:
    condition = load_condition("sepsis", schemas)
    before = condition.model_dump(mode="json", exclude=_COSMETIC)
    for label in (before["label"], *before["other_labels"]):
        del label["suspicion"]
    assert spec_digest(condition) == hashlib.sha256(json.dumps(before, sort_keys=True).encode()).hexdigest()
