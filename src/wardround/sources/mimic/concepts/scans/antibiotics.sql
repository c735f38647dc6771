-- Systemic antibiotics ordered while the patient is in the unit: the drug contains a name in antibiotics.csv, and its
-- route, form and purpose mean that it reaches the blood or the bowel. Diluents (drug_type BASE) contain no drug.
SELECT DISTINCT s.bucket, s.mimic_stay_id AS stay_id, try_cast(p.starttime AS TIMESTAMP) AS time
FROM {prescriptions} p
JOIN stays s ON s.hadm_id = p.hadm_id AND try_cast(p.starttime AS TIMESTAMP) >= s.intime
    AND (s.outtime IS NULL OR try_cast(p.starttime AS TIMESTAMP) < s.outtime)
WHERE
    regexp_matches(lower(p.drug), '{antibiotic_names}')
    AND NOT regexp_matches(lower(p.drug), 'cream|gel\b|oint|ophth|otic|lotion|desensiti')
    AND coalesce(p.drug_type, '') <> 'BASE'
    AND NOT regexp_matches(upper(coalesce(p.route, '')), '^(OU|OS|OD|AU|AS|AD|TP)$|\bEYES?\b|\bEARS?\b')
