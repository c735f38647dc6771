"""`wardround cds`: serves the bedside door (CDS Hooks) in the foreground."""

import json
import logging
import os
import re
import signal
import socket
import sys
import tempfile
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Final

import click

from wardround.adapters.heap import give_back, keep_for_the_next_call, tune_glibc
from wardround.adapters.sockets import LOOPBACK, end_with_stdin, is_loopback, listen, url_of
from wardround.cds.http.options import Options
from wardround.cds.http.workers import Workers, end_with_parent
from wardround.cli.main import reported
from wardround.cli.origins import cors_option
from wardround.cli.results import say
from wardround.cli.streams import print_safely
from wardround.cli.times import TIME
from wardround.cli.verbosity import say_on_stderr
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_server_profile
from wardround.spec.servers import GENERIC, ServerProfile
from wardround.workflows.servers import server_at

PORT: Final = 8181
_EVERYWHERE: Final = "0.0.0.0"
_BASE: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
# The libraries of a model would otherwise start a thread for each processor and call, and wait for each other.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _base_url(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    if given is not None and not _BASE.fullmatch(given):
        raise click.BadParameter("expected a URL such as https://cds.example.org, without a query")
    return given.rstrip("/") if given else None


@click.command(short_help="Answer CDS Hooks at the bedside: the score of one patient as a card.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--host", help=f"Address to listen on. [default: {_EVERYWHERE}, with --no-jwt {LOOPBACK}]")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer; one per core."
)
@click.option(
    "--base-url",
    callback=_base_url,
    help="URL under which EHRs reach this service; tokens must name it as audience. [default: this machine and port]",
)
@click.option(
    "--issuers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file that says whose tokens are accepted, and where their keys are.",
)
@click.option(
    "--source",
    "sources",
    metavar="URL|NAME",
    multiple=True,
    help="FHIR server that calls may name, to read there what they lack: its base URL, or the name of a source in the"
    " environment or .env; may be given several times. No other server is asked.",
)
@click.option(
    "--profile",
    metavar="ID",
    help="Kind of EHR that is asked for prefetch: a file in include/schemas/servers."
    " [default: that of the first --source, or generic]",
)
@click.option("--no-jwt", is_flag=True, help="Require no token, and serve this machine only.")
@click.option("--as-of", type=TIME, help="Prediction time of every call, for tests and playback; needs --no-jwt.")
@click.option(
    "--write-results",
    is_flag=True,
    help="Write the scores to the record as well, as RiskAssessments, where a --source keeps its results.",
)
@cors_option
@click.option("--until-eof", is_flag=True, help="Stop when standard input ends (for a program that starts this one).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
def command(
    port: int,
    host: str | None,
    workers: int,
    base_url: str | None,
    issuers: Path | None,
    sources: tuple[str, ...],
    profile: str | None,
    no_jwt: bool,
    as_of: datetime | None,
    write_results: bool,
    origins: tuple[str, ...],
    until_eof: bool,
    as_json: bool,
) -> None:
    """Serve CDS Hooks at http://HOST:PORT/cds-services: the score of the patient whose chart is opened, as a card.

    Every call must carry a token of an issuer in --issuers. TLS is up to the proxy in front of this service.
    SIGTERM and Ctrl-C stop it after the calls in hand, within 10 seconds.
    """
    if no_jwt == (issuers is not None):
        raise click.UsageError("give either --issuers FILE, or --no-jwt to serve this machine without tokens")
    if as_of is not None and not no_jwt:
        raise click.UsageError("--as-of is for tests and playback, expected --no-jwt with it; leave one of them out")
    if write_results and (no_jwt or not sources):
        raise click.UsageError("--write-results needs --issuers, as whoever calls adds to the record, and --source")
    settings = settings_from()
    with listen(host or (LOOPBACK if no_jwt else _EVERYWHERE), port, "cds") as listening:
        if no_jwt and not is_loopback(listening):
            raise click.UsageError("--no-jwt serves this machine only, expected a loopback address; leave out --host")
        if until_eof:
            end_with_stdin()
        own = f"http://{LOOPBACK}:{listening.getsockname()[1]}" if not no_jwt else url_of(listening)
        with tempfile.TemporaryDirectory(prefix="wardround-cds-") as counts:
            servers = tuple(server_at(place, settings) for place in sources)
            kind = _profile(profile, servers, settings)
            options = Options(
                settings, base_url or own, servers, kind, issuers, as_of, write_results, origins, Path(counts)
            )
            level = logging.getLogger("wardround").level
            work = partial(_work, options, listening, level)
            # Closed at once, so that new calls go elsewhere while those in hand are finished.
            said = partial(_say_ready, options, url_of(listening), base_url is not None, as_json)
            Workers(work, workers, said, listening.close).run()
    say("cds: stopped")


def _profile(given: str | None, servers: tuple[FhirEndpoint, ...], settings: Settings) -> ServerProfile:
    if given is not None:
        return load_server_profile(given, settings.schemas)
    return servers[0].profile if servers else GENERIC


def _say_ready(options: Options, listening: str, base_is_given: bool, as_json: bool) -> None:
    if options.issuers is None:
        say("cds: no token is required; only this machine can call")
    elif not base_is_given:
        say(f"cds: tokens must name {options.base_url} as audience; give --base-url if EHRs call under another URL")
    if as_json:
        click.echo(json.dumps({"base_url": options.base_url, "listening": listening}))
    else:
        click.echo(f"CDS Hooks at {options.base_url}/cds-services, listening on {listening} (Ctrl-C stops it)")


def _work(options: Options, listening: socket.socket, level: int, ready: Connection) -> None:
    """Is one worker: a new process, which sets itself up as the command line does."""
    os.environ.update(_ONE_THREAD)
    tune_glibc()
    keep_for_the_next_call()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    end_with_parent()
    print_safely()
    say_on_stderr()
    logging.getLogger("wardround").setLevel(level)
    with reported():
        from wardround.cds.http.serving import serve

        def answering() -> None:
            give_back()
            ready.send("ready")

        serve(options, listening, answering)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
