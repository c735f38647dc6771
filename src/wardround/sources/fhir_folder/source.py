"""Reads stays and readings from a folder of FHIR files, such as a Bulk Data export or the output of mimic2fhir."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec
import pandas as pd

from wardround.adapters.files.parquet import frame_in
from wardround.adapters.files.scratch import scratch_folder
from wardround.core.events import READING_COLUMNS, empty_readings, frame_of
from wardround.core.reading_rule import reading_rule
from wardround.core.readings import PATIENT_ID, Readings, Row
from wardround.core.stays import FoundStays
from wardround.errors import SourceDataError
from wardround.features.windows import inside, windows
from wardround.fhir.json_object import json_object
from wardround.fhir.page import called
from wardround.fhir.references import Bases, Resource
from wardround.fhir.versions import last_updated
from wardround.sources.fhir import locations as fhir_locations
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import ELEMENTS, EncounterRecords
from wardround.sources.fhir.observation import in_our_units, readings_of
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.sources.fhir.unmapped import Unmapped
from wardround.sources.fhir_folder.places import Numbers, Places
from wardround.sources.fhir_folder.resources import FhirFolder, Place, Unread, refuse_all
from wardround.spec.cohorts import Encounters
from wardround.spec.source_maps import NO_TRANSLATION, Translation
from wardround.spec.variables import Variable

_NO_BASES: Final = Bases()
_READINGS_AT_ONCE: Final = 100_000
_OBSERVATION: Final = "Observation"
_OF_OBSERVATIONS: Final = f"-{_OBSERVATION}.ndjson"
_LINE: Final = "line"
# What the records of many patients keep of each resource.
_NEEDED: Final = frozenset({"resourceType", "id", "meta"}.union(*ELEMENTS.values()))
_ICU: Final = Encounters(classes=("ACUTE",))


@dataclass(frozen=True)
class FhirFolderSource:
    """All FHIR files of a folder as a source (see `FhirFolder`).

    `path` may be an fsspec URL; `encounters` says which Encounters are stays; `bases` are the base URLs of the server
    that the files came from, if any; `translation` says what its codes and units mean; `unmapped` counts Observations
    that no variable uses; `patients_at_once` limits memory; `by_type` says that each file holds the one type that its
    name ends with, as in an export, so that stays are found without reading the Observations; `kinds` counts the
    Encounters, Patients and Locations, each version, that were seen while finding stays; `outside` counts readings of
    the requested patients outside every window, by variable.
    """

    path: Path | str
    encounters: Encounters = _ICU
    bases: Bases = _NO_BASES
    translation: Translation = NO_TRANSLATION
    unmapped: Unmapped | None = None
    patients_at_once: int = 1000
    by_type: bool = False
    kinds: Counter[str] = field(default_factory=Counter, compare=False, repr=False)
    outside: Counter[str] = field(default_factory=Counter, compare=False, repr=False)

    @cached_property
    def folder(self) -> FhirFolder:
        """The files; its account is from the latest reading."""
        return FhirFolder(self.path, self.bases)

    def find_stays(self, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
        """Returns the stays that overlap [start, as_of]; without these, all stays. Raises SourceDataError."""
        records, wanted = self.records(), self.encounters
        if not wanted.named:
            raise SourceDataError(
                f"{self.path}: neither a class nor a Location defines which Encounters are stays, expected one;"
                " set WARDROUND_ICU_CLASSES or WARDROUND_ICU_LOCATIONS"
            )
        locations = fhir_locations.meant(records.locations, wanted.locations, str(self.path), SourceDataError)
        rule = EncounterRule(frozenset(wanted.classes), frozenset(locations), frozenset(wanted.types))
        return records.stays(rule, start, as_of)

    def records(self) -> EncounterRecords:
        """Returns the folder's Encounters, Patients and Locations."""
        records = EncounterRecords(self.bases)
        self.fill(records)
        return records

    def fill(self, records: EncounterRecords) -> None:
        """Adds the folder's Encounters, Patients and Locations to the records, and removes deleted ones."""
        records.add(self._needed())
        for reference, time in self.folder.account.deleted.items():
            records.remove(reference, time)

    def _needed(self) -> Iterator[Resource]:
        self.kinds.clear()
        for file, number, kind, line in self.folder.lines(wanted=lambda path: not self._has_observations_only(path)):
            if kind in ELEMENTS:
                resource = _resource(file, number, line)
                self.kinds[kind] += 1
                yield {key: resource[key] for key in _NEEDED & resource.keys()}

    def readings(
        self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yields rows of the index, and the readings in the windows of their patients (see `MimicFolder.readings`)."""
        patients = pd.Series(range(index["patient_id"].nunique()), index=index["patient_id"].unique())
        buckets = patients // self.patients_at_once
        with scratch_folder() as scratch:
            outdated = self._sort(windows(index, window), variables, buckets, scratch)
            for bucket in buckets.unique():
                parts = [_current(path, outdated) for path in sorted(scratch.glob(f"{bucket}-*.parquet"))]
                mine = index[index["patient_id"].isin(buckets.index[buckets == bucket])]
                yield mine, frame_of(READING_COLUMNS, pd.concat(parts)) if parts else empty_readings()

    def _sort(
        self, spans: pd.DataFrame, variables: Mapping[str, Variable], buckets: pd.Series, scratch: Path
    ) -> Numbers:
        """Writes readings inside the spans, with their line, to parquet files <bucket>-<number>.

        Returns the outdated lines.
        """
        lines = Places()
        found = self._readings(variables, frozenset(buckets.index), lines)
        number = 0
        while some := list(islice(found, _READINGS_AT_ONCE)):
            readings, places = zip(*some, strict=True)
            frame = in_our_units(Readings.of(readings), self.translation).frame()
            frame = inside(frame.assign(**{_LINE: places}), spans, self.outside)
            for bucket, part in frame.groupby(frame["patient_id"].map(buckets)):
                part.to_parquet(scratch / f"{bucket}-{number:06}.parquet")
            number += 1
        for reference, time in self.folder.account.deleted.items():
            lines.delete(reference, time)
        return lines.outdated(lambda: (line for _, _, line in self._observations()), _version)

    def _readings(
        self, variables: Mapping[str, Variable], patients: frozenset[str], lines: Places
    ) -> Iterator[tuple[Row, int]]:
        """Yields the readings of the patients, each with the number of its line; records all lines in `lines`."""
        rule = reading_rule(variables, self.translation)
        for path, number, line in self._observations():
            observation = OBSERVATION.decoded(line) or _refuse(path, number)
            _, key, *_ = OBSERVATION.about(observation)
            place = lines.note(f"Observation/{key}" if type(key) is str else None)
            read = readings_of((observation,), rule, self.bases)
            if not read and self.unmapped is not None:
                self.unmapped.note(_resource(path, number, line), patients, self.bases)
            for reading in read:
                if reading[PATIENT_ID] in patients:
                    yield reading, place

    def _observations(self) -> Iterator[tuple[str, int, bytes]]:
        for path, number, kind, line in self.folder.lines():
            if kind == _OBSERVATION:
                yield path, number, line
            elif kind in ELEMENTS and self._has_observations_only(path):
                # It was not read when the stays were found.
                refuse_all(
                    Unread(str(Place(path, number)), f"is {called(kind)}, expected Observations only; export again")
                )

    def _has_observations_only(self, path: str) -> bool:
        return self.by_type and path.endswith(_OF_OBSERVATIONS)


class _Version(msgspec.Struct, gc=False):
    id: Any = None
    meta: Any = None


_VERSION: Final = msgspec.json.Decoder(_Version)


def _version(line: bytes) -> tuple[str, object]:
    """Returns the reference of the Observation in a line, and its lastUpdated."""
    try:
        found = _VERSION.decode(line.removeprefix(BOM_UTF8))
    except msgspec.DecodeError:
        resource = json_object(line) or {}
        return f"Observation/{resource.get('id')}", last_updated(resource)
    return f"Observation/{found.id}", last_updated({"meta": found.meta})


def _resource(path: str, number: int, line: bytes) -> Resource:
    resource = json_object(line)
    return _refuse(path, number) if resource is None else resource


def _refuse(path: str, number: int) -> NoReturn:
    refuse_all(Unread(str(Place(path, number)), "not a resource in JSON, expected one per line; copy the file again"))


def _current(path: Path, outdated: Numbers) -> pd.DataFrame:
    frame = frame_in(path)
    return frame[~frame[_LINE].isin(outdated)] if len(outdated) else frame
