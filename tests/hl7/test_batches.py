"""Tests how a file is cut into messages."""

import pytest
from tests.hl7.messages import message

from wardround.hl7.batches import messages_of
from wardround.hl7.refused import Hl7Error

ONE, TWO = message(control_id="1"), message(control_id="2")
CAP = 10_000


def cut(content, size=7, largest=CAP):
    return list(messages_of((content[at : at + size] for at in range(0, len(content), size)), largest))


@pytest.mark.parametrize("size", [1, 2, 7, 64, 5_000])
def test_messages_come_out_as_they_stand_in_the_file(size):
    assert cut(ONE + TWO, size) == [ONE, TWO]


def test_messages_that_were_joined_without_a_line_end_are_still_two():
    assert cut(ONE.rstrip() + TWO.rstrip() + ONE) == [ONE, TWO, ONE]
    assert cut(b"MSH|^~\\&|1MSH|^~\\&|2") == [b"MSH|^~\\&|1\r", b"MSH|^~\\&|2\r"]


@pytest.mark.parametrize("between", [b"", b"\r", b"\r\n\r\n", b"\n", b"\x1c\r", b"\x1c\r\x0b"])
def test_what_stands_between_messages_is_not_part_of_them(between):
    assert cut(b"\x0b" + ONE + between + TWO + between) == [ONE, TWO]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_envelopes_of_files_and_batches_are_taken_off(end):
    lines = [b"FHS|^~\\&|A", b"BHS|^~\\&|A", ONE[:-1], TWO[:-1], b"BTS|2", b"BHS|^~\\&|B", ONE[:-1], b"BTS|1", b"FTS|2"]
    content = end.join(line.replace(b"\r", end) for line in lines) + end
    inside = [one[:-1].replace(b"\r", end) + b"\r" for one in (ONE, TWO, ONE)]
    assert cut(content) == inside


def test_an_empty_file_holds_no_message():
    assert cut(b"") == cut(b"\r\n \n") == cut(b"FHS|^~\\&\rFTS|0") == []


def test_a_line_of_no_message_is_refused_with_its_place():
    with pytest.raises(Hl7Error) as caught:
        cut(ONE + b"BTS|1\rMARKED|1\r")
    assert (caught.value.rule, caught.value.place) == ("no_header", "line 5")


def test_a_message_over_the_cap_is_refused_before_it_is_held_whole():
    seen = []

    def chunks():
        for number in range(1_000):
            seen.append(number)
            yield ONE[:-1] + b"x" * 100 if number == 0 else b"x" * 100

    with pytest.raises(Hl7Error, match="too_large"):
        list(messages_of(chunks(), 1_000))
    assert len(seen) < 20


def test_every_sample_is_a_file_of_one_message(adt_samples):
    for body in adt_samples.values():
        assert cut(body, 4_096, 1_000_000) == [body.rstrip() + b"\r"] or body.rstrip().endswith(b" ")
    assert len(cut(b"".join(adt_samples.values()), 4_096, 1_000_000)) == 26
