"""Tests, over real HTTP and a real database, what gets into the record and to people, and what is taken back."""

from collections.abc import Callable
from datetime import datetime, timedelta

import orjson
import pytest
from sqlalchemy import select, update
from tests.fixtures.icu import AS_OF
from tests.stream.flagging import PSEUDONYMS
from tests.stream.hospital import FEED, LEASE, TOLD, Hospital
from tests.stream.receiver import Receiver

from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.models.store import ModelStore
from wardround.adapters.queue.dead_letters import Responsible, dead_letters, retry
from wardround.adapters.queue.message import DEAD, Done
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.fhir_validity import check_structure
from wardround.results.risk_assessment import is_scheduled
from wardround.spec.channels import Communication, Flag, Request
from wardround.stream.channels.emr_field import EmrFieldChannel
from wardround.stream.channels.http import Sender
from wardround.stream.channels.in_record import RecordChannel
from wardround.stream.channels.telling import Sent, Telling
from wardround.stream.channels.webhook import WebhookChannel, signature
from wardround.stream.notify import Notify
from wardround.stream.recording import Recorder
from wardround.stream.servers import Servers
from wardround.stream.stage import StageStopped

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = b"a secret of the ward's own pager"


@pytest.fixture
def ward(hospital_with: Callable[..., Hospital], receiver: Receiver) -> Hospital:
    """A hospital that tells of high risks by a webhook; its patient a has one, b a low one."""
    hospital = hospital_with(TOLD)
    hospital.connect("ward", WebhookChannel(receiver.url, (KEY,), Sender()))
    hospital.ward.stay("a", lactate=6.0)
    hospital.ward.stay("b", lactate=0.6)
    hospital.upload()
    return hospital


def outcomes(hospital: Hospital) -> list[str]:
    """Returns what became of the messages of the stage, in their order."""
    message = STREAM_MESSAGE.c
    asked = select(message.outcome).where(message.run == hospital.queue.run, message.stage == "notify")
    with hospital.queue.database.reading() as connection:
        return list(connection.execute(asked.order_by(message.seq)).scalars())


def put(hospital: Hospital, resource: dict[str, object]) -> None:
    with FhirClient(FhirEndpoint(hospital.url)) as client:
        request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
        client.batch([{"resource": resource, "request": request}])


def test_a_score_is_written_as_a_screening_writes_it_and_says_that_it_is_of_the_stream(hospital: Hospital) -> None:
    hospital.ward.stay("a", lactate=6.0)
    hospital.upload()
    hospital.admit("a")
    hospital.score()

    assert hospital.run(hospital.notify) == [("done", "")]

    (written,) = hospital.held("RiskAssessment")
    check_structure(written)
    assert datetime.fromisoformat(written["occurrenceDateTime"]) == AS_OF
    assert written["encounter"] == {"reference": "Encounter/e-a"}
    assert not is_scheduled(written)
    assert written["method"]["coding"][1] == {"system": "urn:wardround:door", "code": "stream"}
    (provenance,) = hospital.held("Provenance")
    assert provenance["target"] == [{"reference": f"RiskAssessment/{written['id']}"}]


def test_a_stage_that_is_killed_between_writing_and_finishing_leaves_one_result(ward: Hospital) -> None:
    ward.admit("a")
    ward.score()
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    list(ward.notify.handle(taken, AS_OF))  # and is killed: nothing is finished

    assert ward.run(ward.notify, after=LEASE) == [("done", "")]

    counts = [len(ward.held(kind)) for kind in ("RiskAssessment", "Provenance", "Device")]
    assert (counts, len(ward.open("notify"))) == ([1, 1, 1], 1)


def test_a_high_risk_is_told_once_with_a_signature_and_a_low_one_is_not(ward: Hospital, receiver: Receiver) -> None:
    ward.admit("a")
    ward.admit("b")
    ward.score()

    assert ward.run(*[ward.notify] * 4) == [("done", ""), ("done", ""), ("done", "told")]

    (got,) = receiver.received
    said = orjson.loads(got.body)
    key, at = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    assert got.headers["webhook-signature"] == signature(KEY, key, at, got.body)
    assert (got.path, said["type"], said["data"]["id"]) == ("/hook", "wardround.risk", key)
    assert said["data"]["visit"] == {"system": "urn:oid:1.2.4", "value": "V-a"}
    assert (said["data"]["band"], said["data"]["age_seconds"]) == ("high", 0)
    (identifier,) = [
        one["identifier"][0] for one in ward.held("RiskAssessment") if one["subject"]["reference"] == "Patient/p-a"
    ]
    assert said["data"]["risk_assessment"] == identifier


