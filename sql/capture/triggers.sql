-- Row triggers have names that sort before an application's, so that what those change is recorded after its cause.
CREATE OR REPLACE FUNCTION pgtrack._wanted_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_wanted_triggers$
DECLARE
  v_relation  pgtrack.relation;
  v_mode      text;
  v_same_key  text := pgtrack._same_key_sql(p_relation, NULL);
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  v_mode := pgtrack._capture_mode(v_relation.relid, v_relation.options);
  is_always := (v_relation.options ->> 'replica')::boolean;
  IF v_mode = 'row' THEN
    RETURN QUERY
      SELECT v_relation.relid, format('!pgtrack_%s', o)::name, 'AFTER ' || upper(o),
             format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I()', format('record_%s_%s', o, p_relation)), is_always
      FROM unnest('{insert,update,delete}'::text[]) o;
  ELSE
    RETURN QUERY
      SELECT m.relid, format('pgtrack_%s', o.name)::name, 'AFTER ' || upper(o.name),
             format('REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', o.tables, format('record_%s_%s', o.name, p_relation)), is_always
      FROM pgtrack._members(v_relation.relid) m
      CROSS JOIN (VALUES ('insert', 'NEW TABLE AS pgtrack_new'), ('update', 'OLD TABLE AS pgtrack_old'),
                         ('delete', 'OLD TABLE AS pgtrack_old')) AS o (name, tables);
    IF pgtrack._may_nest(v_relation.relid) THEN
      RETURN QUERY
        SELECT m.relid, 'pgtrack_open'::name, 'BEFORE INSERT OR UPDATE OR DELETE',
               format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('open_%s', p_relation)), is_always
        FROM pgtrack._members(v_relation.relid) m;
    END IF;
    -- After pgtrack_update.
    RETURN QUERY
      SELECT m.relid, 'pgtrack_update_key'::name, 'AFTER UPDATE OF ' || (SELECT string_agg(quote_ident(k), ', ') FROM unnest(v_relation.key_columns) k),
             format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('record_key_%s', p_relation)), is_always
      FROM pgtrack._members(v_relation.relid) m WHERE pgtrack._put_first_sql(p_relation, 'U') IS NOT NULL;
  END IF;

  -- PostgreSQL truncates the partitions one by one.
  RETURN QUERY
    SELECT m.relid, 'pgtrack_truncate'::name, 'BEFORE TRUNCATE',
           format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', pgtrack._truncate_recorder(p_relation, m.relid)), is_always
    FROM pgtrack._members(v_relation.relid) m WHERE m.is_leaf;

  -- PostgreSQL parses a WHEN condition anew in every statement that the trigger is for, so statements that do not
  -- set the key are left out, unless a BEFORE trigger may set it in any statement.
  IF v_mode = 'tree' THEN
    RETURN QUERY SELECT m.* FROM pgtrack._move_triggers(p_relation, is_always) m;
  ELSIF v_same_key IS NOT NULL THEN
    RETURN QUERY
      SELECT v_relation.relid, CASE v_mode WHEN 'row' THEN '!pgtrack_key' ELSE 'pgtrack_key' END::name,
             'AFTER UPDATE' || CASE WHEN pgtrack._may_rewrite_rows(v_relation.relid) THEN ''
                                    ELSE (SELECT ' OF ' || string_agg(quote_ident(k), ', ') FROM unnest(v_relation.key_columns) k) END,
             format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I()', v_same_key, format('record_key_%s', p_relation)),
             is_always;
  END IF;
END
$_wanted_triggers$;
COMMENT ON FUNCTION pgtrack._wanted_triggers(integer) IS 'The triggers that catch every change of a table.';

-- What a trigger was made from stands in it, as the digest that is its last argument.
CREATE OR REPLACE FUNCTION pgtrack._trigger_sql(p_name name, p_table regclass, p_event text, p_action text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_trigger_sql$
BEGIN
  RETURN (
  SELECT format('CREATE OR REPLACE TRIGGER %I %s ON %s %s', p_name, p_event, p_table,
                regexp_replace(p_action, $r$,?\)$$r$, format('%s%L)', CASE WHEN p_action LIKE '%()' THEN '' ELSE ', ' END, md5(p_event || p_action)))));
END
$_trigger_sql$;
COMMENT ON FUNCTION pgtrack._trigger_sql(name, regclass, text, text) IS 'The command that makes a trigger, or makes it anew.';

-- They are found by their functions, and by the tables that have any: a former partition keeps its own until it is followed.
CREATE OR REPLACE FUNCTION pgtrack._present_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, made_from text, enabled "char")
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_present_triggers$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  -- Arguments end with a zero byte.
  SELECT t.tgrelid::regclass, t.tgname, encode(substr(t.tgargs, length(t.tgargs) - 32, 32), 'escape'), t.tgenabled
  FROM (SELECT g.function_name FROM pgtrack.generated g WHERE g.relation_id = p_relation
        -- Of an earlier revision (upgrade/open.sql).
        UNION ALL SELECT 'open') g
  JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
  -- OFFSET 0: what depends on these functions, and not all triggers that depend on any.
  CROSS JOIN LATERAL (
    SELECT d.objid FROM pg_depend d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.classid = 'pg_trigger'::regclass OFFSET 0) d
  -- Copies that PostgreSQL makes of a partitioned table's row triggers go with the original.
  JOIN pg_trigger t ON t.oid = d.objid AND t.tgparentid = 0
  WHERE g.function_name <> 'open' OR starts_with(encode(t.tgargs, 'escape'), p_relation || $r$\000$r$);
