"""Lists the 31 source attributes of a predictive decision support intervention for a card, none of them blank.

They are defined by the US rule HTI-1, 45 CFR 170.315(b)(11)(iv)(B); their short names here are our own, by paragraph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wardround.evaluation.results import Subgroups
from wardround.model_card.card_words import (
    ATTRIBUTES,
    estimate,
    left_out,
    patients_with_outcome,
    predicted,
    side,
)
from wardround.model_card.judged import in_short
from wardround.model_card.scope import ROLE, limitations, out_of_scope, population
from wardround.report.report_words import count
from wardround.spec.model_card import NOT_PERFORMED, NOT_STATED, ModelCardTexts
from wardround.training.model import ModelCard

RULE: Final = "45 CFR 170.315(b)(11)(iv)(B)"
_GROUPS: Final = {
    1: "Details and output",
    2: "Purpose",
    3: "Cautioned out-of-scope use",
    4: "Development and input features",
    5: "Fairness in development",
    6: "External validation",
    7: "Measures of performance",
    8: "Maintenance of use",
    9: "Updates and continued validation",
}
# The demographic and social elements listed by the rule that no spec can name as an input.
_NEVER_INPUTS: Final = (
    "race, ethnicity, language, sexual orientation, gender identity and social determinants of health are not used"
)
# Variables that assess a patient's mental state, which the rule counts as health status assessments.
_HEALTH_STATUS: Final = ("gcs",)


@dataclass(frozen=True)
class Attribute:
    """One source attribute: its group and paragraph in the rule, its name, and what a card says about it."""

    group: int
    paragraph: str
    name: str
    answer: Callable[[ModelCard], str]


@dataclass(frozen=True)
class Answer:
    """An attribute with its text."""

    paragraph: str
    name: str
    text: str


def source_attributes(card: ModelCard) -> dict[str, tuple[Answer, ...]]:
    """Returns the answers by the title of their group, in the rule's order."""
    return {
        title: tuple(
            Answer(f"({number})({attribute.paragraph})", attribute.name, attribute.answer(card))
            for attribute in ATTRIBUTES_OF_THE_RULE
            if attribute.group == number
        )
        for number, title in _GROUPS.items()
    }


def _stated(say: Callable[[ModelCardTexts], str]) -> Callable[[ModelCard], str]:
    return lambda card: say(card.about.stated)


def _output(card: ModelCard) -> str:
    return (
        f"The probability, from 0 to 1, of: {predicted(card)}. And its band: high from"
        f" {card.thresholds['high']:.3f}, moderate from {card.thresholds['moderate']:.3f}, low below; indeterminate,"
        " without a probability, where too little is known."
    )


def _kind(_card: ModelCard) -> str:
    return "A prediction, and a classification of it into bands; no recommendation."


def _criteria(card: ModelCard) -> str:
    cohort = card.cohort
    if not cohort.found:
        return NOT_STATED
    excluded = "; ".join(f"{left_out(reason).lower()}: {count(number)}" for reason, number in cohort.excluded.items())
    used = f"Of {count(cohort.found)} stays found {count(cohort.used)} were used"
    return f"{population(card)}. {used}. Left out: {excluded or 'none'}."


def _inputs_of_the_rule(card: ModelCard) -> str:
    """Returns which of the rule's inputs are used; age is computed from the date of birth."""
    age = "date of birth is used, as age" if "age" in card.columns else "date of birth is not used"
    sex = "sex is used" if "sex" in card.columns else "sex is not used"
    assessed = sorted({column.partition("__")[0] for column in card.columns if column.startswith(_HEALTH_STATUS)})
    names = ", ".join(card.about.variables.get(variable, variable) for variable in assessed)
    health = f"health status assessments are used ({names})" if assessed else "no health status is used"
    text = f"{age}; {sex}; {health}; {_NEVER_INPUTS}."
    return text[0].upper() + text[1:]


def _representativeness(card: ModelCard) -> str:
    if not _subgroups(card):
        return NOT_PERFORMED
    groups = [_counts(group) for group in _subgroups(card) if group.attribute != "unit" and group.cells]
    test = side(card.split.test.patients, card.split.test.stays)
    return f"Of the test set ({test}): {' '.join(groups) or 'every group is too small to be shown, or not recorded.'}"


def _counts(group: Subgroups) -> str:
    cells = ", ".join(f"{cell.group} {count(cell.stays)}" for cell in group.cells)
    small = f"; {group.suppressed} not shown, being too small or to protect a small one" if group.suppressed else ""
    return f"{ATTRIBUTES[group.attribute]}: {cells} (stays){small}."


def _approach_to_fairness(card: ModelCard) -> str:
    stated = card.about.stated.fairness
    if not _subgroups(card):
        return stated
    found, missing = _compared(card)
    shown = f"Groups are compared in this card by {_listed(found)}. " if found else ""
    small = f"They could not be compared by {_listed(missing)}: too few patients, or not recorded. " if missing else ""
    return f"{shown}{small}Beyond that: {stated}"


