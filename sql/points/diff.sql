-- What each point says of a row: its image there, or that it was not there under this key. A row of which a point says
-- nothing was there what it is now.
CREATE OR REPLACE FUNCTION pgtrack._point_sql(p_table regclass, p_which text, p_retaken text, p_name text, p_has_moves boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('SELECT %s AS key, %s AS canonical_key, %L AS point, false AS is_arrival, CASE WHEN NOT h.pgtrack_is_insert THEN %s END AS image'
                ' FROM (%s) h',
                s.key_json, CASE WHEN p_has_moves THEN format('pgtrack._canonical_key(%s, %L)', s.key_json, s.key_record) ELSE s.key_json END,
                p_name, s.image, pgtrack._first_changes_sql(p_table, p_which, p_retaken))
      || CASE WHEN p_has_moves
              THEN format(' UNION ALL SELECT a.new_key, a.new_key, %L, true, NULL FROM (%s) a',
                          p_name, pgtrack._arrivals_sql(p_table, p_which, p_retaken))
              ELSE '' END
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._point_sql(regclass, text, text, text, boolean) IS
  'The query for the rows of a table that have changed, or come to their key, since a point, with their images there.';

-- Up to now, what has not changed byte by byte looks the same, too; so images are made of the others alone. Not where a
-- column has come since or has had another type, or is computed.
CREATE OR REPLACE FUNCTION pgtrack._diff_to_now_sql(p_table regclass, p_shape pgtrack.relation_shape, p_which text, p_from text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_diff_to_now_sql$
DECLARE
  v_bulk  pgtrack._bulk;
BEGIN
  IF p_shape.compared_key IS NULL
     AND NOT EXISTS (SELECT FROM pgtrack.relation_column c WHERE c.relation_id = p_shape.relation_id AND (c.since > 0 OR c.until IS NOT NULL))
     AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND a.attgenerated <> '') THEN
    v_bulk := pgtrack._bulk_set(p_table, p_shape, ROW(ARRAY[p_table], p_which, NULL, NULL, p_from)::pgtrack._set, 'force');
  END IF;
  IF v_bulk.ids IS NULL THEN
    RETURN NULL;
  END IF;
  v_bulk.has_later := false;
  RETURN format($$
    SELECT %1$L, r.key, CASE WHEN r.is_unborn THEN 'INSERT' WHEN r.is_live THEN 'UPDATE' ELSE 'DELETE' END,
           pgtrack._changed_columns(i.before, i.after), i.before, i.after
    FROM (%2$s) r
    CROSS JOIN LATERAL (
      SELECT CASE WHEN NOT r.is_unborn THEN (SELECT %3$s FROM %4$s h WHERE h.ctid = r.handle) END AS before,
             (SELECT %5$s FROM %4$s h JOIN %6$s t ON %7$s WHERE h.ctid = r.handle) AS after OFFSET 0) i
    WHERE CASE WHEN r.is_unborn THEN r.is_live ELSE NOT r.is_live OR r.differs END AND i.before::text IS DISTINCT FROM i.after::text
    ORDER BY r.key$$,
    p_shape.name, pgtrack._bulk_rows_sql(p_shape, p_shape, v_bulk, format('%s AS differs, NULL AS version', p_shape.differs), 'OFFSET 0'),
    p_shape.image, p_shape.history, p_shape.live_image, p_shape.live_table, p_shape.live_is_history);
END
$_diff_to_now_sql$;
COMMENT ON FUNCTION pgtrack._diff_to_now_sql(regclass, pgtrack.relation_shape, text, text) IS
  'The query for the rows of a table that differ between a point and now, where they need not be looked for otherwise; else null.';

CREATE OR REPLACE FUNCTION pgtrack._diff(p_table regclass, p_from text, p_to text)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
-- To compile its queries takes longer than most differences, and no row is looked for twice.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_diff$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_from       text := pgtrack._after_in(p_table, p_from);
  v_to         text := pgtrack._after_in(p_table, p_to);
  v_has_moves  boolean;
  v_query      text;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  -- Nothing comes after now; a tag may be called that, too.
  IF v_to = 'false' THEN
    v_query := pgtrack._diff_to_now_sql(p_table, v_shape, v_from, p_from);
    IF v_query IS NOT NULL THEN
      RETURN QUERY EXECUTE v_query;
      RETURN;
    END IF;
  END IF;
  v_has_moves := EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id);
  RETURN QUERY EXECUTE format($$
    WITH state AS (
      SELECT (array_agg(p.key))[1] AS key, (array_agg(p.canonical_key))[1] AS canonical_key,
             bool_or(p.point = 'from' AND NOT p.is_arrival) AS is_in_from, bool_or(p.point = 'to' AND NOT p.is_arrival) AS is_in_to,
             bool_or(p.point = 'from' AND p.is_arrival) AS came_since_from, bool_or(p.point = 'to' AND p.is_arrival) AS came_since_to,
             (array_agg(p.image) FILTER (WHERE p.point = 'from' AND NOT p.is_arrival))[1] AS from_image,
             (array_agg(p.image) FILTER (WHERE p.point = 'to' AND NOT p.is_arrival))[1] AS to_image
      FROM (%1$s UNION ALL %2$s) p%8$s
    ), live AS MATERIALIZED (
      SELECT s.*, CASE WHEN t.ctid IS NOT NULL THEN %4$s END AS image
      FROM state s CROSS JOIN LATERAL jsonb_to_record(s.canonical_key) AS k(%3$s)
      LEFT JOIN %5$s t ON %7$s AND NOT (s.is_in_from AND s.is_in_to)
    ), change AS MATERIALIZED (
      SELECT l.key, CASE WHEN l.is_in_from THEN l.from_image WHEN NOT l.came_since_from THEN l.image END AS before,
             CASE WHEN l.is_in_to THEN l.to_image WHEN NOT l.came_since_to THEN l.image END AS after
      FROM live l
    )
    SELECT %6$L, %9$s, CASE WHEN c.before IS NULL THEN 'INSERT' WHEN c.after IS NULL THEN 'DELETE' ELSE 'UPDATE' END,
           pgtrack._changed_columns(c.before, c.after), c.before, c.after
    FROM change c WHERE c.before::text IS DISTINCT FROM c.after::text ORDER BY c.key$$,
    pgtrack._point_sql(p_table, v_from, pgtrack._retaken(p_table, v_from, p_from), 'from', v_has_moves),
    pgtrack._point_sql(p_table, v_to, pgtrack._retaken(p_table, v_to, p_to), 'to', v_has_moves),
    v_shape.key_record, v_shape.live_image, v_shape.live_table, v_shape.name, v_shape.live_is_key,
    CASE WHEN v_shape.compared_key IS NULL THEN ' GROUP BY p.canonical_key'
         ELSE format(' CROSS JOIN LATERAL jsonb_to_record(p.canonical_key) AS k(%s) GROUP BY %s', v_shape.key_record, v_shape.compared_key) END,
    -- As it is written in the row that is shown.
    CASE WHEN v_shape.compared_key IS NULL THEN 'c.key'
         ELSE format('(SELECT jsonb_object_agg(n, coalesce(c.after, c.before) -> n) FROM unnest(%L::text[]) n)', v_shape.keys) END);
END
$_diff$;
COMMENT ON FUNCTION pgtrack._diff(regclass, text, text) IS 'Does the work of pgtrack.diff().';

CREATE OR REPLACE FUNCTION pgtrack.diff("table" text, "from" text, "to" text DEFAULT 'now', schema text DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
LANGUAGE sql STABLE AS $diff$
  SELECT d.* FROM pgtrack._diff(pgtrack._table($1, $4), $2, $3) d
$diff$;
COMMENT ON FUNCTION pgtrack.diff(text, text, text, text) IS
  'The rows of a table that differ between two points, or between a point and now.';
