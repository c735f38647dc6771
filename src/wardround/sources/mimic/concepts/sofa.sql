-- SOFA of each hour from hour 0: the sum of each component's worst value in the last 24 hours, 0 if it is unknown.
--
-- hours, the six components -> stay_id, hr, start, stop, sofa_24hours, <component>_24hours
WITH scores AS (
    SELECT h.stay_id, h.hr, h.start, h.stop, respiration, coagulation, liver, cardiovascular, cns, renal
    FROM hours h
    LEFT JOIN respiration USING (stay_id, hr)
    LEFT JOIN coagulation USING (stay_id, hr)
    LEFT JOIN liver USING (stay_id, hr)
    LEFT JOIN cardiovascular USING (stay_id, hr)
    LEFT JOIN cns USING (stay_id, hr)
    LEFT JOIN renal USING (stay_id, hr)
),
worst AS (
    SELECT
        stay_id,
        hr,
        start,
        stop,
        coalesce(max(respiration) OVER day, 0) AS respiration_24hours,
        coalesce(max(coagulation) OVER day, 0) AS coagulation_24hours,
        coalesce(max(liver) OVER day, 0) AS liver_24hours,
        coalesce(max(cardiovascular) OVER day, 0) AS cardiovascular_24hours,
        coalesce(max(cns) OVER day, 0) AS cns_24hours,
        coalesce(max(renal) OVER day, 0) AS renal_24hours
    FROM scores
    WINDOW day AS (PARTITION BY stay_id ORDER BY hr ROWS BETWEEN 23 PRECEDING AND CURRENT ROW)
)
SELECT
    stay_id,
    hr,
    start,
    stop,
    respiration_24hours + coagulation_24hours + liver_24hours + cardiovascular_24hours + cns_24hours + renal_24hours
        AS sofa_24hours,
    respiration_24hours,
    coagulation_24hours,
    liver_24hours,
    cardiovascular_24hours,
    cns_24hours,
    renal_24hours
FROM worst
WHERE hr >= 0
