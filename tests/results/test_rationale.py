"""The reasons for a score, in words."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.frames import UsedEvent, used_of

from wardround.results import rationale
from wardround.results.rationale import Columns, Strongest, column_words, left_out_of
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition

UNKNOWN = float("nan")


@pytest.fixture
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


def with_demographics(condition: Condition, *names: str) -> Condition:
    return condition.model_copy(update={"features": condition.features.model_copy(update={"demographics": names})})


def rows(*values: Mapping[str, float], columns: Columns) -> np.ndarray:
    return np.array([[row[column] for column in columns.condition.columns] for row in values])


def strongest(row: Mapping[str, float], moves: Mapping[str, float], columns: Columns, top: int = 5) -> Strongest:
    (one,) = rationale.strongest(rows(row, columns=columns), rows(moves, columns=columns), columns, top)
    return one


def reasons(
    row: Mapping[str, float],
    moves: Mapping[str, float],
    used: Sequence[UsedEvent],
    columns: Columns,
    top: int = 5,
) -> tuple[str, ...]:
    values, contributions = rows(row, columns=columns), rows(moves, columns=columns)
    (texts,) = rationale.reasons(values, contributions, [used_of(used)], columns, top)
    return texts


def missing_inputs(row: Mapping[str, float], columns: Columns) -> tuple[str, ...]:
    (missing,) = rationale.missing_inputs(rows(row, columns=columns), columns)
    return missing


def reason(sepsis: Condition, column: str, value: float, *used: UsedEvent, contribution: float = 1.0) -> str:
    row = {**dict.fromkeys(sepsis.columns, UNKNOWN), column: value}
    contributions = {**dict.fromkeys(sepsis.columns, 0.0), column: contribution}
    (text,) = reasons(row, contributions, used, Columns.of(sepsis))
    return text


LACTATE = (
    UsedEvent("lactate", 20.0, 4.2, "Observation/1"),
    UsedEvent("lactate", 2.3, 4.2, "Observation/2"),
    UsedEvent("lactate", 1.0, 2.0, "Observation/3"),
)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("lactate__max_24h", 4.2, "Lactate, highest of the last 24 h: 4.2 mmol/L (2.3 h before)"),
        ("lactate__min_24h", 2.0, "Lactate, lowest of the last 24 h: 2 mmol/L (1.0 h before)"),
        ("lactate__last_24h", 2.0, "Lactate, latest of the last 24 h: 2 mmol/L (1.0 h before)"),
        ("lactate__first_24h", 4.2, "Lactate, first of the last 24 h: 4.2 mmol/L (20.0 h before)"),
        ("lactate__count_24h", 3.0, "Lactate, how often measured in the last 24 h: 3 times"),
        ("lactate__hours_since_last_24h", 1.0, "Lactate, time since it was last measured, within 24 h: 1.0 h"),
        ("lactate__max_24h", UNKNOWN, "Lactate, highest of the last 24 h: not known"),
        ("lactate__mean_24h", 3.4666, "Lactate, mean of the last 24 h: 3.47 mmol/L (3 values, latest 1.0 h before)"),
        ("lactate__last_24h", 12.0444, "Lactate, latest of the last 24 h: 12 mmol/L (1.0 h before)"),
        ("lactate__last_24h", 10.0, "Lactate, latest of the last 24 h: 10 mmol/L (1.0 h before)"),
        ("lactate__last_24h", 9.99, "Lactate, latest of the last 24 h: 9.99 mmol/L (1.0 h before)"),
        ("lactate__last_24h", 10.46, "Lactate, latest of the last 24 h: 10.5 mmol/L (1.0 h before)"),
        ("lactate__last_24h", 100.25, "Lactate, latest of the last 24 h: 100.2 mmol/L (1.0 h before)"),
        (
            "lactate__change_24h",
            -2.2,
            "Lactate, change over the last 24 h: -2.2 mmol/L (3 values, latest 1.0 h before)",
        ),
        (
            "lactate__change_24h",
            -12.25,
            "Lactate, change over the last 24 h: -12.2 mmol/L (3 values, latest 1.0 h before)",
        ),
        ("age", UNKNOWN, "Age: not known"),
        ("sex", 0.0, "Sex: female"),
        ("age", 63.9, "Age: 63 years"),
        ("sex", 1.0, "Sex: male"),
        ("sex", UNKNOWN, "Sex: not known"),
    ],
)
def test_a_reason_names_value_unit_and_age(sepsis: Condition, column: str, value: float, words: str) -> None:
    # A falling lactate raises no risk that a clinician would accept.
    falling = "change" in column
    told = reason(sepsis, column, value, *LACTATE, contribution=-1.0 if falling else 1.0)
    assert told == f"{words}; {'lowers' if falling else 'raises'} the risk"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("hours_in_unit", 30.0, "In the unit for 30 h"),
        ("hours_in_unit", 0.4, "In the unit for less than 1 h"),
        ("hours_in_unit", 71.4, "In the unit for 71 h"),
        ("hours_in_unit", 71.6, "In the unit for 3 days"),
        ("hours_in_hospital", 1000.0, "In the hospital for 42 days"),
        ("hours_in_hospital", UNKNOWN, "Time in the hospital: not known"),
    ],
)
def test_a_reason_names_the_time_since_a_begin(sepsis: Condition, column: str, value: float, words: str) -> None:
    timed = with_demographics(sepsis, "age", "hours_in_unit", "hours_in_hospital")
    assert reason(timed, column, value) == f"{words}; raises the risk"
    assert column_words(timed)["hours_in_unit"] == "Time in the unit"
    assert missing_inputs(dict.fromkeys(timed.columns, UNKNOWN), Columns.of(timed))[1] == "Time in the unit"


def test_a_summary_of_many_values_tells_how_many_and_how_old_the_latest_is(sepsis: Condition) -> None:
    pressures = [UsedEvent("mean_pressure", hours, 60.0, f"Observation/{hours}") for hours in (9.0, 4.0, 0.5)]
    assert reason(sepsis, "mean_pressure__mean_24h", 61.25, *pressures) == (
        "Mean blood pressure, mean of the last 24 h: 61.2 mmHg (3 values, latest 0.5 h before); raises the risk"
    )
    assert "-1.5 mmHg per hour (3 values" in reason(sepsis, "mean_pressure__slope_24h", -1.5, *pressures)
    rising = reason(sepsis, "mean_pressure__slope_24h", 1.5, *pressures, contribution=-1.0)
    assert " +1.5 mmHg per hour (3 values" in rising


def test_a_negative_contribution_lowers_the_risk(sepsis: Condition) -> None:
    assert reason(sepsis, "age", 20, contribution=-0.3).endswith("; lowers the risk")


def test_the_largest_contributions_come_first_and_ties_keep_the_order_of_the_columns(sepsis: Condition) -> None:
    row = dict.fromkeys(sepsis.columns, 1.0)
    contributions = {**dict.fromkeys(sepsis.columns, 0.0), "sex": -0.5, "age": 0.5 + 1e-15, "lactate__count_24h": 0.9}
    texts = reasons(row, contributions, (), Columns.of(sepsis), top=2)
    assert [text.split(",")[0].split(":")[0] for text in texts] == ["Lactate", "Age"]


def test_a_variable_speaks_once_with_the_sum_of_its_columns(sepsis: Condition) -> None:
    row = dict.fromkeys(sepsis.columns, 38.0)
    contributions = {
        **dict.fromkeys(sepsis.columns, 0.0),
        "body_temperature__last_24h": 0.2,
        "body_temperature__max_24h": 0.4,
        "body_temperature__min_24h": -0.1,
        "heart_rate__last_24h": 0.45,
    }
    row["heart_rate__last_24h"] = 120.0
    assert reasons(row, contributions, (), Columns.of(sepsis)) == (
        "Body temperature, highest of the last 24 h: 38 °C; raises the risk",
        "Heart rate, latest of the last 24 h: 120 /min; raises the risk",
    )


def test_a_column_that_moves_nothing_is_no_reason(sepsis: Condition) -> None:
    row = dict.fromkeys(sepsis.columns, 1.0)
    assert reasons(row, dict.fromkeys(sepsis.columns, 0.0), (), Columns.of(sepsis)) == ()


def test_an_input_is_missing_if_none_of_its_columns_is_known(sepsis: Condition) -> None:
    row = {column: 0.0 if "__count_" in column else UNKNOWN for column in sepsis.columns}
    row |= {column: 1.0 for column in sepsis.columns if "__missing_" in column} | {"peep__missing_24h": 0.0}
    row |= {"age": 50.0, "heart_rate__last_24h": 80.0, "heart_rate__count_24h": 1.0}
    missing = missing_inputs(row, Columns.of(sepsis))
    assert missing[0] == "Sex"
    assert "Lactate" in missing
    assert "Inspired oxygen" in missing
    assert "Positive end-expiratory pressure" not in missing
    assert "Heart rate" not in missing
    assert "Age" not in missing


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("fio2__missing_24h", 1.0, "Inspired oxygen, whether measured in the last 24 h: no;"),
        ("fio2__missing_24h", 0.0, "Inspired oxygen, whether measured in the last 24 h: yes;"),
        ("heart_rate__change_6h", 12.0, "Heart rate, change over the last 6 h: +12 /min"),
        ("heart_rate__std_24h", 4.26, "Heart rate, spread (standard deviation) over the last 24 h: 4.26 /min"),
        ("gcs_motor__min_24h", 5.0, "Glasgow Coma Scale, movement, lowest of the last 24 h: 5;"),
        ("ph__last_24h", 7.31, "pH of blood, latest of the last 24 h: 7.31;"),
    ],
)
def test_summaries_and_units_that_are_none_are_in_words(sepsis: Condition, column: str, value: float, words: str):
    assert reason(sepsis, column, value).startswith(words)


def test_of_a_short_window_only_its_own_values_are_counted_both_ends_included(sepsis: Condition) -> None:
    pulses = [UsedEvent("heart_rate", hours, 80.0, f"Observation/{hours}") for hours in (9.0, 6.0, 2.5)]
    assert "(2 values, latest 2.5 h before)" in reason(sepsis, "heart_rate__mean_6h", 80, *pulses)
    assert "(1 value, latest 6.0 h before)" in reason(sepsis, "heart_rate__mean_6h", 80, *pulses[:2])
    assert "mean of the last 6 h: 80 /min;" in reason(sepsis, "heart_rate__mean_6h", 80, *pulses[:1])


def test_the_ages_are_those_of_the_variables_own_values(sepsis: Condition) -> None:
    both = [UsedEvent("heart_rate", 3.0, 80.0, "Observation/1"), UsedEvent("lactate", 1.0, 2.0, "Observation/2")]
    assert "80 /min (3.0 h before)" in reason(sepsis, "heart_rate__last_24h", 80, *both)
    assert "2 mmol/L (1.0 h before)" in reason(sepsis, "lactate__last_24h", 2, *both)


def test_five_variables_speak_and_the_one_that_lowers_most_speaks_for_a_sum_below_zero(sepsis: Condition) -> None:
    # Values of a sick patient, who has every reason to be at risk; a pulse of 80 may lower it.
    sick = {"respiratory_rate": 30.0, "spo2": 80.0, "lactate": 8.0, "creatinine": 3.0, "platelets": 40.0}
    row = {column: sick.get(column.split("__")[0], 80.0) for column in sepsis.columns}
    names = ("heart_rate", "respiratory_rate", "spo2", "lactate", "creatinine", "platelets")
    moves = {f"{name}__last_24h": 1.0 - place / 10 for place, name in enumerate(names)}
    mixed = {"heart_rate__last_24h": -2.0, "heart_rate__max_24h": 0.5, "heart_rate__min_24h": -2.5}
    texts = reasons(row, {**dict.fromkeys(sepsis.columns, 0.0), **moves, **mixed}, (), Columns.of(sepsis))
    assert len(texts) == 5
    assert texts[0] == "Heart rate, lowest of the last 24 h: 80 /min; lowers the risk"
    assert [text.split(",")[0] for text in texts[1:]] == [
        "Respiratory rate", "Oxygen saturation", "Lactate", "Creatinine",
    ]  # fmt: skip


def test_every_column_has_words_and_no_two_the_same(sepsis: Condition) -> None:
    words = column_words(sepsis)
    assert list(words) == list(sepsis.columns)
    assert len(set(words.values())) == len(words)
    assert words["lactate__max_24h"] == "Lactate, highest of the last 24 h"
    assert (words["age"], words["sex"]) == ("Age", "Sex")


def test_missing_inputs_come_in_the_order_of_the_columns_by_their_names(sepsis: Condition) -> None:
    row = dict.fromkeys(sepsis.columns, UNKNOWN)
    displays = dict.fromkeys(sepsis.variables[feature.variable].display for feature in sepsis.feature_list)
    assert missing_inputs(row, Columns.of(sepsis)) == (
        "Age",
        "Sex",
        "Time in the unit",
        "Time in the hospital",
        *displays,
    )
    assert missing_inputs(dict.fromkeys(sepsis.columns, 0.5), Columns.of(sepsis)) == ()


def test_that_there_is_a_value_is_said_without_its_age(sepsis: Condition) -> None:
    oxygen = UsedEvent("fio2", 3.0, 0.4, "Observation/1")
    assert reason(sepsis, "fio2__missing_24h", 0.0, oxygen) == (
        "Inspired oxygen, whether measured in the last 24 h: yes; raises the risk"
    )


def test_a_window_that_is_no_full_hours_is_in_minutes(sepsis: Condition) -> None:
    of_lactate = next(group for group in sepsis.features.groups if "lactate" in group.variables)
    short = of_lactate.model_copy(update={"window": timedelta(minutes=90)})
    features = sepsis.features.model_copy(update={"groups": (short,)})
    words = column_words(sepsis.model_copy(update={"features": features}))
    assert words["lactate__max_90m"] == "Lactate, highest of the last 90 min"


@pytest.mark.parametrize(
    ("column", "value", "contribution"),
    [
        ("respiratory_rate__last_24h", 30.0, -1.0),
        ("respiratory_rate__min_24h", 6.0, -1.0),
        ("heart_rate__max_24h", 140.0, -1.0),
        ("body_temperature__last_24h", 39.5, -1.0),
        ("body_temperature__last_24h", 34.0, -1.0),
        ("lactate__max_24h", 6.0, -1.0),
        ("lactate__last_24h", 0.6, 1.0),
        ("lactate__change_24h", 2.0, -1.0),
        ("lactate__change_24h", -2.0, 1.0),
        ("spo2__min_24h", 82.0, -1.0),
        ("spo2__last_24h", 100.0, 1.0),
        ("mean_pressure__slope_24h", -2.0, -1.0),
        ("gcs_motor__min_24h", 1.0, -1.0),
    ],
)
def test_a_reason_against_what_is_clinically_expected_is_left_out_and_counted(
    sepsis: Condition, column: str, value: float, contribution: float
) -> None:
    expected = "Not shown: 1 input that moves the score against what is clinically expected"
    assert reason(sepsis, column, value, contribution=contribution) == expected
    assert reason(sepsis, column, value, contribution=-contribution) != expected


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("respiratory_rate__last_24h", 18.0),  # inside the usual range, whatever it does
        ("heart_rate__change_6h", 30.0),  # dangerous both ways: of a change nothing is expected
        ("heart_rate__std_24h", 25.0),
        ("lactate__count_24h", 12.0),
        ("lactate__hours_since_last_24h", 20.0),
        ("fio2__missing_24h", 1.0),
        ("lactate__max_24h", UNKNOWN),
        ("lactate__change_24h", 0.0),
        ("age", 91.0),
        ("sex", 1.0),
    ],
)
def test_of_what_nothing_is_expected_every_reason_is_shown(sepsis: Condition, column: str, value: float) -> None:
    for contribution in (1.0, -1.0):
        assert not reason(sepsis, column, value, contribution=contribution).startswith("Not shown")


def test_between_a_healthy_adult_and_the_compared_patient_nothing_is_plain(sepsis: Condition) -> None:
    """A lactate of 1.6 is more than a healthy adult's and less than that of the patients in the training data."""
    column = "lactate__max_24h"
    contributions = {**dict.fromkeys(sepsis.columns, 0.0), column: -1.0}
    row = {**dict.fromkeys(sepsis.columns, UNKNOWN), column: 1.6}
    compared, alone = Columns.of(sepsis, {column: 2.1}), Columns.of(sepsis)
    assert reasons(row, contributions, (), compared) == (
        "Lactate, highest of the last 24 h: 1.6 mmol/L; lowers the risk",
    )
    assert reasons(row, contributions, (), alone)[0].startswith("Not shown")


