"""Screens a list of patients with HealthChain, in HealthChain's environment; reads a JSON job, prints one result.

It follows the project's tutorial of batch screening (its cookbook's `sepsis_fhir_batch`) call by call, through the
public interface of release 0.15.0: FHIRAuthConfig and FHIRGateway.add_source once; then, for one patient after the
other, FHIRGateway.search of 100 Observations, FHIRGateway.search of the Patient, merge_bundles,
Dataset.from_fhir_bundle with a feature schema, a Pipeline of two nodes, Dataset.to_risk_assessment, and
FHIRGateway.create. It does not depend on Wardround: the job describes the model and its columns.
"""

import json
import logging
import sys
import time

from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from healthchain.fhir import merge_bundles
from healthchain.gateway import FHIRGateway
from healthchain.gateway.clients.fhir.base import FHIRAuthConfig
from healthchain.io import Dataset

from healthchain_model import pipeline_with

SOURCE = "ward"


def gateway_to(job):
    """Returns a gateway that signs in with a signed assertion, if the job says how."""
    gateway = FHIRGateway()
    if "token_url" not in job:
        gateway.add_source(SOURCE, job["base_url"].replace("https://", "fhir://"))
        return gateway
    config = FHIRAuthConfig(
        base_url=job["base_url"],
        client_id=job["client_id"],
        client_secret_path=job["key_file"],
        token_url=job["token_url"],
        use_jwt_assertion=True,
    )
    gateway.add_source(SOURCE, config.to_connection_string())
    return gateway


def screen_patient(gateway, pipeline, patient, schema):
    observations = gateway.search(Observation, {"patient": patient, "_count": "100"}, SOURCE)
    about = gateway.search(Patient, {"_id": patient}, SOURCE)
    dataset = Dataset.from_fhir_bundle(merge_bundles([about, observations]), schema=schema)
    result = pipeline(dataset)
    assessments = result.to_risk_assessment(
        outcome_code="A41.9", outcome_display="Sepsis", model_name="sepsis", model_version="1"
    )
    return [gateway.create(one, source=SOURCE) for one in assessments]


def main():
    logging.disable(logging.WARNING)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    job = json.loads(sys.stdin.readline())
    gateway, pipeline = gateway_to(job), pipeline_with(job)
    started, used = time.monotonic(), time.process_time()
    written = [one for patient in job["patients"] for one in screen_patient(gateway, pipeline, patient, job["schema"])]
    spent = {"seconds": time.monotonic() - started, "cpu": time.process_time() - used}
    sys.stdout.write(json.dumps({**spent, "written": len(written)}) + "\n")


if __name__ == "__main__":
    main()
