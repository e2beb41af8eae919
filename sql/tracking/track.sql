CREATE OR REPLACE FUNCTION pgtrack._schema(p_target text) RETURNS oid
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.oid FROM pg_namespace n WHERE ARRAY[n.nspname::text] = parse_ident(p_target);
END;
COMMENT ON FUNCTION pgtrack._schema(text) IS 'The schema of that name, or null.';

CREATE OR REPLACE FUNCTION pgtrack._track(p_target text, p_table regclass, p_options jsonb)
RETURNS TABLE (table_name text, status text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_track$
DECLARE
  v_options  jsonb := pgtrack._options(p_options);
  v_hides    boolean;
  v_schema   oid := pgtrack._schema(p_target);
  v_table    regclass;
  v_reason   text;
  v_call     text;
BEGIN
  PERFORM pgtrack._require_owner('track');
  v_call := pgtrack._begin_call(jsonb_build_object('target', p_target, 'options', p_options));
  PERFORM pgtrack._lock_installation();
  PERFORM pgtrack._follow_trigger_functions(false)
  WHERE NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D');
  v_hides := pgtrack._some_text_is_hidden();
  IF v_schema IS NULL THEN
    v_reason := pgtrack._reason_not_to_track(p_table);
    IF v_reason IS NOT NULL THEN
      RAISE EXCEPTION 'cannot track %: %', pgtrack._name(p_table), v_reason USING ERRCODE = 'wrong_object_type';
    END IF;
    table_name := pgtrack._name(p_table);
    status := pgtrack._track_patiently(p_table, pgtrack._options_for(p_table, v_options, true), true);
    PERFORM pgtrack._regenerate_all() WHERE v_hides <> pgtrack._some_text_is_hidden();
    RETURN NEXT;
    RETURN;
  END IF;
  v_reason := pgtrack._reason_not_to_track_schema(v_schema);
  IF v_reason IS NOT NULL THEN
    RAISE EXCEPTION 'cannot track schema %: %', p_target, v_reason USING ERRCODE = 'wrong_object_type';
  END IF;
  IF NOT has_schema_privilege((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack'), v_schema, 'USAGE') THEN
    -- For tables to come, which somebody else may own.
    PERFORM pgtrack._execute(format('GRANT USAGE ON SCHEMA %s TO %s', v_schema::regnamespace,
                                    (SELECT n.nspowner::regrole FROM pg_namespace n WHERE n.nspname = 'pgtrack')));
  END IF;
  INSERT INTO pgtrack.tracked_schema (schema_name, options, identity)
  SELECT n.nspname, v_options, pgtrack._identity(n.oid) FROM pg_namespace n WHERE n.oid = v_schema
  ON CONFLICT (schema_name) DO UPDATE SET options = excluded.options, identity = excluded.identity;
  FOR v_table, v_reason IN
    SELECT c.oid, pgtrack._reason_not_to_track(c.oid) FROM pg_class c
    WHERE c.relnamespace = v_schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY c.relname
  LOOP
    table_name := pgtrack._name(v_table);
    status := coalesce('skipped: ' || v_reason, pgtrack._track_patiently(v_table, pgtrack._options_for(v_table, v_options, false), false));
    RETURN NEXT;
  END LOOP;
  PERFORM pgtrack._regenerate_all() WHERE v_hides <> pgtrack._some_text_is_hidden();
END
$_track$;
COMMENT ON FUNCTION pgtrack._track(text, regclass, jsonb) IS 'Does the work of pgtrack.track().';

CREATE OR REPLACE FUNCTION pgtrack._schema_or_table(p_target text) RETURNS regclass
LANGUAGE plpgsql STABLE AS $_schema_or_table$
BEGIN
  IF p_target IS NULL THEN
    RAISE EXCEPTION 'the target must not be null' USING
      ERRCODE = 'null_value_not_allowed', HINT = 'Name a schema, or a table as ''schema.table''.';
  END IF;
  IF pgtrack._schema(p_target) IS NOT NULL THEN
    RETURN NULL;
  END IF;
  RETURN pgtrack._table(p_target, NULL);
END
$_schema_or_table$;
COMMENT ON FUNCTION pgtrack._schema_or_table(text) IS 'The table that a caller means, or null if it is a schema.';

CREATE OR REPLACE FUNCTION pgtrack.track(target text, options jsonb DEFAULT '{}')
RETURNS TABLE (table_name text, status text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT t.table_name, t.status FROM pgtrack._track(target, pgtrack._schema_or_table(target), options) t;
END;
COMMENT ON FUNCTION pgtrack.track(text, jsonb) IS
  'Records every change from now on of one table (''schema.table'' or ''table''), or of every table of a schema, those to come included. '
  'Options: {"query": false} leaves the query text out; {"exclude": ["column"]} does not record a column, {"redact": ["column"]} also '
  'shows that and hides query texts; {"on_drop": "refuse"} protects the table from DROP; {"replica": true} records what logical replication applies.';
