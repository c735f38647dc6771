"""Tests the listener over real sockets: every way to send frames, limits, one message in flight, and a clean stop."""

import socket
from threading import Event, Thread

import pytest
from tests.adapters.mllp.serving import WAIT, answers, echo, everything, served

from wardround.adapters.mllp.framing import HEAD, framed
from wardround.adapters.mllp.listener import Answer, Limits

ONE, TWO = b"MSH|1\r", b"MSH|2\r"


@pytest.fixture(scope="module")
def echoing():
    with served(limits=Limits(largest=2_000_000, connections=200)) as one:
        yield one


@pytest.mark.parametrize(
    "pieces",
    [
        (framed(ONE), framed(TWO)),
        (framed(ONE) + framed(TWO),),
        tuple(bytes([byte]) for byte in framed(ONE) + framed(TWO)),
        (b"\x0b" + framed(ONE), b"\x0b\x0b", framed(TWO)),
        (b"\x0b" + ONE + b"\x1c", b"\x0b" + TWO + b"\x1c"),
        (b"GET / HTTP/1.1\r\n\r\n" + framed(ONE), b"\r\n", framed(TWO)),
    ],
    ids=["two segments", "one segment", "byte by byte", "doubled VT", "no CR", "noise"],
)
def test_each_message_is_answered_once_in_order_however_it_is_sent(echoing, pieces):
    assert echoing.exchanged(*pieces) == answers(ONE, TWO)


def test_a_sender_that_closes_its_half_after_the_message_gets_the_answer(echoing):
    assert echoing.exchanged(framed(ONE)) == answers(ONE)


def test_lines_that_end_with_lf_and_bytes_that_are_no_ascii_are_bytes(echoing):
    body = "MSH|^~\\&|Zürich\nPID|1\n".encode("latin_1")
    assert echoing.exchanged(framed(body)) == answers(body)


def test_a_message_of_almost_two_megabytes_arrives_whole(echoing):
    body = b"MSH|" + b"x" * 1_900_000
    assert echoing.exchanged(framed(body), framed(ONE)) == answers(body, ONE)


def test_a_message_over_the_cap_is_answered_by_its_first_bytes_and_the_next_one_too(echoing):
    body = b"MSH|" + b"x" * 2_100_000
    assert echoing.exchanged(framed(body), framed(ONE)) == answers(b"too large: " + body[:HEAD], ONE)


def test_half_a_message_gets_no_answer_and_is_counted(echoing):
    before = echoing.watch.counts["closed: cut"]
    assert echoing.exchanged(framed(ONE)[:-3]) == b""
    echoing.watch.wait_for("closed: cut", before + 1)


def test_a_hundred_connections_are_served_side_by_side(echoing):
    senders = [echoing.sender() for _ in range(100)]
    opened = [one.__enter__() for one in senders]
    for number, sender in enumerate(opened):
        sender.connection.sendall(framed(b"%d" % number))
    for number, sender in enumerate(opened):
        assert sender.answer() == b"%d" % number
        assert sender.send(b"again %d" % number) == b"again %d" % number
    for one in senders:
        one.__exit__(None, None, None)


def test_a_connection_is_kept_alive_and_sends_its_answers_at_once():
    seen = []

    class Spied(socket.socket):
        def setsockopt(self, *option):
            seen.append(option)
            super().setsockopt(*option)

    from wardround.adapters.mllp import listener

    with pytest.MonkeyPatch.context() as patched, served() as one:
        patched.setattr(listener.socket, "socket", Spied)
        assert one.exchanged(framed(ONE)) == answers(ONE)
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in seen
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in seen


def test_a_message_waits_until_the_one_before_it_is_answered():
    asked, go = Event(), Event()

    def slowly(frame):
        asked.set()
        assert go.wait(WAIT)
        return echo(frame)

    with served(slowly) as one, one.sender() as sender:
        sender.connection.sendall(framed(ONE) + framed(TWO))
        assert asked.wait(WAIT)
        assert [frame.body for frame in one.frames] == [ONE]
        go.set()
        assert [sender.answer(), sender.answer()] == [ONE, TWO]


