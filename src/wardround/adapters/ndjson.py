"""A folder of NDJSON in, as a Bulk Data export or mimic2fhir leaves it; stays and readings as from a server out."""

import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import fsspec
import orjson
import pandas as pd

from wardround.adapters import fhir_locations
from wardround.adapters.fhir_encounters import ELEMENTS, Census, EncounterRule
from wardround.adapters.fhir_observation import OBSERVATION, Reading, frame_of_readings, in_our_units, readings_of
from wardround.adapters.fhir_references import Bases, Resource
from wardround.core.events import READING_COLUMNS, empty_readings, frame_of
from wardround.core.reading_rule import reading_rule
from wardround.core.stays import FoundStays
from wardround.core.windows import inside, windows
from wardround.errors import SourceDataError
from wardround.spec.cohorts import Encounters
from wardround.spec.source_maps import NO_TRANSLATION, Translation
from wardround.spec.variables import Variable

_NO_BASES: Final = Bases()
_READINGS_AT_ONCE: Final = 100_000
_STAY_TYPES: Final = re.compile(rb'"(Encounter|Patient|Location)"')
# What a census of many patients keeps of each resource.
_NEEDED: Final = frozenset({"resourceType", "id"}.union(*ELEMENTS.values()))
_ICU: Final = Encounters(classes=("ACUTE",))


@dataclass(frozen=True)
class NdjsonFolder:
    """All *.ndjson and *.ndjson.gz of a folder, whatever they are called; each line says its own type.

    `path` may be an fsspec URL; `encounters` says which Encounters are stays; `bases` are those of the server that the
    files came from, if any; `translation` says what its codes and units mean; `patients_at_once` bounds memory.
    """

    path: Path | str
    encounters: Encounters = _ICU
    bases: Bases = _NO_BASES
    translation: Translation = NO_TRANSLATION
    patients_at_once: int = 1000

    def find_stays(self, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
        """The stays that overlap [start, as_of]; without them, all. Raises SourceDataError."""
        census, wanted = self.census(), self.encounters
        called = {name: fhir_locations.called(census.locations, name) for name in wanted.locations}
        unknown = [name for name, found in called.items() if not found]
        if unknown:
            raise SourceDataError(
                f"{self.path}: no Location {unknown[0]!r}, expected its name or id; correct icu_locations,"
                " or the condition's cohort"
            )
        locations = frozenset(location for found in called.values() for location in found)
        return census.stays(EncounterRule(frozenset(wanted.classes), locations, frozenset(wanted.types)), start, as_of)

    def census(self) -> Census:
        """The folder's Encounters, Patients and Locations."""
        census = Census(self.bases)
        self.fill(census)
        return census

    def fill(self, census: Census) -> None:
        """Adds the folder's Encounters, Patients and Locations to a census."""
        census.add({key: r[key] for key in _NEEDED & r.keys()} for r in self._resources(_STAY_TYPES))

    def readings(
        self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Rows of the index, and the readings in the windows of their patients (see `MimicFolder.readings`)."""
        patients = pd.Series(range(index["patient_id"].nunique()), index=index["patient_id"].unique())
        buckets = patients // self.patients_at_once
        with TemporaryDirectory(prefix="wardround-") as scratch:
            self._sort(windows(index, window), variables, buckets, Path(scratch))
            for bucket in buckets.unique():
                parts = [pd.read_parquet(path) for path in sorted(Path(scratch).glob(f"{bucket}-*.parquet"))]
                mine = index[index["patient_id"].isin(buckets.index[buckets == bucket])]
                yield mine, frame_of(READING_COLUMNS, pd.concat(parts)) if parts else empty_readings()

    def _sort(self, spans: pd.DataFrame, variables: Mapping[str, Variable], buckets: pd.Series, scratch: Path) -> None:
        """One pass over the folder: readings inside the spans go into parquet files <bucket>-<number>."""
        found = self._readings(variables, frozenset(buckets.index))
        number = 0
        while some := list(islice(found, _READINGS_AT_ONCE)):
            frame = inside(in_our_units(frame_of_readings(some), self.translation), spans)
            for bucket, part in frame.groupby(frame["patient_id"].map(buckets)):
                part.to_parquet(scratch / f"{bucket}-{number:06}.parquet")
            number += 1

    def _readings(self, variables: Mapping[str, Variable], patients: frozenset[str]) -> Iterator[Reading]:
        rule = reading_rule(variables, self.translation)
        # Most lines are about other things; looking for the codes in the text spares parsing them.
        codes = sorted({re.escape(code).encode() for _, code in rule.openings})
        mentions = re.compile(b'"(' + b"|".join(codes) + b')"')
        for resource in self._resources(mentions):
            for reading in readings_of(OBSERVATION.of(resource), rule, self.bases):
                if reading.patient_id in patients:
                    yield reading

    def _resources(self, mentioning: re.Pattern[bytes]) -> Iterator[Resource]:
        """The resources whose line matches `mentioning`, file by file in order of name."""
        files, root = fsspec.core.url_to_fs(str(self.path))
        found = files.ls(root, detail=False) if files.isdir(root) else []
        paths = sorted(path for path in found if path.endswith((".ndjson", ".ndjson.gz")))
        if not paths:
            raise SourceDataError(f"{self.path}: no *.ndjson or *.ndjson.gz; give the folder of a Bulk Data export")
        for path in paths:
            for number, line in _lines(files, path):
                if mentioning.search(line):
                    yield _resource(line, f"{path}, line {number}")


def _lines(files: fsspec.AbstractFileSystem, path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with files.open(path, "rb", compression="infer") as file:
            yield from enumerate(file, start=1)
    except (OSError, EOFError, zlib.error):
        raise SourceDataError(f"{path}: cannot be read, expected NDJSON; copy the file again") from None


def _resource(line: bytes, place: str) -> Resource:
    try:
        resource = orjson.loads(line.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        raise SourceDataError(f"{place}: not JSON, expected one resource a line; copy the file again") from None
    if not isinstance(resource, dict):
        raise SourceDataError(f"{place}: not a resource, expected one a line; copy the file again")
    return resource
