"""The validation suite of a feature table, built from the spec."""
