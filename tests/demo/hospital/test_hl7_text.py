"""The hospital's own writer of HL7 v2."""

from datetime import datetime
from zoneinfo import ZoneInfo

from wardround.demo.hospital.acknowledged import acknowledged
from wardround.demo.hospital.hl7_text import components, message, repetitions, segment, timestamp


def test_what_separates_is_escaped_and_line_ends_become_blanks() -> None:
    assert components("a|b^c~d&e\\f", "x\r\ny") == r"a\F\b\S\c\R\d\T\e\E\f^x  y"


def test_fields_are_counted_as_hl7_counts_them() -> None:
    assert segment("PID", {3: repetitions([components("1", "", "", "A"), "2"]), 5: "x"}) == "PID|||1^^^A~2||x"
    assert segment("MSH", {3: "APP", 11: "P"}) == r"MSH|^~\&|APP||||||||P"


def test_each_segment_ends_with_a_carriage_return_and_an_unknown_letter_is_no_error() -> None:
    assert message(["MSH|x", "PID|Łucja Müller"], "iso-8859-1") == "MSH|x\rPID|?ucja Müller\r".encode("iso-8859-1")


def test_a_time_has_its_own_offset() -> None:
    summer = datetime(2026, 7, 1, 8, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (timestamp(summer), timestamp(summer, offset=False)) == ("20260701080500+0200", "20260701080500")


def test_an_acknowledgement_says_its_code_and_whose_it_is() -> None:
    answer = b"MSH|^~\\&|B|H|A|H|20260310||ACK^A01^ACK|9|P|2.5\rMSA|AA|RE00000001\r"
    assert acknowledged(answer) == ("AA", "RE00000001")
    assert acknowledged(b"MSH|^~\\&|") == acknowledged(b"MSA") == ("", "")
