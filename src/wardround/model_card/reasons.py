"""Explains in sentences how the reasons beside a model's scores are chosen, and what they mean."""

from wardround.report.report_words import count, percent
from wardround.results.rationale import TOP
from wardround.training.model import ModelCard

RULE = (
    "A reason is left out, and counted beside the score, if it contradicts what is clinically expected: if a value that"
    " suggests a higher risk lowers the score, such as a respiratory rate of 30, or one that suggests a lower risk"
    " raises it, such as a lactate of 0.7 mmol/L. A value suggests a higher or lower risk if it is on the same side of"
    " a healthy adult's value and of the compared patient's; changes and trends count by their direction. If both high"
    " and low values are dangerous, as in body temperature, values outside the usual range suggest a higher risk. The"
    " key risk_rises_with in variables.yaml states the direction. Nothing is expected of spread, or of how often"
    " something was measured."
)


def reasons_in_words(card: ModelCard) -> tuple[str, ...]:
    """Returns what reasons compare with, which are left out, and how many were."""
    compared = (
        "a patient with usual values, because the model was trained elsewhere"
        if card.imported
        else "the average patient of the training data"
    )
    shown = (
        f"Beside a score stand the {TOP} inputs that moved it most; they raise or lower it compared with {compared}."
        " How often something was measured tells how closely a patient is watched, not how ill."
    )
    return (shown, f"{RULE} {_how_many(card)}")


def _how_many(card: ModelCard) -> str:
    found = card.evaluation.importance.reasons if card.evaluation else None
    if found is None:
        return "How many are left out was not counted for this model."
    looked_at = found.shown + found.left_out
    share = f" ({percent(found.left_out / looked_at)})" if looked_at else ""
    return (
        f"Over {count(found.rows)} predictions of the test set {count(found.left_out)} of {count(looked_at)} were left"
        f" out{share}."
    )
