"""How many stays the FHIR server of these tests has."""

STAYS = 5
