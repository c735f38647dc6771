"""Statements for a model's card are optional, never blank, and not part of the spec digest."""

import pytest
import yaml
from pydantic import ValidationError

from wardround.model_card.sections import SECTIONS
from wardround.settings import PROJECT
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.spec.model_card import NOT_PERFORMED, NOT_STATED, ExternalValidation, ModelCardTexts
from wardround.training.about import About


def test_a_missing_statement_reads_not_stated_and_a_missing_test_not_performed() -> None:
    texts = ModelCardTexts()
    assert (texts.developer, texts.external_validation.party) == (NOT_STATED, NOT_PERFORMED)


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_a_blank_text_is_refused(blank: str) -> None:
    with pytest.raises(ValidationError):
        ModelCardTexts(funding=blank)
    with pytest.raises(ValidationError):
        ExternalValidation(data=blank)


def test_changing_a_card_text_does_not_invalidate_models(schemas) -> None:
    sepsis = load_condition("sepsis", schemas)
    told = sepsis.model_copy(update={"model_card": ModelCardTexts(funding="The hospital itself.")})
    assert spec_digest(told) == spec_digest(sepsis)


def test_a_card_can_name_its_condition_without_the_spec(schemas) -> None:
    sepsis = load_condition("sepsis", schemas)
    about = About.of(sepsis)
    assert tuple(about.inputs) == sepsis.columns
    assert about.inputs["lactate__max_24h"] == "Lactate, highest of the last 24 h"
    assert (about.min_age, about.inputs["sex"]) == (18, "Sex")


def test_the_manual_s_example_is_a_valid_section_and_names_every_section_of_the_page() -> None:
    manual = (PROJECT / "docs" / "model-card.md").read_text(encoding="utf-8")
    example = yaml.safe_load(manual.partition("```yaml\n")[2].partition("```")[0])
    assert ModelCardTexts.model_validate(example["model_card"]).updates.startswith("Each spring")
    assert [title for title in SECTIONS.values() if f"| {title} |" not in manual] == []
