"""Fits candidates to tables of known numbers: one file per kind of model, all with the same five methods."""
