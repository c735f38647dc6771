"""Prepares everything that a run's report shows. No file, no clock, no HTML except the charts' SVG."""
