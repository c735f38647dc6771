"""Small groups are not shown and cannot be found by subtraction."""

import numpy as np
import pandas as pd

from wardround.evaluation.results import Subgroups
from wardround.evaluation.samples import Sample
from wardround.evaluation.subgroups import subgroups_of
from wardround.evaluation.tallies import Scores


def by_age(**groups: tuple[int, int]) -> Subgroups:
    """Returns subgroups by age of patients with one stay each; per group: how many, and how many with the outcome."""
    bands = [name for name, (patients, _) in groups.items() for _ in range(patients)]
    outcome = [place < positives for patients, positives in groups.values() for place in range(patients)]
    ids = [f"p{place}" for place in range(len(bands))]
    rows = pd.DataFrame({"stay_id": ids, "patient_id": ids, "outcome": np.array(outcome, dtype=int), "age_band": bands})
    rows[["sex_group", "unit", "race"]] = ""
    scores = Scores(np.linspace(0, 1, len(rows)), 0.5)
    return next(
        each
        for each in subgroups_of(rows, scores, Sample.by_chance(rows["patient_id"]))
        if each.attribute == "age_band"
    )


def test_a_group_with_few_patients_or_few_outcomes_is_only_counted() -> None:
    found = by_age(young=(9, 5), middle=(30, 12), old=(40, 4), oldest=(20, 10))
    assert ([cell.group for cell in found.cells], found.suppressed) == (["middle", "oldest"], 2)
    assert found.reason is None


def test_a_single_small_group_takes_the_smallest_of_the_others_with_it() -> None:
    found = by_age(young=(9, 5), middle=(30, 12), old=(20, 10))
    assert ([cell.group for cell in found.cells], found.suppressed) == (["middle"], 2)


def test_one_small_group_of_two_hides_both() -> None:
    found = by_age(young=(9, 5), old=(30, 12))
    assert (found.cells, found.suppressed) == ((), 2)
    assert found.reason == "every group is too small to be shown, or would give a small one away"


def test_without_small_groups_all_are_shown() -> None:
    found = by_age(young=(10, 5), old=(30, 12))
    assert (len(found.cells), found.suppressed) == (2, 0)


def test_the_stays_of_one_patient_do_not_make_a_group_large_enough() -> None:
    """Six stays with the outcome, all of one patient, would say what became of that patient."""
    patients = [f"p{place}" for place in range(20)] + ["p0"] * 5
    rows = pd.DataFrame({"stay_id": [f"s{place}" for place in range(25)], "patient_id": patients})
    rows["outcome"] = (rows["patient_id"] == "p0").astype(int)
    rows[["sex_group", "age_band", "unit", "race"]] = ["female", "", "", ""]
    found = subgroups_of(rows, Scores(np.linspace(0, 1, 25), 0.5), Sample.by_chance(rows["patient_id"]))[0]
    assert (found.cells, found.suppressed) == ((), 1)
