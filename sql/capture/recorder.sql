-- The generated functions are SECURITY DEFINER so that a role needs no rights on pg_track to write its own tables.
-- They name everything with its schema and use no bare operators, so no search_path can mislead them; pinning one
-- instead costs about 2 microseconds a statement. Names cannot clash with the table's columns: the block's label qualifies
-- every variable, a table alias every column.

CREATE OR REPLACE FUNCTION pgtrack._images_sql(p_relation integer, p_operation text, p_id text, p_record text, p_from text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_images_sql$
BEGIN
  RETURN (
  -- An INSERT records only the key, or everything where there is no key to find the row by. A column that was renamed or
  -- dropped may not have been followed yet.
  SELECT format('INSERT INTO pgtrack_history.%I (%s) SELECT %s%s', r.history_table,
                concat_ws(', ', 'pgtrack_statement_id', string_agg(quote_ident(v.history_column), ', ' ORDER BY v.attnum)),
                concat_ws(', ', p_id, string_agg(coalesce(pgtrack._output_sql(v.value, v.atttypid, p_id <> '$1'), v.value), ', ' ORDER BY v.attnum)), p_from)
  FROM pgtrack.relation r
  -- A table may have no column at all.
  LEFT JOIN LATERAL (
    SELECT c.history_column, c.attnum, a.atttypid, x.value
    FROM pgtrack.relation_column c
    -- OFFSET 0: they are looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT pgtrack._attnum(r.relid, c.column_name, c.attnum) AS attnum OFFSET 0) n
    CROSS JOIN LATERAL (SELECT a.* FROM pg_attribute a WHERE a.attrelid = r.relid AND NOT a.attisdropped AND a.attnum = n.attnum OFFSET 0) a
    -- A name that is no column any more would be taken for a function.
    CROSS JOIN LATERAL (SELECT p_record || '.' || quote_ident(pgtrack._column_name(r.relid, a.attnum)) AS value) x
    WHERE c.relation_id = r.relation_id AND c.attnum IS NOT NULL AND x.value IS NOT NULL
      AND (p_operation <> 'insert' OR r.key_columns = '{}' OR c.column_name = ANY (r.key_columns))) v ON true
  WHERE r.relation_id = p_relation
  GROUP BY r.relation_id);
END
$_images_sql$;
COMMENT ON FUNCTION pgtrack._images_sql(integer, text, text, text, text) IS
  'The statement that writes the images of changed rows: with p_id a variable in generated code, or executed with a parameter.';

CREATE OR REPLACE FUNCTION pgtrack._statement_sql(p_relation integer, p_operation text, p_id text, p_rows text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_statement_sql$
BEGIN
  RETURN (
  -- What a client sets is bounded.
  SELECT coalesce(pgtrack._hiding_sql(p_relation), '') || format($$
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, query)
          VALUES (
            %s, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            %s, %L, %s, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pgtrack._client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000), %s);$$,
    p_id, r.relation_id, p_operation, p_rows, pgtrack._text_sql(p_relation))
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_statement_sql$;
COMMENT ON FUNCTION pgtrack._statement_sql(integer, text, text, text) IS 'The statement that writes the record of a statement.';

CREATE OR REPLACE FUNCTION pgtrack._create_function(p_relation integer, p_signature text, p_definition text, p_body text, p_comment text, p_leaf regclass)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET check_function_bodies = on AS $_create_function$
DECLARE
  v_function  regprocedure;
  v_comment   text;
BEGIN
  -- As a literal: no name in the body can end it.
  EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack_history.%s %s AS %L', p_signature, p_definition, p_body);
  v_function := format('pgtrack_history.%s', p_signature);
  v_comment := replace(p_comment, '@', (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation));
  IF NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_proc'::regclass AND d.objoid = v_function AND d.objsubid = 0 AND d.description = v_comment) THEN
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_function, v_comment);
  END IF;
  INSERT INTO pgtrack.generated (function_name, relation_id, leaf, fingerprint) VALUES (split_part(p_signature, '(', 1), p_relation, p_leaf, '')
  ON CONFLICT (function_name) DO UPDATE SET fingerprint = excluded.fingerprint, leaf = excluded.leaf;
END
$_create_function$;
COMMENT ON FUNCTION pgtrack._create_function(integer, text, text, text, text, regclass) IS
  'Creates one function of a tracked table, which only triggers call; in the comment @ is the table''s name.';

