"""Measures models by their outcomes and scores, and judges them against gates."""
