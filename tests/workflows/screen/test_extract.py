"""One patient's broken data, and a server that is gone: the first costs one stay, the second stops the run."""

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import FhirRefused
from wardround.fhir.endpoint import FhirEndpoint
from wardround.workflows.screen import Means, resume


def reasons(summary, settings) -> dict[str, str]:
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    failed = ledger[ledger["outcome"] == "failed"]
    return dict(zip(failed["stay_id"], failed["reason"], strict=True))


def test_a_patient_whose_search_fails_is_the_only_one_of_the_chunk_to_fail(
    icu, server, screened, settings, transport
) -> None:
    for name in ("a", "b", "c", "d"):
        icu.stay(name)
    icu.stay("b2", patient="b")
    icu.upload(server)
    transport.refuse = lambda body: 422 if body.startswith("patient=") and "p-b" in body else None
    summary = screened(chunk_size=10)
    assert reasons(summary, settings) == {"e-b": "extract:FhirError", "e-b2": "extract:FhirError"}
    assert summary["scored"] == summary["written"] == 3


def test_the_one_patient_who_stops_a_chunk_is_found_by_halves(icu, server, screened, settings, transport) -> None:
    names = [f"{number:02d}" for number in range(32)]
    for name in names:
        icu.stay(name)
    icu.upload(server)
    asked: list[str] = []

    def refuse(body: str) -> int | None:
        if not (body.startswith("patient=") and "code=" in body):
            return None
        asked.append(body)
        return 422 if "p-17" in body else None

    transport.refuse = refuse
    summary = screened(chunk_size=32)
    assert reasons(summary, settings) == {"e-17": "extract:FhirError"}
    assert summary["scored"] == 31
    # All, and then five times a half that fails and a half that does not: 16, 8, 4, 2 and 1 patients.
    assert len(asked) == 1 + 2 * 5


def test_a_server_that_refuses_stops_the_run(icu, server, screened, transport) -> None:
    icu.stay("a")
    icu.upload(server)
    transport.refuse = lambda body: 403 if body.startswith("patient=") else None
    with pytest.raises(FhirRefused, match="403"):
        screened()


def test_readings_set_aside_are_counted_by_variable_and_reason(icu, server, screened, settings) -> None:
    icu.stay("a")
    icu.lactate("p-a", "impossible", 900.0, hours=1)
    icu.lactate("p-a", "wrong", 2.0, hours=1, status="entered-in-error")
    icu.upload(server)
    summary = screened()
    counted = RunFolder.existing(settings.runs, summary["run"]).read_json("set_aside.json")
    assert counted == {"lactate": {"implausible_value": 1, "status": 1}}
    assert summary["scored"] == 1


class Killed(BaseException):
    """The end of a process."""


def test_a_chunk_that_was_being_read_again_when_the_run_was_killed_is_read_again(
    icu, server, screened, settings, transport, monkeypatch
) -> None:
    """The failures of the new attempt beside the features of the old one would pass for a chunk that was read whole."""
    icu.stay("a")
    icu.stay("b")
    icu.upload(server)
    transport.refuse = lambda body: 422 if body.startswith("patient=") and "p-b" in body else None
    run = screened(chunk_size=10)["run"]
    transport.refuse = lambda _body: None
    means = Means(FhirEndpoint(server), settings, lambda *_: None, transport)
    whole = RunFolder.write_frame

    def killed(folder: RunFolder, name: str, frame) -> None:
        if name.endswith("features.parquet"):
            raise Killed
        whole(folder, name, frame)

    monkeypatch.setattr(RunFolder, "write_frame", killed)
    with pytest.raises(Killed):
        resume(run, means)
    monkeypatch.undo()
    summary = resume(run, means).as_json()
    assert (summary["scored"], summary["written"], summary["failed"]) == (2, 2, 0)
