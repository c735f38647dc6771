-- The hours of a stay, numbered from the first hour with a charted heart rate: hour 0 ends at that heart rate's full
-- hour, the last hour covers the last heart rate. A heart rate, and not the admission's entry, shows that the patient
-- is in the bed. The 24 hours before are there for results that were known on arrival (hr -24 to -1).
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
