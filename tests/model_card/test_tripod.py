"""The items of TRIPOD+AI are all present, each answered by a section or in words."""

from wardround.model_card.sections import SECTIONS
from wardround.model_card.tripod import ITEMS, reported_items
from wardround.training.model import ModelCard

# The items that have parts, and how many.
PARTS = {3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3}


def test_the_items_are_the_27_of_the_guideline_with_their_parts() -> None:
    found: dict[int, str] = {}
    for item in ITEMS:
        number = item.number.rstrip("abcdefg")
        found[int(number)] = found.get(int(number), "") + item.number.removeprefix(number)
    assert list(found) == list(range(1, 28))
    assert found == {number: "abcdefg"[: PARTS.get(number, 0)] for number in range(1, 28)}
    assert len(ITEMS) == 52


def test_every_item_is_answered_by_a_section_or_in_words(evaluated_card: ModelCard, elsewhere: ModelCard) -> None:
    for card in (evaluated_card, elsewhere):
        answers = reported_items(card)
        assert [answer.number for answer in answers if not (answer.heading or answer.text.strip())] == []
        assert {answer.section for answer in answers} - {""} <= set(SECTIONS)


def test_a_section_without_figures_answers_nothing(elsewhere: ModelCard) -> None:
    by_number = {answer.number: answer for answer in reported_items(elsewhere)}
    for number in ("5a", "10", "12c", "14", "20a", "23a"):
        assert (by_number[number].section, by_number[number].text) == ("", "not performed")
    assert by_number["26"].section == "use"
