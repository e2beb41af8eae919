-- Defaults, checks, triggers and generated columns are code of a table's owner, and run as whoever writes. Where that is
-- somebody with more rights, the statement is executed as the owner: not after SET ROLE, which such code could set back,
-- but in a SECURITY DEFINER function of the owner, where it cannot. The function is made for the one time: its owner could
-- alter a lasting one.

-- What is put off until COMMIT would run as whoever that ends for: constraint triggers, exclusion
-- constraints with expressions. Foreign keys run as their tables' owners always.
CREATE OR REPLACE FUNCTION pgtrack._put_off() RETURNS TABLE (names text, put_off text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('%I.%I', n.nspname, c.conname), ', '), string_agg(format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.condeferred)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
  WHERE c.condeferrable AND c.contype IN ('t', 'x');
END;
COMMENT ON FUNCTION pgtrack._put_off() IS 'The constraints that run code of the application and can be put off until COMMIT, and those that are unless told otherwise.';

CREATE OR REPLACE FUNCTION pgtrack._finish_constraints() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_constraints$
DECLARE
  v_names  text := (SELECT p.names FROM pgtrack._put_off() p);
BEGIN
  IF v_names IS NOT NULL THEN
    BEGIN
      EXECUTE format('SET CONSTRAINTS %s IMMEDIATE', v_names);
    -- One of them cannot be named by this role.
    EXCEPTION WHEN insufficient_privilege THEN
      SET CONSTRAINTS ALL IMMEDIATE;
    END;
  END IF;
END
$_finish_constraints$;
COMMENT ON FUNCTION pgtrack._finish_constraints() IS 'Runs, as the present role, what has been put off until COMMIT.';

CREATE OR REPLACE FUNCTION pgtrack._as_role(p_role name, p_statements text[], p_query text DEFAULT NULL) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_as_role$
DECLARE
  v_function  text := format('pg_temp.%I', 'pgtrack_run_' || gen_random_uuid());
  v_cursors   text[] := ARRAY(SELECT c.name FROM pg_cursors c);
  v_name      text;
BEGIN
  EXECUTE format($create$
    CREATE FUNCTION %s(statements text[], query text) RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
      v_statement  text;
      v_row        record;
      v_count      bigint;
    BEGIN
      FOREACH v_statement IN ARRAY statements LOOP
        EXECUTE v_statement;
        GET DIAGNOSTICS v_count = ROW_COUNT;
      END LOOP;
      IF query IS NULL THEN
        RETURN NEXT pg_catalog.jsonb_build_object('rows', v_count);
      ELSE
        FOR v_row IN EXECUTE query LOOP
          RETURN NEXT pg_catalog.to_jsonb(v_row);
        END LOOP;
      END IF;
      PERFORM pgtrack._finish_constraints();
    END $$$create$, v_function);
  EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  EXECUTE format('ALTER FUNCTION %s OWNER TO %I', v_function, p_role);
  RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2)', v_function) USING p_statements, p_query;
  -- A search_path would be in force for all that comes, and is already: nothing here is found through it.
  IF pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) 'pg_catalog, pg_temp' THEN
    RAISE EXCEPTION 'a trigger has set search_path for the session' USING
      ERRCODE = 'insufficient_privilege', DETAIL = pg_catalog.concat('It runs as ', p_role, ', and you have more rights than that.');
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
$_as_role$;
COMMENT ON FUNCTION pgtrack._as_role(name, text[], text) IS
  'Executes statements, then a query, with the rights of a role and no others: the rows of the query, or how many the last statement touched.';
