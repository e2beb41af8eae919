-- To ask for a size takes a lock on the table, and whoever alters one keeps that from everybody else, for as long as they like.
CREATE OR REPLACE FUNCTION pgtrack._sizes(p_table oid, OUT heap bigint, OUT indexes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1ms' AS $_sizes$
BEGIN
  heap := coalesce(pg_table_size(p_table), 0);
  indexes := coalesce(pg_indexes_size(p_table), 0);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  SELECT coalesce(sum(x.pages) FILTER (WHERE NOT x.is_index), 0) * b.size, coalesce(sum(x.pages) FILTER (WHERE x.is_index), 0) * b.size
  INTO heap, indexes
  FROM (SELECT current_setting('block_size')::bigint AS size) b LEFT JOIN (
    SELECT c.relpages AS pages, false AS is_index FROM pg_class t JOIN pg_class c ON c.oid IN (t.oid, t.reltoastrelid) WHERE t.oid = p_table
    UNION ALL
    SELECT c.relpages, true FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = p_table) x ON true
  GROUP BY b.size;
END
$_sizes$;
COMMENT ON FUNCTION pgtrack._sizes(oid) IS 'The disk space of a table and of its indexes; while it is locked, as the latest VACUUM or ANALYZE has found it.';

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
       z.heap + z.indexes AS history_bytes
FROM pgtrack.relation r
JOIN pg_catalog.pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
CROSS JOIN LATERAL pgtrack._sizes(c.oid) z
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
COMMENT ON COLUMN pgtrack.tracked_table.history_bytes IS 'The disk space of its history, indexes included; while that is locked, as the statistics have it.';
