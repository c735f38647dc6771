"""Where the visits of a source are kept, the numbers that they have now, and the keys by which their messages wait.

It sees numbers; it never logs.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from wardround.adapters.database.visits import Keys, has_foreign_keys, known_of
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.queue import Queue
from wardround.adt.known import Kind, Known, Name
from wardround.core.identifier import Identifier
from wardround.errors import SettingsError
from wardround.stream.bodies import Admission, Number
from wardround.stream.stage import StageStopped


def keys_of(run: str, source: str, pseudonyms: Pseudonyms) -> Keys:
    """Returns under which hashes the visits of a source are kept."""

    def hashed(source: str, kind: str, identifier: Identifier) -> str:
        return pseudonyms.of(source, kind, json.dumps(identifier))

    return Keys(run, source, hashed)


def require_same_key(queue: Queue, sources: Iterable[str], pseudonyms: Pseudonyms, var: Path) -> None:
    """Raises SettingsError if visits are kept under another key's hashes: none of them would be found."""
    if any(_is_other_key(queue, source, pseudonyms) for source in sources):
        raise SettingsError(
            f"{var}: its key of pseudonyms is not the one with which the stream's visits were stored, expected the same"
            " on every machine; restore cds/pseudonyms.key there from a backup"
        )


def _is_other_key(queue: Queue, source: str, pseudonyms: Pseudonyms) -> bool:
    with queue.database.reading() as connection:
        return has_foreign_keys(connection, keys_of(queue.run, source, pseudonyms))


def request_key(visit: str, branch: str) -> str:
    """Returns the key of a request until it has a score; `visit` is the visit's own.

    A branch whose model cannot be used, such as one that is only tried, keeps no other branch's score waiting.
    """
    return f"{visit}:{branch}"


def told_key(visit: Identifier, pseudonyms: Pseudonyms) -> str:
    """Returns the key by which people are told of a visit, whichever source announces it: several may do so."""
    return pseudonyms.of("", Kind.VISIT.value, json.dumps(visit))


def channel_key(told: str, channel: str) -> str:
    """Returns the key of what is told of a visit through a channel; `told` is its `told_key`.

    Only that waits while the channel is down, and one stage at a time decides what is told.
    """
    return f"{told}:{channel}"


def visit_in(key: str) -> str:
    """Returns the visit's own key, of that of a request; it is that of what is written to the record."""
    return key.partition(":")[0]


class NumbersNow:
    """What admissions are about, hours after they were put: numbers may have been merged into others since."""

    def __init__(self, queue: Queue, pseudonyms: Pseudonyms) -> None:
        self._queue = queue
        self._pseudonyms = pseudonyms
        self._with_same_key: set[str] = set()

    def require_same_key(self, source: str) -> None:
        """Raises StageStopped if the visits of a source are kept under another key's hashes.

        When the process began, there may have been none yet. Raises StorageError or DatabaseError.
        """
        if source not in self._with_same_key:
            if _is_other_key(self._queue, source, self._pseudonyms):
                raise StageStopped("cds/pseudonyms.key is not the one with which the stream's visits were stored")
            self._with_same_key.add(source)

    def of(self, source: str, admissions: Sequence[Admission]) -> list[Admission]:
        """Returns the same with the numbers of now. Raises StorageError or DatabaseError."""
        visits = {Name(Kind.VISIT, one.visit.identifier) for one in admissions}
        patients = {Name(Kind.PATIENT, number.identifier) for one in admissions for number in one.patients}
        with self._queue.database.reading() as connection:
            known = known_of(connection, keys_of(self._queue.run, source, self._pseudonyms), visits | patients)
        return [_renewed(one, known) for one in admissions]


def _renewed(admission: Admission, known: Known) -> Admission:
    patients = (known.remaining(Kind.PATIENT, one.identifier) for one in admission.patients)
    return msgspec.structs.replace(
        admission,
        visit=Number(*known.remaining(Kind.VISIT, admission.visit.identifier)),
        patients=tuple(Number(*one) for one in dict.fromkeys(patients)),
    )
