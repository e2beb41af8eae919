-- SECURITY DEFINER: whoever alters a tracked table needs no rights on pg_track.

-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the query text says.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_before_ddl$
DECLARE
  v_table    regclass;
  v_trigger  name;
BEGIN
  -- Our own DDL retypes and drops no column of a tracked table.
  IF current_setting('pgtrack.following', true) = 'on' OR current_query() !~* '\m(type|drop)\M' THEN
    RETURN;
  END IF;
  FOR v_table, v_trigger IN
    SELECT r.relid, t.tgname
    FROM pgtrack.relation r
    JOIN pg_class c ON c.oid = r.relid
    JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname IN ('pgtrack_key', '!pgtrack_key')
    WHERE strpos(lower(current_query()), lower(replace(c.relname, '"', '""'))) > 0
      AND pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user), c.relowner, 'USAGE')
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, v_table);
  END LOOP;
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE.';
REVOKE ALL ON FUNCTION pgtrack._before_ddl() FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrack._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_on_ddl$
DECLARE
  v_relation  pgtrack.relation;
  v_new       record;
  v_reason    text;
BEGIN
  -- Our own DDL is not news.
  IF current_setting('pgtrack.following', true) = 'on' THEN
    RETURN;
  END IF;
  PERFORM set_config('pgtrack.following', 'on', true);
  FOR v_relation IN
    WITH altered AS (
      -- A trigger's, an index's or a trigger function's command names that object, not its table.
      SELECT coalesce(t.tgrelid, i.indrelid, f.tgrelid, d.objid) AS relid
      FROM pg_event_trigger_ddl_commands() d
      LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
      LEFT JOIN pg_index i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
      LEFT JOIN pg_trigger f ON d.classid = 'pg_proc'::regclass AND f.tgfoid = d.objid
      LEFT JOIN pg_proc p ON p.oid = coalesce(t.tgfoid, f.tgfoid)
      WHERE d.classid IN ('pg_class'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass)
        AND p.pronamespace IS DISTINCT FROM 'pgtrack_history'::regnamespace
    ), concerned AS (
      SELECT a.relid FROM altered a
      UNION SELECT pg_partition_root(c.oid) FROM altered a JOIN pg_class c ON c.oid = a.relid AND (c.relispartition OR c.relkind = 'p')
      UNION SELECT i.inhparent FROM altered a JOIN pg_inherits i ON i.inhrelid = a.relid
      -- Tables whose trigger for key changes has stepped aside.
      UNION SELECT s.relid FROM pgtrack.relation s JOIN pg_class c ON c.oid = s.relid
      WHERE s.key_columns <> '{}' AND c.relkind <> 'p'
        AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = s.relid AND t.tgname IN ('pgtrack_key', '!pgtrack_key'))
    )
    SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL AND r.relid IN (SELECT c.relid FROM concerned c)
  LOOP
    UPDATE pgtrack.relation r SET schema_name = n.nspname, table_name = c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.relation_id = v_relation.relation_id AND c.oid = r.relid
      AND (r.schema_name <> n.nspname OR r.table_name <> c.relname);
    v_reason := pgtrack._reason_not_to_track(v_relation.relid);
    IF v_reason IS NULL THEN
      PERFORM pgtrack._sync(v_relation.relation_id);
      PERFORM pgtrack._generate_triggers(v_relation.relation_id, false);
    ELSE
      RAISE WARNING '% is no longer tracked: %', pgtrack._name(v_relation.relid), v_reason USING
        HINT = 'Its history stays.';
      PERFORM pgtrack._drop_triggers(v_relation.relation_id);
      UPDATE pgtrack.relation SET tracked_until = clock_timestamp() WHERE relation_id = v_relation.relation_id;
    END IF;
  END LOOP;
  -- Tables that are new in a tracked schema. One that was untracked by itself stays so.
  FOR v_new IN
    SELECT c.oid AS relid, s.options
    FROM pg_event_trigger_ddl_commands() d
    JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
    WHERE pgtrack._reason_not_to_track(c.oid) IS NULL AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
  LOOP
    PERFORM pgtrack._track_table(v_new.relid, pgtrack._options_for(v_new.relid, v_new.options, false));
    PERFORM set_config('pgtrack.following', 'on', true);
  END LOOP;
  -- A table that became a partition has given its triggers to the root's.
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid WHERE r.tracked_until IS NULL AND c.relispartition
  LOOP
    PERFORM pgtrack._drop_triggers(v_relation.relation_id);
    UPDATE pgtrack.relation SET tracked_until = clock_timestamp() WHERE relation_id = v_relation.relation_id;
  END LOOP;
  PERFORM set_config('pgtrack.following', '', true);
