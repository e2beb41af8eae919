CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point text) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $as_of$
DECLARE
  v_table    regclass := (SELECT t.typrelid FROM pg_type t WHERE t.oid = pg_typeof(rowtype) AND t.typrelid <> 0);
  v_which    text;
  v_retaken  text;
  v_shape    record;
BEGIN
  IF v_table IS NULL THEN
    RAISE EXCEPTION '% is not the row type of a table', pg_typeof(rowtype) USING
      ERRCODE = 'wrong_object_type', HINT = 'Write SELECT * FROM pgtrack.as_of(NULL::schema.table, ''point'').';
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(v_table);
  v_which := pgtrack._after_in(v_table, point);
  v_retaken := pgtrack._retaken(v_table, v_which, point);
  RETURN QUERY EXECUTE format($$
    WITH first AS MATERIALIZED (%s)
    SELECT t.* FROM %s t WHERE NOT EXISTS (SELECT FROM first h WHERE %s) AND NOT %s
    UNION ALL
    SELECT %s FROM first h WHERE NOT h.pgtrack_is_insert$$,
    pgtrack._first_changes_sql(v_table, v_which, v_retaken), v_shape.live_table, v_shape.live_is_history,
    pgtrack._arrived_sql(v_table, v_which, v_retaken), v_shape.row_values);
END
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, text) IS
  'The rows of a table as they were at a point: SELECT * FROM pgtrack.as_of(NULL::schema.table, ''a tag, a timestamp, or xid:N'').';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point timestamptz) RETURNS SETOF anyelement
LANGUAGE sql STABLE AS $as_of$
  SELECT a.* FROM pgtrack.as_of($1, $2::pg_catalog.text) a
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, timestamptz) IS 'The rows of a table as they were at a moment.';
