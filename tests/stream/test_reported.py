"""Faults that others have reported of their HL7 listeners, each tried on ours: over sockets, before a real queue."""

import re

import pytest
from tests.hl7.messages import message
from tests.stream.feeding import code, doors_of, queue_in, settings, stored

from wardround.adapters.mllp.framing import framed
from wardround.hl7.acknowledgement import Contract, Verdict, acknowledgements
from wardround.hl7.header import header_of
from wardround.hl7.reader import read
from wardround.stream.reception import utc_now

LINE = "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5||||||UNICODE UTF-8"


@pytest.fixture
def doors(queue):
    with doors_of(queue, settings()) as one:
        yield one


def test_mirth_2027_what_is_not_stored_gets_no_positive_answer(tmp_path):
    with queue_in(tmp_path) as queue, doors_of(queue, settings(), reserve=1 << 60) as doors:
        assert code(doors.sent(message())[0]) == "AE C1"
        assert stored(queue) == []


def test_mirth_1293_a_resend_after_a_lost_answer_is_the_same_message(doors, queue):
    for _ in range(3):
        with doors.sender() as sender:
            sender.connection.sendall(framed(message()))
            sender.connection.recv(1)  # and hangs up
    assert len(stored(queue)) == 1


def test_mirth_276_and_262_parties_are_swapped_whole_and_not_escaped(doors):
    [answer] = doors.sent(message(sender="A^1.2^ISO|B^3&4", receiver="C|D^5"))
    assert answer.split(b"|")[2:6] == [b"C", b"D^5", b"A^1.2^ISO", b"B^3&4"]


def test_mirth_504_the_last_segment_of_an_answer_ends_with_cr(doors):
    assert doors.sent(message())[0].endswith(b"\rMSA|AA|C1\r")


def test_mirth_830_doubled_bytes_of_a_frame_change_no_message(doors, queue):
    with doors.sender() as sender:
        sender.connection.sendall(b"\x0b\x0b" + message() + b"\x1c\x1c\r\r")
        assert code(sender.answer()) == "AA C1"
    assert stored(queue) == [("main", message())]


def test_hl7apy_37_of_two_messages_in_one_read_both_are_answered(doors, queue):
    with doors.sender() as sender:
        sender.connection.sendall(framed(message(control_id="1")) + framed(message(control_id="2")))
        assert [code(sender.answer()), code(sender.answer())] == ["AA 1", "AA 2"]
    assert len(stored(queue)) == 2


@pytest.mark.parametrize("codec", ["utf_8", "latin_1", "cp1252"])
def test_python_hl7_54_a_first_umlaut_hangs_nothing(doors, queue, codec):
    body = message("PID|1||4711||Müller", codec=codec)
    assert code(doors.sent(body)[0]) == "AA C1"
    assert read(stored(queue)[0][1]).value("PID", 5) == "Müller"


def test_python_hl7_17_a_long_message_is_no_other_than_a_short_one(doors, queue):
    body = message("OBX|1|ED|||" + "x" * 900_000)
    assert code(doors.sent(body)[0]) == "AA C1"
    assert stored(queue) == [("main", body)]


def test_google_9_and_dhcw_368_a_refused_message_is_answered_and_the_connection_stays(doors):
    assert [code(one) for one in doors.sent(b"no message", message())] == ["AR ", "AA C1"]


def test_google_21_lf_after_msh_is_no_part_of_its_last_field(doors):
    body = f"{LINE}\nPID|1||4711\n".encode()
    assert read(body).msh.value(18) == "UNICODE UTF-8"
    [answer] = doors.sent(body)
    assert answer.split(b"\r")[0].endswith(b"|UNICODE UTF-8")


def test_google_44_an_answer_says_which_message_it_refuses(doors):
    assert code(doors.sent(message(processing="T", control_id="17"))[0]) == "AR 17"


def test_medplum_7115_an_accept_acknowledgement_is_not_an_application_one(doors):
    assert code(doors.sent(message(accept="AL", application="NE"))[0]) == "CA C1"


def test_medplum_8113_an_engine_that_wants_one_aa_gets_one_aa(queue):
    with doors_of(queue, settings(acknowledge="aa_only")) as doors:
        assert [code(one) for one in doors.sent(message(accept="AL", application="AL"), message("PID|2"))] == [
            "AA C1"
        ] * 2


def test_fhir_bridge_an_id_that_a_reset_counter_used_again_hides_no_message(doors, queue):
    doors.sent(message("PID|1", control_id="1"))
    doors.sent(message("PID|2", control_id="1"))
    assert len(stored(queue)) == 2


def test_fhir_bridge_a_frame_end_in_msh_3_is_not_echoed():
    body = b"MSH|^~\\&|A\x1c|B|C|D|2026||ADT^A01|1\x1c\x0b|P|2.5\r"
    [answer] = acknowledgements(header_of(body), Verdict.STORED, Contract(), "1", utc_now())
    assert not re.search(rb"[\x0b\x1c]", answer)
