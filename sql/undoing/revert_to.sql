CREATE OR REPLACE FUNCTION pgtrack._tables_in(p_schema text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_in$
BEGIN
  IF pgtrack._schema(p_schema) IS NULL THEN
    RAISE EXCEPTION 'schema "%" does not exist', p_schema USING ERRCODE = 'invalid_schema_name';
  END IF;
  RETURN QUERY
    SELECT r.relid FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE c.relnamespace = pgtrack._schema(p_schema) AND r.tracked_until IS NULL AND r.key_columns <> '{}' ORDER BY c.relname;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no table with a primary key is tracked in schema %', p_schema USING
      ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Start with SELECT * FROM pgtrack.track(%L).', p_schema);
  END IF;
END
$_tables_in$;
COMMENT ON FUNCTION pgtrack._tables_in(text) IS 'The tracked tables of a schema whose rows can be reverted.';

CREATE OR REPLACE FUNCTION pgtrack._after_in_all(p_tables regclass[], p_point text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  -- The same condition for all, once each history is known to reach back that far.
  SELECT min(pgtrack._after_in(t, p_point)) FROM unnest(p_tables) t;
END;
COMMENT ON FUNCTION pgtrack._after_in_all(regclass[], text) IS 'The condition for statements after a point that the histories of some tables reach back to.';
