-- Invasive ventilation as charted: an endotracheal tube as the oxygen device, or a ventilator mode that needs a tube
-- in the trachea. A period lasts from the first such entry to the first that contradicts it (another device, a mode
-- for a mask); it ends with its last entry if nothing more is charted for 14 hours. A tracheostomy tube is not
-- evidence: patients breathe through it with and without a ventilator.
--
-- charted -> stay_id, start, stop
WITH statements AS (
    SELECT
        stay_id,
        time,
        CASE
            WHEN quantity = 'oxygen_device' THEN text = 'Endotracheal tube'
            WHEN regexp_matches(text, '^(NIV|nCPAP|DuoPaP)') THEN false
            WHEN regexp_matches(text, 'CMV|SIMV|MMV|PCV|PRVC|APRV|APV|ASV|/AC|/SBT|Apn|^VS$|SYNCHRON|CPAP/PPS') THEN true
        END AS invasive
    FROM charted
    WHERE quantity = 'ventilator_mode' OR (quantity = 'oxygen_device' AND text NOT IN ('Tracheostomy tube', 'Other'))
),
moments AS (
    SELECT stay_id, time, bool_or(invasive) AS invasive
    FROM statements
    WHERE invasive IS NOT NULL
    GROUP BY stay_id, time
),
neighbours AS (
    SELECT
        *,
        lag(time) OVER stay AS before,
        lag(invasive) OVER stay AS invasive_before,
        lead(time) OVER stay AS after
    FROM moments
    WINDOW stay AS (PARTITION BY stay_id ORDER BY time)
),
periods AS (
    SELECT
        *,
        CASE WHEN after < time + INTERVAL 14 HOUR THEN after ELSE time END AS until,
        count(*) FILTER (invasive_before IS DISTINCT FROM invasive OR before <= time - INTERVAL 14 HOUR)
            OVER (PARTITION BY stay_id ORDER BY time) AS period
    FROM neighbours
)
SELECT stay_id, min(time) AS start, max(until) AS stop
FROM periods
WHERE invasive
GROUP BY stay_id, period
