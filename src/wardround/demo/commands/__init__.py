"""The commands of the scaffolding: demo, up, simulate, mimic2fhir, fhir-server."""
