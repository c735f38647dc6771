"""Lists the only tags that a DAG may have; a test checks every DAG."""

from enum import StrEnum


class Tag(StrEnum):
    """A tag by which DAGs are filtered in Airflow's UI. The only other tag of a DAG is the id of its condition."""

    RETENTION = "retention"
    SCREENING = "screening"
    STREAM = "stream"
    TRAINING = "training"
    WRITES_TO_FHIR = "writes-to-fhir"
