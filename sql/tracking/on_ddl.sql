-- DDL by anybody is followed. What belongs to pg_track is changed as its owner (SECURITY DEFINER); what belongs to the
-- table, its triggers and rights, as whoever runs the command. So one command fires three event triggers, in the order
-- of their names: pgtrack_ddl, pgtrack_ddl_triggers, pgtrack_ddl_triggers_made. The first tells the others in the setting
-- pgtrack.altered which relations have something to be done; nobody else runs between them.
-- Commands on our own objects are known by these, not by a setting, which a client could set.

-- The event does not say which table it is about. What somebody else is just changing is followed by them, or later.
CREATE OR REPLACE FUNCTION pgtrack._follow_rights() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $_follow_rights$
DECLARE
  v_relation  integer;
  v_events    text;
BEGIN
  FOR v_relation IN SELECT r FROM pgtrack._relations_with_other_rights() r LOOP
    BEGIN
      v_events := pgtrack._silence_event_triggers();
      PERFORM pgtrack._sync_rights(v_relation);
      PERFORM pgtrack._let_event_triggers_fire(v_events);
    -- "tuple concurrently updated" is an internal error.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR internal_error THEN
      RAISE DEBUG '%', SQLERRM;
    END;
  END LOOP;
END
$_follow_rights$;
COMMENT ON FUNCTION pgtrack._follow_rights() IS 'Lets those read histories who may read their tables, after a command that changed rights.';

-- What a command only concerns, as its trigger function or type, it does not lock. Where somebody else is just changing that, it
-- is left to them, or to follow_ddl(): they may not end for long.
CREATE OR REPLACE FUNCTION pgtrack._follow_or_leave(p_relation pgtrack.relation) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_or_leave$
BEGIN
  FOR attempt IN 1 .. 2 LOOP
    BEGIN
      PERFORM pgtrack._follow_relation(p_relation.relation_id);
      RETURN true;
    EXCEPTION WHEN lock_not_available THEN
      -- Somebody reads the history, for who knows how long. The next write follows, or pgtrack.follow_ddl(); but not what
      -- does not fit into it: as for readers of the table, that is waited for.
      IF NOT pgtrack._fits_history(p_relation.relation_id) THEN
        PERFORM pgtrack._follow_shape(p_relation.relation_id);
        RETURN true;
      END IF;
      PERFORM FROM pgtrack.relation r WHERE r.relation_id = p_relation.relation_id FOR NO KEY UPDATE SKIP LOCKED;
      IF FOUND OR NOT EXISTS (SELECT FROM pgtrack._trigger_changes(p_relation.relation_id)) THEN
        RETURN true;
      ELSIF NOT EXISTS (SELECT FROM pg_locks l
                        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = p_relation.relid AND l.granted
                          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) THEN
        RETURN false;
      END IF;
      PERFORM pgtrack._lock_relation(p_relation.relation_id);
    END;
  END LOOP;
  RETURN true;
END
$_follow_or_leave$;
COMMENT ON FUNCTION pgtrack._follow_or_leave(pgtrack.relation) IS
  'Brings the history of a table in step with it, now or later; false if its triggers, too, are left to somebody else.';

CREATE OR REPLACE FUNCTION pgtrack._follow_tables(p_tables regclass[]) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_tables$
DECLARE
  v_relation  pgtrack.relation;
  v_altered   integer[] := '{}';
