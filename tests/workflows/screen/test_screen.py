"""A whole screening against a real server: who is scored, what is written, and what is not."""

from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.errors import FhirRefused, ModelError, RunIncomplete
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.settings import Settings
from wardround.workflows.report import report_page
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, resume, screen
from wardround.workflows.screen.run import load_run


def by_encounter(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {resource["encounter"]["reference"].removeprefix("Encounter/"): resource for resource in resources}
    assert len(found) == len(resources), "one RiskAssessment an encounter"
    return found


def counted(summary: dict[str, Any]) -> dict[str, int]:
    names = ("found", "scored", "indeterminate", "excluded", "failed", "written")
    return {name: summary[name] for name in names if summary[name]}


def ledger(summary: dict[str, Any], settings: Settings) -> dict[str, tuple[str, str]]:
    frame = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    return dict(zip(frame["stay_id"], zip(frame["outcome"], frame["reason"], strict=True), strict=True))


def test_every_stay_found_ends_with_an_outcome_and_a_reason(icu, server, screened, held, settings) -> None:
    icu.stay("sick", lactate=6.0)
    icu.stay("well", lactate=1.0)
    icu.stay("unknown", lactate=None, vitals=False)
    icu.stay("gone", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T22:00:00Z"}, status="finished")
    icu.stay("nobody", subject={"display": "no reference"})
    icu.upload(server)
    summary = screened()
    assert counted(summary) == {"found": 5, "scored": 2, "indeterminate": 1, "excluded": 2, "written": 2}
    assert ledger(summary, settings) == {
        "e-sick": ("scored", ""),
        "e-well": ("scored", ""),
        "e-unknown": ("indeterminate", "minimum_data"),
        "e-gone": ("excluded", "discharged"),
        "e-nobody": ("excluded", "no_subject"),
    }
    assert set(by_encounter(held("RiskAssessment"))) == {"e-sick", "e-well"}
    assert Path(summary["report"]).is_file()
    require_complete(summary["run"], settings)


def test_what_is_written_says_who_how_likely_why_and_from_what(icu, server, screened, held) -> None:
    icu.stay("sick", lactate=6.0)
    icu.upload(server)
    summary = screened()
    (resource,) = held("RiskAssessment")
    (device,) = held("Device")
    (provenance,) = held("Provenance")
    assert resource["status"] == "final"
    assert resource["subject"]["reference"] == "Patient/p-sick"
    assert resource["occurrenceDateTime"] == "2026-01-02T05:00:00Z"
    assert resource["performer"]["reference"] == f"Device/{device['id']}"
    assert resource["method"]["coding"][0]["version"] == summary["model_version"]
    (prediction,) = resource["prediction"]
    assert prediction["probabilityDecimal"] > 0.5
    assert prediction["qualitativeRisk"]["coding"][0]["code"] == "high"
    assert "Lactate, highest of the last 24 h: 6 mmol/L (2.3 h before); raises the risk" in prediction["rationale"]
    used = [entry["reference"] for entry in resource["basis"]]
    assert len(used) == len(set(used)) == 10, "3 each of heart rate, breaths, pressure panels; one lactate"
    assert used[0].endswith("6.0")
    assert provenance["target"] == [{"reference": f"RiskAssessment/{resource['id']}"}]
    recorded, updated = provenance["recorded"], resource["meta"]["lastUpdated"]
    assert datetime.fromisoformat(recorded) == datetime.fromisoformat(updated)


def test_running_again_writes_nothing_and_changes_no_byte(icu, server, screened, held, transport) -> None:
    for place in range(40):
        icu.stay(f"s{place}", lactate=1.0 + place / 8)
    icu.upload(server)
    first = screened()
    before = [held(name) for name in ("RiskAssessment", "Provenance", "Device")]
    transport.sent.clear()
    second = screened(chunk_size=7)
    assert transport.writes == []
    assert [held(name) for name in ("RiskAssessment", "Provenance", "Device")] == before
    assert counted(first) == counted(second) == {"found": 40, "scored": 40, "written": 40}
    assert second["unchanged"] == 40
    assert [len(resources) for resources in before] == [40, 40, 1]


@pytest.mark.parametrize(("chunk_size", "patients_per_search"), [(8, 1), (8, 4), (2, 4)])
def test_no_more_requests_are_under_way_at_once_than_the_source_bears(
    icu, server, settings, transport, chunk_size: int, patients_per_search: int
) -> None:
    for place in range(40):
        icu.stay(f"s{place}", lactate=1.0)
    icu.upload(server)
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "chunk_size": chunk_size}
    source = FhirEndpoint(server, patients_per_search=patients_per_search, threads=2)
    # The first two of a kind wait for one another, so that how fast a machine is cannot hide that they go out at once.
    met, first_two = Barrier(2), iter(range(2))

    def meet(path: str) -> None:
        if path.endswith("/Observation/_search") and next(first_two, None) is not None:
            met.wait(timeout=300)

    transport.under_way = meet
    screen(ScreeningRequest.model_validate(asked), Means(source, settings, lambda *_: None, transport))
    assert transport.most_at_once == 2


def test_a_refusal_ends_the_writing_though_scores_are_still_coming(icu, server, screened, transport) -> None:
    for place in range(30):
        icu.stay(f"s{place}", lactate=1.0)
    icu.upload(server)
    writes: list[str] = []

    def refuse(body: str) -> int | None:
        if '"batch"' not in body or "RiskAssessment?identifier" not in body:
            return None
        writes.append(body)
        return 403

    transport.refuse = refuse
    with pytest.raises(FhirRefused):
        screened(chunk_size=1)
    assert 0 < len(writes) <= FhirEndpoint(server).threads


def test_who_interrupts_a_run_does_not_wait_for_the_server(icu, server, settings, transport) -> None:
    for name in ("a", "b"):
        icu.stay(name)
    icu.upload(server)
    transport.refuse = lambda body: 503 if "RiskAssessment" in body else None
    patience = Patience(wait=timedelta(hours=1))

    def interrupt(step: str, done: int, total: int) -> None:
        if (step, done) == ("score", total):
            raise KeyboardInterrupt

    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "chunk_size": 1}
    with pytest.raises(KeyboardInterrupt):
        screen(
            ScreeningRequest.model_validate(asked),
            Means(FhirEndpoint(server), settings, interrupt, transport, patience),
        )
    assert patience.spent


