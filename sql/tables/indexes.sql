DO $complete$
DECLARE
  v_part  record;
BEGIN
  FOR v_part IN
    SELECT * FROM (VALUES
      ('statement_xid_idx', 'pgtrack.statement (xid)'),
      ('statement_at_idx', 'pgtrack.statement USING brin (at) WITH (pages_per_range = 32, autosummarize = on)'),
      ('key_change_old_key_idx', 'pgtrack.key_change (relation_id, old_key)'),
      ('key_change_new_key_idx', 'pgtrack.key_change (relation_id, new_key)'),
      ('audit_entry_at_idx', 'pgtrack.audit_entry USING brin (at) WITH (autosummarize = on)'),
      ('key_change_xid_idx', 'pgtrack.key_change (xid)'),
      ('trigger_word_word_idx', 'pgtrack.trigger_word (word)'),
      ('generated_relation_idx', 'pgtrack.generated (relation_id)'),
      ('generated_leaf_idx', 'pgtrack.generated (leaf)'),
      ('relation_column_successor_idx', 'pgtrack.relation_column (relation_id, successor) WHERE successor IS NOT NULL'),
      ('relation_history_table_idx', 'pgtrack.relation (history_table)'),
      ('relation_recovering_idx', 'pgtrack.relation (schema_name, table_name) WHERE tracked_until = ''infinity'''),
      ('relation_redacted_idx', 'pgtrack.relation (relation_id) WHERE options -> ''redact'' <> ''[]''')
    ) AS i (name, definition)
    WHERE to_regclass('pgtrack.' || i.name) IS NULL
  LOOP
    EXECUTE format('CREATE INDEX %I ON %s', v_part.name, v_part.definition);
  END LOOP;
END
$complete$;
