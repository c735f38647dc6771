"""Tests every cell of the table of answers (docs/stream.md), and what an answer takes from its message."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from tests.hl7.messages import message

from wardround.hl7.acknowledgement import Contract, Verdict, acknowledgements, codes
from wardround.hl7.header import header_of

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONDITIONS = ("", "AL", "NE", "ER", "SU")
NEVER = [Verdict.NO_HEADER, Verdict.TOO_LARGE, Verdict.OTHER_PROCESSING_ID]

# For each MSH-15 the accept acknowledgement, for each MSH-16 the application's, in enhanced mode.
STORED = {"AL": "A", "SU": "A", "": "", "NE": "", "ER": ""}
NOT_STORED = {"AL": "x", "ER": "x", "": "", "NE": "", "SU": ""}


def answered(verdict, accept="", application="", acknowledge="auto", unstored="error"):
    header = header_of(message(accept=accept, application=application))
    return codes(header, verdict, Contract(acknowledge, unstored))


def fields(answer, name, separator="|"):
    """Returns a segment of an answer; the fields of its MSH are one to the left of their numbers."""
    lines = answer.decode().split("\r")
    return next(line for line in lines if line.startswith(name)).split(separator)


def one_answer(body, verdict=Verdict.STORED, **contract):
    [answer] = acknowledgements(header_of(body), verdict, Contract(**contract), "OWN1", AT)
    return answer


@pytest.mark.parametrize("verdict", list(Verdict))
def test_in_original_mode_there_is_exactly_one_application_acknowledgement(verdict):
    assert answered(verdict) == ("A" + verdict.value[0],)
    assert answered(verdict, '""', '""') == ("A" + verdict.value[0],)


@pytest.mark.parametrize(("accept", "application"), [pair for pair in product(CONDITIONS, CONDITIONS) if any(pair)])
def test_in_enhanced_mode_each_message_is_answered_as_it_asks(accept, application):
    commit, applied = STORED[accept], STORED[application]
    expected = tuple(filter(None, (commit and "CA", applied and "AA")))
    assert answered(Verdict.STORED, accept, application) == expected
    assert answered(Verdict.STORED, accept, application, "commit_only") == (("CA",) if commit else ())
    assert answered(Verdict.STORED, accept, application, "aa_only") == ("AA",)


@pytest.mark.parametrize("verdict", [Verdict.CANNOT_STORE, *NEVER])
@pytest.mark.parametrize(("accept", "application"), [pair for pair in product(CONDITIONS, CONDITIONS) if any(pair)])
def test_what_is_not_stored_is_said_once_to_whoever_asks_for_errors(verdict, accept, application):
    letter = verdict.value[0]
    commit, applied = NOT_STORED[accept], NOT_STORED[application]
    expected = (f"C{letter}",) if commit else (f"A{letter}",) if applied else ()
    assert answered(verdict, accept, application) == expected
    assert answered(verdict, accept, application, "commit_only") == ((f"C{letter}",) if commit else ())
    assert answered(verdict, accept, application, "aa_only") == (f"A{letter}",)


def test_the_letters_are_those_of_the_table():
    assert {verdict.value[0] for verdict in NEVER} == {"R"}
    assert (Verdict.STORED.value[0], Verdict.CANNOT_STORE.value[0]) == ("A", "E")
    assert [verdict.value[1] for verdict in Verdict] == ["", "207", "200", "200", "202"]
    assert len(list(Verdict)) == 5


@pytest.mark.parametrize(("asked", "code"), [("", "AR"), ("AL", "CR")])
def test_an_engine_that_resends_on_a_rejection_only_gets_one_where_nothing_was_stored(asked, code):
    assert answered(Verdict.CANNOT_STORE, asked, unstored="reject") == (code,)
    assert answered(Verdict.STORED, asked, unstored="reject") == (code.replace("R", "A"),)


def test_an_engine_that_resends_on_silence_only_gets_that():
    for acknowledge, accept in product(("auto", "commit_only", "aa_only"), ("", "AL")):
        assert answered(Verdict.CANNOT_STORE, accept, "AL", acknowledge, unstored="silence") == ()
    assert answered(Verdict.TOO_LARGE, unstored="silence") == ("AR",)


def test_a_condition_that_no_table_has_is_always_answered():
    assert answered(Verdict.STORED, "Y") == ("CA",)
    assert answered(Verdict.CANNOT_STORE, "al ") == ("CE",)
    assert answered(Verdict.STORED, "ne", "su") == ("AA",)


def test_an_answer_has_the_parties_swapped_whole_and_the_messages_own_id_version_and_processing_id():
    body = message(sender="APP^1.2.3^ISO|FAC", receiver="WARD|UNIT^9&x^DNS", processing="P^T", version="2.5.1^DE")
    assert one_answer(body) == (
        rb"MSH|^~\&|WARD|UNIT^9&x^DNS|APP^1.2.3^ISO|FAC|20260102030405+0000||ACK^A01^ACK|OWN1|P^T|2.5.1^DE"
        b"\rMSA|AA|C1\r"
    )


def test_the_time_of_an_answer_is_utc_and_says_so():
    at = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    [answer] = acknowledgements(header_of(message()), Verdict.STORED, Contract(), "1", at)
    assert fields(answer, "MSH")[6] == "20260102030405+0000"


def test_an_accept_and_an_application_acknowledgement_have_ids_of_their_own():
    header = header_of(message(accept="AL", application="AL"))
    first, second = acknowledgements(header, Verdict.STORED, Contract(), "OWN1", AT)
    assert [fields(one, "MSA")[1:3] for one in (first, second)] == [["CA", "C1"], ["AA", "C1"]]
    assert [fields(one, "MSH")[9] for one in (first, second)] == ["OWN1", "OWN1.2"]


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("version", ["2.3", "2.5", "2.8", "", "x"])
def test_every_answer_ends_with_cr_and_names_the_message_that_it_answers(verdict, version):
    answer = one_answer(message(control_id="A/7 x", version=version), verdict)
    assert answer.endswith(b"\r")
    assert b"\n" not in answer
    assert fields(answer, "MSA")[2] == "A/7 x"
    assert fields(answer, "MSH")[11] == (version or "2.5")


def test_an_error_stands_where_the_messages_version_has_it():
    old, middle, new = (one_answer(message(version=one), Verdict.CANNOT_STORE) for one in ("2.3.1", "2.5", "2.7"))
    assert old.endswith(b"MSA|AE|C1|not stored, send it again\rERR|^^^207&Application internal error&HL70357\r")
    coded = b"ERR|||207^Application internal error^HL70357|E||||not stored, send it again\r"
    assert middle.endswith(b"MSA|AE|C1|not stored, send it again\r" + coded)
    assert new.endswith(b"MSA|AE|C1\r" + coded)


def test_control_bytes_of_a_message_are_not_echoed():
    body = message(sender="A\x1cPP\x0b|F\x00AC", receiver="W\x1c\x1bX|U", control_id="C\x1c\x7f1", event="ADT^A\x1c01")
    answer = one_answer(body)
    assert not set(answer.replace(b"\r", b"")) & {*range(32), 127}
    assert fields(answer, "MSA")[2] == "C1"
    assert fields(answer, "MSH")[2:6] == ["WX", "U", "APP", "FAC"]
    assert fields(answer, "MSH")[8] == "ACK^A01^ACK"


def test_an_answer_uses_the_separators_of_its_message():
    body = b"MSH*~|\\&*APP~1*FAC*W*U*2026**ADT~A08*7*P*2.5\r"
    answer = one_answer(body, Verdict.CANNOT_STORE)
    assert answer.startswith(b"MSH*~|\\&*W*U*APP~1*FAC*20260102030405+0000**ACK~A08~ACK*OWN1*P*2.5\rMSA*AE*7*")
    assert b"ERR***207~Application internal error~HL70357*E" in answer


def test_broken_separators_are_not_repeated():
    answer = one_answer(b"MSH|^|APP|FAC|W|U|2026||ADT^A08|7|P|2.5\r")
    assert answer.startswith(b"MSH|^~\\&|W|U|APP|FAC|20260102030405+0000||ACK^A08^ACK|OWN1|P|2.5\rMSA|AA|7\r")


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [("8859/1", "latin_1", "Zürich"), ("UNICODE UTF-8", "utf_8", "Zürich"), ("", "latin_1", "Zürich")],
)
def test_names_of_the_parties_come_back_in_the_bytes_in_which_they_came(charset, codec, name):
    answer = one_answer(message(sender=f"{name}|FAC", charset=charset, codec=codec))
    assert name.encode(codec) in answer
    assert answer.split(b"\r")[0].endswith(b"|" + charset.encode() if charset else b"2.5.1")


def test_a_message_without_event_or_processing_id_gets_an_answer():
    answer = one_answer(b"MSH|^~\\&\rPID|1")
    assert answer == b"MSH|^~\\&|||||20260102030405+0000||ACK|OWN1|P|2.5\rMSA|AA\r"


def test_what_has_no_header_is_rejected_with_an_answer_of_our_own():
    [answer] = acknowledgements(header_of(b"PID|1"), Verdict.NO_HEADER, Contract(), "OWN1", AT)
    assert answer.startswith(b"MSH|^~\\&|||||20260102030405+0000||ACK|OWN1|P|2.5\rMSA|AR||")
    assert b"ERR|||200^" in answer


def test_the_answers_to_the_26_samples_are_readable_messages(adt_samples):
    from wardround.hl7.reader import read

    for body in adt_samples.values():
        asked = read(body)
        for answer in acknowledgements(header_of(body), Verdict.STORED, Contract("aa_only"), "OWN1", AT):
            said = read(answer)
            assert (said.code, said.event, said.structure) == ("ACK", asked.event, "ACK")
            assert said.value("MSA", 2) == asked.control_id
            assert [said.msh.fields[number] for number in (3, 4, 5, 6)] == [asked.msh.fields[n] for n in (5, 6, 3, 4)]


def test_the_sample_that_wants_no_answer_gets_none(adt_samples):
    header = header_of(adt_samples["ADT-A40-01"])
    assert all(codes(header, verdict, Contract()) == () for verdict in Verdict)
