CREATE OR REPLACE FUNCTION pgtrack._latest_kept(p_table text, p_schema text) RETURNS pgtrack.kept
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_latest_kept$
DECLARE
  v_name    text[] := parse_ident(p_table);
  v_schema  text := CASE cardinality(v_name) WHEN 2 THEN v_name[1] ELSE p_schema END;
  v_kept    pgtrack.kept;
BEGIN
  SELECT k.* INTO v_kept FROM pgtrack.kept k JOIN pgtrack.relation r USING (relation_id)
  WHERE r.schema_name = v_schema AND r.table_name = v_name[cardinality(v_name)]
  ORDER BY k.at DESC LIMIT 1;
  IF v_kept.kept_id IS NULL THEN
    RAISE EXCEPTION 'no rows of table "%" were kept', p_table USING
      ERRCODE = 'no_data_found',
      DETAIL = 'A dropped table can be brought back if pgtrack.keep() copied it before.',
      HINT = 'What was changed or deleted before the drop is still in its table in schema pgtrack_history.';
  END IF;
  RETURN v_kept;
END
$_latest_kept$;
COMMENT ON FUNCTION pgtrack._latest_kept(text, text) IS 'The latest copy of a table that may no longer exist.';

CREATE OR REPLACE FUNCTION pgtrack._recover_table(p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_table$
DECLARE
  v_relation  pgtrack.relation;
  v_name      text;
  v_part      text;
  v_column    record;
  v_call      text;
BEGIN
  PERFORM pgtrack._require_owner('recover');
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_kept.relation_id;
  v_name := format('%I.%I', v_relation.schema_name, v_relation.table_name);
  IF to_regclass(v_name) IS NOT NULL THEN
    RAISE EXCEPTION 'table % exists', v_name USING
      ERRCODE = 'duplicate_table',
      HINT = 'To bring back a dropped column, name it: pgtrack.recover(''table'', ''column'').';
  END IF;
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name));
  EXECUTE format('CREATE TABLE %s (%s)', v_name,
    (SELECT string_agg(format('%I %s %s', c ->> 'name', c ->> 'type', c ->> 'clause'), ', ') FROM jsonb_array_elements(p_kept.definition -> 'columns') c));
  SELECT string_agg(quote_ident(c ->> 'name'), ', ') INTO v_part
  FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE (c ->> 'stored')::boolean;
  EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM pgtrack_history.%3$I', v_name, v_part, p_kept.kept_table);
  FOR v_part IN
    SELECT format('ALTER TABLE %s %s', v_name, c) FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c
    UNION ALL SELECT i FROM jsonb_array_elements_text(p_kept.definition -> 'indexes') i
    UNION ALL SELECT format('ALTER TABLE %s OWNER TO %I', v_name, p_kept.definition ->> 'owner')
  LOOP
    EXECUTE v_part;
  END LOOP;
  FOR v_column IN SELECT a.attname, pg_get_serial_sequence(v_name, a.attname) AS sequence FROM pg_attribute a
                  WHERE a.attrelid = v_name::regclass AND a.attidentity <> '' LOOP
    EXECUTE format('SELECT setval(%L, max(%I)) FROM %s HAVING max(%2$I) IS NOT NULL', v_column.sequence, v_column.attname, v_name);
  END LOOP;
  -- Its history goes on, if it has not begun anew.
  UPDATE pgtrack.relation SET relid = v_name::regclass, identity = '' WHERE relation_id = v_relation.relation_id;
  PERFORM pgtrack._track_patiently(v_name::regclass, v_relation.options, true);
  RETURN format('%s: created again with %s rows, as of %s, and tracked', v_name, p_kept.row_count, p_kept.at);
END
$_recover_table$;
COMMENT ON FUNCTION pgtrack._recover_table(pgtrack.kept) IS 'Creates a dropped table again from a copy.';

CREATE OR REPLACE FUNCTION pgtrack._recover_column(p_table regclass, p_column name, p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_column$
DECLARE
  v_name    text := pgtrack._name(p_table);
  v_column  jsonb := (SELECT c FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE c ->> 'name' = p_column);
  v_same    text := (SELECT string_agg(format('t.%I OPERATOR(%s) k.%1$I', u.name, u.equality), ' AND ')
                     FROM pgtrack.relation r CROSS JOIN LATERAL unnest(r.key_columns, r.key_equality) AS u (name, equality) WHERE r.relid = p_table);
  v_rows    bigint := 0;
  v_call    text;
BEGIN
  IF v_column IS NULL OR v_same IS NULL THEN
    RAISE EXCEPTION 'column "%" of % cannot be recovered', p_column, v_name USING
      ERRCODE = 'undefined_column',
      DETAIL = CASE WHEN v_column IS NULL THEN format('The copy of %s does not have it.', p_kept.at) ELSE 'The table has no primary key.' END;
  END IF;
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name, 'column', p_column));
  EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s %s', v_name, p_column, v_column ->> 'type', replace(v_column ->> 'clause', ' NOT NULL', ''));
  IF (v_column ->> 'stored')::boolean THEN
    EXECUTE format('UPDATE %s t SET %I = k.%2$I FROM pgtrack_history.%3$I k WHERE %4$s', v_name, p_column, p_kept.kept_table, v_same);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
  END IF;
  RETURN format('%s: column %I added again, with the values of %s in %s rows%s', v_name, p_column, p_kept.at, v_rows,
                CASE WHEN v_column ->> 'clause' LIKE '% NOT NULL' THEN '; it was NOT NULL' ELSE '' END);
END
$_recover_column$;
COMMENT ON FUNCTION pgtrack._recover_column(regclass, name, pgtrack.kept) IS 'Adds a dropped column again, with its values from a copy.';

CREATE OR REPLACE FUNCTION pgtrack.recover("table" text, "column" text DEFAULT NULL, schema text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE AS $recover$
BEGIN
  IF $2 IS NULL THEN
    RETURN pgtrack._recover_table(pgtrack._latest_kept($1, coalesce($3, pg_catalog.current_schema())));
  END IF;
  RETURN pgtrack._recover_column(pgtrack._table($1, $3), $2, pgtrack._latest_kept($1, coalesce($3, pg_catalog.current_schema())));
END
$recover$;
COMMENT ON FUNCTION pgtrack.recover(text, text, text) IS
  'Brings back a dropped table, with its history, or a dropped column, from the latest copy made by pgtrack.keep().';
