-- Null is all of them. What is named must be there to be set, in one table at least; a row that would be inserted or
-- deleted has no columns that could stay as they are.
CREATE OR REPLACE FUNCTION pgtrack._check_columns(p_tables regclass[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_check_columns$
DECLARE
  v_known   text[];
  v_column  text;
BEGIN
  IF p_columns IS NULL THEN
    RETURN;
  END IF;
  IF cardinality(p_columns) = 0 THEN
    RAISE EXCEPTION 'columns names no column' USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name those that shall be set back, or leave columns out for all of them.';
  END IF;
  SELECT array_agg(DISTINCT c.column_name::text) INTO v_known
  FROM pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = c.column_name AND NOT a.attisdropped
  WHERE r.relid = ANY (p_tables) AND a.attgenerated = '' AND a.attidentity <> 'a';
  SELECT x INTO v_column FROM unnest(p_columns) x WHERE x IS NULL OR NOT coalesce(x = ANY (v_known), false) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'there is no column % to set back', coalesce(quote_ident(v_column), 'null') USING
      ERRCODE = 'undefined_column',
      DETAIL = format('What can be set back in %s is: %s.',
                      (SELECT string_agg(pgtrack._name(t), ', ') FROM unnest(p_tables) t), array_to_string(v_known, ', ')),
      HINT = 'Columns are named as they are, without quotes: ARRAY[''email'', ''Full Name'']. Generated columns follow the others.';
  END IF;
END
$_check_columns$;
COMMENT ON FUNCTION pgtrack._check_columns(regclass[], text[]) IS 'Refuses columns that cannot be set back.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_columns(p_name text, p_key jsonb, p_action text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_refuse_columns$
BEGIN
  RAISE EXCEPTION 'cannot set back only some columns of %', p_name || coalesce(' (' || pgtrack._key_text(p_key) || ')', '') USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = CASE p_action WHEN 'insert' THEN 'The row is missing and would be inserted again.'
                           WHEN 'delete' THEN 'The row was not there before and would be deleted.'
                           ELSE 'Rows of the table have got other keys since.' END,
    HINT = 'Leave columns out to do all of it.';
END
$_refuse_columns$;
COMMENT ON FUNCTION pgtrack._refuse_columns(text, jsonb, text) IS 'Refuses columns where whole rows come or go.';

CREATE OR REPLACE FUNCTION pgtrack._only(p_image jsonb, p_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_columns IS NULL THEN p_image
              ELSE (SELECT coalesce(jsonb_object_agg(i.key, i.value), '{}') FROM jsonb_each(p_image) i WHERE i.key = ANY (p_columns)) END;
END;
COMMENT ON FUNCTION pgtrack._only(jsonb, text[]) IS 'Some columns of an image; null is all of them.';

CREATE OR REPLACE FUNCTION pgtrack._columns_argument(p_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_columns IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('columns', p_columns) END;
END;
COMMENT ON FUNCTION pgtrack._columns_argument(text[]) IS 'The argument of a call, for its record; nothing where it was left out.';
