-- DDL by anybody is followed. What belongs to pg_track is changed as its owner (SECURITY DEFINER); what belongs to the
-- table, its triggers and rights, as whoever runs the command. So one command fires three event triggers, in the order
-- of their names: pgtrack_ddl, pgtrack_ddl_triggers, pgtrack_ddl_triggers_made. The first tells the others in the setting
-- pgtrack.altered which relations have something to be done; nobody else runs between them.
-- Commands on our own objects are known by these, not by a setting, which a client could set.

-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the query text says.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $_before_ddl$
DECLARE
  v_table     regclass;
  v_member    regclass;
  v_trigger   name;
  v_is_named  boolean;
  v_timeout   text := current_setting('lock_timeout');
  v_context   text;
  v_text      text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  -- Our own ALTER TABLE, while a table is followed or its triggers are made, retypes and drops no column of it.
  IF v_context ~ '\mpgtrack\._(on_ddl|generate_triggers)\(' OR NOT has_schema_privilege('pgtrack', 'USAGE') THEN
    RETURN;
  END IF;
  -- Of a command in a function the context has the text.
  v_text := concat_ws(E'\n', current_query(), v_context);
  IF v_text !~* '\m(type|drop)\M' THEN
    RETURN;
  END IF;
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
      EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, v_member);
    EXCEPTION WHEN lock_not_available THEN
      IF v_is_named THEN
        RAISE;
      END IF;
      CONTINUE;
    END;
    PERFORM set_config('pgtrack.stepped_aside', concat_ws(' ', current_setting('pgtrack.stepped_aside'), v_table::oid), true);
  END LOOP;
  PERFORM set_config('lock_timeout', v_timeout, true);
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE, as whoever runs that.';

-- In PL/pgSQL, which keeps its plans.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_ddl() RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_ddl$
DECLARE
  v_altered  oid[];
BEGIN
  -- Our own commands are most of them.
  IF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d
                 WHERE d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack')
     AND coalesce(current_setting('pgtrack.stepped_aside', true), '') = '' THEN
    RETURN '{}';
  END IF;
  v_altered := ARRAY(
    -- A trigger's, an index's or a trigger function's command names that object, not its table.
    SELECT coalesce(t.tgrelid, i.indrelid, f.tgrelid, d.objid)
    FROM pg_event_trigger_ddl_commands() d
    LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
    LEFT JOIN pg_trigger f ON d.classid = 'pg_proc'::regclass AND f.tgfoid = d.objid
    LEFT JOIN pg_proc p ON p.oid = coalesce(t.tgfoid, f.tgfoid)
    WHERE (d.classid IN ('pg_class'::regclass, 'pg_trigger'::regclass) OR f.oid IS NOT NULL)
      AND p.pronamespace IS DISTINCT FROM 'pgtrack_history'::regnamespace
      AND d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack');
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.classid IN ('pg_namespace'::regclass, 'pg_type'::regclass, 'pg_extension'::regclass)) THEN
    v_altered := v_altered || ARRAY(
    SELECT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON d.classid = 'pg_namespace'::regclass AND c.relnamespace = d.objid
    WHERE c.relispartition OR c.oid IN (SELECT r.relid FROM pgtrack.relation r)
    -- A type that is called otherwise now, or found elsewhere, is so in what was generated.
    UNION ALL
    SELECT r.relid::oid FROM pgtrack.relation r JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum > 0 AND a.atttypid >= 16384
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d
                  WHERE d.classid = 'pg_namespace'::regclass AND d.objid = t.typnamespace
                     OR d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typelem)
                     OR d.classid = 'pg_extension'::regclass AND EXISTS (
                          SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid IN (t.oid, t.typelem)
                          AND e.refclassid = d.classid AND e.refobjid = d.objid AND e.deptype = 'e')));
  END IF;
  -- Those whose trigger has stepped aside. Anybody can write the setting: the trigger is gone, under a lock of this session.
  v_altered := v_altered || ARRAY(
    SELECT r.relid::oid FROM regexp_split_to_table(current_setting('pgtrack.stepped_aside', true), ' ') a JOIN pgtrack.relation r ON r.relid::oid::text = a
    WHERE EXISTS (SELECT FROM pgtrack._members(r.relid) m WHERE m.is_leaf AND NOT EXISTS (
                    SELECT FROM pg_trigger t WHERE t.tgrelid = m.relid AND t.tgname IN ('pgtrack_key', '!pgtrack_key')))
      AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = r.relid AND l.mode = 'AccessExclusiveLock' AND l.granted));
  IF v_altered = '{}' THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(
    SELECT c.oid::regclass FROM pg_class c WHERE c.oid = ANY (v_altered)
    UNION SELECT pg_partition_root(c.oid) FROM pg_class c WHERE c.oid = ANY (v_altered) AND (c.relispartition OR c.relkind = 'p')
    UNION SELECT i.inhparent::regclass FROM pg_inherits i WHERE i.inhrelid = ANY (v_altered)
    -- What is done to a parent is done to those who inherit from it.
    UNION (WITH RECURSIVE child (oid) AS (
             SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = ANY (v_altered)
             UNION SELECT i.inhrelid FROM child JOIN pg_inherits i ON i.inhparent = child.oid)
           SELECT c.oid::regclass FROM child JOIN pg_class c ON c.oid = child.oid WHERE NOT c.relispartition));
