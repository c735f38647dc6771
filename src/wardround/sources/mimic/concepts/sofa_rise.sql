-- The rise of SOFA: the first hour, of those that end between 48 hours before and 24 hours after a suspicion of
-- infection, whose SOFA is at least 2 above the baseline. The baseline is the lowest SOFA of the stay's hours in that
-- window up to then, so that organ failure from before counts only if it gets worse. The first suspicion with such an
-- hour counts. A stay without one may be septic (sepsis3.sql), but nothing says since when.
--
-- suspicion, sofa -> suspicion, stay_id, sofa_rise_time
WITH moments AS (
    SELECT DISTINCT suspicion, stay_id, suspected_infection_time FROM suspicion
),
followed AS (
    SELECT
        p.suspicion,
        p.stay_id,
        p.suspected_infection_time,
        s.stop,
        s.sofa_24hours,
        min(s.sofa_24hours) OVER (
            PARTITION BY p.suspicion, p.stay_id, p.suspected_infection_time ORDER BY s.stop
        ) AS baseline
    FROM moments p
    JOIN sofa s
        ON s.stay_id = p.stay_id
        AND s.stop >= p.suspected_infection_time - INTERVAL 48 HOUR
        AND s.stop <= p.suspected_infection_time + INTERVAL 24 HOUR
)
SELECT DISTINCT ON (suspicion, stay_id) suspicion, stay_id, stop AS sofa_rise_time
FROM followed
WHERE sofa_24hours >= baseline + 2
ORDER BY suspicion, stay_id, suspected_infection_time, stop
