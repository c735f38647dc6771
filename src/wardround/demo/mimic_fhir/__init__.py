"""Converts MIMIC-IV rows to MIMIC-IV-on-FHIR resources (R4 dicts, then NDJSON), with PhysioNet's ids and structure."""
