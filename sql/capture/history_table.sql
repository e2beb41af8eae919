-- The history table of a tracked table, and how it follows the table's shape

CREATE OR REPLACE FUNCTION pgtrack._free_name(p_wanted text, p_taken name[]) RETURNS name
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_free_name$
DECLARE
  v_stem    text := p_wanted;
  v_suffix  text := '';
BEGIN
  -- Identifiers have at most 63 bytes, not characters.
  LOOP
    WHILE octet_length(v_stem || v_suffix) > 63 LOOP
      v_stem := left(v_stem, -1);
    END LOOP;
    EXIT WHEN (v_stem || v_suffix)::name <> ALL (coalesce(p_taken, '{}'));
    v_suffix := '_' || (coalesce(nullif(substr(v_suffix, 2), '')::integer, 1) + 1);
  END LOOP;
  RETURN v_stem || v_suffix;
END
$_free_name$;
COMMENT ON FUNCTION pgtrack._free_name(text, name[]) IS 'The wanted name, shortened and numbered as far as necessary to be valid and new.';

CREATE OR REPLACE FUNCTION pgtrack._create_history(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_create_history$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  EXECUTE format('CREATE TABLE pgtrack_history.%I (%s) USING heap', v_relation.history_table,
                 array_to_string('pgtrack_statement_id bigint NOT NULL'::text || ARRAY(
                   SELECT format('%I %s', n.name, n.type_name) FROM pgtrack._new_columns(v_relation, NULL) n), ', '));
  PERFORM pgtrack._require_meant(format('pgtrack_history.%I', v_relation.history_table)::regclass, c.history_column, b.type)
  FROM pgtrack.relation_column c CROSS JOIN LATERAL pgtrack._base_type(c.type, -1) b
  WHERE c.relation_id = p_relation AND b.type >= 16384 AND pgtrack._foreign_kind(c.type) IS NULL;
  EXECUTE format('COMMENT ON TABLE pgtrack_history.%I IS %L', v_relation.history_table,
    format('Old images of the rows of %s; for INSERT the key.', pgtrack._name(v_relation.relid)));
  EXECUTE format('COMMENT ON COLUMN pgtrack_history.%I.pgtrack_statement_id IS %L', v_relation.history_table,
    'The statement that made the change, in pgtrack.statement.');
  -- History is written in the order of its statements, so a tiny index finds those of a transaction. What was written
  -- last is asked for most; it shall not wait for a vacuum of the whole table to be in the index.
  EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I USING brin (pgtrack_statement_id) WITH (pages_per_range = 32, autosummarize = on)',
    format('h%s_statement', p_relation), v_relation.history_table);
  -- In a publication of all tables, what has no identity can be neither purged nor erased. Costs nothing otherwise.
  EXECUTE format('ALTER TABLE pgtrack_history.%I REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY', v_relation.history_table);
END
$_create_history$;
COMMENT ON FUNCTION pgtrack._create_history(integer) IS 'Creates the history table of a table that is tracked for the first time.';

-- Null is a value, too, which PostgreSQL makes for the rows that are there, once if the expression is not volatile.
CREATE OR REPLACE FUNCTION pgtrack._add_history_column(p_history regclass, p_column name, p_type oid, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_add_history_column$
BEGIN
  IF p_type < 16384 THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', p_history, p_column, p_name);
    RETURN;
  END IF;
  PERFORM pgtrack._make_own_type(coalesce(
    (SELECT r.relation_id FROM pgtrack.relation r WHERE r.history_table = (SELECT c.relname FROM pg_class c WHERE c.oid = p_history)), 0), p_type);
  PERFORM pgtrack._execute_if_meant(format(
    'ALTER TABLE %s ADD COLUMN %I %s DEFAULT pgtrack._if_meant(coalesce(NULL::%s, NULL), %1$L::regclass, %2$L, %5$s)',
    p_history, p_column, p_name, pgtrack._own_type(p_type), p_type));
  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', p_history, p_column);
  PERFORM pgtrack._require_meant(p_history, p_column, p_type);
END
$_add_history_column$;
COMMENT ON FUNCTION pgtrack._add_history_column(regclass, name, oid, text) IS 'Adds a column to a history table or copy, of this type and no other of its name.';

-- Whoever finds the schema can make a view of a history table, or a policy, a function or a column of its type: what they
-- stand on PostgreSQL does not retype. They keep it, then, and history goes on in a column of its own. The rewrite keeps
-- the order of the rows; UPDATE is for where it is the table's type that is used.
CREATE OR REPLACE FUNCTION pgtrack._retype_history_column(p_history regclass, p_column name, p_type oid, p_name text, p_value text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_retype_history_column$
DECLARE
  v_retype CONSTANT  text := 'ALTER TABLE %s ALTER COLUMN %I TYPE %s USING '
                             || CASE WHEN p_type < 16384 THEN '%4$s' ELSE 'pgtrack._if_meant(%4$s, %1$L::regclass, %2$L, %5$s)' END;
  v_new              name;
  v_left             name;
  v_reason           text;
BEGIN
  BEGIN
    PERFORM pgtrack._execute_if_meant(format(v_retype, p_history, p_column, p_name, p_value, p_type));
    PERFORM pgtrack._require_meant(p_history, p_column, p_type);
    RETURN;
  EXCEPTION WHEN feature_not_supported THEN
    GET STACKED DIAGNOSTICS v_reason = PG_EXCEPTION_DETAIL;
    v_reason := concat_ws('; ', SQLERRM, nullif(v_reason, ''));
  END;
  v_new := pgtrack._history_name(p_column, p_history);
  v_left := pgtrack._history_name(p_column || '_left', p_history);
  PERFORM pgtrack._add_history_column(p_history, v_new, p_type, p_name);
  BEGIN
    PERFORM pgtrack._execute_if_meant(format(v_retype, p_history, v_new, p_name, p_value, p_type));
  EXCEPTION WHEN feature_not_supported THEN
    -- An older snapshot does not see all rows.
    IF pgtrack._snapshot_lasts() THEN
      RAISE;
    END IF;
    EXECUTE format('UPDATE %s SET %I = %s', p_history, v_new, p_value);
  END;
  EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', p_history, p_column, v_left);
  EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', p_history, v_new, p_column);
  RAISE WARNING 'column % of % is left to what stands on it: %', quote_ident(v_left), pgtrack._name(p_history), v_reason USING
    HINT = format('What it held is recorded in %I now. Drop what stands on it, then the column.', p_column);
END
$_retype_history_column$;
COMMENT ON FUNCTION pgtrack._retype_history_column(regclass, name, oid, text, text) IS
  'Gives a column of a history table or copy another type, with the values of an expression; an object of somebody else is no obstacle.';

CREATE OR REPLACE FUNCTION pgtrack._drop_function(p_function regprocedure) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_function$
DECLARE
  v_reason  text;
BEGIN
  EXECUTE format('DROP FUNCTION %s', p_function);
EXCEPTION WHEN dependent_objects_still_exist THEN
  GET STACKED DIAGNOSTICS v_reason = PG_EXCEPTION_DETAIL;
  RAISE WARNING 'the function % stays: %', p_function, v_reason USING HINT = 'Nothing of pg_track calls it any more.';
END
$_drop_function$;
COMMENT ON FUNCTION pgtrack._drop_function(regprocedure) IS
  'Drops a function that is not needed any more, unless an object of somebody else stands on it.';
