"""`wardround features`: writes a condition's feature table as parquet, from any source."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wardround.cli.durations import DURATION
from wardround.cli.folders import say_passed_over
from wardround.cli.results import say, show
from wardround.cli.source_options import source_option
from wardround.cli.times import ALLOW_FUTURE_HELP, TIME
from wardround.errors import CensusImplausible
from wardround.settings import Settings, settings_from
from wardround.workflows.servers import is_server, server_at

if TYPE_CHECKING:
    from wardround.spec.cohorts import Encounters
    from wardround.workflows.features import Source


@click.command()
@click.argument("condition")
@click.option(
    "--mimic", type=click.Path(path_type=Path), help="Folder of MIMIC-IV with hosp/ and icu/, or a DuckDB file."
)
@click.option("--fhir", help="Base URL of a FHIR server, its name in a .env file, or a folder of FHIR files.")
@source_option("profile", "ID")
@source_option("source_map", "FILE")
@click.option("--at", type=DURATION, help="Predict this long after each stay's admission.  [default: 24h]")
@click.option(
    "--as-of",
    type=TIME,
    help="Predict at this time (ISO 8601 with an offset), for the stays that a screening at that time would score.",
)
@click.option("--allow-future", is_flag=True, help=f"{ALLOW_FUTURE_HELP} Not needed for files.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Parquet file to write.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    condition: str,
    mimic: Path | None,
    fhir: str | None,
    profile: str | None,
    source_map: Path | None,
    at: timedelta | None,
    as_of: datetime | None,
    allow_future: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Write CONDITION's features to a parquet file: one row per stay, sorted by stay_id.

    The columns are stay_id, as_of and one per feature. WARDROUND_FHIR_TOKEN is the bearer token for a FHIR server that
    needs one. WARDROUND_ICU_CLASSES and WARDROUND_ICU_LOCATIONS say which Encounters are stays, unless CONDITION does.
    WARDROUND_FHIR_ALIASES lists further base URLs under which absolute references mean the server or the folder itself.
    """
    if (mimic is None) == (fhir is None):
        raise click.UsageError("give either --mimic DIR or --fhir URL-or-DIR")
    if at is not None and as_of is not None:
        raise click.UsageError("give either --at DURATION or --as-of TIME, not both")
    if not out.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder {out.absolute().parent} does not exist", param_hint="--out")
    import pandas as pd

    from wardround.adapters.files.whole_file import whole_file
    from wardround.core.prediction_times import require_reached
    from wardround.features.minimum_data import enough_data
    from wardround.features.subjects import Subjects
    from wardround.spec.loading import load_condition
    from wardround.workflows.features import build_table

    settings, now = settings_from(), datetime.now(UTC)
    of_server = fhir is not None and is_server(fhir, settings)
    if as_of and of_server:
        require_reached(as_of, now, allow_future)
    spec = load_condition(condition, settings.schemas)
    with ExitStack() as stack:
        source = _source(mimic, fhir, profile, source_map, settings, spec.cohort.encounters, stack)
        say(f"Reading {mimic or fhir}")
        table = build_table(source, spec, as_of or at or timedelta(hours=24))
    with whole_file(out) as file:
        table.features.to_parquet(file, index=False)
    values = table.features[list(spec.columns)].to_numpy(dtype=float)
    too_little = len(values) - int(enough_data(values, Subjects.of(spec)).sum())
    stays = {"stays": len(table.features), "stays_set_aside": sum(table.stays_set_aside.values())}
    # For a stay that has just begun, that time is in the future: its row contains what is known so far.
    ahead = int((table.features["as_of"] > pd.Timestamp(now)).sum()) if of_server else 0
    left_out = {
        "as_of_in_the_future": ahead,
        "stays_not_in_progress": table.not_in_progress,
        "stays_excluded": table.excluded,
        "stays_with_too_little_data": too_little,
        "readings_outside_windows": table.outside,
    }
    counted = {name: number for name, number in left_out.items() if number} | _beside(source)
    account = {**stays, "readings_set_aside": table.set_aside, **counted, **_unmapped(source, out)}
    show({**account, "out": str(out)}, as_json)
    if too_little and too_little == len(table.features) and table.outside:
        hours, elsewhere = spec.longest_window / timedelta(hours=1), sum(table.outside.values())
        say(
            f"No stay has enough values in the {hours:g} hours before its prediction time; {elsewhere:,} values lie"
            " outside these hours. Choose --as-of or --at so that there are values shortly before it"
        )
    if not any((*stays.values(), table.not_in_progress, table.excluded)) and spec.cohort.at_least:
        raise CensusImplausible(f"{mimic or fhir}: found 0 stays{_why_none(source)}")


def _why_none(source: "Source") -> str:
    """Returns the rest of the message for a source without a stay."""
    kinds = getattr(source, "kinds", None)
    if kinds is not None and not kinds["Encounter"]:
        return (
            f" because there are {kinds['Patient']:,} Patients but no Encounter, expected one for each ICU stay; add"
            " them (class, subject, period), as docs/servers.md shows under Patients without Encounters"
        )
    among = f" among {kinds['Encounter']:,} Encounters" if kinds else ""
    return (
        f"{among}, expected at least 1; compare its Encounters with the ICU classes and Locations, and their periods"
        " with --as-of"
    )


def _beside(source: "Source") -> dict[str, int]:
    """Returns the counts of what a folder contains besides resources; names the files without any on stderr."""
    folder = getattr(source, "folder", None)
    if folder is None:
        return {}
    say_passed_over(folder.account.passed_over)
    counts: dict[str, int] = folder.account.counts
    return counts


def _unmapped(source: "Source", out: Path) -> dict[str, int | str]:
    """Counts a folder's Observations that no variable uses, and drafts a source map for them next to `out`."""
    unmapped = getattr(source, "unmapped", None)
    if unmapped is None or not unmapped.codes.observations:
        return {}
    from wardround.adapters.files.whole_file import write_whole

    place = out.with_suffix(".source-map.yaml")
    write_whole(place, unmapped.draft.encode())
    return {"observations_unmapped": unmapped.codes.observations, "source_map_draft": str(place)}


def _source(
    mimic: Path | None,
    fhir: str | None,
    profile: str | None,
    source_map: Path | None,
    settings: Settings,
    encounters: "Encounters | None",
    stack: ExitStack,
) -> "Source":
    if mimic is not None:
        from wardround.sources.mimic import MimicFolder

        return MimicFolder(mimic, memory=settings.memory)
    if fhir is not None and is_server(fhir, settings):
        from wardround.fhir.client import FhirClient
        from wardround.fhir.profiles import recognised, with_profile
        from wardround.sources.fhir.server import FhirServerSource

        server = server_at(fhir, settings, profile=profile, source_map=source_map)
        if server.recognise:
            with FhirClient(server) as client:
                server = with_profile(server, recognised(client, settings.schemas).profile)
        return FhirServerSource(stack.enter_context(FhirClient(server)), encounters or server.icu)
    from wardround.fhir.configured import translation_in
    from wardround.fhir.endpoint import bases_of
    from wardround.sources.fhir.unmapped import Unmapped
    from wardround.sources.fhir_folder.source import FhirFolderSource
    from wardround.spec.cohorts import Encounters
    from wardround.spec.loading import load_variables

    icu = Encounters(classes=settings.icu_classes, locations=settings.icu_locations)
    translation = translation_in(source_map or settings.source_map, settings.schemas)
    return FhirFolderSource(
        Path(str(fhir)),
        encounters or icu,
        bases_of(settings.fhir_aliases),
        translation,
        Unmapped(load_variables(settings.schemas), translation),
    )
