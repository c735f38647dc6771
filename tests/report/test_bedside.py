"""Tests the section on the bedside: what was shown and said of it, and nothing that few clinicians did."""

import pytest

from wardround.report.bedside import BedsideUse, Given, bedside_facts


def given(group: str, outcome: str, reason: str, cards: int) -> Given:
    return Given(group=group, outcome=outcome, reason=reason, cards=cards)


def test_cards_are_counted_by_group_and_what_was_done_with_them() -> None:
    use = BedsideUse(
        shown={"info": 7, "high": 40, "moderate": 60},
        given=(
            given("high", "accepted", "", 6),
            given("high", "overridden", "Known", 9),
            given("high", "overridden", "", 3),
            given("moderate", "overridden", "Known", 2),
            given("moderate", "overridden", "Assessed", 11),
        ),
    )

    facts = bedside_facts(use)

    assert [(row.group, row.shown, row.accepted, row.reasoned, row.dismissed) for row in facts.rows] == [
        ("High", 40, 6, 9, 3),
        ("Moderate", 60, 0, 13, 0),
        ("Info cards", 7, None, None, None),
    ]
    # As frequent ones stand in the order of the alphabet.
    assert facts.reasons == (("Assessed", 11), ("Known", 11))


@pytest.mark.parametrize(("cards", "shown"), [(9, None), (10, 10)])
def test_what_was_said_of_few_cards_is_not_shown(cards: int, shown: int | None) -> None:
    use = BedsideUse(shown={"high": 500}, given=(given("high", "overridden", "Known", cards),))

    facts = bedside_facts(use)

    assert facts.rows[0].reasoned == shown
    assert facts.reasons == ((("Known", 10),) if shown else ())


def test_reasons_of_a_small_group_cannot_be_found_as_a_difference() -> None:
    use = BedsideUse(
        shown={"high": 40, "moderate": 40},
        given=(given("high", "overridden", "Known", 20), given("moderate", "overridden", "Rare", 1)),
    )

    assert bedside_facts(use).reasons == (("Known", 20),)


def test_few_reasons_among_many_cards_are_not_shown_and_that_is_said() -> None:
    use = BedsideUse(
        shown={"high": 40}, given=(given("high", "overridden", "Rare", 9), given("high", "accepted", "", 20))
    )

    facts = bedside_facts(use)

    assert (facts.rows[0].reasoned, facts.reasons) == (9, ())
    assert any("fewer than 10 cards, and are not shown" in note for note in facts.notes)


@pytest.mark.parametrize(
    ("unknown", "said"), [(1, "1 message was about"), (1_200, "1\N{NARROW NO-BREAK SPACE}200 messages were about")]
)
def test_messages_about_unknown_cards_are_counted_apart(unknown: int, said: str) -> None:
    facts = bedside_facts(BedsideUse(unknown=unknown))

    assert facts.rows == ()
    assert facts.notes[-1].startswith(said)
