"""The answer to a message: stored, not stored now, or never taken. HL7 v2.9, section 2.9 (acknowledgement rules).

An answer says what became of the *bytes*. A message whose content cannot be used was stored nevertheless, and is
acknowledged: an engine may stop a whole feed on a rejection.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Literal

from wardround.hl7.header import Header
from wardround.hl7.refused import Hl7Error
from wardround.hl7.separators import USUAL, Separators, separators_of

Acknowledge = Literal["auto", "commit_only", "aa_only"]
Unstored = Literal["error", "reject", "silence"]


class Verdict(Enum):
    """What became of a message.

    Each has the second letter of its code, the error's code and name in HL7 table 0357, and words for whoever reads the
    answer in an engine's log.
    """

    STORED = ("A", "", "", "")
    CANNOT_STORE = ("E", "207", "Application internal error", "not stored, send it again")
    NO_HEADER = ("R", "200", "Unsupported message type", "does not begin with an MSH segment")
    TOO_LARGE = ("R", "200", "Unsupported message type", "larger than this interface takes")
    OTHER_PROCESSING_ID = ("R", "202", "Unsupported processing id", "MSH-11 is not the one of this interface")


@dataclass(frozen=True)
class Contract:
    """How the messages of one source are answered.

    Attributes:
        acknowledge: auto: as MSH-15 and MSH-16 ask. commit_only: in enhanced mode no application acknowledgement
            follows the accept acknowledgement. aa_only: exactly one application acknowledgement, whatever they ask.
        unstored: what a message gets that cannot be stored now, which is to be what makes this engine send it again:
            error (AE, CE), reject (AR, CR), or silence, after which the connection is closed.
    """

    acknowledge: Acknowledge = "auto"
    unstored: Unstored = "error"


_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_MINOR_VERSION: Final = re.compile(r"\s*2\.(\d)")
_VERSION: Final = "2.5"  # of an answer to what names none
_CODE_IN_ERR_3: Final = 5  # minor version; before, ERR-1 has it
_NO_TEXT_IN_MSA_3: Final = 7  # from this minor version on
_CONDITIONS: Final = ("", "AL", "NE", "ER", "SU")


def codes(header: Header | None, verdict: Verdict, contract: Contract) -> tuple[str, ...]:
    """Returns the codes of the answers in the order to be sent: none, one, or CA and then AA.

    Where an accept acknowledgement is not wanted and the application's is, that one says that the message was not
    stored: otherwise the sender would take silence for success.
    """
    letter = verdict.value[0]
    if verdict is Verdict.CANNOT_STORE:
        if contract.unstored == "silence":
            return ()
        letter = "R" if contract.unstored == "reject" else "E"
    accept, application = (header.accept, header.application) if header else ("", "")
    if contract.acknowledge == "aa_only" or not (accept or application):
        return (f"A{letter}",)
    commit = (f"C{letter}",) if _is_wanted(accept, letter) else ()
    applied = (f"A{letter}",) if contract.acknowledge == "auto" and _is_wanted(application, letter) else ()
    return commit + applied if letter == "A" else commit or applied


def acknowledgements(
    header: Header | None, verdict: Verdict, contract: Contract, control_id: str, at: datetime
) -> tuple[bytes, ...]:
    """Returns the answers to a message, without framing bytes.

    `header` is the message's, None if it has none. `control_id` becomes MSH-10 of the first answer; a second one gets
    the same with `.2`. `at` is the time of the answer.
    """
    return tuple(
        _answer(header, code, verdict, f"{control_id}.{number}" if number > 1 else control_id, at)
        for number, code in enumerate(codes(header, verdict, contract), 1)
    )


def _is_wanted(condition: str, letter: str) -> bool:
    """Returns whether a condition of table 0155 wants an answer; one that is not in the table always does."""
    return condition not in _CONDITIONS or condition in ("AL", "SU" if letter == "A" else "ER")


def _answer(header: Header | None, code: str, verdict: Verdict, control_id: str, at: datetime) -> bytes:
    asked = header or Header((), "ascii")
    separators = _separators(asked)

    def echo(number: int) -> str:
        return _CONTROLS.sub("", asked[number]).replace(separators.field, "")

    def joined(*fields: str) -> str:
        return separators.field.join(fields).rstrip(separators.field)

    type_ = separators.component.join(
        ["ACK", trigger, "ACK"] if (trigger := _CONTROLS.sub("", asked.trigger)) else ["ACK"]
    )
    time = at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    parties = (echo(5), echo(6), echo(3), echo(4))
    version = echo(12) or _VERSION
    encoding = "".join(separators[1:])
    msh = joined("MSH", encoding, *parties, time, "", type_, control_id, echo(11) or "P", version, *[""] * 5, echo(18))
    minor = int(found[1]) if (found := _MINOR_VERSION.match(version)) else _CODE_IN_ERR_3
    _, error, name, words = verdict.value
    msa = joined("MSA", code, echo(10), words if minor < _NO_TEXT_IN_MSA_3 else "")
    segments = [msh, msa]
    if error:
        coded = (error, name, "HL70357")
        segments.append(
            joined("ERR", "", "", separators.component.join(coded), "E", "", "", "", words)
            if minor >= _CODE_IN_ERR_3
            else joined("ERR", separators.component * 3 + (separators.subcomponent or "&").join(coded))
        )
    return "".join(f"{segment}\r" for segment in segments).encode(asked.codec, errors="replace")


def _separators(header: Header) -> Separators:
    try:
        return separators_of(header[1], header[2])
    except Hl7Error:
        return USUAL
