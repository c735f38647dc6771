"""Writing: what a repeated, interrupted or refused write leaves on the server."""

from urllib.parse import unquote

from tests.workflows.screen.somebody_else import change

from wardround.results.amendment import SUPERSEDED_SYSTEM
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM


def asked(transport) -> list[str]:
    """What publish was answered for, in order: the type that was looked for or written."""
    kinds = ("RiskAssessment", "Provenance", "Device")
    found = []
    for path, body in transport.sent:
        looked = [f"look for {kind}" for kind in kinds if path.endswith(f"/{kind}/_search")]
        written = [f"write {kind}" for kind in kinds if f'"resource":{{"resourceType":"{kind}"' in body]
        found += looked or written[:1]
    return found


def test_stays_of_a_chunk_that_are_new_are_written_with_two_looks_at_the_server(
    icu, server, screened, transport
) -> None:
    for name in ("a", "b", "c"):
        icu.stay(name)
    icu.upload(server)
    screened(chunk_size=3)
    assert asked(transport) == [
        "look for Device",
        "write Device",
        "look for RiskAssessment",
        "write RiskAssessment",
        "look for RiskAssessment",
        "write Provenance",
        "look for RiskAssessment",  # reconcile
    ]


def test_a_result_with_absolute_references_of_the_server_is_left_and_one_of_another_server_is_amended(
    icu, server, screened, held
) -> None:
    icu.stay("a")
    icu.upload(server)
    screened()
    (risk,) = held("RiskAssessment")
    for base, unchanged in ((server, 1), ("https://elsewhere.org/fhir", 0)):
        change(server, risk, subject={"reference": f"{base}/Patient/p-a"})
        assert screened()["unchanged"] == unchanged
    (amended,) = held("RiskAssessment")
    assert (amended["subject"]["reference"], amended["status"]) == ("Patient/p-a", "amended")


def test_what_was_there_before_is_asked_for_its_provenance(icu, server, screened, held, transport) -> None:
    icu.stay("old", lactate=1.0)
    icu.upload(server)
    screened()
    icu.stay("new")
    icu.lactate("p-old", "late", 6.0, hours=0.5)
    icu.upload(server)
    transport.sent.clear()
    screened(chunk_size=2)
    (amended,) = [risk["id"] for risk in held("RiskAssessment") if risk["status"] == "amended"]
    (looked,) = [unquote(body) for path, body in transport.sent if path.endswith("/Provenance/_search")]
    assert looked.split("&")[0] == f"target=RiskAssessment/{amended}"
    assert sum('"resource":{"resourceType":"Provenance"' in body for body in transport.writes) == 1
    assert len(held("Provenance")) == 2


def test_late_data_amend_an_assessment_once(icu, server, screened, held, transport) -> None:
    icu.stay("s", lactate=1.0)
    icu.upload(server)
    screened()
    icu.lactate("p-s", "late", 6.0, hours=0.5)
    icu.upload(server)
    summary = screened()
    (amended,) = held("RiskAssessment")
    assert amended["status"] == "amended"
    assert "6 mmol/L (0.5 h before)" in amended["prediction"][0]["rationale"]
    assert (summary["written"], summary["unchanged"]) == (1, 0)
    transport.sent.clear()
    assert screened()["unchanged"] == 1
    assert transport.writes == []


def test_what_somebody_took_back_is_not_brought_back(icu, server, screened, held, settings) -> None:
    icu.stay("s")
    icu.upload(server)
    screened()
    change(server, held("RiskAssessment")[0], status="entered-in-error")
    summary = screened()
    assert held("RiskAssessment")[0]["status"] == "entered-in-error"
    assert (summary["failed"], summary["written"], summary["withdrawn"]) == (0, 0, 1)


