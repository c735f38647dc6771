"""The validation suite of a feature table, derived from the spec."""
