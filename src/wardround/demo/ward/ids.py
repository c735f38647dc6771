"""Where the ids of the synthetic ward begin."""

# Beyond the numbers of MIMIC's own, so that no id of a synthetic resource is that of a real one.
SUBJECT, ADMISSION, STAY, TRANSFER = 90_000_000, 92_000_000, 93_000_000, 940_000_000
SPECIMEN, LABEVENT, CULTURE, PHARMACY = 5_000_000_000, 6_000_000_000, 70_000_000, 80_000_000
