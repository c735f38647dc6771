"""The commands for demonstration: demo, up, simulate, mimic2fhir, fhir-server."""
