"""FHIR Subscriptions on Encounter: another lock of the same door. What they announce goes on as ADT messages."""
