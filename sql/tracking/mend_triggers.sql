-- What a command leaves to be done to triggers, as whoever runs it (on_ddl.sql)

-- For what a trigger of another table may do to a table, its writers and readers are not kept waiting: that is left to
-- follow_ddl(). Nor can a trigger be dropped while this transaction uses the table.
CREATE OR REPLACE FUNCTION pgtrack._generate_triggers_if_free(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_generate_triggers_if_free$
BEGIN
  PERFORM pgtrack._generate_triggers(p_relation, false);
EXCEPTION WHEN lock_not_available OR deadlock_detected OR object_in_use THEN
  RAISE DEBUG '%', SQLERRM;
END
$_generate_triggers_if_free$;
COMMENT ON FUNCTION pgtrack._generate_triggers_if_free(integer) IS 'Brings the triggers of a table in step if nobody uses it.';

CREATE OR REPLACE FUNCTION pgtrack._only_written_nested(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_only_written_nested$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.is_written_nested AND NOT pgtrack._has_nesting_trigger(r.relid))
    AND NOT EXISTS (SELECT FROM pgtrack._trigger_changes(p_relation) c WHERE c.name NOT IN ('pgtrack_open', 'pgtrack_update_key'));
END
$_only_written_nested$;
COMMENT ON FUNCTION pgtrack._only_written_nested(integer) IS
  'Whether all that the triggers of a table lack is there for what triggers of other tables do to it.';

CREATE OR REPLACE FUNCTION pgtrack._mend_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET client_min_messages = warning
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_mend_triggers$
DECLARE
  v_altered   text[] := string_to_array(current_setting('pgtrack.altered', true), ' ');
  v_relation  record;
  v_events    text;
BEGIN
  -- The commands of this function end in the same event triggers, which have nothing to do then.
  PERFORM set_config('pgtrack.altered', '', true);
  v_events := pgtrack._silence_event_triggers();
  -- What somebody else owns waits for pgtrack.follow_ddl(): a command that is allowed must not fail here.
  FOR v_relation IN
    SELECT r.relation_id, r.relid, r.tracked_until FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.relation_id = ANY (v_altered::integer[])
      AND NOT EXISTS (SELECT FROM pgtrack._members(r.relid) m JOIN pg_class o ON o.oid = m.relid
                      WHERE NOT pg_has_role(current_user, o.relowner, 'USAGE'))
    ORDER BY r.tracked_until IS NULL, c.relispartition DESC
  LOOP
    IF v_relation.tracked_until IS NOT NULL THEN
      PERFORM pgtrack._drop_triggers(v_relation.relation_id);
      CONTINUE;
    END IF;
    PERFORM pgtrack._let_owner_read(v_relation.relid);
    IF pgtrack._only_written_nested(v_relation.relation_id) THEN
      PERFORM pgtrack._generate_triggers_if_free(v_relation.relation_id);
    ELSE
      PERFORM pgtrack._generate_triggers(v_relation.relation_id, false);
    END IF;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  PERFORM set_config('pgtrack.altered', array_to_string(v_altered, ' '), true);
END
$_mend_triggers$;
COMMENT ON FUNCTION pgtrack._mend_triggers() IS 'Does the work of pgtrack._on_ddl_triggers().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers() RETURNS event_trigger
LANGUAGE plpgsql AS $_on_ddl_triggers$
BEGIN
  IF COALESCE(pg_catalog.current_setting('pgtrack.altered', true), '') OPERATOR(pg_catalog.<>) '' AND pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._mend_triggers();
  END IF;
END
$_on_ddl_triggers$;
COMMENT ON FUNCTION pgtrack._on_ddl_triggers() IS 'Brings the triggers of tracked tables in step with them, as whoever runs the command.';

CREATE OR REPLACE FUNCTION pgtrack._take_back_functions(p_relations integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
AS $_take_back_functions$
DECLARE
  v_function  record;
  v_events    text := pgtrack._silence_event_triggers();
BEGIN
  FOR v_function IN
    SELECT string_agg(p.oid::regprocedure::text, ', ') AS signatures, pg_get_userbyid(a.grantee) AS grantee
    -- OFFSET 0: found by the index, and not read whole for its order.
    FROM unnest(p_relations) x (relation_id)
    CROSS JOIN LATERAL (SELECT g.* FROM pgtrack.generated g WHERE g.relation_id = x.relation_id OFFSET 0) g
    JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
    CROSS JOIN LATERAL aclexplode(p.proacl) a
    WHERE a.grantee <> p.proowner AND a.grantee <> 0
    GROUP BY g.relation_id, a.grantee
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', v_function.signatures, v_function.grantee);
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_take_back_functions$;
COMMENT ON FUNCTION pgtrack._take_back_functions(integer[]) IS 'Takes back the right to make triggers with the functions of some tables.';

CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers_made() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_on_ddl_triggers_made$
DECLARE
  v_altered  text := nullif(current_setting('pgtrack.altered', true), '');
  v_events   text;
BEGIN
  IF v_altered IS NOT NULL THEN
    PERFORM set_config('pgtrack.altered', '', true), pgtrack._take_back_functions(string_to_array(v_altered, ' ')::integer[]);
    v_events := pgtrack._silence_event_triggers();
    PERFORM pgtrack._unmark_unfinished(string_to_array(v_altered, ' ')::integer[]);
    PERFORM pgtrack._let_event_triggers_fire(v_events);
  END IF;
END
$_on_ddl_triggers_made$;
COMMENT ON FUNCTION pgtrack._on_ddl_triggers_made() IS
  'Takes back the right to make triggers with functions of ours. SECURITY DEFINER: the functions belong to the owner of pg_track.';

-- A trigger can only be made by who may execute its function. The owners of tables may that for the moment of a command.
CREATE OR REPLACE FUNCTION pgtrack._let_owners_make_triggers(p_relations integer[]) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_let_owners_make_triggers$
DECLARE
  v_trigger   record;
  v_relations integer[] := '{}';
BEGIN
  FOR v_trigger IN
    SELECT t.relation_id, t.table_owner,
           string_agg(DISTINCT t.signature::text, ', ') FILTER (WHERE NOT has_function_privilege(t.table_owner, t.signature, 'EXECUTE')) AS functions
    FROM (SELECT r.relation_id, pg_get_userbyid((SELECT c.relowner FROM pg_class c WHERE c.oid = t.relid)) AS table_owner,
                 to_regproc('pgtrack_history.' || quote_ident(t.function))::regprocedure AS signature
          FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._trigger_changes(r.relation_id) t
          WHERE r.relation_id = ANY (p_relations) AND r.tracked_until IS NULL) t
    GROUP BY t.relation_id, t.table_owner
  LOOP
    v_relations := v_relations || v_trigger.relation_id;
    IF v_trigger.functions IS NOT NULL THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_trigger.functions, v_trigger.table_owner);
    END IF;
  END LOOP;
  RETURN v_relations;
END
$_let_owners_make_triggers$;
COMMENT ON FUNCTION pgtrack._let_owners_make_triggers(integer[]) IS
  'Lets the owners of tables make the triggers that are missing there. Returns the relations whose triggers have to change.';
