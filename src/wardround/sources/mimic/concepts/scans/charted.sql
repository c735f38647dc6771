-- Vital signs, consciousness, oxygen and ventilator entries of the stay. Inspired oxygen is read for the patient and
-- not only the stay, because a sample taken on arrival belongs to an FiO2 charted in the previous unit.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    try_cast(c.charttime AS TIMESTAMP) AS time,
    i.quantity,
    CASE WHEN i.quantity IN ('gcs_verbal', 'oxygen_device', 'ventilator_mode') THEN trim(c.value) END AS text,
    try_cast(c.valuenum AS DOUBLE) AS value
FROM {chartevents} c
JOIN items i ON i.itemid = c.itemid AND i."table" = 'chartevents'
JOIN stays s ON s.subject_id = c.subject_id
    AND (s.mimic_stay_id = c.stay_id OR i.quantity = 'inspired_oxygen')
    AND try_cast(c.charttime AS TIMESTAMP) BETWEEN s.earliest AND s.latest
