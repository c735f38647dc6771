"""Takes out of OpenLineage's events what may name a patient, before they leave.

OpenLineage's provider for Airflow adds facets to each event: the run's `conf`, its id, its note, who started it, the
questions to people, error messages. All of that may be a person's words. Of our DAGs' events only the facets listed
here leave; those of other DAGs pass as they are. The class is named in the setting of the transport.
"""

from typing import Any, Final

from openlineage.client.transport.transform.transform import EventTransformer

from wardround.airflow.sources import SCREENING

RUN_FACETS: Final = frozenset({"nominalTime", "parent", "processing_engine"})
JOB_FACETS: Final = frozenset({"documentation", "jobType", "ownership"})
DAGS: Final = (f"{SCREENING}__", "train__", "promote__", "suspend__", "stream_upkeep", "prune_runs")
"""How the ids of our DAGs begin."""


class WithoutWords(EventTransformer):  # type: ignore[misc]  # mypy does not know openlineage
    """Leaves of our DAGs' events what happened when to which data set."""

    def transform(self, event: Any) -> Any:
        """Returns the event without the facets that are not listed."""
        if event.job.name.startswith(DAGS):
            event.run.facets = _kept(event.run.facets, RUN_FACETS)
            event.job.facets = _kept(event.job.facets, JOB_FACETS)
            for dataset in (*(event.inputs or ()), *(event.outputs or ())):
                dataset.facets = {}
        return event


def _kept(facets: Any, names: frozenset[str]) -> dict[str, Any]:
    return {name: facet for name, facet in (facets or {}).items() if name in names}
