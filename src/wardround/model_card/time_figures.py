"""Prepares what a model's ranking owes to the time since the stay began, as a table of text."""

from dataclasses import dataclass
from typing import Final

from wardround.model_card.card_words import line, metric_name
from wardround.report.model_facts import MetricLine
from wardround.report.report_words import count
from wardround.training.model import ModelCard

_SHOWN: Final = ("auroc", "auprc")
_MATCHED: Final = (
    " They are at hours matched between stays with and without the outcome, to which the model was fitted. Stays that"
    " are compared at the same hours hardly differ in time, so that time alone is near 0.5 here by design. At all hours"
    " of a unit it may tell more."
)


@dataclass(frozen=True)
class TimeTable:
    """The names of the figures; a line for all inputs, without time and of time alone; and what they are of."""

    names: tuple[str, ...]
    lines: tuple[tuple[str, tuple[MetricLine, ...]], ...]
    note: str


def time_table(card: ModelCard) -> TimeTable | None:
    """Returns the figures; None if no input is a time since the stay began, or nothing was measured."""
    found = card.by_time
    if found is None:
        return None
    inputs = " and ".join(card.about.inputs.get(column, column).lower() for column in found.columns)
    return TimeTable(
        names=tuple(metric_name(name) for name in _SHOWN),
        lines=tuple(
            (with_what, tuple(line(metric_name(name), metrics.get(name)) for name in _SHOWN))
            for with_what, metrics in (
                ("All inputs", found.all_inputs),
                ("Without this time", found.without_time),
                ("This time alone", found.time_alone),
            )
        ),
        note=(
            f"The time since the stay began ({inputs}) advances whatever happens to the patient. What is left without"
            " it is what the model knows of the patient; what it reaches alone is known from the hour of the stay."
            f" Measured on {count(found.rows)} predictions of the training set, each scored by a model that had not"
            " seen the patient. Where intervals overlap, or are missing, these patients can hardly tell the lines"
            " apart."
            f"{_MATCHED if _fitted_on_matched(card) else ''}"
        ),
    )


def _fitted_on_matched(card: ModelCard) -> bool:
    design = card.design
    return design is not None and design.fitted_on == "matched"
