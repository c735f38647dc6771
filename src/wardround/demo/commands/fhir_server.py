"""`wardround fhir-server`: runs the embedded FHIR R4 server in the foreground; it loads data before it answers."""

import json
from functools import partial
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from wardround.adapters.sockets import LOOPBACK, end_with_stdin, is_loopback, listen, url_of
from wardround.cli.folders import say_passed_over
from wardround.cli.origins import cors_option
from wardround.demo.fhir_server.certificates import Certificate
from wardround.demo.fhir_server.faults import FaultPlan, Faults
from wardround.demo.fhir_server.loading import Loaded, open_store
from wardround.demo.fhir_server.query import DEFAULT_CAP
from wardround.demo.fhir_server.running import end_with_signals, serve
from wardround.demo.fhir_server.sign_in import Clients
from wardround.escaping import visible
from wardround.sources.fhir_folder.resources import Unread

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _clients(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Clients | None:
    try:
        return Clients.model_validate_json(file.read_bytes()) if file else None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise click.BadParameter(f"{where or 'JSON'}: {first['msg']}") from None


def _plan(_context: click.Context, _parameter: click.Parameter, text: str) -> FaultPlan:
    try:
        return FaultPlan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise click.BadParameter(f"{where or 'JSON'}: {first['msg']}") from None


@click.command(short_help="Run the embedded FHIR R4 server.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port; 0 takes a free one.")
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of *.ndjson[.gz] and *.json (Bundles, resources, prefetches) to load first.",
)
@click.option("--strict", is_flag=True, help="Do not start unless all of --data can be loaded.")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="SQLite file to use and keep; default: a temporary one.",
)
@click.option("--cap", type=click.IntRange(1), default=DEFAULT_CAP, show_default=True, help="Largest page (_count).")
@click.option(
    "--faults",
    default="{}",
    callback=_plan,
    help='Misbehave: {"seed": 1, "faults": [{"kind": "status", "status": 429, "rate": 0.1, "retry_after": 1}]}; '
    "kinds: status, delay, drop, drop_after, truncate. POST /_faults changes it later.",
)
@click.option("--tls-cert", type=FILE, help="Serve https with this certificate (PEM); needs --tls-key.")
@click.option("--tls-key", type=FILE, help="The certificate's private key (PEM).")
@click.option(
    "--clients",
    type=FILE,
    callback=_clients,
    help='Serve only clients that sign in at /auth/token. JSON: {"public_keys": {CLIENT_ID: PEM}, '
    '"secrets": {CLIENT_ID: SECRET}, "lifetime": SECONDS}.',
)
@cors_option
@click.option("--until-eof", is_flag=True, help="Stop when standard input ends (for a program that starts this one).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
def command(
    port: int,
    host: str,
    data: Path | None,
    strict: bool,
    db: Path | None,
    cap: int,
    faults: FaultPlan,
    tls_cert: Path | None,
    tls_key: Path | None,
    clients: Clients | None,
    origins: tuple[str, ...],
    until_eof: bool,
    as_json: bool,
) -> None:
    """Serve FHIR R4 at http://HOST:PORT/fhir, for demonstration, load tests and fault injection.

    Everything valid in --data is loaded; everything invalid is listed on stderr.

    There are no users and no permissions: anyone who reaches the port (with --clients: who signs in) can read and
    change everything. Not for real patients.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("give --tls-cert and --tls-key together")
    certificate = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None
    end_with_signals()
    if until_eof:
        end_with_stdin()
    console = Console(stderr=True)
    with listen(host, port, "fhir-server") as listening:
        if clients is None and not is_loopback(listening):
            console.print("[yellow]fhir-server: reachable from other machines, without any authentication[/yellow]")
        with console.status("fhir-server: loading") as status:

            def progress(count: int) -> None:
                status.update(f"fhir-server: {count:,} resources loaded")

            def refuse(unread: Unread) -> None:
                console.print(Text(f"fhir-server: not loaded: {visible(str(unread))}"), soft_wrap=True)

            store, loaded = open_store(db, data, progress, refuse, strict)
        say_passed_over(loaded.account.passed_over)
        with store:
            base_url = f"{url_of(listening, 'https' if certificate else 'http')}/fhir"
            try:
                say_ready = partial(_say_ready, base_url, loaded, as_json)
                serve(store, listening, Faults(faults), cap, say_ready, certificate, clients, origins)
            except KeyboardInterrupt:
                console.print("fhir-server: stopped")


def _say_ready(base_url: str, loaded: Loaded, as_json: bool) -> None:
    if as_json:
        ready = {
            "base_url": base_url,
            "loaded": dict(loaded.stored),
            "skipped": dict(loaded.skipped),
            "refused": loaded.refused,
            **loaded.account.counts,
        }
        click.echo(json.dumps(ready))
        return
    for name, count in loaded.stored.items():
        click.echo(f"  {name:<16}{count:>10,}")
    for name, count in loaded.skipped.items():
        click.echo(f"  {name:<16}{count:>10,} left out: a type that this server does not support")
    for name, count in loaded.account.counts.items():
        click.echo(f"  {name.replace('_', ' '):<26}{count:,}")
    if loaded.refused:
        click.echo(f"  {loaded.refused:,} could not be loaded: listed above, each with its place and the reason")
    click.echo(f"FHIR R4 server at {base_url} (Ctrl-C stops it)")
