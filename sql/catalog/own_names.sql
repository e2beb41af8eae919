-- A schema of somebody else's can be renamed, and another made in its place, at any moment: text that names a type or an
-- operator in it may then mean another, with code of their own. Names are looked up again whenever text is read. So text of
-- ours names no type of an extension and no operator of one, but what was made of them in our own schema, once, and looked
-- at afterwards: a domain over the type, and a function that compares by the operator, which PostgreSQL takes apart when it plans.
CREATE OR REPLACE FUNCTION pgtrack._own_type(p_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_type$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I', t.typname) FROM pg_type t
  WHERE t.typname LIKE $r$key\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace AND t.typtype = 'd' AND t.typbasetype = p_type
  -- What is gone with a transaction that has not ended yet is older.
  ORDER BY t.oid DESC LIMIT 1);
END
$_own_type$;
COMMENT ON FUNCTION pgtrack._own_type(oid) IS 'Our domain over a type of an extension; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._own_equality(p_operator oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_equality$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I', p.proname)
  FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
  WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_operator'::regclass AND d.refobjid = p_operator
    AND p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname LIKE $r$equal\_%$r$
  ORDER BY p.oid DESC LIMIT 1);
END
$_own_equality$;
COMMENT ON FUNCTION pgtrack._own_equality(oid) IS 'Our function that compares by an operator of an extension; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._type_sql(p_type oid, p_typmod integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_type_sql$
BEGIN
  RETURN coalesce(CASE WHEN p_type >= 16384 THEN pgtrack._own_type(p_type) END, format_type(p_type, p_typmod));
END
$_type_sql$;
COMMENT ON FUNCTION pgtrack._type_sql(oid, integer) IS 'How text of ours names the type of a stored value, of a key or to convert to.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_other_meaning(p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other_meaning$
BEGIN
  RAISE EXCEPTION 'the name of % has got another meaning meanwhile', p_what USING
    ERRCODE = 'serialization_failure', HINT = 'Try again when nobody renames it, or its schema.';
END
$_refuse_other_meaning$;
COMMENT ON FUNCTION pgtrack._refuse_other_meaning(text) IS 'Refuses what a name was found to mean, before a value has to do with it.';

CREATE OR REPLACE FUNCTION pgtrack._own_name(p_kind text, p_name name, p_relation integer) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_name$
BEGIN
  -- With the relation's number, so that nobody waits for who does the same for another table.
  RETURN pgtrack._free_name(format('%s_%s_%s', p_kind, left(p_name::text, 40), p_relation), (
    SELECT array_agg(x.name) FROM (
      SELECT t.typname AS name FROM pg_type t WHERE t.typname LIKE p_kind || $r$\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace
      UNION ALL SELECT p.proname FROM pg_proc p WHERE p.proname LIKE p_kind || $r$\_%$r$ AND p.pronamespace = 'pgtrack_history'::regnamespace) x));
END
$_own_name$;
COMMENT ON FUNCTION pgtrack._own_name(text, name, integer) IS 'A new name in our schema.';

-- Another transaction may drop, or have dropped, what nobody needed but this one, which it does not see. It takes the row of
-- pgtrack.secret for itself, which no other role can lock. Nobody waits: with nothing held, a name is made anew, or stays.
CREATE OR REPLACE FUNCTION pgtrack._hold_own_names() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hold_own_names$
BEGIN
  PERFORM FROM pgtrack.secret FOR KEY SHARE SKIP LOCKED;
  RETURN FOUND;
END
$_hold_own_names$;
COMMENT ON FUNCTION pgtrack._hold_own_names() IS 'Whether names of types and operators that are found afterwards stay until the transaction ends.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_type(p_relation integer, p_type oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_own_type$
DECLARE
  v_is_held  boolean;
  v_name     name;
