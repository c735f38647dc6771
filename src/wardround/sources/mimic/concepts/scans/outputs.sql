-- Urine, and irrigant that was put into the bladder.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    try_cast(o.charttime AS TIMESTAMP) AS time,
    i.quantity,
    try_cast(o.value AS DOUBLE) AS value
FROM {outputevents} o
JOIN items i ON i.itemid = o.itemid AND i."table" = 'outputevents'
JOIN stays s ON s.mimic_stay_id = o.stay_id
