"""Scaffolding for the demo and the tests: a simulated ward, an embedded FHIR server, and Airflow in one process."""
