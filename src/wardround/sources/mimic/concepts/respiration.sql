-- SOFA respiration: scores the lowest PaO2/FiO2 of the hour. Values below 200 and 100 score 3 and 4 only with invasive
-- ventilation.
--
-- hours, oxygenation, ventilation -> stay_id, hr, respiration
WITH samples AS (
    SELECT
        o.stay_id,
        o.time,
        o.ratio,
        EXISTS (
            SELECT 1 FROM ventilation v WHERE v.stay_id = o.stay_id AND o.time BETWEEN v.start AND v.stop
        ) AS ventilated
    FROM oxygenation o
)
SELECT
    h.stay_id,
    h.hr,
    max(
        CASE
            WHEN s.ventilated AND s.ratio < 100 THEN 4
            WHEN s.ventilated AND s.ratio < 200 THEN 3
            WHEN s.ratio < 300 THEN 2
            WHEN s.ratio < 400 THEN 1
            ELSE 0
        END
    ) AS respiration
FROM hours h
JOIN samples s ON s.stay_id = h.stay_id AND hour_end(s.time) = h.stop
GROUP BY h.stay_id, h.hr
