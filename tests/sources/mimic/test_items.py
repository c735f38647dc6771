"""Compares every item id in variables.yaml with its label in MIMIC's own dictionaries."""

import csv
import gzip
from pathlib import Path

import duckdb
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
    "diastolic_pressure": {
        220051: "Arterial Blood Pressure diastolic",
        225310: "ART BP Diastolic",
        220180: "Non Invasive Blood Pressure diastolic",
    },
    "gcs_eye": {220739: "GCS - Eye Opening"},
    "gcs_verbal": {223900: "GCS - Verbal Response"},
    "gcs_motor": {223901: "GCS - Motor Response"},
    "fio2": {223835: "Inspired O2 Fraction"},
    "peep": {220339: "PEEP set"},
    "po2": {50821: "pO2"},
    "pco2": {50818: "pCO2"},
    "ph": {50820: "pH"},
    "base_excess": {50802: "Base Excess"},
    "bicarbonate": {50882: "Bicarbonate"},
    "urea_nitrogen": {51006: "Urea Nitrogen", 52647: "Urea Nitrogen"},
    "glucose": {50931: "Glucose", 50809: "Glucose"},
    "potassium": {50971: "Potassium", 50822: "Potassium, Whole Blood"},
    "sodium": {50983: "Sodium", 50824: "Sodium, Whole Blood"},
    "hemoglobin": {51222: "Hemoglobin", 50811: "Hemoglobin", 51640: "Hemoglobin"},
    "inr": {51237: "INR(PT)", 51675: "INR(PT)"},
    "albumin": {50862: "Albumin"},
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
def test_laboratory_items_are_of_blood(mimic_demo: Path, schemas: Path) -> None:
    with gzip.open(mimic_demo / "hosp" / "d_labitems.csv.gz", "rt", encoding="utf-8") as file:
        fluids = {int(row["itemid"]): row["fluid"] for row in csv.DictReader(file)}
    variables = load_variables(schemas).values()
    items = [itemid for each in variables if each.mimic.table == "labevents" for itemid in each.mimic.itemids]
    assert {fluids[itemid] for itemid in items} == {"Blood"}


@pytest.mark.mimic
@pytest.mark.parametrize("table", ["chartevents", "labevents"])
def test_every_unit_that_mimic_writes_for_an_item_is_known(mimic_demo: Path, schemas: Path, table: str) -> None:
    folder = "icu" if table == "chartevents" else "hosp"
    path = mimic_demo / folder / f"{table}.csv.gz"
    items = {itemid: each for each in load_variables(schemas).values() for itemid in each.mimic.itemids}
    query = f"""
        SELECT DISTINCT itemid, coalesce(trim(valueuom), '') FROM read_csv('{path}', all_varchar=true)
        WHERE valuenum IS NOT NULL"""
    found = [(items[int(itemid)], unit) for itemid, unit in duckdb.sql(query).fetchall() if int(itemid) in items]
    assert found
    assert {
        (each.name, unit) for each, unit in found if not each.conversion(unit) and each.mimic.table == table
    } == set()
