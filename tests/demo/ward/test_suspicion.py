"""Tests the orders of the synthetic ward: suspicion follows the simulated sepsis, and orders are within the stay."""

import numpy as np
import pytest

from wardround.demo.ward.course import Course, run_course
from wardround.demo.ward.patients import HOUR, Batch, WardPatients, make_patients
from wardround.demo.ward.suspicion import Treatment, treat

NOW = 1_767_330_000


@pytest.fixture(scope="module")
def ward() -> tuple[WardPatients, Course, Treatment]:
    rng = np.random.default_rng(5)
    cohort = make_patients(Batch(first=0, count=500, now=NOW, discharged=True), rng)
    course = run_course(cohort.illness, int(np.ceil(cohort.hours.max())) + 1, rng)
    return cohort, course, treat(cohort, course, rng)


def test_cultures_of_septic_stays_are_taken_hours_after_the_response_begins(ward) -> None:
    cohort, _, treatment = ward
    orders = treatment.cultures
    hour = (orders.start - cohort.intime[orders.stay]) / HOUR
    septic = cohort.septic[orders.stay] & (cohort.illness.onset[orders.stay] > 0)
    after = hour[septic] - cohort.illness.onset[orders.stay][septic]
    assert septic.sum() > 20
    assert (after >= 1 - 1 / 60).all()
    assert (after <= 4).all()


def test_some_are_suspected_or_treated_without_being_septic_and_most_are_not(ward) -> None:
    cohort, _, treatment = ward
    for orders, most in ((treatment.cultures, 0.12), (treatment.antibiotics, 0.25), (treatment.vasopressors, 0.08)):
        others = (~cohort.septic[orders.stay]).sum() / (~cohort.septic).sum()
        assert 0 < others < most


def test_stays_with_a_quiet_start_are_septic_and_not_ventilated(ward) -> None:
    cohort, _, _ = ward
    acquired = cohort.septic & (cohort.illness.onset > 4.5)
    assert 0.03 < acquired.mean() < 0.12
    assert not cohort.ventilated[acquired].any()
    assert (cohort.hours[acquired] > cohort.illness.onset[acquired] + 8).all()


def test_orders_are_within_their_stay_and_end_after_they_begin(ward) -> None:
    cohort, _, treatment = ward
    for orders in (treatment.antibiotics, treatment.vasopressors, treatment.urine):
        assert (orders.start >= cohort.intime[orders.stay]).all()
        assert (orders.start <= cohort.outtime[orders.stay]).all()
    assert (treatment.vasopressors.stop > treatment.vasopressors.start).all()


def test_orders_after_now_are_left_out(ward) -> None:
    orders = ward[2].vasopressors
    middle = int(np.median(orders.start))
    known = orders.known(middle)
    assert 0 < len(known.stay) < len(orders.stay)
    assert known.stop.max() <= middle


def test_a_day_of_urine_is_a_litre_or_two(ward) -> None:
    cohort, _, treatment = ward
    millilitres = np.bincount(treatment.urine.stay, treatment.urine.value, len(cohort.hours)) / cohort.hours * 24
    assert 900 < np.median(millilitres) < 1900
