"""Which units each variable accepts: the texts it lists first, then UCUM, then the conversions that it lists."""

from pathlib import Path

import pytest

from wardround.spec.loading import load_variables
from wardround.spec.units import UnitConversion, conversion

# Variable, unit, a value in that unit, the value in the variable's canonical unit; worked out by hand.
READ = [
    ("heart_rate", "bpm", 80, 80), ("heart_rate", "1/min", 80, 80), ("heart_rate", "{Beats}/min", 80, 80),
    ("heart_rate", "min-1", 80, 80), ("heart_rate", "/s", 1.5, 90), ("respiratory_rate", "/h", 960, 16),
    ("body_temperature", "C", 37, 37), ("body_temperature", "F", 98.6, 37), ("body_temperature", "K", 310.15, 37),
    ("body_temperature", "[degF]", 98.6, 37), ("body_temperature", "degF", 98.6, 37),
    ("spo2", "1", 0.97, 97), ("fio2", "1", 0.4, 40), ("fio2", "{FiO2}", 0.4, 40), ("fio2", "", 40, 40),
    ("systolic_pressure", "kPa", 16, 120.009852), ("mean_pressure", "mm Hg", 80, 80), ("peep", "mbar", 5, 5.098581),
    ("peep", "hPa", 5, 5.098581), ("po2", "kPa", 10, 75.006158), ("pco2", "kPa", 5.3, 39.753264),
    ("gcs_eye", "{score}", 4, 4), ("gcs_eye", "1", 4, 4), ("gcs_eye", "", 4, 4), ("gcs_eye", "{points}", 4, 4),
    ("white_cells", "/nL", 8, 8), ("white_cells", "/uL", 8000, 8), ("white_cells", "10*3/mm3", 8, 8),
    ("white_cells", "10*9/l", 8, 8), ("white_cells", "G/l", 8, 8), ("platelets", "10^3/uL", 210, 210),
    ("platelets", "x10^9/L", 210, 210), ("white_cells", "Gpt/L", 8, 8),
    ("platelets", "{cells}/uL", 210000, 210), ("platelets", "/µL", 210000, 210),
    ("platelets", "K/uL", 210, 210), ("platelets", "K/µL", 210, 210),
    ("lactate", "mmol/l", 2, 2), ("lactate", "umol/L", 2000, 2), ("lactate", "mg/dl", 18.02, 2),
    ("lactate", "mg/L", 180.2, 2),
    ("creatinine", "mg/dl", 1.1, 1.1), ("creatinine", "µmol/l", 88.4, 1), ("creatinine", "nmol/mL", 88.4, 1),
    ("creatinine", "mmol/L", 0.0884, 1), ("creatinine", "mg/L", 11, 1.1), ("bilirubin", "umol/l", 17.1, 1),
    ("urea_nitrogen", "mmol/l", 10, 28.01), ("glucose", "mmol/l", 5, 90.08), ("glucose", "g/l", 0.9, 90),
    ("hemoglobin", "g/l", 98, 9.8), ("hemoglobin", "g%", 9.8, 9.8), ("albumin", "g/L", 40, 4),
    ("sodium", "meq/L", 140, 140), ("sodium", "mEq/L", 140, 140), ("potassium", "meq/l", 4.1, 4.1),
    ("potassium", "umol/mL", 4, 4),
    ("ph", "1", 7.4, 7.4), ("ph", "pH", 7.4, 7.4), ("ph", "[pH]", 7.4, 7.4), ("inr", "{ratio}", 1.1, 1.1),
    ("inr", "1", 1.1, 1.1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "unit", "value", "canonical"), READ)
def test_a_variable_reads_this_unit(schemas: Path, name: str, unit: str, value: float, canonical: float) -> None:
    found = load_variables(schemas)[name].conversion(unit)
    assert found
    assert value * found.factor + found.offset == pytest.approx(canonical, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("heart_rate", ""), ("heart_rate", "/m"), ("heart_rate", "min"), ("heart_rate", "1"), ("heart_rate", "BPM"),
        ("lactate", "meq/L"), ("lactate", "mmol"), ("glucose", "%"), ("creatinine", "mEq/L"), ("creatinine", "mmol"),
        ("hemoglobin", "mL/dL"), ("hemoglobin", "mmol/L"), ("hemoglobin", "%"), ("platelets", "/L2"),
        ("platelets", "10*3"),
        ("inr", "%"), ("gcs_eye", "%"), ("ph", "%"), ("ph", "nmol/L"), ("fio2", "L/min"), ("fio2", "mm[Hg]"),
        ("spo2", ""),
        ("white_cells", "%"), ("body_temperature", "Cel/h"), ("body_temperature", "mC"), ("albumin", "g"),
    ],
)  # fmt: skip
def test_a_variable_does_not_guess_this_unit(schemas: Path, name: str, unit: str) -> None:
    assert load_variables(schemas)[name].conversion(unit) is None


def test_each_variable_reads_its_own_unit_and_what_it_lists(schemas: Path) -> None:
    for variable in load_variables(schemas).values():
        assert variable.conversion(variable.unit) == UnitConversion()
        assert all(variable.conversion(unit) for unit in variable.units)


def test_a_listed_conversion_with_an_offset_holds_for_units_that_measure_the_same() -> None:
    units = {"Cel": UnitConversion(factor=2, offset=5)}
    found = conversion("[degF]", "[iU]", units)
    assert 98.6 * found.factor + found.offset == pytest.approx(37 * 2 + 5)
