"""Makes results of scores: bands, reasons in words, RiskAssessments, and the Group of the high band."""