def test_people_are_not_told_again_within_the_lock_out(ward: Hospital, receiver: Receiver) -> None:
    for after in (timedelta(), HOUR, 13 * HOUR):
        ward.ward.lactate("p-a", f"again{after.seconds}", 6.0, hours=-after / HOUR + 0.1)
        ward.upload()
        ward.admit("a", after=after)
        ward.score(after)
        became = ward.run(ward.notify, ward.notify, after=after)
        assert became[0] == ("done", "")
        assert became[1] == (("locked_out", "") if after == HOUR else ("done", "told"))

    assert len(receiver.received) == 2


def test_two_sources_that_announce_one_visit_have_people_told_once(ward: Hospital, receiver: Receiver) -> None:
    ward.sources = (FEED, "second")
    ward.admit("a")
    ward.admit("a", source="second", after=MINUTE)
    ward.score(MINUTE)
    assert ward.run(ward.notify, ward.notify, after=MINUTE) == [("done", "")] * 2
    assert len(ward.held("RiskAssessment")) == 2

    # While one stage tells of it, no other decides whether to tell of the same visit.
    first = ward.queue.take("notify", 1, LEASE, AS_OF + MINUTE)
    assert ward.run(ward.notify, after=MINUTE) == []
    ward.queue.put_back(first, AS_OF + MINUTE)

    assert ward.run(ward.notify, ward.notify, after=MINUTE) == [("done", "told"), ("locked_out", "")]
    assert len(receiver.received) == 1


def test_a_webhook_that_is_down_keeps_no_score_from_the_record_and_is_tried_again(
    ward: Hospital, receiver: Receiver
) -> None:
    receiver.answer(503, 429, Retry_After="40")
    ward.admit("a")
    ward.score()

    assert ward.run(ward.notify, ward.notify) == [("done", ""), ("later", "channel ward: 503")]
    assert len(ward.held("RiskAssessment")) == 1
    assert ward.run(ward.notify, after=timedelta(seconds=39)) == []
    assert ward.run(ward.notify, after=timedelta(seconds=40)) == [("later", "channel ward: 429")]
    assert ward.run(ward.notify, after=timedelta(seconds=80)) == [("done", "told")]
    assert len({one.headers["Idempotency-Key"] for one in receiver.received}) == 1


def test_while_a_channel_rests_nobody_waits_for_it(ward: Hospital, receiver: Receiver) -> None:
    receiver.answer(500, 500)
    ward.ward.stay("c", lactate=7.0)
    ward.upload()
    ward.admit("a")
    ward.admit("c")
    ward.score()
    stage = ward.notify

    became = ward.run(*[stage] * 4)

    assert [outcome for outcome, _ in became] == ["done", "done", "later", "later"]
    assert len(receiver.received) == 1


def test_a_refusal_is_a_dead_letter_and_a_redirect_is_not_followed(ward: Hospital, receiver: Receiver) -> None:
    for status in (404, 302):
        receiver.answer(status, Location="/elsewhere")
        ward.admit("a")
        ward.score()
        assert ward.run(ward.notify, ward.notify)[1] == ("dead", f"channel ward: {status}")
    assert [one.path for one in receiver.received] == ["/hook"] * 2


def test_what_is_too_old_is_written_as_late_and_told_nobody(ward: Hospital, receiver: Receiver) -> None:
    ward.admit("a")
    ward.score()
    after = HOUR + timedelta(seconds=1)

    assert ward.run(ward.notify, ward.notify, after=after) == [("done", "late"), ("expired", "")]
    assert receiver.received == []
    (written,) = ward.held("RiskAssessment")
    assert datetime.fromisoformat(written["occurrenceDateTime"]) == AS_OF


def test_a_suspension_counts_until_the_last_moment(ward: Hospital, receiver: Receiver) -> None:
    store = ModelStore(ward.settings.models)
    ward.admit("a")
    ward.admit("b")
    ward.score()
    ward.run(ward.notify)
    store.suspend("sepsis", by="tests", why="tests")
    ward.live.look()

    assert ward.run(ward.notify, ward.notify) == [("suspended", "")] * 2
    assert (len(ward.held("RiskAssessment")), receiver.received) == (1, [])


