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

-- Another table may have had the name before, with values that are not for the owner of this one.
CREATE OR REPLACE FUNCTION pgtrack._latest_kept_of(p_table regclass) RETURNS pgtrack.kept
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_latest_kept_of$
DECLARE
  v_kept  pgtrack.kept;
BEGIN
  SELECT k.* INTO v_kept FROM pgtrack.kept k JOIN pgtrack.relation r USING (relation_id)
  WHERE r.relid = p_table ORDER BY k.at DESC LIMIT 1;
  IF v_kept.kept_id IS NULL THEN
    RAISE EXCEPTION 'no rows of table "%" were kept', pgtrack._name(p_table) USING
      ERRCODE = 'no_data_found',
      DETAIL = 'A dropped column can be brought back if pgtrack.keep() copied this table before. '
               'Copies of another one that had the name are not taken.',
      HINT = 'What was changed or deleted before the drop is still in its table in schema pgtrack_history.';
  END IF;
  RETURN v_kept;
END
$_latest_kept_of$;
COMMENT ON FUNCTION pgtrack._latest_kept_of(regclass) IS 'The latest copy of a table that is there.';

-- Values of foreign types are kept as text, and domains as what they are based on.
CREATE OR REPLACE FUNCTION pgtrack._kept_value_sql(p_kept name, p_table regclass, p_column name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._foreign_kind(a.atttypid) IS NOT NULL AND k.atttypid = 'text'::regtype
              THEN pgtrack._input_sql(format('k.%I', p_column), a.atttypid, format('%I of %s', p_column, pgtrack._name(p_table)))
              ELSE format('k.%I', p_column) END
  FROM pg_attribute a
  JOIN pg_attribute k ON k.attrelid = format('pgtrack_history.%I', p_kept)::regclass AND k.attname = a.attname
  WHERE a.attrelid = p_table AND a.attname = p_column;
END;
COMMENT ON FUNCTION pgtrack._kept_value_sql(name, regclass, name) IS
  'The expression for what the copy k has of a column, as a value that can be written.';

-- Triggers, defaults and checks of the owner's run meanwhile: they see what is brought back, and no more of the copy.
CREATE OR REPLACE FUNCTION pgtrack._show_copy(p_kept name, p_columns text[], p_owner name) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_show_copy$
DECLARE
  v_view    text := format('pgtrack_history.%I', 'shown_' || gen_random_uuid());
  v_events  text := pgtrack._silence_event_triggers();
BEGIN
  PERFORM pgtrack._execute(format('CREATE VIEW %s WITH (security_barrier = true) AS SELECT %s FROM pgtrack_history.%I', v_view,
                                  (SELECT string_agg(DISTINCT quote_ident(c), ', ') FROM unnest(p_columns) c), p_kept));
  PERFORM pgtrack._execute(format('GRANT SELECT ON %s TO %I', v_view, p_owner));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_view;
END
$_show_copy$;
COMMENT ON FUNCTION pgtrack._show_copy(name, text[], name) IS 'Makes a view of columns of a copy that a table''s owner may read, until _as_owner() has used it.';

CREATE OR REPLACE FUNCTION pgtrack._as_owner(p_owner name, p_view text, p_statements text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_as_owner$
DECLARE
  v_rows    bigint;
  v_events  text;
BEGIN
  v_rows := (SELECT (r ->> 'rows')::bigint FROM pgtrack._as_role(p_owner, p_statements, NULL, pgtrack._noted_path()) r);
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('DROP VIEW %s', p_view));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_rows;
END
$_as_owner$;
COMMENT ON FUNCTION pgtrack._as_owner(name, text, text[]) IS 'Executes statements that read a view of a copy with the rights of a table''s owner, and drops the view.';

CREATE OR REPLACE FUNCTION pgtrack._recover_rows(p_kept pgtrack.kept, p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_rows$
DECLARE
  c_check CONSTANT      text := '^ADD CONSTRAINT ("([^"]|"")+"|[^ ]+) CHECK ';
  c_reference CONSTANT  text := '^ADD CONSTRAINT ("([^"]|"")+"|[^ ]+) FOREIGN KEY ';
  v_owner    name := p_kept.definition ->> 'owner';
  v_name     text := pgtrack._name(p_table);
  v_columns  text;
  v_values   text;
  v_part     text;
  v_view     text := pgtrack._show_copy(p_kept.kept_table, ARRAY(SELECT c ->> 'name' FROM jsonb_array_elements(p_kept.definition -> 'columns') c), v_owner);
BEGIN
  SELECT string_agg(quote_ident(c ->> 'name'), ', '),
         string_agg(pgtrack._kept_value_sql(p_kept.kept_table, p_table, (c ->> 'name')::name), ', ')
  INTO v_columns, v_values
  FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE (c ->> 'stored')::boolean;
  PERFORM pgtrack._as_owner(v_owner, v_view,
    format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s k', v_name, v_columns, v_values, v_view)
    || ARRAY(SELECT format('ALTER TABLE %s %s', v_name, c) FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c
             WHERE c ~ c_check)
    || ARRAY(SELECT format('ALTER TABLE %s %s', v_name, c) FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c
             WHERE c !~ c_check AND c !~ c_reference)
    || ARRAY(SELECT jsonb_array_elements_text(p_kept.definition -> 'indexes')));
  -- PostgreSQL looks for references by a query, and plans it with the other table's indexes.
  FOREACH v_part IN ARRAY ARRAY(SELECT c FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c WHERE c ~ c_reference) LOOP
    BEGIN
      PERFORM pgtrack._as_role(v_owner, ARRAY[format('ALTER TABLE %s %s', v_name, v_part)], NULL, pgtrack._noted_path());
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'a foreign key of % is not recovered: %', v_name, SQLERRM USING
        DETAIL = format('It was: %s.', v_part), HINT = 'Its owner may add it with REFERENCES on the other table.';
    END;
  END LOOP;
  PERFORM pgtrack._as_role(v_owner, ARRAY[
            format('SELECT pg_catalog.setval(%L, pg_catalog.max(%I)) FROM %s HAVING pg_catalog.max(%2$I) IS NOT NULL',
                   pg_get_serial_sequence(v_name, a.attname), a.attname, v_name)],
            NULL, pgtrack._noted_path())
  FROM pg_attribute a WHERE a.attrelid = p_table AND a.attidentity <> '';
END
$_recover_rows$;
COMMENT ON FUNCTION pgtrack._recover_rows(pgtrack.kept, regclass) IS
  'Fills a table that was created again from a copy, and gives it its constraints and indexes.';

CREATE OR REPLACE FUNCTION pgtrack._create_sql(p_name text, p_definition jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT array_agg(format('CREATE TABLE %s %s%s%s', x.name, x.body, ' PARTITION BY ' || (x.definition ->> 'key'), ' WITH (' || o.options || ')')
                   ORDER BY x.n)
  FROM (
    SELECT 0 AS n, p_name AS name, p_definition AS definition,
           format('(%s)', (SELECT string_agg(format('%I %s %s', c ->> 'name', c ->> 'type', c ->> 'clause'), ', ')
                           FROM jsonb_array_elements(p_definition -> 'columns') c)) AS body
    UNION ALL
    SELECT t.n, t.part ->> 'name', t.part, format('PARTITION OF %s %s', t.part ->> 'parent', t.part ->> 'bound')
    FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n)) x
  CROSS JOIN LATERAL (SELECT string_agg(v.value, ', ') AS options
                      FROM jsonb_array_elements_text(nullif(x.definition -> 'options', 'null')) v) o;
END;
COMMENT ON FUNCTION pgtrack._create_sql(text, jsonb) IS 'The statements that create a table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._rename_sql(p_name text, p_schema name, p_table name) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Neither the one nor the other name need be free in the schema of the other.
  SELECT ARRAY[format('ALTER TABLE %s RENAME TO %I', p_name, x.name), format('ALTER TABLE %I.%I SET SCHEMA %I', i.parts[1], x.name, p_schema),
               format('ALTER TABLE %I.%I RENAME TO %I', p_schema, x.name, p_table)]
  FROM (SELECT parse_ident(p_name) AS parts) i CROSS JOIN (SELECT 'pgtrack_' || gen_random_uuid() AS name) x;
END;
COMMENT ON FUNCTION pgtrack._rename_sql(text, name, name) IS 'The statements that give a table another name and schema.';

CREATE OR REPLACE FUNCTION pgtrack._create_again(p_name text, p_definition jsonb) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_create_again$
DECLARE
  v_owner   name := p_definition ->> 'owner';
  v_schema  name := (parse_ident(p_name))[1];
  v_names   text[] := p_name || ARRAY(SELECT t.part ->> 'name' FROM jsonb_array_elements(p_definition -> 'partitions')
                                      WITH ORDINALITY AS t (part, n) ORDER BY t.n);
  v_made    regclass[];
BEGIN
  -- All of it is made as the owner: it may call what is in defaults, checks and indexes.
  IF NOT has_schema_privilege(v_owner, v_schema, 'USAGE') OR NOT has_schema_privilege(v_owner, v_schema, 'CREATE') THEN
    RAISE EXCEPTION '% may not create tables in schema %', v_owner, v_schema USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'The table comes back as its owner makes it: defaults, checks and indexes of it must not run with your rights.',
      HINT = format('GRANT USAGE, CREATE ON SCHEMA %I TO %I, and take it back afterwards.', v_schema, v_owner);
  END IF;
  PERFORM pgtrack._as_role(v_owner, pgtrack._create_sql(p_name, p_definition), NULL, pgtrack._noted_path());
  v_made := ARRAY(SELECT to_regclass(u.name) FROM unnest(v_names) WITH ORDINALITY AS u (name, n) ORDER BY u.n);
  -- The bounds of partitions may have called something.
  PERFORM pgtrack._require_made(v_made[1], p_name, NULL, v_owner);
  PERFORM pgtrack._require_made(v_made[t.n + 1], t.part ->> 'name', v_made[array_position(v_names, t.part ->> 'parent')], v_owner)
  FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n);
  RETURN v_made;
END
$_create_again$;
COMMENT ON FUNCTION pgtrack._create_again(text, jsonb) IS
  'Creates a table and its partitions again, as its owner; returns them, the partitions in the order of the definition.';

CREATE OR REPLACE FUNCTION pgtrack._recover_table(p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_table$
DECLARE
  v_relation    pgtrack.relation;
  v_owner       name;
  v_name        text;
  -- What its definition calls it: it may have been renamed later.
  v_former      text;
  v_made        regclass[];
  v_definition  jsonb;
  -- If it has not begun anew already, as under another key.
  v_goes_on     boolean;
  v_call        text;
BEGIN
  PERFORM pgtrack._require_owner('recover');
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_kept.relation_id;
  v_name := format('%I.%I', v_relation.schema_name, v_relation.table_name);
  v_former := coalesce(p_kept.definition ->> 'name', v_name);
  IF to_regclass(v_name) IS NOT NULL OR to_regclass(v_former) IS NOT NULL THEN
    RAISE EXCEPTION 'table % exists', CASE WHEN to_regclass(v_name) IS NULL THEN v_former ELSE v_name END USING
      ERRCODE = 'duplicate_table',
      DETAIL = CASE WHEN v_name <> v_former THEN format('%s was called %s when its rows were kept, and is made again under that name first.', v_name, v_former)
                    ELSE 'A dropped table comes back as a whole.' END,
      HINT = 'To bring back a dropped column, name it: pgtrack.recover(''table'', ''column'').';
  END IF;
  v_definition := pgtrack._definition_at_last(p_kept.definition, v_name);
  v_goes_on := pgtrack._history_goes_on(p_kept, v_definition);
  p_kept.definition := v_definition;
  v_owner := p_kept.definition ->> 'owner';
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name));
  -- In a tracked schema it is no new table (_new_tables).
  UPDATE pgtrack.relation SET tracked_until = 'infinity' WHERE relation_id = v_relation.relation_id;
  v_made := pgtrack._create_again(v_former, p_kept.definition);
  PERFORM pgtrack._recover_rows(p_kept, v_made[1]);
  PERFORM pgtrack._recover_owners(v_made, v_former, p_kept.definition);
  PERFORM pgtrack._try_as_role(v_owner, 'the comment', ARRAY[c]) FROM jsonb_array_elements_text(p_kept.definition -> 'comments') c;
  PERFORM pgtrack._recover_attached(v_made[1], v_owner, a.part) FROM jsonb_array_elements(p_kept.definition -> 'attached') AS a (part);
  PERFORM pgtrack._as_role(v_owner, pgtrack._rename_sql(v_former, v_relation.schema_name, v_relation.table_name), NULL, pgtrack._noted_path())
  WHERE v_former <> v_name;
  PERFORM pgtrack._require_made(v_made[1], v_name, NULL, v_owner);
  UPDATE pgtrack.kept k
  SET definition = CASE k.kept_id WHEN p_kept.kept_id THEN pgtrack._as_made(p_kept.definition, v_made) ELSE k.definition - 'last' END
  WHERE k.relation_id = v_relation.relation_id;
  UPDATE pgtrack.relation r
  SET relid = CASE WHEN v_goes_on THEN v_made[1] END, identity = CASE WHEN v_goes_on THEN '' ELSE r.identity END,
      tracked_until = CASE WHEN v_goes_on THEN r.tracked_until ELSE coalesce(v_relation.tracked_until, clock_timestamp()) END
  WHERE r.relation_id = v_relation.relation_id;
  PERFORM pgtrack._track_patiently(v_made[1], v_relation.options, true);
  RETURN format('%s: created again for %s with %s rows, as of %s, and tracked%s', v_name, v_owner, p_kept.row_count, p_kept.at,
                CASE WHEN NOT v_goes_on THEN '; its history begins anew' END);
