"""Talks to a FHIR server: requests, sign-in, pages, batches, exports, and FHIR's own data types."""
