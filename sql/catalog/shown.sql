-- What of a value an image shows. Undo never looks at it: it takes the values as they are stored.

-- jsonb takes less than json does: no \u0000, no number of a million digits. Whoever writes such a value shall not make
-- the history unreadable.
CREATE OR REPLACE FUNCTION pgtrack._json(p_value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
BEGIN
  RETURN p_value::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json) IS 'A value of type json as jsonb; as a string of its text where that cannot hold it.';

CREATE OR REPLACE FUNCTION pgtrack._json(p_value json[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
BEGIN
  RETURN to_jsonb(p_value);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json[]) IS 'The same for an array of them.';

-- jsonb holds 256 MB, and nobody looks at so much. What is not shown of a value is told apart by a digest.
CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('%s… (%s bytes, digest %s)', left(p_value, 60), octet_length(p_value), to_hex(hashtextextended(p_value COLLATE "C", 0)));
END;
COMMENT ON FUNCTION pgtrack._shortened(text) IS 'The beginning of a long text, with its length and a digest.';

CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('\x%s… (%s bytes, digest %s)', encode(substr(p_value, 1, 30), 'hex'), octet_length(p_value), left(encode(sha256(p_value), 'hex'), 16));
END;
COMMENT ON FUNCTION pgtrack._shortened(bytea) IS 'The same for bytes.';

-- The length of text and bytes is known without reading them. Of other values only the length as they are stored is, which
-- compression makes shorter, but not by more than 255 times; whether one is shown must not depend on that.
CREATE OR REPLACE FUNCTION pgtrack._json_sql(p_expression text, p_stored_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_json_sql$
DECLARE
  c_most CONSTANT  integer := 8 * 1024 * 1024;
BEGIN
  RETURN CASE
    WHEN p_stored_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'bytea'::regtype)
      THEN format('CASE WHEN octet_length(%1$s) > %2$s THEN pgtrack._shortened(%1$s) ELSE %3$s END', p_expression, c_most,
                  CASE p_stored_type WHEN 'bytea'::regtype THEN format('(%s)::text', p_expression) ELSE p_expression END)
    WHEN (SELECT t.typlen <> -1 FROM pg_type t WHERE t.oid = p_stored_type) OR p_stored_type = 'numeric'::regtype THEN p_expression
    ELSE format('CASE WHEN pg_column_size(%1$s) > %2$s / 256 AND octet_length((%1$s)::text) > %2$s THEN to_jsonb(pgtrack._shortened((%1$s)::text)) ELSE %3$s END', p_expression, c_most,
                CASE WHEN p_stored_type IN ('json'::regtype, 'json[]'::regtype) THEN format('pgtrack._json(%s)', p_expression)
                     ELSE format('to_jsonb(%s)', p_expression) END) END;
END
$_json_sql$;
COMMENT ON FUNCTION pgtrack._json_sql(text, oid) IS 'The expression for a stored value in an image.';
