"""Wardround's fitted model in a HealthChain pipeline, in HealthChain's environment. It does not depend on Wardround."""

from pathlib import Path

import joblib
import numpy as np
import xgboost
from healthchain.io import Dataset
from healthchain.pipeline import Pipeline


def pipeline_with(job):
    """Returns a pipeline of imputation and prediction. Columns that HealthChain does not compute count as missing."""
    probability, columns, threshold = model_in(job["model"]), job["columns"], job["threshold"]
    known = np.array([job["imputation"].get(name, np.nan) for name in columns])
    pipeline = Pipeline[Dataset]()

    @pipeline.add_node
    def impute(dataset: Dataset) -> Dataset:
        # As an array, which takes a fifth of what `fillna` takes for 150 columns.
        inputs = dataset.data.reindex(columns=columns).to_numpy(dtype=float)
        dataset.metadata["inputs"] = np.where(np.isnan(inputs), known, inputs)
        return dataset

    @pipeline.add_node
    def predict(dataset: Dataset) -> Dataset:
        probabilities = probability(dataset.metadata["inputs"])
        dataset.metadata["probabilities"] = probabilities
        dataset.metadata["predictions"] = (probabilities >= threshold).astype(int)
        return dataset

    return pipeline


def model_in(file):
    """Returns the function that gives the fitted model's probabilities; models stored as joblib are scikit-learn's."""
    if Path(file).suffix == ".joblib":
        fitted = joblib.load(file)
        return lambda inputs: fitted.predict_proba(inputs)[:, 1]
    booster = xgboost.Booster(model_file=file)
    return booster.inplace_predict
