CREATE OR REPLACE FUNCTION pgtrack._key_types(p_relation integer) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_types$
BEGIN
  RETURN (
  SELECT array_agg(k.type ORDER BY k.position) FROM pgtrack._key_parts(p_relation) k);
END
$_key_types$;
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

CREATE OR REPLACE FUNCTION pgtrack._same_key_sql(p_relation integer, p_columns name[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_same_key_sql$
BEGIN
  RETURN (
  -- Values of foreign types are compared byte by byte: no function of theirs is called, and no setting decides. Records find
  -- what compares a type of an extension by no name.
  SELECT string_agg(CASE WHEN k.kind IS NULL AND k.operator >= 16384
                         THEN format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.=) ROW(NEW.%1$I)::pg_catalog.record', k.column_name)
                         WHEN k.kind IS NULL
                         THEN pgtrack._equal_sql(k.operator, k.equality, format('OLD.%I', k.column_name), format('NEW.%I', k.column_name))
                         ELSE format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record', k.column_name) END,
                    ' AND ' ORDER BY k.position)
  FROM pgtrack._key_parts(p_relation) k WHERE p_columns IS NULL OR k.column_name = ANY (p_columns));
END
$_same_key_sql$;
COMMENT ON FUNCTION pgtrack._same_key_sql(integer, name[]) IS
  'The condition, in a row trigger for UPDATE, that the key is what it was, or those of its columns; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_sql$
BEGIN
  RETURN (
  SELECT format('jsonb_build_object(%s)', string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_record, k.column_name), k.type, true)),
                                                     ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_key_sql$;
COMMENT ON FUNCTION pgtrack._key_sql(integer, text) IS
  'The expression for the key of a record, in code that has pgtrack._pinned_settings(); null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._key_is_plain(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_is_plain$
BEGIN
  RETURN (
  SELECT coalesce(bool_and(k.type = ANY ('{smallint,integer,bigint,numeric,text,varchar,bpchar,uuid,boolean,date}'::regtype[])), true)
  FROM pgtrack._key_parts(p_relation) k);
END
$_key_is_plain$;
COMMENT ON FUNCTION pgtrack._key_is_plain(integer) IS 'Whether a key is the same as JSON whatever the session prefers.';

-- Of a row of a transition table, or of the history, in code that may have no settings of its own.
CREATE OR REPLACE FUNCTION pgtrack._live_key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_key_sql$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I(%s)', format('key_%s', p_relation),
                string_agg(pgtrack._output_sql(format('%s.%I', p_record, k.column_name), k.type), ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_live_key_sql$;
COMMENT ON FUNCTION pgtrack._live_key_sql(integer, text) IS 'The expression for the key of a row of a partitioned table; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._stored_key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_key_sql$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I(%s)', format('key_%s', p_relation), string_agg(format('%s.%I', p_record, k.history_column), ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k);
END
$_stored_key_sql$;
COMMENT ON FUNCTION pgtrack._stored_key_sql(integer, text) IS 'The expression for the key of an image of a partitioned table.';

CREATE OR REPLACE FUNCTION pgtrack._key_change_sql(p_relation integer, p_old text, p_new text, p_statement text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_change_sql$
BEGIN
  RETURN (
  SELECT format('INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)'
                ' VALUES (nextval(''pgtrack.statement_id_seq''), pg_current_xact_id(), %s, jsonb_build_object(%s), jsonb_build_object(%s), %s)', p_relation,
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_old, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_new, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                p_statement)
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_key_change_sql$;
COMMENT ON FUNCTION pgtrack._key_change_sql(integer, text, text, text) IS
  'The statement that notes that a row got another key: in generated code, or executed with its images as parameters.';

-- A key is written in one form, whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._generate_key_functions(p_relation integer, p_mode text, p_nests boolean, p_stale text) RETURNS void
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
  IF v_relation.key_columns <> '{}' OR p_mode = 'tree' THEN
    v_statement := CASE WHEN p_nests THEN format('pgtrack._statement_id(%s, ''U'', pg_trigger_depth(), false, %L)', p_relation,
                                                          NOT pgtrack._has_acting_key(v_relation.relid)) ELSE 'NULL' END;
    PERFORM pgtrack._create_recorder(p_relation, format('record_key_%s', p_relation)::name, '',
      c_settings || CASE p_mode WHEN 'tree' THEN ' SET enable_seqscan = off' ELSE '' END,
      coalesce('IF TG_LEVEL = ''STATEMENT'' THEN' || pgtrack._put_first_sql(p_relation, 'U') || E'\n    RETURN NULL;\n  END IF;\n  ',
                  -- pgtrack_update_key may still be there.
                  CASE WHEN p_nests THEN E'IF TG_LEVEL = ''STATEMENT'' THEN\n    RETURN NULL;\n  END IF;\n  ' END, '')
      || format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);%3$s
  END IF;%4$s$body$,
        p_stale, p_relation,
        CASE WHEN v_relation.key_columns <> '{}' THEN format(E'\n    EXECUTE pgtrack._key_change_sql(%s, ''($1)'', ''($2)'', %L) USING OLD, NEW;\n  ELSE\n    %s;',
          p_relation, v_statement, pgtrack._key_change_sql(p_relation, 'OLD', 'NEW', v_statement)) END,
        CASE p_mode WHEN 'tree' THEN pgtrack._stayed_sql(p_relation) END),
      'Records each change of a primary key of @.');
  END IF;
  IF v_relation.key_columns = '{}' OR p_mode <> 'tree' AND (p_mode = 'row' OR NOT pgtrack._may_repeat(v_relation.relid)) THEN
    RETURN;
  END IF;
  -- The arguments are as they are stored: the function depends on no type of the application.
  SELECT string_agg(k.stored_type, ', ' ORDER BY k.position),
         string_agg(format('%L, $%s', k.column_name, k.position), ', ' ORDER BY k.position)
  INTO v_arguments, v_new_key
  FROM pgtrack._key_parts(p_relation) k;
  PERFORM pgtrack._create_function(p_relation, format('%I(%s)', format('key_%s', p_relation), v_arguments),
    concat('RETURNS jsonb LANGUAGE sql STABLE ', c_settings), format('SELECT jsonb_build_object(%s)', v_new_key), 'A key of @ in canonical form.', NULL);
END
$_generate_key_functions$;
COMMENT ON FUNCTION pgtrack._generate_key_functions(integer, text, boolean, text) IS 'Writes the functions of a tracked table that deal with its key.';
