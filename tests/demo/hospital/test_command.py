"""`wardround stream simulate` against a real listener and a real FHIR server."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result
from tests.adapters.mllp.serving import Served, served
from tests.fixtures.simulated_ward import SimulatedWard

from wardround.adapters.mllp.framing import Frame
from wardround.adapters.mllp.listener import Answer
from wardround.adapters.sockets import LOOPBACK
from wardround.demo.commands.stream_simulate import command
from wardround.demo.hospital.line import MllpLine
from wardround.demo.standalone import free_port
from wardround.errors import WardroundError
from wardround.fhir.client import FhirClient

FAST = ["--rate", "1000", "--every", "4", "--json"]


def answering(code: str) -> Callable[[Frame], Answer]:
    def answer(frame: Frame) -> Answer:
        control_id = frame.body.split(b"|")[9].decode()
        return Answer((f"MSH|^~\\&|\rMSA|{code}|{control_id}\r".encode(),))

    return answer


def simulate(listener: Served, client: FhirClient, folder: Path, *options: str) -> Result:
    to = ["--to", f"{LOOPBACK}:{listener.port}", "--source", client.source.base_url, "--data", str(folder)]
    return CliRunner().invoke(command, [*to, *FAST, *options])


def test_it_ends_with_an_account_of_what_was_sent_and_how_it_was_answered(
    simulated_ward: SimulatedWard, client: FhirClient
) -> None:
    with served(answering("AA")) as listener:
        done = simulate(listener, client, simulated_ward.fhir, "--messages", "60")
    account = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert (account["sent"], account["acknowledged"], len(listener.frames)) == (60, {"AA": 60}, 60)
    assert account["came_to_the_unit"] > 0
    assert sum(account["kinds"].values()) == 60


def test_it_fails_if_a_message_was_not_acknowledged_as_stored(
    simulated_ward: SimulatedWard, client: FhirClient
) -> None:
    with served(answering("AR")) as listener:
        done = simulate(listener, client, simulated_ward.fhir, "--messages", "5")
    assert isinstance(done.exception, WardroundError)
    assert "did not acknowledge 5 of 5 messages" in str(done.exception)


def test_a_line_that_breaks_is_opened_again() -> None:
    answers = iter([Answer((b"one",)), Answer((), closes=True), Answer((b"three",))])
    with served(lambda _: next(answers)) as listener:
        line = MllpLine(LOOPBACK, listener.port)
        assert [line.exchange(b"MSH|1\r") for _ in range(3)] == [b"one", None, b"three"]
        line.close()


def test_a_line_to_nobody_has_no_answer() -> None:
    assert MllpLine(LOOPBACK, free_port()).exchange(b"MSH|1\r") is None
