"""Tests, over real HTTP, that results of the bedside can be taken back, and nothing else with them."""

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.cds.site import Site
from tests.fixtures.icu import AS_OF

from wardround.cli.main import wardround
from wardround.errors import RunIncomplete
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.risk_assessment import DOOR_SYSTEM, MODEL_SYSTEM
from wardround.workflows.retract_bedside import Wanted

HOUR = timedelta(hours=1)
WHY = "the lactates were another unit's"


@pytest.fixture
def written(site: Site, small_home: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A record with four results of the bedside: of p-a at 05:00, 06:00 and 07:00, and of p-mid at 06:00; and one of a
    scheduled screening."""
    monkeypatch.setenv("WARDROUND_HOME", str(small_home))
    monkeypatch.setenv("WARDROUND_VAR", str(site.settings.var))
    asked = [("p-a", 0), ("p-a", 1), ("p-a", 2), ("p-mid", 1)]
    site.write(*(site.answer(patient, after=hours * HOUR).result for patient, hours in asked))
    one = site.held()[0]
    coding = one["method"]["coding"][:1]
    scheduled = {
        **one,
        "id": "scheduled",
        "identifier": [{"system": "urn:x", "value": "1"}],
        "method": {"coding": coding},
    }
    with FhirClient(FhirEndpoint(site.url)) as client:
        client.batch([{"resource": scheduled, "request": {"method": "PUT", "url": "RiskAssessment/scheduled"}}])
    return site


def retract(site: Site, *options: str, since: datetime = AS_OF) -> Result:
    asked = ["retract-bedside", "sepsis", "--source", site.url, "--since", since.isoformat(), "--why", WHY, "--json"]
    return CliRunner().invoke(wardround, [*asked, *options])


def standing(site: Site) -> list[tuple[str, str]]:
    """Returns the stay and the hour of each result that stands; of the scheduled screening, its id."""
    return sorted(
        (one["id"] if one["id"] == "scheduled" else one["encounter"]["reference"], one["occurrenceDateTime"][11:13])
        for one in site.held()
        if one["status"] != "entered-in-error"
    )


A, MID, SCHEDULED = "Encounter/e-a", "Encounter/e-mid", ("scheduled", "05")


@pytest.mark.parametrize(
    ("since", "options", "left"),
    [
        (0, [], []),
        (1, [], [(A, "05")]),
        (0, ["--until", (AS_OF + HOUR).isoformat()], [(A, "07")]),
        (0, ["--stay", "e-mid"], [(A, "05"), (A, "06"), (A, "07")]),
        (1, ["--stay", "e-a", "--stay", "e-mid", "--until", (AS_OF + 1.5 * HOUR).isoformat()], [(A, "05"), (A, "07")]),
        (3, [], [(A, "05"), (A, "06"), (A, "07"), (MID, "06")]),
    ],
)
def test_those_of_a_period_or_a_stay_are_marked_as_entered_in_error(
    written: Site, since: int, options: list[str], left: list[tuple[str, str]]
) -> None:
    done = retract(written, *options, since=AS_OF + since * HOUR)

    assert json.loads(done.stdout) == {"condition": "sepsis", "retracted": 4 - len(left), "earlier": 0, "failed": 0}
    assert standing(written) == sorted([*left, SCHEDULED])


def test_each_says_when_and_why_and_doing_it_again_changes_nothing(written: Site) -> None:
    assert retract(written).exit_code == 0
    before = written.held()

    again = retract(written)

    assert json.loads(again.stdout) == {"condition": "sepsis", "retracted": 0, "earlier": 4, "failed": 0}
    assert written.held() == before
    notes = [one["note"][-1] for one in before if one["id"] != "scheduled"]
    assert {(one["authorString"], one["text"]) for one in notes} == {("wardround retract", WHY)}
    # What was taken back does not come back as the chart is opened once more.
    written.write(written.answer("p-a").result)
    assert written.told[-1] == ("withdrawn", "")


@pytest.mark.parametrize(
    "changed",
    [
        {"method": {"coding": [{"system": MODEL_SYSTEM, "code": "sepsis"}]}},
        {"method": {"coding": [{"system": DOOR_SYSTEM, "code": "bedside"}, {"system": MODEL_SYSTEM, "code": "other"}]}},
        {"method": {"coding": [{"system": DOOR_SYSTEM, "code": "other"}, {"system": MODEL_SYSTEM, "code": "sepsis"}]}},
        {"method": "bedside"},
        {"occurrenceDateTime": "2026-01-02T04:59:59Z"},
        {"occurrenceDateTime": "2026-01-02T06:00:01Z"},
        {"occurrenceDateTime": 7},
        {"encounter": {"reference": "Encounter/e-b"}},
        {"encounter": {"identifier": {"value": "e-b"}}},
        {"encounter": "e-a"},
    ],
)
def test_a_server_that_finds_more_than_it_was_asked_for_loses_none_of_it(changed: dict[str, Any]) -> None:
    wanted = Wanted("sepsis", AS_OF, AS_OF + HOUR, frozenset({"e-a"}))
    door, model = {"system": DOOR_SYSTEM, "code": "bedside"}, {"system": MODEL_SYSTEM, "code": "sepsis"}
    one = {
        "method": {"coding": [model, door]},
        "occurrenceDateTime": "2026-01-02T05:30:00Z",
        "encounter": {"reference": "Encounter/e-a"},
    }
    assert wanted.has(one)
    assert wanted.has({**one, "encounter": {"identifier": {"system": "urn:source/Encounter", "value": "e-a"}}})
    assert not wanted.has({**one, **changed})


def test_one_that_the_server_does_not_change_still_stands_and_the_command_fails(
    written: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "wardround")
    odd = {**next(one for one in written.held() if one["id"] != "scheduled"), "id": "odd"}
    with FhirClient(FhirEndpoint(written.url)) as client:
        odd["note"] = "no list"
        client.batch([{"resource": odd, "request": {"method": "PUT", "url": "RiskAssessment/odd"}}])

    done = retract(written)

    assert isinstance(done.exception, RunIncomplete)
    assert json.loads(done.stdout) == {"condition": "sepsis", "retracted": 4, "earlier": 0, "failed": 1}
    assert "p-a" not in caplog.text + str(done.exception)
