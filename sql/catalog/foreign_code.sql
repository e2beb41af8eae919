-- Whether making a value of a type runs code of somebody else who is no superuser: the checks of a domain, in whatever
-- the type is made of, or the canonical function of a range. Checks come and go, so it is asked when it matters.
CREATE OR REPLACE FUNCTION pgtrack._runs_foreign_code(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_runs_foreign_code$
BEGIN
  RETURN (
  WITH RECURSIVE part (type) AS (
    SELECT p_type WHERE p_type >= 16384
    UNION
    SELECT x.type
    FROM part JOIN pg_type t ON t.oid = part.type
    CROSS JOIN LATERAL (
      SELECT t.typbasetype
      UNION ALL SELECT t.typelem
      UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
      UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
      UNION ALL SELECT d.refobjid FROM pg_constraint c JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
                WHERE c.contypid = t.oid AND d.refclassid = 'pg_type'::regclass) AS x (type)
    WHERE x.type >= 16384
  ), called (function, operator) AS (
    SELECT CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid END,
           CASE d.refclassid WHEN 'pg_operator'::regclass THEN d.refobjid END
    FROM part JOIN pg_constraint c ON c.contypid = part.type
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
    UNION ALL SELECT r.rngcanonical::oid, NULL FROM part JOIN pg_range r ON r.rngtypid = part.type
  )
  SELECT EXISTS (
    SELECT FROM called c
    LEFT JOIN pg_operator o ON o.oid = c.operator
    LEFT JOIN pg_proc p ON p.oid = coalesce(c.function, o.oprcode::oid)
    JOIN pg_roles r ON r.oid IN (o.oprowner, p.proowner)
    WHERE NOT r.rolsuper AND r.rolname <> current_user));
END
$_runs_foreign_code$;
COMMENT ON FUNCTION pgtrack._runs_foreign_code(oid) IS
  'Whether making a value of a type calls a function or operator that belongs neither to a superuser nor to the current user.';

CREATE OR REPLACE FUNCTION pgtrack._foreign_code_in(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384 AND pgtrack._runs_foreign_code(a.atttypid);
END;
COMMENT ON FUNCTION pgtrack._foreign_code_in(regclass) IS
  'The columns of a table for which a row cannot be made without running code of others than superusers and the current user; '
  'null for none.';

-- A key as an argument of a verb.
CREATE OR REPLACE FUNCTION pgtrack._key_value(p_key anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_key_value$
BEGIN
  IF pg_typeof(p_key)::oid < 16384 OR pgtrack._foreign_kind(pg_typeof(p_key)) IS NULL THEN
    RETURN to_jsonb(p_key);
  END IF;
  RETURN CASE WHEN num_nulls(p_key) = 0 THEN to_jsonb(format('%s', p_key)) END;
END
$_key_value$;
COMMENT ON FUNCTION pgtrack._key_value(anyelement) IS 'A key of any type as JSON, by no code of the type''s owner.';
