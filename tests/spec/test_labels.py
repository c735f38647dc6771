"""Which labels a condition may define."""

import pytest
import yaml

from wardround.errors import SpecError
from wardround.spec.digest import spec_digest
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
        ({"rule": "sepsis3", "onset": "later"}, "'sofa_time', 'suspected_infection_time' or 'earlier'"),
        ({"rule": "icd", "icd10": ["A41"]}, "other_labels names the rule icd again"),
    ],
)
def test_a_contradictory_label_is_refused(with_labels, label: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        with_labels(label)


def test_a_different_onset_changes_the_digest(with_labels) -> None:
    digests = {spec_digest(with_labels({"rule": "sepsis3", "onset": onset})) for onset in ("earlier", "sofa_time")}
    assert len(digests) == 2
