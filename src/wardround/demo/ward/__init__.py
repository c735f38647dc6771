"""Generates a synthetic ward as frames with MIMIC-IV's columns, from numbers of stays, a time and a seeded generator.

It imitates intensive care (README of the MIMIC demo: ranges, gaps, outliers) but is not medically valid: a model
trained on it shows that the pipeline works, and nothing else.
"""
