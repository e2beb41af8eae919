CREATE OR REPLACE FUNCTION pgtrack._erase(p_table regclass, p_key jsonb, p_reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase$
DECLARE
  v_shape   record;
  v_values  text;
  v_part    record;
  v_rows    bigint;
  v_erased  bigint := 0;
  v_call    text;
BEGIN
  PERFORM pgtrack._require_owner('erase the past of rows of');
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF coalesce(p_reason, '') = '' THEN
    RAISE EXCEPTION 'say why the past of % (%) is to be erased', v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'invalid_parameter_value', DETAIL = 'The reason is kept, with who did it and when.';
  END IF;
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_shape.name, 'key', p_key), p_reason);
  SELECT string_agg(format('%I = NULL', c.history_column), ', ') INTO v_values
  FROM pgtrack.relation_column c
  WHERE c.relation_id = v_shape.relation_id AND NOT (c.attnum IS NOT NULL AND c.column_name = ANY (v_shape.keys));
  FOR v_part IN SELECT l.* FROM pgtrack._lineage(p_table, p_key) l LOOP
    -- Query texts quote values, too.
    EXECUTE format('UPDATE pgtrack.statement s SET query = NULL FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s'
                   ' WHERE s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id AND h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.relation_id)
    USING v_part.row_key, v_part.after_id, v_part.until_id;
    EXECUTE format('UPDATE %s h SET %s FROM jsonb_to_record($1) AS k(%s) WHERE %s AND h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3',
                   v_shape.history, coalesce(v_values, 'pgtrack_statement_id = h.pgtrack_statement_id'), v_shape.key_record, v_shape.history_is_key)
    USING v_part.row_key, v_part.after_id, v_part.until_id;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_erased := v_erased + v_rows;
    INSERT INTO pgtrack.erasure (relation_id, row_key, until_id, at, who, reason)
    VALUES (v_shape.relation_id, v_part.row_key, nextval('pgtrack.statement_id_seq'), clock_timestamp(), session_user, p_reason);
  END LOOP;
  RETURN format('%s (%s): the values of %s recorded changes erased', v_shape.name, pgtrack._key_text(p_key), v_erased);
END
$_erase$;
COMMENT ON FUNCTION pgtrack._erase(regclass, jsonb, text) IS 'Does the work of pgtrack.erase().';
