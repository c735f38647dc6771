"""What a source never takes, however often it is sent: the few things that are not a matter of a message's content."""

from typing import Final, Literal

from wardround.hl7.header import Header
from wardround.spec.stream import StreamSource

Refusal = Literal["too_large", "no_header", "acknowledgement", "other_processing_id"]

_PROCESSING_IDS: Final = ("P", "T", "D")


def refusal_of(header: Header | None, is_whole: bool, source: StreamSource) -> Refusal | None:
    """Returns why a message is not taken, None if it is.

    An acknowledgement is no message about anybody. A processing id (MSH-11) that is missing or in no table is not held
    against a message.
    """
    if not is_whole:
        return "too_large"
    if header is None:
        return "no_header"
    if header.code == "ACK":
        return "acknowledgement"
    if header.processing_id in _PROCESSING_IDS and header.processing_id != source.processing:
        return "other_processing_id"
    return None
