CREATE OR REPLACE VIEW pgtrack.tracked_table WITH (security_invoker = true) AS
SELECT r.relation_id,
       pg_catalog.format('%I.%I', r.schema_name, r.table_name) AS table_name,
       r.schema_name,
       r.table_name AS name,
       r.key_columns,
       r.tracked_since,
       r.options,
       'pgtrack_history.' || pg_catalog.quote_ident(r.history_table) AS history_table,
       greatest(pg_catalog.pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint AS estimated_changes,
       pg_catalog.pg_total_relation_size(c.oid) AS history_bytes
FROM pgtrack.relation r
JOIN pg_catalog.pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
WHERE r.tracked_until IS NULL;
COMMENT ON VIEW pgtrack.tracked_table IS 'Every table that is tracked now.';
COMMENT ON COLUMN pgtrack.tracked_table.relation_id IS 'Our number for the table.';
COMMENT ON COLUMN pgtrack.tracked_table.table_name IS 'The table, with its schema, quoted where necessary.';
COMMENT ON COLUMN pgtrack.tracked_table.schema_name IS 'Its schema alone, not quoted.';
COMMENT ON COLUMN pgtrack.tracked_table.name IS 'Its name alone, not quoted.';
COMMENT ON COLUMN pgtrack.tracked_table.key_columns IS 'The primary key''s columns; empty when there is none.';
COMMENT ON COLUMN pgtrack.tracked_table.tracked_since IS 'When tracking (last) began.';
COMMENT ON COLUMN pgtrack.tracked_table.options IS 'The options given to pgtrack.track().';
COMMENT ON COLUMN pgtrack.tracked_table.history_table IS 'The table that holds its history.';
COMMENT ON COLUMN pgtrack.tracked_table.estimated_changes IS 'About how many row changes are recorded, as the statistics say.';
COMMENT ON COLUMN pgtrack.tracked_table.history_bytes IS 'The disk space of its history, indexes included.';
