-- What code runs when a value of a type is made, or an expression is planned. Who owns a function says little: many a
-- superuser's runs text as SQL, query_to_xml() for one, and of PostgreSQL's own pg_depend names none. So expressions are
-- read as the server stores them. In that form a name has a backslash before each blank and brace, so that no name looks
-- like a node or a field, and whatever did would be one thing more to answer for.

CREATE OR REPLACE FUNCTION pgtrack._is_trusted(p_owner oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_trusted$
BEGIN
  RETURN EXISTS (SELECT FROM pg_roles r WHERE r.oid = p_owner AND (r.rolsuper OR r.rolname = current_user));
END
$_is_trusted$;
COMMENT ON FUNCTION pgtrack._is_trusted(oid) IS 'Whether a role is a superuser or the current user.';

-- Whoever calls an immutable function gets nothing but its result, and a superuser says that it is one. Not so plain are
-- those that are told by an OID what to call, and those of extensions that are not PostgreSQL's, where they are given text.
-- A function of any type (anyelement) calls what the type has for it: nothing of others, where the type runs no foreign code.
CREATE OR REPLACE FUNCTION pgtrack._is_harmless(p_function oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_harmless$
DECLARE
  c_opaque CONSTANT      regtype[] := '{oid,cstring,internal,regclass,regproc,regprocedure,regoper,regoperator,regtype,regrole,'
    'regnamespace}';
  c_texts CONSTANT       regtype[] := '{text,varchar,bpchar,name,_text,_varchar,json,jsonb,xml}';
  c_times CONSTANT       regtype[] := '{date,time,timetz,timestamp,timestamptz,interval}';
  c_clocks CONSTANT      text[] := '{now,transaction_timestamp,statement_timestamp,clock_timestamp,to_date,to_timestamp,to_number}';
  c_extensions CONSTANT  text[] := '{btree_gin,btree_gist,citext,cube,earthdistance,fuzzystrmatch,hstore,intarray,isn,ltree,pg_trgm,'
    'pgcrypto,seg,unaccent,uuid-ossp}';
BEGIN
  RETURN EXISTS (
    SELECT FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner AND r.rolsuper
    CROSS JOIN LATERAL (SELECT p.proargtypes::oid[]::regtype[] AS types) a
    LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    WHERE p.oid = p_function AND NOT a.types && c_opaque AND CASE p.provolatile
      WHEN 'i' THEN e.oid IS NULL OR e.extname = ANY (c_extensions) OR NOT a.types && c_texts
      -- What depends on the time zone, or says what time it is.
      ELSE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
        AND (a.types && c_times AND a.types <@ (c_times || '{text}') OR p.proname = ANY (c_clocks)) END);
END
$_is_harmless$;
COMMENT ON FUNCTION pgtrack._is_harmless(oid) IS
  'Whether a function runs no code but its own, whatever it is given, if the types of what it is given run none.';

CREATE OR REPLACE FUNCTION pgtrack._foreign_call(p_expression text, p_owner oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_call$
DECLARE
  -- Those whose functions all stand in the fields that are read, or belong to their types.
  c_nodes CONSTANT  text[] := '{ARRAY,ARRAYCOERCEEXPR,ARRAYEXPR,BOOLEANTEST,BOOLEXPR,CASE,CASEEXPR,CASETESTEXPR,CASEWHEN,COALESCE,'
    'COALESCEEXPR,COERCETODOMAIN,COERCETODOMAINVALUE,COERCEVIAIO,COLLATE,COLLATEEXPR,CONST,DISTINCTEXPR,FIELDSELECT,FUNCEXPR,JSONFORMAT,'
    'JSONISPREDICATE,MINMAX,MINMAXEXPR,NULLIFEXPR,NULLTEST,OPEXPR,RELABELTYPE,SCALARARRAYOPEXPR,SQLVALUEFUNCTION,SUBSCRIPTINGREF,VAR,'
    'WHEN}';
  v_is_trusted  boolean := pgtrack._is_trusted(p_owner);
BEGIN
  RETURN (
  SELECT coalesce(min(p.oid::regprocedure::text), min(c.what))
  FROM (SELECT m.part[1]::oid AS function, NULL::oid AS operator, 'a function' AS what, NULL AS node
        FROM regexp_matches(p_expression, $r$:(?:funcid|opfuncid) (\d+)$r$, 'g') AS m (part)
        UNION SELECT NULL, m.part[1]::oid, 'an operator', NULL FROM regexp_matches(p_expression, $r$:opno (\d+)$r$, 'g') AS m (part)
        UNION SELECT NULL, NULL, 'an expression of kind ' || m.part[1], m.part[1] FROM regexp_matches(p_expression, $r$\{([^ }]+)$r$, 'g') AS m (part)) c
  LEFT JOIN pg_proc p ON p.oid = c.function
  WHERE CASE WHEN c.function IS NOT NULL
             THEN NOT pgtrack._is_harmless(c.function) AND NOT (v_is_trusted AND p.oid IS NOT NULL AND pgtrack._is_trusted(p.proowner))
             -- The planner puts the negator or commutator in an operator's place, which may call another function.
             WHEN c.operator IS NOT NULL
             THEN EXISTS (SELECT FROM pg_operator o JOIN pg_operator x ON x.oid IN (o.oid, o.oprnegate, o.oprcom)
                          WHERE o.oid = c.operator AND NOT pgtrack._is_trusted(x.oprowner))
             ELSE NOT v_is_trusted AND c.node <> ALL (c_nodes) END);
END
$_foreign_call$;
COMMENT ON FUNCTION pgtrack._foreign_call(text, oid) IS
  'What of an expression, which is of something that belongs to this role, might run code of others than superusers and the current user: '
  'a function or a kind of node; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._types_in(p_expression text) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_types_in$
BEGIN
  -- A column's value is there already.
  RETURN QUERY SELECT DISTINCT m.part[2]::oid FROM regexp_matches(p_expression, $r$:([a-z_]*type(?:[iI]d)?) (\d+)$r$, 'g') AS m (part)
    WHERE m.part[1] <> 'vartype';
END
$_types_in$;
COMMENT ON FUNCTION pgtrack._types_in(text) IS 'The types of the values that an expression makes.';

-- The checks of a domain, in whatever the type is made of, or the canonical function of a range. Checks come and go, so it
-- is asked when it matters.
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
      UNION ALL SELECT y.type FROM pg_constraint c CROSS JOIN LATERAL pgtrack._types_in(c.conbin::text) AS y (type)
                WHERE c.contypid = t.oid AND c.conbin IS NOT NULL) AS x (type)
    WHERE x.type >= 16384
  )
  SELECT EXISTS (
    SELECT FROM part JOIN pg_type t ON t.oid = part.type JOIN pg_constraint c ON c.contypid = t.oid
    WHERE c.conbin IS NOT NULL AND pgtrack._foreign_call(c.conbin::text, t.typowner) IS NOT NULL)
  OR EXISTS (
    SELECT FROM part JOIN pg_range r ON r.rngtypid = part.type JOIN pg_proc p ON p.oid = r.rngcanonical
    WHERE NOT pgtrack._is_trusted(p.proowner)));
END
$_runs_foreign_code$;
COMMENT ON FUNCTION pgtrack._runs_foreign_code(oid) IS
  'Whether making a value of a type might run code of others than superusers and the current user.';

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
