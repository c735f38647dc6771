-- Specimens sent to microbiology around the stay: one row each, however many tests and organisms it has. Some have a
-- day but no time. Many have no admission, so they are matched by patient. A specimen is screening if all of its tests
-- are: a wound swab that is also tested for resistant enterococci is a culture.
SELECT
    s.bucket,
    s.mimic_stay_id AS stay_id,
    max(try_cast(m.charttime AS TIMESTAMP)) AS time,
    max(date_trunc('day', try_cast(m.chartdate AS TIMESTAMP))) AS day,
    bool_and(coalesce(
        ('spec_type_desc', lower(trim(m.spec_type_desc))) IN (SELECT ("column", lower(name)) FROM screening)
        OR ('test_name', lower(trim(m.test_name))) IN (SELECT ("column", lower(name)) FROM screening),
        false
    )) AS screening
FROM {microbiologyevents} m
JOIN stays s ON s.subject_id = m.subject_id
    AND coalesce(try_cast(m.charttime AS TIMESTAMP), try_cast(m.chartdate AS TIMESTAMP)) BETWEEN s.earliest AND s.latest
GROUP BY s.bucket, s.mimic_stay_id, m.micro_specimen_id
