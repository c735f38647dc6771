"""Extracts a chunk: writes its events, the readings set aside and its feature rows, as files of the run.

These functions see patient values; they never log. A patient whose data cannot be used does not affect other patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from wardround.core import run_files
from wardround.core.events import EVENT_COLUMNS, SET_ASIDE_COLUMNS, admit, frame_of
from wardround.core.stay_reasons import FailedAt, Reason
from wardround.core.stays import index_as_of
from wardround.errors import FhirRefused, FhirUnreachable
from wardround.features.build import build_features
from wardround.fhir.client import FhirClient
from wardround.fhir.profiles import statement_of
from wardround.settings import Settings
from wardround.workflows.screen.run import Run, load_run, require_active
from wardround.workflows.screen.run_source import RunSource, run_source
from wardround.workflows.steps import Step


@dataclass(frozen=True)
class _Extracted:
    events: pd.DataFrame
    set_aside: pd.DataFrame
    features: pd.DataFrame


def extract(run: str, chunk: int, client: FhirClient, settings: Settings) -> None:
    """Writes events, set_aside and features (parquet) of the chunk, and failures.json: stay_id -> reason.

    Raises FhirUnreachable or FhirRefused if the server, not a patient's data, is at fault: retry the chunk then.
    """
    opened = load_run(run, settings)
    require_active(opened, settings)
    with opened.step("extract", client, chunk) as step:
        stays = opened.stays(chunk)
        parts, failures = _isolated(stays, opened, run_source(opened, client, settings), client, step)
        events = _together([part.events for part in parts] or [frame_of(EVENT_COLUMNS)])
        set_aside = _together([part.set_aside for part in parts] or [frame_of(SET_ASIDE_COLUMNS)])
        features = _together([part.features for part in parts] or [opened.no_features()])
        # Earlier features go first and new ones come last: where features exist, all files are of one attempt.
        opened.folder.remove(run_files.of_chunk(chunk, run_files.FEATURES))
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.EVENTS), events)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.EVENTS_SET_ASIDE), set_aside)
        failed = {stay: str(reason) for stay, reason in failures.items()}
        opened.folder.write_json(run_files.of_chunk(chunk, run_files.FAILURES), failed)
        opened.folder.write_frame(run_files.of_chunk(chunk, run_files.FEATURES), features)
        step.count(stays=len(stays), events=len(events))
        step.count_reasons("set aside", set_aside["reason"])
        step.count_failed(failures.values())


def _isolated(
    stays: pd.DataFrame, opened: Run, source: RunSource, client: FhirClient, step: Step
) -> tuple[list[_Extracted], dict[str, Reason]]:
    """Extracts all stays at once; on failure tries half of the patients and then the rest, down to the one who fails.

    So one patient's data affect nobody else, and among 200 patients 15 searches find the one.
    """
    try:
        return [_extracted(stays, opened, source)], {}
    except FhirRefused:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one patient's data may break, the others are screened
        if isinstance(error, FhirUnreachable):
            _require_server(client, error)
        patients = stays["patient_id"].unique()
        if len(patients) == 1:
            step.warn(f"the data of one patient cannot be used; stays failed: {len(stays)}", error)
            # Only the name of the error: the message of a foreign error may hold a patient's value.
            return [], dict.fromkeys(stays["stay_id"], Reason(type(error).__name__, FailedAt.EXTRACT))
        step.warn(f"{len(patients)} patients cannot be read together; trying each half separately", error)
    parts: list[_Extracted] = []
    failures: dict[str, Reason] = {}
    middle = len(patients) // 2
    for half in (patients[:middle], patients[middle:]):
        some = stays[stays["patient_id"].isin(half)].reset_index(drop=True)
        mine, failed = _isolated(some, opened, source, client, step)
        parts += mine
        failures |= failed
    return parts, failures


def _extracted(stays: pd.DataFrame, opened: Run, source: RunSource) -> _Extracted:
    condition, as_of = opened.condition, opened.as_of
    events, set_aside = admit(source.readings(stays), condition.variables, as_of)
    features = build_features(events, index_as_of(stays, as_of), condition)
    return _Extracted(events.frame(), set_aside.frame(), features)


def _require_server(client: FhirClient, error: FhirUnreachable) -> None:
    """Raises FhirUnreachable if the server is gone, rather than this patient's answer being broken."""
    if client.patience.spent:
        raise error
    statement_of(client)  # which raises unless the server answers, if only to say that it has no such page


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
