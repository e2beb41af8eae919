-- The verbs, and their twins that only plan, from one list. Each verb is two functions. The one for people resolves the
-- table's name, so the caller's own search_path has to be in force, and it calls nothing by a name or operator that this
-- could change. The other, with _ before its name, records the call in its own name and does the work.
-- What is about one row comes in three forms: with the key as a value of any type, as an untyped literal, and, with _pk
-- after the name, as jsonb.
DO $verbs$
DECLARE
  c_history CONSTANT   text := 'TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb, '
                               'xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)';
  c_blame CONSTANT     text := 'TABLE ("column" text, value jsonb, ver integer, changed_at timestamptz, who text, xid bigint)';
  c_step CONSTANT      text := '"table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text';
  c_outcome CONSTANT   text := 'TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)';
  c_conflict CONSTANT  text := ', on_conflict text DEFAULT ''error''';
  c_columns CONSTANT   text := ', columns text[] DEFAULT NULL';
  -- A key of a collation of its own gives it to all that is text.
  c_text CONSTANT      text := ' COLLATE pg_catalog."default"';
  c_table CONSTANT     text := format('pgtrack._table("table"%1$s, schema%1$s)', c_text);
  c_pinned CONSTANT    text := 'plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off';
  c_on_row CONSTANT    text := $worker$
DECLARE
  v_decision  pgtrack._decision;
  v_call      text;
BEGIN
  v_decision := pgtrack._decide(p_table, p_key, %s, %L, p_on_conflict, p_columns);
  IF v_decision.has_work THEN
    v_call := pgtrack._begin_call(v_decision.arguments, p_message, v_decision.reverts);
    PERFORM pgtrack._apply(ARRAY[v_decision.work], p_message, p_columns);
    PERFORM pgtrack._end_call(v_call);
  END IF;
  RETURN v_decision.answer;
END
$worker$;
  c_on_set CONSTANT    text := $worker$
DECLARE
  v_set   pgtrack._set := pgtrack._choice(p_choice, p_table);
  v_call  text;
BEGIN
  v_call := pgtrack._begin_call(p_choice || jsonb_build_object('on_conflict', p_on_conflict) || pgtrack._columns_argument(p_columns),
                                p_message, v_set.reverts);
  -- What has changed since a point is what shall go, so there are no conflicts.
  RETURN QUERY
    SELECT u.* FROM pgtrack._undo_set(v_set, CASE WHEN v_set.point IS NULL THEN p_on_conflict ELSE 'force' END, p_message, p_columns, p_call => v_call) u;
  PERFORM pgtrack._end_call(v_call);
END
$worker$;
  v_function           record;
