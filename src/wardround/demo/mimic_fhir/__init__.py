"""MIMIC-IV rows in, MIMIC-IV-on-FHIR resources (R4 dicts, then NDJSON) out, with the ids and shapes of PhysioNet."""
