CREATE OR REPLACE FUNCTION pgtrack._refuse_moves(p_table regclass, p_which text, p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_moves$
BEGIN
  IF p_columns IS NOT NULL AND pgtrack._keys_changed_since(p_table, p_which) THEN
    PERFORM pgtrack._refuse_columns(pgtrack._name(p_table), NULL, 'move');
  END IF;
END
$_refuse_moves$;
COMMENT ON FUNCTION pgtrack._refuse_moves(regclass, text, text[]) IS 'Refuses columns where rows have got other keys: what a key names may be another row.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_erased(p_table regclass, p_which text, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_erased$
DECLARE
  v_shape  record;
  v_key    jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF NOT EXISTS (SELECT FROM pgtrack.erasure e WHERE e.relation_id = v_shape.relation_id) THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT e.row_key FROM pgtrack.erasure e CROSS JOIN LATERAL jsonb_to_record(e.row_key) AS k(%s)'
                 ' JOIN %s h ON %s AND h.pgtrack_statement_id <= e.until_id'
                 ' JOIN pgtrack.statement s ON s.relation_id = e.relation_id AND s.statement_id = h.pgtrack_statement_id'
                 ' WHERE e.relation_id = %s AND s.operation <> ''I'' AND (%s) LIMIT 1',
                 v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.relation_id, p_which)
  INTO v_key;
  IF v_key IS NOT NULL THEN
    RAISE EXCEPTION 'cannot undo %: what % (%) was is no longer known', p_what, v_shape.name, pgtrack._key_text(v_key) USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;
END
$_refuse_erased$;
COMMENT ON FUNCTION pgtrack._refuse_erased(regclass, text, text) IS 'Refuses to undo changes of rows whose recorded values were erased.';
