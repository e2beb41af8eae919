-- What each column of a table is in the pieces:
--   own, old, base    its stored value in the image h, that as its present type is stored, and the same in c
--   shown             old in a plan, which refuses what an undo would refuse
--   compared, wanted  the live value and that of h, as they are stored: compared without a function of the type's
--   value             that of h as it can be written
-- An image recorded before a column existed says nothing about it: not shown, and left as it is by a revert.
CREATE OR REPLACE FUNCTION pgtrack._column_parts(p_relation integer, p_table regclass, p_columns text[])
RETURNS TABLE (attnum smallint, column_name name, since bigint, own_since bigint, is_unknown text, stored oid, own text, old text,
               base text, shown text, compared text, wanted text, value text, can_insert boolean, can_update boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_column_parts$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH col AS MATERIALIZED (
    SELECT a.attnum, a.attname AS column_name, c.since AS own_since, pgtrack._recorded_since(c) AS since, format('h.%I', c.history_column) AS own,
           pgtrack._recorded(c, 'h') AS old, pgtrack._recorded(c, 'c') AS base, b.atttypid AS stored,
           format_type(b.atttypid, b.atttypmod) AS stored_type,
           a.atttypid AS type, format_type(a.atttypid, a.atttypmod) AS type_name, y.type AS base_type, pgtrack._foreign_kind(a.atttypid) AS kind,
           format('t.%I', a.attname) AS live, format('%I of %s', a.attname, pgtrack._name(p_table)) AS name,
           a.attgenerated = '' AS can_insert, p_columns IS NULL OR a.attname = ANY (p_columns) AS is_chosen
    FROM pgtrack.relation r
    JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id
    -- OFFSET 0: they are looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT pgtrack._attnum(p_table, c.column_name, c.attnum) AS attnum OFFSET 0) n
    CROSS JOIN LATERAL (SELECT a.* FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum = n.attnum OFFSET 0) a
    CROSS JOIN LATERAL (
      SELECT b.* FROM pg_attribute b
      WHERE b.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND b.attname = c.history_column OFFSET 0) b
    CROSS JOIN LATERAL (SELECT a.atttypid AS type, a.atttypmod AS typmod WHERE a.atttypid < 12000
                        UNION ALL SELECT y.type, y.typmod FROM pgtrack._base_type(a.atttypid, a.atttypmod) y WHERE a.atttypid >= 12000) y
    WHERE r.relation_id = p_relation
  ), piece AS (
    SELECT col.*, format('h.pgtrack_statement_id <= %s', since) AS is_unknown, format('(%s)::text', old) AS text,
           -- What a domain is based on is what is stored; rows of different types cannot be compared.
           CASE WHEN kind IS NOT NULL THEN pgtrack._output_sql(live, type)
                WHEN type = stored THEN live WHEN base_type = stored AND stored >= 16384 THEN format('coalesce(%s, NULL)', live)
                ELSE format('%s::%s', live, stored_type) END AS compared
    FROM col
  ), written AS (
    SELECT p.*, CASE WHEN kind IS NULL THEN old ELSE pgtrack._input_sql(text, type, name) END AS value FROM piece p
  )
  SELECT attnum, column_name, since, own_since, is_unknown, stored, own, old, base,
         CASE WHEN kind = 'enum' AND is_chosen THEN format('pgtrack._known_label(%s, %s, %L)', text, base_type, name) ELSE old END,
         compared,
         CASE since WHEN 0 THEN old ELSE format('CASE WHEN %s THEN %s ELSE %s END', is_unknown, compared, old) END,
         CASE WHEN type <> base_type THEN format('(%s)::%s', value, type_name) ELSE value END,
         can_insert, can_insert AND is_chosen
  FROM written;
END
$_column_parts$;
COMMENT ON FUNCTION pgtrack._column_parts(integer, regclass, text[]) IS
  'The columns of a tracked table, with the expressions that its pieces are made of; of rows that are updated only p_columns, if named.';

