"""What a check says about when stays began: of how many it is known, which features will be missing, and why."""

import json

from click.testing import CliRunner

from wardround.cli.check_source import command
from wardround.demo.fhir_server.running import running_server


def checked(icu, *options: str) -> str:
    with running_server() as server:
        icu.upload(server.base_url)
        result = CliRunner().invoke(command, [server.base_url, *options])
    assert result.exit_code == 0
    return result.output


def hospital(icu, name: str, **changes: object) -> None:
    icu.stay(name, vitals=False, lactate=None, **{"class": {"code": "IMP"}, **changes})


def part_of(name: str) -> dict[str, dict[str, str]]:
    return {"partOf": {"reference": f"Encounter/e-{name}"}}


def test_a_server_that_tells_all_begins_gives_both_features_and_no_warning(icu) -> None:
    hospital(icu, "whole", patient="a", period={"start": "2025-12-30T01:00:00Z"})
    icu.stay("a", vitals=False, **part_of("whole"))
    said = checked(icu)
    assert "known when they began in the unit for 1 of 1 (hours_in_unit), and in the hospital for 1" in said
    assert "will be missing" not in said


def test_what_a_server_does_not_tell_is_named_with_the_feature_that_will_be_missing(icu) -> None:
    hospital(icu, "whole", patient="a", period={"start": "2025-12-30T01:00:00Z"})
    icu.stay("a", vitals=False, **part_of("whole"))
    icu.stay("b", vitals=False)
    icu.stay("c", vitals=False, period={"start": "2026-01-01"}, **part_of("gone"))
    icu.stay("d", vitals=False, **part_of("gone"))
    said = checked(icu)
    assert "in the unit for 3 of 4 (hours_in_unit), and in the hospital for 1 (hours_in_hospital)" in said
    assert "hours_in_unit will be missing for 1, whose begin is a date or has no zone" in said
    reasons = "hospital_encounter_not_read 2, no_hospital_encounter 1"
    assert f"hours_in_hospital will be missing for 3 ({reasons}); they are scored without it" in said


def test_the_json_has_the_begins_of_each_question_and_nothing_is_said_of_no_stays(icu) -> None:
    hospital(icu, "whole")
    assert json.loads(checked(icu, "--json"))["counts"]["begins"] == {
        "the source": {"stays": 0, "in_unit": 0, "in_hospital": 0, "hospital_unknown": {}}
    }
    assert "known when they began" not in checked(icu)
