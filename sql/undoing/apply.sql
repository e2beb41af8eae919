CREATE OR REPLACE FUNCTION pgtrack._execute_as(p_writer name, p_query text)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, hidden bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute_as$
DECLARE
  v_function  text := format('pg_temp.%I', 'pgtrack_undo_' || gen_random_uuid());
  v_cursors   text[] := ARRAY(SELECT c.name FROM pg_cursors c);
  v_name      text;
BEGIN
  EXECUTE format($create$
    CREATE FUNCTION %s(query text) RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, hidden bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      RETURN QUERY EXECUTE query;
      PERFORM pgtrack._finish_constraints();
    END $$$create$, v_function);
  EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  EXECUTE format('ALTER FUNCTION %s OWNER TO %I', v_function, p_writer);
  RETURN QUERY EXECUTE format('SELECT * FROM %s($1)', v_function) USING p_query;
  -- A search_path would be in force for all that comes, and is already: nothing here is found through it.
  IF pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp' THEN
    RAISE EXCEPTION 'a trigger has set search_path for the session' USING
      ERRCODE = 'insufficient_privilege', DETAIL = pg_catalog.concat('It runs as ', p_writer, ', and you have more rights than that.');
  END IF;
  EXECUTE format('DROP FUNCTION %s', v_function);
  -- A cursor WITH HOLD would run at COMMIT, as whoever that ends for.
  FOREACH v_name IN ARRAY ARRAY(SELECT c.name FROM pg_cursors c WHERE c.is_holdable AND c.name <> ALL (v_cursors)) LOOP
    EXECUTE format('CLOSE %I', v_name);
  END LOOP;
  SELECT p.put_off INTO v_name FROM pgtrack._put_off() p;
  IF v_name IS NOT NULL THEN
    EXECUTE format('SET CONSTRAINTS %s DEFERRED', v_name);
  END IF;
END
$_execute_as$;
COMMENT ON FUNCTION pgtrack._execute_as(name, text) IS
  'Executes the statement that does a revert with the rights of another role, and no others.';

CREATE OR REPLACE FUNCTION pgtrack._apply(p_work pgtrack._work[], p_message text, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_apply$
DECLARE
  v_message  text := current_setting('pgtrack.message', true);
  v_writer   name;
  v_query    text;
  v_hidden   bigint;
BEGIN
  PERFORM pgtrack._refuse_cascades(p_work);
  v_writer := pgtrack._writer(p_work);
  v_query := pgtrack._undo_sql(p_work, p_columns, v_writer);
  IF v_writer <> current_user THEN
    v_query := format('SELECT * FROM pgtrack._execute_as(%L, %L)', v_writer, v_query);
  END IF;
  -- The triggers that record this read why it is done.
  PERFORM set_config('pgtrack.message', coalesce(p_message, v_message, ''), true);
  FOR "table", inserted, updated, deleted, v_hidden IN EXECUTE v_query LOOP
    IF v_hidden > 0 THEN
      RAISE EXCEPTION 'row security hides % of the rows of % that this would change', v_hidden, "table" USING
        ERRCODE = 'insufficient_privilege',
        DETAIL = format('They were planned, but %s does not see or may not change them all. Nothing has been changed.', v_writer),
        HINT = 'Let a role do it that the policies let change all of them.';
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM set_config('pgtrack.message', coalesce(v_message, ''), true);
  PERFORM pgtrack._report_differences(p_work, p_columns);
END
$_apply$;
COMMENT ON FUNCTION pgtrack._apply(pgtrack._work[], text, text[]) IS
  'Does a revert, in one statement; of rows that are updated only some columns if they are named. Returns what it did to each table.';