def test_a_stay_that_now_is_somebody_elses_is_not_written(ward: Hospital) -> None:
    ward.admit("a")
    ward.score()
    moved = next(one for one in ward.ward.resources if one["id"] == "e-a")
    put(ward, {**moved, "subject": {"reference": "Patient/p-b"}})

    assert ward.run(ward.notify) == [("changed", "subject_changed")]
    assert ward.held("RiskAssessment") == []


def test_what_somebody_withdrew_is_not_written_again(ward: Hospital) -> None:
    ward.admit("b")
    ward.score()
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    list(ward.notify.handle(taken, AS_OF))
    put(ward, {**ward.held("RiskAssessment")[0], "status": "entered-in-error"})

    assert ward.run(ward.notify, after=LEASE) == [("withdrawn", "")]


def test_a_server_that_is_down_stops_the_stage_and_then_it_goes_on_in_order(
    ward: Hospital, server: RunningServer
) -> None:
    ward.admit("b")
    ward.admit("a")
    ward.score()
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=503, retry_after=0),)))
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    try:
        with pytest.raises(StageStopped, match="FhirUnreachable"):
            list(ward.notify.handle(taken, AS_OF))
    finally:
        server.misbehave(FaultPlan())
    ward.queue.put_back(taken, AS_OF)

    assert ward.run(ward.notify, ward.notify) == [("done", ""), ("done", "")]
    assert [one["subject"]["reference"] for one in ward.held("RiskAssessment")] == ["Patient/p-b", "Patient/p-a"]


def test_a_server_that_is_down_keeps_no_score_of_another_from_the_record(ward: Hospital, server: RunningServer) -> None:
    ward.admit("b")
    ward.admit("a")
    ward.score()
    nowhere = FhirEndpoint("http://127.0.0.1:9/fhir", retries=0)
    both = Servers({**ward.servers.by_source, "other": nowhere}, ward.settings.schemas)
    with ward.queue.database.writing() as connection:
        mine = (STREAM_MESSAGE.c.run == ward.queue.run, STREAM_MESSAGE.c.key == "key-b")
        connection.execute(update(STREAM_MESSAGE).where(*mine).values(source="other"))
    stage = Notify(ward.queue, both, ward.ways, {}, Recorder(ward.settings), ward.models.is_suspended, PSEUDONYMS)

    assert ward.run(stage, stage) == [("later", "http://127.0.0.1:9/fhir: FhirUnreachable"), ("done", "")]


def test_a_cancelled_admission_is_taken_out_of_the_record_and_nobody_is_told_any_more(
    ward: Hospital, receiver: Receiver
) -> None:
    receiver.answer(503)
    ward.admit("a")
    ward.score()
    ward.run(ward.notify, ward.notify)
    ward.cancel("a")

    assert ward.run(*[ward.notify] * 2, after=timedelta(seconds=1)) == [("done", "retracted")]
    assert len(receiver.received) == 1
    (written,) = ward.held("RiskAssessment")
    assert written["status"] == "entered-in-error"
    assert "cancelled" in written["note"][-1]["text"]
    assert ward.open("notify") == []


@pytest.mark.parametrize("means", [Communication(), Flag()], ids=["communication", "flag"])
def test_what_was_written_is_taken_back_after_the_server_got_another_url(
    ward: Hospital, means: Communication | Flag
) -> None:
    ward.connect("ward", RecordChannel(means, ward.servers))
    ward.admit("a")
    ward.score()
    assert ward.run(ward.notify, ward.notify) == [("done", ""), ("done", "told")]
    ward.url = ward.url.replace("127.0.0.1", "localhost")
    ward.connect("ward", RecordChannel(means, ward.servers))
    ward.cancel("a")

    assert ward.run(ward.notify, after=MINUTE) == [("done", "retracted")]
    (told,) = ward.held("Communication") + ward.held("Flag")
    assert [one["status"] for one in (*ward.held("RiskAssessment"), told)] == ["entered-in-error"] * 2


def test_a_cancellation_before_anything_was_written_needs_nothing(ward: Hospital) -> None:
    ward.admit("a")
    ward.cancel("a")

    assert ward.run(ward.notify) == [("done", "nothing was written")]


def test_a_score_that_was_in_hand_when_it_was_cancelled_is_written_and_then_retracted(ward: Hospital) -> None:
    ward.admit("b")
    ward.score()
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    ward.cancel("b")
    list(ward.notify.handle(taken, AS_OF))  # and is killed

    assert ward.run(ward.notify) == []
    assert ward.run(ward.notify, ward.notify, after=LEASE) == [("done", ""), ("done", "retracted")]
    assert [one["status"] for one in ward.held("RiskAssessment")] == ["entered-in-error"]


