-- An undo sets only the columns in which a row differs, as triggers for UPDATE OF a column, rights on columns, checks of
-- domains and identity columns mean it. The columns that an UPDATE sets are fixed, so rows are grouped by what triggers
-- can tell of them: in a group each row is given its own columns, and keeps its values in the others.

-- Where a trigger watches a generated column, it watches those that this is made of.
CREATE OR REPLACE FUNCTION pgtrack._watched_columns(p_table regclass, p_columns text[]) RETURNS TABLE (watcher oid, columns integer[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.oid, array_agg(c.number::integer)
  FROM pgtrack._members(p_table) m
  JOIN pg_trigger t ON t.tgrelid = m.relid AND NOT t.tgisinternal AND t.tgattr::text <> ''
  JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN unnest(p_columns) WITH ORDINALITY AS c (name, number) ON c.name = quote_ident(a.attname)
  WHERE a.attnum = ANY (t.tgattr::smallint[])
     OR EXISTS (SELECT FROM pg_attrdef d JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                WHERE d.adrelid = t.tgrelid AND d.adnum = ANY (t.tgattr::smallint[]) AND p.refobjid = d.adrelid AND p.refobjsubid = a.attnum)
  GROUP BY t.oid;
END;
COMMENT ON FUNCTION pgtrack._watched_columns(regclass, text[]) IS
  'The triggers of a table that are for UPDATE OF some columns, each with the numbers of these.';

CREATE OR REPLACE FUNCTION pgtrack._mask(p_columns integer[], p_length integer) RETURNS varbit
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT pg_catalog.string_agg(CASE WHEN i OPERATOR(pg_catalog.=) ANY (p_columns) THEN '1' ELSE '0' END, '' ORDER BY i)::varbit
  FROM pg_catalog.generate_series(1, p_length) i;
END;
COMMENT ON FUNCTION pgtrack._mask(integer[], integer) IS 'Columns as bits, the first for number 1.';

-- Rows of each set of columns, as one step for each set of triggers that this fires.
CREATE OR REPLACE FUNCTION pgtrack._merged_steps(p_steps pgtrack._step[], p_table regclass, p_columns text[]) RETURNS SETOF pgtrack._step
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH watched AS MATERIALIZED (
    SELECT w.watcher, w.columns FROM pgtrack._watched_columns(p_table, p_columns) w
  ), step AS MATERIALIZED (
    SELECT s.*, ARRAY(SELECT w.watcher FROM watched w WHERE w.columns && s.columns ORDER BY w.watcher) AS fired,
           pgtrack._mask(s.columns, cardinality(p_columns)) AS mask
    FROM unnest(p_steps) s
  ), merged AS (
    SELECT s.number, s.kind, s.fired, s.is_moved, array_agg(DISTINCT c ORDER BY c) AS columns, count(DISTINCT s.mask) > 1 AS are_several
    FROM step s CROSS JOIN LATERAL unnest(s.columns) c GROUP BY s.number, s.kind, s.fired, s.is_moved
  )
  SELECT m.number, m.kind, m.columns, r.places, r.leaves, r.handles, r.masks, m.is_moved, false, NULL::text, NULL::bigint
  FROM merged m
  CROSS JOIN LATERAL (
    SELECT array_agg(x.place) AS places, array_agg(x.leaf) FILTER (WHERE x.leaf IS NOT NULL) AS leaves, array_agg(x.handle) AS handles,
           CASE WHEN m.are_several THEN array_agg(s.mask) END AS masks
    FROM step s CROSS JOIN LATERAL unnest(s.places, s.leaves, s.handles) AS x (place, leaf, handle)
    WHERE s.number = m.number AND s.kind = m.kind AND s.fired = m.fired AND s.is_moved = m.is_moved) r;
END;
COMMENT ON FUNCTION pgtrack._merged_steps(pgtrack._step[], regclass, text[]) IS
  'Steps that update a table, as few as triggers for UPDATE OF columns allow.';

CREATE OR REPLACE FUNCTION pgtrack._one_column(p_table regclass, p_shape pgtrack.relation_shape) RETURNS boolean[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH least AS (
    SELECT u.number FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) JOIN pg_attribute a ON a.attrelid = p_table AND quote_ident(a.attname) = u.name
    WHERE a.attidentity <> 'a' AND has_table_privilege(p_table, 'UPDATE') ORDER BY a.attname = ANY (p_shape.keys), u.number LIMIT 1)
  SELECT array_agg(u.number = (SELECT l.number FROM least l) ORDER BY u.number) FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number);
END;
COMMENT ON FUNCTION pgtrack._one_column(regclass, pgtrack.relation_shape) IS 'Which of the columns is set where a row shall be updated though it differs in none.';

CREATE OR REPLACE FUNCTION pgtrack._places_sql(p_work pgtrack._work, p_shape pgtrack.relation_shape) RETURNS TABLE (is_delete boolean, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.is_delete, x.query
  FROM (VALUES
    (true, p_work.deletes,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ''{}''::boolean[] AS differs, false AS is_moved'
            ' FROM %s h JOIN %s t ON %s WHERE h.ctid = ANY ($1)', p_shape.history, p_shape.live_table, p_shape.live_is_history)),
    (true, CASE WHEN p_work.deleted_keys <> '{}' THEN '{"(0,0)"}'::tid[] END,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, NULL::tid AS handle, ''{}''::boolean[] AS differs, true AS is_moved FROM unnest($2) AS x (key)'
            ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s t ON %s', p_shape.key_record, p_shape.live_table, p_shape.live_is_key)),
    (false, p_work.updates,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ARRAY[%s] AS differs, false AS is_moved FROM %s h JOIN %s t ON %s WHERE h.ctid = ANY ($3)',
            array_to_string(p_shape.updated_differ, ', '), p_shape.history, p_shape.live_table, p_shape.live_is_history)),
    -- Of two rows that are the same but for the key, one goes and the other comes: that is recorded, too.
    (false, p_work.keyed_updates,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, CASE WHEN true = ANY (d.differs) THEN d.differs ELSE %L END AS differs,'
            ' true AS is_moved FROM unnest($4, $5) AS x (handle, key)'
            ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s h ON h.ctid = x.handle JOIN %s t ON %s CROSS JOIN LATERAL (SELECT ARRAY[%s] AS differs) d',
            pgtrack._one_column(p_work.relid, p_shape), p_shape.key_record, p_shape.history, p_shape.live_table, p_shape.live_is_key,
            array_to_string(p_shape.updated_differ, ', '))),
    -- Others have changed the rest since, and some have another key.
    (false, p_work.merges,
     (SELECT format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ARRAY[%1$s] AS differs, false AS is_moved'
                    ' FROM unnest($6, $7, $9, $10) AS x (handle, base, key, targets) JOIN %2$s h ON h.ctid = x.handle JOIN %2$s c ON c.ctid = x.base'
                    ' JOIN %3$s t ON %4$s WHERE x.key IS NULL UNION ALL'
                    ' SELECT t.ctid, t.tableoid, h.ctid, ARRAY[%1$s], true'
                    ' FROM unnest($6, $7, $9, $10) AS x (handle, base, key, targets) JOIN %2$s h ON h.ctid = x.handle JOIN %2$s c ON c.ctid = x.base'
                    ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%5$s) JOIN %3$s t ON %6$s WHERE x.key IS NOT NULL',
                    string_agg(format('coalesce(x.targets -> %L <> ''false'', %s AND %s)', (parse_ident(u.name))[1], u.differs, u.stayed), ', ' ORDER BY u.number),
                    p_shape.history, p_shape.live_table, p_shape.live_is_history, p_shape.key_record, p_shape.live_is_key)
      FROM unnest(p_shape.updated, p_shape.updated_differ, p_shape.updated_stayed) WITH ORDINALITY AS u (name, differs, stayed, number)))
  ) AS x (is_delete, handles, query)
  WHERE x.handles <> '{}' AND (x.is_delete OR p_shape.updated <> '{}');
