-- A type that an ordinary role can create may bring code of its own: casts, operators, checks, statistics. None of it may
-- run with our rights or a reader's, and history shall not depend on such a type. So its values are stored as text, which
-- output functions make, called by name, and come back through input functions, without a cast. Those are PostgreSQL's
-- own, or a superuser's.

-- Asked for each column again and again, so these are functions whose plans a session keeps.
CREATE OR REPLACE FUNCTION pgtrack._base_type(p_type oid, p_typmod integer, OUT type oid, OUT typmod integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_base_type$
DECLARE
  v_domain  record;
BEGIN
  type := p_type;
  typmod := p_typmod;
  LOOP
    SELECT t.typbasetype, t.typtypmod INTO v_domain FROM pg_type t WHERE t.oid = _base_type.type AND t.typtype = 'd';
    EXIT WHEN NOT FOUND;
    type := v_domain.typbasetype;
    typmod := v_domain.typtypmod;
  END LOOP;
END
$_base_type$;
COMMENT ON FUNCTION pgtrack._base_type(oid, integer) IS 'What a domain is based on in the end; of any other type itself.';

CREATE OR REPLACE FUNCTION pgtrack._kind_if_foreign(p_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_kind_if_foreign$
BEGIN
  RETURN (SELECT CASE
      WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN NULL
      WHEN t.typtype = 'b' AND own.typtype = 'b' AND EXISTS (SELECT FROM pg_roles r WHERE r.oid = own.typowner AND r.rolsuper)
           AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = own.oid AND d.deptype = 'e')
           -- PostgreSQL makes no domain of one from JSON that cannot be read in binary: keys could not be read.
           AND own.typreceive <> 0 THEN NULL
      WHEN own.oid <> t.oid THEN 'array'
      ELSE CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'record' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'base' END END
    FROM pgtrack._base_type(p_type, -1) b
    JOIN pg_type t ON t.oid = b.type
    -- The extension owns the element's type, not the array's.
    CROSS JOIN LATERAL (SELECT coalesce((SELECT e.oid FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid), t.oid) AS oid) x
    JOIN pg_type own ON own.oid = x.oid);
END
$_kind_if_foreign$;
COMMENT ON FUNCTION pgtrack._kind_if_foreign(oid) IS 'Does the work of pgtrack._foreign_kind().';

-- Types below 12000 are in pg_catalog (FirstUnpinnedObjectId). Most are; in a query this is no call for them.
CREATE OR REPLACE FUNCTION pgtrack._foreign_kind(p_type oid) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_type >= 12000 THEN pgtrack._kind_if_foreign(p_type) END;
END;
COMMENT ON FUNCTION pgtrack._foreign_kind(oid) IS
  'Null for types of PostgreSQL, base types of extensions, and arrays and domains of these; of others, which an ordinary role can '
  'create, the kind.';

CREATE OR REPLACE FUNCTION pgtrack._stored_type(p_type oid, p_typmod integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_type$
BEGIN
  RETURN (
  -- A domain's constraints are the live table's business: images are partly null.
  SELECT CASE WHEN pgtrack._foreign_kind(p_type) IS NULL THEN format_type(b.type, b.typmod) ELSE 'text' END
  FROM pgtrack._base_type(p_type, p_typmod) b);
END
$_stored_type$;
COMMENT ON FUNCTION pgtrack._stored_type(oid, integer) IS
  'The type of the history column for a column of this type: itself, what a domain is based on, or text.';

CREATE OR REPLACE FUNCTION pgtrack._stored_type_of(p_type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_type < 12000 THEN p_type WHEN pgtrack._foreign_kind(p_type) IS NULL THEN b.type ELSE 'text'::regtype END
  FROM pgtrack._base_type(p_type, -1) b;
END;
COMMENT ON FUNCTION pgtrack._stored_type_of(oid) IS 'The same by its number.';

-- The text of composites, ranges and arrays depends on settings. A function that has them pinned makes the same text in
-- every session; code that is generated has them pinned itself, where it is worth it.
CREATE OR REPLACE FUNCTION pgtrack._pinned_settings() RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT 'SET TimeZone = ''UTC'' SET DateStyle = ''ISO'' SET IntervalStyle = ''postgres'' '
         'SET extra_float_digits = 1 SET bytea_output = ''hex''';
END;
COMMENT ON FUNCTION pgtrack._pinned_settings() IS
  'The clauses of a function in which the same value has the same text whatever the session prefers.';

-- A domain over a composite type is not for PL/pgSQL: to store a value of one, it has the domain's checks planned, which can
-- run the functions in them.
DO $text$
DECLARE
  v_kind  record;
BEGIN
  FOR v_kind IN
    SELECT * FROM (VALUES ('record', 'anyelement'), ('range', 'anyrange'), ('multirange', 'anymultirange'), ('array', 'anyarray')) AS k (name, type)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack.%I(p_value %s) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE'
                   ' SET search_path = pg_catalog, pg_temp %s AS %L',
                   format('_%s_text', v_kind.name), v_kind.type, pgtrack._pinned_settings(),
                   format('SELECT textin(%I(p_value))', v_kind.name || '_out'));
    EXECUTE format('COMMENT ON FUNCTION pgtrack.%I(%s) IS %L', format('_%s_text', v_kind.name), v_kind.type,
                   format('The text of a value of kind %s, the same in every session.', v_kind.name));
  END LOOP;
END
$text$;

-- No type is named here: whoever owns the recorders may have no right on its schema. concat() calls the output function,
-- too; enum_out() takes no domain.
CREATE OR REPLACE FUNCTION pgtrack._foreign_output_sql(p_expression text, p_type oid, p_is_pinned boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_output_sql$
BEGIN
  RETURN (SELECT CASE
      WHEN k.kind IS NULL THEN p_expression
      WHEN k.kind = 'enum' AND p_type = b.type THEN format('pg_catalog.textin(pg_catalog.enum_out(%s))', p_expression)
      WHEN k.kind IN ('enum', 'base') THEN format('CASE WHEN %1$s IS NOT NULL THEN pg_catalog.concat(%1$s) END', p_expression)
      WHEN p_is_pinned THEN format('pg_catalog.textin(pg_catalog.%I(%s))', k.kind || '_out', p_expression)
      ELSE format('pgtrack.%I(%s)', format('_%s_text', k.kind), p_expression) END
    FROM pgtrack._base_type(p_type, -1) b CROSS JOIN LATERAL (SELECT pgtrack._foreign_kind(p_type) AS kind) k);
END
$_foreign_output_sql$;
COMMENT ON FUNCTION pgtrack._foreign_output_sql(text, oid, boolean) IS 'Does the work of pgtrack._output_sql().';

CREATE OR REPLACE FUNCTION pgtrack._output_sql(p_expression text, p_type oid, p_is_pinned boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_type >= 12000 THEN pgtrack._foreign_output_sql(p_expression, p_type, p_is_pinned) ELSE p_expression END;
END;
COMMENT ON FUNCTION pgtrack._output_sql(text, oid, boolean) IS
  'The expression for a value as it is stored: itself, or its text; p_is_pinned: in code that has pgtrack._pinned_settings().';

CREATE OR REPLACE FUNCTION pgtrack._recorder_settings(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorder_settings$
BEGIN
  RETURN (
  SELECT CASE WHEN EXISTS (
    SELECT FROM pgtrack.relation r
    JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
    CROSS JOIN LATERAL (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = r.relid AND a.attname = c.column_name OFFSET 0) a
    WHERE r.relation_id = p_relation AND pgtrack._foreign_kind(a.atttypid) <> 'enum')
  THEN pgtrack._pinned_settings() ELSE '' END);
END
$_recorder_settings$;
COMMENT ON FUNCTION pgtrack._recorder_settings(integer) IS
  'The settings that the recorders of a table need, so that what they write does not depend on the session''s; most need none.';

CREATE OR REPLACE FUNCTION pgtrack._known_label(p_label text, p_type oid, p_column text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_known_label$
BEGIN
  IF p_label IS NOT NULL AND NOT EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = p_type AND e.enumlabel = p_label) THEN
    RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_label) USING
      ERRCODE = 'datatype_mismatch',
      DETAIL = format('The enum %s has no such label now. It has: %s.', format_type(p_type, NULL),
                      (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e
                       WHERE e.enumtypid = p_type)),
      HINT = format('Add the label with ALTER TYPE %s ADD VALUE %L, or set the row right by hand; ', format_type(p_type, NULL), p_label)
             || 'pgtrack.history() shows the row as it was.';
  END IF;
  RETURN p_label;
END
$_known_label$;
COMMENT ON FUNCTION pgtrack._known_label(text, oid, text) IS
  'A label of an enum, or an error that names the column where it is none any more.';

-- For a reader, who names no column, what the text no longer fits is null, and no code of the type's owner runs.
CREATE OR REPLACE FUNCTION pgtrack._typed(p_text text, p_type anyelement, p_column text) RETURNS anyelement
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET array_nulls = on
SET xmloption = 'content' AS $_typed$
DECLARE
  v_row  record;
BEGIN
  IF p_column IS NULL AND pgtrack._runs_foreign_code(pg_typeof(p_type)) THEN
    RETURN NULL;
  END IF;
  -- By no name, which could mean another type than was asked for.
  v_row := jsonb_populate_record(ROW(p_type), jsonb_build_object('f1', p_text));
  RETURN v_row.f1;
EXCEPTION WHEN data_exception THEN
  IF p_column IS NULL THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_text) USING
    ERRCODE = 'datatype_mismatch',
    DETAIL = format('Type %s does not take it now: %s.', pg_typeof(p_type), SQLERRM),
    HINT = 'Set the row right by hand; pgtrack.history() shows it as it was.';
END
$_typed$;
COMMENT ON FUNCTION pgtrack._typed(text, anyelement, text) IS
  'The value of a type whose text was stored; an error that names the column if there is none any more, or null where none is named.';

CREATE OR REPLACE FUNCTION pgtrack._input_sql(p_text text, p_type oid, p_column text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_input_sql$
BEGIN
  RETURN (SELECT CASE pgtrack._foreign_kind(p_type)
      WHEN 'enum' THEN format('(SELECT x.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object('
                              '''v'', pgtrack._known_label(%s, %s, %L))) AS x (v %s))',
                              p_text, b.type, p_column, format_type(b.type, NULL))
      ELSE format('pgtrack._typed(%s, NULL::%s, %L)', p_text, format_type(b.type, NULL), p_column) END
    FROM pgtrack._base_type(p_type, -1) b);
END
$_input_sql$;
COMMENT ON FUNCTION pgtrack._input_sql(text, oid, text) IS
  'The expression for the value of a foreign type, or of what a domain is based on, from its stored text; p_column is what an error names.';

CREATE OR REPLACE FUNCTION pgtrack._equal_sql(p_operator oid, p_otherwise text, p_left text, p_right text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_equal_sql$
BEGIN
  RETURN (
  -- Nobody but a superuser can add an operator to pg_catalog. Elsewhere there is a function of ours for those that compare
  -- keys. For the others, one for a domain, say, may have been added: the operator's own types on both sides lead to this one.
  SELECT coalesce(
    (SELECT CASE WHEN n.nspname <> 'pg_catalog' AND x.function IS NOT NULL THEN format('%s(%s, %s)', x.function, p_left, p_right)
                 WHEN n.nspname = 'pg_catalog' OR EXISTS (SELECT FROM pg_type t WHERE t.oid IN (o.oprleft, o.oprright) AND t.typtype = 'p')
                 THEN format('%s OPERATOR(%I.%s) %s', p_left, n.nspname, o.oprname, p_right)
                 ELSE format('(%s)::%s OPERATOR(%I.%s) (%s)::%s', p_left, format_type(o.oprleft, -1), n.nspname, o.oprname,
                             p_right, format_type(o.oprright, -1)) END
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN o.oid >= 16384 THEN pgtrack._own_equality(o.oid) END AS function) x WHERE o.oid = p_operator),
    CASE WHEN p_otherwise LIKE $r$pg\_catalog.%$r$ THEN format('%s OPERATOR(%s) %s', p_left, p_otherwise, p_right)
         -- Without the domains, which are another type.
         ELSE format('ROW(coalesce(%s, NULL))::pg_catalog.record OPERATOR(pg_catalog.=) ROW(coalesce(%s, NULL))::pg_catalog.record', p_left, p_right) END));
END
$_equal_sql$;
COMMENT ON FUNCTION pgtrack._equal_sql(oid, text, text, text) IS
  'The condition that two values are equal, by this operator and no other of its name; by the other one named if it is gone.';

-- Values of foreign types are equal when their texts are. An operator would have to be found by its name, and an implicit
-- cast of the type's owner may lead to another one, or to none.
CREATE OR REPLACE FUNCTION pgtrack._live_is_sql(p_live text, p_type oid, p_stored text, p_operator oid, p_otherwise text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_is_sql$
BEGIN
  RETURN (
  SELECT CASE WHEN pgtrack._foreign_kind(p_type) IS NULL THEN pgtrack._equal_sql(p_operator, p_otherwise, p_live, p_stored)
              ELSE format('%s OPERATOR(pg_catalog.=) %s', pgtrack._output_sql(p_live, p_type), p_stored) END);
END
$_live_is_sql$;
COMMENT ON FUNCTION pgtrack._live_is_sql(text, oid, text, oid, text) IS
  'The condition that a value of the live table is the one that is stored.';

CREATE OR REPLACE FUNCTION pgtrack._stored_is_sql(p_kind text, p_operator oid, p_otherwise text, p_left text, p_right text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_is_sql$
BEGIN
  RETURN (
  SELECT CASE WHEN p_kind IS NULL THEN pgtrack._equal_sql(p_operator, p_otherwise, p_left, p_right)
              ELSE format('%s OPERATOR(pg_catalog.=) %s', p_left, p_right) END);
END
$_stored_is_sql$;
COMMENT ON FUNCTION pgtrack._stored_is_sql(text, oid, text, text, text) IS 'The condition that two stored values are equal.';
