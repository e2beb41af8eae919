-- A row of the table's type is a row with values of its columns' types, and a domain makes its checks. Somebody else's
-- may not run with the caller's rights, and SET ROLE would not keep them from doing so: code can set it back.
CREATE OR REPLACE FUNCTION pgtrack._refuse_foreign_code(p_table regclass) RETURNS void
-- VOLATILE, so that it sees what was made while a lock was waited for.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_foreign_code$
DECLARE
  v_columns  text := pgtrack._foreign_code_in(p_table);
BEGIN
  IF v_columns IS NOT NULL THEN
    RAISE EXCEPTION 'rows of % cannot be made', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('To make values of the types of these columns runs code that belongs neither to a superuser nor to you: %s.',
                      v_columns),
      HINT = format('pgtrack.diff() and pgtrack.history() show the values as JSON: SELECT * FROM pgtrack.diff(%L, ''a point'').',
                    pgtrack._name(p_table));
  END IF;
END
$_refuse_foreign_code$;
COMMENT ON FUNCTION pgtrack._refuse_foreign_code(regclass) IS
  'Refuses to make rows of a table where that runs code of others than superusers and the caller.';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point text) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $as_of$
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
  PERFORM pgtrack._refuse_foreign_code(v_table);
  RETURN QUERY EXECUTE format($$
    WITH first AS MATERIALIZED (%s)
    SELECT t.* FROM %s t WHERE NOT EXISTS (SELECT FROM first h WHERE %s) AND NOT %s
    UNION ALL
    SELECT %s FROM first h WHERE NOT h.pgtrack_is_insert$$,
    pgtrack._first_changes_sql(v_table, v_which, v_retaken), v_shape.live_table, v_shape.live_is_history,
    pgtrack._arrived_sql(v_table, v_which, v_retaken), v_shape.row_values);
EXCEPTION WHEN check_violation OR not_null_violation THEN
  RAISE EXCEPTION 'rows of % at % cannot be made: %', pgtrack._name(v_table), point, SQLERRM USING
    ERRCODE = SQLSTATE,
    DETAIL = 'The type of a column allows less now than it did then.',
    HINT = format('pgtrack.diff() shows the values as JSON: SELECT * FROM pgtrack.diff(%L, %L).', pgtrack._name(v_table), point);
END
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, text) IS
  'The rows of a table as they were at a point: SELECT * FROM pgtrack.as_of(NULL::schema.table, ''a tag, a timestamp, or xid:N'').';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point timestamptz) RETURNS SETOF anyelement
LANGUAGE sql STABLE AS $as_of$
  -- As JSON writes it: in other styles a zone's name may mean another zone.
  SELECT a.* FROM pgtrack.as_of($1, pg_catalog.to_jsonb($2) OPERATOR(pg_catalog.#>>) '{}') a
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, timestamptz) IS 'The rows of a table as they were at a moment.';
