"""Uses a FHIR server as a source: Encounters become stays, Patients ages, Observations readings."""