BEGIN
  IF p_type < 16384 THEN
    RETURN;
  END IF;
  v_is_held := pgtrack._hold_own_names();
  -- A snapshot that lasts has what is gone; what finds a name has not.
  IF v_is_held AND to_regtype(pgtrack._own_type(p_type)) IS NOT NULL THEN
    RETURN;
  END IF;
  v_name := pgtrack._own_name('key', (SELECT t.typname FROM pg_type t WHERE t.oid = p_type), p_relation);
  EXECUTE format('CREATE DOMAIN pgtrack_history.%I AS %s', v_name, format_type(p_type, NULL));
  IF pgtrack._own_type(p_type) IS DISTINCT FROM format('pgtrack_history.%I', v_name) THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
  -- Whoever names it in a query needs no right; nobody else shall make anything that stands on it.
  EXECUTE format('REVOKE ALL ON DOMAIN pgtrack_history.%I FROM PUBLIC', v_name);
  EXECUTE format('COMMENT ON DOMAIN pgtrack_history.%I IS %L', v_name, 'What text of pg_track calls a type of an extension.');
END
$_make_own_type$;
COMMENT ON FUNCTION pgtrack._make_own_type(integer, oid) IS 'Gives a type of an extension, which histories have, a name in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_equality(p_relation integer, p_operator oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_own_equality$
DECLARE
  v_operator  record;
  v_is_held   boolean;
  v_function  regprocedure;
BEGIN
  SELECT o.*, n.nspname INTO v_operator FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = p_operator;
  IF v_operator.nspname = 'pg_catalog'
     OR EXISTS (SELECT FROM pg_type t WHERE t.oid IN (v_operator.oprleft, v_operator.oprright) AND t.typtype = 'p') THEN
    RETURN;
  END IF;
  v_is_held := pgtrack._hold_own_names();
  IF v_is_held AND to_regproc(pgtrack._own_equality(p_operator)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE FUNCTION pgtrack_history.%I(%s, %s) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC SELECT $1 OPERATOR(%I.%s) $2; END',
                 pgtrack._own_name('equal', (SELECT t.typname FROM pg_type t WHERE t.oid = v_operator.oprleft), p_relation),
                 format_type(v_operator.oprleft, NULL), format_type(v_operator.oprright, NULL), v_operator.nspname, v_operator.oprname);
  SELECT p.oid INTO v_function FROM pg_proc p
  WHERE format('pgtrack_history.%I', p.proname) = pgtrack._own_equality(p_operator) AND p.pronamespace = 'pgtrack_history'::regnamespace
    AND (p.proargtypes[0], p.proargtypes[1]) = (v_operator.oprleft, v_operator.oprright)
    -- No other operator, and no cast.
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                    AND (d.refclassid = 'pg_operator'::regclass AND d.refobjid <> p_operator OR d.refclassid = 'pg_proc'::regclass));
  IF v_function IS NULL THEN
    PERFORM pgtrack._refuse_other_meaning(format('the operator %s', p_operator::regoperator));
  END IF;
  EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_function, 'Compares keys by an operator of an extension, for text of pg_track.');
END
$_make_own_equality$;
COMMENT ON FUNCTION pgtrack._make_own_equality(integer, oid) IS 'Gives an operator of an extension, which compares keys, a name in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_names(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_make_own_names$
BEGIN
  PERFORM pgtrack._make_own_type(p_relation, k.stored), pgtrack._make_own_equality(p_relation, k.operator)
  FROM pgtrack._key_parts(p_relation) k WHERE k.stored >= 16384 OR k.kind IS NULL AND k.operator >= 16384;
END
$_make_own_names$;
COMMENT ON FUNCTION pgtrack._make_own_names(integer) IS 'Gives what the key of a table has of extensions names in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._unused_own_types() RETURNS TABLE (type oid, name name, base oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_unused_own_types$
BEGIN
  RETURN QUERY
    SELECT t.oid, t.typname, t.typbasetype FROM pg_type t
    WHERE t.typname LIKE $r$key\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace AND t.typtype = 'd'
      AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relnamespace = 'pgtrack_history'::regnamespace
                      WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = t.typbasetype AND d.classid = 'pg_class'::regclass);
