"""Files of HL7 messages, as the stream takes them: their messages in order, each with its place."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wardround.errors import SourceDataError
from wardround.hl7.batches import messages_of
from wardround.hl7.header import header_of
from wardround.hl7.refused import Hl7Error
from wardround.spec.stream import StreamSource
from wardround.stream.refusal import Refusal, refusal_of

_AT_ONCE: Final = 1 << 18  # bytes


class FiledMessage(NamedTuple):
    """A message of a file: its place, such as `a.hl7: message 3`, and why the source does not take it, if so."""

    place: str
    body: bytes
    refusal: Refusal | None

    def __repr__(self) -> str:
        """Returns the place alone."""
        return f"FiledMessage({self.place!r}, …)"


def messages_in(files: Iterable[Path], source: StreamSource) -> Iterator[FiledMessage]:
    """Yields the messages of files in order, one at a time.

    Raises SourceDataError for a file that cannot be read or is none of HL7 messages.
    """
    for file in files:
        try:
            with file.open("rb") as opened:
                chunks = iter(lambda: opened.read(_AT_ONCE), b"")
                for number, body in enumerate(messages_of(chunks, source.largest), 1):
                    yield FiledMessage(f"{file}: message {number}", body, refusal_of(header_of(body), True, source))
        except OSError as error:
            raise SourceDataError(
                f"{file}: cannot be read ({error.strerror}), expected a file of HL7 messages; correct the path"
            ) from None
        except Hl7Error as error:
            raise SourceDataError(f"{file}: {error.place}: {_WORDS[error.rule].format(source.largest)}") from None


_WORDS: Final = {
    "no_header": "belongs to no message, expected a file of HL7 messages, which begin with MSH; correct it",
    "too_large": "the message is larger than {:,} bytes; set `largest` of the source, or remove it",
}
