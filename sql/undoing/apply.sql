-- The statement is planned so that it takes the rows one by one, in the order in which they are given, from where they
-- are: no estimate of the planner changes the order, or makes it read a whole table or history for some rows. Whatever
-- runs in it is planned with the settings that were in force before: the first part sets them back.
CREATE OR REPLACE FUNCTION pgtrack._plan_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  VALUES ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_seqscan', 'off'), ('enable_nestloop', 'on'), ('enable_tidscan', 'on'),
         ('jit', 'off');
END;
COMMENT ON FUNCTION pgtrack._plan_settings() IS 'The settings under which the statement of a revert is planned.';

CREATE OR REPLACE FUNCTION pgtrack._planned_sql() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('planned AS MATERIALIZED (SELECT concat(%s))', string_agg(format('set_config(%L, %L, true)', s.name, s.value), ', '))
  FROM (SELECT p.name, current_setting(p.name) AS value FROM pgtrack._plan_settings() p UNION ALL SELECT n.name, n.value FROM pgtrack._noted_settings() n) s;
END;
COMMENT ON FUNCTION pgtrack._planned_sql() IS 'The part of a statement that sets back the settings under which it was planned.';

CREATE OR REPLACE FUNCTION pgtrack._all_steps(p_work pgtrack._work[], p_columns text[], p_writer name) RETURNS pgtrack._step[]
-- To compile its queries takes longer than to run them.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_all_steps$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_steps  pgtrack._step[];
  v_all    pgtrack._step[] := '{}';
BEGIN
  FOR n IN 1 .. cardinality(p_work) LOOP
    v_shape := pgtrack._with_targets(pgtrack._shape(p_work[n].relid, p_columns), p_work[n], p_columns);
    v_steps := pgtrack._steps(p_work[n], v_shape, n);
    PERFORM pgtrack._refuse_missing_rights(p_work[n], v_shape, v_steps, p_writer), pgtrack._refuse_fixed(p_work[n], v_shape, v_steps);
    v_all := v_all || pgtrack._in_order(p_work[n], v_shape, v_steps, p_writer);
  END LOOP;
  RETURN v_all;
END
$_all_steps$;
COMMENT ON FUNCTION pgtrack._all_steps(pgtrack._work[], text[], name) IS 'The steps of a revert, or why it cannot be done.';

CREATE OR REPLACE FUNCTION pgtrack._apply(p_work pgtrack._work[], p_message text, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_apply$
DECLARE
  v_message  text := current_setting('pgtrack.message', true);
  -- Before code of anybody else may have set another.
  v_settings text[];
  v_path     text := pgtrack._noted_path();
  v_setting  text;
  v_writer   name;
  v_steps    pgtrack._step[] := '{}';
  v_query    text;
  v_hidden   bigint;
  v_done     jsonb := '{}';
  v_left     record;
BEGIN
  v_writer := pgtrack._writer(p_work);
  v_steps := pgtrack._all_steps(p_work, p_columns, v_writer);
  PERFORM pgtrack._refuse_cascades(p_work, v_steps, p_columns, v_writer);
  v_query := pgtrack._undo_sql(p_work, v_steps, p_columns, v_writer);
  v_settings := ARRAY(SELECT format('SET LOCAL %I = %L', p.name, p.value) FROM pgtrack._plan_settings() p);
  IF v_writer <> current_user THEN
    v_query := format('SELECT r.* FROM pgtrack._as_role(%L, %L, %L, %L) j CROSS JOIN LATERAL pg_catalog.jsonb_to_record(j)'
                      ' AS r ("table" text, inserted bigint, updated bigint, deleted bigint, hidden bigint)',
                      v_writer, v_settings, v_query, v_path);
    v_path := 'pg_catalog, pg_temp';
    v_settings := '{}';
  END IF;
  -- The triggers that record this read why it is done.
  PERFORM set_config('pgtrack.message', coalesce(p_message, v_message, ''), true);
  PERFORM set_config('search_path', v_path, true);
  FOREACH v_setting IN ARRAY v_settings LOOP
    EXECUTE v_setting;
  END LOOP;
  FOR "table", inserted, updated, deleted, v_hidden IN EXECUTE v_query LOOP
    IF v_hidden OPERATOR(pg_catalog.>) 0 THEN
      RAISE EXCEPTION 'row security hides % of the rows of % that this would change', v_hidden, "table" USING
        ERRCODE = 'insufficient_privilege',
        DETAIL = pg_catalog.format('They were planned, but %s does not see or may not change them all. Nothing has been changed.', v_writer),
        HINT = 'Let a role do it that the policies let change all of them.';
    END IF;
    v_done := v_done OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object("table", inserted OPERATOR(pg_catalog.+) deleted);
    RETURN NEXT;
  END LOOP;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('row_security', 'on', true),
          pg_catalog.set_config('quote_all_identifiers', 'off', true);
  PERFORM set_config('pgtrack.message', coalesce(v_message, ''), true);
  SELECT x.name, x.count - (v_done ->> x.name)::bigint AS count INTO v_left
  FROM unnest(p_work) w
  CROSS JOIN LATERAL (
    SELECT pgtrack._name(w.relid) AS name,
           coalesce(cardinality(w.inserts), 0) + coalesce(cardinality(w.deletes), 0) + coalesce(cardinality(w.deleted_keys), 0)
           + (SELECT coalesce(sum(s.row_count), 0) FROM unnest(w.steps) s WHERE s.kind <> 'update') AS count) x
  WHERE x.count > (v_done ->> x.name)::bigint LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% rows of % are as they were', v_left.count, v_left.name USING
      ERRCODE = 'triggered_data_change_violation',
      DETAIL = 'A trigger or rule of the table has kept them from being inserted or deleted. Nothing has been changed.',
      HINT = 'Disable it for the undo, or undo the other rows alone.';
  END IF;
  PERFORM pgtrack._report_differences(p_work, p_columns);
END
$_apply$;
COMMENT ON FUNCTION pgtrack._apply(pgtrack._work[], text, text[]) IS
  'Does a revert, in one statement; of rows that are updated only some columns if they are named. Returns what it did to each table.';
