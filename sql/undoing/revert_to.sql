CREATE OR REPLACE FUNCTION pgtrack._tables_in(p_schema text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_in$
BEGIN
  IF pgtrack._schema(p_schema) IS NULL THEN
    RAISE EXCEPTION 'schema "%" does not exist', p_schema USING ERRCODE = 'invalid_schema_name';
  END IF;
  RETURN QUERY
    SELECT r.relid FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE c.relnamespace = pgtrack._schema(p_schema) AND r.tracked_until IS NULL AND r.key_columns <> '{}' ORDER BY c.relname;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no table with a primary key is tracked in schema %', p_schema USING
      ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Start with SELECT * FROM pgtrack.track(%L).', p_schema);
  END IF;
END
$_tables_in$;
COMMENT ON FUNCTION pgtrack._tables_in(text) IS 'The tracked tables of a schema whose rows can be reverted.';

CREATE OR REPLACE FUNCTION pgtrack._after_in_all(p_tables regclass[], p_point text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  -- The same condition for all, once each history is known to reach back that far.
  SELECT min(pgtrack._after_in(t, p_point)) FROM unnest(p_tables) t;
END;
COMMENT ON FUNCTION pgtrack._after_in_all(regclass[], text) IS 'The condition for statements after a point that the histories of some tables reach back to.';

CREATE OR REPLACE FUNCTION pgtrack._revert_to(p_tables regclass[], p_point text, p_message text)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- What has changed since is what shall go, so there are no conflicts.
  SELECT u.* FROM pgtrack._undo_set(p_tables, pgtrack._after_in_all(p_tables, p_point), p_point, true, 'force',
                                    format('point %s', p_point), p_message, p_point) u;
END;
COMMENT ON FUNCTION pgtrack._revert_to(regclass[], text, text) IS 'Makes tables what they were at a point.';

CREATE OR REPLACE FUNCTION pgtrack.revert_table("table" text, point text, schema text DEFAULT NULL, message text DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE AS $revert_table$
  SELECT pgtrack._audit('revert_table', pg_catalog.jsonb_build_object('table', pgtrack._name(pgtrack._table($1, $3)), 'point', $2), $4);
  SELECT u.* FROM pgtrack._revert_to(ARRAY[pgtrack._table($1, $3)], $2, $4) u
$revert_table$;
COMMENT ON FUNCTION pgtrack.revert_table(text, text, text, text) IS
  'Makes a table what it was at a point: a tag, a timestamp, or xid:N. Writers wait until it is done.';

CREATE OR REPLACE FUNCTION pgtrack.revert_schema(schema text, point text, message text DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE AS $revert_schema$
  SELECT pgtrack._audit('revert_schema', pg_catalog.jsonb_build_object('schema', $1, 'point', $2), $3);
  SELECT u.* FROM pgtrack._revert_to(ARRAY(SELECT pgtrack._tables_in($1)), $2, $3) u
$revert_schema$;
COMMENT ON FUNCTION pgtrack.revert_schema(text, text, text) IS 'Makes all tracked tables of a schema what they were at a point, in one step.';

CREATE OR REPLACE FUNCTION pgtrack.plan_revert_table("table" text, point text, schema text DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE AS $plan_revert_table$
  SELECT p.* FROM pgtrack._plan_set(ARRAY[pgtrack._table($1, $3)], pgtrack._after_in(pgtrack._table($1, $3), $2), $2) p
$plan_revert_table$;
COMMENT ON FUNCTION pgtrack.plan_revert_table(text, text, text) IS 'What revert_table() would do, row by row, without doing it.';

CREATE OR REPLACE FUNCTION pgtrack.plan_revert_schema(schema text, point text)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE AS $plan_revert_schema$
  SELECT p.* FROM pgtrack._plan_set(ARRAY(SELECT pgtrack._tables_in($1)), pgtrack._after_in_all(ARRAY(SELECT pgtrack._tables_in($1)), $2),
                                   $2) p
$plan_revert_schema$;
COMMENT ON FUNCTION pgtrack.plan_revert_schema(text, text) IS 'What revert_schema() would do, row by row, without doing it.';