def test_others_take_the_place_of_what_is_left_out_and_the_last_reason_says_how_many(sepsis: Condition) -> None:
    row = {**dict.fromkeys(sepsis.columns, UNKNOWN), "lactate__last_24h": 9.0, "spo2__last_24h": 70.0, "age": 50.0}
    moves = {"lactate__last_24h": -3.0, "spo2__last_24h": -2.0, "age": -1.0, "sex": 0.5}
    contributions = {**dict.fromkeys(sepsis.columns, 0.0), **moves}
    shown, left_out = strongest(row, contributions, Columns.of(sepsis), top=1)
    assert ([move.column for move in shown], left_out) == (["age"], 2)
    texts = reasons(row, contributions, (), Columns.of(sepsis), top=1)
    assert texts[-1] == "Not shown: 2 inputs that move the score against what is clinically expected"
    assert left_out_of(texts) == 2
    assert left_out_of(texts[:-1]) == 0


def test_what_moves_less_than_those_shown_is_not_counted_as_left_out(sepsis: Condition) -> None:
    row = {**dict.fromkeys(sepsis.columns, UNKNOWN), "lactate__last_24h": 9.0, "age": 50.0}
    contributions = {**dict.fromkeys(sepsis.columns, 0.0), "age": 1.0, "lactate__last_24h": -0.5}
    assert strongest(row, contributions, Columns.of(sepsis), top=1)[1] == 0