END
$_recover_table$;
COMMENT ON FUNCTION pgtrack._recover_table(pgtrack.kept) IS 'Creates a dropped table again from a copy.';

CREATE OR REPLACE FUNCTION pgtrack._recover_column(p_table regclass, p_column name, p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_column$
DECLARE
  v_name    text := pgtrack._name(p_table);
  v_owner   name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = p_table);
  v_column  jsonb := (SELECT c FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE c ->> 'name' = p_column);
  v_type    text := v_column ->> 'type';
  v_domain  text;
  v_key     name[];
  v_same    text;
  v_view    text;
  v_rows    bigint := 0;
  v_call    text;
BEGIN
  SELECT string_agg(pgtrack._live_is_sql(format('t.%I', k.column_name), k.type, format('k.%I', k.column_name), k.operator, k.equality),
                    ' AND '), array_agg(k.column_name)
  INTO v_same, v_key
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k WHERE r.relid = p_table;
  IF v_column IS NULL OR v_same IS NULL THEN
    RAISE EXCEPTION 'column "%" of % cannot be recovered', p_column, v_name USING
      ERRCODE = 'undefined_column',
      DETAIL = CASE WHEN v_column IS NULL THEN format('The copy of %s does not have it.', p_kept.at) ELSE 'The table has no primary key.' END;
  END IF;
  PERFORM pgtrack._hold_table(p_table);
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name, 'column', p_column));
  -- A domain may not take the null that a new column begins with.
  SELECT v_type, format_type(b.type, b.typmod) INTO v_domain, v_type
  FROM pg_type t CROSS JOIN LATERAL pgtrack._base_type(t.oid, -1) b
  WHERE t.oid = to_regtype(regexp_replace(v_type, $r$ COLLATE ("([^"]|"")+"|[^ ."]+)\.("([^"]|"")+"|[^ ."]+)$$r$, '')) AND t.typtype = 'd';
  v_type := coalesce(v_type, v_column ->> 'type');
  PERFORM pgtrack._as_role(v_owner, ARRAY[
    format('ALTER TABLE %s ADD COLUMN %I %s %s', v_name, p_column, v_type, replace(v_column ->> 'clause', ' NOT NULL', ''))],
    NULL, pgtrack._noted_path());
  IF (v_column ->> 'stored')::boolean THEN
    v_view := pgtrack._show_copy(p_kept.kept_table, v_key || p_column, v_owner);
    v_rows := pgtrack._as_owner(v_owner, v_view, ARRAY[
      format('UPDATE %s t SET %I = %s FROM %s k WHERE %s', v_name, p_column,
             pgtrack._kept_value_sql(p_kept.kept_table, p_table, p_column), v_view, v_same)]);
  END IF;
  IF v_domain IS NOT NULL THEN
    PERFORM pgtrack._as_role(v_owner, ARRAY[format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', v_name, p_column, v_domain)],
                             NULL, pgtrack._noted_path());
  END IF;
  RETURN format('%s: column %I added again, with the values of %s in %s rows%s', v_name, p_column, p_kept.at, v_rows,
                CASE WHEN v_column ->> 'clause' LIKE '% NOT NULL' THEN '; it was NOT NULL' ELSE '' END);
END
$_recover_column$;
COMMENT ON FUNCTION pgtrack._recover_column(regclass, name, pgtrack.kept) IS 'Adds a dropped column again, with its values from a copy.';

CREATE OR REPLACE FUNCTION pgtrack.recover("table" text, "column" text DEFAULT NULL, schema text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE AS $recover$
BEGIN
  PERFORM pgtrack._note_path();
  IF $2 IS NULL THEN
    RETURN pgtrack._recover_table(pgtrack._latest_kept($1, coalesce($3, pg_catalog.current_schema())));
  END IF;
  RETURN pgtrack._recover_column(pgtrack._table($1, $3), $2, pgtrack._latest_kept_of(pgtrack._table($1, $3)));
END
$recover$;
COMMENT ON FUNCTION pgtrack.recover(text, text, text) IS
  'Brings back a dropped table, with its history, or a dropped column, from the latest copy made by pgtrack.keep().';
