"""Tests that an answer says what became of a message: over real sockets, before a real queue."""

import sqlite3
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest
from tests.adapters.mllp.serving import is_refused
from tests.hl7.messages import message
from tests.stream.feeding import code, doors_of, queue_in, settings, stored

from wardround.adapters.mllp.framing import framed
from wardround.adapters.mllp.tls import client_context
from wardround.adapters.queue.pauses import Pause, pause, resume
from wardround.errors import SettingsError, WardroundError
from wardround.stream.metrics import Metrics
from wardround.stream.raw import raw

AT = datetime(2026, 1, 2, tzinfo=UTC)


def codes(answers):
    return [code(answer) for answer in answers]


@pytest.fixture
def doors(queue):
    with doors_of(queue, settings("main", "other")) as one:
        yield one


def test_a_message_is_acknowledged_and_stored_as_it_came(doors, queue):
    bodies = [
        message(control_id="1", end="\n"),
        message(control_id="2", codec="latin_1", sender="Zürich|F"),
        b"MSH|\x00",
    ]
    assert codes(doors.sent(*bodies)) == ["AA 1", "AA 2", "AA"]
    assert stored(queue) == [("main", body) for body in bodies]
    assert doors.received() == {"new": 3}


def test_the_same_message_sent_again_is_acknowledged_again_and_stored_once(doors, queue):
    assert codes(doors.sent(message(), message())) == ["AA C1", "AA C1"]
    assert codes(doors.sent(message())) == ["AA C1"]
    assert len(stored(queue)) == 1
    assert doors.received() == {"new": 1, "repeated": 2}


def test_the_same_id_with_other_content_and_the_same_content_of_another_source_are_other_messages(doors, queue):
    doors.sent(message("PID|1"), message("PID|2"))
    doors.sent(message("PID|1"), source="other")
    assert [source for source, _ in stored(queue)] == ["main", "main", "other"]
    assert doors.received("other") == {"new": 1}


@pytest.mark.parametrize(
    "body",
    [
        message(event="ADT^Z99"),
        message(event="ORU^R01"),
        message(event=""),
        message("PID|1||Zürich", charset="ASCII"),
        message(charset="KLINGON"),
        b"MSH|^|A|B|C|D|||ADT^A01|C1|P|2.5\r",
        message() + message(),
        message(processing=""),
        message(processing="X"),
        b"\xef\xbb\xbf" + message(),
    ],
    ids=[
        "unknown event",
        "no ADT",
        "no event",
        "wrong bytes",
        "charset",
        "separators",
        "two",
        "no id",
        "odd id",
        "mark",
    ],
)
def test_content_that_cannot_be_used_is_stored_and_acknowledged(doors, queue, body):
    assert codes(doors.sent(body)) == ["AA C1"]
    assert stored(queue) == [("main", body)]


@pytest.mark.parametrize(
    ("body", "answer", "became"),
    [
        (b"", "AR ", "no_header"),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + message(), "AR ", "no_header"),
        (b"\x00\x01", "AR ", "no_header"),
        (message(processing="T"), "AR C1", "other_processing_id"),
        (message(processing="D^A"), "AR C1", "other_processing_id"),
        (message("NTE|" + "x" * 5_000), "AR C1", "too_large"),
    ],
)
def test_what_can_never_be_taken_is_rejected_and_the_feed_goes_on(queue, body, answer, became):
    with doors_of(queue, settings(largest="5kB")) as doors:
        assert codes(doors.sent(body, message(control_id="2"))) == [answer, "AA 2"]
        assert doors.received() == {became: 1, "new": 1}
    assert len(stored(queue)) == 1


def test_a_source_of_test_messages_rejects_those_of_production(queue):
    with doors_of(queue, settings(processing="T")) as doors:
        assert codes(doors.sent(message(processing="T"), message())) == ["AA C1", "AR C1"]


