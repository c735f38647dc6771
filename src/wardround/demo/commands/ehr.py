"""`wardround ehr`: runs a ward, the bedside door and a small EHR page that calls it, until Ctrl-C."""

import signal
from datetime import UTC, datetime
from typing import Final

import click

from wardround.adapters.sockets import LOOPBACK, listen
from wardround.cli.results import say
from wardround.demo.commands.until_stopped import until_stopped
from wardround.settings import settings_from

PORT: Final = 8182


@click.command(short_help="Show the bedside door in a browser: a ward, and a small EHR page with its cards.")
@click.option("--stays", type=click.IntRange(min=1), default=30, show_default=True, help="Stays in the simulated ward.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port of the page; 0 takes a free one.",
)
def command(stays: int, port: int) -> None:
    """Start a FHIR server with a simulated ward as of now, wardround cds and a web page that opens its charts.

    Opening a chart calls the bedside door, and the page shows its cards and sends what you do with them. All files are
    in var/ehr: the ward is created anew each time; models are trained the first time and kept. Ctrl-C stops all.
    """
    from wardround.demo.ehr.running import own_ward, running_ehr

    # The port comes first, so that a taken one is reported before anything in var/ehr is removed.
    with until_stopped(), listen(LOOPBACK, port, "ehr") as listening:
        settings, data = own_ward(settings_from(), stays, datetime.now(UTC).replace(microsecond=0), say)
        with running_ehr(settings, data, listening) as running:
            click.echo(f"EHR          {running.page}  (open this in a browser; this machine only)")
            click.echo(f"FHIR server  {running.fhir_base_url}")
            click.echo(f"CDS Hooks    {running.cds_base_url}/cds-services  (no token)")
            say("Running until Ctrl-C")
            while True:
                signal.pause()
