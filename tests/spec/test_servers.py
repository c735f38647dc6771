"""Server profiles are strict; whatever a profile leaves out is as FHIR R4 promises."""

import shutil
from pathlib import Path

import pytest

from wardround.errors import SpecError
from wardround.spec.loading import load_server_profile, load_server_profiles
from wardround.spec.servers import GENERIC

KINDS = {"epic", "generic", "hapi", "medplum", "microsoft", "mimic-on-fhir", "oracle", "sekmet", "wardround"}


@pytest.fixture
def own(schemas, tmp_path) -> Path:
    return Path(shutil.copytree(schemas, tmp_path / "schemas"))


def test_every_kind_of_server_has_a_profile(schemas):
    assert set(load_server_profiles(schemas)) >= KINDS


def test_the_generic_profile_is_what_a_source_without_a_profile_has(schemas):
    assert load_server_profile("generic", schemas) == GENERIC


def test_a_profile_of_a_server_that_was_never_run_says_that_it_is_from_documentation(schemas):
    tried = {name for name, profile in load_server_profiles(schemas).items() if profile.known_from == "tests"}
    assert tried == {"hapi", "sekmet", "wardround"}


def test_an_unknown_profile_names_the_known_ones(schemas):
    with pytest.raises(SpecError, match=r"no server profile 'hapy' \(did you mean 'hapi'\?\), expected one of: epic,"):
        load_server_profile("hapy", schemas)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("page_sise: 5", r"hapi.yaml: page_sise: unknown key \(did you mean 'page_size'\?\)"),
        ("batch_entries: 0", r"hapi.yaml: batch_entries: got 0"),
        ("encounter_by: [ward]", r"hapi.yaml: encounter_by.0: got 'ward'"),
    ],
)
def test_a_wrong_profile_is_refused_with_place_value_and_remedy(own, line, message):
    path = own / "servers" / "hapi.yaml"
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(SpecError, match=message):
        load_server_profile("hapi", own)


def test_a_profile_is_named_after_its_file(own):
    shutil.copy(own / "servers" / "hapi.yaml", own / "servers" / "ours.yaml")
    with pytest.raises(SpecError, match=r"ours.yaml: id: got 'hapi', expected 'ours'; name the file after its id"):
        load_server_profile("ours", own)