def test_enhanced_mode_is_answered_as_it_asks_on_the_same_connection(doors, queue):
    with doors.sender() as sender:
        sender.connection.sendall(framed(message(control_id="1", accept="AL", application="AL")))
        assert codes([sender.answer(), sender.answer()]) == ["CA 1", "AA 1"]
        sender.connection.sendall(framed(message(control_id="2", accept="NE", application="NE")))
        assert codes([sender.send(message(control_id="3", accept="AL"))]) == ["CA 3"]
    assert len(stored(queue)) == 3


def test_an_acknowledgement_is_neither_answered_nor_stored(doors, queue):
    acknowledgement = b"MSH|^~\\&|A|B|C|D|2026||ACK^A01^ACK|9|P|2.5\rMSA|AA|1\r"
    with doors.sender() as sender:
        sender.connection.sendall(framed(acknowledgement))
        assert codes([sender.send(message())]) == ["AA C1"]
    assert len(stored(queue)) == 1


@pytest.mark.parametrize(("unstored", "answer"), [("error", "AE C1"), ("reject", "AR C1"), ("silence", None)])
def test_while_a_source_is_paused_its_messages_are_refused_as_its_engine_needs_it(database, queue, unstored, answer):
    pause(database, Pause("source", "main", AT, "who", "why"))
    with doors_of(queue, settings("main", "other", unstored=unstored)) as doors:
        if answer:
            assert codes(doors.sent(message())) == [answer]
        else:
            with pytest.raises(ConnectionResetError, match="closed without an answer"):
                doors.sent(message())
        assert codes(doors.sent(message(), source="other")) == ["AA C1"]
        assert doors.received() == {"not_stored": 1}
    resume(database, "source", "main")
    with doors_of(queue, settings("main")) as doors:
        assert codes(doors.sent(message())) == ["AA C1"]


def test_a_sender_that_wants_no_answer_learns_by_the_connections_end_that_its_message_is_not_stored(database, queue):
    pause(database, Pause("source", "main", AT, "who", "why"))
    with doors_of(queue, settings()) as doors, doors.sender() as sender:
        sender.connection.sendall(framed(message(accept="NE", application="NE")))
        assert sender.connection.recv(1) == b""
    resume(database, "source", "main")


def test_on_a_full_disk_messages_are_refused(tmp_path):
    with queue_in(tmp_path) as queue, doors_of(queue, settings(), reserve=1 << 60) as doors:
        assert codes(doors.sent(message())) == ["AE C1"]
        assert stored(queue) == []


def test_a_database_that_another_process_holds_is_an_error_in_time_and_no_false_acknowledgement(tmp_path, caplog):
    with queue_in(tmp_path) as queue, doors_of(queue, settings()) as doors, doors.sender() as sender:
        holder = sqlite3.connect(queue.database.place.file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert codes([sender.send(message(control_id="MARKED"))]) == ["AE MARKED"]
        assert stored(queue) == []
        assert "another process" in doors.trouble() or "busy" in doors.trouble()
        holder.execute("ROLLBACK")
        holder.close()
        assert codes([sender.send(message(control_id="MARKED"))]) == ["AA MARKED"]
        assert doors.trouble() == ""
        assert doors.received() == {"not_stored": 1, "new": 1}
    said = [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "WARNING")]
    assert len(said) == 2
    assert "MARKED" not in caplog.text


def test_what_was_not_stored_in_time_is_an_error_and_its_late_end_answers_no_other_message(caplog):
    """Mirth #1441, #2070: a late acknowledgement was taken for the next message's."""
    import asyncio

    from wardround.adapters.mllp.framing import Frame
    from wardround.stream.reception import Reception

    class Slow:
        def __init__(self):
            self.offered = []

        def offer(self, _put):
            self.offered.append(Future())
            self.offered[-1].set_running_or_notify_cancel()
            return self.offered[-1]

    async def told():
        slow = Slow()
        reception = Reception("main", settings().sources["main"], slow, Metrics(), lambda: AT, within=0.05)
        late = await reception.answer(Frame(message(control_id="1")))
        slow.offered[0].set_result(True)
        second = asyncio.ensure_future(reception.answer(Frame(message(control_id="2"))))
        await asyncio.sleep(0)
        slow.offered[1].set_result(True)
        return [*late.bodies, *(await second).bodies]

    assert codes(asyncio.run(told())) == ["AE 1", "AA 2"]
    assert "was not stored within 0.05 s" in caplog.text


