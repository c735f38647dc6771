-- SOFA coagulation: scores the lowest platelet count of the hour, in 10*3/uL.
--
-- hours, laboratory -> stay_id, hr, coagulation
SELECT
    h.stay_id,
    h.hr,
    CASE
        WHEN min(l.value) < 20 THEN 4
        WHEN min(l.value) < 50 THEN 3
        WHEN min(l.value) < 100 THEN 2
        WHEN min(l.value) < 150 THEN 1
        ELSE 0
    END AS coagulation
FROM hours h
JOIN laboratory l ON l.stay_id = h.stay_id AND hour_end(l.time) = h.stop
WHERE l.quantity = 'platelets' AND l.value > 0
GROUP BY h.stay_id, h.hr
