-- Laboratory results of the stay's hospital admission: those that name it, and those without an admission that were
-- taken after it began. Arterial samples from before it are read, too: patients are often intubated on the way in.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    l.specimen_id,
    try_cast(l.charttime AS TIMESTAMP) AS time,
    i.quantity,
    CASE WHEN i.quantity = 'specimen_type' THEN trim(l.value) END AS text,
    try_cast(l.valuenum AS DOUBLE) AS value
FROM {labevents} l
JOIN items i ON i.itemid = l.itemid AND i."table" = 'labevents'
JOIN stays s ON s.subject_id = l.subject_id AND try_cast(l.charttime AS TIMESTAMP) BETWEEN s.earliest AND s.latest
    AND (
        l.hadm_id = s.hadm_id
        OR i.quantity IN ('arterial_oxygen', 'inspired_oxygen', 'specimen_type')
        OR (l.hadm_id IS NULL AND try_cast(l.charttime AS TIMESTAMP) >= s.admittime)
    )
