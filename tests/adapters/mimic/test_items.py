"""Every item id of variables.yaml against what MIMIC's own dictionaries call it."""

import csv
import gzip
from pathlib import Path

import pytest

from wardround.spec.loading import load_variables

LABELS = {
    "heart_rate": {220045: "Heart Rate"},
    "respiratory_rate": {220210: "Respiratory Rate", 224690: "Respiratory Rate (Total)"},
    "body_temperature": {223762: "Temperature Celsius", 223761: "Temperature Fahrenheit"},
    "spo2": {220277: "O2 saturation pulseoxymetry"},
    "systolic_pressure": {
        220050: "Arterial Blood Pressure systolic",
        220179: "Non Invasive Blood Pressure systolic",
    },
    "mean_pressure": {
        220052: "Arterial Blood Pressure mean",
        225312: "ART BP Mean",
        220181: "Non Invasive Blood Pressure mean",
    },
    "white_cells": {51301: "White Blood Cells", 51300: "WBC Count"},
    "lactate": {50813: "Lactate"},
    "creatinine": {50912: "Creatinine"},
    "platelets": {51265: "Platelet Count"},
    "bilirubin": {50885: "Bilirubin, Total"},
}
DICTIONARY = {"chartevents": "icu/d_items", "labevents": "hosp/d_labitems"}


def test_each_variable_uses_the_items_written_here_and_no_others(schemas: Path) -> None:
    used = {name: set(variable.mimic.itemids) for name, variable in load_variables(schemas).items()}
    assert used == {name: set(labels) for name, labels in LABELS.items()}


@pytest.mark.mimic
@pytest.mark.parametrize("name", LABELS)
def test_mimic_calls_the_items_by_these_labels(mimic_demo: Path, schemas: Path, name: str) -> None:
    table = load_variables(schemas)[name].mimic.table
    with gzip.open(mimic_demo / f"{DICTIONARY[table]}.csv.gz", "rt", encoding="utf-8") as file:
        rows = {int(row["itemid"]): row for row in csv.DictReader(file)}
    for itemid, label in LABELS[name].items():
        assert rows[itemid]["label"] == label
        assert rows[itemid].get("linksto", table) == table


@pytest.mark.mimic
@pytest.mark.parametrize("itemid", [50813, 50912, 51265, 51301, 51300, 50885])
def test_laboratory_items_are_of_blood(mimic_demo: Path, itemid: int) -> None:
    with gzip.open(mimic_demo / "hosp" / "d_labitems.csv.gz", "rt", encoding="utf-8") as file:
        fluids = {int(row["itemid"]): row["fluid"] for row in csv.DictReader(file)}
    assert fluids[itemid] == "Blood"
