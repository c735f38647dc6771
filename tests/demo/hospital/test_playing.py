"""How the hospital's interface engine behaves towards what answers it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.demo.hospital.conftest import BEGIN

from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.playing import Account, Clock, Pacing, play

Make = Callable[[int, float, int], tuple[Feed, Charts]]


class Waiting:
    """A clock that goes on only when somebody waits."""

    def __init__(self) -> None:
        self.time = BEGIN

    def until(self, moment: datetime) -> None:
        self.time = max(self.time, moment)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.until)


class Answering:
    """A line whose n-th exchange is answered by the n-th code; by AA when there are no more. `-` is no answer."""

    def __init__(self, *codes: str, named: str = "") -> None:
        self.codes, self.named, self.bodies = list(codes), named, list[bytes]()

    def exchange(self, body: bytes) -> bytes | None:
        self.bodies.append(body)
        code = self.codes.pop(0) if self.codes else "AA"
        control_id = self.named or body.split(b"|")[9].decode()
        return None if code == "-" else f"MSH|^~\\&|\rMSA|{code}|{control_id}\r".encode()


def played(feed_of: Make, line: Answering, pacing: Pacing) -> tuple[Account, Waiting]:
    account, waiting = Account(), Waiting()
    play(*feed_of(1, 1, 9), line, pacing, waiting.clock, account)
    return account, waiting


def test_messages_go_out_at_the_rate_and_charts_go_on_afterwards(feed_of: Make) -> None:
    account, waiting = played(feed_of, Answering(), Pacing(4, 9, after=timedelta(seconds=3)))
    assert (account.sent, dict(account.codes), account.not_acknowledged) == (9, {"AA": 9}, 0)
    assert waiting.time == BEGIN + timedelta(seconds=8 / 4 + 3)


def test_what_could_not_be_stored_or_was_not_answered_is_sent_again_before_the_next(feed_of: Make) -> None:
    line = Answering("AA", "AE", "-", "AA", "CA")
    account, _ = played(feed_of, line, Pacing(10, 3))
    assert line.bodies[1] == line.bodies[2] == line.bodies[3] != line.bodies[4]
    assert (account.resent, dict(account.codes), account.not_acknowledged) == (2, {"AA": 2, "CA": 1}, 0)


def test_a_sender_gives_up_after_its_patience_and_counts_what_was_not_stored(feed_of: Make) -> None:
    line = Answering(*["-"] * 4, "AR")
    account, _ = played(feed_of, line, Pacing(10, 3, patience=timedelta(seconds=3)))
    assert (dict(account.codes), account.not_acknowledged) == ({"none": 1, "AR": 1, "AA": 1}, 2)


def test_the_acknowledgement_of_another_message_is_none_of_this_one(feed_of: Make) -> None:
    account, _ = played(feed_of, Answering(named="RE00000000"), Pacing(10, 2))
    assert (dict(account.codes), account.not_acknowledged) == ({"of another message": 2}, 2)
