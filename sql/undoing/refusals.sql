CREATE OR REPLACE FUNCTION pgtrack._refuse_moves(p_table regclass, p_which text, p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_moves$
BEGIN
  IF p_columns IS NOT NULL AND pgtrack._keys_changed_since(p_table, p_which) THEN
    PERFORM pgtrack._refuse_columns(pgtrack._name(p_table), NULL, 'move');
  END IF;
END
$_refuse_moves$;
COMMENT ON FUNCTION pgtrack._refuse_moves(regclass, text, text[]) IS 'Refuses columns where rows have got other keys: what a key names may be another row.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_contested(p_name text, p_key jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_contested$
BEGIN
  RAISE EXCEPTION 'two rows of % would have the key %', p_name, pgtrack._key_text(p_key) USING
    ERRCODE = 'unique_violation',
    DETAIL = 'It was one row''s before, and others have given it to another row since.',
    HINT = 'Give that row another key first, or undo fewer changes; pgtrack.history() shows what had the key.';
END
$_refuse_contested$;
COMMENT ON FUNCTION pgtrack._refuse_contested(text, jsonb) IS 'Refuses to give two rows one key.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_erased(p_table regclass, p_which text, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_erased$
DECLARE
  v_shape  record;
  v_key    jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF NOT pgtrack._has_erasures(v_shape.relation_id) THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT x.key FROM %s h JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
                 ' CROSS JOIN LATERAL (SELECT pgtrack._canonical_key(%s, %L) AS key) x'
                 ' WHERE s.operation <> ''I'' AND (%s) AND pgtrack._is_erased(%2$s, x.key, h.pgtrack_statement_id) LIMIT 1',
                 v_shape.history, v_shape.relation_id, v_shape.key_json, v_shape.key_record, p_which)
  INTO v_key;
  IF v_key IS NOT NULL THEN
    RAISE EXCEPTION 'cannot undo %: what % (%) was is no longer known', p_what, v_shape.name, pgtrack._key_text(v_key) USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;
END
$_refuse_erased$;
COMMENT ON FUNCTION pgtrack._refuse_erased(regclass, text, text) IS 'Refuses to undo changes of rows whose recorded values were erased.';