@pytest.mark.parametrize("stage", ["query", "predict", "notify"])
def test_a_dead_letter_that_is_retried_after_its_admission_was_taken_back_gets_nowhere(
    ward: Hospital, receiver: Receiver, stage: str
) -> None:
    ward.admit("a")
    stages = {"query": ward.query, "predict": ward.predict, "notify": ward.notify}
    before = list(stages)[: list(stages).index(stage)]
    ward.run(*[stages[name] for name in before])
    (taken,) = ward.queue.take(stage, 1, LEASE, AS_OF)
    ward.queue.finish([Done(taken, DEAD, "a fault")], AS_OF)
    ward.cancel("a")
    ward.run(ward.notify)
    (letter,) = dead_letters(ward.queue)
    assert retry(ward.queue, [letter.seq], Responsible("ward", "mended"), AS_OF)

    ward.score()

    assert ward.run(ward.notify, ward.notify) == [("cancelled", "")]
    assert (ward.held("RiskAssessment"), receiver.received) == ([], [])


def test_nobody_is_told_of_an_admission_that_is_still_to_be_taken_out_of_the_record(
    ward: Hospital, receiver: Receiver
) -> None:
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    ward.cancel("a")
    notice, retraction = (ward.queue.take("notify", 1, LEASE, AS_OF)[0] for _ in range(2))
    assert retraction.seq > notice.seq

    assert [one.outcome for one in ward.notify.handle([notice], AS_OF)] == ["cancelled"]
    assert receiver.received == []


