-- DDL by anybody is followed. What belongs to pg_track is changed as its owner (SECURITY DEFINER); what belongs to the
-- table, its triggers and rights, as whoever runs the command. So one command fires three event triggers, in the order
-- of their names: pgtrack_ddl, pgtrack_ddl_triggers, pgtrack_ddl_triggers_made. The first tells the others in the setting
-- pgtrack.altered which relations have something to be done; nobody else runs between them.
-- Commands on our own objects are known by these, not by a setting, which a client could set.

-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the query text says.
CREATE OR REPLACE FUNCTION pgtrack._step_aside(p_context text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = on AS $_step_aside$
DECLARE
  v_table     regclass;
  v_member    regclass;
  v_trigger   name;
  v_is_named  boolean;
  v_timeout   text := current_setting('lock_timeout');
  v_text      text;
  v_events    text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  -- Our own ALTER TABLE, while a table is followed or its triggers are made, retypes and drops no column of it.
  IF p_context ~ '\mpgtrack\._(on_ddl|generate_triggers)\(' THEN
    RETURN;
  END IF;
  -- Of a command in a function the context has the text.
  v_text := concat_ws(E'\n', current_query(), p_context);
  IF v_text !~* '\m(type|drop)\M' THEN
    RETURN;
  END IF;
  v_events := pgtrack._silence_event_triggers();
  FOR v_table, v_member, v_trigger, v_is_named IN
    SELECT r.relid, m.relid, t.tgname,
           v_text ~* format('alter\s+table\s+(if\s+exists\s+)?(only\s+)?([^[:space:]]+\.)?"?%s($|[^[:alnum:]_$])', n.name)
    FROM pgtrack.relation r
    JOIN pg_class c ON c.oid = r.relid
    CROSS JOIN LATERAL pgtrack._members(r.relid) m
    JOIN pg_trigger t ON t.tgrelid = m.relid AND t.tgname IN ('pgtrack_key', '!pgtrack_key')
    JOIN pg_class l ON l.oid = m.relid AND pg_has_role(current_user, l.relowner, 'USAGE')
    -- As a whole word, quoted or not.
    -- Of a typed table the type may be named.
    CROSS JOIN LATERAL (SELECT format('(%s)', string_agg(regexp_replace(replace(x, '"', '""'), '([^[:alnum:]_])', '\\\1', 'g'), '|')) AS name
                        FROM unnest(ARRAY[c.relname, (SELECT y.typname FROM pg_type y WHERE y.oid = c.reloftype)]) x WHERE x IS NOT NULL) n
    WHERE v_text ~* format('(^|[^[:alnum:]_$])%s($|[^[:alnum:]_$])', n.name)
      AND pg_has_role(current_user, c.relowner, 'USAGE')
  LOOP
    -- One that the command names is waited for as the command itself would do; of another the text may only speak.
    PERFORM set_config('lock_timeout', CASE WHEN v_is_named THEN v_timeout ELSE '200ms' END, true);
    BEGIN
      -- In the order of writers: a partitioned table before its partitions.
      IF v_member <> v_table THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_table);
      END IF;
      PERFORM pgtrack._execute(format('DROP TRIGGER %I ON %s', v_trigger, v_member));
    EXCEPTION WHEN lock_not_available THEN
      IF v_is_named THEN
        RAISE;
      END IF;
      CONTINUE;
    END;
    PERFORM set_config('pgtrack.stepped_aside', concat_ws(' ', current_setting('pgtrack.stepped_aside'), v_table::oid), true);
  END LOOP;
  PERFORM set_config('lock_timeout', v_timeout, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_step_aside$;
COMMENT ON FUNCTION pgtrack._step_aside(text) IS 'Does the work of pgtrack._before_ddl().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql AS $_before_ddl$
DECLARE
  v_context  text;
BEGIN
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  IF pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._step_aside(v_context);
  END IF;
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE, as whoever runs that.';

-- The event does not say which table it is about. What somebody else is just changing is followed by them, or later.
CREATE OR REPLACE FUNCTION pgtrack._follow_rights() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $_follow_rights$
DECLARE
  v_relation  integer;
BEGIN
  FOR v_relation IN SELECT r FROM pgtrack._relations_with_other_rights() r LOOP
    BEGIN
      PERFORM pgtrack._sync_rights(v_relation);
    -- "tuple concurrently updated" is an internal error.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR internal_error THEN
      RAISE DEBUG '%', SQLERRM;
    END;
  END LOOP;
END
$_follow_rights$;
COMMENT ON FUNCTION pgtrack._follow_rights() IS 'Lets those read histories who may read their tables, after a command that changed rights.';

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
    v_altered := v_altered || v_relation.relation_id;
    BEGIN
      PERFORM pgtrack._follow_relation(v_relation.relation_id);
    EXCEPTION WHEN lock_not_available THEN
      -- Somebody reads the history, for who knows how long. The next write follows, or pgtrack.follow_ddl(); but not what
      -- does not fit into it: as for readers of the table, that is waited for.
      IF NOT pgtrack._fits_history(v_relation.relation_id) THEN
        PERFORM pgtrack._follow_shape(v_relation.relation_id);
      END IF;
    WHEN insufficient_privilege OR feature_not_supported THEN
      RAISE WARNING 'the history of % cannot follow: %', pgtrack._name(v_relation.relid), SQLERRM USING
        HINT = format('Grant that to %I, then SELECT * FROM pgtrack.track(%L, %L).', current_user, pgtrack._name(v_relation.relid), v_relation.options);
    END;
  END LOOP;
  v_altered := v_altered || ARRAY(
    SELECT e.relation_id FROM pgtrack._new_tables(p_tables) n
    CROSS JOIN LATERAL pgtrack._enroll(n.relid, pgtrack._options_for(n.relid, n.options, false)) e);
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

CREATE OR REPLACE FUNCTION pgtrack._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
SET jit = off SET enable_nestloop = on SET plan_cache_mode = force_generic_plan AS $_on_ddl$
DECLARE
  v_tables   regclass[];
  v_altered  integer[] := '{}';
  v_events   text;
BEGIN
  IF TG_TAG IN ('GRANT', 'REVOKE', 'DROP OWNED') THEN
    PERFORM pgtrack._follow_rights()
    WHERE TG_TAG = 'DROP OWNED' OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.object_type = 'TABLE' AND NOT d.in_extension);
    RETURN;
  END IF;
  v_tables := pgtrack._outside_extension(pgtrack._tables_of_ddl());
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  IF v_tables <> '{}' OR TG_TAG IN ('ALTER SCHEMA', 'CREATE SCHEMA', 'CREATE EXTENSION', 'ALTER EXTENSION') THEN
    v_events := pgtrack._silence_event_triggers();
    IF TG_TAG = 'ALTER SCHEMA' THEN
      -- After those who are reading rows of its tables by their names (_prepare_to_read), for as long as it takes.
      PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (v_tables) FOR UPDATE;
    END IF;
    PERFORM pgtrack._follow_schemas() WHERE TG_TAG IN ('ALTER SCHEMA', 'CREATE SCHEMA');
    PERFORM pgtrack._follow_rights() WHERE TG_TAG LIKE '% EXTENSION';
    IF v_tables <> '{}' THEN
      v_altered := pgtrack._follow_tables(v_tables);
    END IF;
    PERFORM pgtrack._let_event_triggers_fire(v_events);
  END IF;
  PERFORM set_config('pgtrack.altered', array_to_string(v_altered, ' '), true);
