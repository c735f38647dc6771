"""Sign-in as another project understands SMART Backend Services, over TLS."""

import json
import os
import subprocess
import sys

import pytest

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import SignedAssertion

STAYS = 200

pytestmark = pytest.mark.slow


def screened(settings, folder) -> dict:
    """`wardround screen` as a process of its own, by the name of the source."""
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    command = [sys.executable, "-m", "wardround", "screen", "sepsis", "--source", "sekmet", "--json"]
    command += ["--as-of", "2026-01-02T05:00:00Z"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tokens(folder) -> int:
    return (folder / "requests").read_text().splitlines().count("POST /auth/token")


def test_200_stays_are_screened_with_one_token_and_a_second_time_changes_nothing(
    icu, guarded_sekmet, settings, key_pair, tmp_path
):
    base_url, folder = guarded_sekmet
    source = FhirEndpoint(base_url, SignedAssertion("ward", key_pair.private), str(folder / "server.crt"))
    for number in range(STAYS):
        icu.stay(f"s{number:03}")
    icu.upload(base_url, sign_in=source.sign_in, ca_file=source.ca_file)
    (tmp_path / "key.pem").write_text(key_pair.private)
    (tmp_path / ".env").write_text(
        f"SEKMET_BASE_URL={base_url}\nSEKMET_CLIENT_ID=ward\nSEKMET_KEY_FILE={tmp_path / 'key.pem'}\n"
        f"SEKMET_SCOPE=system/*.read system/*.write\nSEKMET_CA_FILE={source.ca_file}\n"
    )
    before = tokens(folder)

    first = screened(settings, tmp_path)
    asked = tokens(folder) - before
    held = everything(source)
    again = screened(settings, tmp_path)

    assert (first["found"], first["scored"], first["written"]) == (STAYS, STAYS, STAYS)
    assert asked == 1
    assert again["unchanged"] == STAYS
    assert len(held) == 2 * STAYS
    assert everything(source) == held


def everything(source) -> dict:
    """The RiskAssessments and Provenances that the server holds, versions included."""
    with FhirClient(source) as client:
        return {
            f"{resource['resourceType']}/{resource['id']}": resource
            for resource_type in ("RiskAssessment", "Provenance")
            for resource in client.search(resource_type, {})
        }