def test_a_shadow_run_writes_nothing(icu, server, screened, held, transport, settings) -> None:
    icu.stay("sick", lactate=6.0)
    icu.upload(server)
    summary = screened(mode="shadow")
    assert counted(summary) == {"found": 1, "scored": 1}
    assert summary["to_write"] == 1
    assert transport.writes == []
    assert held("RiskAssessment") == held("Provenance") == held("Device") == []
    require_complete(summary["run"], settings)


def test_a_dry_run_of_an_earlier_release_is_reported_and_resumed_as_one_in_shadow(
    icu, server, screened, transport, settings
) -> None:
    icu.stay("sick", lactate=6.0)
    icu.upload(server)
    folder = RunFolder.existing(settings.runs, screened(mode="shadow")["run"])
    folder.write_json("request.json", {**folder.read_json("request.json"), "mode": "live", "dry_run": True})
    run = folder.url.rsplit("/", 1)[-1]
    assert "Shadow run" in report_page(run, settings)
    summary = resume(run, Means(FhirEndpoint(server), settings, lambda *_: None, transport)).as_json()
    assert (summary["mode"], summary["to_write"], summary["written"]) == ("shadow", 1, 0)
    assert transport.writes == []


def test_an_accepted_empty_ward_is_a_complete_run_with_a_report(server, screened, settings) -> None:
    summary = screened(accept_census=True)
    assert counted(summary) == {}
    assert Path(summary["report"]).is_file()
    require_complete(summary["run"], settings)


