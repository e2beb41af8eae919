-- Which functions triggers call, and so which tables they may write (capture/written_nested.sql)

-- Tables of many schemas may be called alike: of those the ones are meant that the function, the trigger's table or the source is
-- near to, if any are. What others own, and what is left of many, waits for follow_ddl(): verify() says so.
CREATE OR REPLACE FUNCTION pgtrack._tables_in_words(p_words text[], p_schemas oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_in_words$
BEGIN
  RETURN ARRAY(
    SELECT x.relid
    FROM (SELECT r.relid::oid AS relid, n.is_near, rank() OVER (PARTITION BY r.table_name ORDER BY n.is_near DESC) AS rank
          FROM unnest(pgtrack._written_through(ARRAY(
                 SELECT c.oid FROM unnest(p_words) w
                 CROSS JOIN LATERAL (SELECT k.oid FROM pg_class k WHERE k.relname = w::name OFFSET 0) c))) AS t (oid)
          JOIN pgtrack.relation r ON r.relid = t.oid AND r.tracked_until IS NULL AND NOT r.is_written_nested
          JOIN pg_class c ON c.oid = t.oid
          CROSS JOIN LATERAL (SELECT c.relnamespace = ANY (p_schemas) OR r.schema_name = ANY (p_words::name[])) AS n (is_near)
          WHERE pg_has_role(session_user, c.relowner, 'MEMBER')) x
    WHERE x.rank = 1
    ORDER BY x.is_near DESC LIMIT 20);
END
$_tables_in_words$;
COMMENT ON FUNCTION pgtrack._tables_in_words(text[], oid[]) IS
  'Tables that words of trigger functions name, near some schemas, and of which it is new that triggers of others may write them.';

-- A function belongs to those of triggers if a trigger calls it, or if it is called like what stands in one that does.
CREATE OR REPLACE FUNCTION pgtrack._written_by_command() RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_written_by_command$
DECLARE
  v_functions  oid[];
  v_arguments  text;
  v_schemas    oid[];
BEGIN
  SELECT array_agg(DISTINCT p.oid), string_agg(x.arguments, ' '), array_agg(p.pronamespace) || array_agg(x.schema)
  INTO v_functions, v_arguments, v_schemas
  FROM pg_event_trigger_ddl_commands() d
  CROSS JOIN LATERAL (
    SELECT t.tgfoid, encode(t.tgargs, 'escape'), (SELECT c.relnamespace FROM pg_class c WHERE c.oid = t.tgrelid)
    FROM pg_trigger t WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    UNION ALL
    SELECT p.oid, NULL, NULL FROM pg_proc p
    WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
      AND (EXISTS (SELECT FROM pg_depend e WHERE e.refclassid = d.classid AND e.refobjid = d.objid AND e.classid = 'pg_trigger'::regclass)
           OR EXISTS (SELECT FROM pgtrack.trigger_word w WHERE w.word = p.proname))
    OFFSET 0) AS x (function, arguments, schema)
  JOIN pg_proc p ON p.oid = x.function AND p.pronamespace <> ALL ('{pg_catalog,pgtrack,pgtrack_history}'::regnamespace[]);
  IF v_functions IS NULL THEN
    RETURN '{}';
  END IF;
  RETURN pgtrack._mark_written_nested(
    pgtrack._tables_in_words(pgtrack._note_trigger_words(v_functions, v_arguments, false), v_schemas), true);
END
$_written_by_command$;
COMMENT ON FUNCTION pgtrack._written_by_command() IS
  'In an event trigger: the tables of which it is new that triggers of others may write them, after a command on triggers or functions.';

CREATE OR REPLACE FUNCTION pgtrack._follow_trigger_functions(p_unmarks_tables boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = on SET enable_seqscan = on SET plan_cache_mode = force_custom_plan AS $_follow_trigger_functions$
DECLARE
  v_functions  oid[];
  v_arguments  text;
BEGIN
  SELECT array_agg(DISTINCT t.tgfoid), string_agg(DISTINCT encode(t.tgargs, 'escape'), ' ') FILTER (WHERE t.tgnargs > 0)
  INTO v_functions, v_arguments
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE NOT t.tgisinternal AND p.pronamespace <> ALL ('{pg_catalog,pgtrack,pgtrack_history}'::regnamespace[]);
  PERFORM pgtrack._note_trigger_words(coalesce(v_functions, '{}'), v_arguments, true);
  IF p_unmarks_tables THEN
    PERFORM pgtrack._mark_written_nested(ARRAY(
      SELECT r.relid::oid FROM pgtrack.relation r
      WHERE r.is_written_nested AND r.tracked_until IS NULL AND NOT pgtrack._is_in_trigger_words(r.relid)), false);
  END IF;
END
$_follow_trigger_functions$;
COMMENT ON FUNCTION pgtrack._follow_trigger_functions(boolean) IS
  'Keeps the words of all trigger functions, and no marks on tables that they name no more. '
  'SECURITY DEFINER: whoever may follow DDL cannot write what we keep.';

-- Without that trigger, its recorders go on as before: verify() says so, and follow_ddl() tries again.
CREATE OR REPLACE FUNCTION pgtrack._unmark_unfinished(p_relations integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '200ms'
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
AS $_unmark_unfinished$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r WHERE r.relation_id = ANY (p_relations) AND r.is_written_nested AND r.tracked_until IS NULL
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM pgtrack._members(v_relation.relid) m
                              WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = m.relid AND t.tgname = 'pgtrack_open'))
               OR pgtrack._has_nesting_trigger(v_relation.relid) OR pgtrack._capture_mode(v_relation.relid, v_relation.options) = 'row';
    BEGIN
      UPDATE pgtrack.relation SET is_written_nested = false WHERE relation_id = v_relation.relation_id;
      PERFORM pgtrack._sync(v_relation.relation_id);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      RAISE DEBUG '%', SQLERRM;
    END;
  END LOOP;
END
$_unmark_unfinished$;
COMMENT ON FUNCTION pgtrack._unmark_unfinished(integer[]) IS
  'Has tables on which pgtrack_open could not be made recorded as if no trigger of another table wrote them.';
