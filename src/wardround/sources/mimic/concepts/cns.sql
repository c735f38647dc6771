-- SOFA central nervous system: scores the lowest Glasgow Coma Scale of the hour. A component that is not charted is
-- taken from the previous entry if that is less than 6 hours old; otherwise it counts as normal. A patient who cannot
-- speak because of an endotracheal tube (`No Response-ETT`) cannot be assessed and counts as awake, 15; nothing is
-- taken from such an entry into the next one.
--
-- hours, charted -> stay_id, hr, cns
WITH entries AS (
    SELECT
        stay_id,
        time,
        max(value) FILTER (quantity = 'gcs_eyes') AS eyes,
        max(value) FILTER (quantity = 'gcs_verbal') AS verbal,
        max(value) FILTER (quantity = 'gcs_motor') AS motor,
        coalesce(bool_or(quantity = 'gcs_verbal' AND text = 'No Response-ETT'), false) AS intubated
    FROM charted
    WHERE quantity IN ('gcs_eyes', 'gcs_verbal', 'gcs_motor') AND (value IS NOT NULL OR text = 'No Response-ETT')
    GROUP BY stay_id, time
),
with_previous AS (
    SELECT
        *,
        coalesce(lag(time) OVER stay > time - INTERVAL 6 HOUR, false) AS recent,
        lag(intubated) OVER stay AS previous_intubated,
        lag(eyes) OVER stay AS previous_eyes,
        lag(verbal) OVER stay AS previous_verbal,
        lag(motor) OVER stay AS previous_motor
    FROM entries
    WINDOW stay AS (PARTITION BY stay_id ORDER BY time)
),
scales AS (
    SELECT
        stay_id,
        time,
        CASE
            WHEN intubated THEN 15
            WHEN recent AND previous_intubated AND verbal IS NULL THEN 15
            WHEN recent AND NOT previous_intubated
            THEN
                coalesce(eyes, previous_eyes, 4) + coalesce(verbal, previous_verbal, 5)
                + coalesce(motor, previous_motor, 6)
            ELSE coalesce(eyes, 4) + coalesce(verbal, 5) + coalesce(motor, 6)
        END AS gcs
    FROM with_previous
)
SELECT
    h.stay_id,
    h.hr,
    CASE
        WHEN min(s.gcs) < 6 THEN 4
        WHEN min(s.gcs) < 10 THEN 3
        WHEN min(s.gcs) < 13 THEN 2
        WHEN min(s.gcs) < 15 THEN 1
        ELSE 0
    END AS cns
FROM hours h
JOIN scales s ON s.stay_id = h.stay_id AND hour_end(s.time) = h.stop
GROUP BY h.stay_id, h.hr
