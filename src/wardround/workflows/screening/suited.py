"""A run and its source in, the source with the server profile and source map that all tasks of the run use out."""

import logging
from dataclasses import replace

from requests.adapters import BaseAdapter

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_patience import Patience
from wardround.adapters.fhir_profiles import recognised_by, with_profile
from wardround.adapters.fhir_source import FhirSource
from wardround.core.server_profiles import Fit
from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.settings import Settings
from wardround.spec.loading import load_server_profile
from wardround.spec.servers import GENERIC
from wardround.workflows.screening.run import load_run

_LOG = logging.getLogger(__name__)


def suited(
    run: str,
    source: FhirSource,
    settings: Settings,
    transport: BaseAdapter | None = None,
    patience: Patience | None = None,
) -> FhirSource:
    """The source with the run's source map, and if its server is to be recognised, with the profile that fits.

    The server is asked once a run, and the answer kept in profile.json: a run that is resumed asks its server as it
    did before, and understands it as before.
    """
    opened = load_run(run, settings)
    source = replace(source, translation=opened.translation)
    if not source.recognise:
        return source
    if not opened.folder.exists("profile.json"):
        with FhirClient(source, transport, patience) as client, opened.step("recognise", client):
            fit = _recognised(client, settings)
        _LOG.info("run %s: server profile %s, for %s", run, fit.profile.id, fit.why)
        opened.folder.write_json("profile.json", {"profile": fit.profile.id, "why": fit.why})
    profile = str(opened.folder.read_json("profile.json")["profile"])
    # The generic profile needs no file: an installation's own schemas may hold conditions only.
    known = GENERIC if profile == GENERIC.id else load_server_profile(profile, settings.schemas)
    return with_profile(source, known)


def _recognised(client: FhirClient, settings: Settings) -> Fit:
    try:
        statement = client.capabilities()
    except (FhirUnreachable, FhirRefused):
        raise
    except FhirError:  # what it can do is then found out by asking
        return Fit(GENERIC, "it gives no CapabilityStatement")
    return recognised_by(statement, client.source, settings.schemas)