def test_one_slow_connection_keeps_no_other_one_waiting():
    go = Event()

    def slowly(frame):
        assert frame.body == TWO or go.wait(WAIT)
        return echo(frame)

    with served(slowly) as one, one.sender() as slow, one.sender() as quick:
        slow.connection.sendall(framed(ONE))
        assert quick.send(TWO) == TWO
        go.set()
        assert slow.answer() == ONE


def test_connections_beyond_the_limit_are_closed_and_room_is_made_when_one_leaves():
    with served(limits=Limits(connections=2)) as one:
        with one.sender() as first, one.sender() as second:
            assert first.send(ONE) == second.send(ONE) == ONE
            with one.sender() as third:
                assert third.connection.recv(1) == b""
            assert one.watch.counts["turned away: too_many"] == 1
        one.watch.wait_for("closed: left", 2)
        with one.sender() as fourth:
            assert fourth.send(ONE) == ONE


@pytest.mark.parametrize("sent", [b"", b"noise", framed(ONE)])
def test_a_connection_without_a_message_is_closed_after_a_while(sent):
    with served(limits=Limits(idle=0.05)) as one:
        assert one.exchanged(sent, ends=False) == (answers(ONE) if sent == framed(ONE) else b"")
        one.watch.wait_for("closed: idle")


def test_noise_does_not_keep_a_connection_open():
    with served(limits=Limits(idle=0.2)) as one, one.sender() as sender:
        ended = Event()

        def noise():
            while not ended.is_set():
                try:
                    sender.connection.sendall(b"x")
                except OSError:
                    return
                ended.wait(0.01)

        making = Thread(target=noise)
        making.start()
        one.watch.wait_for("closed: idle")
        ended.set()
        making.join()


def test_a_message_that_arrives_too_slowly_ends_its_connection():
    with served(limits=Limits(arrives_within=0.05)) as one:
        assert one.exchanged(b"\x0bMSH|", ends=False) == b""
        one.watch.wait_for("closed: slow")
        assert one.frames == []


def test_a_connection_is_closed_where_the_answer_says_so():
    with served(lambda _: Answer((), closes=True)) as one:
        assert one.exchanged(framed(ONE) + framed(TWO), ends=False) == b""
        one.watch.wait_for("closed: refused")
        assert len(one.frames) == 1


def test_a_message_may_get_no_answer_and_the_next_one_two():
    with served(lambda frame: Answer((ONE, TWO) if frame.body == TWO else ())) as one:
        assert one.exchanged(framed(ONE), framed(TWO)) == answers(ONE, TWO)


def test_a_fault_of_the_program_ends_one_connection_and_names_no_value():
    def faulty(frame):
        if frame.body == ONE:
            raise ValueError("MARKED")
        return echo(frame)

    with served(faulty) as one:
        assert one.exchanged(framed(ONE)) == b""
        assert one.exchanged(framed(TWO)) == answers(TWO)
        [why] = [what for what in one.watch.counts if "ValueError" in what]
        assert "MARKED" not in why


def test_a_sender_that_vanishes_while_its_message_is_answered_harms_nobody():
    asked, go = Event(), Event()

    def slowly(frame):
        if frame.body == ONE:
            asked.set()
            assert go.wait(WAIT)
        return echo(frame)

    with served(slowly) as one:
        with one.sender() as sender:
            sender.connection.sendall(framed(ONE))
            assert asked.wait(WAIT)
            sender.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        go.set()
        assert one.exchanged(framed(TWO)) == answers(TWO)


def test_a_stop_answers_what_is_in_flight_and_takes_nothing_more():
    asked, go = Event(), Event()

    def slowly(frame):
        asked.set()
        assert go.wait(WAIT)
        return echo(frame)

    with served(slowly) as one, one.sender() as busy, one.sender() as idle:
        busy.connection.sendall(framed(ONE))
        assert asked.wait(WAIT)
        one.stop()
        assert everything(idle.connection) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", one.port), timeout=WAIT).close()
        go.set()
        assert busy.answer() == ONE
        assert busy.connection.recv(1) == b""
