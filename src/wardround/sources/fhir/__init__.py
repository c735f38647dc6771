"""A FHIR server as a source: Encounters to stays, Patients to ages, Observations to readings."""
