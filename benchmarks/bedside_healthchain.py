"""HealthChain 0.15.0's CDS Hooks service, in HealthChain's environment: reads a JSON job, says its port, and serves.

It follows the project's example of sepsis alerts (its cookbook's `sepsis_cds_hooks`) call by call, through the public
interface: HealthChainAPI with a CDSHooksService; in the hook prefetch_to_bundle, Dataset.from_fhir_bundle with a
feature schema, and a Pipeline of imputation and prediction; a card for a moderate or high risk. The job says which
pipeline: that of the example, a random forest of 100 balanced trees that predicts with all processors from eight
inputs, each the mean of a variable's values, fitted here to made-up numbers; or Wardround's fitted model on its own
columns, of which HealthChain computes one mean for each variable and age and sex, while the others get the model's
imputation.

Access logs are off. It does not depend on Wardround.
"""

import json
import logging
import socket
import sys
import threading

import numpy as np
import pandas as pd
import uvicorn
from healthchain.fhir import prefetch_to_bundle
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.io import Dataset
from healthchain.models import CDSRequest, CDSResponse
from healthchain.models.responses.cdsresponse import Card
from healthchain.pipeline import Pipeline
from sklearn.ensemble import RandomForestClassifier

INPUTS = ("heart_rate", "temperature", "respiratory_rate", "wbc", "lactate", "creatinine", "age", "gender_encoded")


def pipeline_of_the_example():
    """Returns the example's pipeline: what is missing gets the median of the call's own rows, of which there is one."""
    numbers = pd.DataFrame(np.random.default_rng(1).normal(size=(1000, len(INPUTS))), columns=list(INPUTS))
    outcome = (numbers["heart_rate"] + numbers["lactate"] > 1.5).astype(int)
    forest = RandomForestClassifier(n_estimators=100, class_weight="balanced", n_jobs=-1, random_state=1)
    forest.fit(numbers, outcome)
    pipeline = Pipeline[Dataset]()

    @pipeline.add_node
    def impute(dataset: Dataset) -> Dataset:
        dataset.data = dataset.data.fillna(dataset.data.median(numeric_only=True))
        return dataset

    @pipeline.add_node
    def predict(dataset: Dataset) -> Dataset:
        dataset.metadata["probabilities"] = forest.predict_proba(dataset.data.reindex(columns=INPUTS))[:, 1]
        return dataset

    return pipeline


def card_of(probability, job):
    """Returns the cards for a probability: none below the moderate band."""
    high = probability >= job["high"]
    if not high and probability < job["moderate"]:
        return []
    band = "HIGH" if high else "MODERATE"
    return [
        Card(
            summary=f"Sepsis risk: {band} ({probability:.0%})",
            indicator="critical" if high else "warning",
            detail=f"The predicted risk is **{band}** ({probability:.0%}).",
            source={"label": "The benchmark"},
            title="Sepsis",
        )
    ]


def create_app(job):
    """Returns the service; GET /answered says for how many calls there was a probability.

    HealthChain answers a call that fails with an empty list of cards, as it does one of low risk.
    """
    if job["example"]:
        pipeline = pipeline_of_the_example()
    else:
        from healthchain_model import pipeline_with

        pipeline = pipeline_with(job)
    cds, answered = CDSHooksService(), []

    @cds.hook("patient-view", id="sepsis-risk")
    def sepsis_risk(request: CDSRequest) -> CDSResponse:
        bundle = prefetch_to_bundle(request.prefetch or {})
        result = pipeline(Dataset.from_fhir_bundle(bundle, schema=job["schema"]))
        probability = float(result.metadata["probabilities"][0])
        answered.append(probability)
        return CDSResponse(cards=card_of(probability, job))

    app = HealthChainAPI(title="Sepsis", description="Sepsis alerts", service_type="cds-hooks")
    app.register_service(cds, path="/cds")
    app.add_api_route("/answered", lambda: len(answered))
    return app


def main():
    job = json.loads(sys.stdin.readline())
    logging.disable(logging.WARNING)
    server = uvicorn.Server(uvicorn.Config(create_app(job), log_level="error", access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(json.dumps({"port": listening.getsockname()[1]}) + "\n")
        sys.stdout.flush()

        def stop():
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=stop, daemon=True).start()
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
