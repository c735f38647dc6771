-- SOFA liver: scores the highest total bilirubin of the hour, in mg/dL.
--
-- hours, laboratory -> stay_id, hr, liver
SELECT
    h.stay_id,
    h.hr,
    CASE
        WHEN max(l.value) >= 12 THEN 4
        WHEN max(l.value) >= 6 THEN 3
        WHEN max(l.value) >= 2 THEN 2
        WHEN max(l.value) >= 1.2 THEN 1
        ELSE 0
    END AS liver
FROM hours h
JOIN laboratory l ON l.stay_id = h.stay_id AND hour_end(l.time) = h.stop
WHERE l.quantity = 'bilirubin' AND l.value > 0
GROUP BY h.stay_id, h.hr
