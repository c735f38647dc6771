"""What a score becomes: bands, reasons in words, RiskAssessments, and the Group of the high band."""
