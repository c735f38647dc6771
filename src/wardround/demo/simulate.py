"""Numbers of stays, a seed and a time in; a synthetic ward as MIMIC-IV CSVs and as FHIR NDJSON out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.demo.ward.patients import Batch
from wardround.demo.ward.tables import dictionaries, make_tables
from wardround.sources.mimic.writing import MimicWriter
from wardround.spec.variables import Variable

BATCH: Final = 500
"""Stays made at a time: what memory is needed for, whatever the size of the ward."""

PRESENT_WITHIN: Final = pd.Timedelta(hours=24)
"""The FHIR side holds the patients of the ward and those who left it so recently."""


@dataclass(frozen=True)
class Plan:
    """A ward to make: `stays` in progress at `now` (UTC), `discharged` ones with outcomes; `seed` decides the rest."""

    stays: int
    discharged: int
    seed: int
    now: pd.Timestamp


@dataclass(frozen=True)
class Simulated:
    """Rows per MIMIC table and resources per FHIR file."""

    mimic: dict[str, int]
    fhir: dict[str, int]


def simulate(plan: Plan, out: Path, variables: Mapping[str, Variable], progress: Callable[[str], None]) -> Simulated:
    """Writes out/mimic and out/fhir: the same stays with the same ids, and in out/mimic the discharged ones besides.

    The FHIR files come from the CSVs through mimic2fhir. The same plan gives the same bytes.
    """
    with MimicWriter(out / "mimic") as writer:
        for batch, rng in _batches(plan):
            progress(f"stays {batch.first:,} to {batch.first + batch.count:,} of {plan.stays + plan.discharged:,}")
            for table, frame in make_tables(batch, rng).items():
                writer.write(table, frame)
        for table, frame in dictionaries().items():
            writer.write(table, frame)
    present = Selection(variables, present_since=plan.now - PRESENT_WITHIN)
    return Simulated(writer.rows, mimic2fhir(out / "mimic", out / "fhir", present, progress).counts)


def _batches(plan: Plan) -> Iterator[tuple[Batch, np.random.Generator]]:
    """The open stays, then the discharged ones, each batch with a generator of its own."""
    now = int(plan.now.timestamp())
    for discharged, start, count in ((False, 0, plan.stays), (True, plan.stays, plan.discharged)):
        for first in range(start, start + count, BATCH):
            size = min(BATCH, start + count - first)
            yield Batch(first, size, now, discharged), np.random.default_rng([plan.seed, first, discharged])
