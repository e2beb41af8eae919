-- A choice has the arguments of a verb by name.
CREATE OR REPLACE FUNCTION pgtrack._choice(p_choice jsonb, p_table regclass, OUT tables regclass[], OUT which text, OUT what text,
                                           OUT reverts text, OUT point text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_choice$
DECLARE
  v_names  text[];
BEGIN
  IF jsonb_typeof(p_choice) = 'object' THEN
    v_names := ARRAY(SELECT c.key FROM jsonb_each(p_choice) c WHERE c.value <> 'null' ORDER BY c.key);
  END IF;
  what := 'these changes';
  IF v_names = '{xid}' THEN
    which := pgtrack._of_transaction((p_choice ->> 'xid')::bigint);
    what := format('transaction %s', p_choice ->> 'xid');
    reverts := format('xid:%s', p_choice ->> 'xid');
  ELSIF v_names = '{xids}' THEN
    which := pgtrack._of_transactions(ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'xids')::bigint));
    what := 'these transactions';
    reverts := 'transactions ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'xids') x);
  ELSIF v_names = '{statement_ids}' THEN
    which := format('s.statement_id = ANY (%L::bigint[])', ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'statement_ids')));
    reverts := 'changes ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'statement_ids') x);
  ELSIF v_names IN ('{point,table}', '{point,schema,table}', '{point,schema}') THEN
    point := p_choice ->> 'point';
    what := point;
    reverts := format('point %s', point);
    tables := CASE WHEN p_table IS NULL THEN ARRAY(SELECT pgtrack._tables_in(p_choice ->> 'schema')) ELSE ARRAY[p_table] END;
    which := pgtrack._after_in_all(tables, point);
  ELSIF v_names <@ '{actor,application,user,from,to}' THEN
    which := pgtrack._made_by(p_choice ->> 'actor', p_choice ->> 'application', p_choice ->> 'user',
                              (p_choice ->> 'from')::timestamptz, (p_choice ->> 'to')::timestamptz);
    reverts := concat_ws(' ', 'where', 'actor=' || (p_choice ->> 'actor'), 'application=' || (p_choice ->> 'application'),
                         'user=' || (p_choice ->> 'user'), 'from=' || (p_choice ->> 'from')::timestamptz, 'to=' || (p_choice ->> 'to')::timestamptz);
  ELSE
    RAISE EXCEPTION 'it is not clear what to undo: %', coalesce(p_choice::text, 'null') USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Say {"xid": 1}, {"xids": [1, 2]}, {"statement_ids": [1, 2]}, {"table": "shop.orders", "point": "a tag or a time"}, '
             '{"schema": "shop", "point": "…"}, or some of actor, application, user, from and to.';
  END IF;
  tables := coalesce(tables, ARRAY(SELECT pgtrack._tables_of(which, what)));
END
$_choice$;
COMMENT ON FUNCTION pgtrack._choice(jsonb, regclass) IS
  'What the verbs for sets of changes would undo, from their arguments by name: the tables, the condition for statements, what it is called, what is recorded as reverted, and the point.';

CREATE OR REPLACE FUNCTION pgtrack._plan_choice(p_choice jsonb, p_columns text[])
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $_plan_choice$
  SELECT p.* FROM pgtrack._choice($1, NULL) c CROSS JOIN LATERAL pgtrack._plan_set(c.tables, c.which, p_columns => $2) p
$_plan_choice$;
COMMENT ON FUNCTION pgtrack._plan_choice(jsonb, text[]) IS 'What undoing a choice would do, row by row.';

CREATE OR REPLACE FUNCTION pgtrack._undo_choice(p_verb text, p_choice jsonb, p_on_conflict text, p_message text, p_columns text[])
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $_undo_choice$
  SELECT pgtrack._audit($1, $2 || jsonb_build_object('on_conflict', $3) || pgtrack._columns_argument($5), $4);
  SELECT u.* FROM pgtrack._choice($2, NULL) c
  CROSS JOIN LATERAL pgtrack._undo_set(c.tables, c.which, c.what, false, $3, c.reverts, $4, p_columns => $5) u
$_undo_choice$;
COMMENT ON FUNCTION pgtrack._undo_choice(text, jsonb, text, text, text[]) IS 'Does the work of the verbs that undo sets of changes.';
