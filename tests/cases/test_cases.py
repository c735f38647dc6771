"""Every case gives its features through every source, and all sources agree on every column to 1e-9."""

import pandas as pd
import pytest


def check(row: pd.Series, expected: dict[str, float | None]) -> None:
    for column, value in expected.items():
        wanted = float("nan") if value is None else pytest.approx(value, abs=0.01 if column == "age" else 1e-9)
        found = row[column]
        assert (pd.isna(found) and value is None) or found == wanted, f"{column}: {found}, expected {value}"


def test_every_mimic_case_holds_through_every_source(mimic_case, mimic_results, stay_of):
    for source, features in mimic_results.items():
        row = features.loc[stay_of(mimic_case)]
        assert row is not None, source
        check(row, mimic_case.content["features"])


def test_every_fhir_case_holds_through_folder_and_server(fhir_case, fhir_results, stay_of):
    for features in fhir_results.values():
        check(features.loc[stay_of(fhir_case)], fhir_case.content["features"])


def test_all_sources_give_equal_tables(mimic_results):
    csv, *others = mimic_results.values()
    for other in others:
        pd.testing.assert_frame_equal(csv.sort_index(), other.sort_index(), check_exact=False, rtol=0, atol=1e-9)
