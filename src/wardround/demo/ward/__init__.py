"""A synthetic ward: numbers of stays, a time and a seeded generator in; frames with MIMIC-IV's columns out.

It is made to look like intensive care (README of the MIMIC demo: ranges, gaps, outliers), not to teach medicine: models
trained on it prove that the pipeline works and nothing else.
"""
