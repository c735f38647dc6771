"""Stays read from a folder, and how soon their readings are known."""

from pathlib import Path

import orjson
import pytest

from wardround.core.microseconds import PER_HOUR
from wardround.demo.hospital.stays import Pace, Recorded, stays_of
from wardround.errors import SourceDataError
from wardround.fhir.times import micros_of


@pytest.mark.parametrize("stays", [11, 12, 20, 30, 60, 140, 1000])
def test_no_more_stays_can_be_scored_at_an_hour_than_in_mimics_demo(stays: int) -> None:
    """Of its 140 stays, 43 have the least data in the first minute, 111 after one hour, 139 after six."""
    paces = [Pace.as_in_mimic(number) for number in range(stays)]
    at_once = sum(pace.lead > 0 for pace in paces)
    after = {hours: sum(pace.hold <= hours * PER_HOUR for pace in paces) for hours in (1, 6)}
    assert at_once / stays <= 43 / 140
    assert after[1] / stays <= 111 / 140
    assert after[6] / stays <= 139 / 140
    assert at_once / stays > 0.15


def test_a_reading_of_the_unit_is_not_known_before_the_stay_of_a_simulated_patient_allows(recorded: Recorded) -> None:
    for stay in recorded.stays:
        taken = [(micros_of(orjson.loads(one.content)["effectiveDateTime"]), one.available) for one in stay.readings]
        assert taken
        assert all(known >= at for at, known in taken)
        assert all(known >= stay.begin + stay.pace.hold for at, known in taken if at >= stay.begin)
        assert [known for _, known in taken] == sorted(known for _, known in taken)


def test_a_folder_without_stays_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"resourceType":"Patient","id":"p1"}\n')
    with pytest.raises(SourceDataError, match=r"no Encounter of class ACUTE .* give a folder"):
        stays_of(tmp_path, ["ACUTE"], simulated=False)
