"""Words for readers: times, spans, counts, reasons and addresses."""

import re
from types import ModuleType

import pandas as pd
import pytest

from wardround.core import events, exclusion
from wardround.report.report_words import (
    address,
    count,
    moment,
    percent,
    reason_in_words,
    seconds,
    span,
    without_references,
)
from wardround.sources.fhir import encounters, observation, observations


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.001, "less than 1 min"),
        (0.5, "30 min"),
        (0.999, "1 h"),
        (1.4, "1 h"),
        (23.4, "23 h"),
        (23.6, "1 d 0 h"),
        (76, "3 d 4 h"),
        (float("nan"), "–"),
    ],
)
def test_hours_become_minutes_hours_or_days(hours: float, words: str) -> None:
    assert span(hours) == words


@pytest.mark.parametrize(("value", "words"), [(0.417, "0.42 s"), (12.34, "12.3 s"), (245, "4 min 5 s")])
def test_longer_durations_have_fewer_decimals(value: float, words: str) -> None:
    assert seconds(value) == words


def test_a_time_is_shown_in_utc() -> None:
    assert moment(pd.Timestamp("2026-01-02T00:00-05:00")) == "2 January 2026, 05:00 UTC"


def test_counts_and_shares_use_narrow_spaces() -> None:
    assert (count(1234567), percent(0.4213)) == ("1\u202f234\u202f567", "42.1\u202f%")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("under_age", "Younger than the cohort's minimum age"),
        ("quality:age is between 18 and 130 years", "Broke a validation rule: age is between 18 and 130 years"),
        ("task:check_quality", "The step check quality failed"),
        ("refer:patient_not_there", "The patient is unknown where results are written: patient not there"),
        ("a reason: of its own", "a reason: of its own"),
    ],
)
def test_reasons_are_shown_in_words(reason: str, words: str) -> None:
    assert reason_in_words(reason) == words


def test_ids_of_resources_are_taken_out_of_a_text() -> None:
    assert without_references("Observation/ab-1.2 of Patient/x9: 400") == "Observation of Patient: 400"


def test_an_address_loses_what_could_be_a_secret() -> None:
    assert address("https://user:secret@fhir.example/r4?token=secret#x") == "https://fhir.example/r4"
    assert address("exports/ward") == "exports/ward"


@pytest.mark.parametrize("module", [events, encounters, observation, observations])
def test_every_reason_of_the_sources_has_its_words(module: ModuleType) -> None:
    reasons = [value for name, value in vars(module).items() if re.fullmatch(r"[A-Z_]+", name) and is_reason(value)]
    assert reasons
    assert [reason for reason in reasons if reason_in_words(reason) == reason] == []


def is_reason(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z_]+", value) is not None


def test_every_reason_for_an_exclusion_has_its_words() -> None:
    listed = (exclusion.reasons_against.__doc__ or "").partition("that applies:")[2]
    reasons = re.findall(r"\w+", listed)
    assert "under_age" in reasons
    assert [reason for reason in reasons if reason_in_words(reason) == reason] == []