END;
COMMENT ON FUNCTION pgtrack._places_sql(pgtrack._work, pgtrack.relation_shape) IS
  'Queries for the rows that a revert deletes or updates: where each is, its image, and in which columns it differs.';

CREATE OR REPLACE FUNCTION pgtrack._is_partitioned(p_table regclass) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT c.relkind OPERATOR(pg_catalog.=) 'p' FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) p_table;
END;
COMMENT ON FUNCTION pgtrack._is_partitioned(regclass) IS 'Whether a row''s place is one in a partition.';

CREATE OR REPLACE FUNCTION pgtrack._fixed_columns(p_table regclass, p_columns text[]) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ARRAY(SELECT c.number::integer FROM unnest(p_columns) WITH ORDINALITY AS c (name, number)
               JOIN pg_attribute a ON a.attrelid = p_table AND quote_ident(a.attname) = c.name AND a.attidentity = 'a');
END;
COMMENT ON FUNCTION pgtrack._fixed_columns(regclass, text[]) IS 'The numbers of columns that are GENERATED ALWAYS AS IDENTITY.';

-- A column that an image knows nothing of is not named, so that it has its default, or its next number.
CREATE OR REPLACE FUNCTION pgtrack._insert_steps(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_number integer) RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_insert_steps$
DECLARE
  v_steps  pgtrack._step[];
