-- A key is written in one form, whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._generate_key_functions(p_relation integer, p_mode text, p_nests boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_key_functions$
DECLARE
  c_settings CONSTANT  text := 'SET search_path = pg_catalog, pg_temp ' || pgtrack._pinned_settings();
  v_relation           pgtrack.relation;
  v_old                text;
  v_arguments          text;
  v_old_key            text;
  v_new_key            text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  FOR v_old IN SELECT p.oid::regprocedure::text FROM pg_proc p
               WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = format('key_%s', p_relation) LOOP
    EXECUTE format('DROP FUNCTION %s', v_old);
  END LOOP;
  IF v_relation.key_columns = '{}' THEN
    RETURN;
  END IF;
  IF p_mode <> 'tree' THEN
    SELECT string_agg(format('%L, %s', k.column_name, x.old), ', ' ORDER BY k.position),
           string_agg(format('%L, %s', k.column_name, x.new), ', ' ORDER BY k.position)
    INTO v_old_key, v_new_key
    FROM pgtrack._key_parts(p_relation) k
    CROSS JOIN LATERAL (SELECT pgtrack._output_sql(format('OLD.%I', k.column_name), k.type, true) AS old,
                               pgtrack._output_sql(format('NEW.%I', k.column_name), k.type, true) AS new) x;
    PERFORM pgtrack._create_recorder(p_relation, format('record_key_%s', p_relation)::name, '', c_settings,
      format('PERFORM pgtrack._require_member(%1$s, TG_RELID) WHERE NOT TG_RELID = ANY (%5$L::oid[]);
        INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
        VALUES (nextval(''pgtrack.statement_id_seq''), pg_current_xact_id(), %1$s, jsonb_build_object(%2$s), jsonb_build_object(%3$s), %4$s);',
        p_relation, v_old_key, v_new_key,
        CASE WHEN p_nests THEN format('pgtrack._statement_id(%s, ''U'', pg_trigger_depth(), false)', p_relation) ELSE 'NULL' END,
        ARRAY(SELECT m.relid::oid FROM pgtrack._members(v_relation.relid) m)),
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
