"""The stream that is set up beside a ward for demonstration."""

from pathlib import Path

import pytest

from wardround.demo.hospital.installation import with_stream
from wardround.demo.hospital.places import PEOPLE, WATCHED
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_conditions, load_stream, require_channels
from wardround.stream.branches import ways_of


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return with_stream(settings_from({}), tmp_path, "http://127.0.0.1:9/fhir", 2575, 8290)


def test_each_condition_has_a_branch_that_tells_people_by_a_channel_which_there_is(own: Settings) -> None:
    conditions = load_conditions(own.schemas)
    ways = ways_of(conditions)
    assert set(ways) == {f"{one}/admission" for one in conditions}
    require_channels(conditions, load_stream(own.stream), own.stream)


def test_the_stream_takes_what_the_hospital_sends(own: Settings) -> None:
    (source,) = load_stream(own.stream).sources.values()
    assert (source.address, source.patients[0].system, source.units) == (("127.0.0.1", 2575), PEOPLE, WATCHED)


def test_the_home_has_the_dags_of_the_home_that_it_stands_for_and_can_be_made_again(
    own: Settings, tmp_path: Path
) -> None:
    theirs = settings_from({}).home
    assert (own.home / "dags").resolve() == (theirs / "dags").resolve()
    again = with_stream(settings_from({}), tmp_path, "http://127.0.0.1:9/fhir", 2575, 8290)
    assert again == own
    assert (theirs / "dags").is_dir()


def test_branches_that_a_condition_has_stay_as_they_are(own: Settings, tmp_path: Path) -> None:
    file = own.schemas / "conditions" / "sepsis.yaml"
    file.write_text(file.read_text().replace("id: admission", "id: theirs"))
    again = with_stream(own, tmp_path / "again", "http://127.0.0.1:9/fhir", 2575, 8290)
    assert "sepsis/theirs" in ways_of(load_conditions(again.schemas))
