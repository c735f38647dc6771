"""`wardround stream simulate`: plays a hospital that sends ADT messages, until it has sent enough or Ctrl-C."""

import signal
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from wardround.adapters.sockets import LOOPBACK, end_with_stdin, listen, url_of
from wardround.cli.results import say, show
from wardround.demo.commands.until_stopped import interrupt
from wardround.errors import WardroundError
from wardround.settings import Settings, settings_from

if TYPE_CHECKING:
    from wardround.demo.hospital.stays import Recorded

_COMPLETED = 200
"""Stays that have ended, of which the few of the last day are played as well."""


def _address(_context: click.Context, _parameter: click.Parameter, given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"got {given!r}, expected HOST:PORT such as 127.0.0.1:2575")
    return host.strip("[]"), int(port)


@click.command(short_help="Play a hospital: ADT messages over MLLP, and its charts on a FHIR server.")
@click.option("--source", required=True, metavar="URL|NAME", help="The hospital's FHIR server, which gets the charts.")
@click.option(
    "--to", callback=_address, default="127.0.0.1:2575", show_default=True, metavar="HOST:PORT", help="The listener."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of FHIR files whose ICU stays are played, as mimic2fhir writes them. [default: a simulated ward]",
)
@click.option("--stays", type=click.IntRange(1), default=60, show_default=True, help="Stays of the simulated ward.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another hospital.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Messages a second."
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Every so many messages, a stay begins its way to the unit.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times as fast as recorded each stay goes on once it has begun; its readings have such times.",
)
@click.option("--messages", type=click.IntRange(1), help="Messages to send.  [default: until Ctrl-C]")
@click.option(
    "--after",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds after the last message in which charts go on and notifications are awaited.",
)
@click.option("--webhook", type=click.IntRange(0, 65535), help="Open a webhook on this port; 0 takes a free one.")
@click.option("--until-eof", is_flag=True, help="Stop when standard input ends (for a program that starts this one).")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object instead of a table.")
def command(
    source: str,
    to: tuple[str, int],
    data: Path | None,
    stays: int,
    seed: int,
    rate: float,
    every: int,
    speed: float,
    messages: int | None,
    after: float,
    webhook: int | None,
    until_eof: bool,
    as_json: bool,
) -> None:
    """Play a hospital whose patients come, move, merge and leave: its ADT messages go to the listener over MLLP.

    The charts of those who come to the unit (MICU or SICU) go to the FHIR server as their readings become known. Names
    and numbers are made up. In the end it prints what was sent, how it was acknowledged, and which notifications came.
    """
    from wardround.demo.hospital.charts import Charts
    from wardround.demo.hospital.feed import Feed
    from wardround.demo.hospital.line import MllpLine
    from wardround.demo.hospital.playing import Account, Pacing, play
    from wardround.demo.hospital.present import machine_clock, run_of
    from wardround.demo.hospital.webhook import Received, receiving
    from wardround.fhir.client import FhirClient
    from wardround.workflows.servers import server_at

    signal.signal(signal.SIGTERM, interrupt)
    if until_eof:
        end_with_stdin()
    settings, began = settings_from(), datetime.now(UTC)
    account, received = Account(), Received()
    with ExitStack() as stack:
        if webhook is not None:
            listening = stack.enter_context(listen(LOOPBACK, webhook, "webhook"))
            received = stack.enter_context(receiving(listening, _tell))
            say(f"Notifications are taken at {url_of(listening)}")
        client = stack.enter_context(FhirClient(server_at(source, settings)))
        recorded = _recorded(data, stays, seed, began, settings)
        charts = Charts(client, run_of(began), speed)
        charts.write_places(recorded.places)
        feed = Feed(recorded.stays, charts, Random(seed), run_of(began), every)
        line = MllpLine(*to)
        stack.callback(line.close)
        say(f"Playing {len(recorded.stays)} stays to {to[0]} port {to[1]}")
        pacing = Pacing(rate, messages, timedelta(seconds=after))
        try:
            play(feed, charts, line, pacing, machine_clock(), account)
        except KeyboardInterrupt:
            say("Stopped")
    happened = feed.happened
    show(
        {
            "sent": account.sent,
            "kinds": dict(happened.kinds),
            "events": dict(sorted(happened.events.items())),
            "acknowledged": dict(account.codes),
            "sent_again": account.resent,
            "came_to_the_unit": len(happened.to_the_unit),
            "withdrawn_from_it": len(happened.withdrawn),
            "left_it": len(happened.left),
            **({} if webhook is None else {"notifications": received.notifications, "repeated": received.repeated}),
        },
        as_json,
    )
    if account.not_acknowledged:
        raise WardroundError(
            f"{to[0]}:{to[1]}: did not acknowledge {account.not_acknowledged} of {account.sent} messages as stored,"
            " expected all; see the answers above and the listener's log"
        )


def _recorded(data: Path | None, stays: int, seed: int, now: datetime, settings: Settings) -> "Recorded":
    import pandas as pd

    from wardround.adapters.files.scratch import scratch_folder
    from wardround.demo.hospital.stays import stays_of
    from wardround.demo.simulate import Plan, simulate
    from wardround.spec.loading import load_variables

    if data is not None:
        return stays_of(data, settings.icu_classes, simulated=False)
    with scratch_folder() as folder:
        plan = Plan(stays, _COMPLETED, seed, pd.Timestamp(now.replace(microsecond=0)))
        simulate(plan, folder, load_variables(settings.schemas), lambda step: say(f"Simulating a ward: {step}"))
        return stays_of(folder / "fhir", settings.icu_classes, simulated=True)


def _tell(content: dict[str, Any]) -> None:
    """Prints what a notification says, without a name, number or value of a patient; its id names it in logs."""
    told = content.get("data")
    data = told if isinstance(told, dict) else {}
    condition = data.get("condition")
    title = condition.get("title") if isinstance(condition, dict) else None
    words = (title, data.get("band"), f"as of {data.get('as_of')}", data.get("id"))
    click.echo(f"Notification: {', '.join(str(word) for word in words if word)}")
