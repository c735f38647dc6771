"""Wardround: scheduled screening of intensive-care patients, FHIR in and FHIR out."""

__version__ = "0.2.0"
