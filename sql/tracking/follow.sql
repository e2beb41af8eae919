-- What the event triggers do, for a database that cannot have them. Nothing says what was altered, so it is looked for.
CREATE OR REPLACE FUNCTION pgtrack._stale_relations() RETURNS TABLE (relation_id integer, relid regclass, name text, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT r.relation_id, r.relid, format('%I.%I', r.schema_name, r.table_name),
         CASE WHEN c.oid IS NULL THEN 'dropped'
              WHEN pgtrack._reason_not_to_track(c.oid) IS NOT NULL THEN 'untrackable'
              WHEN (n.nspname, c.relname) IS DISTINCT FROM (r.schema_name, r.table_name) THEN 'renamed'
              WHEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'pgtrack_history'::regnamespace
                               AND p.proname = format('record_update_%s', r.relation_id)
                               AND strpos(p.prosrc, quote_literal(pgtrack._fingerprint(c.oid))) > 0) THEN 'altered'
              WHEN EXISTS (SELECT FROM pgtrack._wanted_triggers(r.relation_id) w
                           LEFT JOIN pgtrack._present_triggers(r.relation_id) p USING (relid, name)
                           WHERE p.made_from IS DISTINCT FROM w.event || ' ' || w.action) THEN 'altered' END
  FROM pgtrack.relation r
  LEFT JOIN pg_class c ON c.oid = r.relid
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE r.tracked_until IS NULL;
END;
COMMENT ON FUNCTION pgtrack._stale_relations() IS 'The tracked tables, each with what became of it unnoticed, or null.';

CREATE OR REPLACE FUNCTION pgtrack._follow_table(p_relation integer, p_table regclass, p_problem text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '200ms' AS $_follow_table$
DECLARE
  v_status  text := 'followed';
BEGIN
  -- A writer may wait for the caller's lock while it is waited for here: that ends before deadlock_timeout.
  PERFORM set_config('pgtrack.following', 'on', true);
  IF p_problem = 'dropped' THEN
    UPDATE pgtrack.relation SET relid = NULL, tracked_until = clock_timestamp() WHERE relation_id = p_relation;
    v_status := 'was dropped; its history stays';
  ELSIF p_problem = 'untrackable' THEN
    PERFORM pgtrack._drop_triggers(p_relation);
    UPDATE pgtrack.relation SET tracked_until = clock_timestamp() WHERE relation_id = p_relation;
    v_status := format('is no longer tracked: %s; its history stays', pgtrack._reason_not_to_track(p_table));
  ELSE
    UPDATE pgtrack.relation r SET schema_name = n.nspname, table_name = c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.relation_id = p_relation AND c.oid = p_table AND (r.schema_name, r.table_name) IS DISTINCT FROM (n.nspname, c.relname);
    IF FOUND THEN
      v_status := format('is called %s now', pgtrack._name(p_table));
    END IF;
    PERFORM pgtrack._sync(p_relation);
    PERFORM pgtrack._generate_triggers(p_relation, false);
  END IF;
  PERFORM set_config('pgtrack.following', '', true);
  RETURN v_status;
END
$_follow_table$;
COMMENT ON FUNCTION pgtrack._follow_table(integer, regclass, text) IS 'Brings the tracking of one table in step with what became of it.';

CREATE OR REPLACE FUNCTION pgtrack.follow_ddl() RETURNS TABLE ("table" text, status text, done boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $follow_ddl$
DECLARE
  v_relation  record;
  v_new       record;
BEGIN
  PERFORM pgtrack._require_owner('follow DDL on');
  PERFORM pg_advisory_xact_lock(7380416283001);
  -- What is tracked no more gives way first: it may have become a part of another table.
  FOR v_relation IN
    SELECT s.* FROM pgtrack._stale_relations() s WHERE s.problem IS NOT NULL
    ORDER BY s.problem NOT IN ('dropped', 'untrackable'), s.name
  LOOP
    "table" := v_relation.name;
    done := true;
    BEGIN
      status := pgtrack._follow_table(v_relation.relation_id, v_relation.relid, v_relation.problem);
    -- One that is in use, somebody else's or protected is no reason to leave the others.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR insufficient_privilege OR object_not_in_prerequisite_state THEN
      done := false;
      status := format('could not be followed: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
  FOR v_new IN
    SELECT c.oid::regclass AS relid, s.options
    FROM pgtrack.tracked_schema s
    JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
    WHERE pgtrack._reason_not_to_track(c.oid) IS NULL AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
    ORDER BY c.relname
  LOOP
    "table" := pgtrack._name(v_new.relid);
    done := true;
    BEGIN
      status := pgtrack._track_table(v_new.relid, pgtrack._options_for(v_new.relid, v_new.options, false));
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR insufficient_privilege THEN
      done := false;
      status := format('could not be tracked: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
END
$follow_ddl$;
COMMENT ON FUNCTION pgtrack.follow_ddl() IS
  'Notices tables that were created, attached, altered, renamed or dropped where no event trigger can tell, and says which. '
  'The proxy calls it after such statements, and pgtrack serve now and then; without them, call it after migrations.';
