"""A folder of FHIR files as a source: NDJSON, Bundles and exports, read by one rule."""
