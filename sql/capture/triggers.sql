-- Row triggers have names that sort before an application's, so that what those change is recorded after its cause.
CREATE OR REPLACE FUNCTION pgtrack._wanted_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_wanted_triggers$
DECLARE
  v_relation  pgtrack.relation;
  v_mode      text;
  v_same_key  text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  v_mode := pgtrack._capture_mode(v_relation.relid, v_relation.options);
  is_always := (v_relation.options ->> 'replica')::boolean;
  -- Values of foreign types are compared byte by byte: no function of theirs is called, and no setting decides.
  SELECT string_agg(CASE WHEN k.kind IS NULL
                         THEN pgtrack._equal_sql(k.operator, k.equality, format('OLD.%I', k.column_name), format('NEW.%I', k.column_name))
                         ELSE format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record', k.column_name) END,
                    ' AND ' ORDER BY k.position) INTO v_same_key
  FROM pgtrack._key_parts(p_relation) k;

  IF v_mode = 'row' THEN
    RETURN QUERY
      SELECT v_relation.relid, format('!pgtrack_%s', o)::name, 'AFTER ' || upper(o),
             format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I()', format('record_%s_%s', o, p_relation)), is_always
      FROM unnest('{insert,update,delete}'::text[]) o;
  ELSE
    RETURN QUERY
      SELECT m.relid, format('pgtrack_%s', o.name)::name, 'AFTER ' || upper(o.name),
             format('REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()',
               CASE WHEN o.name = 'update' AND v_mode = 'tree' AND v_same_key IS NOT NULL
                    THEN 'OLD TABLE AS pgtrack_old NEW TABLE AS pgtrack_new' ELSE o.tables END,
               format('record_%s_%s', o.name, p_relation)), is_always
      FROM pgtrack._members(v_relation.relid) m
      CROSS JOIN (VALUES ('insert', 'NEW TABLE AS pgtrack_new'), ('update', 'OLD TABLE AS pgtrack_old'),
                         ('delete', 'OLD TABLE AS pgtrack_old')) AS o (name, tables);
    IF pgtrack._may_nest(v_relation.relid) THEN
      RETURN QUERY
        SELECT m.relid, 'pgtrack_open'::name, 'BEFORE INSERT OR UPDATE OR DELETE',
               format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.open(%L)', p_relation), is_always
        FROM pgtrack._members(v_relation.relid) m;
    END IF;
  END IF;

  -- PostgreSQL truncates the partitions one by one.
  RETURN QUERY
    SELECT m.relid, 'pgtrack_truncate'::name, 'BEFORE TRUNCATE',
           format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', pgtrack._truncate_recorder(p_relation, m.relid)), is_always
    FROM pgtrack._members(v_relation.relid) m WHERE m.is_leaf;

  -- PostgreSQL parses a WHEN condition anew in every statement that the trigger is for, so statements that do not
  -- set the key are left out, unless a BEFORE trigger may set it in any statement.
  IF v_mode <> 'tree' AND v_same_key IS NOT NULL THEN
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

CREATE OR REPLACE FUNCTION pgtrack._present_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, made_from text, enabled "char")
LANGUAGE sql STABLE
BEGIN ATOMIC
  -- Copies that PostgreSQL makes of a partitioned table's row triggers go with the original.
  SELECT t.tgrelid::regclass, t.tgname, pg_catalog.obj_description(t.oid, 'pg_trigger'), t.tgenabled
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  WHERE t.tgparentid = 0 AND p.pronamespace = 'pgtrack_history'::regnamespace
    AND (p.proname ~ pg_catalog.format('^record_[a-z]+_%s(_\d+)?$', p_relation)
         OR p.proname = 'open' AND t.tgargs = pg_catalog.convert_to(p_relation::text, 'UTF8') || '\x00');
END;
COMMENT ON FUNCTION pgtrack._present_triggers(integer) IS 'The triggers of ours that are there for a tracked table, with what they were made from.';

-- Triggers that are as they should be are left alone: to touch one takes a lock that writers wait for.
CREATE OR REPLACE FUNCTION pgtrack._generate_triggers(p_relation integer, p_enable boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_triggers$
DECLARE
  v_trigger  record;
BEGIN
  FOR v_trigger IN
    SELECT p.relid, p.name FROM pgtrack._present_triggers(p_relation) p
    LEFT JOIN pgtrack._wanted_triggers(p_relation) w USING (relid, name)
    WHERE p.made_from IS DISTINCT FROM w.event || ' ' || w.action
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.name, v_trigger.relid);
  END LOOP;
  FOR v_trigger IN
    SELECT w.* FROM pgtrack._wanted_triggers(p_relation) w
    WHERE NOT EXISTS (SELECT FROM pgtrack._present_triggers(p_relation) p WHERE p.relid = w.relid AND p.name = w.name)
  LOOP
    -- The partition may have been tracked by itself.
    EXECUTE format('CREATE OR REPLACE TRIGGER %I %s ON %s %s', v_trigger.name, v_trigger.event, v_trigger.relid, v_trigger.action);
    EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', v_trigger.name, v_trigger.relid, v_trigger.event || ' ' || v_trigger.action);
  END LOOP;
  FOR v_trigger IN
    SELECT w.*, p.enabled FROM pgtrack._wanted_triggers(p_relation) w JOIN pgtrack._present_triggers(p_relation) p USING (relid, name)
    WHERE p.enabled <> CASE WHEN w.is_always THEN 'A' ELSE 'O' END AND (p_enable OR p.enabled = 'O')
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', v_trigger.relid, CASE WHEN v_trigger.is_always THEN 'ALWAYS' ELSE '' END, v_trigger.name);
  END LOOP;
  -- Those of partitions that are none any more.
  FOR v_trigger IN
    SELECT p.oid::regprocedure AS recorder FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname ~ format('^record_truncate_%s_', p_relation)
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = p.oid)
  LOOP
    EXECUTE format('DROP FUNCTION %s', v_trigger.recorder);
  END LOOP;
END
$_generate_triggers$;
COMMENT ON FUNCTION pgtrack._generate_triggers(integer, boolean) IS
  'Puts the triggers on a tracked table and its partitions, and takes away those that no longer belong there; p_enable enables disabled ones.';
