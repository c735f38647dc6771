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
    assert ((one.system, one.code), one.display, one.observations) == (NO_CODE, "", 2)


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


def test_a_code_that_was_met_before_the_limit_is_counted_beyond_it(monkeypatch) -> None:
    monkeypatch.setattr("wardround.core.unmapped_codes._DIFFERENT", 2)
    a, b, c = ((HOUSE, code, "") for code in "ABC")
    found = counted(([a], None, "p"), ([b], None, "p"), ([c, a], None, "q"), ([a], None, "p"))
    assert [(one.code, one.observations, one.patients) for one in found.most_frequent()] == [("A", 3, 2), ("B", 1, 1)]
    assert (found.beyond, found.observations) == (1, 4)


def test_the_three_most_frequent_units_are_named_the_most_frequent_first() -> None:
    code = [(HOUSE, "A", "")]
    units = ["a", "b", "c", "c", "d", "d", "d", "b", "d"]
    (one,) = counted(*((code, unit, "p") for unit in units)).most_frequent()
    assert one.units == ("d", "b", "c")


def test_of_too_many_units_the_later_ones_are_not_kept(monkeypatch) -> None:
    monkeypatch.setattr("wardround.core.unmapped_codes._DIFFERENT", 2)
    (one,) = counted(*(([(HOUSE, "A", "")], unit, "p") for unit in "xyzzz")).most_frequent()
    assert one.units == ("x", "y")


def test_a_draft_lists_systems_by_name_and_codes_by_how_often_they_occur() -> None:
    found = counted(
        ([("urn:z", "LÄNGE", "Größe")], None, "a"),
        ([(HOUSE, "B", "")], "mg", "a"),
        ([(HOUSE, "A", "")], "mg", "a"),
        *(([(HOUSE, "PULS", "Puls")], unit, "ab"[n % 2]) for n, unit in enumerate(["/min", "bpm", "/min"])),
        ([(HOUSE, None, "no code")], None, "a"),
        ([(None, "X", "no system")], None, "a"),
        *(([], None, "a"),) * 1000,
    )
    text = draft(found.most_frequent(), found.observations)
    assert text.startswith("# Draft of a source map, made from 1,008 Observations whose codes no variable names.\n")
    head, lines = text.split("when a system follows\n")
    assert head.endswith("codes: []   # without the [] ")
    assert lines.splitlines() == [
        '#  - system: "urn:oid:1.2.3"',
        "#    means:",
        '#      "PULS":   # Puls; /min, bpm; 3 times, 2 patients',
        '#      "A":   # mg; 1 times, 1 patients',
        '#      "B":   # mg; 1 times, 1 patients',
        '#  - system: "urn:z"',
        "#    means:",
        '#      "LÄNGE":   # Größe; no unit; 1 times, 1 patients',
        "# Cannot be mapped, because they have no system or no code: 1,002 Observations.",
    ]


def test_a_draft_is_a_map_that_maps_nothing_yet() -> None:
    found = counted(([(HOUSE, "PULS", "Puls: radial #1")], "/min", "a"), ([], None, "a"))
    text = draft(found.most_frequent(), found.observations)
    assert SourceMap.model_validate(yaml.safe_load(text)).codes == ()
    assert "Cannot be mapped, because they have no system or no code: 1 Observations." in text


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
