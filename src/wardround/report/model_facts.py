"""Selects what readers of a report need from a model card."""

from dataclasses import dataclass
from typing import Final

from wardround.evaluation.band_shares import in_percent
from wardround.evaluation.gates import Verdict, in_words
from wardround.evaluation.metrics import Metric
from wardround.report.report_words import count, percent, window
from wardround.spec.conditions import Label
from wardround.training.model import HOSPITAL_STAY, NOT_STATED, ModelCard

METRICS: Final = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "brier": "Brier score",
    "prevalence": "Share with the outcome",
}
MEANINGS: Final = {
    "auroc": "how often a prediction with the outcome scores above one without it; 0.5 is chance",
    "auprc": "the same question for a rare outcome; chance is the share with the outcome",
    "f1": "sensitivity and positive predictive value in one figure",
    "sensitivity": "of predictions with the outcome, the share in the high band",
    "specificity": "of predictions without the outcome, the share not in the high band",
    "ppv": "of predictions in the high band, the share with the outcome",
    "brier": "how far scores are from the outcomes; 0 is ideal",
}
LABELS: Final = {
    "icd": "the diagnosis codes of the hospital stay",
    "hospital_death": "the hospital's record of deaths",
    "sepsis3": "the definition Sepsis-3",
}
# By candidate: of these methods only the second is SHAP.
_ATTRIBUTIONS: Final = {
    "logistic_regression": "the terms of the regression",
    "xgboost": "exact TreeSHAP values",
    "random_forest": "path attributions along the trees (Saabas' method, not SHAP)",
}
_IMPORTED_ATTRIBUTION: Final = "how the score moves when inputs are set from typical to actual values, one by one"


@dataclass(frozen=True)
class MetricLine:
    """A metric on the test patients with its interval, as text; `–` and the reason if there is none.

    Without an interval it is not `sure`: it must not look like a result.
    """

    name: str
    value: str
    interval: str
    meaning: str = ""
    sure: bool = True


@dataclass(frozen=True)
class ModelFacts:
    """Facts about the model as label and text, and its metrics."""

    facts: tuple[tuple[str, str], ...]
    metrics: tuple[MetricLine, ...]


def model_facts(card: ModelCard, gates: Verdict) -> ModelFacts:
    """Returns the summary of a card, and the verdict of the promotion gates."""
    return ModelFacts(
        facts=(
            ("Version", card.version),
            ("Method", card.candidates[card.chosen].title),
            *_data(card),
            ("Learned to predict", _learned(card)),
            ("When it predicted in training", _predicted(card)),
            ("Bands", bands_in_words(card)),
            ("Calibration", _calibration(card)),
            ("Inputs", f"{len(card.columns)}, summaries of a patient's values"),
            ("How reasons are found", attribution_in_words(card)),
            ("Checks before it went live", in_words(gates)),
        ),
        metrics=tuple(_line(name, metric) for name, metric in card.metrics.items()),
    )


def bands_in_words(card: ModelCard) -> str:
    """Returns where the bands start, and their shares of the test patients' predictions if these were measured."""
    starts = f"moderate from {percent(card.thresholds['moderate'])}, high from {percent(card.thresholds['high'])}"
    shares = in_percent(card.bands)
    return f"{starts}; predictions of the test patients: {shares}" if shares else starts


def _learned(card: ModelCard) -> str:
    if card.label is None:
        return f"{card.title}; label and horizon are {NOT_STATED}: the model was imported"
    horizon = of_the_stay(card.label) if card.horizon == HOSPITAL_STAY else f"within {card.horizon}"
    return f"{card.title} {horizon}, determined by {label_in_short(card.label)}"


def of_the_stay(label: Label | None) -> str:
    """Returns when an outcome of the hospital stay occurs. Diagnosis codes do not say whether it has already."""
    match label.rule if label else None:
        case "icd":
            return "at any time of the hospital stay, already or later"
        case None:
            return "within the hospital stay"
    return "at any later time of the hospital stay"


def label_in_short(label: Label) -> str:
    """Returns how the outcome is determined from the records, in a few words."""
    return LABELS.get(label.rule, str(label.rule))


def attribution_in_words(card: ModelCard) -> str:
    """Returns how the parts that inputs have in a score are found; only those of boosted trees are SHAP values."""
    return _IMPORTED_ATTRIBUTION if card.imported else _ATTRIBUTIONS[card.chosen]


def _calibration(card: ModelCard) -> str:
    if card.calibration.method == "none":
        return "Scores are as the model gives them, not adjusted to how often the outcome occurred"
    return "Scores are adjusted to how often the outcome occurred, by a logistic curve"


def _predicted(card: ModelCard) -> str:
    if card.prediction_time is None:
        return NOT_STATED
    by_the_hour = "every hour from " if card.is_hourly else ""
    return f"{by_the_hour}{window(card.prediction_time)} after admission to the unit"


def _data(card: ModelCard) -> tuple[tuple[str, str], ...]:
    if card.imported:
        return (("Trained on", f"{NOT_STATED}: imported, file digest {card.imported.digest[:12]}"),)
    train, test = card.split.train, card.split.test
    excluded = sum(card.cohort.excluded.values())
    return (
        ("Trained on", f"{_side(train.patients, train.stays)}, {_outcomes(train.positives, train.stays)}"),
        ("Tested once on", f"{_side(test.patients, test.stays)}, {_outcomes(test.positives, test.stays)}"),
        ("Left out of training", f"{count(excluded)} of {count(card.cohort.found)} stays"),
    )


def _side(patients: int, stays: int) -> str:
    return f"{count(stays)} stays of {count(patients)} patients"


def _outcomes(positives: int, stays: int) -> str:
    share = f" ({percent(positives / stays)})" if stays else ""
    return f"{count(positives)} stays with the outcome{share}"


def _line(name: str, metric: Metric) -> MetricLine:
    title, meaning = METRICS.get(name, name.replace("_", " ")), MEANINGS.get(name, "")
    if metric.value is None:
        return MetricLine(title, "–", metric.reason or "", meaning, sure=False)
    if metric.interval is None:
        return MetricLine(title, f"{metric.value:.3f}", metric.why_no_interval, meaning, sure=False)
    return MetricLine(title, f"{metric.value:.3f}", "{:.3f} to {:.3f}".format(*metric.interval), meaning)
