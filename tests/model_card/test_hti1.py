"""The 31 source attributes of HTI-1 are all present, by paragraph, and none is blank."""

from collections import Counter

from wardround.model_card.hti1 import ATTRIBUTES_OF_THE_RULE, source_attributes
from wardround.spec.model_card import NOT_PERFORMED, NOT_STATED, ModelCardTexts
from wardround.training.model import ModelCard

# Paragraphs of 45 CFR 170.315(b)(11)(iv)(B), and how many attributes each has.
STRUCTURE = {1: 4, 2: 4, 3: 2, 4: 4, 5: 2, 6: 4, 7: 5, 8: 4, 9: 2}
NUMERALS = ("i", "ii", "iii", "iv", "v")


def answers(card: ModelCard) -> dict[str, str]:
    return {answer.paragraph: answer.text for group in source_attributes(card).values() for answer in group}


def test_the_attributes_are_the_31_of_the_rule_in_its_order() -> None:
    assert Counter(attribute.group for attribute in ATTRIBUTES_OF_THE_RULE) == STRUCTURE
    expected = [f"({group})({numeral})" for group, size in STRUCTURE.items() for numeral in NUMERALS[:size]]
    assert [f"({each.group})({each.paragraph})" for each in ATTRIBUTES_OF_THE_RULE] == expected
    assert len(expected) == 31


def test_no_attribute_is_blank(evaluated_card: ModelCard, elsewhere: ModelCard) -> None:
    for card in (evaluated_card, elsewhere):
        found = answers(card)
        assert len(found) == 31
        assert [paragraph for paragraph, text in found.items() if not text.strip()] == []


def test_missing_statements_and_tests_are_reported_as_such(evaluated_card: ModelCard) -> None:
    found = answers(evaluated_card)
    assert {found[place] for place in ("(1)(i)", "(1)(ii)", "(2)(i)", "(2)(iii)", "(4)(iv)", "(9)(i)")} == {NOT_STATED}
    assert {found[place] for place in ("(6)(i)", "(6)(iv)", "(7)(iii)", "(7)(v)", "(8)(ii)")} == {NOT_PERFORMED}


def test_statements_of_the_site_are_shown(evaluated_card: ModelCard) -> None:
    stated = ModelCardTexts(developer="Ward 7, ward7@example.org", limitations=("Poor in burns.",), updates="Each May.")
    about = evaluated_card.about.model_copy(update={"stated": stated})
    found = answers(evaluated_card.model_copy(update={"about": about}))
    assert found["(1)(i)"] == "Ward 7, ward7@example.org"
    assert found["(9)(i)"] == "Each May."
    assert "Poor in burns." in found["(3)(ii)"]


def test_inputs_that_the_rule_asks_about_follow_from_the_columns(evaluated_card: ModelCard) -> None:
    some = evaluated_card.model_copy(update={"columns": ("age", "sex", "lactate__max_24h")})
    assert "as age; sex is used; no health status is used; race, ethnicity" in answers(some)["(4)(ii)"]
    other = evaluated_card.model_copy(update={"columns": ("age", "gcs_motor__min_24h")})
    assert (
        "sex is not used; health status assessments are used (Glasgow Coma Scale, movement)"
        in answers(other)["(4)(ii)"]
    )


def test_performance_and_fairness_come_from_the_evaluation(evaluated_card: ModelCard, elsewhere: ModelCard) -> None:
    found = answers(evaluated_card)
    assert "AUROC 0.700 (0.600 to 0.800)" in found["(7)(i)"]
    assert "Sex: female 0.812 (0.741 to 0.876), male 0.812 (0.741 to 0.876)." in found["(7)(ii)"]
    assert (answers(elsewhere)["(7)(i)"], answers(elsewhere)["(7)(ii)"]) == (NOT_PERFORMED, NOT_PERFORMED)


def test_only_groups_that_can_be_compared_are_said_to_be(evaluated_card: ModelCard) -> None:
    found = answers(evaluated_card)
    assert "Groups are compared in this card by sex. They could not be compared by age and race" in found["(5)(i)"]
    assert "Not compared, too few patients or not recorded: age and race." in found["(7)(ii)"]
    assert evaluated_card.evaluation is not None
    small = tuple(each.model_copy(update={"cells": ()}) for each in evaluated_card.evaluation.subgroups)
    evaluation = evaluated_card.evaluation.model_copy(update={"subgroups": small})
    found = answers(evaluated_card.model_copy(update={"evaluation": evaluation}))
    assert "Groups are compared" not in found["(5)(i)"]
    assert found["(7)(ii)"] == f"{NOT_PERFORMED}: every group is too small"
    assert found["(4)(iii)"].endswith("every group is too small to be shown, or not recorded.")


def test_what_the_figures_are_of_is_told_with_them(judged_card: ModelCard) -> None:
    said = answers(judged_card)["(7)(i)"]
    assert said.index("Evaluated on: 3\u202f000 predictions") < said.index("Not evaluated: ") < said.index("AUROC")
