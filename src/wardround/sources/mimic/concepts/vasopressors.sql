-- Infusions of catecholamines with their rate in ug/kg/min. Rates in other units are converted; if that is not
-- possible, the rate is NULL: the drug runs, but at an unknown rate.
--
-- infusions -> stay_id, drug, start, stop, rate
SELECT
    stay_id,
    quantity AS drug,
    start,
    stop,
    CASE unit
        WHEN 'mcg/kg/min' THEN rate
        WHEN 'mg/kg/min' THEN rate * 1000
        WHEN 'mcg/kg/hour' THEN rate / 60
        WHEN 'mcg/min' THEN rate / weight
        WHEN 'mg/min' THEN rate * 1000 / weight
        WHEN 'mcg/hour' THEN rate / 60 / weight
        WHEN 'mg/hour' THEN rate * 1000 / 60 / weight
    END AS rate
FROM infusions
WHERE rate > 0 AND start < stop
