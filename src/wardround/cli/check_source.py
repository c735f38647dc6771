"""`wardround check-source`: reports what a FHIR server supports, and what Wardround will therefore do."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wardround.cli.results import add_row, tell
from wardround.cli.source_options import source_option
from wardround.errors import FhirError
from wardround.escaping import visible
from wardround.settings import settings_from
from wardround.workflows.servers import server_at

if TYPE_CHECKING:
    from rich.console import Console

    from wardround.workflows.check_source import SourceCheck
    from wardround.workflows.check_source.results import ResultsCheck
    from wardround.workflows.check_source.sample import Sample


_MOST_SHOWN = 20
"""The number of classes, Locations and codes that are printed, most frequent first; --json has all."""


@click.command("check-source")
@click.argument("source", metavar="NAME|URL")
@click.option("--profile", metavar="ID", help="Compare with this profile of include/schemas/servers.")
@source_option("source_map", "FILE")
@click.option(
    "--patient",
    "patients",
    multiple=True,
    metavar="ID",
    help="Use this patient in the searches; give two to test searches for several patients at once.",
)
@click.option(
    "--sample", "sampled", is_flag=True, help="Also count codes that no variable uses, and draft a source map."
)
@click.option("--write", is_flag=True, help="Also write one marked test resource, and remove it afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    source: str,
    profile: str | None,
    source_map: Path | None,
    patients: tuple[str, ...],
    sampled: bool,
    write: bool,
    as_json: bool,
) -> None:
    """Find out what a FHIR server supports, which profile fits it, and what Wardround will do.

    Without --write, nothing is written. With it, one RiskAssessment without a patient, tagged as test data and marked
    as entered in error, is written and deleted afterwards. If the source's results go to another server, the test is
    made there, and the source is only read. A server that answers no search without a patient needs --patient.
    --sample also looks at the measurements of ICU patients in the last day.
    """
    from wardround.spec.loading import load_conditions, load_server_profile, load_server_profiles, load_variables
    from wardround.workflows.check_source import check_source

    settings = settings_from()
    profiles = load_server_profiles(settings.schemas)
    if profile:
        load_server_profile(profile, settings.schemas)
    cohorts = {name: condition.cohort for name, condition in load_conditions(settings.schemas).items()}
    found = check_source(
        server_at(source, settings, source_map=source_map),
        profiles,
        chosen=profile,
        patients=patients,
        write=write,
        now=datetime.now(UTC),
        sampled=load_variables(settings.schemas) if sampled else None,
        conditions={name: cohort.encounters for name, cohort in cohorts.items() if cohort.encounters},
    )
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json")))
    else:
        _show(found)
    if found.sample:
        _write_draft(found.sample, settings.var / "source-maps" / f"{_file_name(found.source)}.draft.yaml", as_json)
    rows = (*found.findings, *(found.results.findings if found.results else ()))
    kept = next((finding.detail for finding in rows if finding.outcome == "kept"), None)
    if kept:
        raise FhirError(f"{found.source}: the test resource was not removed, {kept}")
    if found.problems:
        raise FhirError(f"{found.source}: no screening could run: {'; '.join(found.problems)}")


def _show(found: "SourceCheck") -> None:
    from rich.console import Console

    console = Console(soft_wrap=True)
    signs_in = ", ".join(found.security) or "it does not say"
    who = f"{found.source}: {found.software}, FHIR {found.fhir_version}; signing in: {signs_in}"
    console.print(visible(who), markup=False)
    _show_findings(found, console)
    if found.results:
        console.print(f"Results go to {found.results.server}:", markup=False)
        _show_findings(found.results, console)
    for sentence in (*found.plan, *found.quirks):
        console.print(visible(f"  {sentence}"), markup=False)
    _show_counts(found)
    if found.sample:
        _show_sample(found.sample)
    if not (found.results or found).declares:
        which = found.results.server if found.results else "It"
        console.print(f"{which} does not declare that RiskAssessments can be written.", markup=False)
    _show_differences(found, console)
    if found.results:
        _show_differences(found.results, console)


def _show_findings(checked: "SourceCheck | ResultsCheck", console: "Console") -> None:
    from rich.table import Table

    table = Table("question", "answer", "what was seen", "ms")
    for row in checked.findings:
        spent = "" if row.milliseconds is None else f"{row.milliseconds:,.0f}"
        add_row(table, row.question, row.outcome, row.detail, spent)
    console.print(table)
    basis = "Wardround was run against it" if checked.known_from == "tests" else "from documentation only"
    console.print(visible(f"Profile {checked.profile} ({basis}): {checked.why}."), markup=False)


def _show_differences(checked: "SourceCheck | ResultsCheck", console: "Console") -> None:
    if checked.differences:
        of = f"profile {checked.profile}"
        console.print(f"The {of} differs; for this server, copy its file and set:", markup=False)
        for key, value in checked.differences.items():
            console.print(visible(f"  {key}: {_yaml(value)}"), markup=False)


def _show_counts(found: "SourceCheck") -> None:
    counts = found.counts
    if counts is None:
        return
    looked_at = "all of the last day" if counts.whole else f"a sample, the first {counts.encounters:,} of the last day"
    tell(f"Encounters ({looked_at}): {counts.encounters:,}.")
    for what, numbers in (("class", counts.classes), ("Location", counts.locations)):
        listed = ", ".join(f"{name} {number:,}" for name, number in list(numbers.items())[:_MOST_SHOWN])
        tell(f"  by {what}: {listed or 'none'}")
    for who, number in counts.stays.items():
        tell(f"With the settings of {who}, a screening finds {number:,} stays now.")
        for sentence in counts.begins[who].in_words():
            tell(f"  {sentence}")
    if not counts.encounters:
        tell("Warning: no Encounter in the last day; each stay is an Encounter, so Patients alone are not enough.")
    for name in counts.unmatched if counts.encounters else ():
        tell(f"Warning: no Encounter has {name}; compare with the classes listed above.")
    if not any(counts.stays.values()):
        tell("Warning: nobody would be screened; set the classes or Locations of the unit.")


def _show_sample(sample: "Sample") -> None:
    whole = "" if sample.whole else " (only the first that arrived)"
    tell(f"Sample: {sample.observations:,} Observations of {sample.patients:,} ICU patients{whole}.")
    read = ", ".join(f"{name} {number:,}" for name, number in sample.read.items())
    tell(f"  read: {read or 'none'}")
    for one in sample.unmapped[:_MOST_SHOWN]:
        tell(f"  no variable for {one.code or 'no code'} of {one.system or 'no system'}: {one.observations:,} times")


def _write_draft(sample: "Sample", draft: Path, as_json: bool) -> None:
    """Writes the draft of a source map, if there is something to map."""
    if sample.unmapped:
        from wardround.adapters.files.whole_file import write_whole

        write_whole(draft, sample.draft.encode())
        click.echo(visible(f"Draft of a source map: {draft}"), err=as_json)


def _file_name(url: str) -> str:
    """Returns the URL's host and path as a valid file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2]).strip("-")


def _yaml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
