-- A row is found in history by its primary key, so what DDL makes of the key is done to what is recorded, too: columns
-- are renamed in the keys that stand as JSON, and recorded keys get the column's new type if that loses nothing of them.
-- Where it would, or the key is exchanged for another, rows recorded before cannot be told by it; from there on the history
-- of rows begins anew (key_since).

CREATE OR REPLACE FUNCTION pgtrack._rename_in_keys(p_relation integer, p_names jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_in_keys$
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack.relation r CROSS JOIN LATERAL unnest(r.key_columns) k WHERE r.relation_id = p_relation AND p_names ? k::text) THEN
    RETURN;
  END IF;
  UPDATE pgtrack.relation r SET key_columns = ARRAY(SELECT coalesce(p_names ->> k, k)::name FROM unnest(r.key_columns) WITH ORDINALITY AS u (k, n) ORDER BY n)
  WHERE r.relation_id = p_relation;
  UPDATE pgtrack.key_change SET old_key = pgtrack._renamed_key(old_key, p_names), new_key = pgtrack._renamed_key(new_key, p_names)
  WHERE relation_id = p_relation;
  UPDATE pgtrack.purged_version SET row_key = pgtrack._renamed_key(row_key, p_names) WHERE relation_id = p_relation;
  UPDATE pgtrack.erasure SET row_key = pgtrack._renamed_key(row_key, p_names) WHERE relation_id = p_relation;
END
$_rename_in_keys$;
COMMENT ON FUNCTION pgtrack._rename_in_keys(integer, jsonb) IS 'Gives columns of a table''s key their new names, wherever a key is recorded.';

