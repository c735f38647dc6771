"""Tests that no bytes break the reader, and that whatever is answered is a right answer to them.

The bytes are messages that were damaged at random, again and again in the same way.
"""

import random
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from tests.hl7.messages import PATIENT, VISIT, message

from wardround.adapters.mllp.framing import Deframer, framed
from wardround.hl7.acknowledgement import Contract, Verdict, acknowledgements, codes
from wardround.hl7.batches import messages_of
from wardround.hl7.header import header_of
from wardround.hl7.reader import read
from wardround.hl7.refused import Hl7Error

AT = datetime(2026, 1, 2, tzinfo=UTC)
RULES = {"no_header", "separators", "charset_broken", "charset_unknown", "several_messages"}
CONTRACTS = [
    Contract(acknowledge, unstored)
    for acknowledge in ("auto", "commit_only", "aa_only")
    for unstored in ("error", "reject", "silence")
]
SEEDS = [
    message(),
    message(end="\n", charset="UNICODE UTF-8", sender="Zürich|F^1.2^ISO"),
    message(PATIENT, VISIT, r"ZZZ|\X41\|\F\\S\|~^&", accept="AL", application="SU", charset="8859/1", codec="latin_1"),
    message(PATIENT, "PID|2", "MRG|1^^^H~2", event="ADT^A40^ADT_A39", accept="NE", application="NE", version="2.3"),
    message(PATIENT, charset="ASCII~ISO IR87", codec="iso2022_jp_ext", sender="山田|F"),
    b"MSH*~|\\&#*APP~1*FAC*W*U*2026**ADT~A08*7*P*2.8*\r\nPID*1**4711\r\n",
    b"FHS|^~\\&\rBHS|^~\\&\r" + message() + b"BTS|1\rFTS|1\r",
]
PARTS = [
    b"MSH|^~\\&|",
    b"\r",
    b"\n",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\x0b",
    b"\x1c\r",
    b"\x00",
    b'""',
    b"\xff",
    b"\xc3\xa4",
    b"PID|",
]


def damaged(choose):
    """Returns the bytes of a message after some accidents."""
    body = bytearray(choose.choice(SEEDS))
    for _ in range(choose.randint(0, 6)):
        at, other = choose.randint(0, len(body)), choose.randint(0, len(body))
        match choose.randint(0, 5):
            case 0:
                body[at : at + 1] = bytes([choose.randint(0, 255)])
            case 1:
                body[at:at] = choose.choice(PARTS)
            case 2:
                del body[at : at + choose.randint(1, 20)]
            case 3:
                body[at:at] = body[other : other + choose.randint(1, 30)]
            case 4:
                del body[at:]
            case 5:
                body[at:other] = choose.choice(SEEDS)[at:other]
    return bytes(body)


def look_at(body, all_of_it):
    """Reads a message, and every value of it if wanted; returns the rule by which it is refused, else ""."""
    try:
        one = read(body)
    except Hl7Error as error:
        refused = error.rule, error.place
    else:
        refused = None
        if all_of_it:
            read_all(one)
    assert refused is None or re.fullmatch(r"MSH(-\d+)?|message", refused[1])
    return refused[0] if refused else ""


def read_all(one):
    for segment in one.segments():
        for field in range(len(segment.fields)):
            for repetition in segment.repetitions(field):
                assert isinstance(repetition.value(1) + repetition.value(4, 2) + repetition.value(9), str)
    assert isinstance(one.event + one.code + one.control_id + one.version + one.processing_id, str)


def answer_to(body, verdict, contract):
    """Makes the answers to a message and checks each against the message's own words."""
    header = header_of(body)
    answers = acknowledgements(header, verdict, contract, "OWN", AT)
    assert len(answers) == len(codes(header, verdict, contract)) <= 2
    for code, answer in zip(codes(header, verdict, contract), answers, strict=True):
        assert (code in ("AA", "CA")) is (verdict is Verdict.STORED)
        assert answer.startswith(b"MSH")
        assert answer.endswith(b"\r")
        if header is None or header.codec != "iso2022_jp_ext":  # whose escape is a control byte
            assert not set(answer.replace(b"\r", b"")) & {*range(32), 127}
        mark = answer[3:4]
        said = answer.split(b"\r")[1].split(mark)
        assert said[:2] == [b"MSA", code.encode()]
        asked = re.sub(r"[\x00-\x1f\x7f]", "", header[10] if header else "").replace(mark.decode("latin_1"), "")
        if asked:
            assert said[2].decode(header.codec) == asked
    if header is not None and not (header.accept or header.application):
        assert len(answers) == 1 or contract.unstored == "silence"


def frames_of(body, choose):
    """Sends a message's bytes in pieces; what comes out ends, and the next message arrives whole."""
    deframer, sent, at, found = Deframer(choose.choice((50, 4_000))), framed(body) + framed(b"MSH|next"), 0, []
    while at < len(sent):
        size = choose.randint(1, 200)
        found += deframer.fed(sent[at : at + size])
        at += size
    assert found[-1].body == b"MSH|next"
    assert not deframer.is_inside
    assert all(b"\x1c" not in frame.body for frame in found)


def cut(body):
    """Cuts the bytes as a file; all of it belongs to a message, or is refused."""
    with suppress(Hl7Error):
        assert all(header_of(one) is not None for one in messages_of([body], 10_000))


def try_all(seed, count):
    choose = random.Random(seed)  # the same each time
    refused = dict.fromkeys(("", *RULES), 0)
    for number in range(count):
        body = damaged(choose)
        refused[look_at(body, number % 4 == 0)] += 1
        answer_to(body, choose.choice(list(Verdict)), choose.choice(CONTRACTS))
        if number % 8 == 0:
            frames_of(body, choose)
            cut(body)
    return refused


def test_no_bytes_break_the_reader_or_get_a_wrong_answer():
    refused = try_all(0, 20_000)
    assert min(refused.values()) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_million_damaged_messages_break_nothing(seed):
    assert min(try_all(seed, 100_000).values()) > 0
