-- Members of pg_read_all_data and pg_write_all_data have rights on every table, on ours too. Row security, which they do not
-- get round, hides what is not for everybody, and lets only the owner write. The other tables everybody reads, with row
-- security turned off, too, so a trigger of theirs refuses who writes. Keys of seals have both.
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

DO $closed$
DECLARE
  c_keys CONSTANT  regclass[] := '{pgtrack.secret,pgtrack.proxy_key}';
  v_table          regclass;
BEGIN
  PERFORM pgtrack._set_policy('pgtrack.proxy_key', 'readers', 'SELECT', '(SELECT pgtrack._is_granted(''pgtrack.proxy_key'', ''SELECT''))');
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE NOT c.relrowsecurity AND c.relkind = 'r'
      -- Those for rows that move, of an earlier installation.
      AND (c.oid = ANY (c_keys) OR c.relnamespace = 'pgtrack_history'::regnamespace AND c.relpersistence = 'u')
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  END LOOP;
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'r' AND (c.oid = ANY (c_keys) OR NOT c.relrowsecurity)
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'pgtrack_closed')
  LOOP
    -- Nearly always the condition says it, which costs less than the function.
    EXECUTE format('CREATE TRIGGER pgtrack_closed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
                   ' FOR EACH STATEMENT WHEN (CURRENT_USER <> ''pgtrack_owner'') EXECUTE FUNCTION pgtrack._refuse_others()', v_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pgtrack_closed', v_table);
    EXECUTE format('COMMENT ON TRIGGER pgtrack_closed ON %s IS %L', v_table, 'Only the owner writes the table.');
  END LOOP;
  -- In a publication of all tables, what has no identity can be neither changed nor deleted.
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
  LOOP
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_table);
  END LOOP;
END
$closed$;
