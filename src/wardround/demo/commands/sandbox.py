"""`wardround sandbox`: plays the EHR that calls a CDS Hooks service about patients, and shows what it answers."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.cli.results import add_row, print_table, say, show
from wardround.cli.times import TIME
from wardround.errors import WardroundError
from wardround.settings import database_in, settings_from

if TYPE_CHECKING:
    from wardround.demo.sandbox.playing import Played
    from wardround.demo.sandbox.services import Answer, Service

_URL: Final = "http://127.0.0.1:8181"
_MOST_TOLD: Final = 20


@click.command(short_help="Play the EHR: call a CDS Hooks service about patients, and show its cards.")
@click.argument("paths", nargs=-1, required=True)
@click.option("--url", help=f"Base URL of the service, anybody's. [default: {_URL}, where wardround cds listens]")
@click.option("--serve", is_flag=True, help="Start wardround cds for this, without tokens, and stop it at the end.")
@click.option(
    "--as-of",
    type=TIME,
    help="Time of the calls, for old data: of today() in templates, and with --serve the prediction time.",
)
@click.option(
    "--profile", metavar="ID", help="Kind of EHR that the service of --serve asks for prefetch.  [default: wardround]"
)
@click.option("--condition", metavar="ID", help="Call the services of this condition alone. [default: all]")
@click.option("--hook", "hooks", multiple=True, help="Call the services of this hook; several times. [patient-view]")
@click.option("--parallel", type=click.IntRange(1, 64), default=1, show_default=True, help="Calls at the same time.")
@click.option("--most", type=click.IntRange(1), help="At most so many patients of each server or folder.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for requests and responses, which hold all that is known of the patients.",
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key (JWK with a kid) to sign tokens with.",
)
@click.option("--issuer", help="The EHR's name in these tokens, as the service lists it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    paths: tuple[str, ...],
    url: str | None,
    serve: bool,
    as_of: datetime | None,
    profile: str | None,
    condition: str | None,
    hooks: tuple[str, ...],
    parallel: int,
    most: int | None,
    save: Path | None,
    key: Path | None,
    issuer: str | None,
    as_json: bool,
) -> None:
    """Call a CDS Hooks service about the patients of PATHS, and show a line for each: band, probability, card, time.

    PATHS are prefetch files and hook requests, which are sent as they are; and Bundles, folders of FHIR files and FHIR
    servers (URL or name), from which the prefetch that the service asks for is filled. Ends with exit code 1 if a call
    fails, or an answer breaks the rules of CDS Hooks.
    """
    if serve and (url or key):
        raise click.UsageError("--serve starts a service of its own, without tokens; leave out --url and --key")
    if profile and not serve:
        raise click.UsageError("--profile is for the service that --serve starts; add --serve")
    if (key is None) != (issuer is None):
        raise click.UsageError("--key and --issuer belong together; give both or neither")
    from wardround.adapters.files.scratch import scratch_folder
    from wardround.cds.discovery import PATIENT_VIEW
    from wardround.cds.http.running import running_door
    from wardround.demo.sandbox.embedded import PROFILE
    from wardround.demo.sandbox.paths import opened
    from wardround.demo.sandbox.playing import Ehr
    from wardround.demo.sandbox.services import Services
    from wardround.demo.sandbox.signing import Signer

    signer = Signer.of_file(key, issuer) if key and issuer else None
    with ExitStack() as stack:
        patients = stack.enter_context(opened(paths, settings_from(), most))
        if serve:
            options = ["--no-jwt", "--profile", profile or PROFILE]
            options += ["--as-of", as_of.isoformat()] if as_of else []
            # In a database of its own: what is tried here must lock out no card at the bedside.
            own = {"WARDROUND_DATABASE": database_in(stack.enter_context(scratch_folder()))}
            url = stack.enter_context(running_door(*options, environment={**os.environ, **own})).said["base_url"]
        if not patients:
            raise WardroundError(f"{', '.join(paths)}: has no patient, expected at least one; give other PATHS")
        services = Services(url or _URL, signer)
        found, discovery = services.discovered()
        wanted = _wanted(found, condition, hooks or (PATIENT_VIEW,), services.base_url)
        say(f"Calling {', '.join(one.id for one in wanted)} at {services.base_url} about {len(patients):,} patients")
        ehr = Ehr(services, as_of or datetime.now(UTC), parallel, save)
        begun = perf_counter()
        played = list(ehr.play(patients, wanted))
        seconds = perf_counter() - begun
    _show(played, discovery, seconds, as_json)
    _require_good(played, discovery)


def _wanted(found: Sequence["Service"], condition: str | None, hooks: Sequence[str], url: str) -> list["Service"]:
    wanted = [one for one in found if one.hook in hooks and (condition is None or one.id.startswith(f"{condition}-"))]
    if not wanted:
        there = ", ".join(f"{one.id} ({one.hook})" for one in found) or "none"
        raise WardroundError(
            f"{url}: has no such service, expected one of {there}; choose another --hook or --condition"
        )
    return wanted


def _show(played: Sequence["Played"], discovery: "Answer", seconds: float, as_json: bool) -> None:
    times = sorted(one.answer.milliseconds for one in played if one.answer)
    measured = {
        "calls": len(times),
        "calls_per_second": round(len(times) / seconds, 1) if times else 0,
        "milliseconds_median": round(_at(times, 0.5), 1),
        "milliseconds_p95": round(_at(times, 0.95), 1),
        "milliseconds_most": round(_at(times, 1), 1),
    }
    if as_json:
        rows: list[dict[str, Any]] = [one.row() for one in played]
        show({**measured, "broken_discovery": list(discovery.broken), "answers": rows}, as_json=True)
        return
    from rich.table import Table

    table = Table("", "patient", "service", "band", "probability", "outcome", "card", "ms")
    for one in played:
        probability = one.told.get("probability")
        add_row(
            table,
            one.number,
            one.patient,
            one.service,
            one.told.get("band", ""),
            f"{probability:.4f}" if isinstance(probability, float) else "",
            one.outcome,
            "; ".join(one.cards) or one.refusal,
            f"{one.answer.milliseconds:.0f}" if one.answer else "",
        )
    print_table(table)
    show(measured, as_json=False)


def _never_answered(calls: Sequence["Played"]) -> str:
    """Returns how a service has refused all calls, if it has refused each in the same way; else nothing."""
    ways = {": ".join(filter(None, (one.outcome, one.refusal))) for one in calls}
    refused = all(one.answer and one.answer.status != 200 for one in calls)
    return ways.pop() if refused and len(ways) == 1 else ""


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _require_good(played: Sequence["Played"], discovery: "Answer") -> None:
    """Says what was left out and which rules were broken; raises WardroundError if there is anything that failed."""
    for key in sorted({f"{one.service}: {key}" for one in played for key in one.left_out}):
        say(f"Left out of the prefetch, because it could not be asked or was not answered: {key}")
    told = [f"discovery: {rule}" for rule in discovery.broken]
    told += [f"call {one.number}: {rule}" for one in played if one.answer for rule in one.answer.broken]
    for line in told[:_MOST_TOLD]:
        say(f"Breaks CDS Hooks: {line}")
    if len(told) > _MOST_TOLD:
        say(f"… and {len(told) - _MOST_TOLD:,} more, see --json")
    for service in dict.fromkeys(one.service for one in played):
        if why := _never_answered([one for one in played if one.service == service and one.answer]):
            say(f"No call of {service} was answered with cards ({why}); --condition ID leaves other conditions out")
    failed = sum(one.failed for one in played)
    if failed or discovery.broken:
        raise WardroundError(
            f"sandbox: {failed:,} of {len(played):,} calls failed or were answered against the rules of CDS Hooks"
            f"{', and so was discovery' if discovery.broken else ''}, expected none; see above, and --save DIR"
        )
