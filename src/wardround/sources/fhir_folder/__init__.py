"""Reads a folder of FHIR files as a source: NDJSON, Bundles and exports."""
