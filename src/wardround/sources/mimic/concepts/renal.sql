-- SOFA renal: scores the highest creatinine of the hour in mg/dL, and the highest 24-hour urine output in mL of an
-- entry in the hour; the worse of the two counts.
--
-- hours, laboratory, urine_output -> stay_id, hr, renal
WITH creatinine AS (
    SELECT
        h.stay_id,
        h.hr,
        CASE
            WHEN max(l.value) >= 5 THEN 4
            WHEN max(l.value) >= 3.5 THEN 3
            WHEN max(l.value) >= 2 THEN 2
            WHEN max(l.value) >= 1.2 THEN 1
            ELSE 0
        END AS score
    FROM hours h
    JOIN laboratory l ON l.stay_id = h.stay_id AND hour_end(l.time) = h.stop
    WHERE l.quantity = 'creatinine' AND l.value > 0
    GROUP BY h.stay_id, h.hr
),
urine AS (
    SELECT
        h.stay_id,
        h.hr,
        CASE WHEN max(u.urine_24h) < 200 THEN 4 WHEN max(u.urine_24h) < 500 THEN 3 ELSE 0 END AS score
    FROM hours h
    JOIN urine_output u ON u.stay_id = h.stay_id AND hour_end(u.time) = h.stop
    GROUP BY h.stay_id, h.hr
)
SELECT stay_id, hr, max(score) AS renal
FROM (SELECT * FROM creatinine UNION ALL SELECT * FROM urine)
GROUP BY stay_id, hr