END
$_on_ddl$;
COMMENT ON FUNCTION pgtrack._on_ddl() IS
  'Follows DDL on tracked tables, their partitions, indexes, triggers, trigger functions and rights. SECURITY DEFINER: whoever alters a table needs no rights on pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._mend_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
SET jit = off SET enable_nestloop = on SET plan_cache_mode = force_generic_plan AS $_mend_triggers$
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
    IF v_relation.tracked_until IS NULL THEN
      PERFORM pgtrack._let_owner_read(v_relation.relid);
      PERFORM pgtrack._generate_triggers(v_relation.relation_id, false);
    ELSE
      PERFORM pgtrack._drop_triggers(v_relation.relation_id);
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

CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers_made() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = on AS $_on_ddl_triggers_made$
DECLARE
  v_altered   text[] := string_to_array(nullif(current_setting('pgtrack.altered', true), ''), ' ');
  v_function  record;
  v_events    text;
BEGIN
  IF v_altered IS NULL THEN
    RETURN;
  END IF;
  PERFORM set_config('pgtrack.altered', '', true);
  v_events := pgtrack._silence_event_triggers();
  FOR v_function IN
    SELECT p.oid::regprocedure AS signature, pg_get_userbyid(a.grantee) AS grantee
    FROM (SELECT g.function_name FROM pgtrack.generated g WHERE g.relation_id = ANY (v_altered::integer[]) UNION ALL SELECT 'open') f
    JOIN pg_proc p ON p.proname = f.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
    CROSS JOIN LATERAL aclexplode(p.proacl) a
    WHERE a.grantee <> p.proowner AND a.grantee <> 0
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', v_function.signature, v_function.grantee);
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
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
    SELECT r.relation_id, t.function, pg_get_userbyid((SELECT c.relowner FROM pg_class c WHERE c.oid = t.relid)) AS table_owner,
           to_regproc('pgtrack_history.' || quote_ident(t.function))::regprocedure AS signature
    FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._trigger_changes(r.relation_id) t
    WHERE r.relation_id = ANY (p_relations) AND r.tracked_until IS NULL
  LOOP
    v_relations := v_relations || v_trigger.relation_id;
    IF v_trigger.signature IS NOT NULL AND NOT has_function_privilege(v_trigger.table_owner, v_trigger.signature, 'EXECUTE') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_trigger.signature, v_trigger.table_owner);
    END IF;
  END LOOP;
  RETURN v_relations;
END
$_let_owners_make_triggers$;
COMMENT ON FUNCTION pgtrack._let_owners_make_triggers(integer[]) IS
  'Lets the owners of tables make the triggers that are missing there. Returns the relations whose triggers have to change.';
