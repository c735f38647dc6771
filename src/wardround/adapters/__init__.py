"""Connects to the outside world, one subject a file: FHIR servers, MIMIC CSVs, run folders, the model store."""
