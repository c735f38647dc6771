"""A run's record in, everything that its report shows out. No file, no clock, no HTML but the charts' SVG."""
