"""Operators that move FHIR resources between a server and files, for anybody's DAGs (docs/provider.md)."""

from wardround.airflow.operators.bulk_export import FhirBulkExportOperator
from wardround.airflow.operators.search import FhirSearchToNdjsonOperator
from wardround.airflow.operators.upload import FhirUploadOperator
from wardround.airflow.operators.validate import FhirValidateOperator

__all__ = ["FhirBulkExportOperator", "FhirSearchToNdjsonOperator", "FhirUploadOperator", "FhirValidateOperator"]