def test_every_answer_has_an_id_of_its_own(doors):
    ids = [answer.split(b"|")[9] for answer in doors.sent(*[message(control_id=str(one)) for one in range(20)])]
    assert len(set(ids)) == 20


def test_the_26_samples_are_acknowledged_and_stored_though_19_share_their_id(doors, queue, adt_samples):
    bodies = list(adt_samples.values())
    with doors.sender() as sender:
        for body in bodies:
            sender.connection.sendall(framed(body))
        answers = [sender.answer() for _ in range(25)]  # A40 wants none
    assert {code(answer).split()[0] for answer in answers} == {"AA"}
    assert [body for _, body in stored(queue)] == bodies


def test_many_connections_are_stored_once_each_in_the_order_of_their_own(doors, queue):
    senders = [doors.sender() for _ in range(15)]
    opened = [one.__enter__() for one in senders]
    for turn in range(10):
        for number, sender in enumerate(opened):
            sender.connection.sendall(framed(message(control_id=f"{number}.{turn}")))
        for number, sender in enumerate(opened):
            assert code(sender.answer()) == f"AA {number}.{turn}"
    for one in senders:
        one.__exit__(None, None, None)
    ids = [body.split(b"|")[9].decode() for _, body in stored(queue)]
    assert len(set(ids)) == len(ids) == 150
    for number in range(15):
        assert [one for one in ids if one.startswith(f"{number}.")] == [f"{number}.{turn}" for turn in range(10)]


def test_a_source_with_keys_takes_known_engines_only(queue, test_authority, caplog):
    hospital = test_authority("hospital")
    port, engine = hospital.issued("port"), hospital.issued("engine")
    keys = {"certificate": port.certificate.name, "key": port.key.name, "client_ca": "ca.pem"}
    with doors_of(queue, settings(tls=keys), beside=hospital.ca.parent) as doors:
        for _ in range(2):
            with doors.sender(tls=client_context(hospital.ca, *engine)) as sender:
                assert codes([sender.send(message())]) == ["AA C1"]
            assert is_refused(doors.sender(tls=client_context(hospital.ca)))
            assert is_refused(doors.sender(tls=client_context(hospital.ca)))
    said = [record.getMessage() for record in caplog.records if "turned away" in record.getMessage()]
    # Each reason once, until somebody has got in again.
    assert said == ["stream: source main: a connection was turned away: PEER_DID_NOT_RETURN_A_CERTIFICATE"] * 2


def test_a_port_or_a_file_that_cannot_be_used_is_named_before_anything_is_taken(queue, tmp_path):
    with doors_of(queue, settings()) as doors:
        taken = settings(listen=doors.where["main"])
        with pytest.raises(WardroundError, match="stream main: cannot listen on"), doors_of(queue, taken):
            pass
    keys = {"certificate": "a.pem", "key": "a.key"}
    with (
        pytest.raises(SettingsError, match=r"a\.pem: cannot be read"),
        doors_of(queue, settings(tls=keys), beside=tmp_path),
    ):
        pass


def test_nothing_of_a_message_is_logged_or_counted(doors, caplog):
    caplog.set_level("DEBUG")
    marked = "PID|1||MARKED^^^HOSP||MARKED^MARKED"
    doors.sent(message(marked, sender="MARKED|MARKED", control_id="MARKED"), b"MARKED", message(event="MARKED^MARKED"))
    doors.sent(message(marked, charset="MARKED"), message(marked, processing="T"), b"MSH|MARKED|MARKED")
    assert "MARKED" not in caplog.text + doors.metrics.text()


def test_the_same_bytes_of_a_source_are_one_message_and_it_is_due_at_once():
    one = raw(b"MSH|", "main", AT)
    assert one.dedup == raw(b"MSH|", "main", AT).dedup != raw(b"MSH|", "mai", AT).dedup
    assert len({raw(b"n" + b"MSH|", "mai", AT).dedup, one.dedup}) == 2
    assert one.due == one.received == AT
    assert "MSH" not in repr(one)
