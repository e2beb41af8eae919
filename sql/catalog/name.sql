-- Naming: from what the caller writes to a tracked table and a row key

CREATE OR REPLACE FUNCTION pgtrack._unknown_table(p_table text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_unknown_table$
DECLARE
  v_similar text;
BEGIN
  SELECT format('Did you mean %L?', quote_ident(n.nspname) || '.' || quote_ident(c.relname)) INTO v_similar
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p')
    AND lower(c.relname) = lower((parse_ident(p_table))[cardinality(parse_ident(p_table))])
    AND n.nspname <> 'pgtrack_history'
  ORDER BY n.nspname LIMIT 1;
  RAISE EXCEPTION 'table "%" does not exist', p_table USING
    ERRCODE = 'undefined_table',
    DETAIL = 'Names are looked up as in a query: through search_path, in lower case unless quoted.',
    HINT = coalesce(v_similar, 'Write it as ''schema.table'', or pass the schema as the argument "schema".');
END
$_unknown_table$;
COMMENT ON FUNCTION pgtrack._unknown_table(text) IS 'Reports that a table does not exist, with the name of a similar one.';

-- Without a pinned search_path, because the caller's own decides what a bare name means; hence no operators.
CREATE OR REPLACE FUNCTION pgtrack._table(p_table text, p_schema text) RETURNS regclass
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $_table$
DECLARE
  v_name   pg_catalog.text := p_table;
  v_table  pg_catalog.regclass;
BEGIN
  IF p_table IS NULL THEN
    RAISE EXCEPTION 'the table must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF p_schema IS NOT NULL THEN
    v_name := pg_catalog.concat(pg_catalog.quote_ident(p_schema), '.', p_table);
  END IF;
  v_table := pg_catalog.to_regclass(v_name);
  IF v_table IS NULL THEN
    PERFORM pgtrack._unknown_table(v_name);
  END IF;
  -- Our functions set it on; whoever has it off wants an error rather than a part of the rows.
  IF pg_catalog.starts_with(pg_catalog.current_setting('row_security'), 'off') AND pg_catalog.row_security_active(v_table) THEN
    RAISE EXCEPTION 'query would be affected by row-level security policy for table "%"', v_name USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN v_table;
END
$_table$;
COMMENT ON FUNCTION pgtrack._table(text, text) IS 'The table that a caller means, or an error.';

CREATE OR REPLACE FUNCTION pgtrack._name(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_name$
BEGIN
  -- As nothing but pg_catalog is searched, its text has the schema; of a table that is gone it is the number.
  RETURN nullif(p_table::text, p_table::oid::text);
END
$_name$;
COMMENT ON FUNCTION pgtrack._name(regclass) IS 'A table''s name with its schema, quoted where necessary.';

CREATE OR REPLACE FUNCTION pgtrack._attnum(p_table regclass, p_name name, p_attnum smallint) RETURNS smallint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_attnum$
BEGIN
  RETURN (
  -- Numbers are from before a restore, names are not; but a rename may not have been followed yet.
  SELECT coalesce((SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_name AND a.attnum > 0), p_attnum)
  WHERE p_attnum IS NOT NULL);
END
$_attnum$;
COMMENT ON FUNCTION pgtrack._attnum(regclass, name, smallint) IS 'The number of a recorded column in its table; null if it is there no more.';

CREATE OR REPLACE FUNCTION pgtrack._owner_of(p_table regclass) RETURNS name
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._owner_of(regclass) IS 'The owner of a table.';