-- Values are compared byte by byte: 1.0 and 1.00 differ, and types without an equality operator can be compared. What these
-- types call equal is the same bytes, text in the collation C; a record for each value takes far longer.
CREATE OR REPLACE FUNCTION pgtrack._has_quick_equality(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_type = ANY ('{smallint,integer,bigint,oid,boolean,date,time,timestamp,timestamptz,uuid,bytea,text,varchar,name}'::regtype[]);
END;
COMMENT ON FUNCTION pgtrack._has_quick_equality(oid) IS 'Whether values of a type are equal where their bytes are.';

CREATE OR REPLACE FUNCTION pgtrack._differ_sql(p_left text, p_right text, p_type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._has_quick_equality(p_type)
    THEN format('(((%1$s)%3$s OPERATOR(pg_catalog.=) (%2$s)%3$s) IS NOT TRUE AND (%1$s IS NOT NULL OR %2$s IS NOT NULL))', p_left, p_right,
                CASE WHEN p_type = ANY ('{text,varchar,name}'::regtype[]) THEN ' COLLATE pg_catalog."C"' END)
    ELSE format('ROW(%s)::record OPERATOR(pg_catalog.*<>) ROW(%s)::record', p_left, p_right) END;
END;
COMMENT ON FUNCTION pgtrack._differ_sql(text, text, oid) IS 'The condition that two values of a type are not the same, byte by byte.';

CREATE OR REPLACE FUNCTION pgtrack._make_column_shape(INOUT p_shape pgtrack.relation_shape, p_table regclass, p_columns text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_make_column_shape$
DECLARE
  v_history   regclass := p_shape.history;
  v_retyped   text;
  v_redacted  jsonb;
BEGIN
  SELECT string_agg(format('CASE WHEN h.pgtrack_statement_id > %s AND h.pgtrack_statement_id <= %s'
                           ' THEN jsonb_build_object(%L, %s) ELSE ''{}'' END || ', g.since, g.until, g.column_name,
                           pgtrack._json_sql(format('h.%I', g.history_column), a.atttypid)), '' ORDER BY g.until)
  INTO v_retyped
  FROM pgtrack.relation_column g JOIN pg_attribute a ON a.attrelid = v_history AND a.attname = g.history_column
  WHERE g.relation_id = p_shape.relation_id AND g.until IS NOT NULL;

  SELECT format('(%s(SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)%s)', v_retyped,
                string_agg(format('%s AS %I', pgtrack._json_sql(own, stored), column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN h.pgtrack_statement_id <= %s THEN %L ELSE '''' END', own_since, column_name), '')
                  FILTER (WHERE own_since > 0)),
         format('((SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)%s)',
                string_agg(format('%s AS %I', pgtrack._json_sql(shown, stored), column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN %s THEN %L ELSE '''' END', is_unknown, column_name), '') FILTER (WHERE since > 0)),
         format('(SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)',
                string_agg(format('%s AS %I', pgtrack._json_sql(compared, stored), column_name), ', ' ORDER BY attnum)),
         array_agg(quote_ident(column_name) ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(value ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(since ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(quote_ident(column_name) ORDER BY attnum) FILTER (WHERE can_update),
         array_agg(value ORDER BY attnum) FILTER (WHERE can_update),
         '(' || nullif(concat_ws(' OR ',
           string_agg(pgtrack._differ_sql(compared, wanted, stored), ' OR ' ORDER BY attnum) FILTER (WHERE can_update AND is_quick),
           'ROW(' || string_agg(compared, ', ' ORDER BY attnum) FILTER (WHERE can_update AND NOT is_quick) || ')::record OPERATOR(pg_catalog.*<>) ROW('
             || string_agg(wanted, ', ' ORDER BY attnum) FILTER (WHERE can_update AND NOT is_quick) || ')::record'), '') || ')',
         array_agg(pgtrack._differ_sql(compared, wanted, stored) ORDER BY attnum) FILTER (WHERE can_update),
         array_agg(format('ROW(%s)::record *= ROW(%s)::record', compared, base) ORDER BY attnum) FILTER (WHERE can_update),
         format('array_remove(ARRAY[%s], NULL)',
                string_agg(format('CASE WHEN %s THEN %L END', pgtrack._differ_sql(compared, old, stored), column_name),
                           ', ' ORDER BY attnum) FILTER (WHERE can_insert AND since = 0))
  INTO p_shape.image, p_shape.restored, p_shape.live_image, p_shape.inserted, p_shape.inserted_values, p_shape.inserted_since,
       p_shape.updated, p_shape.updated_values, p_shape.differs, p_shape.updated_differ, p_shape.updated_stayed, p_shape.differing
  FROM (SELECT p.*, pgtrack._has_quick_equality(p.stored) AS is_quick FROM pgtrack._column_parts(p_shape.relation_id, p_table, p_columns) p) p;

  SELECT jsonb_object_agg(o, '[redacted]') INTO v_redacted
  FROM pgtrack.relation r CROSS JOIN LATERAL jsonb_array_elements_text(r.options -> 'redact') o WHERE r.relation_id = p_shape.relation_id;
  IF v_redacted IS NOT NULL THEN
    p_shape.image := format('(%s || %L::jsonb)', p_shape.image, v_redacted);
    p_shape.restored := format('(%s || %L::jsonb)', p_shape.restored, v_redacted);
    p_shape.live_image := format('(%s || %L::jsonb)', p_shape.live_image, v_redacted);
  END IF;
END
$_make_column_shape$;
COMMENT ON FUNCTION pgtrack._make_column_shape(pgtrack.relation_shape, regclass, text[]) IS
  'Makes the pieces that have to do with the columns.';

-- A cast to a domain makes a check of null, too; of a row that is null every column is null without one.
CREATE OR REPLACE FUNCTION pgtrack._row_values(p_relation integer, p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_row_values$
DECLARE
  -- By the columns' numbers. Each is asked for once, not for each pair of columns.
  v_recorded  jsonb := (
    SELECT jsonb_object_agg(pgtrack._attnum(p_table, c.column_name, c.attnum), pgtrack._recorded(c, 'h'))
    FROM pgtrack.relation_column c WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL);
BEGIN
  RETURN (
  SELECT string_agg(CASE WHEN x.old IS NULL THEN x.none
                         WHEN t.typtype = 'd' THEN format('CASE WHEN (%s) IS NULL THEN %s ELSE (%s)::%s END',
                                                          x.old, x.none, x.value, x.type)
                         ELSE format('(%s)::%s', x.value, x.type) END, ', ' ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (SELECT v_recorded ->> a.attnum::text AS old OFFSET 0) o
  CROSS JOIN LATERAL (
    SELECT o.old, format_type(a.atttypid, a.atttypmod) AS type, format('(NULL::%s).%I', pgtrack._name(p_table), a.attname) AS none,
           CASE WHEN pgtrack._foreign_kind(a.atttypid) IS NULL THEN o.old
                ELSE pgtrack._input_sql(format('(%s)::text', o.old), a.atttypid,
                                        format('%I of %s', a.attname, pgtrack._name(p_table))) END AS value) x
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped);
END
$_row_values$;
COMMENT ON FUNCTION pgtrack._row_values(integer, regclass) IS
  'The image h as the columns of a row of the table''s type; what is not recorded is null.';
