-- What dashboards may read, and nothing else: no exact place, no subject, no owner, no key, no audit.

-- The lowest id of a moment. Ids are ordered by time (UUIDv7), so a range of time is a range of the primary key.
CREATE FUNCTION request_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(greatest(0, (extract(epoch FROM moment) * 1000)::bigint)), 12, '0') || repeat('0', 20))::uuid;

-- Places on a grid of a tenth of a degree, about 11 km.
CREATE VIEW sightings_for_dashboards AS
SELECT
    request_id, created_at, model, version, role, verdict, label, common_name, confidence,
    processing_seconds AS seconds,
    round(latitude::numeric, 1)::double precision AS latitude,
    round(longitude::numeric, 1)::double precision AS longitude
FROM predictions;

CREATE VIEW versions_for_dashboards AS
SELECT
    model, version, state, created_at,
    CASE WHEN jsonb_typeof(metrics -> 'accuracy') = 'number' THEN (metrics ->> 'accuracy')::double precision END
        AS accuracy
FROM model_versions;

CREATE VIEW evaluations_for_dashboards AS
SELECT
    created_at, model, version, against,
    (evidence -> 'accuracy' ->> 'version')::double precision AS accuracy,
    (evidence -> 'accuracy' ->> 'against')::double precision AS against_accuracy,
    (evidence ->> 'agreement')::double precision AS agreement,
    (evidence ->> 'pictures')::integer AS pictures,
    (evidence ->> 'sightings')::integer AS sightings
FROM evaluations;

-- What the service's own connections do. Of a statement nothing is shown from the first quote on, and no digit.
CREATE FUNCTION statements_for_dashboards()
RETURNS TABLE (state text, seconds double precision, waits_for text, statement text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT
        state,
        extract(epoch FROM clock_timestamp() - CASE state WHEN 'active' THEN query_start ELSE state_change END)::float8,
        nullif(concat_ws(': ', wait_event_type, wait_event), ''),
        regexp_replace(left(split_part(query, chr(39), 1), 200), '[0-9]+', '?', 'g')
    FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
$$;

REVOKE ALL ON FUNCTION statements_for_dashboards() FROM PUBLIC;
