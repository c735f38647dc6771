"""Side-by-side measurements: `make bench` runs them all and prints tables. Nothing is asserted here."""
