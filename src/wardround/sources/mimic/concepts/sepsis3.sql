-- Sepsis-3 with a baseline SOFA of 0: a SOFA of at least 2 in an hour that ends between 48 hours before and 24 hours
-- after a suspicion of infection. The first suspicion with such an hour counts, and its first such hour.
--
-- suspicion, sofa -> suspicion, stay_id, suspected_infection_time, sofa_time
SELECT DISTINCT ON (p.suspicion, p.stay_id) p.suspicion, p.stay_id, p.suspected_infection_time, s.stop AS sofa_time
FROM suspicion p
JOIN sofa s
    ON s.stay_id = p.stay_id
    AND s.stop >= p.suspected_infection_time - INTERVAL 48 HOUR
    AND s.stop <= p.suspected_infection_time + INTERVAL 24 HOUR
WHERE s.sofa_24hours >= 2
ORDER BY p.suspicion, p.stay_id, p.suspected_infection_time, s.stop
