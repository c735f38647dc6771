"""`wardround up`: runs a ward, a FHIR server and Airflow with its UI until Ctrl-C."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from wardround.adapters.sockets import LOOPBACK
from wardround.cli.cds import PORT as CDS_PORT
from wardround.cli.results import say
from wardround.demo.commands.until_stopped import until_stopped
from wardround.settings import settings_from


@click.command()
@click.option(
    "--stays", type=click.IntRange(min=20), default=30, show_default=True, help="Stays in the simulated ward."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port of Airflow's UI.")
@click.option(
    "--cds-port", type=click.IntRange(1, 65535), default=CDS_PORT, show_default=True, help="Port of CDS Hooks."
)
@click.option(
    "--mllp-port", type=click.IntRange(1, 65535), default=2575, show_default=True, help="Port of the stream (MLLP)."
)
def command(stays: int, port: int, cds_port: int, mllp_port: int) -> None:
    """Start Airflow with its UI, a FHIR server with a ward as of now, CDS Hooks, the stream and the schedules.

    A simulated hospital sends its ADT messages to the stream, and notifications are printed. Ctrl-C stops all. Uses the
    MIMIC-IV CSVs at MIMIC_CSV_PATH if that is set, and a simulated ward otherwise. All files are in var/up: the ward is
    created anew each time; models and Airflow's history are kept.
    """
    from wardround.demo.up import running_ward

    mimic = os.environ.get("MIMIC_CSV_PATH")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    source = Path(mimic) if mimic else None
    with (
        until_stopped(),
        running_ward(settings_from(), source, stays, now, port, cds_port, mllp_port, say) as ward,
    ):
        click.echo(f"Airflow      {ward.airflow.api.base_url}  (this machine only; everyone is admin, no password)")
        click.echo(f"Reports      {ward.airflow.api.base_url}/plugin/wardround-reports")
        click.echo(f"FHIR server  {ward.fhir_base_url}")
        click.echo(f"CDS Hooks    {ward.cds_base_url}/cds-services  (this machine only; no token)")
        click.echo(f"Stream       {LOOPBACK}:{ward.mllp_port}  (MLLP, this machine only)")
        click.echo(f"Runs         {ward.settings.runs}")
        click.echo(f"Log          {ward.airflow.log}")
        ward.first_round(say)
        with ward.hospital(say):
            ward.look_after_the_stream(say)
            places = f"WARDROUND_DATABASE={ward.settings.database} WARDROUND_STREAM={ward.settings.stream}"
            say(f"How the stream is doing, in another terminal: {places} wardround stream status")
            say("Running until Ctrl-C")
            ward.wait()
