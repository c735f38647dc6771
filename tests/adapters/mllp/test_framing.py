"""Tests how bytes become messages, however they are cut and whatever stands between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.adapters.mllp.framing import HEAD, Deframer, Frame, framed
from wardround.adapters.mllp.listener import Answer

ONE, TWO = b"MSH|^~\\&|1\rPID|1\r", b"MSH|^~\\&|2\r"


def frames(*pieces, largest=100_000):
    deframer = Deframer(largest)
    return [frame for piece in pieces for frame in deframer.fed(piece)]


def bodies(*pieces):
    found = frames(*pieces)
    assert all(frame.is_whole for frame in found)
    return [frame.body for frame in found]


def test_a_message_is_framed_as_mllp_says():
    assert framed(ONE) == b"\x0b" + ONE + b"\x1c\r"
    assert bodies(framed(ONE)) == [ONE]


@pytest.mark.parametrize(
    "sent",
    [
        framed(ONE) + framed(TWO),
        b"\r\nGET / HTTP/1.1\r\n" + framed(ONE) + b"noise" + framed(TWO) + b"\r\n",
        b"\x0b" + framed(ONE) + b"\x0b\x0b" + framed(TWO),
        b"\x0b" + ONE + b"\x1c\x0b" + TWO + b"\x1c",
        framed(ONE) + b"\x1c\r" + framed(TWO) + b"\x1c\r",
        b"\x0b" + ONE + b"\x1c\n" + framed(TWO),
    ],
    ids=["two at once", "noise", "doubled VT", "no CR", "doubled FS", "LF for CR"],
)
def test_two_messages_arrive_however_they_are_cut(sent):
    assert bodies(sent) == [ONE, TWO]
    assert bodies(*(sent[at : at + 1] for at in range(len(sent)))) == [ONE, TWO]
    for at in range(len(sent)):
        assert bodies(sent[:at], sent[at:]) == [ONE, TWO]


def test_a_message_that_does_not_end_is_none():
    deframer = Deframer(1_000)
    assert list(deframer.fed(b"\x0b" + ONE)) == []
    assert deframer.is_inside
    assert list(deframer.fed(b"\x1c")) == [Frame(ONE)]
    assert not deframer.is_inside


def test_an_empty_frame_is_a_message_without_anything():
    assert bodies(b"\x0b\x1c\r") == [b""]


def test_a_vt_inside_a_message_is_part_of_it():
    assert bodies(framed(ONE + b"\x0b" + TWO)) == [ONE + b"\x0b" + TWO]


@pytest.mark.parametrize("size", [1, 7, 1_000, 4_096, 1_000_000])
@pytest.mark.parametrize(("length", "is_whole"), [(50_000, True), (50_001, False), (900_000, False)])
def test_of_a_message_that_is_too_large_the_first_bytes_are_kept_and_the_rest_goes_by(size, length, is_whole):
    body = (b"MSH|" + b"x" * length)[:length] if length < 900_000 or size > 1 else b"MSH|" + b"x" * 60_000
    sent = framed(body) + framed(TWO)
    deframer, found = Deframer(50_000), []
    for at in range(0, len(sent), size):
        found += deframer.fed(sent[at : at + size])
        assert len(deframer._body) <= 50_000
    assert found == [Frame(body if is_whole else body[:HEAD], is_whole), Frame(TWO)]


@given(
    st.lists(st.binary(min_size=1, max_size=40).map(lambda body: body.translate(None, b"\x0b\x1c") or b"x")),
    st.binary(max_size=10).map(lambda noise: noise.translate(None, b"\x0b")),
    st.randoms(use_true_random=False),
)
def test_any_messages_arrive_in_order_through_any_noise_and_any_cut(messages, noise, random):
    sent = b"".join(noise + framed(body) for body in messages) + noise
    pieces, at = [], 0
    while at < len(sent):
        length = random.randint(1, 20)
        pieces.append(sent[at : at + length])
        at += length
    assert bodies(*pieces) == messages


@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_are_taken(pieces):
    deframer = Deframer(4_000)
    for piece in pieces:
        for frame in deframer.fed(piece):
            assert b"\x1c" not in frame.body
            assert not frame.body.startswith(b"\x0b")


def test_what_is_shown_of_a_frame_is_nothing_that_it_holds():
    assert repr([Frame(b"MARKED"), Answer((b"MARKED",))]) == "[Frame(…), Answer(…)]"
