"""A model made with scikit-learn alone, knowing nothing of Wardround: python own_model.py sepsis_model.joblib

It learns from made-up patients and is worth nothing; it stands for whatever you have trained elsewhere.
"""

import sys

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Usual value and spread, and how much the made-up illness moves it. Temperature in Fahrenheit, as its schema says.
FEATURES = {
    "heart_rate": (85, 15, 20),
    "temperature": (98.6, 1.2, 1.5),
    "respiratory_rate": (18, 4, 5),
    "wbc": (9, 3, 5),
    "lactate": (1.5, 0.7, 1.5),
    "creatinine": (1.0, 0.4, 0.6),
    "age": (65, 15, 3),
    "gender_encoded": (0.5, 0.5, 0),
}
PATIENTS = 1000

generator = np.random.default_rng(7)
sick = generator.random(PATIENTS) < 0.3
columns = {
    name: generator.normal(usual, spread, PATIENTS) + move * sick for name, (usual, spread, move) in FEATURES.items()
}
patients = pd.DataFrame(columns)
patients["age"] = patients["age"].round()
patients["gender_encoded"] = (patients["gender_encoded"] > 0.5).astype(int)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(patients, sick.astype(int))
metadata = {
    "feature_names": list(FEATURES),
    "metrics": {"optimal_threshold": 0.4},
    "medians": {"lactate": patients["lactate"].median()},  # optional: what replaces an unknown value
}
joblib.dump({"model": model, "metadata": metadata}, sys.argv[1])
