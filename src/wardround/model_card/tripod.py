"""Lists the items of the reporting guideline TRIPOD+AI, with the part of the card that answers each, or a text.

Items and their numbers are those of Collins et al., BMJ 2024;385:e078378; their short names here are our own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wardround.model_card.sections import SECTIONS
from wardround.spec.model_card import NOT_PERFORMED, NOT_STATED, ModelCardTexts
from wardround.training.model import ModelCard

# Measured when a model is trained here; a model from elsewhere has nothing to show there.
_MEASURED: Final = {"data", "development", "performance", "calibration", "subgroups", "gates", "onset"}


@dataclass(frozen=True)
class Item:
    """An item of the guideline: the section that answers it, or "", and what to add, or None."""

    number: str
    name: str
    section: str
    say: Callable[[ModelCard], str] | None = None


@dataclass(frozen=True)
class ItemAnswer:
    """An item with the section (its name and heading) that answers it, a text, or both."""

    number: str
    name: str
    section: str
    heading: str
    text: str


def reported_items(card: ModelCard) -> tuple[ItemAnswer, ...]:
    """Returns every item in the guideline's order."""
    return tuple(_answer(item, card) for item in ITEMS)


def _answer(item: Item, card: ModelCard) -> ItemAnswer:
    section = "" if card.evaluation is None and item.section in _MEASURED else item.section
    text = item.say(card) if item.say and (section or not item.section) else ""
    return ItemAnswer(
        item.number,
        item.name,
        section,
        SECTIONS[section] if section else "",
        text or ("" if section else NOT_PERFORMED),
    )


def _always(text: str) -> Callable[[ModelCard], str]:
    return lambda _card: text


def _stated(say: Callable[[ModelCardTexts], str]) -> Callable[[ModelCard], str]:
    return lambda card: say(card.about.stated)


def _software(card: ModelCard) -> str:
    version = card.libraries.get("wardround")
    return f"Wardround {version}" if version else NOT_STATED


def _blinding(card: ModelCard) -> str:
    if card.label is None or card.label.rule != "sepsis3":
        return "The rule does not see the inputs of the model"
    return "None: the rule's SOFA is computed from some of the same variables as the inputs"


def _imbalance(card: ModelCard) -> str:
    design = card.design
    if design is None or design.fitted_on == "matched" or design.fitted.rows == design.calibrated.rows:
        return "Neither weights nor resampling: they distort probabilities"
    return "Fitted to a random part of the predictions without the outcome; calibrated on all of them"


ITEMS: Final = (
    Item("1", "Title: a prediction model, its patients and outcome", "summary"),
    Item("2", "Abstract", "summary"),
    Item("3a", "Context and rationale", "use"),
    Item("3b", "Patients, purpose and users", "use"),
    Item("3c", "Known inequalities between groups", "", _stated(lambda said: said.inequalities)),
    Item("4", "Objectives", "summary", _always("Development, and evaluation on held-out patients of the same source")),
    Item("5a", "Sources of data", "data"),
    Item("5b", "Dates of data", "", _stated(lambda said: said.data_dates)),
    Item("6a", "Setting", "", _stated(lambda said: said.setting)),
    Item("6b", "Who was eligible", "data"),
    Item("6c", "Treatments", "use", _always("Not among the inputs; their effect on the outcome: not performed")),
    Item("7", "Preparation of data", "data", _always("Values that are no events are set aside, by reason")),
    Item("8a", "Outcome and horizon", "task"),
    Item("8b", "Who judged the outcome", "task", _always("A rule computes it from the records; nobody judges")),
    Item("8c", "Blinding of that judgement", "task", _blinding),
    Item("9a", "Choice of inputs", "inputs", _always("Named in the spec before training; none is selected by outcome")),
    Item("9b", "Definition of inputs", "inputs"),
    Item("9c", "Who judged the inputs", "inputs", _always("Routine measurements; who took them is not stated")),
    Item("10", "Size of the study", "development", _always("All eligible stays; a size was not computed beforehand")),
    Item("11", "Missing data", "inputs"),
    Item("12a", "Use of the data", "development"),
    Item("12b", "Handling of inputs", "inputs"),
    Item("12c", "Kinds of model, building, tuning, internal validation", "development"),
    Item("12d", "Differences between centres or units", "subgroups", _always("By care unit")),
    Item("12e", "Measures of performance", "performance"),
    Item("12f", "Updating after evaluation", "", _always(NOT_PERFORMED)),
    Item("12g", "How predictions were computed", "provenance", _always("By the code that scores in screening")),
    Item("13", "Class imbalance", "development", _imbalance),
    Item("14", "Fairness", "subgroups", _stated(lambda said: f"Beyond subgroups: {said.fairness}")),
    Item("15", "Output and thresholds", "thresholds"),
    Item("16", "Training against evaluation data", "development", _always("Same source; no patient in both")),
    Item("17", "Ethical approval", "", _stated(lambda said: said.ethics)),
    Item("18a", "Funding", "", _stated(lambda said: said.funding)),
    Item("18b", "Conflicts of interest", "", _stated(lambda said: said.conflicts)),
    Item("18c", "Protocol", "", _stated(lambda said: said.protocol)),
    Item("18d", "Registration", "", _stated(lambda said: said.registration)),
    Item("18e", "Sharing of data", "", _stated(lambda said: said.data_access)),
    Item("18f", "Sharing of code", "provenance", _software),
    Item("19", "Part of patients and public", "", _stated(lambda said: said.involvement)),
    Item("20a", "Flow of participants", "data"),
    Item("20b", "Characteristics of participants", "subgroups", _always("Of the test set, by group")),
    Item("20c", "Evaluation against development participants", "development", _always("Counts of both sides")),
    Item("21", "Participants and outcomes in each analysis", "development"),
    Item("22", "The model itself", "provenance", _always("A file of the model folder, named by its digest")),
    Item("23a", "Performance with intervals, also of groups", "performance"),
    Item("23b", "Differences between centres or units", "subgroups", _always("By care unit")),
    Item("24", "Results of updating", "", _always(NOT_PERFORMED)),
    Item("25", "Interpretation", "use"),
    Item("26", "Limitations", "use"),
    Item("27a", "Poor or missing input in use", "inputs", _always("Too little known: indeterminate, never low")),
    Item("27b", "Users, and what they must know", "use", _stated(lambda said: said.intended_users)),
    Item("27c", "Next steps", "use", _always("Validation on local patients, in shadow mode first")),
)