BEGIN
  IF p_work.inserts <> '{}' THEN
    EXECUTE format('SELECT array_agg(s) FROM (SELECT $2, ''insert'', array_positions(ARRAY[%s], true), NULL::tid[], NULL::oid[],'
                   ' array_agg(h.ctid), NULL::varbit[], false, false, NULL::text, NULL::bigint FROM %s h WHERE h.ctid = ANY ($1) GROUP BY 3) s',
                   (SELECT string_agg(CASE u.since WHEN 0 THEN 'true' ELSE format('h.pgtrack_statement_id > %s', u.since) END, ', '
                                      ORDER BY u.number) FROM unnest(p_shape.inserted_since) WITH ORDINALITY AS u (since, number)),
                   p_shape.history)
    INTO v_steps USING p_work.inserts, p_number;
  END IF;
  RETURN coalesce(v_steps, '{}');
END
$_insert_steps$;
COMMENT ON FUNCTION pgtrack._insert_steps(pgtrack._work, pgtrack.relation_shape, integer) IS
  'The steps that insert rows again, for each set of columns that their images know.';

CREATE OR REPLACE FUNCTION pgtrack._steps(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_number integer) RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_steps$
DECLARE
  v_leaf     text := CASE WHEN pgtrack._is_partitioned(p_work.relid) THEN 'array_agg(x.leaf)' ELSE 'NULL::oid[]' END;
  v_fixed    integer[] := pgtrack._fixed_columns(p_work.relid, p_shape.updated);
  v_query    record;
  v_steps    pgtrack._step[];
  v_updates  pgtrack._step[] := '{}';
  v_all      pgtrack._step[] := '{}';
