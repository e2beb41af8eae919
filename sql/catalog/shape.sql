-- The pieces that dynamic SQL about one tracked table is made of. In them, t is the live table, h its history
-- table, c another row of the history table and k a key: jsonb_to_record(<key>) AS k(<key_record>).
-- Of a row that is updated only p_columns are set, where that is not null.
CREATE OR REPLACE FUNCTION pgtrack._make_shape(
  p_table             regclass,
  p_columns           text[] DEFAULT NULL,
  OUT relation_id     integer,
  OUT fingerprint     text,
  OUT name            text,
  OUT live_table      text,
  OUT history         text,
  OUT keys            name[],
  OUT key_record      text,
  OUT live_is_key     text,
  OUT history_is_key  text,
  OUT live_is_history text,
  OUT live_is_change  text,
  OUT same_row        text,
  OUT key_json        text,
  OUT image           text,
  OUT live_image      text,
  OUT insert_columns  text,
  OUT insert_values   text,
  OUT assignments     text,
  OUT differs         text,
  OUT merges          text,
  OUT differing       text,
  OUT row_values      text,
  OUT change_keys     text,
  OUT restored        text,
  OUT key_is_plain    boolean
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_make_shape$
DECLARE
  v_equality  text[];
  v_redacted  jsonb;
  v_root      regclass;
BEGIN
  -- The rows of inheriting tables are not this table's; those of partitions are.
  SELECT r.relation_id, pgtrack._name(p_table), CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || pgtrack._name(p_table),
         format('pgtrack_history.%I', r.history_table), r.key_columns, r.key_equality,
         (SELECT jsonb_object_agg(o, '[redacted]') FROM jsonb_array_elements_text(r.options -> 'redact') o)
  INTO relation_id, name, live_table, history, keys, v_equality, v_redacted
  FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
  WHERE r.relid = p_table;
  IF relation_id IS NULL THEN
    SELECT p.oid INTO v_root FROM pg_class c CROSS JOIN LATERAL (SELECT pg_partition_root(c.oid) AS oid) p
    WHERE c.oid = p_table AND c.relispartition;
    RAISE EXCEPTION 'table % is not tracked', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = CASE WHEN v_root IS NULL
        THEN format('Start with SELECT * FROM pgtrack.track(%L). Only changes made after that have a history.', pgtrack._name(p_table))
        ELSE format('It is a partition; its history is under %L.', pgtrack._name(v_root)) END;
  END IF;

  SELECT string_agg(format('%I %s', c.column_name, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.position),
         string_agg(format('t.%I OPERATOR(%s) k.%1$I', c.column_name, k.equality), ' AND ' ORDER BY k.position),
         string_agg(format('h.%I OPERATOR(%s) k.%I', c.history_column, k.equality, c.column_name), ' AND ' ORDER BY k.position),
         string_agg(format('t.%I OPERATOR(%s) h.%I', c.column_name, k.equality, c.history_column), ' AND ' ORDER BY k.position),
         string_agg(format('t.%I OPERATOR(%s) c.%I', c.column_name, k.equality, c.history_column), ' AND ' ORDER BY k.position),
         string_agg(format('h.%I OPERATOR(%s) c.%1$I', c.history_column, k.equality), ' AND ' ORDER BY k.position),
         format('jsonb_build_object(%s)',
                string_agg(format('%L, h.%I', c.column_name, c.history_column), ', ' ORDER BY k.position)),
         string_agg(format('c.%I', c.history_column), ', ' ORDER BY k.position),
         bool_and(a.atttypid = ANY ('{smallint,integer,bigint,numeric,text,varchar,bpchar,uuid,boolean}'::regtype[]))
  INTO key_record, live_is_key, history_is_key, live_is_history, live_is_change, same_row, key_json, change_keys, key_is_plain
  FROM unnest(keys, v_equality) WITH ORDINALITY AS k (column_name, equality, position)
  JOIN pgtrack.relation_column c
    ON c.relation_id = _make_shape.relation_id AND c.column_name = k.column_name AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = history::regclass AND a.attname = c.history_column;

  -- An image recorded before a column existed says nothing about it: not shown, and left as it is by a revert.
  WITH col AS (
    SELECT a.attnum, pgtrack._recorded_since(c) AS since, c.column_name, c.since AS own_since, format('h.%I', c.history_column) AS own,
           format('t.%I', c.column_name) AS live,
           -- Images hold what a domain is based on; rows of different types cannot be compared.
           format(CASE b.atttypid WHEN a.atttypid THEN 't.%I' ELSE 't.%I::%s' END,
                  c.column_name, format_type(b.atttypid, b.atttypmod)) AS comparable,
           pgtrack._recorded(c, 'h') AS old,
           pgtrack._recorded(c, 'c') AS base,
           format('h.pgtrack_statement_id <= %s', pgtrack._recorded_since(c)) AS is_unknown,
           coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') AS default_value,
           a.attgenerated = '' AS can_insert,
           a.attgenerated = '' AND a.attidentity <> 'a' AND (p_columns IS NULL OR c.column_name = ANY (p_columns)) AS can_update
    FROM pgtrack.relation_column c
    JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = pgtrack._attnum(p_table, c.column_name, c.attnum)
    JOIN pg_attribute b ON b.attrelid = history::regclass AND b.attname = c.history_column
    LEFT JOIN pg_attrdef d ON d.adrelid = p_table AND d.adnum = a.attnum
    WHERE c.relation_id = _make_shape.relation_id
  ), piece AS (
    SELECT col.*,
           CASE since WHEN 0 THEN old ELSE format('CASE WHEN %s THEN %s ELSE %s END', is_unknown, default_value, old) END AS to_insert,
           CASE since WHEN 0 THEN old ELSE format('CASE WHEN %s THEN %s ELSE %s END', is_unknown, comparable, old) END AS to_update
    FROM col
  )
  SELECT format('(%s(SELECT to_jsonb(pgtrack_row) FROM (SELECT %s) pgtrack_row)%s)',
                (SELECT string_agg(format('CASE WHEN h.pgtrack_statement_id > %s AND h.pgtrack_statement_id <= %s THEN jsonb_build_object(%L, h.%I) ELSE ''{}'' END || ',
                                          g.since, g.until, g.column_name, g.history_column), '' ORDER BY g.until)
                 FROM pgtrack.relation_column g WHERE g.relation_id = _make_shape.relation_id AND g.until IS NOT NULL),
                string_agg(format('%s AS %I', own, column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN h.pgtrack_statement_id <= %s THEN %L ELSE '''' END', own_since, column_name), '') FILTER (WHERE own_since > 0)),
         format('((SELECT to_jsonb(pgtrack_row) FROM (SELECT %s) pgtrack_row)%s)', string_agg(format('%s AS %I', old, column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN %s THEN %L ELSE '''' END', is_unknown, column_name), '') FILTER (WHERE since > 0)),
         format('(SELECT to_jsonb(pgtrack_row) FROM (SELECT %s) pgtrack_row)', string_agg(live, ', ' ORDER BY attnum)),
         string_agg(quote_ident(column_name), ', ' ORDER BY attnum) FILTER (WHERE can_insert),
         string_agg(to_insert, ', ' ORDER BY attnum) FILTER (WHERE can_insert),
         string_agg(format('%I = %s', column_name, to_update), ', ' ORDER BY attnum) FILTER (WHERE can_update),
         -- Compared byte by byte: 1.0 and 1.00 differ, and types without an equality operator can be compared.
         format('ROW(%s)::record *<> ROW(%s)::record', string_agg(comparable, ', ' ORDER BY attnum) FILTER (WHERE can_update),
                                       string_agg(to_update, ', ' ORDER BY attnum) FILTER (WHERE can_update)),
         string_agg(format('%I = CASE WHEN ROW(%s)::record *= ROW(%s)::record THEN %s ELSE %2$s END', column_name, comparable, base, to_update),
                    ', ' ORDER BY attnum) FILTER (WHERE can_update),
         format('array_remove(ARRAY[%s], NULL)',
                string_agg(format('CASE WHEN ROW(%s)::record *<> ROW(%s)::record THEN %L END', comparable, to_insert, column_name),
                           ', ' ORDER BY attnum) FILTER (WHERE can_insert AND since = 0))
  INTO image, restored, live_image, insert_columns, insert_values, assignments, differs, merges, differing
  FROM piece;
  IF v_redacted IS NOT NULL THEN
    image := format('(%s || %L::jsonb)', image, v_redacted);
    restored := format('(%s || %L::jsonb)', restored, v_redacted);
    live_image := format('(%s || %L::jsonb)', live_image, v_redacted);
  END IF;

  -- A whole row of the table's type; what is not recorded is null.
  SELECT string_agg(CASE WHEN c.history_column IS NULL THEN format('NULL::%s', format_type(a.atttypid, a.atttypmod))
                         ELSE format('(%s)::%s', pgtrack._recorded(c, 'h'), format_type(a.atttypid, a.atttypmod)) END, ', ' ORDER BY a.attnum)
  INTO row_values
  FROM pg_attribute a
  LEFT JOIN pgtrack.relation_column c ON c.relation_id = _make_shape.relation_id AND pgtrack._attnum(p_table, c.column_name, c.attnum) = a.attnum
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped;
  fingerprint := pgtrack._fingerprint(p_table);
END
$_make_shape$;
COMMENT ON FUNCTION pgtrack._make_shape(regclass, text[]) IS 'Makes the pieces that dynamic SQL about one tracked table is made of.';

-- Made when the table's shape is followed; made anew where it was not.
CREATE OR REPLACE FUNCTION pgtrack._shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_shape$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT s.* INTO v_shape
  FROM pgtrack.relation r JOIN pgtrack.relation_shape s USING (relation_id)
  WHERE r.relid = p_table;
  -- Compared here, so that it is computed for this table alone.
  IF p_columns IS NOT NULL OR v_shape.fingerprint IS DISTINCT FROM pgtrack._fingerprint(p_table) THEN
    SELECT m.* INTO v_shape FROM pgtrack._make_shape(p_table, p_columns) m;
  ELSE
    -- The schema may have been renamed.
    v_shape.name := pgtrack._name(p_table);
    v_shape.live_table := CASE WHEN v_shape.live_table LIKE 'ONLY %' THEN 'ONLY ' ELSE '' END || v_shape.name;
  END IF;
  RETURN v_shape;
END
$_shape$;
COMMENT ON FUNCTION pgtrack._shape(regclass, text[]) IS
  'The pieces that dynamic SQL about one tracked table is made of; of a row that is updated, only some columns are set if they are named.';