BEGIN
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.tracked_until IS NULL AND r.relid = ANY (p_tables)
    ORDER BY c.relispartition DESC
  LOOP
    BEGIN
      IF NOT pgtrack._follow_or_leave(v_relation) THEN
        CONTINUE;
      END IF;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN
      RAISE WARNING 'the history of % cannot follow: %', pgtrack._name(v_relation.relid), SQLERRM USING
        HINT = format('Grant that to %I, then SELECT * FROM pgtrack.track(%L, %L).', current_user, pgtrack._name(v_relation.relid), v_relation.options);
    END;
    v_altered := v_altered || v_relation.relation_id;
  END LOOP;
  v_altered := v_altered || ARRAY(
    SELECT e FROM unnest(v_altered) a CROSS JOIN LATERAL pgtrack._former_partitions(a) f
    CROSS JOIN LATERAL pgtrack._enroll_or_warn(f.relid, f.options) e WHERE e IS NOT NULL);
  v_altered := v_altered || ARRAY(
    SELECT e FROM pgtrack._new_tables(p_tables) n CROSS JOIN LATERAL pgtrack._enroll_or_warn(n.relid, n.options) e WHERE e IS NOT NULL);
  RETURN pgtrack._let_owners_make_triggers(v_altered)
    || ARRAY(SELECT r.relation_id FROM pgtrack.relation r
             WHERE r.relation_id = ANY (v_altered) AND (r.tracked_until IS NOT NULL OR EXISTS (SELECT FROM pgtrack._rights_to_read(r.relid))));
END
$_follow_tables$;
COMMENT ON FUNCTION pgtrack._follow_tables(regclass[]) IS
  'Brings the history of tables in step with them, and begins that of new ones. Returns the relations whose triggers have to change.';

-- What a script of an extension makes or replaces belongs to the extension, and it may replace nothing else. So its tables
-- are followed when CREATE or ALTER EXTENSION is over. Which ones stands in a setting, sealed.
CREATE OR REPLACE FUNCTION pgtrack._outside_extension(p_tables regclass[]) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_outside_extension$
DECLARE
  v_put_off  regclass[] := string_to_array(pgtrack._unsealed('extension', nullif(current_setting('pgtrack.extension', true), '')), ' ')::oid[]::regclass[];
BEGIN
  -- While pg_track itself is made as an extension, there is no key to seal with, nor anything that is tracked.
  IF NOT EXISTS (SELECT FROM pgtrack.secret) THEN
    RETURN '{}';
  END IF;
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.in_extension) THEN
    PERFORM set_config('pgtrack.extension', pgtrack._sealed('extension', array_to_string((p_tables || v_put_off)::oid[], ' ')), true);
    RETURN '{}';
  ELSIF v_put_off IS NOT NULL THEN
    PERFORM set_config('pgtrack.extension', '', true);
  END IF;
  RETURN p_tables || v_put_off;
END
$_outside_extension$;
COMMENT ON FUNCTION pgtrack._outside_extension(regclass[]) IS 'In an event trigger: the tables to follow now; of an extension''s script none, and all when it is over.';

-- An index or a comment is no part of what is generated, and of a trigger function only which triggers are wanted because
-- of it; but their table may have changed before.
CREATE OR REPLACE FUNCTION pgtrack._to_follow(p_tables regclass[]) RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_to_follow$
BEGIN
  RETURN ARRAY(
    SELECT t FROM unnest(p_tables) t LEFT JOIN pgtrack.relation r ON r.relid = t AND r.tracked_until IS NULL
    WHERE r.relid IS NULL OR pgtrack._problem(r) IS NOT NULL);
END
$_to_follow$;
COMMENT ON FUNCTION pgtrack._to_follow(regclass[]) IS 'Those of some tables that are not tracked, or not as they are now.';

-- Those who read rows of its tables by their names (_prepare_to_read) go first, for as long as it takes. Meanwhile nothing is
-- held that others want: whoever truncates another of the tables does not wait, too. At last all are held at once.
CREATE OR REPLACE FUNCTION pgtrack._await_readers(p_tables regclass[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_await_readers$
DECLARE
  v_relation  integer;
BEGIN
  FOR attempt IN 1 .. 10 LOOP
    BEGIN
      PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) FOR UPDATE NOWAIT;
      RETURN;
    EXCEPTION WHEN lock_not_available THEN
      RAISE DEBUG '%', SQLERRM;
    END;
    FOR v_relation IN SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) LOOP
      BEGIN
        PERFORM FROM pgtrack.relation r WHERE r.relation_id = v_relation FOR UPDATE;
        RAISE EXCEPTION 'the row is let go';
      EXCEPTION WHEN raise_exception THEN
        RAISE DEBUG '%', SQLERRM;
      END;
    END LOOP;
  END LOOP;
  PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) FOR UPDATE;