BEGIN
  FOR v_query IN SELECT p.is_delete, string_agg(p.query, ' UNION ALL ') AS query FROM pgtrack._places_sql(p_work, p_shape) p GROUP BY p.is_delete LOOP
    -- OFFSET 0: what the planner thinks of the columns' values says nothing about how many sets there are.
    EXECUTE format('SELECT array_agg(s) FROM (SELECT $8, %L, array_positions(x.differs, true), array_agg(x.place), %s,'
                   ' CASE WHEN count(x.handle) > 0 THEN array_agg(x.handle) END, NULL::varbit[], x.is_moved, false, NULL::text, NULL::bigint'
                   ' FROM (%s OFFSET 0) x WHERE %s GROUP BY x.differs, x.is_moved) s',
                   CASE WHEN v_query.is_delete THEN 'delete' ELSE 'update' END, v_leaf, v_query.query,
                   CASE WHEN v_query.is_delete THEN 'true' ELSE 'true = ANY (x.differs)' END)
    INTO v_steps USING p_work.deletes, p_work.deleted_keys, p_work.updates, p_work.keyed_updates, p_work.updated_keys,
                       p_work.merges, p_work.merge_bases, p_number, p_work.merge_keys, p_work.merge_targets;
    IF v_query.is_delete THEN
      v_all := v_all || coalesce(v_steps, '{}');
    ELSE
      v_updates := coalesce(v_steps, '{}');
    END IF;
  END LOOP;
  -- What no UPDATE can set is a new row's.
  IF v_fixed <> '{}' THEN
    FOR n IN 1 .. cardinality(v_updates) LOOP
      IF v_updates[n].columns && v_fixed THEN
        v_updates[n].kind := 'exchange';
      END IF;
    END LOOP;
  END IF;
  IF cardinality(v_updates) > 1 THEN
    v_updates := ARRAY(SELECT m FROM pgtrack._merged_steps(v_updates, p_work.relid, p_shape.updated) m);
  END IF;
  RETURN v_all || v_updates || pgtrack._insert_steps(p_work, p_shape, p_number)
      || ARRAY(SELECT ROW(p_number, s.kind, s.columns, s.places, s.leaves, s.handles, s.masks, s.is_moved, s.is_ordered, s.images, s.row_count)::pgtrack._step
               FROM unnest(p_work.steps) s);
END
$_steps$;
COMMENT ON FUNCTION pgtrack._steps(pgtrack._work, pgtrack.relation_shape, integer) IS 'The steps of a revert that are about one table.';

-- PostgreSQL would name no column, and nothing that helps. Of a table that may not be updated at all it says so itself.
CREATE OR REPLACE FUNCTION pgtrack._refuse_missing_rights(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[], p_writer name)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_missing_rights$
DECLARE
  v_missing  text;
  v_rest     text;
BEGIN
  IF NOT has_any_column_privilege(p_writer, p_work.relid, 'UPDATE') OR has_table_privilege(p_writer, p_work.relid, 'UPDATE') THEN
    RETURN;
  END IF;
  SELECT string_agg(u.name, ', ' ORDER BY u.number) FILTER (WHERE NOT u.may), string_agg(quote_literal(u.name), ', ' ORDER BY u.number) FILTER (WHERE u.may)
  INTO v_missing, v_rest
  FROM (SELECT u.name, u.number, has_column_privilege(p_writer, p_work.relid, a.attnum, 'UPDATE') AS may
        FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number)
        JOIN pg_attribute a ON a.attrelid = p_work.relid AND a.attnum > 0 AND quote_ident(a.attname) = u.name
        WHERE EXISTS (SELECT FROM unnest(p_steps) s WHERE s.kind = 'update' AND u.number = ANY (s.columns))) u;
  IF v_missing IS NOT NULL THEN
    RAISE EXCEPTION 'permission denied for columns of %: %', p_shape.name, v_missing USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('Rows differ in them, and %s may not set them back.', p_writer),
      HINT = CASE WHEN v_rest IS NULL THEN 'Let a role undo it that may update them.'
                  ELSE format('columns => ARRAY[%s] leaves them as they are.', v_rest) END;
  END IF;
END
$_refuse_missing_rights$;
COMMENT ON FUNCTION pgtrack._refuse_missing_rights(pgtrack._work, pgtrack.relation_shape, pgtrack._step[], name) IS
  'Refuses to set back columns that the role that writes may not update, and says how to leave them.';
