"""A condition says which Encounters it is about; one server is screened for ICU stays and for others."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.main import wardround
from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.cohorts import Encounters, cohort_of
from wardround.spec.loading import load_condition
from wardround.workflows.screen import Means, ScreeningRequest, screen
from wardround.workflows.screen.cohort import asked_for

IMP = {"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}}
SNOMED = "http://snomed.info/sct"


@pytest.fixture
def about(settings: Settings, tmp_path: Path) -> Callable[..., Settings]:
    """about(**encounters) gives the settings with a sepsis that is about these Encounters."""

    def make(**encounters: Any) -> Settings:
        home = tmp_path / "home"
        shutil.copytree(settings.home, home)
        file = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
        content = yaml.safe_load(file.read_text())
        content["cohort"]["encounters"] = encounters
        file.write_text(yaml.safe_dump(content))
        return replace(settings, home=home)

    return make


@pytest.fixture
def ward(icu, server: str) -> str:
    """An ICU stay, a stay on a ward with its bed, one of a type, one of a class that no ward has, and a visit."""
    there = [{"location": {"reference": "Location/bed"}}]
    icu.resources.append({"resourceType": "Location", "id": "w4", "name": "Ward 4 West"})
    icu.resources.append({"resourceType": "Location", "id": "bed", "partOf": {"reference": "Location/w4"}})
    icu.stay("icu")
    icu.stay("ward", **IMP, location=there)
    icu.stay(
        "typed", **IMP, type=[{"text": "other"}, {"coding": [{"code": "x"}, {"system": SNOMED, "code": "183807002"}]}]
    )
    icu.stay("visit", **{"class": {"code": "AMB"}})
    icu.upload(server)
    return server


def screened_stays(server: str, settings: Settings, **changes: Any) -> set[str]:
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", **changes}
    summary = screen(
        ScreeningRequest.model_validate(asked), Means(FhirEndpoint(server), settings, lambda *_: None)
    ).as_json()
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    assert set(ledger["outcome"]) <= {"scored"}
    return set(ledger["stay_id"])


@pytest.mark.parametrize("cohort", ["search", "export"])
@pytest.mark.parametrize(
    ("encounters", "stays"),
    [
        ({"classes": ["IMP"]}, {"e-ward", "e-typed"}),
        ({"classes": [f"{IMP['class']['system']}|IMP"]}, {"e-ward", "e-typed"}),
        ({"classes": ["urn:other|IMP", "AMB"]}, {"e-visit"}),
        ({"locations": ["ward 4 west"]}, {"e-ward"}),
        ({"types": ["183807002"]}, {"e-typed"}),
        ({"types": [f"{SNOMED}|183807002"]}, {"e-typed"}),
        ({"types": ["urn:other|183807002"]}, set()),
        ({"types": ["x"], "locations": ["bed"], "classes": ["ACUTE"]}, {"e-icu", "e-ward", "e-typed"}),
    ],
)
def test_a_condition_screens_the_encounters_that_it_names(ward, about, encounters, stays, cohort) -> None:
    assert screened_stays(ward, about(**encounters), cohort=cohort) == stays


def test_the_features_of_a_condition_are_of_its_encounters(ward, about, icu, tmp_path, monkeypatch) -> None:
    settings = about(types=["183807002"])
    monkeypatch.setenv("WARDROUND_HOME", str(settings.home))
    for source in (ward, written(icu.resources, tmp_path / "fhir")):
        arguments = [
            "features",
            "sepsis",
            "--fhir",
            source,
            "--at",
            "24h",
            "--out",
            str(tmp_path / "f.parquet"),
            "--json",
        ]
        result = CliRunner().invoke(wardround, arguments, catch_exceptions=False)
        assert json.loads(result.stdout)["stays"] == 1


def written(resources: list[dict[str, Any]], folder: Path) -> str:
    folder.mkdir()
    (folder / "all.ndjson").write_text("".join(f"{json.dumps(resource)}\n" for resource in resources))
    return str(folder)


@pytest.mark.parametrize(
    ("cohort", "encounters", "icu_locations", "expected"),
    [
        ("search", None, (), Encounters(classes=("ACUTE",))),
        ("search", None, ("MICU",), Encounters(classes=("ACUTE",), locations=("MICU",))),
        ("search", {"classes": ["IMP"]}, ("MICU",), Encounters(classes=("IMP",))),
        ("group:g", {"types": ["x"]}, ("MICU",), Encounters(types=("x",))),
        ("export", {"locations": ["W4"]}, ("MICU",), Encounters(locations=("W4",))),
        ("locations:SICU", {"classes": ["IMP"], "locations": ["W4"]}, ("MICU",), Encounters(locations=("SICU",))),
        ("locations", {"classes": ["IMP"], "locations": ["W4"]}, ("MICU",), Encounters(locations=("W4",))),
        ("locations", {"classes": ["IMP"]}, ("MICU",), Encounters(locations=("MICU",))),
        ("locations", None, ("MICU",), Encounters(locations=("MICU",))),
    ],
)
def test_who_names_the_encounters_first_is_heard(about, settings, cohort, encounters, icu_locations, expected) -> None:
    schemas = (about(**encounters) if encounters else settings).schemas
    source = FhirEndpoint("https://example.org/r4", icu_locations=icu_locations)
    assert asked_for(source, load_condition("sepsis", schemas), cohort_of(cohort)) == expected


def test_a_cohort_of_locations_that_nobody_names_is_an_error(about) -> None:
    condition = load_condition("sepsis", about(classes=["IMP"]).schemas)
    with pytest.raises(
        FhirError,
        match=r"the cohort is defined by Locations but names none;" r" name them in cohort\.source\.locations",
    ):
        asked_for(FhirEndpoint("https://example.org/r4"), condition, cohort_of("locations"))
