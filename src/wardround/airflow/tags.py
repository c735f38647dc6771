"""The closed list of DAG tags; a test holds every DAG to it."""

from enum import StrEnum


class Tag(StrEnum):
    """What a DAG can be filtered by in Airflow's UI. The id of its condition is the only other tag."""

    SCREENING = "screening"
    TRAINING = "training"
    WRITES_TO_FHIR = "writes-to-fhir"
