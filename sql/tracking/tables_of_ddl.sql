-- Which tables a command is about

-- Schemas, types and extensions are what tables lie in, are made of, and belong to.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_others() RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_others$
BEGIN
  RETURN ARRAY(
    SELECT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON d.classid = 'pg_namespace'::regclass AND c.relnamespace = d.objid
    WHERE c.relispartition OR c.oid IN (SELECT r.relid FROM pgtrack.relation r)
    UNION ALL
    SELECT e.objid FROM pg_event_trigger_ddl_commands() d
    JOIN pg_depend e ON d.classid = 'pg_extension'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid
      AND e.classid = 'pg_class'::regclass AND e.deptype = 'e'
    UNION ALL
    -- A type that is called otherwise now, or found elsewhere, is so in what was generated. So are arrays of it, and domains.
    SELECT u.objid
    FROM (WITH RECURSIVE touched (type) AS (
            SELECT t.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_type t
              ON d.classid = 'pg_namespace'::regclass AND t.typnamespace = d.objid OR d.classid = 'pg_type'::regclass AND t.oid = d.objid
            UNION
            SELECT e.objid FROM pg_event_trigger_ddl_commands() d
            JOIN pg_depend e ON d.classid = 'pg_extension'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid
              AND e.classid = 'pg_type'::regclass AND e.deptype = 'e'
            UNION
            SELECT e.objid FROM touched t
            JOIN pg_depend e ON e.refclassid = 'pg_type'::regclass AND e.refobjid = t.type AND e.classid = 'pg_type'::regclass)
          SELECT t.type FROM touched t) t
    JOIN pg_depend u ON u.refclassid = 'pg_type'::regclass AND u.refobjid = t.type AND u.classid = 'pg_class'::regclass
    JOIN pgtrack.relation r ON r.relid = u.objid);
END
$_tables_of_others$;
COMMENT ON FUNCTION pgtrack._tables_of_others() IS 'In an event trigger: the tables that a command about a schema, a type or an extension concerns.';

-- Anybody can write the setting: the trigger is gone, under a lock of this session.
CREATE OR REPLACE FUNCTION pgtrack._stepped_aside() RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stepped_aside$
BEGIN
  RETURN ARRAY(
    SELECT r.relid::oid
    FROM regexp_matches(current_setting('pgtrack.stepped_aside', true), $r$\m\d{1,10}\M$r$, 'g') a
    -- OFFSET 0: what follows is asked of these tables alone.
    CROSS JOIN LATERAL (SELECT r.relid FROM pgtrack.relation r WHERE r.relid = least(a[1]::bigint, 4294967295)::oid OFFSET 0) r
    WHERE EXISTS (SELECT FROM pgtrack._members(r.relid) m WHERE m.is_leaf AND NOT EXISTS (
                    SELECT FROM pg_trigger t WHERE t.tgrelid = m.relid AND t.tgname IN ('pgtrack_key', '!pgtrack_key')))
      AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = r.relid AND l.mode = 'AccessExclusiveLock' AND l.granted));
END
$_stepped_aside$;
COMMENT ON FUNCTION pgtrack._stepped_aside() IS 'The tables whose trigger for key changes has made way for the command that has just ended.';

-- In PL/pgSQL, which keeps its plans.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_ddl() RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_ddl$
DECLARE
  v_altered  oid[];
BEGIN
  v_altered := ARRAY(
    -- A trigger's, an index's or a trigger function's command names that object, not its table.
    SELECT x.relid
    FROM pg_event_trigger_ddl_commands() d
    -- Looked up one by one, by the catalogs' indexes: each of them may be large.
    CROSS JOIN LATERAL (
      SELECT coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = d.objid), d.objid) WHERE d.classid = 'pg_class'::regclass
      UNION ALL
      SELECT t.tgrelid FROM pg_trigger t
      WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
        AND (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = t.tgfoid) <> 'pgtrack_history'::regnamespace
      UNION ALL
      SELECT (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = e.objid) FROM pg_depend e
      WHERE d.classid = 'pg_proc'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid AND e.classid = 'pg_trigger'::regclass
      OFFSET 0) AS x (relid)
    WHERE d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack');
  -- Typed tables are altered with their type.
  v_altered := v_altered || ARRAY(
    SELECT e.objid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'c'
    JOIN pg_depend e ON e.refclassid = 'pg_type'::regclass AND e.refobjid = c.reltype AND e.classid = 'pg_class'::regclass AND e.objsubid = 0);
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.classid IN ('pg_namespace'::regclass, 'pg_type'::regclass, 'pg_extension'::regclass)) THEN
    v_altered := v_altered || pgtrack._tables_of_others();
  END IF;
  IF coalesce(current_setting('pgtrack.stepped_aside', true), '') <> '' THEN
    v_altered := v_altered || pgtrack._stepped_aside();
  END IF;
  IF v_altered = '{}' THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(
    SELECT c.oid::regclass FROM pg_class c WHERE c.oid = ANY (v_altered)
    UNION SELECT pg_partition_root(c.oid) FROM pg_class c WHERE c.oid = ANY (v_altered) AND (c.relispartition OR c.relkind = 'p')
    -- A table that became a partition gives its triggers to the root's.
    UNION SELECT r.relid FROM pg_class c CROSS JOIN LATERAL pgtrack._members(c.oid) m JOIN pgtrack.relation r ON r.relid = m.relid
          WHERE c.oid = ANY (v_altered) AND c.relkind = 'p'
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
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_new_tables$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT c.oid::regclass, s.options
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
  WHERE c.oid = ANY (p_tables) AND c.relkind IN ('r', 'p')
    AND pgtrack._reason_not_to_track(c.oid) IS NULL
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
    -- Nor one that recover() is just making.
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.tracked_until = 'infinity' AND r.schema_name = n.nspname AND r.table_name = c.relname)
  ORDER BY c.relname;