BEGIN
  FOR v_function IN
    WITH row_verb (name, argument, type, options, columns, version, comment) AS (
      -- version is what the row shall be as after: %1$s is the table, %2$s the key, %3$s the verb's own argument.
      VALUES
        ('undo', '', '', c_conflict, c_columns, 'NULL',
         'Undoes the last change of one row: an INSERT is deleted, an UPDATE set back, a DELETE inserted again. '
         'Undone twice, it is done again. columns names those to set back; null is all.'),
        ('revert', ', version', ' integer', c_conflict, c_columns, '%3$s',
         'Makes one row what it was right after a version of its history; version 0 is the row before its first recorded change. '
         'columns names those to set back; null is all.'),
        ('rollback_to', ', "when"', ' timestamptz', c_conflict, c_columns, 'pgtrack._version_at(%1$s, %2$s, %3$s)',
         'Makes one row what it was at a moment. columns names those to set back; null is all.'),
        ('restore', '', '', c_conflict, '', 'NULL',
         'Inserts a deleted row again, as it was right before its latest deletion.')
    ), set_verb (name, arguments, options, columns, choice, relation, comment) AS (
      VALUES
        ('undo_transaction', 'xid bigint', c_conflict, c_columns, '''xid'', xid', 'NULL',
         'Undoes everything a transaction did to tracked tables, in one step. Rows that changed since are an error, '
         'or on_conflict => ''skip'', ''merge'', ''delta'' or ''force''. columns names those to set back where rows were only updated; null is all.'),
        ('undo_last', '', c_conflict, c_columns, '''xid'', pgtrack._my_last()', 'NULL',
         'Undoes your latest transaction that is no undo itself, in one step: that of this login and actor, as this program from this address. '
         'A notice says which it is. Refused where another may be meant: sessions that look the same, or, unless this session made it, '
         'changes of yours from elsewhere in the hour before it.'),
        ('undo_transactions', 'xids bigint[]', c_conflict, c_columns, '''xids'', xids', 'NULL',
         'Undoes everything that some transactions did to tracked tables, in one step, as if they had been one.'),
        ('undo_statements', 'statement_ids bigint[]', c_conflict, c_columns, '''statement_ids'', statement_ids', 'NULL',
         'Undoes what some statements did to tracked tables, in one step, as if they had been one.'),
        ('undo_where', 'actor text DEFAULT NULL, application text DEFAULT NULL, "user" text DEFAULT NULL, '
                       '"from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL', c_conflict, c_columns,
         '''actor'', actor, ''application'', application, ''user'', "user", ''from'', "from", ''to'', "to"', 'NULL',
         'Undoes everything that an actor, an application or a user did, in a time if given, in one step.'),
        ('revert_table', '"table" text, point text, schema text DEFAULT NULL', '', '',
         format('''table'', pgtrack._name(%s), ''point'', point', c_table), c_table,
         'Makes a table what it was at a point: a tag, a timestamp, or xid:N. Writers wait until it is done.'),
        ('revert_schema', 'schema text, point text', '', '', '''schema'', schema, ''point'', point', 'NULL',
         'Makes all tracked tables of a schema what they were at a point, in one step.')
    ), row_function (name, arguments, options, result, volatility, body, comment) AS (
      VALUES
        ('history', '', '', c_history, 'STABLE', 'SELECT x.* FROM pgtrack._history_of_key(%1$s, %3$s) x',
         'Every recorded change of one row, oldest first, with the row before and after it. Before them, with no number, those of '
         'other rows that had the key earlier.'),
        ('blame', '', '', c_blame, 'STABLE', 'SELECT x.* FROM pgtrack._blame(%1$s, %3$s) x',
         'Who last changed each column of one row, and when; nobody where that was before tracking began.'),
        ('erase', ', reason text', '', 'text', 'VOLATILE', 'SELECT pgtrack._erase(%1$s, %2$s, reason COLLATE pg_catalog."default")',
         'Erases the recorded values of one row''s past, for privacy; that it happened stays on record. The row itself is not touched.')
      UNION ALL
      SELECT v.name, v.argument || v.type, v.options || ', message text DEFAULT NULL' || v.columns, 'text', 'VOLATILE',
             format('SELECT pgtrack._note_path(); SELECT pgtrack._%s(%%1$s, %%2$s%s, on_conflict%4$s, message%4$s, %3$s)', v.name, v.argument,
                    CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' || c_text END, c_text),
             v.comment
      FROM row_verb v
      UNION ALL
      SELECT 'plan_' || v.name, v.argument || v.type, v.columns || v.options,
             format('TABLE (%s, version integer, statement_id bigint)', c_step), 'VOLATILE',
             format('SELECT x.* FROM pgtrack._plan(%%1$s, %%2$s, %s, %L, %s, on_conflict%s) x',
                    format(v.version, '%1$s', '%2$s', substr(v.argument, 3)), v.name,
                    CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' || c_text END, c_text),
             format('What %s() would do, without doing it.', v.name)
      FROM row_verb v
    ), form (suffix, key_type, key, comment) AS (
      VALUES ('', 'anyelement', 'pgtrack._key_value(key)', ''),
             ('', 'text', 'pg_catalog.to_jsonb(key)', ''),
             ('_pk', 'jsonb', 'key', ' The key is jsonb: {"order_id": 1, "product_id": 100}.')
    )
    SELECT '_' || v.name AS name, format('p_table regclass, p_key jsonb%s, p_on_conflict text, p_message text, p_columns text[]',
                                         CASE v.type WHEN '' THEN '' ELSE ', p_argument' || v.type END) AS arguments,
           'text' AS result, c_pinned AS language, format(c_on_row, format(v.version, 'p_table', 'p_key', 'p_argument'), v.name) AS body,
           format('Does the work of %s(), and records the call.', v.name) AS comment
    FROM row_verb v
    UNION ALL
    SELECT '_' || v.name, 'p_choice jsonb, p_table regclass, p_on_conflict text, p_message text, p_columns text[]',
           c_outcome, c_pinned, c_on_set, format('Does the work of %s(), and records the call.', v.name)
    FROM set_verb v
    UNION ALL
    SELECT r.name || f.suffix, format('"table" text, key %s%s, schema text DEFAULT NULL%s', f.key_type, r.arguments, r.options), r.result,
           'sql ' || r.volatility, format(r.body, c_table, format('pgtrack._key(%s, %s)', c_table, f.key), f.key), r.comment || f.comment
    FROM row_function r CROSS JOIN form f
    UNION ALL
    SELECT v.name, ltrim(v.arguments || v.options || ', message text DEFAULT NULL' || v.columns, ', '), c_outcome, 'sql VOLATILE',
           format('SELECT pgtrack._note_path(); SELECT x.* FROM pgtrack._%s(pg_catalog.jsonb_build_object(%s), %s, %s, message, %s) x', v.name, v.choice, v.relation,
                  CASE v.options WHEN '' THEN 'NULL' ELSE 'on_conflict' END, CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' END),
           v.comment
    FROM set_verb v
    UNION ALL
    SELECT 'plan_' || v.name, ltrim(v.arguments || v.columns || v.options, ', '), format('TABLE (%s)', c_step), 'sql STABLE',
           format('SELECT x.* FROM pgtrack._plan_set(pgtrack._choice(pg_catalog.jsonb_build_object(%s), %s), %s, %s) x', v.choice, v.relation,
                  CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' END, CASE v.options WHEN '' THEN '''error''' ELSE 'on_conflict' END),
           format('What %s() would do, row by row, without doing it.', v.name)
           || CASE v.options WHEN '' THEN '' ELSE ' Of rows that changed since it says what on_conflict does to them.' END
    FROM set_verb v
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack.%I(%s) RETURNS %s LANGUAGE %s AS %L',
                   v_function.name, v_function.arguments, v_function.result, v_function.language, v_function.body);
    EXECUTE format('COMMENT ON FUNCTION pgtrack.%I(%s) IS %L',
                   v_function.name, regexp_replace(v_function.arguments, ' DEFAULT [^,]+', '', 'g'), v_function.comment);
  END LOOP;
END
$verbs$;
