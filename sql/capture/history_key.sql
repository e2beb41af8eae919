CREATE OR REPLACE FUNCTION pgtrack._sync_key(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_key$
DECLARE
  v_relation  pgtrack.relation;
  v_keys      name[];
  v_equality  text[];
  v_columns   text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  SELECT coalesce(array_agg(a.attname ORDER BY k.position), '{}'),
         coalesce(array_agg(format('%I.%s', n.nspname, o.oprname) ORDER BY k.position), '{}')
  INTO v_keys, v_equality
  FROM pgtrack._key_operators(v_relation.relid) k
  JOIN pg_attribute a ON a.attrelid = v_relation.relid AND a.attnum = k.attnum
  JOIN pg_operator o ON o.oid = k.operator
  JOIN pg_namespace n ON n.oid = o.oprnamespace;

  UPDATE pgtrack.relation SET key_columns = v_keys, key_equality = v_equality
  WHERE relation_id = p_relation AND (key_columns, key_equality) IS DISTINCT FROM (v_keys, v_equality);
  IF v_keys IS DISTINCT FROM v_relation.key_columns THEN
    EXECUTE format('DROP INDEX IF EXISTS pgtrack_history.%I', format('h%s_key', p_relation));
    SELECT string_agg(quote_ident(c.history_column), ', ' ORDER BY array_position(v_keys, c.column_name)) INTO v_columns
    FROM pgtrack.relation_column c
    WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (v_keys);
    IF v_columns IS NOT NULL THEN
      EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I (%s)', format('h%s_key', p_relation), v_relation.history_table, v_columns);
    END IF;
  END IF;
END
$_sync_key$;
COMMENT ON FUNCTION pgtrack._sync_key(integer) IS 'Notes a tracked table''s primary key and indexes its history by it.';