class Interrupted:
    """A channel that calls something while it tells, and notes what it did."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.did: list[tuple[str, str]] = []
        self._meanwhile = meanwhile

    def tell(self, telling: Telling) -> Sent:
        self._meanwhile()
        self.did.append(("told", telling.key))
        return Sent()

    def withdraw(self, telling: Telling) -> None:
        self.did.append(("withdrawn", telling.key))


def test_what_is_being_told_when_its_admission_is_taken_back_is_withdrawn_after_it_was_told(ward: Hospital) -> None:
    became = []

    def meanwhile() -> None:
        ward.cancel("a")
        became.extend(ward.run(ward.notify))
        assert [one["status"] for one in ward.held("RiskAssessment")] == ["entered-in-error"]

    channel = Interrupted(meanwhile)
    ward.connect("ward", channel)
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)

    assert ward.run(ward.notify) == [("done", "told")]
    assert became == [("later", "its notification is being told")]
    assert ward.run(ward.notify, after=MINUTE) == [("done", "retracted")]
    assert [what for what, _ in channel.did] == ["told", "withdrawn"]
    assert len({key for _, key in channel.did}) == 1


def test_nobody_says_that_a_notification_was_cancelled_that_may_have_been_sent(
    ward: Hospital, receiver: Receiver
) -> None:
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    list(ward.notify.handle(taken, AS_OF))  # and is killed
    ward.cancel("a")
    # The clock of another machine may be ahead: its stage sees a lease that is over, and leaves it alone.
    (retraction,) = ward.queue.take("notify", 1, LEASE, AS_OF)
    assert [one.outcome for one in ward.notify.handle([retraction], AS_OF + HOUR)] == ["later"]
    ward.queue.put_back([retraction], AS_OF)

    became = ward.run(*[ward.notify] * 2, after=LEASE)

    assert became == [("unsure", "the process that told it ended before it said so"), ("done", "retracted")]
    assert len(receiver.received) == 1


def test_what_may_have_been_sent_stays_unsure_while_its_channel_is_down(ward: Hospital, receiver: Receiver) -> None:
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    ward.queue.take("notify", 1, LEASE, AS_OF)  # and is killed, sent or not
    receiver.answer(503)
    assert ward.run(ward.notify, after=LEASE) == [("later", "channel ward: 503")]
    ward.cancel("a")

    assert ward.run(ward.notify, after=LEASE) == [("done", "retracted")]
    assert outcomes(ward) == ["done", "unsure", "done"]


def test_a_stage_that_no_longer_holds_a_notification_does_not_send_it(ward: Hospital, receiver: Receiver) -> None:
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)  # and is stopped for longer than its lease
    again = ward.queue.take("notify", 1, LEASE, AS_OF + LEASE)

    assert [one.outcome for one in ward.notify.handle(taken, AS_OF + LEASE)] == ["later"]
    assert receiver.received == []
    assert [one.reason for one in ward.notify.handle(again, AS_OF + LEASE)] == ["told"]


def test_of_two_visits_of_one_message_only_the_cancelled_one_is_retracted(ward: Hospital) -> None:
    ward.admit("a")
    ward.admit("b", origin=1)
    ward.score()
    ward.run(ward.notify, ward.notify)
    ward.cancel("b")

    ward.run(ward.notify, ward.notify, ward.notify)

    status = {one["subject"]["reference"]: one["status"] for one in ward.held("RiskAssessment")}
    assert status == {"Patient/p-a": "final", "Patient/p-b": "entered-in-error"}


def test_a_communication_is_made_once_and_taken_back_with_its_result(ward: Hospital) -> None:
    ward.connect("ward", RecordChannel(Communication(recipients=("CareTeam/icu",)), ward.servers))
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    taken = ward.queue.take("notify", 1, LEASE, AS_OF)
    list(ward.notify.handle(taken, AS_OF))  # and is killed

    assert ward.run(ward.notify, after=LEASE) == [("done", "told")]
    (one,) = ward.held("Communication")
    check_structure(one)
    assert (one["subject"], one["recipient"]) == ({"reference": "Patient/p-a"}, [{"reference": "CareTeam/icu"}])
    ward.cancel("a")
    assert ward.run(ward.notify, after=MINUTE) == [("done", "retracted")]
    assert [one["status"] for one in ward.held("Communication")] == ["entered-in-error"]


def test_a_stay_has_one_flag_however_often_it_is_told(hospital_with: Callable[..., Hospital]) -> None:
    ward = hospital_with(TOLD, lock_out="1m")
    ward.connect("ward", RecordChannel(Flag(), ward.servers))
    ward.ward.stay("a", lactate=6.0)
    ward.upload()
    for after in (timedelta(), HOUR):
        ward.admit("a", after=after)
        ward.score(after)
        assert ward.run(ward.notify, ward.notify, after=after) == [("done", ""), ("done", "told")]

    (flag,) = ward.held("Flag")
    check_structure(flag)
    assert datetime.fromisoformat(flag["period"]["start"]) == AS_OF + HOUR
    assert flag["status"] == "active"


def test_nobody_is_told_in_the_record_of_a_result_that_was_withdrawn(ward: Hospital) -> None:
    ward.connect("ward", RecordChannel(Communication(), ward.servers))
    ward.admit("a")
    ward.score()
    ward.run(ward.notify)
    put(ward, {**ward.held("RiskAssessment")[0], "status": "entered-in-error"})

    assert ward.run(ward.notify) == [("dead", "channel ward: the RiskAssessment was withdrawn")]
    assert ward.held("Communication") == []


@pytest.mark.parametrize(
    ("content", "body", "sent"),
    [
        (
            "json",
            '{"visit": "$visit", "percent": $percent, "in": "$$"}',
            b'{"visit": "V-a", "percent": 89.2, "in": "$"}',
        ),
        ("xml", "<f v='$visit' u='$unit'>$band</f>", b"<f v='V-a' u='M&amp;&quot;'>high</f>"),
    ],
)
def test_a_field_of_the_emr_is_filled_as_its_template_says(
    ward: Hospital, receiver: Receiver, content: str, body: str, sent: bytes
) -> None:
    asked = Request.model_validate({"url": receiver.url, "method": "PUT", "content": content, "body": body})
    ward.connect("ward", EmrFieldChannel(asked, "t0ken", Sender()))
    ward.admit("a", unit='M&"')
    ward.score()

    assert ward.run(ward.notify, ward.notify)[1] == ("done", "told")
    (got,) = receiver.received
    assert (got.method, got.headers["Authorization"]) == ("PUT", "Bearer t0ken")
    assert got.body == sent


def test_a_probability_may_decide_instead_of_a_band(hospital_with: Callable[..., Hospital], receiver: Receiver) -> None:
    ward = hospital_with([{**TOLD[0], "threshold": 0.999}, {**TOLD[0], "id": "low", "threshold": 0.001}])
    ward.connect("ward", WebhookChannel(receiver.url, (KEY,), Sender()))
    ward.ward.stay("b", lactate=0.6)
    ward.upload()
    ward.admit("b")
    ward.admit("b", branch="sepsis/low")
    ward.score()

    assert ward.run(*[ward.notify] * 4) == [("done", ""), ("done", ""), ("done", "told")]
