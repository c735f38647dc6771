"""A card in; how the reasons beside its scores are chosen and meant, in sentences, out."""

from wardround.report.report_words import count, percent
from wardround.results.rationale import TOP
from wardround.training.model import ModelCard

RULE = (
    "A reason is left out, and counted beside the score, if it goes against what is clinically expected: a value that"
    " speaks for a higher risk and lowers the score, such as a respiratory rate of 30, or one that speaks for a lower"
    " risk and raises it, such as a lactate of 0.7 mmol/L. A value speaks if it lies on one side both of a healthy"
    " adult's and of the compared patient's; changes and trends by their direction; of what is dangerous both ways,"
    " such as body temperature, values outside the usual range speak for a higher risk. variables.yaml says which"
    " (risk_rises_with). Of spread, and of how often something was measured, nothing is expected."
)


def reasons_in_words(card: ModelCard) -> tuple[str, ...]:
    """With whom reasons compare, which are left out, and how many were."""
    compared = (
        "a patient with usual values, for the model was trained elsewhere"
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
        f"Over {count(found.rows)} predictions of the test side {count(found.left_out)} of {count(looked_at)} were left"
        f" out{share}."
    )
