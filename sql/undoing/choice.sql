-- A choice has the arguments of a verb by name.
CREATE OR REPLACE FUNCTION pgtrack._choice(p_choice jsonb, p_table regclass) RETURNS pgtrack._set
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_choice$
DECLARE
  v_names  text[];
  v_set    pgtrack._set;
BEGIN
  IF jsonb_typeof(p_choice) = 'object' THEN
    v_names := ARRAY(SELECT c.key FROM jsonb_each(p_choice) c WHERE c.value <> 'null' ORDER BY c.key);
  END IF;
  v_set.label := 'these changes';
  IF v_names = '{}' AND p_choice ?| '{xid,xids,statement_ids}' THEN
    RAISE EXCEPTION 'there is no such transaction: its number is null' USING
      ERRCODE = 'no_data_found', HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
  ELSIF v_names = '{xid}' THEN
    v_set.condition := pgtrack._of_transaction((p_choice ->> 'xid')::bigint);
    v_set.label := format('transaction %s', p_choice ->> 'xid');
    v_set.reverts := format('xid:%s', p_choice ->> 'xid');
  ELSIF v_names = '{xids}' THEN
    v_set.condition := pgtrack._of_transactions(ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'xids')::bigint));
    v_set.label := 'these transactions';
    v_set.reverts := 'transactions ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'xids') x);
  ELSIF v_names = '{statement_ids}' THEN
    v_set.condition := format('s.statement_id = ANY (%L::bigint[])', ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'statement_ids')));
    v_set.reverts := 'changes ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'statement_ids') x);
  ELSIF v_names && '{table,schema}' AND v_names <@ '{point,schema,table}' THEN
    v_set.point := p_choice ->> 'point';
    v_set.label := v_set.point;
    v_set.reverts := format('point %s', v_set.point);
    v_set.tables := CASE WHEN p_table IS NULL THEN ARRAY(SELECT pgtrack._tables_in(p_choice ->> 'schema')) ELSE ARRAY[p_table] END;
    v_set.condition := pgtrack._after_in_all(v_set.tables, v_set.point);
  ELSIF v_names <@ '{actor,application,user,from,to}' THEN
    v_set.condition := pgtrack._made_by(p_choice ->> 'actor', p_choice ->> 'application', p_choice ->> 'user',
                                        (p_choice ->> 'from')::timestamptz, (p_choice ->> 'to')::timestamptz);
    v_set.reverts := concat_ws(' ', 'where', 'actor=' || (p_choice ->> 'actor'), 'application=' || (p_choice ->> 'application'),
                               'user=' || (p_choice ->> 'user'), 'from=' || (p_choice ->> 'from')::timestamptz,
                               'to=' || (p_choice ->> 'to')::timestamptz);
  ELSE
    RAISE EXCEPTION 'it is not clear what to undo: %', coalesce(p_choice::text, 'null') USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Say {"xid": 1}, {"xids": [1, 2]}, {"statement_ids": [1, 2]}, {"table": "shop.orders", "point": "a tag or a time"}, '
             '{"schema": "shop", "point": "..."}, or some of actor, application, user, from and to.';
  END IF;
  v_set.tables := coalesce(v_set.tables, ARRAY(SELECT pgtrack._tables_of(v_set.condition, v_set.label)));
  RETURN v_set;
END
$_choice$;
COMMENT ON FUNCTION pgtrack._choice(jsonb, regclass) IS
  'The set of changes that a verb would undo, from its arguments by name; p_table is the one that they name.';
