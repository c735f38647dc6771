"""Reads the same resources by search, by export and from a folder, and returns what each reader made of them."""

from collections import Counter
from datetime import datetime
from typing import NamedTuple

import pandas as pd
from tests.frames import admit, build_features

from wardround.core import run_files
from wardround.core.events import EVENT_COLUMNS, SET_ASIDE_COLUMNS, frame_of
from wardround.core.stays import eligible, index_as_of
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.conditions import Condition
from wardround.workflows.screen import Means, ScreeningRequest, screen
from wardround.workflows.screen.run import load_run

SCREENED = "screened"
_EVENT = ["patient_id", "source_ref", "variable", "time", "available", "value"]


class Read(NamedTuple):
    """What one reader made of the resources.

    Attributes:
        account: what became of each Encounter that was found: `screened`, or the reason why not.
        events: patient_id, source_ref, variable, time, available, value; sorted.
        set_aside: how many readings of each source_ref and variable were set aside, and why.
        features: stay_id, as_of and the condition's columns, sorted by stay_id.
    """

    account: dict[str, str]
    events: pd.DataFrame
    set_aside: Counter[tuple[str, str, str]]
    features: pd.DataFrame


def by_screening(cohort: str, source: FhirEndpoint, condition: Condition, as_of: datetime, settings: Settings) -> Read:
    """Reads by a shadow run; `cohort` is search or export."""
    asked = {"condition": condition.id, "source_url": source.base_url, "as_of": as_of, "cohort": cohort}
    request = ScreeningRequest.model_validate({**asked, "mode": "shadow"})
    run = load_run(screen(request, Means(source, settings, lambda *_: None)).as_json()["run"], settings)

    def of_all(name: str, columns: list[str]) -> pd.DataFrame:
        frames = [run.folder.read_frame(run_files.of_chunk(chunk, f"{name}.parquet")) for chunk in run.chunks()]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    ledger = run.folder.read_frame("ledger.parquet")
    reasons = ledger["reason"].where(~ledger["outcome"].isin(["scored", "indeterminate"]), SCREENED)
    return _read(
        dict(zip(ledger["stay_id"], reasons, strict=True)),
        of_all("events", list(EVENT_COLUMNS)),
        of_all("set_aside", list(SET_ASIDE_COLUMNS)),
        of_all("features", ["stay_id", "as_of", *condition.columns]),
    )


def by_folder(folder: FhirFolderSource, condition: Condition, as_of: datetime) -> Read:
    """Reads the folder's stays and readings through the same gate."""
    moment = pd.Timestamp(as_of)
    found = folder.find_stays(moment - condition.cohort.look_back, moment)
    cohort = eligible(found.stays, moment, condition)
    index = index_as_of(cohort.eligible, moment)
    events, aside = [frame_of(EVENT_COLUMNS)], [frame_of(SET_ASIDE_COLUMNS)]
    for _, readings in folder.readings(index, condition.variables, condition.longest_window):
        admitted = admit(readings, condition.variables, moment)
        events.append(admitted.events)
        aside.append(admitted.set_aside)
    account = dict.fromkeys(cohort.eligible["stay_id"], SCREENED)
    for excluded in (cohort.excluded, found.set_aside):
        account |= dict(zip(excluded["stay_id"], excluded["reason"], strict=True))
    return _read(account, pd.concat(events), pd.concat(aside), build_features(pd.concat(events), index, condition))


def assert_same(one: Read, other: Read, unseen: frozenset[str] = frozenset()) -> None:
    """Asserts that everything is equal, features to 1e-9; reasons of `unseen` are not compared."""
    assert one.account == other.account
    assert _difference(one.events, other.events) == []
    seen = [Counter({key: n for key, n in read.set_aside.items() if key[2] not in unseen}) for read in (one, other)]
    assert (seen[0] - seen[1], seen[1] - seen[0]) == (Counter(), Counter())
    pd.testing.assert_frame_equal(one.features, other.features, rtol=0, atol=1e-9, check_dtype=False)


def _difference(one: pd.DataFrame, other: pd.DataFrame) -> list[tuple[object, ...]]:
    """Returns the rows that one of the two has more often than the other, once for each surplus."""
    rows = [Counter(frame.itertuples(index=False, name=None)) for frame in (one, other)]
    return sorted(((rows[0] - rows[1]) + (rows[1] - rows[0])).elements(), key=str)


def _read(account: dict[str, str], events: pd.DataFrame, aside: pd.DataFrame, features: pd.DataFrame) -> Read:
    return Read(
        dict(sorted(account.items())),
        events[_EVENT].sort_values(_EVENT, ignore_index=True),
        Counter(zip(aside["source_ref"], aside["variable"], aside["reason"], strict=True)),
        features.sort_values("stay_id", ignore_index=True),
    )
