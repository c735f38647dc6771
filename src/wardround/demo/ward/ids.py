"""The first ids of the synthetic ward."""

# Beyond MIMIC's own ids, so that no synthetic resource has the id of a real one.
SUBJECT, ADMISSION, STAY, TRANSFER = 90_000_000, 92_000_000, 93_000_000, 940_000_000
SPECIMEN, LABEVENT, CULTURE, PHARMACY = 5_000_000_000, 6_000_000_000, 70_000_000, 80_000_000