CREATE OR REPLACE FUNCTION pgtrack._create_recorder(p_relation integer, p_name name, p_declarations text, p_settings text, p_body text, p_comment text,
                                                    p_leaf regclass DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_create_recorder$
BEGIN
  -- Nobody asks what an AFTER trigger returns, and NEW, which is null in one for statements, is no expression to evaluate.
  PERFORM pgtrack._create_function(p_relation, p_name || '()', concat_ws(' ', 'RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER', p_settings),
    concat(E'\n<<pgtrack>>\nDECLARE\n  ', p_declarations, E'\nBEGIN\n  ', p_body, E'\n  RETURN NEW;\nEND\n'), p_comment, p_leaf);
END
$_create_recorder$;
COMMENT ON FUNCTION pgtrack._create_recorder(integer, name, text, text, text, text, regclass) IS 'Creates one trigger function of a tracked table.';

-- A trigger function records for the tables that it was written for, and for nobody who attaches it to another.
CREATE OR REPLACE FUNCTION pgtrack._is_stale_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_stale_sql$
BEGIN
  RETURN (
  SELECT format('%s OR pgtrack._has_drifted(''%s''::pg_catalog.regclass, %L, %L, %L::pg_catalog.jsonb)',
                format(CASE cardinality(m.oids) WHEN 1 THEN 'TG_RELID OPERATOR(pg_catalog.<>) ''%2$s''::pg_catalog.regclass'
                                                ELSE 'NOT TG_RELID OPERATOR(pg_catalog.=) ANY (%1$L::pg_catalog.oid[])' END, m.oids, m.oids[1]),
                r.relid::oid, pgtrack._identity(r.relid), pgtrack._fingerprint(r.relid),
                (SELECT jsonb_object_agg(c.attnum, jsonb_build_array(c.column_name, c.type::bigint)) FROM pgtrack.relation_column c
                 WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL))
  FROM pgtrack.relation r CROSS JOIN LATERAL (SELECT ARRAY(SELECT m.relid::oid FROM pgtrack._members(r.relid) m ORDER BY 1) AS oids) m
  WHERE r.relation_id = p_relation);
END
$_is_stale_sql$;
COMMENT ON FUNCTION pgtrack._is_stale_sql(integer) IS
  'The condition, in a trigger function of a table, that it was written for another table or another shape.';

CREATE OR REPLACE FUNCTION pgtrack._generate_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_functions$
DECLARE
  v_relation   pgtrack.relation;
  v_mode       text;
  v_nests      boolean;
  v_next       text := 'pg_catalog.nextval(''pgtrack.statement_id_seq''::pg_catalog.regclass)';
  v_stale      text := pgtrack._is_stale_sql(p_relation);
  v_put_first  text := pgtrack._put_first_sql(p_relation, 'D');
  v_variant    record;
  v_record     text;
  v_from       text;
  v_repeats    boolean;
  -- FOUND costs less to ask for, but EXECUTE does not set it.
  c_rows CONSTANT  text := 'pgtrack.rows OPERATOR(pg_catalog.>) 0';
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  v_mode := pgtrack._capture_mode(v_relation.relid, v_relation.options);
  v_nests := pgtrack._may_nest(v_relation.relid) AND v_mode <> 'row';
  PERFORM pgtrack._generate_moves(p_relation, v_mode);
  FOR v_variant IN
    VALUES ('insert', 'I', 'NEW', 'pgtrack_new'), ('update', 'U', 'OLD', 'pgtrack_old'), ('delete', 'D', 'OLD', 'pgtrack_old')
  LOOP
    v_record := CASE v_mode WHEN 'row' THEN v_variant.column3 ELSE 'r' END;
    v_repeats := v_variant.column1 = 'update' AND v_mode <> 'row' AND v_relation.key_columns <> '{}' AND pgtrack._may_repeat(v_relation.relid);
    v_from := CASE v_mode WHEN 'row' THEN '' ELSE format(' FROM %s AS r', v_variant.column4) END;
    PERFORM pgtrack._create_recorder(p_relation, format('record_%s_%s', v_variant.column1, p_relation)::name,
      format('id    pg_catalog.int8 := %s;
  rows  pg_catalog.int8;',
        CASE WHEN v_nests THEN format('pgtrack._statement_id(%s, %L, pg_catalog.pg_trigger_depth(), true, %L)', p_relation, v_variant.column2,
                                      NOT pgtrack._has_acting_key(v_relation.relid))
             ELSE v_next END) || CASE WHEN v_variant.column2 = 'D' AND v_put_first IS NOT NULL THEN E'\n  command  pg_catalog.cid;' ELSE '' END,
      pgtrack._recorder_settings(p_relation),
      CASE v_mode WHEN 'row' THEN E'-- A trigger made the first child: the statement''s own trigger, which was for no row, ends as one for rows.\n'
                                  '  IF TG_LEVEL OPERATOR(pg_catalog.=) ''STATEMENT'' THEN\n    RETURN NULL;\n  END IF;\n  ' ELSE '' END
      || format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);%8$s
    EXECUTE pgtrack._images_sql(%2$s, %3$L, '$1', %4$L, %5$L) USING pgtrack.id%6$s;%13$s
  ELS%11$sE
    %7$s;
  END IF;
  GET DIAGNOSTICS rows = ROW_COUNT;%12$s
  IF %14$s THEN%9$s%10$s
  END IF;$body$,
        v_stale, p_relation,
        v_variant.column1, CASE v_mode WHEN 'row' THEN '($2)' ELSE 'r' END, v_from,
        CASE v_mode WHEN 'row' THEN ', ' || v_record ELSE '' END,
        pgtrack._images_sql(p_relation, v_variant.column1, 'pgtrack.id', v_record, v_from),
        -- A column that was found just now is in the images of later numbers.
        CASE WHEN v_nests THEN '' ELSE format(E'\n    id := %s;', v_next) END
        -- What follows the images is written for this key.
        || CASE WHEN v_repeats THEN format(E'\n    PERFORM pgtrack._require_same_key(%s, %L);', p_relation, pgtrack._key_types(p_relation)) ELSE '' END,
        CASE WHEN v_repeats THEN pgtrack._order_sql(p_relation) ELSE '' END,
        rtrim(pgtrack._statement_sql(p_relation, v_variant.column2, 'pgtrack.id', 'pgtrack.rows'), ';')
        || coalesce(CASE WHEN v_variant.column2 = 'D' THEN v_put_first WHEN v_repeats THEN pgtrack._put_deletion_last_sql(p_relation) END, ';'),
        CASE v_mode WHEN 'tree' THEN pgtrack._unmoved_sql(p_relation, v_variant.column1, v_from) ELSE '' END,
        CASE WHEN v_mode = 'tree' AND v_variant.column1 = 'update' THEN pgtrack._moved_sql(p_relation) ELSE '' END,
        CASE v_mode WHEN 'tree' THEN '' ELSE format(E'\n    GET DIAGNOSTICS rows = ROW_COUNT;\n    found := %s;', c_rows) END,
        CASE v_mode WHEN 'tree' THEN c_rows ELSE 'found' END),
      format('Records each %s on @.', upper(v_variant.column1)));
  END LOOP;

  PERFORM pgtrack._generate_open(p_relation) WHERE v_nests;
  PERFORM pgtrack._generate_truncate_functions(p_relation, v_stale);
  PERFORM pgtrack._generate_key_functions(p_relation, v_mode, v_nests, v_stale);
  PERFORM pgtrack._generate_move_functions(p_relation), pgtrack._generate_unmoved(p_relation) WHERE v_mode = 'tree';
  PERFORM pgtrack._finish_functions(p_relation), pgtrack._drop_functions(p_relation);
