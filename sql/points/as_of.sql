-- A row of the table's type is a row with values of its columns' types, and a domain makes its checks. Where these are
-- not a superuser's, they run with the rights of the table's owner, who could run them anyway, or not at all.
CREATE OR REPLACE FUNCTION pgtrack._maker(p_table regclass) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_maker$
DECLARE
  v_columns  text := pgtrack._foreign_code_in(p_table);
  v_owner    record;
BEGIN
  IF v_columns IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT r.rolname, r.rolsuper INTO v_owner FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = p_table;
  IF v_owner.rolsuper OR NOT pg_has_role(v_owner.rolname, 'MEMBER') THEN
    RAISE EXCEPTION 'rows of % cannot be made', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('The types of these columns have checks that call code of roles that are no superusers: %s.', v_columns)
               || CASE WHEN v_owner.rolsuper THEN ' The table belongs to a superuser, whose rights they must not run with.'
                       ELSE ' They must not run with your rights, and you are no member of the table''s owner.' END,
      HINT = format('pgtrack.diff() and pgtrack.history() show the values as JSON: SELECT * FROM pgtrack.diff(%L, ''a point'').', pgtrack._name(p_table));
  END IF;
  RETURN v_owner.rolname;
END
$_maker$;
COMMENT ON FUNCTION pgtrack._maker(regclass) IS
  'The role that rows of a table''s type have to be made as; null for any, an error where the caller cannot be it.';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point text) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $as_of$
DECLARE
  v_table    regclass := (SELECT t.typrelid FROM pg_type t WHERE t.oid = pg_typeof(rowtype) AND t.typrelid <> 0);
  v_which    text;
  v_retaken  text;
  v_shape    record;
  v_role     text := current_setting('role');
  v_owner    text;
BEGIN
  IF v_table IS NULL THEN
    RAISE EXCEPTION '% is not the row type of a table', pg_typeof(rowtype) USING
      ERRCODE = 'wrong_object_type', HINT = 'Write SELECT * FROM pgtrack.as_of(NULL::schema.table, ''point'').';
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(v_table);
  v_which := pgtrack._after_in(v_table, point);
  v_retaken := pgtrack._retaken(v_table, v_which, point);
  v_owner := pgtrack._maker(v_table);
  IF v_owner IS NOT NULL THEN
    PERFORM set_config('role', v_owner, true);
  END IF;
  RETURN QUERY EXECUTE format($$
    WITH first AS MATERIALIZED (%s)
    SELECT t.* FROM %s t WHERE NOT EXISTS (SELECT FROM first h WHERE %s) AND NOT %s
    UNION ALL
    SELECT %s FROM first h WHERE NOT h.pgtrack_is_insert$$,
    pgtrack._first_changes_sql(v_table, v_which, v_retaken), v_shape.live_table, v_shape.live_is_history,
    pgtrack._arrived_sql(v_table, v_which, v_retaken), v_shape.row_values);
  -- After an error it is back with the transaction or savepoint.
  IF v_owner IS NOT NULL THEN
    PERFORM set_config('role', v_role, true);
  END IF;
END
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, text) IS
  'The rows of a table as they were at a point: SELECT * FROM pgtrack.as_of(NULL::schema.table, ''a tag, a timestamp, or xid:N'').';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point timestamptz) RETURNS SETOF anyelement
LANGUAGE sql STABLE AS $as_of$
  SELECT a.* FROM pgtrack.as_of($1, $2::pg_catalog.text) a
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, timestamptz) IS 'The rows of a table as they were at a moment.';
