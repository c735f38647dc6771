"""What a house codes in its own way is counted by code, and nothing of a patient stays."""

import yaml

from wardround.core.source_map_draft import draft
from wardround.core.unmapped_codes import NO_CODE, UnmappedCodes
from wardround.spec.source_maps import SourceMap

HOUSE = "urn:oid:1.2.3"


def counted(*observations: tuple[list[tuple[object, object, object]], object, str]) -> UnmappedCodes:
    unmapped = UnmappedCodes()
    for codings, unit, patient in observations:
        unmapped.add(codings, unit, patient)
    return unmapped


def test_codes_are_counted_by_observations_and_patients() -> None:
    puls = [(HOUSE, "PULS", "Puls")]
    found = counted((puls, "/min", "a"), (puls, "bpm", "a"), (puls, "/min", "b"), ([(HOUSE, "X", None)], None, "b"))
    first, second = found.most_frequent()
    assert (first.code, first.display, first.units, first.observations, first.patients) == (
        *("PULS", "Puls", ("/min", "bpm")),
        *(3, 2),
    )
    assert (second.code, second.units, second.observations) == ("X", (), 1)
    assert found.observations == 4


def test_every_coding_counts_as_each_could_be_mapped() -> None:
    found = counted(([(HOUSE, "A", ""), ("urn:other", "B", "")], None, "a"))
    assert [one.code for one in found.most_frequent()] == ["A", "B"]


def test_what_has_no_code_is_counted_too() -> None:
    (one,) = counted(([], None, "a"), ([(None, 7, {})], [], "b")).most_frequent()
    assert ((one.system, one.code), one.observations) == (NO_CODE, 2)


def test_a_houses_words_are_cut_short_and_tell_a_terminal_nothing() -> None:
    (one,) = counted(([(HOUSE, "A" * 500, "\x1b[31mred\n" + "b" * 500)], "\x07mg", "a")).most_frequent()
    assert len(one.code) == 80
    assert len(one.display) <= 80
    assert one.display.startswith("[31mred")
    assert one.units == ("mg",)


def test_after_so_many_codes_the_rest_is_counted_together(monkeypatch) -> None:
    monkeypatch.setattr("wardround.core.unmapped_codes._DIFFERENT", 2)
    found = counted(*(([(HOUSE, str(number), "")], None, "a") for number in range(5)))
    assert (len(found.most_frequent()), found.beyond, found.observations) == (2, 3, 5)


def test_a_draft_is_a_map_that_maps_nothing_yet() -> None:
    found = counted(([(HOUSE, "PULS", "Puls: radial #1")], "/min", "a"), ([], None, "a"))
    text = draft(found.most_frequent(), found.observations)
    assert SourceMap.model_validate(yaml.safe_load(text)).codes == ()
    assert "Without a system or a code, and so not to be mapped: 1 Observations." in text


def test_a_draft_whose_lines_are_filled_in_is_a_map() -> None:
    text = draft(counted(([(HOUSE, "PULS", "Puls: #1")], "/min", "a")).most_frequent(), 1)
    filled = (
        text.replace("codes: []   #", "codes:   #")
        .replace("#  - system", "  - system")
        .replace("#    means", "    means")
    )
    filled = filled.replace('#      "PULS":', '      "PULS": heart_rate')
    (system,) = SourceMap.model_validate(yaml.safe_load(filled)).codes
    assert (system.system, system.means) == (HOUSE, {"PULS": "heart_rate"})
