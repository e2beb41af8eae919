-- Defaults, checks, triggers and generated columns are code of a table's owner, and run as whoever writes. Where that is
-- somebody with more rights, the statement is executed as the owner: not after SET ROLE, which such code could set back,
-- but in a SECURITY DEFINER function of the owner, where it cannot. The function is made for the one time: its owner could
-- alter a lasting one.

-- What is put off until COMMIT would run as whoever that ends for: constraint triggers, exclusion
-- constraints with expressions. Foreign keys run as their tables' owners always. Since PostgreSQL 18 triggers run as who
-- caused them.
CREATE OR REPLACE FUNCTION pgtrack._put_off() RETURNS TABLE (names text, put_off text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('%I.%I', n.nspname, c.conname), ', '), string_agg(format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.condeferred)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
  WHERE c.condeferrable AND c.contype IN ('t', 'x');
END;
COMMENT ON FUNCTION pgtrack._put_off() IS 'The constraints that run code of the application and can be put off until COMMIT, and those that are unless told otherwise.';

-- The path is in force here alone, unless what runs sets another for the session, which _as_role() looks for.
CREATE OR REPLACE FUNCTION pgtrack._fire_constraints(p_names text, p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_fire_constraints$
DECLARE
  v_command  text := format('SET CONSTRAINTS %s IMMEDIATE', p_names);
BEGIN
  PERFORM set_config('search_path', p_path, true);
  EXECUTE v_command;
END
$_fire_constraints$;
COMMENT ON FUNCTION pgtrack._fire_constraints(text, text) IS 'Runs constraints that were put off, under a search_path.';

-- Whatever is put off comes of a row that is written, and a command that writes one takes a number, which nobody can set
-- back. Two calls with nothing written in between are two numbers apart: the row is written, and deleted.
-- SECURITY DEFINER: only the owner writes the table.
CREATE OR REPLACE FUNCTION pgtrack._command_id() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_command_id$
DECLARE
  v_id     bigint;
  v_place  tid;
BEGIN
  INSERT INTO pgtrack.command (is_mark) VALUES (true) RETURNING cmin::text::bigint, ctid INTO v_id, v_place;
  DELETE FROM pgtrack.command c WHERE c.ctid = v_place;
  RETURN v_id;
END
$_command_id$;
COMMENT ON FUNCTION pgtrack._command_id() IS 'The number of the present command in its transaction (cmin).';

-- What runs may put off something again, so it is over when nothing has been written any more.
CREATE OR REPLACE FUNCTION pgtrack._finish_constraints(p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_constraints$
DECLARE
  -- An older snapshot does not show all of them.
  c_all CONSTANT  boolean := pgtrack._snapshot_lasts();
  v_names         text;
  v_before        bigint;
BEGIN
  FOR attempt IN 1 .. 10 LOOP
    v_names := CASE WHEN c_all THEN 'ALL' ELSE (SELECT p.names FROM pgtrack._put_off() p) END;
    IF v_names IS NULL THEN
      RETURN;
    END IF;
    v_before := pgtrack._command_id();
    BEGIN
      PERFORM pgtrack._fire_constraints(v_names, p_path);
    -- One of them cannot be named by this role.
    EXCEPTION WHEN insufficient_privilege THEN
      PERFORM pgtrack._fire_constraints('ALL', p_path);
    END;
    IF pgtrack._command_id() = v_before + 2 THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION 'a deferred trigger puts off its work again and again' USING
    ERRCODE = 'insufficient_privilege',
    DETAIL = format('It runs as %s, and at COMMIT it would run with your rights.', current_user),
    HINT = format('Undo it as %s.', current_user);
END
$_finish_constraints$;
COMMENT ON FUNCTION pgtrack._finish_constraints(text) IS 'Runs, as the present role and under a search_path, what has been put off until COMMIT.';

-- Settings of applications cannot be listed. These would be recorded as the session's, or lead commands of ours elsewhere.
CREATE OR REPLACE FUNCTION pgtrack._own_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.name, coalesce(current_setting(n.name, true), '')
  FROM unnest('{pgtrack.actor,pgtrack.message,pgtrack.search_path,pgtrack.row_security,pgtrack.quote_all_identifiers}'::text[]) AS n (name);
END;
COMMENT ON FUNCTION pgtrack._own_settings() IS 'What pg_track keeps in settings that anybody can set.';

-- What code that ran as somebody else can leave behind in a session, to run or to mislead whoever goes on there.
CREATE OR REPLACE FUNCTION pgtrack._session_state() RETURNS TABLE (kind text, name text, state text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT 'cursor', c.name, concat_ws(' ', c.is_holdable, c.creation_time, c.statement) FROM pg_cursors c
  UNION ALL SELECT 'prepared statement', p.name, concat_ws(' ', p.prepare_time, p.from_sql, p.parameter_types, p.statement) FROM pg_prepared_statements p
  UNION ALL SELECT concat('temporary ', i.type), coalesce(i.name, i.identity), concat_ws(' ', d.objid, i.identity)
  FROM pg_depend d CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = pg_my_temp_schema()
  UNION ALL SELECT 'setting', o.name, o.value FROM pgtrack._own_settings() o
  UNION ALL SELECT 'setting', s.name, concat_ws(' from ', s.setting,
    CASE WHEN s.name NOT IN ('event_triggers', 'session_replication_role') THEN s.source END)
  FROM pg_settings s
  WHERE s.context IN ('user', 'superuser')
    AND s.name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'search_path', 'seed');
END;
COMMENT ON FUNCTION pgtrack._session_state() IS 'What a session has that lasts: cursors, prepared statements, temporary objects, settings.';

-- SET can hide behind SET LOCAL until COMMIT: what is in force then was set for the session, and nothing shows it before.
-- But a function with a SET clause puts a setting back when it returns, whatever SET LOCAL did in it, and does not after a
-- SET. So what runs the code has such clauses, and at its end sets everything so that it comes from elsewhere than before:
-- the sources of before are there afterwards, or somebody has set something for the session.
CREATE OR REPLACE FUNCTION pgtrack._other_settings(p_role name) RETURNS TABLE (setting text, clause text, other text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- What the session has set goes back to its default; what it has not, it sets to what it is.
  SELECT s.name, CASE WHEN s.name = 'temp_tablespaces' AND s.setting <> '' THEN $q$= ''$q$ ELSE 'FROM CURRENT' END,
         CASE WHEN s.source <> 'session' THEN CASE s.name WHEN 'temp_tablespaces' THEN '' ELSE s.setting END END
  FROM pg_settings s
  WHERE (s.context = 'user'
         OR s.context = 'superuser' AND has_parameter_privilege(s.name, 'SET') AND has_parameter_privilege(p_role, s.name, 'SET'))
    AND s.name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'search_path', 'seed',
                       -- Ours at times, and then not what the code is to run with.
                       'event_triggers', 'session_replication_role')
    -- What is in force, but might not be taken again.
    AND NOT (s.vartype = 'string' AND s.setting = '' AND strpos(s.name, '.') > 0)
    AND (s.name <> 'default_tablespace' OR s.setting = '' OR EXISTS (SELECT FROM pg_tablespace t WHERE t.spcname = s.setting))
    AND (s.name <> 'default_text_search_config' OR EXISTS (
      SELECT FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
      WHERE s.setting = format('%I.%I', n.nspname, c.cfgname) AND has_schema_privilege(p_role, n.oid, 'USAGE')))
  UNION ALL SELECT o.name, 'FROM CURRENT', gen_random_uuid()::text FROM pgtrack._own_settings() o
  -- Only superusers may have a clause for what is no setting of PostgreSQL's.
  WHERE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AND set_config(o.name, o.value, true) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._other_settings(name) IS
  'The settings by which a session can be misled and which code of a role could set; a clause that keeps each, and its last value.';

-- PREPARE lasts where its transaction does not: what is prepared goes, and whoever executes it is told that it is not there.
CREATE OR REPLACE FUNCTION pgtrack._drop_prepared(p_before jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_prepared$
DECLARE
  v_name  text;
BEGIN
  FOREACH v_name IN ARRAY ARRAY(
    SELECT s.name FROM pgtrack._session_state() s
    WHERE s.kind = 'prepared statement'
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset(p_before) AS b (kind text, name text, state text)
                      WHERE (b.kind, b.name, b.state) = (s.kind, s.name, s.state)))
  LOOP
    EXECUTE format('DEALLOCATE %I', v_name);
  END LOOP;
END
$_drop_prepared$;
COMMENT ON FUNCTION pgtrack._drop_prepared(jsonb) IS 'Drops the prepared statements that were not there before.';

-- What is gone can mislead as well: a name is found elsewhere then.
CREATE OR REPLACE FUNCTION pgtrack._refuse_other_state(p_before jsonb, p_role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_other_state$
DECLARE
  v_change  record;
BEGIN
  WITH before AS MATERIALIZED (SELECT b.* FROM jsonb_to_recordset(p_before) AS b (kind text, name text, state text)),
       after AS MATERIALIZED (SELECT s.* FROM pgtrack._session_state() s)
  SELECT c.* INTO v_change
  FROM (SELECT 'leaves' AS verb, 'in' AS preposition, x.* FROM (TABLE after EXCEPT TABLE before) x
        UNION ALL SELECT 'takes', 'out of', x.* FROM (TABLE before EXCEPT TABLE after) x) c
  ORDER BY c.verb LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a trigger, default or check of % % the % "%" % your session', p_role, v_change.verb, v_change.kind, v_change.name, v_change.preposition USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'You have more rights than that role, and could be misled to run its code or to say what you do not mean.',
      HINT = format('Undo it as %s.', p_role);
  END IF;
END
$_refuse_other_state$;
COMMENT ON FUNCTION pgtrack._refuse_other_state(jsonb, name) IS 'Refuses what code of a role has left in the session, or taken out of it.';

-- Who knows a cursor's name may read on in it, and PL/pgSQL gives the cursors of its loops names that can be guessed. One
-- that is running, such as this query, cannot be moved.
CREATE OR REPLACE FUNCTION pgtrack._refuse_open_cursors(p_role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_open_cursors$
DECLARE
  v_cursor  refcursor;
BEGIN
  -- That of the protocol has no name.
  FOREACH v_cursor IN ARRAY ARRAY(SELECT c.name::refcursor FROM pg_cursors c) LOOP
    BEGIN
      MOVE RELATIVE 0 IN v_cursor;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
      CONTINUE;
    END;
    RAISE EXCEPTION 'the cursor "%" is open', v_cursor USING
      ERRCODE = 'invalid_cursor_state',
      DETAIL = format('This runs code of %s, which could read on in it with your rights. A loop over a query has a cursor, too.', p_role),
      HINT = format('Close it, call this outside of the loop, as in SELECT pgtrack.undo(…) FROM …, or do it as %s.', p_role);
  END LOOP;
END
$_refuse_open_cursors$;
COMMENT ON FUNCTION pgtrack._refuse_open_cursors(name) IS 'Refuses to run code of a role where it could read in cursors of the session.';

CREATE OR REPLACE FUNCTION pgtrack._make_role_function(p_function text, p_role name, p_clauses text, p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_role_function$
DECLARE
  v_events  text;
BEGIN
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format($create$
    CREATE FUNCTION %s(statements pg_catalog.text[], query pg_catalog.text, path pg_catalog.text, others pg_catalog.jsonb)
    RETURNS SETOF pg_catalog.jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp %s AS $$
    DECLARE
      v_statement  text;
      v_row        record;
      v_count      bigint;
    BEGIN
      PERFORM pg_catalog.set_config('search_path', path, true);
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
      PERFORM pgtrack._finish_constraints(path);
      PERFORM pg_catalog.set_config('search_path', path, true), pg_catalog.count(pg_catalog.set_config(o.key, o.value, true))
      FROM pg_catalog.jsonb_each_text(others) o;
    END $$$create$, p_function, p_clauses), p_path);
  PERFORM pgtrack._execute(format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', p_function), p_path);
  PERFORM pgtrack._execute(format('ALTER FUNCTION %s OWNER TO %I', p_function, p_role), p_path);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_make_role_function$;
COMMENT ON FUNCTION pgtrack._make_role_function(text, name, text, text) IS
  'Makes the function of a role that executes statements, then a query, and at its end sets the settings of p_clauses to others.';

CREATE OR REPLACE FUNCTION pgtrack._as_role(p_role name, p_statements text[], p_query text DEFAULT NULL, p_path text DEFAULT 'pg_catalog, pg_temp')
RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_as_role$
DECLARE
  v_function  text := format('pg_temp.%I', 'pgtrack_run_' || gen_random_uuid());
  v_mark      text := format('pg_catalog, pg_temp, %I', gen_random_uuid());
  v_others    jsonb;
  v_clauses   text;
  v_own       jsonb := (SELECT jsonb_object_agg(o.name, o.value) FROM pgtrack._own_settings() o);
  v_state     jsonb;
  v_name      text;
  v_events    text;
BEGIN
  PERFORM pgtrack._refuse_open_cursors(p_role);
  SELECT jsonb_object_agg(o.setting, o.other), string_agg(format('SET %I %s', o.setting, o.clause), ' ') INTO v_others, v_clauses
  FROM pgtrack._other_settings(p_role) o;
  PERFORM pgtrack._make_role_function(v_function, p_role, v_clauses, p_path);
  v_state := (SELECT jsonb_agg(s) FROM pgtrack._session_state() s);
  -- Of the path, it is the present value that nobody knows.
  PERFORM set_config('search_path', v_mark, true);
  BEGIN
    RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2, $3, $4)', v_function) USING p_statements, p_query, p_path, v_others;
    -- A search_path would be in force for all that comes, and is already: nothing here is found through it.
    IF pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) v_mark THEN
      RAISE EXCEPTION 'a trigger has set search_path for the session' USING
        ERRCODE = 'insufficient_privilege', DETAIL = pg_catalog.concat('It runs as ', p_role, ', and you have more rights than that.');
    END IF;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    -- Where there is no clause for them.
    PERFORM set_config(o.key, o.value, true) FROM jsonb_each_text(v_own) o WHERE NOT coalesce(v_others, '{}') ? o.key;
    PERFORM pgtrack._refuse_other_state(v_state, p_role);
  -- Nothing is kept from whoever called: it is raised again.
  EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM pgtrack._drop_prepared(v_state);
    RAISE;
  END;
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('DROP FUNCTION %s', v_function), p_path);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  SELECT p.put_off INTO v_name FROM pgtrack._put_off() p;
  IF v_name IS NOT NULL THEN
    EXECUTE format('SET CONSTRAINTS %s DEFERRED', v_name);
  END IF;
END
$_as_role$;
COMMENT ON FUNCTION pgtrack._as_role(name, text[], text, text) IS
  'Executes statements, then a query, with the rights of a role and no others: the rows of the query, or how many the last statement touched.';