END
$_new_tables$;
COMMENT ON FUNCTION pgtrack._new_tables(regclass[]) IS 'Those of some tables that are to be tracked because their schema is, with the options.';

-- A partition that was detached, or what became the root of its own partitions by that, still has the triggers of its
-- former root. It goes on with that table's options, as its rows may be what they are about.
CREATE OR REPLACE FUNCTION pgtrack._former_partitions(p_relation integer) RETURNS TABLE (relid regclass, options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_former_partitions$
#variable_conflict use_column
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack.relation r JOIN pg_class t ON t.oid = r.relid WHERE r.relation_id = p_relation AND t.relkind = 'p') THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT x.relid, CASE WHEN s.schema_name IS NOT NULL THEN r.options END
  FROM pgtrack.relation r
  CROSS JOIN LATERAL (
    SELECT DISTINCT coalesce(pg_partition_root(p.relid), p.relid) AS relid FROM pgtrack._present_triggers(r.relation_id) p) x
  JOIN pg_class c ON c.oid = x.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
  WHERE r.relation_id = p_relation AND r.tracked_until IS NULL AND x.relid <> r.relid AND pgtrack._reason_not_to_track(x.relid) IS NULL
    AND NOT EXISTS (SELECT FROM pgtrack.relation o WHERE o.relid = x.relid AND o.tracked_until IS NULL);
END
$_former_partitions$;
COMMENT ON FUNCTION pgtrack._former_partitions(integer) IS
  'Tables that were partitions of a tracked one and are tracked no more, with its options; null where their schema is not tracked.';

-- The command has been done: what cannot be tracked is no reason to refuse it.
CREATE OR REPLACE FUNCTION pgtrack._enroll_or_warn(p_table regclass, p_options jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_enroll_or_warn$
DECLARE
  v_reason  text := 'it is no partition any more, and its schema is not tracked';
BEGIN
  IF p_options IS NOT NULL THEN
    BEGIN
      RETURN (SELECT e.relation_id FROM pgtrack._enroll(p_table, pgtrack._options_for(p_table, p_options, false)) e);
    EXCEPTION WHEN lock_not_available OR invalid_parameter_value OR feature_not_supported OR program_limit_exceeded OR insufficient_privilege THEN
      v_reason := SQLERRM;
    END;
  END IF;
  RAISE WARNING '% is not tracked: %', pgtrack._name(p_table), v_reason USING
    HINT = format('SELECT * FROM pgtrack.track(%L) tracks it.', pgtrack._name(p_table));
  RETURN NULL;
END
$_enroll_or_warn$;
COMMENT ON FUNCTION pgtrack._enroll_or_warn(regclass, jsonb) IS
  'Begins the history of a table after somebody''s command, with options, and returns its number; null if it cannot, or has no options.';

-- A schema that was renamed goes on being tracked under its new name. One that is dropped and made again is tracked as before.
CREATE OR REPLACE FUNCTION pgtrack._follow_schemas() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  UPDATE pgtrack.tracked_schema s SET schema_name = x.new_name
  FROM (SELECT DISTINCT r.schema_name AS old_name, n.nspname AS new_name, pgtrack._identity(n.oid) AS identity
        FROM pg_event_trigger_ddl_commands() d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
        LEFT JOIN pg_class c ON c.relnamespace = n.oid LEFT JOIN pgtrack.relation r ON r.relid = c.oid) x
  -- A table's former schema is not followed everywhere; one that is still there was not renamed.
  WHERE (s.schema_name = x.old_name OR s.identity = x.identity) AND NOT EXISTS (SELECT FROM pg_namespace o WHERE o.nspname = s.schema_name)
    AND NOT EXISTS (SELECT FROM pgtrack.tracked_schema o WHERE o.schema_name = x.new_name);
  UPDATE pgtrack.tracked_schema s SET identity = pgtrack._identity(n.oid)
  FROM pg_event_trigger_ddl_commands() d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
  WHERE s.schema_name = n.nspname AND s.identity IS DISTINCT FROM pgtrack._identity(n.oid);
END;
COMMENT ON FUNCTION pgtrack._follow_schemas() IS 'In an event trigger: gives tracked schemas the names that they have now.';