END
$_await_readers$;
COMMENT ON FUNCTION pgtrack._await_readers(regclass[]) IS
  'Waits until nobody reads tables by their names any more, and keeps others from it until the transaction ends.';

CREATE OR REPLACE FUNCTION pgtrack._follow_command(p_tag text) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_follow_command$
DECLARE
  v_tables   regclass[] := pgtrack._outside_extension(pgtrack._tables_of_ddl() || pgtrack._written_by_command());
  v_altered  integer[] := '{}';
  v_events   text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  IF p_tag IN ('CREATE INDEX', 'ALTER INDEX', 'COMMENT', 'SECURITY LABEL')
     OR NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.classid <> 'pg_proc'::regclass) THEN
    v_tables := pgtrack._to_follow(v_tables);
  END IF;
  IF v_tables <> '{}' OR p_tag IN ('ALTER SCHEMA', 'CREATE SCHEMA', 'CREATE EXTENSION', 'ALTER EXTENSION') THEN
    v_events := pgtrack._silence_event_triggers();
    IF p_tag = 'ALTER SCHEMA' THEN
      -- Tables that only have types of the schema are read by the same names as before.
      PERFORM pgtrack._await_readers(ARRAY(
        SELECT t FROM unnest(v_tables) t WHERE EXISTS (
          SELECT FROM pgtrack._members(t) m JOIN pg_class c ON c.oid = m.relid
          JOIN pg_event_trigger_ddl_commands() d ON d.classid = 'pg_namespace'::regclass AND d.objid = c.relnamespace)));
    END IF;
    PERFORM pgtrack._follow_schemas() WHERE p_tag IN ('ALTER SCHEMA', 'CREATE SCHEMA');
    PERFORM pgtrack._follow_rights() WHERE p_tag LIKE '% EXTENSION';
    IF v_tables <> '{}' THEN
      v_altered := pgtrack._follow_tables(v_tables);
    END IF;
    PERFORM pgtrack._let_event_triggers_fire(v_events);
  END IF;
  RETURN v_altered;
END
$_follow_command$;
COMMENT ON FUNCTION pgtrack._follow_command(text) IS
  'In an event trigger: follows a command, and returns the relations whose triggers have to change.';

-- Most commands that end here are our own, on our objects or for our triggers: it costs them little. What rights we give
-- ourselves is no news, either; whoever makes up a text that looks like that leaves a right on a history that shows nothing.
CREATE OR REPLACE FUNCTION pgtrack._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $_on_ddl$
DECLARE
  v_altered  text := '';
  v_context  text;
BEGIN
  IF TG_TAG IN ('GRANT', 'REVOKE', 'DROP OWNED') THEN
    GET DIAGNOSTICS v_context = PG_CONTEXT;
    PERFORM pgtrack._follow_rights()
    WHERE v_context !~ $r$^[^\n]*\nSQL statement "[^\n]*"\nPL/pgSQL function pgtrack\._(execute|sync_rights)\($r$
      AND (TG_TAG = 'DROP OWNED' OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.object_type = 'TABLE' AND NOT d.in_extension));
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d
             WHERE d.in_extension OR d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack'
                AND (d.classid <> 'pg_trigger'::regclass OR (
                  SELECT (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = t.tgfoid) FROM pg_trigger t WHERE t.oid = d.objid)
                  IS DISTINCT FROM 'pgtrack_history'::regnamespace))
     OR concat(current_setting('pgtrack.stepped_aside', true), current_setting('pgtrack.extension', true)) <> '' THEN
    v_altered := array_to_string(pgtrack._follow_command(TG_TAG), ' ');
  END IF;
  IF v_altered <> '' OR current_setting('pgtrack.altered', true) <> '' THEN
    PERFORM set_config('pgtrack.altered', v_altered, true);
  END IF;
END
$_on_ddl$;
COMMENT ON FUNCTION pgtrack._on_ddl() IS
  'Follows DDL on tracked tables, their partitions, indexes, triggers, trigger functions and rights. SECURITY DEFINER: whoever alters a table needs no rights on pg_track.';
