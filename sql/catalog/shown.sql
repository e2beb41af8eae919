-- What of a value an image shows. Undo never looks at it: it takes the values as they are stored.

-- jsonb takes less than json does: no \u0000, no number of a million digits. Whoever writes such a value shall not make
-- the history unreadable.
CREATE OR REPLACE FUNCTION pgtrack._json(p_value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
DECLARE
  v_value  jsonb;
BEGIN
  v_value := p_value::jsonb;
  RETURN CASE WHEN v_value @? 'strict $.**{100}' THEN to_jsonb(p_value::text) ELSE v_value END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json) IS
  'A value of type json as jsonb; as a string of its text where that cannot hold it, or it is nested deep.';

CREATE OR REPLACE FUNCTION pgtrack._json(p_value json[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
DECLARE
  v_value  jsonb;
BEGIN
  v_value := to_jsonb(p_value);
  RETURN CASE WHEN v_value @? 'strict $.**{100}' THEN to_jsonb(p_value::text) ELSE v_value END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json[]) IS 'The same for an array of them.';

-- What is nested as deep as a stack allows is read by nobody whose stack holds something already, and parsers of JSON in
-- programs take little more than 100 levels; the text of jsonb can be made of any. This test goes no deeper than it asks. A
-- level takes at least eight bytes, of which compression leaves three; of a jsonpath it may leave next to nothing, but in an
-- array nothing is compressed.
CREATE OR REPLACE FUNCTION pgtrack._nested_sql(p_expression text, p_stored_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_nested_sql$
DECLARE
  c_json CONSTANT  text := $r$pg_column_size(%1$s) > 250 AND %2$s OPERATOR(pg_catalog.@?) 'strict $.**{100}'$r$;
  c_path CONSTANT  text := 'pg_column_size(ARRAY[%2$s]) > 10000';
  c_any CONSTANT   text := 'EXISTS (SELECT FROM unnest(%s) AS u (v) WHERE %s)';
BEGIN
  RETURN CASE p_stored_type
    WHEN 'jsonb'::regtype THEN format(c_json, p_expression, p_expression)
    WHEN 'jsonb[]'::regtype THEN format(c_any, p_expression, format(c_json, p_expression, 'u.v'))
    WHEN 'jsonpath'::regtype THEN format(c_path, p_expression, p_expression)
    WHEN 'jsonpath[]'::regtype THEN format(c_any, p_expression, format(c_path, p_expression, 'u.v')) END;
END
$_nested_sql$;
COMMENT ON FUNCTION pgtrack._nested_sql(text, oid) IS
  'The condition that a value is nested deeper than an image shows; null for types whose values are not nested.';

-- jsonb holds 256 MB, and nobody looks at so much. What is not shown of a value is told apart by a digest.
CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('%s... (%s bytes, digest %s)', left(p_value, 60), octet_length(p_value), to_hex(hashtextextended(p_value COLLATE "C", 0)));
END;
COMMENT ON FUNCTION pgtrack._shortened(text) IS 'The beginning of a long text, with its length and a digest.';

CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($r$\x%s... (%s bytes, digest %s)$r$, encode(substr(p_value, 1, 30), 'hex'), octet_length(p_value), left(encode(sha256(p_value), 'hex'), 16));
END;
COMMENT ON FUNCTION pgtrack._shortened(bytea) IS 'The same for bytes.';

-- The length of text and bytes is known without reading them. Of other values only the length as they are stored is, which
-- compression makes shorter, but not by more than 255 times; whether one is shown must not depend on that.
CREATE OR REPLACE FUNCTION pgtrack._json_sql(p_expression text, p_stored_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_json_sql$
DECLARE
  c_most CONSTANT  integer := 8 * 1024 * 1024;
  v_nested         text := pgtrack._nested_sql(p_expression, p_stored_type);
BEGIN
  RETURN CASE
    WHEN p_stored_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'bytea'::regtype)
      THEN format('CASE WHEN octet_length(%1$s) > %2$s THEN pgtrack._shortened(%1$s) ELSE %3$s END', p_expression, c_most,
                  CASE p_stored_type WHEN 'bytea'::regtype THEN format('(%s)::text', p_expression) ELSE p_expression END)
    WHEN (SELECT t.typlen <> -1 FROM pg_type t WHERE t.oid = p_stored_type) OR p_stored_type = 'numeric'::regtype THEN p_expression
    -- Its text is made by going down.
    WHEN p_stored_type IN ('jsonpath'::regtype, 'jsonpath[]'::regtype)
      THEN format('CASE WHEN %s THEN to_jsonb(concat(''a jsonpath of '', pg_column_size(%s), '' bytes'')) ELSE to_jsonb(%2$s) END',
                  v_nested, p_expression)
    ELSE format('CASE WHEN pg_column_size(%1$s) > %2$s / 256 AND octet_length((%1$s)::text) > %2$s'
                ' THEN to_jsonb(pgtrack._shortened((%1$s)::text))%3$s ELSE %4$s END', p_expression, c_most,
                ' WHEN ' || v_nested || format(' THEN to_jsonb((%s)::text)', p_expression),
                CASE WHEN p_stored_type IN ('json'::regtype, 'json[]'::regtype) THEN format('pgtrack._json(%s)', p_expression)
                     ELSE format('to_jsonb(%s)', p_expression) END) END;
END
$_json_sql$;
COMMENT ON FUNCTION pgtrack._json_sql(text, oid) IS 'The expression for a stored value in an image.';
