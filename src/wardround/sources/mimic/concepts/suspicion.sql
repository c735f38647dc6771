-- Suspicion of infection: an antibiotic ordered during the stay, and a culture taken at most 72 hours before or at most
-- 24 hours after it. Its time is the earlier of the two. A culture with a day but no time is compared by days (at most
-- 3 before, at most 1 after), and its time is the start of its day. The first of several cultures counts; on the same
-- day, one with a time comes before one without.
--
-- There are two, told apart by `suspicion`: any_culture, to which any specimen sent to microbiology is a culture, and
-- without_screening_cultures, to which specimens taken to find carriers (screening.csv) are not.
--
-- antibiotics, cultures -> suspicion, stay_id, antibiotic_time, culture_time, suspected_infection_time
WITH accepted AS (
    SELECT 'any_culture' AS suspicion, stay_id, day, time FROM cultures
    UNION ALL
    SELECT 'without_screening_cultures', stay_id, day, time FROM cultures WHERE NOT screening
),
pairs AS (
    SELECT
        c.suspicion,
        a.stay_id,
        a.time AS antibiotic_time,
        c.day,
        coalesce(c.time, c.day) AS culture_time,
        c.time IS NULL AS day_only
    FROM antibiotics a
    JOIN accepted c
        ON c.stay_id = a.stay_id
        AND CASE
            WHEN c.time IS NULL
            THEN c.day BETWEEN date_trunc('day', a.time) - INTERVAL 3 DAY AND date_trunc('day', a.time) + INTERVAL 1 DAY
            ELSE c.time BETWEEN a.time - INTERVAL 72 HOUR AND a.time + INTERVAL 24 HOUR
        END
)
SELECT DISTINCT ON (suspicion, stay_id, antibiotic_time)
    suspicion,
    stay_id,
    antibiotic_time,
    culture_time,
    least(culture_time, antibiotic_time) AS suspected_infection_time
FROM pairs
ORDER BY suspicion, stay_id, antibiotic_time, culture_time > antibiotic_time, day, day_only, culture_time
