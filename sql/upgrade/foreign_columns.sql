-- History of before foreign types were stored as text. What is stored is what the type's output function makes of it; keys
-- that were noted as JSON of composites, ranges and arrays get the same form, where that runs nobody's code.
CREATE OR REPLACE FUNCTION pgtrack._convert_columns(p_table name) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_convert_columns$
DECLARE
  v_columns  record;
  v_policy   name;
BEGIN
  SELECT array_agg(a.attname) AS names, array_agg(pgtrack._stored_type_of(t.oid)) AS types, array_agg(y.type) AS type_names,
         array_agg(CASE WHEN pgtrack._foreign_kind(t.oid) IS NOT NULL THEN pgtrack._output_sql(quote_ident(a.attname), t.oid, true)
                        WHEN pgtrack._stored_type_of(t.oid) >= 16384 THEN format('coalesce(%I, NULL)', a.attname)
                        ELSE format('%I::%s', a.attname, y.type) END) AS values
  INTO v_columns
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (SELECT pgtrack._stored_type(t.oid, a.atttypmod) AS type) y
  WHERE a.attrelid = to_regclass(format('pgtrack_history.%I', p_table)) AND a.attnum > 0 AND NOT a.attisdropped
    AND (pgtrack._foreign_kind(t.oid) IS NOT NULL OR t.typtype = 'd')
    -- One that is left to what stands on it.
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.history_table = p_table AND NOT EXISTS (
      SELECT FROM pgtrack.relation_column c WHERE c.relation_id = r.relation_id AND c.history_column = a.attname));
  IF v_columns.names IS NULL THEN
    RETURN false;
  END IF;
  -- A policy that names the column would be in the way.
  FOR v_policy IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = format('pgtrack_history.%I', p_table)::regclass LOOP
    EXECUTE format('DROP POLICY %I ON pgtrack_history.%I', v_policy, p_table);
  END LOOP;
  BEGIN
    EXECUTE (SELECT format('ALTER TABLE pgtrack_history.%I %s', p_table, string_agg(format('ALTER COLUMN %I TYPE %s USING %s', c.name, c.type_name, c.value), ', '))
             FROM unnest(v_columns.names, v_columns.types, v_columns.type_names, v_columns.values) AS c (name, type, type_name, value)
             HAVING bool_and(c.type < 16384));
  -- Or there is nothing to execute: a type is named that is not PostgreSQL's.
  EXCEPTION WHEN feature_not_supported OR null_value_not_allowed THEN
    PERFORM pgtrack._retype_history_column(format('pgtrack_history.%I', p_table)::regclass, c.name, c.type, c.type_name, c.value)
    FROM unnest(v_columns.names, v_columns.types, v_columns.type_names, v_columns.values) AS c (name, type, type_name, value);
  END;
  RETURN true;
END
$_convert_columns$;
COMMENT ON FUNCTION pgtrack._convert_columns(name) IS
  'Stores as text what a history table or copy has of foreign types, and what it has of domains as what they are based on; '
  'whether there was any.';

CREATE OR REPLACE FUNCTION pgtrack._convert_keys(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_convert_keys$
DECLARE
  v_part  record;
BEGIN
  PERFORM pgtrack._make_own_type(p_relation, b.type)
  FROM pgtrack._key_parts(p_relation) k CROSS JOIN LATERAL pgtrack._base_type(k.type, -1) b WHERE k.kind NOT IN ('enum', 'base');
  FOR v_part IN
    SELECT format('UPDATE pgtrack.%I SET %2$I = %2$I || (SELECT jsonb_build_object(%3$L, %4$s) FROM jsonb_to_record(%2$I) AS x (%5$I %6$s))'
                  ' WHERE relation_id = $1 AND %2$I ? %3$L',
                  n.table_name, n.column_name, k.column_name, pgtrack._output_sql(format('x.%I', k.column_name), b.type, true),
                  k.column_name, pgtrack._own_type(b.type)) AS statement
    FROM pgtrack._key_parts(p_relation) k
    CROSS JOIN LATERAL pgtrack._base_type(k.type, -1) b
    CROSS JOIN (VALUES ('key_change', 'old_key'), ('key_change', 'new_key'), ('purged_version', 'row_key'), ('erasure', 'row_key'))
      AS n (table_name, column_name)
    WHERE k.kind NOT IN ('enum', 'base') AND NOT pgtrack._runs_foreign_code(k.type)
  LOOP
    EXECUTE v_part.statement USING p_relation;
  END LOOP;
  PERFORM pgtrack._drop_own_names();
END
$_convert_keys$;
COMMENT ON FUNCTION pgtrack._convert_keys(integer) IS 'Brings the noted keys of a table into the form in which they are stored now.';

CREATE OR REPLACE FUNCTION pgtrack._convert_foreign_columns(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_convert_foreign_columns$
BEGIN
  PERFORM pgtrack._convert_columns(k.kept_table) FROM pgtrack.kept k WHERE k.relation_id = p_relation;
  IF pgtrack._convert_columns((SELECT r.history_table FROM pgtrack.relation r WHERE r.relation_id = p_relation)) THEN
    PERFORM pgtrack._convert_keys(p_relation), pgtrack._generate_policy(p_relation);
  END IF;
END
$_convert_foreign_columns$;
COMMENT ON FUNCTION pgtrack._convert_foreign_columns(integer) IS
  'Stores as text what the history and the copies of a table have of types that an ordinary role can create.';
