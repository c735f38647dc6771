"""Fits a source with the server profiles and source map that all tasks of a run use."""

import logging
from dataclasses import replace
from typing import Final

from requests.adapters import BaseAdapter

from wardround.core import run_files
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.patience import Patience
from wardround.fhir.profiles import fit_of, with_profile
from wardround.settings import Settings
from wardround.spec.loading import load_server_profile
from wardround.spec.servers import GENERIC
from wardround.workflows.screen.run import Run, load_run, require_servers

_LOG = logging.getLogger(__name__)
# The step in which a server is recognised, and the file of the run's folder that holds the answer.
_KEPT_IN: Final = {"recognise": run_files.PROFILE, "recognise_results": run_files.RESULTS_PROFILE}


def suited(
    run: str,
    source: FhirEndpoint,
    settings: Settings,
    transport: BaseAdapter | None = None,
    patience: Patience | None = None,
) -> FhirEndpoint:
    """Returns the source with the run's source map and, if its server is to be recognised, the profile that fits.

    The same is done for the server that takes the results, if it is a different one and the run writes any. Each is
    asked once per run, and the answer is kept (profile.json, results_profile.json), so that a resumed run asks its
    servers, and understands them, as it did before. Raises FhirError if the servers are not the run's.
    """
    opened = load_run(run, settings)
    require_servers(opened, source)
    about = opened, settings, transport, patience
    results = source.write_to
    if results and opened.writes:
        results = _with_profile(results, "recognise_results", *about)
    return _with_profile(replace(source, translation=opened.translation, write_to=results), "recognise", *about)


def _with_profile(
    source: FhirEndpoint,
    step: str,
    opened: Run,
    settings: Settings,
    transport: BaseAdapter | None,
    patience: Patience | None,
) -> FhirEndpoint:
    if not source.recognise:
        return source

    def recognise() -> dict[str, str]:
        with FhirClient(source, transport, patience) as client, opened.step(step, client):
            fit = fit_of(client, settings.schemas)
        _LOG.info("run %s: %s has profile %s, because %s", opened.id, shown(source.base_url), fit.profile.id, fit.why)
        return {"profile": fit.profile.id, "why": fit.why}

    profile = str(opened.folder.json_once(_KEPT_IN[step], recognise)["profile"])
    # The generic profile needs no file: an installation's own schemas may contain only conditions.
    known = GENERIC if profile == GENERIC.id else load_server_profile(profile, settings.schemas)
    return with_profile(source, known)
