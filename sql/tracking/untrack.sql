CREATE OR REPLACE FUNCTION pgtrack._drop_triggers(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_triggers$
DECLARE
  v_trigger  record;
BEGIN
  FOR v_trigger IN SELECT p.relid, p.name FROM pgtrack._present_triggers(p_relation) p LOOP
    PERFORM pgtrack._execute(format('DROP TRIGGER %I ON %s', v_trigger.name, v_trigger.relid));
  END LOOP;
END
$_drop_triggers$;
COMMENT ON FUNCTION pgtrack._drop_triggers(integer) IS 'Takes all triggers of ours from a tracked table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._let_owner_go(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $_let_owner_go$
DECLARE
  v_owner   name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_member  regclass;
BEGIN
  -- Where the owner of pg_track owns the table, the right is its own.
  FOR v_member IN SELECT m.relid FROM pgtrack._members(p_table) m JOIN pg_class c ON c.oid = m.relid
                  WHERE pg_get_userbyid(c.relowner) <> v_owner AND has_table_privilege(v_owner, m.relid, 'SELECT') LOOP
    PERFORM pgtrack._execute(format('REVOKE SELECT ON %s FROM %I', v_member, v_owner));
  END LOOP;
END
$_let_owner_go$;
COMMENT ON FUNCTION pgtrack._let_owner_go(regclass) IS 'Takes back what _let_owner_read() gave for a table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._untrack(p_target text, p_table regclass)
RETURNS TABLE (table_name text, status text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_untrack$
DECLARE
  v_schema    oid := pgtrack._schema(p_target);
  v_relation  pgtrack.relation;
  v_call      text;
  v_events    text;
BEGIN
  PERFORM pgtrack._require_owner('untrack');
  v_call := pgtrack._begin_call(jsonb_build_object('target', p_target));
  PERFORM pgtrack._lock_installation();
  IF v_schema IS NULL THEN
    PERFORM pgtrack._known_shape(p_table);
  END IF;
  DELETE FROM pgtrack.tracked_schema t USING pg_namespace n WHERE n.oid = v_schema AND t.schema_name = n.nspname;
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE (r.relid = p_table OR c.relnamespace = v_schema) AND r.tracked_until IS NULL
    ORDER BY c.relname
  LOOP
    PERFORM pgtrack._drop_triggers(v_relation.relation_id);
    PERFORM pgtrack._let_owner_go(v_relation.relid);
    v_events := pgtrack._silence_event_triggers();
    PERFORM pgtrack._drop_moves(v_relation.relation_id);
    PERFORM pgtrack._let_event_triggers_fire(v_events);
    UPDATE pgtrack.relation SET tracked_until = clock_timestamp() WHERE relation_id = v_relation.relation_id;
    table_name := pgtrack._name(v_relation.relid);
    status := 'no longer tracked; its history stays';
    RETURN NEXT;
  END LOOP;
END
$_untrack$;
COMMENT ON FUNCTION pgtrack._untrack(text, regclass) IS 'Does the work of pgtrack.untrack().';

CREATE OR REPLACE FUNCTION pgtrack.untrack(target text)
RETURNS TABLE (table_name text, status text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT t.table_name, t.status FROM pgtrack._untrack(target, pgtrack._schema_or_table(target)) t;
END;
COMMENT ON FUNCTION pgtrack.untrack(text) IS 'Stops recording the changes of a table, or of every table of a schema and those to come. What was recorded stays.';
