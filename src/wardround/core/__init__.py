"""Pure functions: data, spec and as_of in; data out. No clock, no network, no files, no environment."""
