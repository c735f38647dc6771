"""Pure functions of data, spec and as_of. They use no clock, network, files or environment."""
