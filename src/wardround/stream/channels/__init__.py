"""The ways by which people are told of a score."""
