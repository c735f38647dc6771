"""A run asks its server in the way that this kind of server bears."""

import shutil
from dataclasses import replace

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import FhirUnreachable
from wardround.fhir.client import FhirEndpoint
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import Translation
from wardround.workflows.screen import ScreeningRequest, open_run, suited


def test_a_server_is_recognised_with_one_request_which_is_counted(screened, icu, server, settings, transport) -> None:
    icu.stay("a")
    icu.upload(server)
    summary = screened(recognise=True, mode="shadow")
    assert [path for path, _ in transport.sent].count("/fhir/metadata") == 1
    assert summary["http_requests"] == len(transport.sent)
    assert RunFolder.of(settings.runs, summary["run"]).read_json("profile.json")["profile"] == "wardround"


def test_a_chosen_profile_is_used_without_asking(screened, server, transport) -> None:
    screened(mode="shadow")
    assert "/fhir/metadata" not in [path for path, _ in transport.sent]


def test_a_run_keeps_the_profile_that_it_began_with(screened, server, settings) -> None:
    run = screened(recognise=True)["run"]
    RunFolder.of(settings.runs, run).write_json("profile.json", {"profile": "oracle", "why": ""})
    source = suited(run, FhirEndpoint(server, recognise=True), settings)
    assert (source.profile.id, source.page_size, source.recognise) == ("oracle", 200, False)


def test_a_run_keeps_the_source_map_that_it_began_with(server, settings) -> None:
    began = Translation(units=(("Schläge", "/min"),))
    request = ScreeningRequest(condition="sepsis", source_url=server, as_of="2026-01-02T05:00:00Z")
    run = open_run(request, settings, began)
    assert suited(run, FhirEndpoint(server), settings).translation == began
    assert suited(run, FhirEndpoint(server, translation=Translation()), settings).translation == began


def test_a_server_that_is_down_is_not_taken_for_another_kind(settings) -> None:
    url = "http://127.0.0.1:9/fhir"
    run = open_run(ScreeningRequest(condition="sepsis", source_url=url, as_of="2026-01-02T05:00:00Z"), settings)
    with pytest.raises(FhirUnreachable):
        suited(run, FhirEndpoint(url, recognise=True, retries=0), settings)
    assert not RunFolder.of(settings.runs, run).exists("profile.json")


def test_an_installation_without_profiles_of_its_own_expects_what_the_standard_promises(
    screened, server, settings, tmp_path
) -> None:
    run = screened()["run"]
    home = tmp_path / "home"
    shutil.copytree(settings.schemas, home / "include" / "schemas", ignore=shutil.ignore_patterns("servers"))
    source = suited(run, FhirEndpoint(server, recognise=True), replace(settings, home=home))
    assert source.profile == GENERIC