END
$_unused_own_types$;
COMMENT ON FUNCTION pgtrack._unused_own_types() IS 'Our domains over types that no history has any more.';

CREATE OR REPLACE FUNCTION pgtrack._drop_own_names() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_own_names$
DECLARE
  v_type   record;
  v_other  text;
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack._unused_own_types()) OR pgtrack._snapshot_lasts() THEN
    RETURN;
  END IF;
  PERFORM FROM pgtrack.secret FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR v_type IN
    SELECT * FROM pgtrack._unused_own_types()
  LOOP
    PERFORM pgtrack._drop_function(p.oid) FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass AND d.refobjid IN (v_type.type, v_type.base)
      AND p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname ~ '^(equal|key)_' GROUP BY p.oid;
    BEGIN
      EXECUTE format('DROP DOMAIN pgtrack_history.%I', v_type.name);
    EXCEPTION WHEN dependent_objects_still_exist THEN
      GET STACKED DIAGNOSTICS v_other = PG_EXCEPTION_DETAIL;
      RAISE WARNING 'the type % stays: %', v_type.type::regtype, v_other USING HINT = 'Nothing of pg_track uses it any more.';
    END;
  END LOOP;
END
$_drop_own_names$;
COMMENT ON FUNCTION pgtrack._drop_own_names() IS 'Drops such names of types that no history has any more, so that the types can be dropped.';

-- DDL of ours has to name a type. A table that is empty is looked at afterwards. Where there are rows, PostgreSQL makes values
-- of the type at once: from an expression, which is evaluated before, and finds which type the column has got. Once for a
-- command is enough: the setting is cleared before it, and nobody else's code runs until it is written.
CREATE OR REPLACE FUNCTION pgtrack._find_meaning(p_table regclass, p_column name, p_type oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_find_meaning$
DECLARE
  v_type  oid;
BEGIN
  -- From PostgreSQL's caches: the command that is under way has changed them.
  EXECUTE format('SELECT pg_typeof((NULL::%s).%I)', p_table, p_column) INTO v_type;
  IF v_type <> p_type THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
END
$_find_meaning$;
COMMENT ON FUNCTION pgtrack._find_meaning(regclass, name, oid) IS 'Refuses a column of a table of ours that has got another type than was meant, while it gets it.';

CREATE OR REPLACE FUNCTION pgtrack._if_meant(p_value anyelement, p_table regclass, p_column name, p_type oid) RETURNS anyelement
LANGUAGE plpgsql STABLE AS $_if_meant$
BEGIN
  IF pg_catalog.current_setting('pgtrack.meant') OPERATOR(pg_catalog.=) '' THEN
    PERFORM pgtrack._find_meaning(p_table, p_column, p_type);
    PERFORM pg_catalog.set_config('pgtrack.meant', 'found', true);
  END IF;
  RETURN p_value;
END
$_if_meant$;
COMMENT ON FUNCTION pgtrack._if_meant(anyelement, regclass, name, oid) IS 'A value, if a column of a table of ours gets this type; else an error.';

CREATE OR REPLACE FUNCTION pgtrack._execute_if_meant(p_command text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute_if_meant$
BEGIN
  PERFORM set_config('pgtrack.meant', '', true);
  EXECUTE p_command;
END
$_execute_if_meant$;
COMMENT ON FUNCTION pgtrack._execute_if_meant(text) IS 'Executes DDL of ours that has _if_meant() in it.';

CREATE OR REPLACE FUNCTION pgtrack._require_meant(p_table regclass, p_column name, p_type oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_meant$
BEGIN
  IF (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_column) <> p_type THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
END
$_require_meant$;
COMMENT ON FUNCTION pgtrack._require_meant(regclass, name, oid) IS 'Refuses a column of a table of ours that is of another type than was meant.';