END
$_generate_functions$;
COMMENT ON FUNCTION pgtrack._generate_functions(integer) IS
  'Writes the trigger functions of a tracked table for its present columns and options.';

CREATE OR REPLACE FUNCTION pgtrack._finish_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_functions$
DECLARE
  -- One that was there keeps its rights; to revoke them fires event triggers.
  v_open  text := (
    SELECT string_agg(p.oid::regprocedure::text, ', ')
    FROM pgtrack.generated g JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
    WHERE g.relation_id = p_relation AND has_function_privilege('public', p.oid, 'EXECUTE'));
BEGIN
  IF v_open IS NOT NULL THEN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_open);
  END IF;
  UPDATE pgtrack.generated g SET fingerprint = (SELECT pgtrack._fingerprint(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation)
  WHERE g.relation_id = p_relation AND g.fingerprint = '';
END
$_finish_functions$;
COMMENT ON FUNCTION pgtrack._finish_functions(integer) IS
  'Closes the functions that were just written for a tracked table to everybody, and notes for which shape of it they were written.';

CREATE OR REPLACE FUNCTION pgtrack._drop_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_functions$
DECLARE
  v_function  name;
BEGIN
  FOR v_function IN
    SELECT g.function_name FROM pgtrack.generated g
    JOIN pg_proc p ON p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = g.function_name
    WHERE g.relation_id = p_relation
      AND g.leaf <> ALL (ARRAY(
        SELECT m.relid::oid FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._members(r.relid) m WHERE r.relation_id = p_relation))
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.classid = 'pg_trigger'::regclass)
  LOOP
    PERFORM pgtrack._drop_function(format('pgtrack_history.%I()', v_function)::regprocedure);
    DELETE FROM pgtrack.generated WHERE function_name = v_function;
  END LOOP;
END
$_drop_functions$;
COMMENT ON FUNCTION pgtrack._drop_functions(integer) IS 'Drops the functions for partitions that a tracked table does not have any more.';
