-- Numbers the hours of a stay: hour 0 is the one with the first charted heart rate, and the last hour is the one with
-- the last. A heart rate, unlike the admission record, shows that the patient is in the bed. The 24 hours before (hr
-- -24 to -1) are for results that were known on arrival.
--
-- charted -> stay_id, hr, start, stop, first_seen: a result belongs to the hour with start < time <= stop.
WITH presence AS (
    SELECT stay_id, min(time) AS first_seen, max(time) AS last_seen
    FROM charted
    WHERE quantity = 'heart_rate'
    GROUP BY stay_id
),
numbered AS (
    SELECT
        stay_id,
        first_seen,
        hour_end(first_seen) AS first_stop,
        unnest(generate_series(-24, date_diff('hour', first_seen, last_seen))) AS hr
    FROM presence
)
SELECT
    stay_id,
    hr,
    first_stop + to_hours(hr - 1) AS start,
    first_stop + to_hours(hr) AS stop,
    first_seen
FROM numbered
