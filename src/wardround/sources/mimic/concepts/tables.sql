-- The tables that the concepts read: the relevant rows of MIMIC's tables for some stays at a time. Times are MIMIC's
-- local times. `quantity` is defined in items.csv.

CREATE TABLE charted (stay_id BIGINT, time TIMESTAMP, quantity VARCHAR, text VARCHAR, value DOUBLE);

CREATE TABLE laboratory (
    stay_id BIGINT, specimen_id BIGINT, time TIMESTAMP, quantity VARCHAR, text VARCHAR, value DOUBLE
);

CREATE TABLE infusions (
    stay_id BIGINT, quantity VARCHAR, start TIMESTAMP, stop TIMESTAMP, rate DOUBLE, unit VARCHAR, weight DOUBLE
);

CREATE TABLE outputs (stay_id BIGINT, time TIMESTAMP, quantity VARCHAR, value DOUBLE);

CREATE TABLE antibiotics (stay_id BIGINT, time TIMESTAMP);

CREATE TABLE cultures (stay_id BIGINT, time TIMESTAMP, day TIMESTAMP, screening BOOLEAN);

-- The end of the hour that contains a time; a full hour belongs to the hour that it ends.
CREATE MACRO hour_end(moment) AS date_trunc('hour', moment - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR;
