-- Catecholamine infusions.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    i.quantity,
    try_cast(n.starttime AS TIMESTAMP) AS start,
    try_cast(n.endtime AS TIMESTAMP) AS stop,
    try_cast(n.rate AS DOUBLE) AS rate,
    trim(n.rateuom) AS unit,
    try_cast(n.patientweight AS DOUBLE) AS weight
FROM {inputevents} n
JOIN items i ON i.itemid = n.itemid AND i."table" = 'inputevents'
JOIN stays s ON s.mimic_stay_id = n.stay_id
