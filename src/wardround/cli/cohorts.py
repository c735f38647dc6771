"""Cohorts on the command line: group:a1, patients:a1,a2, file:ids.csv or export in, a CohortSource out."""

from typing import Any

import click


class CohortParam(click.ParamType[Any]):
    """One word that says where the patients come from."""

    name = "cohort"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # pydantic takes its time; `--help` must not wait for it.
        from wardround.spec.cohorts import cohort_of

        try:
            return cohort_of(value)
        except ValueError as error:
            # Whatever was written for a patient's id may be a name.
            shown = "patients:…" if value.strip().startswith("patients:") else value
            self.fail(f"got {shown!r}: {error}", param, ctx)


COHORT = CohortParam()