END
$_tables_of_ddl$;
COMMENT ON FUNCTION pgtrack._tables_of_ddl() IS 'In an event trigger: the tables that a command concerns, none of them ours.';

-- One that was untracked by itself stays so.
CREATE OR REPLACE FUNCTION pgtrack._new_tables(p_tables regclass[]) RETURNS TABLE (relid regclass, options jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT c.oid::regclass, s.options
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
  WHERE c.oid = ANY (p_tables) AND c.relkind IN ('r', 'p')
    AND pgtrack._reason_not_to_track(c.oid) IS NULL
    -- Nor one that recover() is just making.
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid
                    OR r.tracked_until = 'infinity' AND r.schema_name = n.nspname AND r.table_name = c.relname)
  ORDER BY c.relname;
END;
COMMENT ON FUNCTION pgtrack._new_tables(regclass[]) IS 'Those of some tables that are to be tracked because their schema is, with the options.';

-- A schema that was renamed goes on being tracked under its new name.
CREATE OR REPLACE FUNCTION pgtrack._follow_schemas() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  UPDATE pgtrack.tracked_schema s SET schema_name = x.new_name
  FROM (SELECT DISTINCT r.schema_name AS old_name, n.nspname AS new_name
        FROM pg_event_trigger_ddl_commands() d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
        JOIN pg_class c ON c.relnamespace = n.oid JOIN pgtrack.relation r ON r.relid = c.oid) x
  -- A table's former schema is not followed everywhere; one that is still there was not renamed.
  WHERE s.schema_name = x.old_name AND NOT EXISTS (SELECT FROM pg_namespace o WHERE o.nspname = x.old_name)
    AND NOT EXISTS (SELECT FROM pgtrack.tracked_schema o WHERE o.schema_name = x.new_name);
END;
COMMENT ON FUNCTION pgtrack._follow_schemas() IS 'In an event trigger: gives tracked schemas the names that they have now.';

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

CREATE OR REPLACE FUNCTION pgtrack._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_on_ddl$
DECLARE
  v_tables    regclass[];
  v_relation  pgtrack.relation;
  v_altered   integer[] := '{}';
BEGIN
  IF TG_TAG IN ('GRANT', 'REVOKE', 'DROP OWNED') THEN
    PERFORM pgtrack._follow_rights()
    WHERE TG_TAG = 'DROP OWNED' OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.object_type = 'TABLE');
    RETURN;
  END IF;
  v_tables := pgtrack._tables_of_ddl();
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  IF TG_TAG = 'ALTER SCHEMA' THEN
    -- After those who are reading rows of its tables by their names (_prepare_to_read), for as long as it takes.
    PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (v_tables) FOR UPDATE;
    PERFORM pgtrack._follow_schemas();
  END IF;
  IF v_tables <> '{}' THEN
    -- A table that became a partition gives its triggers to the root's.
    FOR v_relation IN
      SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
      WHERE r.tracked_until IS NULL AND (r.relid = ANY (v_tables) OR c.relispartition)
      ORDER BY c.relispartition DESC
    LOOP
      v_altered := v_altered || v_relation.relation_id;
      BEGIN
        PERFORM pgtrack._follow_relation(v_relation.relation_id);
      -- Somebody reads the history, for who knows how long. The next write follows, or pgtrack.follow_ddl().
      EXCEPTION WHEN lock_not_available THEN
        RAISE DEBUG 'the history of % is in use', pgtrack._name(v_relation.relid);
      WHEN insufficient_privilege THEN
        RAISE WARNING 'the history of % cannot follow: %', pgtrack._name(v_relation.relid), SQLERRM USING
          HINT = format('Grant that to %I, then SELECT * FROM pgtrack.track(%L, %L).', current_user, pgtrack._name(v_relation.relid), v_relation.options);
      END;
    END LOOP;
    v_altered := v_altered || ARRAY(
      SELECT e.relation_id FROM pgtrack._new_tables(v_tables) n
      CROSS JOIN LATERAL pgtrack._enroll(n.relid, pgtrack._options_for(n.relid, n.options, false)) e);
    v_altered := pgtrack._let_owners_make_triggers(v_altered)
      || ARRAY(SELECT r.relation_id FROM pgtrack.relation r
               WHERE r.relation_id = ANY (v_altered) AND (r.tracked_until IS NOT NULL OR EXISTS (SELECT FROM pgtrack._rights_to_read(r.relid))));
  END IF;
  PERFORM set_config('pgtrack.altered', array_to_string(v_altered, ' '), true);
