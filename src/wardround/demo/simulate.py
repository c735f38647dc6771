"""Writes a synthetic ward as MIMIC-IV CSVs and as FHIR NDJSON, from numbers of stays, a seed and a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from wardround.core.progress import Say
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.demo.ward.patients import Batch
from wardround.demo.ward.tables import dictionaries, make_tables
from wardround.sources.mimic.writing import MimicWriter
from wardround.spec.variables import Variable

_BATCH: Final = 500
"""Number of stays generated at a time; it bounds the memory, whatever the size of the ward."""

_PRESENT_WITHIN: Final = pd.Timedelta(hours=24)
"""The FHIR files contain the patients of the ward and those who left it within this time."""


@dataclass(frozen=True)
class Plan:
    """A ward to generate: `stays` in progress at `now` (UTC), `discharged` ones with outcomes, and a random seed."""

    stays: int
    discharged: int
    seed: int
    now: pd.Timestamp


@dataclass(frozen=True)
class Simulated:
    """Numbers of rows per MIMIC table and of resources per FHIR file."""

    mimic: dict[str, int]
    fhir: dict[str, int]


def simulate(plan: Plan, out: Path, variables: Mapping[str, Variable], say: Say) -> Simulated:
    """Writes out/mimic and out/fhir with the same stays and ids; only out/mimic has all discharged stays as well.

    The FHIR files are made from the CSVs by mimic2fhir. The same plan gives the same bytes.
    """
    with MimicWriter(out / "mimic") as writer:
        for batch, rng in _batches(plan):
            say(f"stays {batch.first:,} to {batch.first + batch.count:,} of {plan.stays + plan.discharged:,}")
            for table, frame in make_tables(batch, rng).items():
                writer.write(table, frame)
        for table, frame in dictionaries().items():
            writer.write(table, frame)
    present = Selection(variables, present_since=plan.now - _PRESENT_WITHIN)
    return Simulated(writer.rows, mimic2fhir(out / "mimic", out / "fhir", present, say).counts)


def _batches(plan: Plan) -> Iterator[tuple[Batch, np.random.Generator]]:
    """Yields the open stays, then the discharged ones, in batches that each have their own random generator."""
    now = int(plan.now.timestamp())
    for discharged, start, count in ((False, 0, plan.stays), (True, plan.stays, plan.discharged)):
        for first in range(start, start + count, _BATCH):
            size = min(_BATCH, start + count - first)
            yield Batch(first, size, now, discharged), np.random.default_rng([plan.seed, first, discharged])