END
$_on_ddl$;
COMMENT ON FUNCTION pgtrack._on_ddl() IS 'Follows DDL on tracked tables, their partitions, indexes, triggers and trigger functions.';
REVOKE ALL ON FUNCTION pgtrack._on_ddl() FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgtrack._refuse_drop(p_relation integer, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_drop$
DECLARE
  v_name  text := (SELECT format('%I.%I', r.schema_name, r.table_name) FROM pgtrack.relation r WHERE r.relation_id = p_relation);
BEGIN
  RAISE EXCEPTION 'cannot % %: it is tracked with on_drop "refuse"', p_what, v_name USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = 'Its present rows are in no history.',
    HINT = format('SELECT pgtrack.keep(%L) saves them; then allow it: SELECT pgtrack.track(%1$L, ''{"on_drop": "allow"}'').', v_name);
END
$_refuse_drop$;
COMMENT ON FUNCTION pgtrack._refuse_drop(integer, text) IS 'Refuses DDL that would lose rows or values of a protected table.';

CREATE OR REPLACE FUNCTION pgtrack._on_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_on_drop$
DECLARE
  v_dropped  record;
BEGIN
  FOR v_dropped IN
    SELECT r.relation_id, r.relid = d.objid AS is_table, r.options ->> 'on_drop' AS on_drop,
           CASE WHEN d.objsubid > 0 THEN format('drop column %I of', d.address_names[3])
                WHEN r.relid = d.objid THEN 'drop' ELSE format('drop partition %s of', d.object_identity) END AS what,
           d.objsubid > 0 AS is_column, p.oid::regprocedure AS recorder
    FROM pg_event_trigger_dropped_objects() d
    -- A partition is known by the function that records its TRUNCATE.
    LEFT JOIN pg_proc p ON p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname ~ format('^record_truncate_\d+_%s$', d.objid)
    JOIN pgtrack.relation r ON r.relid = d.objid OR r.relation_id = split_part(p.proname, '_', 3)::integer
    WHERE d.classid = 'pg_class'::regclass AND r.tracked_until IS NULL
    ORDER BY d.objsubid
  LOOP
    IF v_dropped.on_drop = 'refuse' THEN
      PERFORM pgtrack._refuse_drop(v_dropped.relation_id, v_dropped.what);
    ELSIF v_dropped.recorder IS NOT NULL AND NOT v_dropped.is_column THEN
      EXECUTE format('DROP FUNCTION %s', v_dropped.recorder);
    END IF;
  END LOOP;
  UPDATE pgtrack.relation r SET relid = NULL, tracked_until = coalesce(r.tracked_until, clock_timestamp())
  FROM pg_event_trigger_dropped_objects() d
  WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND r.relid = d.objid;
END
$_on_drop$;
COMMENT ON FUNCTION pgtrack._on_drop() IS 'Notes that a tracked table was dropped, or refuses it; its history stays.';
REVOKE ALL ON FUNCTION pgtrack._on_drop() FROM PUBLIC;

DO $event_triggers$
BEGIN
  -- Only superusers may create event triggers. Without them, pgtrack.follow_ddl() finds what they would have told.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    DROP EVENT TRIGGER IF EXISTS pgtrack_before_ddl;
    CREATE EVENT TRIGGER pgtrack_before_ddl ON ddl_command_start
      WHEN TAG IN ('ALTER TABLE')
      EXECUTE FUNCTION pgtrack._before_ddl();
    COMMENT ON EVENT TRIGGER pgtrack_before_ddl IS 'Takes the triggers for key changes out of the way of ALTER TABLE.';
    DROP EVENT TRIGGER IF EXISTS pgtrack_ddl;
    CREATE EVENT TRIGGER pgtrack_ddl ON ddl_command_end
      WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE FOREIGN TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE INDEX',
                   'CREATE FUNCTION', 'ALTER FUNCTION')
      EXECUTE FUNCTION pgtrack._on_ddl();
    COMMENT ON EVENT TRIGGER pgtrack_ddl IS 'Follows DDL on tracked tables.';
    DROP EVENT TRIGGER IF EXISTS pgtrack_drop;
    CREATE EVENT TRIGGER pgtrack_drop ON sql_drop
      EXECUTE FUNCTION pgtrack._on_drop();
    COMMENT ON EVENT TRIGGER pgtrack_drop IS 'Notes dropped tables.';
  END IF;
END
$event_triggers$;
