-- Where the role that Grafana reads with is there already, as in the Compose stack, it may see the views for dashboards.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weedwatch_reader') THEN
        GRANT USAGE ON SCHEMA public TO weedwatch_reader;
        GRANT SELECT ON sightings_for_dashboards, versions_for_dashboards, evaluations_for_dashboards
            TO weedwatch_reader;
        GRANT EXECUTE ON FUNCTION statements_for_dashboards(), request_id_at(timestamptz) TO weedwatch_reader;
    END IF;
END
$$;
