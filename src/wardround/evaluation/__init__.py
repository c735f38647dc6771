"""What is measured of a model, and the gates against leakage: outcomes and scores in, figures out."""
