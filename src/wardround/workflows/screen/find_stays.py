"""Finds the cohort's ICU stays and writes those of the run, those excluded with their reasons, and the chunks."""

from math import ceil
from typing import Final

import numpy as np
import pandas as pd

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.expected_stays import doubt_in_words
from wardround.core.progress import Progress
from wardround.core.stays import STAY_COLUMNS, eligible
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.profiles import require_takes_results
from wardround.settings import Settings
from wardround.spec.conditions import CLOCKS, Condition
from wardround.workflows.screen.cohort import find_cohort
from wardround.workflows.screen.expected_stays import count_stays
from wardround.workflows.screen.run import load_run, require_active
from wardround.workflows.screen.run_source import run_source

UNCERTAIN_UNIT_BEGIN: Final = "uncertain_unit_begin"  # a date, or a time without a zone
_MOST_SINGLE: Final = 32  # a scheduler still handles this many one-patient tasks, and they are easy to read
_MOST_CHUNKS: Final = 200
# For stays written in batches: one look at the server covers a whole chunk, so fewer chunks cost it less.
_SETTLED_TOGETHER: Final = 200


def find_stays(run: str, client: FhirClient, settings: Settings, progress: Progress = lambda *_: None) -> list[int]:
    """Writes stays.parquet and chunks.json; returns the chunk numbers, from 1.

    Raises FhirError, before anything is read, if the run writes and the server takes no results.
    """
    opened = load_run(run, settings)
    require_active(opened, settings)
    with opened.step("find_stays", client) as step:
        if opened.writes:
            require_takes_results(client.results)
        source = run_source(opened, client, settings, progress)
        found = find_cohort(opened, client, source, settings)
        cohort = eligible(found.stays, opened.as_of, opened.condition)
        # Stays of a patient stay together, so that the events are fetched once, however many stays there are.
        screened = cohort.eligible.sort_values(["patient_id", "stay_id"], ignore_index=True)
        size = stays_per_chunk(
            len(screened), opened.request.chunk_size, stays_together(client.source, client.results.source)
        )
        screened = screened.assign(chunk=np.arange(len(screened)) // size + 1, excluded="")
        about = pd.concat([found.stays, found.set_aside], ignore_index=True).set_index("stay_id")
        left_out = pd.concat([cohort.excluded, found.set_aside], ignore_index=True)
        excluded = left_out.assign(chunk=0, excluded=left_out["reason"])
        known = about.reindex(excluded["stay_id"]).reset_index()[[c for c in STAY_COLUMNS if c != "patient_id"]]
        everyone = pd.concat([screened, excluded.merge(known, on="stay_id", validate="one_to_one")], ignore_index=True)
        opened.folder.write_frame(run_files.STAYS, frame_of({**STAY_COLUMNS, **run_files.STAYS_COLUMNS}, everyone))
        source.keep_readings(screened)
        census = count_stays(opened, len(everyone), settings)
        chunks = sorted({int(chunk) for chunk in screened["chunk"]})
        opened.folder.write_json(run_files.CHUNKS, {"chunks": chunks, "stays_per_chunk": size})
        step.count(found=len(everyone), to_screen=len(screened), chunks=len(chunks))
        step.count_reasons("excluded", excluded["excluded"])
        if set(CLOCKS) & set(opened.condition.features.demographics):
            step.count_reasons("begins unknown", _unknown_begins(screened, opened.condition))
        if doubt := doubt_in_words(census):
            step.warn(f"the census is implausible: {doubt}")
    return chunks


def _unknown_begins(screened: pd.DataFrame, condition: Condition) -> list[str]:
    """Returns why a begin is not known, once for each stay and begin of which the condition uses the time since."""
    used = condition.features.demographics
    in_unit = screened["unit_begin"].isna().to_numpy() if "hours_in_unit" in used else np.zeros(len(screened), bool)
    of_hospital = screened["hospital_unknown"][screened["hospital_unknown"] != ""].tolist()
    return [UNCERTAIN_UNIT_BEGIN] * int(in_unit.sum()) + (of_hospital if "hours_in_hospital" in used else [])


def stays_together(source: FhirEndpoint, results: FhirEndpoint) -> int:
    """Returns how many stays cost the servers little together.

    That is the number of patients in one search of the source, or 200 if results go in batches, whichever is more.
    """
    return max(source.patients_per_search, _SETTLED_TOGETHER if results.profile.has_batch else 1)


def stays_per_chunk(stays: int, asked: int | None, together: int) -> int:
    """Returns 1 for up to 32 stays; beyond that, as many as go together, or more to stay within 200 chunks."""
    if asked is not None:
        return asked
    if stays <= _MOST_SINGLE:
        return 1
    return max(together, ceil(stays / _MOST_CHUNKS))