END
$_present_triggers$;
COMMENT ON FUNCTION pgtrack._present_triggers(integer) IS
  'The triggers of ours that are there for a tracked table, with the digest of what they were made from.';

CREATE OR REPLACE FUNCTION pgtrack._triggers(p_relation integer)
RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean, enabled "char", is_current boolean, function name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_triggers$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT relid, name, w.event, w.action, w.is_always, p.enabled, p.made_from IS NOT DISTINCT FROM md5(w.event || w.action),
         substring(w.action FROM $r$pgtrack_history\.(\w+)\([^()]*\)$$r$)::name
  FROM pgtrack._present_triggers(p_relation) p FULL JOIN pgtrack._wanted_triggers(p_relation) w USING (relid, name);
END
$_triggers$;
COMMENT ON FUNCTION pgtrack._triggers(integer) IS
  'The triggers of a tracked table and its partitions: what is wanted of each, null for one that does not belong there any more, and whether it is there.';

CREATE OR REPLACE FUNCTION pgtrack._trigger_changes(p_relation integer)
RETURNS TABLE (relid regclass, name name, command text, function name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_trigger_changes$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT t.relid, t.name, CASE WHEN t.event IS NULL THEN format('DROP TRIGGER %I ON %s', t.name, t.relid)
                               ELSE pgtrack._trigger_sql(t.name, t.relid, t.event, t.action) END, t.function
  FROM pgtrack._triggers(p_relation) t WHERE NOT t.is_current;
END
$_trigger_changes$;
COMMENT ON FUNCTION pgtrack._trigger_changes(integer) IS
  'The triggers of a tracked table and its partitions that are missing, out of date or do not belong there any more, each with the command that mends it.';

-- One that is not needed any more does no harm, and what makes it so, such as a trigger function, locks no table.
CREATE OR REPLACE FUNCTION pgtrack._drop_if_free(p_command text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_drop_if_free$
BEGIN
  PERFORM pgtrack._execute(p_command);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RAISE DEBUG '%', SQLERRM;
END
$_drop_if_free$;
COMMENT ON FUNCTION pgtrack._drop_if_free(text) IS 'Drops a trigger if nobody uses its table; else that is left to the next DDL.';

-- With the rights of whoever tracks the table or alters it. Triggers that are as they should be are left alone: to touch
-- one takes a lock that writers wait for.
CREATE OR REPLACE FUNCTION pgtrack._generate_triggers(p_relation integer, p_enable boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_triggers$
DECLARE
  v_trigger  record;
BEGIN
  FOR v_trigger IN
    SELECT x.relid, x.name, x.event IS NULL AS is_dropped, x.is_always, x.is_made,
           CASE WHEN x.event IS NULL THEN format('DROP TRIGGER %I ON %s', x.name, x.relid) ELSE pgtrack._trigger_sql(x.name, x.relid, x.event, x.action) END AS command,
           -- What nobody has disabled is enabled.
           x.state <> CASE WHEN x.is_always THEN 'A' ELSE 'O' END AND (p_enable OR x.state = 'O') AS is_enabled
    FROM (SELECT t.*, m.is_made, CASE WHEN m.is_made THEN 'O' ELSE t.enabled END AS state
          FROM pgtrack._triggers(p_relation) t
          -- A function that is missing could not be written yet.
          CROSS JOIN LATERAL (SELECT NOT t.is_current AND (t.function IS NULL OR to_regproc('pgtrack_history.' || quote_ident(t.function)) IS NOT NULL)) m (is_made)) x
    ORDER BY x.event IS NOT NULL
  LOOP
    -- A partition may be gone by now. To ask for its size waits for whoever drops it.
    CONTINUE WHEN (v_trigger.is_made OR v_trigger.is_enabled) AND NOT v_trigger.is_dropped AND pg_relation_size(v_trigger.relid) IS NULL;
    IF v_trigger.is_dropped AND v_trigger.name = 'pgtrack_open' THEN
      PERFORM pgtrack._drop_if_free(v_trigger.command);
    ELSIF v_trigger.is_made THEN
      PERFORM pgtrack._execute(v_trigger.command);
    END IF;
    IF v_trigger.is_enabled THEN
      PERFORM pgtrack._execute(format('ALTER TABLE %s ENABLE %s TRIGGER %I', v_trigger.relid, CASE WHEN v_trigger.is_always THEN 'ALWAYS' ELSE '' END, v_trigger.name));
    END IF;
  END LOOP;
END
$_generate_triggers$;
COMMENT ON FUNCTION pgtrack._generate_triggers(integer, boolean) IS
  'Puts the triggers on a tracked table and its partitions, and takes away those that no longer belong there; p_enable enables disabled ones.';
