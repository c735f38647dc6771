"""Long-running doors: the embedded FHIR server."""
