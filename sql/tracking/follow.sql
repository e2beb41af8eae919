-- What the event triggers do, for a database that cannot have them. Nothing says what was altered, so it is looked for.
CREATE OR REPLACE FUNCTION pgtrack._problem(p_relation pgtrack.relation) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_problem$
DECLARE
  v_class  pg_class;
BEGIN
  SELECT c.* INTO v_class FROM pg_class c WHERE c.oid = p_relation.relid;
  RETURN CASE
    WHEN v_class.oid IS NULL THEN 'dropped'
    WHEN pgtrack._reason_not_to_track(v_class.oid) IS NOT NULL THEN 'untrackable'
    WHEN (v_class.relnamespace::regnamespace::text, v_class.relname) IS DISTINCT FROM (quote_ident(p_relation.schema_name), p_relation.table_name) THEN 'renamed'
    WHEN NOT EXISTS (SELECT FROM pgtrack.generated g WHERE g.function_name = format('record_update_%s', p_relation.relation_id)
                     AND g.fingerprint = pgtrack._fingerprint(v_class.oid)) THEN 'altered'
    WHEN EXISTS (SELECT FROM pgtrack._triggers(p_relation.relation_id) t WHERE NOT t.is_current)
      OR pgtrack._is_in_trigger_words(v_class.oid) AND NOT pgtrack._may_nest(v_class.oid) THEN 'altered' END;
END
$_problem$;
COMMENT ON FUNCTION pgtrack._problem(pgtrack.relation) IS 'What became unnoticed of a table that is tracked; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._follow_shape(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_follow_shape$
DECLARE
  v_table   regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_reason  text;
  v_status  text := 'followed';
BEGIN
  PERFORM pgtrack._lock_relation(p_relation);
  IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v_table) THEN
    UPDATE pgtrack.relation SET relid = NULL, tracked_until = coalesce(tracked_until, clock_timestamp()) WHERE relation_id = p_relation;
    RETURN 'was dropped; its history stays';
  END IF;
  UPDATE pgtrack.relation r SET schema_name = n.nspname, table_name = c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE r.relation_id = p_relation AND c.oid = r.relid AND (r.schema_name, r.table_name) IS DISTINCT FROM (n.nspname, c.relname);
  IF FOUND THEN
    v_status := format('is called %s now', pgtrack._name(v_table));
  END IF;
  v_reason := pgtrack._reason_not_to_track(v_table);
  IF v_reason IS NOT NULL THEN
    UPDATE pgtrack.relation SET tracked_until = coalesce(tracked_until, clock_timestamp()) WHERE relation_id = p_relation;
    -- That the root of a new partition goes on with it is no news.
    IF NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = v_table) THEN
      RAISE WARNING '% is no longer tracked: %', pgtrack._name(v_table), v_reason USING HINT = 'Its history stays.';
    END IF;
    RETURN format('is no longer tracked: %s; its history stays', v_reason);
  END IF;
  PERFORM pgtrack._mark_if_written(p_relation), pgtrack._sync(p_relation);
  RETURN v_status;
END
$_follow_shape$;
COMMENT ON FUNCTION pgtrack._follow_shape(integer) IS 'Brings the history of a table in step with what became of it, however long it is in use.';

CREATE OR REPLACE FUNCTION pgtrack._follow_relation(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_follow_relation$
BEGIN
  RETURN pgtrack._follow_shape(p_relation);
END
$_follow_relation$;
COMMENT ON FUNCTION pgtrack._follow_relation(integer) IS
  'Brings the history of a table in step with what became of it. SECURITY DEFINER: history belongs to the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._follow_table(p_relation pgtrack.relation) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '200ms' AS $_follow_table$
DECLARE
  v_status  text;
BEGIN
  -- For the owner of pg_track, who may not lock it.
  PERFORM pgtrack._hold_definition(p_relation.relid) WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = p_relation.relid);
  -- A writer may wait for the caller's lock while it is waited for here: that ends before deadlock_timeout.
  v_status := pgtrack._follow_relation(p_relation.relation_id);
  IF EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation.relation_id AND r.tracked_until IS NULL) THEN
    PERFORM pgtrack._let_owner_read(p_relation.relid);
    -- With the triggers goes what says that they were partitions.
    PERFORM pgtrack._let_owner_read(f.relid), pgtrack._generate_triggers(e, false)
    FROM pgtrack._former_partitions(p_relation.relation_id) f CROSS JOIN LATERAL pgtrack._enroll_or_warn(f.relid, f.options) e
    WHERE e IS NOT NULL;
    PERFORM pgtrack._generate_triggers(p_relation.relation_id, false);
  ELSE
    PERFORM pgtrack._drop_triggers(p_relation.relation_id);
  END IF;
  RETURN v_status;
END
$_follow_table$;
COMMENT ON FUNCTION pgtrack._follow_table(pgtrack.relation) IS 'Brings the tracking of one table in step with what became of it.';

CREATE OR REPLACE FUNCTION pgtrack._follow_ddl() RETURNS TABLE ("table" text, status text, done boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_follow_ddl$
DECLARE
  v_relation  record;
  v_new       record;
  v_events    text;
BEGIN
  IF NOT has_function_privilege('pgtrack._follow_relation(integer)', 'EXECUTE') THEN
    PERFORM pgtrack._require_owner('follow DDL on');
  END IF;
  PERFORM pgtrack._lock_installation();
  -- `pgtrack serve` may have got its rights from an earlier version.
  PERFORM pgtrack._follow_trigger_functions(true) WHERE has_function_privilege('pgtrack._follow_trigger_functions(boolean)', 'EXECUTE');
  v_events := pgtrack._silence_event_triggers();
  -- What is tracked no more gives way first: it may have become a part of another table.
  FOR v_relation IN
    SELECT format('%I.%I', x.schema_name, x.table_name) AS name, x.r
    FROM (SELECT r.schema_name, r.table_name, r, pgtrack._problem(r) AS problem FROM pgtrack.relation r WHERE r.tracked_until IS NULL OFFSET 0) x
    WHERE x.problem IS NOT NULL
    ORDER BY x.problem NOT IN ('dropped', 'untrackable'), format('%I.%I', x.schema_name, x.table_name)
  LOOP
    "table" := v_relation.name;
    done := true;
    BEGIN
      status := pgtrack._follow_table(v_relation.r);
    -- One that is in use, somebody else's or protected is no reason to leave the others.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR program_limit_exceeded
                   OR object_not_in_prerequisite_state OR feature_not_supported THEN
      done := false;
      status := format('could not be followed: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
  FOR v_new IN
    SELECT n.* FROM pgtrack._new_tables(ARRAY(
      SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname)) n
  LOOP
    "table" := pgtrack._name(v_new.relid);
    done := true;
    BEGIN
      status := pgtrack._track_table(v_new.relid, pgtrack._options_for(v_new.relid, v_new.options, false));
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR program_limit_exceeded
                   OR invalid_parameter_value OR feature_not_supported THEN
      done := false;
      status := format('could not be tracked: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_follow_ddl$;
COMMENT ON FUNCTION pgtrack._follow_ddl() IS 'Does the work of pgtrack.follow_ddl().';

CREATE OR REPLACE FUNCTION pgtrack.follow_ddl() RETURNS TABLE ("table" text, status text, done boolean)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT f.* FROM pgtrack._follow_ddl() f;
END;
COMMENT ON FUNCTION pgtrack.follow_ddl() IS
  'Notices tables that were created, attached, altered, renamed or dropped where no event trigger can tell, and says which. '
  'The proxy calls it after such statements, and pgtrack serve now and then; without them, call it after migrations.';
