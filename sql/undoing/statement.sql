CREATE OR REPLACE FUNCTION pgtrack._sum(p_parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('(SELECT count(*) FROM %s)', part), ' + '), '0::bigint')
  FROM pg_catalog.unnest(p_parts) part;
END;
COMMENT ON FUNCTION pgtrack._sum(text[]) IS 'The expression for how many rows some parts of a query have together.';

-- The rows are locked, and stay where they are until this statement moves them. In a partitioned table the key tells
-- the partition, where a row has not got another since.
CREATE OR REPLACE FUNCTION pgtrack._step_source(p_step pgtrack._step, p_shape pgtrack.relation_shape, OUT source text, OUT is_place text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_step.images IS NOT NULL THEN format('(%s OFFSET 0) h', p_step.images)
              ELSE format('(SELECT %s FROM unnest(%s) WITH ORDINALITY AS x (%s)%s OFFSET 0) h',
                concat_ws(', ', CASE WHEN p_step.handles IS NOT NULL THEN 'h.*, h.ctid AS pgtrack_handle' END, 'x.place AS pgtrack_place',
                          CASE WHEN p_step.leaves IS NOT NULL THEN 'x.leaf AS pgtrack_leaf' END,
                          CASE WHEN p_step.masks IS NOT NULL THEN 'x.mask AS pgtrack_mask' END, 'x.number AS pgtrack_number'),
                concat_ws(', ', quote_literal(p_step.places) || '::tid[]', quote_literal(p_step.leaves) || '::oid[]',
                          quote_literal(p_step.handles) || '::tid[]', quote_literal(p_step.masks) || '::varbit[]'),
                concat_ws(', ', 'place', CASE WHEN p_step.leaves IS NOT NULL THEN 'leaf' END,
                          CASE WHEN p_step.handles IS NOT NULL THEN 'handle' END, CASE WHEN p_step.masks IS NOT NULL THEN 'mask' END, 'number'),
                CASE WHEN p_step.handles IS NOT NULL THEN format(' JOIN %s h ON h.ctid = x.handle', p_shape.history) END) END,
         CASE WHEN p_step.images IS NOT NULL THEN concat_ws(' AND ', p_shape.live_is_history, CASE p_step.kind WHEN 'update' THEN p_shape.differs END)
              ELSE concat_ws(' AND ', 't.ctid = h.pgtrack_place', CASE WHEN p_step.leaves IS NOT NULL THEN 't.tableoid = h.pgtrack_leaf' END,
                   CASE WHEN p_step.leaves IS NOT NULL AND p_step.handles IS NOT NULL AND NOT p_step.is_moved THEN p_shape.live_is_history END) END;
END;
COMMENT ON FUNCTION pgtrack._step_source(pgtrack._step, pgtrack.relation_shape) IS
  'The images h of a step, and the condition that the row t is that of one. Those that are listed are numbered, with where their rows are.';

CREATE OR REPLACE FUNCTION pgtrack._is_given_sql(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_number integer) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_step.images IS NULL THEN pg_catalog.format('get_bit(h.pgtrack_mask, %s) = 1', p_number - 1) ELSE p_shape.updated_differ[p_number] END;
END;
COMMENT ON FUNCTION pgtrack._is_given_sql(pgtrack._step, pgtrack.relation_shape, integer) IS
  'The condition that a step gives a value to a column of the row t, where it does not do so to all rows.';

-- The value that column number p_number of the row t gets from the image h.
CREATE OR REPLACE FUNCTION pgtrack._new_value(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_number integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_step.masks IS NULL THEN p_shape.updated_values[p_number]
              ELSE format('CASE WHEN %s THEN %s ELSE t.%s END', pgtrack._is_given_sql(p_step, p_shape, p_number),
                          p_shape.updated_values[p_number], p_shape.updated[p_number]) END;
END;
COMMENT ON FUNCTION pgtrack._new_value(pgtrack._step, pgtrack.relation_shape, integer) IS 'The value that a step gives to a column.';

-- What a row keeps is taken from the one that goes: the statement's snapshot shows it to the end.
CREATE OR REPLACE FUNCTION pgtrack._exchange_sql(p_step pgtrack._step, p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s JOIN %s t ON %s'
                ' WHERE (TABLE updated) IS NOT NULL',
                p_shape.name, string_agg(c.name, ', ' ORDER BY a.attnum),
                string_agg(CASE WHEN u.number = ANY (p_step.columns) THEN pgtrack._new_value(p_step, p_shape, u.number::integer)
                                ELSE format('t.%s', c.name) END, ', ' ORDER BY a.attnum),
                s.source, p_shape.live_table, s.is_place)
  FROM pgtrack._step_source(p_step, p_shape) s
  JOIN pg_attribute a ON a.attrelid = p_shape.name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  CROSS JOIN LATERAL quote_ident(a.attname) AS c (name)
  LEFT JOIN unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) ON u.name = c.name
  GROUP BY s.source, s.is_place;
END;
COMMENT ON FUNCTION pgtrack._exchange_sql(pgtrack._step, pgtrack.relation_shape) IS 'The part that inserts the rows again that a step exchanges.';

-- Deletes come first and inserts last, so that a unique value is free before it is used again: each kind waits for the
-- parts before it, and steps that have an order for each other.
CREATE OR REPLACE FUNCTION pgtrack._parts(p_steps pgtrack._step[], p_shape pgtrack.relation_shape)
RETURNS TABLE (phase text, name text, kind text, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.phase, x.name, s.kind, format('%s AS (%s RETURNING 1)', x.name, x.query)
  FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
  CROSS JOIN LATERAL (SELECT p_steps[s.step] AS step,
                             format('%s_%s', s.number, s.step) AS id) r
  CROSS JOIN LATERAL pgtrack._step_source(r.step, p_shape) f
  CROSS JOIN LATERAL (
    SELECT 'deleted', format('deleted_%s', r.id),
           format('DELETE FROM %s t USING %s WHERE %s AND (TABLE planned) IS NOT NULL', p_shape.live_table, f.source, f.is_place)
    WHERE s.kind IN ('delete', 'exchange')
    UNION ALL
    SELECT 'updated', format('updated_%s', r.id),
           format('UPDATE %s t SET %s FROM %s WHERE %s AND (%s) IS NOT NULL', p_shape.live_table,
                  (SELECT string_agg(format('%s = %s', p_shape.updated[c], pgtrack._new_value(r.step, p_shape, c)), ', ') FROM unnest(s.columns) c),
                  f.source, f.is_place,
                  CASE WHEN s.is_ordered AND p_steps[s.step - 1].is_ordered THEN format('SELECT count(*) FROM updated_%s_%s', s.number, s.step - 1)
                       ELSE 'TABLE deleted' END)
    WHERE s.kind = 'update'
    UNION ALL
    SELECT 'inserted', format('inserted_%s', r.id),
           format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s WHERE (TABLE updated) IS NOT NULL',
                  p_shape.name, (SELECT string_agg(p_shape.inserted[c], ', ') FROM unnest(s.columns) c),
                  (SELECT string_agg(p_shape.inserted_values[c], ', ') FROM unnest(s.columns) c),
                  CASE WHEN s.images IS NULL THEN format('(SELECT h.* FROM %s h WHERE h.ctid = ANY (%L::tid[])) h', p_shape.history, s.handles) ELSE f.source END)
    WHERE s.kind = 'insert'
    UNION ALL
    SELECT 'inserted', format('inserted_%s', r.id), pgtrack._exchange_sql(r.step, p_shape)
    WHERE s.kind = 'exchange'
  ) AS x (phase, name, query);
END;
COMMENT ON FUNCTION pgtrack._parts(pgtrack._step[], pgtrack.relation_shape) IS
  'The parts of the statement that does a revert that are about one table.';

CREATE OR REPLACE FUNCTION pgtrack._undo_sql(p_work pgtrack._work[], p_steps pgtrack._step[], p_columns text[], p_writer name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $_undo_sql$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_steps    pgtrack._step[];
  v_parts    record;
  v_deletes  text[] := '{}';
  v_updates  text[] := '{}';
  v_inserts  text[] := '{}';
  v_deleted  text[] := '{}';
  v_updated  text[] := '{}';
  v_counts   text[] := '{}';
BEGIN
  FOR n IN 1 .. cardinality(p_work) LOOP
    v_shape := pgtrack._with_targets(pgtrack._shape(p_work[n].relid, p_columns), p_work[n], p_columns);
    v_steps := ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.number = n);
    SELECT array_agg(p.query) FILTER (WHERE p.phase = 'deleted') AS deletes,
           array_agg(p.query) FILTER (WHERE p.phase = 'updated') AS updates,
           array_agg(p.query) FILTER (WHERE p.phase = 'inserted') AS inserts,
           array_agg(p.name) FILTER (WHERE p.phase = 'deleted') AS deleted,
           array_agg(p.name) FILTER (WHERE p.phase = 'updated') AS updated,
           array_agg(p.name) FILTER (WHERE p.kind = 'delete') AS deleted_rows,
           array_agg(p.name) FILTER (WHERE p.phase = 'updated' OR p.kind = 'exchange' AND p.phase = 'inserted') AS updated_rows,
           array_agg(p.name) FILTER (WHERE p.kind = 'insert') AS inserted_rows
    INTO v_parts FROM pgtrack._parts(v_steps, v_shape) p;
    v_deletes := v_deletes || v_parts.deletes;
    v_updates := v_updates || v_parts.updates;
    v_inserts := v_inserts || v_parts.inserts;
    v_deleted := v_deleted || v_parts.deleted;
    v_updated := v_updated || v_parts.updated;
    v_counts := v_counts || format('SELECT %L AS "table", %s AS inserted, %s AS updated, %s AS deleted, %s AS hidden', v_shape.name,
                                   pgtrack._sum(v_parts.inserted_rows), pgtrack._sum(v_parts.updated_rows), pgtrack._sum(v_parts.deleted_rows),
                                   pgtrack._hidden_sql(p_work[n], v_steps, v_shape, p_writer));
  END LOOP;
  RETURN format(E'WITH %s\n%s',
    array_to_string(pgtrack._planned_sql() || v_deletes || format('deleted AS (SELECT %s FROM planned)', pgtrack._sum(v_deleted))
                    || v_updates || format('updated AS (SELECT (TABLE deleted) + %s)', pgtrack._sum(v_updated)) || v_inserts, E',\n'),
    array_to_string(v_counts, E'\nUNION ALL\n'));
END
$_undo_sql$;
COMMENT ON FUNCTION pgtrack._undo_sql(pgtrack._work[], pgtrack._step[], text[], name) IS
  'The one statement that does a revert; of rows that are updated only some columns if they are named. '
  'It returns what was done to each table.';
