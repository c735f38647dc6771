"""Finds the patients who lie in a watched unit now, as the stream door knows it from ADT messages, on a run's server.

These functions see record numbers; they never log.
"""

from collections.abc import Mapping

from wardround.adt.census import Lying, census
from wardround.adt.feed import feed_of
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir.cohorts import Named, each_once
from wardround.sources.fhir.linking import Announced, Link, Linked, link_all
from wardround.spec.cohorts import CohortSource
from wardround.spec.loading import load_stream
from wardround.spec.stream import StreamSource
from wardround.workflows.screen.request import ScreeningRequest


def of_census(client: FhirClient, cohort: CohortSource, request: ScreeningRequest, settings: Settings) -> list[Named]:
    """Returns the patients of the census, each once, and an entry without an id for each who cannot be found.

    Raises FhirError, also for a server that no source of the stream belongs to; SpecError; StorageError or
    DatabaseError.
    """
    lying = _lying(_sources(cohort, request, settings), settings)
    links = link_all(client, [Announced((one.patient,), one.visit.number) for one in lying])
    return each_once(map(_named, links))


def _named(link: Link) -> Named:
    return Named(link.patient_id) if isinstance(link, Linked) else Named("", link.reason)


def _sources(cohort: CohortSource, request: ScreeningRequest, settings: Settings) -> Mapping[str, StreamSource]:
    sources = load_stream(settings.stream).sources
    unknown = sorted(set(cohort.feeds) - set(sources))
    if unknown:
        raise FhirError(
            f"{settings.stream}: has no source {unknown[0]}, expected one of {', '.join(sources)}; correct the cohort"
        )
    if cohort.feeds:
        return {name: sources[name] for name in cohort.feeds}
    server = {request.source_name, request.source_url}
    mine = {name: one for name, one in sources.items() if one.fhir.rstrip("/") in server}
    if not mine:
        raise FhirError(
            f"{settings.stream}: no source names the server {request.source}, expected `fhir: {request.source}`;"
            " correct it there, or name the sources (cohort adt:NAME)"
        )
    return mine


def _lying(sources: Mapping[str, StreamSource], settings: Settings) -> list[Lying]:
    # SQLAlchemy takes a quarter of a second to import, which other cohorts need not wait for.
    from wardround.adapters.database.database import opened
    from wardround.adapters.database.visits import census_of

    with opened(settings.database) as database, database.reading() as connection:
        return [
            lying
            for name, source in sources.items()
            for lying in census(census_of(connection, "", name), feed_of(name, source))
        ]
