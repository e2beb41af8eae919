CREATE OR REPLACE FUNCTION pgtrack._tables_of(p_which text, p_what text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of$
DECLARE
  v_relation  record;
  v_found     boolean := false;
BEGIN
  FOR v_relation IN EXECUTE format(
    'SELECT r.relid, r.schema_name, r.table_name, r.key_columns FROM pgtrack.relation r'
    ' WHERE EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = r.relation_id AND (%s)) ORDER BY r.relation_id', p_which)
  LOOP
    v_found := true;
    IF v_relation.relid IS NULL THEN
      RAISE EXCEPTION 'cannot undo %: table %.% has been dropped', p_what, v_relation.schema_name, v_relation.table_name
        USING ERRCODE = 'undefined_table';
    ELSIF v_relation.key_columns = '{}' THEN
      RAISE EXCEPTION 'cannot undo %: table % has no primary key', p_what, pgtrack._name(v_relation.relid)
        USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pgtrack._require_select(v_relation.relid);
    RETURN NEXT v_relation.relid;
  END LOOP;
  IF NOT v_found THEN
    RAISE EXCEPTION 'no change of % is recorded', p_what USING
      ERRCODE = 'no_data_found',
      DETAIL = 'There is none in a tracked table, or only in tables that you may not read.',
      HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
  END IF;
END
$_tables_of$;
COMMENT ON FUNCTION pgtrack._tables_of(text, text) IS 'The tables that a set of statements changed, all of which can be reverted, or an error.';
