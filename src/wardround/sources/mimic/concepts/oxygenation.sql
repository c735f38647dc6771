-- PaO2/FiO2 of each arterial sample, in mmHg. FiO2 is the sample's own, or else the last one charted in the 4 hours
-- before. It is written as a fraction or in percent; numbers that can be neither (1 to 20) are ignored.
--
-- laboratory, charted -> stay_id, time, ratio
WITH samples AS (
    SELECT
        stay_id,
        specimen_id,
        max(time) AS time,
        max(value) FILTER (quantity = 'arterial_oxygen') AS pao2,
        max(
            CASE
                WHEN value > 20 AND value <= 100 THEN value
                WHEN value > 0.2 AND value <= 1 THEN round(value * 100, 1)
            END
        ) FILTER (quantity = 'inspired_oxygen') AS percent
    FROM laboratory
    WHERE quantity IN ('arterial_oxygen', 'inspired_oxygen', 'specimen_type')
    GROUP BY stay_id, specimen_id
    HAVING bool_or(quantity = 'specimen_type' AND text = 'ART.')
),
charted_oxygen AS (
    SELECT
        stay_id,
        time,
        max(
            CASE
                WHEN value >= 20 AND value <= 100 THEN value
                WHEN value > 0.2 AND value <= 1 THEN round(value * 100, 1)
            END
        ) AS percent
    FROM charted
    WHERE quantity = 'inspired_oxygen'
    GROUP BY stay_id, time
    HAVING percent IS NOT NULL
),
with_charted AS (
    SELECT
        s.stay_id,
        s.time,
        s.pao2,
        coalesce(s.percent, CASE WHEN c.time >= s.time - INTERVAL 4 HOUR THEN c.percent END) AS percent
    FROM samples s
    ASOF LEFT JOIN charted_oxygen c ON s.stay_id = c.stay_id AND s.time >= c.time
    WHERE s.pao2 IS NOT NULL
)
SELECT stay_id, time, 100 * pao2 / percent AS ratio
FROM with_charted
WHERE percent IS NOT NULL
