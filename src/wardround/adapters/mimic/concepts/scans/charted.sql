-- Vital signs, consciousness, oxygen and ventilator entries. A row of chartevents names its stay.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    try_cast(c.charttime AS TIMESTAMP) AS time,
    i.quantity,
    CASE WHEN i.quantity IN ('gcs_verbal', 'oxygen_device', 'ventilator_mode') THEN trim(c.value) END AS text,
    try_cast(c.valuenum AS DOUBLE) AS value
FROM {chartevents} c
JOIN items i ON i.itemid = c.itemid AND i."table" = 'chartevents'
JOIN stays s ON s.mimic_stay_id = c.stay_id
