-- SOFA cardiovascular: scores catecholamines that run at the end of the hour by their rate in ug/kg/min, otherwise the
-- lowest mean arterial pressure of the hour, in mmHg. Pressures at the same time (cuff and line) are averaged first.
--
-- hours, vasopressors, charted -> stay_id, hr, cardiovascular
WITH moments AS (
    SELECT stay_id, time, avg(value) AS pressure
    FROM charted
    WHERE quantity = 'mean_pressure' AND value > 0 AND value < 300
    GROUP BY stay_id, time
),
pressures AS (
    SELECT h.stay_id, h.hr, CASE WHEN min(m.pressure) < 70 THEN 1 ELSE 0 END AS score
    FROM hours h
    JOIN moments m ON m.stay_id = h.stay_id AND hour_end(m.time) = h.stop
    GROUP BY h.stay_id, h.hr
),
running AS (
    SELECT
        h.stay_id,
        h.hr,
        CASE
            WHEN v.drug = 'dopamine' AND v.rate > 15 THEN 4
            WHEN v.drug IN ('epinephrine', 'norepinephrine') AND v.rate > 0.1 THEN 4
            WHEN v.drug = 'dopamine' AND v.rate > 5 THEN 3
            WHEN v.drug IN ('epinephrine', 'norepinephrine') THEN 3
            ELSE 2
        END AS score
    FROM hours h
    JOIN vasopressors v ON v.stay_id = h.stay_id AND h.stop > v.start AND h.stop <= v.stop
)
SELECT stay_id, hr, max(score) AS cardiovascular
FROM (SELECT * FROM pressures UNION ALL SELECT * FROM running)
GROUP BY stay_id, hr
