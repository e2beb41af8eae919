CREATE OR REPLACE FUNCTION pgtrack._diff(p_table regclass, p_from text, p_to text)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_diff$
DECLARE
  v_shape         record;
  v_from          text := pgtrack._after_in(p_table, p_from);
  v_to            text := pgtrack._after_in(p_table, p_to);
  v_from_retaken  text := pgtrack._retaken(p_table, v_from, p_from);
  v_to_retaken    text := pgtrack._retaken(p_table, v_to, p_to);
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  -- A row that a set of statements did not change is now what it was before the set.
  RETURN QUERY EXECUTE format($$
    WITH first_from AS MATERIALIZED (%1$s), first_to AS MATERIALIZED (%2$s),
    state AS (
      SELECT x.key,
             (SELECT CASE WHEN NOT h.pgtrack_is_insert THEN %3$s END FROM first_from h WHERE %4$s) AS from_image,
             EXISTS (SELECT FROM first_from h WHERE %4$s) AS is_in_from,
             (SELECT CASE WHEN NOT h.pgtrack_is_insert THEN %3$s END FROM first_to h WHERE %4$s) AS to_image,
             EXISTS (SELECT FROM first_to h WHERE %4$s) AS is_in_to,
             (SELECT %5$s FROM %6$s t WHERE %7$s AND NOT %8$s) AS from_live,
             (SELECT %5$s FROM %6$s t WHERE %7$s AND NOT %9$s) AS to_live
      FROM (SELECT %10$s AS key FROM first_from h UNION SELECT %10$s FROM first_to h%11$s) x
      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%12$s)
    ), change AS (
      SELECT s.key, CASE WHEN s.is_in_from THEN s.from_image ELSE s.from_live END AS before,
             CASE WHEN s.is_in_to THEN s.to_image ELSE s.to_live END AS after
      FROM state s
    )
    SELECT %13$L, c.key, CASE WHEN c.before IS NULL THEN 'INSERT' WHEN c.after IS NULL THEN 'DELETE' ELSE 'UPDATE' END,
           pgtrack._changed_columns(c.before, c.after), c.before, c.after
    FROM change c WHERE c.before::text IS DISTINCT FROM c.after::text ORDER BY c.key$$,
    pgtrack._first_changes_sql(p_table, v_from, v_from_retaken), pgtrack._first_changes_sql(p_table, v_to, v_to_retaken),
    v_shape.image, v_shape.history_is_key, v_shape.live_image, v_shape.live_table, v_shape.live_is_key,
    pgtrack._arrived_sql(p_table, v_from, v_from_retaken), pgtrack._arrived_sql(p_table, v_to, v_to_retaken),
    v_shape.key_json, pgtrack._arrived_keys_sql(p_table, v_from, v_to), v_shape.key_record, v_shape.name);
END
$_diff$;
COMMENT ON FUNCTION pgtrack._diff(regclass, text, text) IS 'Does the work of pgtrack.diff().';

CREATE OR REPLACE FUNCTION pgtrack._arrived_keys_sql(p_table regclass, p_from text, p_to text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(
    ' UNION SELECT a.new_key FROM pgtrack._key_changes(%1$s) a JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = a.statement_id'
    ' WHERE (%2$s) OR (%3$s)', r.relation_id, p_from, p_to)
  FROM pgtrack.relation r WHERE r.relid = p_table;
END;
COMMENT ON FUNCTION pgtrack._arrived_keys_sql(regclass, text, text) IS 'The query part for the keys that rows were given after one of two points.';

CREATE OR REPLACE FUNCTION pgtrack.diff("table" text, "from" text, "to" text DEFAULT 'now', schema text DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
LANGUAGE sql STABLE AS $diff$
  SELECT d.* FROM pgtrack._diff(pgtrack._table($1, $4), $2, $3) d
$diff$;
COMMENT ON FUNCTION pgtrack.diff(text, text, text, text) IS
  'The rows of a table that differ between two points, or between a point and now.';