def test_of_two_assessments_of_one_question_the_newest_stands_and_the_other_is_marked(
    icu, server, screened, held, transport
) -> None:
    icu.stay("a")
    icu.stay("b")
    icu.upload(server)
    screened()
    first = held("RiskAssessment")[0]
    change(server, first, id="copy")
    summary = screened()
    counted = (summary["scored"], summary["failed"], summary["written"], summary["repaired"])
    assert counted == (2, 0, 2, 1)
    by_id = {risk["id"]: risk for risk in held("RiskAssessment")}
    assert [by_id[name]["status"] for name in ("copy", first["id"])] == ["final", "entered-in-error"]
    assert by_id["copy"]["identifier"] == first["identifier"]
    (moved,) = by_id[first["id"]]["identifier"]
    assert (moved["system"], moved["value"]) == (SUPERSEDED_SYSTEM, first["identifier"][0]["value"])
    transport.sent.clear()
    assert screened()["repaired"] == 0
    assert transport.writes == [], "mended once"


def test_the_newest_of_two_is_brought_up_to_date(icu, server, screened, held) -> None:
    icu.stay("s")
    icu.upload(server)
    screened()
    (first,) = held("RiskAssessment")
    other = {**first["prediction"][0], "probabilityDecimal": 0.5}
    change(server, first, id="copy", prediction=[other])
    summary = screened()
    assert (summary["failed"], summary["written"], summary["repaired"]) == (0, 1, 1)
    by_id = {risk["id"]: risk for risk in held("RiskAssessment")}
    assert {name: risk["status"] for name, risk in by_id.items()} == {
        "copy": "amended",
        first["id"]: "entered-in-error",
    }
    assert by_id["copy"]["prediction"] == first["prediction"]
    targets = [each["target"][0]["reference"] for each in held("Provenance")]
    assert targets.count("RiskAssessment/copy") == 1


def test_a_score_that_returns_to_what_it_was_is_written_as_amended_again(icu, server, screened, held) -> None:
    icu.stay("s", lactate=1.0)
    icu.upload(server)
    screened()
    (original,) = held("RiskAssessment")
    icu.lactate("p-s", "late", 6.0, hours=0.5)
    icu.upload(server)
    screened()
    (late,) = [one for one in icu.resources if one["id"] == "o-p-s-late"]
    change(server, late, status="entered-in-error")
    summary = screened()
    (again,) = held("RiskAssessment")
    assert (summary["written"], summary["failed"], again["status"]) == (1, 0, "amended")
    assert again["prediction"] == original["prediction"]
    assert screened()["unchanged"] == 1


def test_an_entry_that_the_server_refuses_fails_its_stay_alone(icu, server, screened, held, transport) -> None:
    for name in ("a", "b", "c"):
        icu.stay(name)
    icu.upload(server)
    # What this server does not take: an encounter that is no reference to an Encounter.
    transport.rewrite = lambda body: body.replace('"encounter":{"reference":"Encounter/e-b"}', '"mood":"bad"')
    summary = screened(chunk_size=3)
    assert (summary["scored"], summary["failed"], summary["written"]) == (2, 1, 2)
    written = sorted(risk["encounter"]["reference"] for risk in held("RiskAssessment"))
    assert written == ["Encounter/e-a", "Encounter/e-c"]


def test_a_lost_provenance_is_written_by_the_next_run(icu, server, screened, held, transport) -> None:
    icu.stay("s")
    icu.upload(server)
    transport.rewrite = lambda body: body.replace('"resourceType":"Provenance"', '"resourceType":"Provenance","mood":1')
    summary = screened()
    assert (summary["failed"], summary["written"]) == (1, 1), "written, but not wholly"
    assert (len(held("RiskAssessment")), len(held("Provenance"))) == (1, 0)
    transport.rewrite = None
    assert screened()["failed"] == 0
    assert (len(held("RiskAssessment")), len(held("Provenance"))) == (1, 1)


def test_the_identifier_holds_nothing_of_the_patient(icu, server, screened, held) -> None:
    icu.stay("s")
    icu.upload(server)
    screened()
    (identifier,) = held("RiskAssessment")[0]["identifier"]
    assert identifier["system"] == IDENTIFIER_SYSTEM
    assert "e-s" not in identifier["value"]
    assert len(identifier["value"]) == 64