END
$_on_ddl$;
COMMENT ON FUNCTION pgtrack._on_ddl() IS
  'Follows DDL on tracked tables, their partitions, indexes, triggers, trigger functions and rights. SECURITY DEFINER: whoever alters a table needs no rights on pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_on_ddl_triggers$
DECLARE
  v_altered   text[] := string_to_array(nullif(current_setting('pgtrack.altered', true), ''), ' ');
  v_relation  record;
BEGIN
  IF v_altered IS NULL OR NOT has_schema_privilege('pgtrack', 'USAGE') THEN
    RETURN;
  END IF;
  -- The commands of this function end in the same event triggers, which have nothing to do then.
  PERFORM set_config('pgtrack.altered', '', true);
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
  PERFORM set_config('pgtrack.altered', array_to_string(v_altered, ' '), true);
END
$_on_ddl_triggers$;
COMMENT ON FUNCTION pgtrack._on_ddl_triggers() IS 'Brings the triggers of tracked tables in step with them, as whoever runs the command.';

CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers_made() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_on_ddl_triggers_made$
DECLARE
  v_altered   text[] := string_to_array(nullif(current_setting('pgtrack.altered', true), ''), ' ');
  v_function  record;
BEGIN
  IF v_altered IS NULL THEN
    RETURN;
  END IF;
  PERFORM set_config('pgtrack.altered', '', true);
  FOR v_function IN
    SELECT p.oid::regprocedure AS signature, pg_get_userbyid(a.grantee) AS grantee
    FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a
    WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND a.grantee <> p.proowner AND a.grantee <> 0
      AND (p.proname = 'open' OR p.proname IN (SELECT g.function_name FROM pgtrack.generated g WHERE g.relation_id = ANY (v_altered::integer[])))
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', v_function.signature, v_function.grantee);
  END LOOP;
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
    SELECT r.relation_id, t.function, pg_get_userbyid(c.relowner) AS table_owner, p.oid::regprocedure AS signature
    FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._trigger_changes(r.relation_id) t JOIN pg_class c ON c.oid = t.relid
    LEFT JOIN pg_proc p ON p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = t.function
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

DO $event_triggers$
DECLARE
  c_tags CONSTANT  text[] := ARRAY['ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE FOREIGN TABLE', 'CREATE TRIGGER',
                                   'ALTER TRIGGER', 'CREATE INDEX', 'ALTER INDEX', 'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER SCHEMA', 'ALTER TYPE', 'ALTER EXTENSION'];
  v_trigger        record;
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  -- Only superusers may create event triggers. Without them, pgtrack.follow_ddl() finds what they would have told.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    FOR v_trigger IN
      SELECT * FROM (VALUES
        ('pgtrack_before_ddl', 'ddl_command_start', ARRAY['ALTER TABLE', 'ALTER TYPE'], '_before_ddl', 'Takes the triggers for key changes out of the way of ALTER TABLE.'),
        ('pgtrack_ddl', 'ddl_command_end', c_tags || ARRAY['GRANT', 'REVOKE', 'DROP OWNED'], '_on_ddl', 'Follows DDL on tracked tables.'),
        ('pgtrack_ddl_triggers', 'ddl_command_end', c_tags, '_on_ddl_triggers', 'Brings triggers in step with tracked tables.'),
        ('pgtrack_ddl_triggers_made', 'ddl_command_end', c_tags, '_on_ddl_triggers_made', 'Takes back the right to make triggers.'),
        ('pgtrack_drop', 'sql_drop', NULL, '_on_drop', 'Notes dropped tables.')
      ) AS t (name, event, tags, function, comment)
    LOOP
      EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I', v_trigger.name);
      EXECUTE format('CREATE EVENT TRIGGER %I ON %s %s EXECUTE FUNCTION pgtrack.%I()', v_trigger.name, v_trigger.event,
                     'WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(v_trigger.tags) t) || ')', v_trigger.function);
      EXECUTE format('COMMENT ON EVENT TRIGGER %I IS %L', v_trigger.name, v_trigger.comment);
    END LOOP;
  END IF;
  IF current_setting('pgtrack.owner') <> current_user THEN
    PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  END IF;
END
$event_triggers$;
