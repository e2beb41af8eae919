CREATE OR REPLACE FUNCTION pgtrack._key_types(p_relation integer) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT array_agg(k.type ORDER BY k.position) FROM pgtrack._key_parts(p_relation) k;
END;
COMMENT ON FUNCTION pgtrack._key_types(integer) IS 'The types of the columns of a table''s primary key.';

CREATE OR REPLACE FUNCTION pgtrack._require_same_key(p_relation integer, p_types oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_same_key$
BEGIN
  IF pgtrack._key_types(p_relation) IS DISTINCT FROM p_types THEN
    RAISE EXCEPTION 'the primary key of % has changed unnoticed', (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() follows it.';
  END IF;
END
$_require_same_key$;
COMMENT ON FUNCTION pgtrack._require_same_key(integer, oid[]) IS 'Refuses to go on in code that was written for a key of other types.';

CREATE OR REPLACE FUNCTION pgtrack._key_change_sql(p_relation integer, p_old text, p_new text, p_statement text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)'
                ' VALUES (nextval(''pgtrack.statement_id_seq''), pg_current_xact_id(), %s, jsonb_build_object(%s), jsonb_build_object(%s), %s)', p_relation,
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_old, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_new, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                p_statement)
  FROM pgtrack._key_parts(p_relation) k;
END;
COMMENT ON FUNCTION pgtrack._key_change_sql(integer, text, text, text) IS
  'The statement that notes that a row got another key: in generated code, or executed with its images as parameters.';

-- A key is written in one form, whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._generate_key_functions(p_relation integer, p_mode text, p_nests boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_key_functions$
DECLARE
  c_settings CONSTANT  text := 'SET search_path = pg_catalog, pg_temp ' || pgtrack._pinned_settings();
  v_relation           pgtrack.relation;
  v_arguments          text;
  v_new_key            text;
  v_statement          text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  PERFORM pgtrack._drop_function(p.oid) FROM pg_proc p
  WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = format('key_%s', p_relation);
  IF v_relation.key_columns = '{}' THEN
    RETURN;
  END IF;
  IF p_mode <> 'tree' THEN
    v_statement := CASE WHEN p_nests THEN format('pgtrack._statement_id(%s, ''U'', pg_trigger_depth(), false)', p_relation) ELSE 'NULL' END;
    PERFORM pgtrack._create_recorder(p_relation, format('record_key_%s', p_relation)::name, '', c_settings,
      format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);
    EXECUTE pgtrack._key_change_sql(%2$s, '($1)', '($2)', %3$L) USING OLD, NEW;
  ELSE
    %4$s;
  END IF;$body$,
        pgtrack._is_stale_sql(p_relation), p_relation, v_statement, pgtrack._key_change_sql(p_relation, 'OLD', 'NEW', v_statement)),
      'Records each change of a primary key of @.');
  END IF;
  IF p_mode <> 'tree' AND (p_mode = 'row' OR NOT pgtrack._may_repeat(v_relation.relid)) THEN
    RETURN;
  END IF;
  -- The arguments are as they are stored: the function depends on no type of the application.
  SELECT string_agg(pgtrack._stored_type(k.type, k.typmod), ', ' ORDER BY k.position),
         string_agg(format('%L, $%s', k.column_name, k.position), ', ' ORDER BY k.position)
  INTO v_arguments, v_new_key
  FROM pgtrack._key_parts(p_relation) k;
  PERFORM pgtrack._create_function(p_relation, format('%I(%s)', format('key_%s', p_relation), v_arguments),
    concat('RETURNS jsonb LANGUAGE sql STABLE ', c_settings), format('SELECT jsonb_build_object(%s)', v_new_key), 'A key of @ in canonical form.', NULL);
END
$_generate_key_functions$;
COMMENT ON FUNCTION pgtrack._generate_key_functions(integer, text, boolean) IS 'Writes the functions of a tracked table that deal with its key.';
