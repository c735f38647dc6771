"""What a model learns from, and how: cohorts, labels, splits, fitting, the gates against leakage, the model card."""
