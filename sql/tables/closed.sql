-- Members of pg_read_all_data and pg_write_all_data have rights on every table, on ours too. Row security, which they do not
-- get round, hides what is not for everybody, and lets only the owner write. The other tables everybody reads, with row
-- security turned off, too, so a trigger of theirs refuses who writes. Keys of seals have both.
CREATE OR REPLACE FUNCTION pgtrack._is_granted(p_table regclass, p_right text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_granted$
BEGIN
  RETURN EXISTS (
    SELECT FROM (SELECT c.relacl AS acl FROM pg_class c WHERE c.oid = p_table
                 -- Who reads all data would read the other columns as well.
                 UNION ALL SELECT a.attacl FROM pg_attribute a
                 WHERE a.attrelid = p_table AND a.attnum > 0 AND (p_right <> 'SELECT' OR NOT has_table_privilege(p_table, p_right))) x
    CROSS JOIN LATERAL aclexplode(x.acl) g
    WHERE g.privilege_type = p_right AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE')));
END
$_is_granted$;
COMMENT ON FUNCTION pgtrack._is_granted(regclass, text) IS
  'Whether the current user was granted a right on this very table, or on columns of it.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_others() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_others$
BEGIN
  IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'permission denied for table %', TG_TABLE_NAME USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'Only functions of pg_track write its tables.';
  END IF;
  RETURN NULL;
END
$_refuse_others$;
COMMENT ON FUNCTION pgtrack._refuse_others() IS 'Refuses who writes a table of pg_track and does not own it, whatever rights they have.';

-- In a publication of all tables, what has no identity can be neither changed nor deleted.
DO $closed$
DECLARE
  c_keys CONSTANT  regclass[] := '{pgtrack.secret,pgtrack.proxy_key}';
  v_table          regclass;
BEGIN
  FOREACH v_table IN ARRAY c_keys LOOP
    IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = v_table) THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = 'pgtrack.proxy_key'::regclass) THEN
    CREATE POLICY readers ON pgtrack.proxy_key FOR SELECT USING ((SELECT pgtrack._is_granted('pgtrack.proxy_key', 'SELECT')));
  END IF;
  FOREACH v_table IN ARRAY '{pgtrack.secret,pgtrack.trigger_word}'::regclass[] LOOP
    IF (SELECT c.relreplident <> 'f' FROM pg_class c WHERE c.oid = v_table) THEN
      EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_table);
    END IF;
  END LOOP;
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack_history'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u' AND NOT c.relrowsecurity
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  END LOOP;
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'r'
      AND (c.oid = ANY (c_keys)
           OR c.relname <> ALL ('{statement,key_change,purged_version,erasure,audit_entry}'))
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'pgtrack_closed')
  LOOP
    -- Nearly always the condition says it, which costs less than the function.
    EXECUTE format('CREATE TRIGGER pgtrack_closed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
                   ' FOR EACH STATEMENT WHEN (CURRENT_USER <> ''pgtrack_owner'') EXECUTE FUNCTION pgtrack._refuse_others()', v_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pgtrack_closed', v_table);
    EXECUTE format('COMMENT ON TRIGGER pgtrack_closed ON %s IS %L', v_table, 'Only the owner writes the table.');
  END LOOP;
END
$closed$;
