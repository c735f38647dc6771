"""States what the model of a card is for, what it is not for, and what is known to be wrong with it."""

from collections.abc import Iterator
from typing import Final

from wardround.model_card.card_words import is_coded, patients_with_outcome
from wardround.report.model_facts import METRICS
from wardround.spec.conditions import Label
from wardround.spec.model_card import NOT_STATED
from wardround.training.model import ModelCard

ROLE: Final = (
    "Informs only: an adjunct to the review by a clinician, never the sole basis of a decision. It recommends nothing."
)
# With fewer patients with the outcome in the test set, every figure is too uncertain to judge a model by.
_ENOUGH_WITH_OUTCOME: Final = 100

_OUT_OF_SCOPE: Final = (
    "As the sole basis of a decision to treat, to withhold or to discharge.",
    "To rule the condition out: neither a low score nor a missing one does so.",
    "As an alarm, or to follow the response to a treatment.",
    "Before it has been validated on local patients, which is the purpose of shadow mode.",
)


def too_few_to_judge(card: ModelCard) -> bool:
    """Returns whether the test set has too few patients with the outcome; an earlier release counted only stays."""
    test = card.split.test
    known = test.positives if test.patients_with_outcome is None else test.patients_with_outcome
    return known < _ENOUGH_WITH_OUTCOME


def population(card: ModelCard) -> str:
    """Returns the intended patients: the cohort of the spec, and what the site says."""
    stated = card.about.stated.intended_population
    if card.about.min_age is None:
        return stated
    cohort = f"Stays in intensive care of patients who are {card.about.min_age} or older"
    return f"{cohort}; beyond that {NOT_STATED}" if stated == NOT_STATED else f"{cohort}. {stated}"


def out_of_scope(card: ModelCard) -> tuple[str, ...]:
    """Returns uses to warn against."""
    outside = (f"For patients younger than {card.about.min_age}, who are not in the cohort.",) * bool(
        card.about.min_age
    )
    return (*_OUT_OF_SCOPE, *outside, "Outside intensive care.", *card.about.stated.out_of_scope)


def limitations(card: ModelCard) -> tuple[str, ...]:
    """Returns what is known to be wrong with the model, or uncertain about it."""
    return (*_limitations(card), *card.about.stated.limitations)


def _limitations(card: ModelCard) -> Iterator[str]:
    yield "A model that is good in one hospital may be poor in another: case mix, coding and measurement differ."
    yield "Scores follow what is measured, and clinicians measure more when they worry: part of a score is their worry."
    yield "Treatments are not among the inputs; a patient who is treated early may look as if at no risk."
    if card.imported:
        yield "It was trained elsewhere: what it learned, on whom, and how well it does are not known here."
    elif too_few_to_judge(card):
        yield (
            f"In the test set, {patients_with_outcome(card.split.test)} had the outcome, fewer than"
            f" {_ENOUGH_WITH_OUTCOME}: the figures support no claim about accuracy."
        )
    if is_coded(card):
        yield (
            "Diagnosis codes are assigned at discharge, for payment: they do not say when the condition began, and miss"
            " some cases. Part of what is predicted had begun before the prediction."
        )
    if card.label and card.label.rule == "hospital_death":
        yield (
            "A death may follow a decision to limit treatment: a score that leads to such a decision proves itself"
            " right. Deaths after discharge do not count, wherever the patient was sent to."
        )
    if card.label and card.label.rule == "sepsis3":
        yield (
            "Sepsis-3 needs an antibiotic and a culture, so onset follows a clinician's suspicion: the model partly"
            " learns when clinicians act. An unmeasured SOFA component counts as normal."
        )
        yield from _of_the_definition(card.label)
    for gate in card.gates:
        if gate.name == "dominant_feature" and gate.columns:
            names = ", ".join(card.about.inputs.get(column, column) for column in gate.columns)
            yield f"Much of the AUROC rests on single features: {names}."
        if gate.clocks:
            yield (
                "Much of the AUROC rests on the time since the stay began, which says when patients are at risk and"
                " nothing of how this one is."
            )
        if gate.explanation:
            yield f"The {METRICS['auroc']} is so high that it had to be explained. Explanation: {gate.explanation}"


def _of_the_definition(label: Label) -> Iterator[str]:
    """Yields what is known to be wrong with the label's definitions of onset and of a culture."""
    if label.onset == "sofa_rise":
        yield (
            "A rise of SOFA may be one of knowledge: a first result that is abnormal looks like one. Septic stays"
            " without a rise taught the model nothing, since nothing says whether they were septic on arrival."
        )
    else:
        yield "With a baseline SOFA of 0, organ failure from long before counts, and many stays are septic on arrival."
    if label.suspicion == "any_culture":
        yield "A swab that looks for carriers, such as an MRSA screen, counts as a culture, and so as a suspicion."