CREATE OR REPLACE FUNCTION pgtrack._renamed_key(p_key jsonb, p_names jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(coalesce(p_names ->> k.key, k.key), k.value) FROM jsonb_each(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._renamed_key(jsonb, jsonb) IS 'A key with the new names of its columns.';

CREATE OR REPLACE FUNCTION pgtrack._converted_sql(p_value text, p_from oid, p_to text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_converted_sql$
BEGIN
  -- A domain of ours (_own_type) is no type to store; coalesce() makes it what it is based on.
  RETURN (SELECT format(CASE WHEN b.type < 16384 THEN '(%s)%s::%s' ELSE 'coalesce((%s)%s::%s, NULL)' END, p_value, CASE WHEN EXISTS (
    SELECT FROM pg_cast c WHERE c.castsource = p_from AND c.casttarget = b.type AND c.castcontext <> 'e') THEN '' ELSE '::text' END, p_to)
  FROM pgtrack._base_type(to_regtype(p_to), -1) b);
END
$_converted_sql$;
COMMENT ON FUNCTION pgtrack._converted_sql(text, oid, text) IS
  'The expression for a stored value as another stored type: as ALTER COLUMN TYPE would do it without USING, or by its text.';

-- Recorded keys are rewritten only where each of them can be got back, byte by byte; else the column is left behind as any
-- other that was retyped. What the application said in USING is not known, so the rows that were written last are looked
-- for: where they are not found, it was something else.
CREATE OR REPLACE FUNCTION pgtrack._convert_key_column(p_relation pgtrack.relation, p_column name, p_attnum smallint, p_history_column name) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_convert_key_column$
DECLARE
  v_history    regclass := format('pgtrack_history.%I', p_relation.history_table)::regclass;
  v_from       record;
  v_to         record;
  v_value      text;
  v_is_kept    boolean;
  v_before     bigint;
  v_after      bigint;
  v_context    text;
BEGIN
  -- ALTER TABLE converts rows that an older snapshot does not show.
  IF pgtrack._snapshot_lasts() THEN
    RETURN NULL;
  END IF;
  EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_history);
  SELECT pgtrack._stored_type_of(a.atttypid) AS type, pgtrack._stored_type(a.atttypid, a.atttypmod) AS name, pgtrack._collation_sql(a) AS collation INTO STRICT v_to
  FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = p_attnum;
  SELECT h.atttypid AS type, h.atttypmod AS typmod INTO STRICT v_from
  FROM pg_attribute h WHERE h.attrelid = v_history AND h.attname = p_history_column;
  PERFORM pgtrack._make_own_type(p_relation.relation_id, t) FROM unnest(ARRAY[v_from.type, v_to.type]) t;
  v_value := pgtrack._converted_sql(quote_ident(p_history_column), v_from.type, coalesce(pgtrack._own_type(v_to.type), v_to.name));
  BEGIN
    EXECUTE format('SELECT bool_and(ROW(%1$I)::record OPERATOR(pg_catalog.*=) ROW(%2$s)::record), count(DISTINCT %1$I) FROM %3$s', p_history_column,
                   pgtrack._converted_sql(v_value, v_to.type, pgtrack._type_sql(v_from.type, v_from.typmod)), v_history) INTO v_is_kept, v_before;
    IF NOT v_is_kept THEN
      RETURN NULL;
    END IF;
    PERFORM pgtrack._retype_history_column(v_history, p_history_column, v_to.type, v_to.name || v_to.collation, v_value);
    EXECUTE format('SELECT count(DISTINCT %I) FROM %s', p_history_column, v_history) INTO v_after;
  EXCEPTION WHEN data_exception OR cannot_coerce OR undefined_object OR feature_not_supported THEN
    RETURN NULL;
  END;
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  -- Two keys may have become one. And USING may make any value of any other; of a function LANGUAGE sql the text is not known.
  RETURN CASE WHEN v_before = v_after AND v_context !~ 'SQL function "(?!(follow_ddl|track)")' AND concat_ws(E'\n', current_query(), v_context) !~* format(
                $r$\musing\M(?!\s+"?%s"?\s*::)$r$, regexp_replace(p_column, '([^[:alnum:]_])', $r$\\\1$r$, 'g')) THEN 'converted' ELSE 'lost' END;
END
$_convert_key_column$;
COMMENT ON FUNCTION pgtrack._convert_key_column(pgtrack.relation, name, smallint, name) IS
  'Gives a column of recorded keys the type that the table''s column has now: converted, or lost if these may not be the same keys; '
  'null if it cannot without losing a value.';

CREATE OR REPLACE FUNCTION pgtrack._same_key(p_key jsonb, p_other jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(bool_and(coalesce(k.value = o.value OR k.value #>> '{}' = o.value #>> '{}', false)), false)
  FROM jsonb_each(p_key) k FULL JOIN jsonb_each(p_other) o USING (key);
END;
COMMENT ON FUNCTION pgtrack._same_key(jsonb, jsonb) IS 'Whether two keys are of the same values, though maybe of other types: 1 and "1".';

CREATE OR REPLACE FUNCTION pgtrack._canonical_keys(p_relation integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_canonical_keys$
DECLARE
  v_record  text := (SELECT string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position) FROM pgtrack._key_parts(p_relation) k);
BEGIN
  -- A digest says nothing of the key.
  IF EXISTS (SELECT FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND p.row_key ? '')
     OR NOT coalesce((SELECT bool_and(pgtrack._same_key(k.key, pgtrack._canonical_key(pgtrack._plain_numbers(k.key), v_record))) FROM (
            SELECT unnest(ARRAY[c.old_key, c.new_key]) AS key FROM pgtrack.key_change c WHERE c.relation_id = p_relation
            UNION ALL SELECT p.row_key FROM pgtrack.purged_version p WHERE p.relation_id = p_relation
            UNION ALL SELECT e.row_key FROM pgtrack.erasure e WHERE e.relation_id = p_relation) k), true) THEN
    RETURN false;
  END IF;
  UPDATE pgtrack.key_change SET
    old_key = pgtrack._canonical_key(pgtrack._plain_numbers(old_key), v_record), new_key = pgtrack._canonical_key(pgtrack._plain_numbers(new_key), v_record)
  WHERE relation_id = p_relation;
  UPDATE pgtrack.purged_version SET row_key = pgtrack._canonical_key(pgtrack._plain_numbers(row_key), v_record) WHERE relation_id = p_relation;
  UPDATE pgtrack.erasure SET row_key = pgtrack._canonical_key(pgtrack._plain_numbers(row_key), v_record) WHERE relation_id = p_relation;
  RETURN true;
EXCEPTION WHEN data_exception OR unique_violation THEN
  RETURN false;
END
$_canonical_keys$;
COMMENT ON FUNCTION pgtrack._canonical_keys(integer) IS
  'Writes all keys that stand as JSON in the form that the key''s present types have; false if they cannot be, or would be others.';

-- An integer does not take 1.00.
CREATE OR REPLACE FUNCTION pgtrack._plain_numbers(p_key jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(k.key, CASE jsonb_typeof(k.value) WHEN 'number' THEN to_jsonb(trim_scale(k.value::numeric)) ELSE k.value END) FROM jsonb_each(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._plain_numbers(jsonb) IS 'A key whose numbers have no zeros behind the point.';

CREATE OR REPLACE FUNCTION pgtrack._finds_rows_by_key(p_table regclass) RETURNS boolean
-- PostgreSQL would plan checks of the table, too.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET constraint_exclusion = off AS $_finds_rows_by_key$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_lost   boolean;
BEGIN
  -- Whether it may be read is asked first, as for TRUNCATE; an older snapshot does not show what has been made since.
  IF pgtrack._snapshot_lasts() OR NOT has_table_privilege(p_table, 'SELECT')
     OR row_security_active(p_table) OR NOT pgtrack._hold_definition(p_table) OR pgtrack._foreign_expression(p_table) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM pgtrack._hold_name(p_table);
  v_shape := pgtrack._make_shape(p_table);
  -- Rows that have got another key and were not changed since.
  EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT c.* FROM pgtrack._key_changes(%s) c ORDER BY c.statement_id DESC LIMIT 1000) c'
                 ' CROSS JOIN LATERAL jsonb_to_record(c.new_key) AS k(%s)'
                 ' WHERE NOT EXISTS (SELECT FROM %s h WHERE h.pgtrack_statement_id > c.statement_id AND %s)'
                 ' AND NOT EXISTS (SELECT FROM %s t WHERE %s))',
                 v_shape.relation_id, v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.live_table, v_shape.live_is_key)
  INTO v_lost;
  RETURN NOT (v_lost OR EXISTS (SELECT FROM pgtrack._gaps(p_table, 1000) g WHERE g.is_missing));
END
$_finds_rows_by_key$;
COMMENT ON FUNCTION pgtrack._finds_rows_by_key(regclass) IS 'Whether the rows that were written last are in the table, under their recorded keys; false also if it cannot be told.';

CREATE OR REPLACE FUNCTION pgtrack._sync_key(p_relation integer, p_recorded text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_sync_key$
DECLARE
  v_relation  pgtrack.relation;
  v_keys      name[];
  v_equality  text[];
  v_columns   text;
  v_indexed   text;
  v_is_same   boolean;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  SELECT coalesce(array_agg(a.attname ORDER BY k.position), '{}'),
         coalesce(array_agg(format('%I.%s', n.nspname, o.oprname) ORDER BY k.position), '{}')
  INTO v_keys, v_equality
  FROM pgtrack._key_operators(v_relation.relid) k
  JOIN pg_attribute a ON a.attrelid = v_relation.relid AND a.attnum = k.attnum
  JOIN pg_operator o ON o.oid = k.operator
  JOIN pg_namespace n ON n.oid = o.oprnamespace;

  UPDATE pgtrack.relation SET key_columns = v_keys, key_equality = v_equality
  WHERE relation_id = p_relation AND (key_columns, key_equality) IS DISTINCT FROM (v_keys, v_equality);
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(v_keys, c.column_name)),
         string_agg(a.attnum::text, ' ' ORDER BY array_position(v_keys, c.column_name))
  INTO v_columns, v_indexed
  FROM pgtrack.relation_column c
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', v_relation.history_table)) AND a.attname = c.history_column
  WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (v_keys);
  -- A key that was retyped may be in another column now.
  IF v_indexed IS DISTINCT FROM (SELECT i.indkey::text FROM pg_index i
                                 WHERE i.indexrelid = to_regclass(format('pgtrack_history.%I', format('h%s_key', p_relation)))) THEN
    EXECUTE format('DROP INDEX IF EXISTS pgtrack_history.%I', format('h%s_key', p_relation));
    IF v_columns IS NOT NULL THEN
      EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I (%s)', format('h%s_key', p_relation), v_relation.history_table, v_columns);
    END IF;
  END IF;
  IF NOT (v_keys @> v_relation.key_columns AND v_keys <@ v_relation.key_columns) THEN
    PERFORM pgtrack._exchange_key(v_relation, v_keys);
  ELSIF p_recorded IS NOT NULL THEN
    v_is_same := p_recorded = 'converted' AND pgtrack._canonical_keys(p_relation) AND pgtrack._finds_rows_by_key(v_relation.relid);
    UPDATE pgtrack.relation SET key_since = nextval('pgtrack.statement_id_seq') WHERE relation_id = p_relation AND NOT v_is_same;
  END IF;
END
$_sync_key$;
COMMENT ON FUNCTION pgtrack._sync_key(integer, text) IS
  'Notes a tracked table''s primary key and indexes its history by it; p_recorded: converted, or lost if rows cannot be told by the key''s recorded values; null if these stayed.';

-- Not by their names, which may change places.
CREATE OR REPLACE FUNCTION pgtrack._key_identity(p_relation integer, p_keys name[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN count(*) = cardinality(p_keys) AND count(*) > 0 THEN jsonb_agg(jsonb_build_array(c.attnum, c.type, c.history_column) ORDER BY c.attnum) END
  FROM pgtrack.relation_column c WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (p_keys);
END;
COMMENT ON FUNCTION pgtrack._key_identity(integer, name[]) IS 'What tells whether a key is of the same columns, of the same types, recorded in the same place; null if that is not known.';

-- A key that is dropped and made again, with no change of the table in between, is the same.
CREATE OR REPLACE FUNCTION pgtrack._exchange_key(p_relation pgtrack.relation, p_keys name[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_exchange_key$
DECLARE
  v_latest  bigint := coalesce((SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = p_relation.relation_id), 0);
BEGIN
  IF v_latest = 0 THEN
    RETURN;
  END IF;
  UPDATE pgtrack.relation SET
    key_since = CASE WHEN (p_relation.former_key ->> 'latest')::bigint = v_latest
                          AND p_relation.former_key -> 'columns' = pgtrack._key_identity(p_relation.relation_id, p_keys)
                     THEN (p_relation.former_key ->> 'since')::bigint ELSE nextval('pgtrack.statement_id_seq') END,
    former_key = CASE WHEN p_relation.key_columns = '{}' THEN NULL
                      ELSE jsonb_build_object('columns', pgtrack._key_identity(p_relation.relation_id, p_relation.key_columns),
                                              'since', p_relation.key_since, 'latest', v_latest) END
  WHERE relation_id = p_relation.relation_id;
END
$_exchange_key$;
COMMENT ON FUNCTION pgtrack._exchange_key(pgtrack.relation, name[]) IS 'Notes that rows are told by another key from now on.';

-- What rows were before is recorded, but not under the key that they have now.
CREATE OR REPLACE FUNCTION pgtrack._refuse_former_key(p_table regclass, p_which text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_former_key$
DECLARE
  v_relation  pgtrack.relation;
  v_is_older  boolean := false;
BEGIN
  SELECT r.* INTO v_relation FROM pgtrack.relation r WHERE r.relid = p_table;
  IF v_relation.key_since > 0 THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id < %s AND (%s))',
                   v_relation.relation_id, v_relation.key_since, p_which)
    INTO v_is_older;
  END IF;
  IF v_is_older THEN
    RAISE EXCEPTION 'the primary key of % was another one then', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = format('Rows are told by (%s) since %s; changes from before that are not recorded under it.',
                      array_to_string(v_relation.key_columns, ', '),
                      coalesce((SELECT 'a change of the key before ' || min(s.at) FROM pgtrack.statement s
                                WHERE s.relation_id = v_relation.relation_id AND s.statement_id >= v_relation.key_since), 'a change of the key')),
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows them.', pgtrack._name(p_table));
  END IF;
END
$_refuse_former_key$;
COMMENT ON FUNCTION pgtrack._refuse_former_key(regclass, text) IS
  'Refuses a set of statements of which some changed rows that were told by another key.';

CREATE OR REPLACE FUNCTION pgtrack._same_key_in_history_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_same_key_in_history_sql$
BEGIN
  RETURN (
  SELECT string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('h.%I', k.history_column), format('c.%I', k.history_column)), ' AND '
                    ORDER BY k.position)
  FROM pgtrack._key_parts(p_relation) k);
END
$_same_key_in_history_sql$;
COMMENT ON FUNCTION pgtrack._same_key_in_history_sql(integer) IS 'The condition that two images h and c have the same key.';