def test_a_ward_of_excluded_stays_only_is_a_complete_run(icu, server, screened) -> None:
    icu.stay("gone", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T22:00:00Z"}, status="finished")
    icu.upload(server)
    summary = screened()
    assert counted(summary) == {"found": 1, "excluded": 1}
    assert "No patient screened" in Path(summary["report"]).read_text()


def test_both_stays_of_one_patient_are_scored(icu, server, screened, held) -> None:
    icu.stay("one", lactate=6.0, patient="same")
    icu.stay("two", patient="same")
    icu.stay("other", lactate=1.0)
    icu.upload(server)
    assert counted(screened()) == {"found": 3, "scored": 3, "written": 3}
    risks = by_encounter(held("RiskAssessment"))
    scores = {stay: risk["prediction"][0]["probabilityDecimal"] for stay, risk in risks.items()}
    assert scores["e-one"] == scores["e-two"] > scores["e-other"]


@pytest.mark.parametrize("chunk_size", [1, 5, 100])
def test_no_risk_goes_to_another_patient(icu, server, screened, held, chunk_size: int) -> None:
    # The order of lactates, of ids and of upload all differ.
    lactates = {f"s{(place * 17) % 40:02}": 0.5 + (place * 7 % 40) / 6 for place in range(40)}
    for name, lactate in lactates.items():
        icu.stay(name, lactate=lactate)
    icu.resources.sort(key=lambda resource: resource["id"][::-1])
    icu.upload(server)
    screened(chunk_size=chunk_size)
    risks = by_encounter(held("RiskAssessment"))
    by_score = sorted(lactates, key=lambda name: risks[f"e-{name}"]["prediction"][0]["probabilityDecimal"])
    assert by_score == sorted(lactates, key=lactates.__getitem__)
    shown = 0
    for name, lactate in lactates.items():
        risk = risks[f"e-{name}"]
        assert risk["subject"]["reference"] == f"Patient/p-{name}"
        assert {"reference": f"Observation/o-p-{name}-lactate"} in risk["basis"]
        assert all(f"o-p-{name}-" in entry["reference"] for entry in risk["basis"])
        rationale = risk["prediction"][0]["rationale"]
        own = f"highest of the last 24 h: {lactate:.2f}".rstrip("0").rstrip(".") in rationale
        # A reason that speaks against what clinicians expect is left out, and counted.
        assert own or "Not shown: 1 input" in rationale
        shown += own
    assert shown > len(lactates) / 2


def test_a_stay_without_enough_data_is_never_low(icu, server, screened, held, settings) -> None:
    icu.stay("unknown", lactate=1.0, vitals=False)
    icu.upload(server)
    summary = screened()
    frame = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    assert frame[["outcome", "band"]].to_numpy().tolist() == [["indeterminate", "indeterminate"]]
    assert frame["score"].isna().all()
    assert held("RiskAssessment") == []


def test_what_became_known_after_as_of_is_not_used(icu, server, screened, held) -> None:
    icu.stay("s", lactate=1.0)
    icu.lactate("p-s", "later", 9.0, hours=-1.0)
    icu.lactate("p-s", "issued-later", 9.0, hours=1.0, issued="2026-01-02T05:00:01Z")
    icu.upload(server)
    screened()
    (resource,) = held("RiskAssessment")
    assert "Lactate, highest of the last 24 h: 1 mmol/L" in resource["prediction"][0]["rationale"]


def test_two_times_are_two_assessments(icu, server, screened, held) -> None:
    icu.stay("s")
    icu.upload(server)
    screened()
    screened(as_of="2026-01-02T06:00:00+01:00")
    assert len(held("RiskAssessment")) == 1, "the same time, written with another offset"
    screened(as_of="2026-01-02T06:00:00Z")
    assert len(held("RiskAssessment")) == 2


def test_without_a_live_model_nothing_is_asked_of_the_server(icu, server, settings, transport, tmp_path) -> None:
    from dataclasses import replace

    from wardround.fhir.endpoint import FhirEndpoint
    from wardround.workflows.screen import screen

    request = ScreeningRequest(condition="sepsis", source_url=server, as_of="2026-01-02T05:00:00Z")
    nothing = replace(settings, models=tmp_path / "none")
    with pytest.raises(ModelError, match="no model is live"):
        screen(request, Means(FhirEndpoint(server), nothing, lambda *_: None, transport))
    assert transport.sent == []


def test_a_model_of_another_spec_is_refused_before_anything_is_asked(server, settings, transport, tmp_path) -> None:
    import shutil
    from dataclasses import replace

    from wardround.fhir.endpoint import FhirEndpoint
    from wardround.workflows.screen import screen

    home = tmp_path / "home"
    shutil.copytree(settings.schemas, home / "include" / "schemas")
    spec = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    spec.write_text(spec.read_text().replace("window: 24h", "window: 12h"))
    request = ScreeningRequest(condition="sepsis", source_url=server, as_of="2026-01-02T05:00:00Z")
    with pytest.raises(ModelError, match="another spec"):
        screen(request, Means(FhirEndpoint(server), replace(settings, home=home), lambda *_: None, transport))
    assert transport.sent == []


def test_too_many_failed_stays_make_a_run_incomplete(icu, server, screened, transport, settings) -> None:
    icu.stay("a")
    icu.stay("b")
    icu.upload(server)
    transport.refuse = lambda body: 422 if "p-b" in body and "patient=" in body else None
    summary = screened()
    assert counted(summary) == {"found": 2, "scored": 1, "failed": 1, "written": 1}
    assert Path(summary["report"]).is_file()
    with pytest.raises(RunIncomplete, match="1 of 2 stays failed"):
        require_complete(summary["run"], settings)


@pytest.mark.parametrize(("scored", "complete"), [(3, True), (2, False)])
def test_the_share_that_failed_is_one_of_the_stays_that_were_tried(
    icu, server, screened, transport, with_quality, scored: int, complete: bool
) -> None:
    installed = with_quality(max_set_aside=0.1, max_failed=0.25)
    icu.stay("bad")
    for place in range(scored):
        icu.stay(f"s{place}")
    # Who was never tried makes no share smaller.
    for place in range(5):
        left = {"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T22:00:00Z"}
        icu.stay(f"gone{place}", period=left, status="finished")
    icu.upload(server)
    transport.refuse = lambda body: 422 if "p-bad" in body and "patient=" in body else None
    summary = screened(installed=installed)
    assert counted(summary) == {"found": scored + 6, "scored": scored, "excluded": 5, "failed": 1, "written": scored}
    assert summary["complete"] is complete
    with nullcontext() if complete else pytest.raises(RunIncomplete):
        require_complete(summary["run"], installed)


def test_the_band_is_that_of_the_score_as_it_is_stated(icu, server, settings, screened, held, with_thresholds) -> None:
    for place in range(20):
        icu.stay(f"s{place}", lactate=2.0 + place / 10)
    icu.upload(server)
    opened = load_run(screened(mode="shadow")["run"], settings)
    rows = [opened.folder.read_frame(run_files.of_chunk(chunk, "features.parquet")) for chunk in opened.chunks()]
    exact = {row["stay_id"].iloc[0]: float(opened.model(settings).predict(row)[0]) for row in rows}
    # One score that is stated as more than it is, and whose statement is where the high band starts.
    stay = next(stay for stay, score in exact.items() if round(score, 4) > score + 1e-6)
    stated = round(exact[stay], 4)
    screened(installed=with_thresholds(moderate=stated / 2, high=stated))
    risk = by_encounter(held("RiskAssessment"))[stay]["prediction"][0]
    assert (risk["probabilityDecimal"], risk["qualitativeRisk"]["coding"][0]["code"]) == (stated, "high")


def test_a_server_that_refuses_what_is_written_is_not_asked_for_every_chunk(icu, server, screened, transport) -> None:
    for place in range(40):
        icu.stay(f"s{place}")
    icu.upload(server)
    transport.refuse = lambda body: 403 if body.startswith('{"resourceType":"Bundle"') else None
    with pytest.raises(FhirRefused, match="403"):
        screened(chunk_size=1)
    assert 1 <= len(transport.writes) <= 20


def test_a_request_needs_an_offset_and_keeps_no_credentials() -> None:
    from pydantic import ValidationError

    from wardround.errors import FhirError

    asked = {"condition": "sepsis", "source_url": "http://h/fhir", "as_of": "2026-01-02T05:00:00"}
    with pytest.raises(ValidationError, match="timezone"):
        ScreeningRequest.model_validate(asked)
    with pytest.raises(FhirError, match="credentials"):
        ScreeningRequest.model_validate({**asked, "source_url": "http://user:secret@h/fhir"})


def test_a_request_survives_its_file() -> None:
    request = ScreeningRequest(
        condition="sepsis", source_url="http://h/fhir/", as_of="2026-01-02T06:00:00+01:00", look_back=timedelta(hours=6)
    )
    assert ScreeningRequest.model_validate(request.model_dump(mode="json")) == request


def test_a_score_that_comes_long_after_its_time_is_said_to_in_the_report_and_nowhere_else(
    icu, server, screened, held
) -> None:
    icu.stay("a")
    icu.upload(server)
    late, early = screened(), screened(as_of="2060-01-02T05:00:00Z")
    assert (late["hours_after_as_of"] > 1, early["hours_after_as_of"]) == (True, 0)
    # In a quiet line: so long after its time a run looks back on purpose.
    shown = ["This run looks back" in Path(summary["report"]).read_text() for summary in (late, early)]
    assert shown == [True, False]
    assert "late" not in str([risk.get("note") for risk in held("RiskAssessment")]).lower()


def test_a_server_without_a_capability_statement_is_screened_as_any_other(
    icu, server, settings, transport, held
) -> None:
    icu.stay("a")
    icu.upload(server)
    transport.refuse = lambda _body: 404 if transport.sent[-1][0].endswith("/metadata") else None
    request = ScreeningRequest(condition="sepsis", source_url=server, as_of="2026-01-02T05:00:00Z")
    summary = screen(
        request, Means(FhirEndpoint(server, recognise=True), settings, lambda *_: None, transport)
    ).as_json()
    assert (summary["scored"], summary["written"], len(held("RiskAssessment"))) == (1, 1, 1)
