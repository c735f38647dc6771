"""Converts a cohort from the command line (group:a1, patients:a1,a2, file:ids.csv, export) to a CohortSource."""

from typing import Any

import click


class _CohortParam(click.ParamType[Any]):
    """A click type for a cohort, written as one word."""

    name = "cohort"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # pydantic takes its time; `--help` must not wait for it.
        from wardround.spec.cohorts import cohort_of

        try:
            return cohort_of(value)
        except ValueError as error:
            # What was given as a patient's id may be a name.
            shown = "patients:…" if value.strip().startswith("patients:") else value
            self.fail(f"got {shown!r}: {error}", param, ctx)


COHORT = _CohortParam()
