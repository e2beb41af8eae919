-- Pinned settings: the same row must have the same text whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._canonical_key(p_key jsonb, p_key_record text, p_expression text DEFAULT 'to_jsonb(k.*)') RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_canonical_key$
DECLARE
  v_key  jsonb;
BEGIN
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s)', p_expression, p_key_record) INTO v_key USING p_key;
  RETURN v_key;
END
$_canonical_key$;
COMMENT ON FUNCTION pgtrack._canonical_key(jsonb, text, text) IS
  'A key in the one form that is the same for the same row, independent of the session''s settings.';

-- With few extra_float_digits two numbers may look the same, and a zone's name in a range may mean another zone when it is read.
CREATE OR REPLACE FUNCTION pgtrack._exact_json(p_row record) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_exact_json$
BEGIN
  RETURN to_jsonb(p_row);
END
$_exact_json$;
COMMENT ON FUNCTION pgtrack._exact_json(record) IS 'A row as JSON that loses nothing, whatever the session''s settings.';

CREATE OR REPLACE FUNCTION pgtrack._key(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key$
DECLARE
  v_key      jsonb := p_key;
  v_example  text;
  v_reason   text;
BEGIN
  IF p_shape.keys = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', p_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Its changes are recorded, but a single row cannot be named.',
      HINT = format('Add one: ALTER TABLE %s ADD PRIMARY KEY (...).', p_shape.name);
  END IF;
  IF v_key IS NULL THEN
    RAISE EXCEPTION 'the key must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  BEGIN
    IF cardinality(p_shape.keys) > 1 AND jsonb_typeof(v_key) = 'string' THEN
      v_key := (v_key #>> '{}')::jsonb;
    END IF;
    IF cardinality(p_shape.keys) = 1
       AND (jsonb_typeof(v_key) <> 'object' OR NOT v_key ? p_shape.keys[1]::text) THEN
      v_key := jsonb_build_object(p_shape.keys[1], v_key);
    ELSIF jsonb_typeof(v_key) <> 'object'
       OR p_shape.keys::text[] <> ALL (SELECT array_agg(k ORDER BY array_position(p_shape.keys::text[], k))
                                      FROM jsonb_object_keys(v_key) k) THEN
      v_reason := CASE jsonb_typeof(v_key)
        WHEN 'object' THEN format('It names the columns (%s).', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(v_key) k))
        ELSE format('It is one value, the key has %s columns.', cardinality(p_shape.keys)) END;
    END IF;
    IF v_reason IS NULL THEN
      -- With the session's own settings, which decide what "01/02/2026" is.
      EXECUTE format('SELECT %s(pgtrack_row.*) FROM jsonb_to_record($1) AS pgtrack_row(%s)',
                     CASE WHEN p_shape.key_is_plain THEN 'to_jsonb' ELSE 'pgtrack._exact_json' END, p_shape.key_record)
      INTO v_key USING v_key;
      IF p_shape.key_entered IS NOT NULL THEN
        v_key := pgtrack._canonical_key(v_key, p_shape.key_record, p_shape.key_entered);
      END IF;
      IF p_shape.key_is_plain THEN
        RETURN v_key;
      END IF;
      RETURN pgtrack._canonical_key(v_key, p_shape.key_record);
    END IF;
  EXCEPTION WHEN data_exception THEN
    v_reason := initcap(left(SQLERRM, 1)) || substr(SQLERRM, 2) || '.';
  END;
  SELECT format('{%s}', string_agg(format('%s: ...', to_json(k)), ', ' ORDER BY position)) INTO v_example
  FROM unnest(p_shape.keys) WITH ORDINALITY AS o (k, position);
  RAISE EXCEPTION 'the key % does not fit table %', p_key, p_shape.name USING
    ERRCODE = 'invalid_parameter_value',
    DETAIL = v_reason,
    HINT = format('The primary key is (%s). Write it as ''%s''%s.',
                  (SELECT string_agg(format('%I %s', k.column_name, CASE WHEN k.stored < 16384 THEN k.stored_type ELSE format_type(k.stored, NULL) END),
                                     ', ' ORDER BY k.position) FROM pgtrack._key_parts(p_shape.relation_id) k), v_example,
                  CASE cardinality(p_shape.keys) WHEN 1 THEN ', or as the value alone' ELSE '' END);
END
$_key$;
COMMENT ON FUNCTION pgtrack._key(pgtrack.relation_shape, jsonb) IS 'The canonical key that a caller means, or an error that shows how to write one.';

CREATE OR REPLACE FUNCTION pgtrack._key(p_table regclass, p_key jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pgtrack._key(pgtrack._shape(p_table), p_key);
END;
COMMENT ON FUNCTION pgtrack._key(regclass, jsonb) IS 'The same for a table whose shape is not at hand.';

CREATE OR REPLACE FUNCTION pgtrack._key_text(p_key jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.string_agg(pg_catalog.format('%s=%s', k.key, k.value), ', ') FROM pg_catalog.jsonb_each_text(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._key_text(jsonb) IS 'A key for messages: id=1, or order_id=1, product_id=100.';

CREATE OR REPLACE FUNCTION pgtrack._require_key(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_key$
BEGIN
  IF (SELECT s.keys FROM pgtrack._shape(p_table) s) = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Its changes are recorded, but a single row cannot be named.',
      HINT = format('Add one: ALTER TABLE %s ADD PRIMARY KEY (...).', pgtrack._name(p_table));
  END IF;
END
$_require_key$;
COMMENT ON FUNCTION pgtrack._require_key(regclass) IS 'Refuses tables whose rows cannot be named.';
