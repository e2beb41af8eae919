DO $complete$
DECLARE
  v_part  record;
BEGIN
  FOR v_part IN
    SELECT * FROM (VALUES
      ('statement_xid_idx', 'pgtrack.statement (xid)'),
      ('statement_at_idx', 'pgtrack.statement USING brin (at) WITH (pages_per_range = 32, autosummarize = on)'),
      ('statement_gone_idx', 'pgtrack.statement (relation_id, statement_id) WHERE operation IN (''D'', ''T'')'),
      ('key_change_old_key_idx', 'pgtrack.key_change (relation_id, old_key)'),
      ('key_change_new_key_idx', 'pgtrack.key_change (relation_id, new_key)'),
      ('audit_entry_at_idx', 'pgtrack.audit_entry USING brin (at) WITH (autosummarize = on)'),
      ('audit_entry_call_idx', 'pgtrack.audit_entry (backend_pid, at)'),
      ('key_change_xid_idx', 'pgtrack.key_change (xid)')
    ) AS i (name, definition)
    WHERE to_regclass('pgtrack.' || i.name) IS NULL
  LOOP
    EXECUTE format('CREATE INDEX %I ON %s', v_part.name, v_part.definition);
  END LOOP;
  IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = 'pgtrack.audit_entry'::regclass) THEN
    ALTER TABLE pgtrack.audit_entry ENABLE ROW LEVEL SECURITY;
    CREATE POLICY readers ON pgtrack.audit_entry FOR SELECT USING (
      user_name = session_user OR pg_catalog.pg_has_role((SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgtrack'), 'USAGE'));
    CREATE POLICY writers ON pgtrack.audit_entry FOR INSERT WITH CHECK (true);
  END IF;
END
$complete$;
