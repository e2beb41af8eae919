-- Each comes in three forms: with the key as a value of any type, as an untyped literal, and,
-- with _pk after its name, as jsonb. The bodies call nothing by a name or operator that search_path could change,
-- because the caller's own search_path has to find the table.
DO $verbs$
DECLARE
  c_history CONSTANT  text := 'TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb, '
                              'xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)';
  c_plan CONSTANT     text := 'TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text, '
                              'version integer, statement_id bigint)';
  c_options CONSTANT  text := ', on_conflict text DEFAULT ''error'', message text DEFAULT NULL';
  c_columns CONSTANT  text := ', columns text[] DEFAULT NULL';
  v_verb              record;
  v_form              record;
BEGIN
  FOR v_verb IN
    SELECT * FROM (VALUES
      ('history', '', '', c_history, 'STABLE',
       'SELECT x.* FROM pgtrack._history(%1$s, %3$s) x',
       'Every recorded change of one row, oldest first, with the row before and after it.'),
      ('blame', '', '', 'TABLE ("column" text, value jsonb, ver integer, changed_at timestamptz, who text, xid bigint)', 'STABLE',
       'SELECT x.* FROM pgtrack._blame(%1$s, %3$s) x',
       'Who last changed each column of one row, and when; nobody where that was before tracking began.'),
      ('undo', '', c_options || c_columns, 'text', 'VOLATILE',
       'SELECT pgtrack._revert_row(%1$s, %2$s, NULL, ''undo'', on_conflict, message, columns)',
       'Undoes the last change of one row: an INSERT is deleted, an UPDATE set back, a DELETE inserted again. Undone twice, it is done again. '
       'columns names those to set back; null is all.'),
      ('revert', ', version integer', c_options || c_columns, 'text', 'VOLATILE',
       'SELECT pgtrack._revert_row(%1$s, %2$s, version, ''revert'', on_conflict, message, columns)',
       'Makes one row what it was right after a version of its history; version 0 is the row before its first recorded change. '
       'columns names those to set back; null is all.'),
      ('rollback_to', ', "when" timestamptz', c_options || c_columns, 'text', 'VOLATILE',
       'SELECT pgtrack._revert_row(%1$s, %2$s, pgtrack._version_at(%1$s, %2$s, "when"), ''rollback_to'', on_conflict, message, columns)',
       'Makes one row what it was at a moment. columns names those to set back; null is all.'),
      ('restore', '', c_options, 'text', 'VOLATILE',
       'SELECT pgtrack._revert_row(%1$s, %2$s, pgtrack._version_to_restore(%1$s, %2$s), ''restore'', on_conflict, message)',
       'Inserts a deleted row again, as it was right before its latest deletion.'),
      ('erase', ', reason text', '', 'text', 'VOLATILE',
       'SELECT pgtrack._erase(%1$s, %2$s, reason)',
       'Erases the recorded values of one row''s past, for privacy; that it happened stays on record. The row itself is not touched.'),
      ('plan_undo', '', c_columns, c_plan, 'VOLATILE',
       'SELECT x.* FROM pgtrack._plan(%1$s, %2$s, NULL, columns) x',
       'What undo() would do, without doing it.'),
      ('plan_revert', ', version integer', c_columns, c_plan, 'VOLATILE',
       'SELECT x.* FROM pgtrack._plan(%1$s, %2$s, version, columns) x',
       'What revert() would do, without doing it.'),
      ('plan_restore', '', '', c_plan, 'VOLATILE',
       'SELECT x.* FROM pgtrack._plan(%1$s, %2$s, pgtrack._version_to_restore(%1$s, %2$s)) x',
       'What restore() would do, without doing it.')
    ) AS v (name, arguments, options, result, volatility, body, comment)
  LOOP
    FOR v_form IN
      SELECT * FROM (VALUES
        ('', 'anyelement', 'pgtrack._key_value(key)', ''),
        ('', 'text', 'pg_catalog.to_jsonb(key)', ''),
        ('_pk', 'jsonb', 'key', ' The key is jsonb: {"order_id": 1, "product_id": 100}.')
      ) AS f (suffix, key_type, key, comment)
    LOOP
      EXECUTE format(
        'CREATE OR REPLACE FUNCTION pgtrack.%I("table" text, key %s%s, schema text DEFAULT NULL%s) RETURNS %s LANGUAGE sql %s AS %L',
        v_verb.name || v_form.suffix, v_form.key_type, v_verb.arguments, v_verb.options, v_verb.result, v_verb.volatility,
        format(v_verb.body, 'pgtrack._table("table", schema)',
          format('pgtrack._key(pgtrack._table("table", schema), %s)', v_form.key), v_form.key));
      EXECUTE format('COMMENT ON FUNCTION pgtrack.%I("table" text, key %s%s, schema text%s) IS %L',
        v_verb.name || v_form.suffix, v_form.key_type, v_verb.arguments,
        regexp_replace(v_verb.options, ' DEFAULT [^,]+', '', 'g'), v_verb.comment || v_form.comment);
    END LOOP;
  END LOOP;
END
$verbs$;
