"""Tests that what is known of a patient leaves the door only in the answer to who asked about that patient."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from tests.cds.ehr import RISK, Ehr
from tests.cds.kept import Kept

from wardround.cds.exchange import Answer

NAME, NUMBER, TEXT, VALUE, TOKEN = "ZZTOPSECRET", "MRN-77123456", "coughing since tuesday", 6.54321, "zz-token-zz"
MARKS = (NAME, NUMBER, TEXT, str(VALUE), TOKEN, "1931-04-17", "p-marked", "e-marked")
AUTHORIZATION = {
    "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs", "subject": NAME
}  # fmt: skip


@pytest.fixture
def marked(ehr: Ehr) -> Ehr:
    """An EHR whose patient p-marked has a name, numbers, values and texts that occur nowhere else."""
    ehr.icu.stay("marked", lactate=VALUE)
    for one in ehr.icu.resources:
        if one["id"] == "p-marked":
            one |= {"name": [{"family": NAME}], "identifier": [{"value": NUMBER}], "birthDate": "1931-04-17"}
        if one["id"].startswith("o-p-marked"):
            one["note"] = [{"text": TEXT}]
    return ehr


def bodies(ehr: Ehr) -> list[Any]:
    """Calls about the marked patient, right and wrong in every way that is answered differently."""
    whole = ehr.prefetch("p-marked")
    call = ehr.call("p-marked", fhirServer=f"https://{NAME}.example.org/fhir", fhirAuthorization=AUTHORIZATION)
    odd = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": {"resourceType": NAME, "id": TEXT}}]}
    return [
        call,
        {**call, "hook": NAME},
        {**call, "context": {"userId": NAME, "patientId": TEXT}},
        {**call, "fhirServer": TEXT},
        {**call, "fhirAuthorization": {**AUTHORIZATION, "expires_in": NAME}},
        {**call, "prefetch": {}},
        {**call, "prefetch": {NAME: odd, TEXT: NAME}},
        {**call, "prefetch": {**whole, "patient": {**whole["patient"], "id": "p-other-marked"}}},
        {**call, "prefetch": {**whole, "observations": odd}},
        {**call, "prefetch": {**whole, "encounters": {"resourceType": "OperationOutcome", "issue": [{"code": NAME}]}}},
        {**call, "prefetch": {**whole, "patient": {**whole["patient"], "birthDate": [NAME]}}},
        orjson.dumps(call)[:-20],
        orjson.dumps(call).replace(b'"hook"', b'"hook":"\xff","x"'),
    ]


def test_no_error_record_or_log_holds_anything_of_a_patient(
    marked: Ehr, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [marked.send(body) for body in bodies(marked)]
        kept.broken = True
        answers.append(marked.send(bodies(marked)[0]))
        kept.broken = False
        feedback = {"card": NAME, "outcome": TEXT, "overrideReason": {"userComment": NUMBER}}
        answers.append(marked.send({"feedback": [feedback]}, "sepsis-risk/feedback"))
    assert {answer.status for answer in answers} == {200, 400, 412}
    written = [answer.body.decode() for answer in answers if answer.status != 200]
    written += [f"{answer.call!r} {answer.fault} {dict(answer.headers)}" for answer in answers]
    written += [repr(kept.calls), repr(kept.last), repr(kept.feedback), caplog.text, marked.line.left()]
    found = {mark for mark in MARKS for text in written if mark in text}
    assert not found


def test_what_is_answered_about_a_patient_names_nobody_else(marked: Ehr) -> None:
    answer = marked.send(marked.call("p-mid")).body.decode()

    assert not [mark for mark in MARKS if mark in answer]


def test_many_calls_at_once_get_their_own_answers(marked: Ehr) -> None:
    """Otherwise one patient's risk could stand in another's chart."""
    patients = ["p-a", "p-mid", "p-low", "p-marked"]
    alone = {patient: _said(marked.send(marked.call(patient))) for patient in patients}
    asked = patients * 12
    calls = [marked.call(patient) for patient in asked]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(marked.send, calls))

    for patient, answer in zip(asked, answers, strict=True):
        assert _said(answer) == alone[patient]
        assert _said(answer)["patientId"] == patient


def _said(answer: Answer) -> dict[str, Any]:
    said = dict(orjson.loads(answer.body)["extension"][RISK])
    # A card the first time, locked out from then on.
    return {key: value for key, value in said.items() if key not in ("outcome", "repeats")}