def _compared(card: ModelCard) -> tuple[list[str], list[str]]:
    """Returns the attributes of which two groups or more are shown, and the others."""
    found: list[str] = []
    missing: list[str] = []
    for group in _subgroups(card):
        (found if len(group.cells) > 1 else missing).append(ATTRIBUTES[group.attribute].lower())
    return found, missing


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _validity(card: ModelCard) -> str:
    if card.evaluation is None:
        return NOT_PERFORMED
    found = card.evaluation.calibration
    metrics = card.metrics
    return (
        f"On {side(card.split.test.patients, card.split.test.stays)} of the same source, of whom"
        f" {patients_with_outcome(card.split.test)} had the outcome, with 95 % intervals. {_of_what(card)}AUROC"
        f" {estimate(metrics.get('auroc'))}, AUPRC {estimate(metrics.get('auprc'))}, at the high threshold sensitivity"
        f" {estimate(metrics.get('sensitivity'))} and positive predictive value {estimate(metrics.get('ppv'))};"
        f" calibration slope {estimate(found.slope)}."
    )


def _of_what(card: ModelCard) -> str:
    return "".join(f"{name}: {text}. " for name, text in in_short(card))


def _fairness(card: ModelCard) -> str:
    found = [_spread(group) for group in _subgroups(card) if group.cells]
    if not found:
        return f"{NOT_PERFORMED}: every group is too small" if _subgroups(card) else NOT_PERFORMED
    missing = _compared(card)[1]
    small = f" Not compared, too few patients or not recorded: {_listed(missing)}." if missing else ""
    return f"AUROC by group. {' '.join(found)}{small}"


def _spread(group: Subgroups) -> str:
    cells = ", ".join(f"{cell.group} {estimate(cell.metrics.get('auroc'))}" for cell in group.cells)
    return f"{ATTRIBUTES[group.attribute]}: {cells}."


def _subgroups(card: ModelCard) -> tuple[Subgroups, ...]:
    return card.evaluation.subgroups if card.evaluation else ()


ATTRIBUTES_OF_THE_RULE: Final = (
    Attribute(1, "i", "Developer and contact", _stated(lambda said: said.developer)),
    Attribute(1, "ii", "Who paid for the development", _stated(lambda said: said.funding)),
    Attribute(1, "iii", "What the output is", _output),
    Attribute(1, "iv", "Kind of output", _kind),
    Attribute(2, "i", "Intended use", _stated(lambda said: said.intended_use)),
    Attribute(2, "ii", "Intended patients", population),
    Attribute(2, "iii", "Intended users", _stated(lambda said: said.intended_users)),
    Attribute(2, "iv", "Role in decisions", lambda _card: ROLE),
    Attribute(3, "i", "Uses to be warned against", lambda card: " ".join(out_of_scope(card))),
    Attribute(3, "ii", "Known risks and limitations", lambda card: " ".join(limitations(card))),
    Attribute(4, "i", "Who was in the training data, and who was not", _criteria),
    Attribute(4, "ii", "Demographic, social and health status inputs", _inputs_of_the_rule),
    Attribute(4, "iii", "Whom the data represent", _representativeness),
    Attribute(4, "iv", "Relevance of the data to the place of use", _stated(lambda said: said.relevance)),
    Attribute(5, "i", "Approach to fair output", _approach_to_fairness),
    Attribute(5, "ii", "What was done against bias", _stated(lambda said: said.bias)),
    Attribute(6, "i", "Data and setting", _stated(lambda said: said.external_validation.data)),
    Attribute(6, "ii", "Who tested", _stated(lambda said: said.external_validation.party)),
    Attribute(6, "iii", "Whom the external data represent", _stated(lambda said: said.external_validation.population)),
    Attribute(6, "iv", "How it was done", _stated(lambda said: said.external_validation.process)),
    Attribute(7, "i", "Validity on test data of the same source", _validity),
    Attribute(7, "ii", "Fairness on test data of the same source", _fairness),
    Attribute(7, "iii", "Validity on external data", _stated(lambda said: said.external_validation.validity)),
    Attribute(7, "iv", "Fairness on external data", _stated(lambda said: said.external_validation.fairness)),
    Attribute(7, "v", "Studies of what its use changed", _stated(lambda said: said.outcome_studies)),
    Attribute(8, "i", "How validity is watched", _stated(lambda said: said.validity_monitoring)),
    Attribute(8, "ii", "Validity on local data", _stated(lambda said: said.local_validity)),
    Attribute(8, "iii", "How fairness is watched", _stated(lambda said: said.fairness_monitoring)),
    Attribute(8, "iv", "Fairness on local data", _stated(lambda said: said.local_fairness)),
    Attribute(9, "i", "How it is updated", _stated(lambda said: said.updates)),
    Attribute(9, "ii", "How soon risks are put right", _stated(lambda said: said.corrections)),
)
