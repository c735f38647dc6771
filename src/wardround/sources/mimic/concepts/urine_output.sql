-- 24-hour urine output, in mL, at each time that urine was charted. Each entry is the output since the previous one
-- (the first one: since the patient was first seen). The entries of the last 23 hours are added up if they cover 22 to
-- 30 hours, and scaled to 24 hours. Irrigant that was put into the bladder is subtracted.
--
-- outputs, hours -> stay_id, time, urine_24h
WITH first_seen AS (
    SELECT DISTINCT stay_id, first_seen FROM hours
),
entries AS (
    SELECT
        stay_id,
        time,
        sum(CASE WHEN quantity = 'irrigant' AND value > 0 THEN -value ELSE value END) AS volume
    FROM outputs
    WHERE value IS NOT NULL
    GROUP BY stay_id, time
),
covered AS (
    SELECT
        stay_id,
        time,
        volume,
        date_diff('second', coalesce(lag(time) OVER (PARTITION BY stay_id ORDER BY time), first_seen), time) AS seconds
    FROM entries
    JOIN first_seen USING (stay_id)
),
days AS (
    SELECT
        stay_id,
        time,
        sum(volume) OVER day AS volume,
        sum(seconds) OVER day AS seconds
    FROM covered
    WINDOW day AS (PARTITION BY stay_id ORDER BY time RANGE BETWEEN INTERVAL 23 HOUR PRECEDING AND CURRENT ROW)
)
SELECT stay_id, time, volume * 24 * 3600 / seconds AS urine_24h
FROM days
WHERE seconds BETWEEN 22 * 3600 AND 30 * 3600
