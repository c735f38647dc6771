"""Prepares everything that the page of a model card shows. No file, no clock, no HTML except the charts' SVG."""
