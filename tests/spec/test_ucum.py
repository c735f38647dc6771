"""Every UCUM spelling of a unit converts by exactly 1; text that is not a known unit measures nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.spec.ucum import measure
from wardround.spec.units import UnitConversion, between

# Worked out by hand: how many of the base unit at the end of the row each atom is.
LITRES = {"L": 1, "l": 1, "dL": 0.1, "dl": 0.1, "mL": 1e-3, "ml": 1e-3, "uL": 1e-6, "ul": 1e-6, "µL": 1e-6, "nL": 1e-9,
          "mm3": 1e-6, "cm3": 1e-3, "dm3": 1, "m3": 1000}  # fmt: skip
GRAMS = {"kg": 1000, "g": 1, "mg": 1e-3, "ug": 1e-6, "ng": 1e-9}
MOLES = {"mol": 1, "mmol": 1e-3, "umol": 1e-6, "μmol": 1e-6, "nmol": 1e-9}
COUNTS = {"10*3": 1e3, "10^3": 1e3, "10*9": 1e9, "{cells}": 1, "1": 1, "": 1, "10*6{x}": 1e6}
MINUTES = {"min": 1, "h": 60, "s": 1 / 60, "d": 1440}
PASCALS = {"Pa": 1, "kPa": 1000, "hPa": 100, "mbar": 100, "bar": 100_000, "mm[Hg]": 133.322387415, "cm[H2O]": 98.0665}


@pytest.mark.parametrize("numerators", [GRAMS, MOLES, COUNTS])
@given(data=st.data())
def test_concentrations_convert_by_the_quotient_of_both_parts(numerators, data) -> None:
    mine, theirs = (
        (data.draw(st.sampled_from(sorted(numerators))), data.draw(st.sampled_from(sorted(LITRES)))) for _ in range(2)
    )
    factor = numerators[mine[0]] / LITRES[mine[1]] / (numerators[theirs[0]] / LITRES[theirs[1]])
    found = between(f"{mine[0]}/{mine[1]}", f"{theirs[0]}/{theirs[1]}")
    assert (found.factor, found.offset) == (pytest.approx(factor, rel=1e-12), 0)


@given(st.sampled_from(sorted(PASCALS)), st.sampled_from(sorted(PASCALS)))
def test_pressures_convert(mine, theirs) -> None:
    assert between(mine, theirs).factor == pytest.approx(PASCALS[mine] / PASCALS[theirs], rel=1e-12)


@given(st.sampled_from(sorted(MINUTES)), st.sampled_from(["/{}", "1/{}", "{{beats}}/{}", "{}-1", "/{}{{x}}"]))
def test_rates_convert_in_every_spelling(unit, spelling) -> None:
    assert between(spelling.format(unit), "/min").factor == pytest.approx(1 / MINUTES[unit], rel=1e-12)


@given(st.floats(-100, 1000))
def test_temperatures_convert_whatever_their_zero(celsius) -> None:
    spelled = {"Cel": celsius, "K": celsius + 273.15, "[degF]": celsius * 1.8 + 32, "Cel{axillary}": celsius}
    for mine, value in spelled.items():
        for theirs, expected in spelled.items():
            found = between(mine, theirs)
            assert value * found.factor + found.offset == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("10*9/L", "10*3/uL"), ("10*9/l", "/nL"), ("10*3/mm3", "/nL"), ("10*3.uL-1", "10*6/mL"), ("10^3/uL", "10*3/uL"),
        ("mmol/l", "mmol/L"), ("mol/m3", "mmol/L"), ("(mmol)/L", "mmol/L"), ("mmol.L-1", "mmol/L"), ("mg/dl", "mg%"),
        ("{score}", "1"), ("{INR}", "{ratio}"), ("mm[Hg]{arterial}", "mm[Hg]"), ("µmol/L", "umol/l"), ("Hz", "/s"),
        ("g%", "g/dL"), ("U/L", "umol/min/L"), ("[IU]/L", "[iU]/L"), ("m/s/s", "m/s2"), ("/100{WBC}", "%{WBC}"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_unit_convert_by_exactly_one(one, same) -> None:
    assert between(one, same) == between(same, one) == UnitConversion()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "bpm", "mmHg", "mm Hg", "mEq/L", "K/uL.", "°C", "MMOL/L", "Mmol//L", "mmol/", "/", "//min",
        "mmol/L)", "(mmol",
        "{", "{a", "a}", "{a}{b}", "()", "mg dL", "mg/ dL", "10*3uL", "100", "258797006", "0", "/0", "m99999",
        "10*99999999",
        "Cel/s", "mCel", "Cel2", "١/min", "(" * 30 + "g" + ")" * 30, "g." * 40 + "g", "[unknown]", "[]",
        "mg/dL\n", "None",
    ],
)  # fmt: skip
def test_an_unknown_unit_measures_nothing(text) -> None:
    assert measure(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mmol/L", "mmol"), ("mmol/L", "mg/dL"), ("meq/L", "mmol/L"), ("mosm/kg", "mmol/kg"), ("[iU]/L", "/L"),
        ("mL/dL", "g/dL"), ("[pH]", "1"), ("m", "min"), ("K/uL", "10*3/uL"), ("/m", "/min"), ("%", "{INR}"),
        ("g/L", "L/g"),
    ],
)  # fmt: skip
def test_units_of_other_quantities_do_not_convert(one, other) -> None:
    assert measure(one)
    assert between(one, other) is None


@given(st.text(st.sampled_from("m sgLlolKPa%10*^9-+./(){}[]HgCeldegFiUpH°µ²\n\x00"), max_size=70))
def test_any_text_is_a_unit_or_none_and_never_an_error(text) -> None:
    found = measure(text)
    assert found is None or found.scale > 0
    assert between(text, text) in (None, UnitConversion())
    assert between(text, "mmol/L") is None or between("mmol/L", text)


def test_a_factor_too_large_for_a_float_gives_no_conversion() -> None:
    assert between(".".join(["Ym24"] * 10), ".".join(["ym24"] * 10)) is None
    assert between(".".join(["ym24"] * 10), ".".join(["Ym24"] * 10)) is None
