CREATE OR REPLACE FUNCTION pgtrack._sum(p_parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('(SELECT count(*) FROM %s)', part), ' + '), '0::bigint')
  FROM pg_catalog.unnest(p_parts) part;
END;
COMMENT ON FUNCTION pgtrack._sum(text[]) IS 'The expression for how many rows some parts of a query have together.';

-- One part for each kind of work there is, so that no trigger fires for nothing. Deletes come first and inserts last, so
-- that a unique value is free before it is used again: each kind waits for the parts before it.
CREATE OR REPLACE FUNCTION pgtrack._parts(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_number integer)
RETURNS TABLE (phase text, name text, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.phase, format('%s_%s', x.name, p_number), format('%s_%s AS (%s RETURNING 1)', x.name, p_number, x.query)
  FROM (VALUES
    ('deleted', 'deleted', p_work.deletes <> '{}',
     format('DELETE FROM %s t USING %s h WHERE h.ctid = ANY (%L::tid[]) AND %s',
            p_shape.live_table, p_shape.history, p_work.deletes, p_shape.live_is_history)),
    ('deleted', 'deleted_by_key', p_work.deleted_keys <> '{}',
     format('DELETE FROM %s t USING unnest(%L::jsonb[]) AS x (key) CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) WHERE %s',
            p_shape.live_table, p_work.deleted_keys, p_shape.key_record, p_shape.live_is_key)),
    ('updated', 'updated', p_work.updates <> '{}' AND p_shape.assignments IS NOT NULL,
     format('UPDATE %s t SET %s FROM %s h WHERE h.ctid = ANY (%L::tid[]) AND %s AND %s AND (TABLE deleted) IS NOT NULL',
            p_shape.live_table, p_shape.assignments, p_shape.history, p_work.updates, p_shape.live_is_history, p_shape.differs)),
    ('updated', 'updated_by_key', p_work.keyed_updates <> '{}' AND p_shape.assignments IS NOT NULL,
     format('UPDATE %s t SET %s FROM unnest(%L::tid[], %L::jsonb[]) AS x (handle, key)'
            ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s h ON h.ctid = x.handle'
            ' WHERE %s AND (TABLE deleted) IS NOT NULL',
            p_shape.live_table, p_shape.assignments, p_work.keyed_updates, p_work.updated_keys, p_shape.key_record, p_shape.history,
            p_shape.live_is_key)),
    ('updated', 'merged', p_work.merges <> '{}' AND p_shape.merges IS NOT NULL,
     format('UPDATE %s t SET %s FROM unnest(%L::tid[], %L::tid[]) AS x (handle, base)'
            ' JOIN %s h ON h.ctid = x.handle JOIN %5$s c ON c.ctid = x.base'
            ' WHERE %s AND (TABLE deleted) IS NOT NULL',
            p_shape.live_table, p_shape.merges, p_work.merges, p_work.merge_bases, p_shape.history, p_shape.live_is_history)),
    ('inserted', 'inserted', p_work.inserts <> '{}',
     format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s h'
            ' WHERE h.ctid = ANY (%L::tid[]) AND (TABLE updated) IS NOT NULL',
            p_shape.name, p_shape.insert_columns, p_shape.insert_values, p_shape.history, p_work.inserts))
  ) AS x (phase, name, is_there, query)
  WHERE x.is_there;
END;
COMMENT ON FUNCTION pgtrack._parts(pgtrack._work, pgtrack.relation_shape, integer) IS
  'The parts of the statement that does a revert that are about one table.';

CREATE OR REPLACE FUNCTION pgtrack._undo_sql(p_work pgtrack._work[], p_columns text[], p_writer name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_undo_sql$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_parts    record;
  v_deletes  text[] := '{}';
  v_updates  text[] := '{}';
  v_inserts  text[] := '{}';
  v_deleted  text[] := '{}';
  v_updated  text[] := '{}';
  v_counts   text[] := '{}';
BEGIN
  FOR n IN 1 .. cardinality(p_work) LOOP
    v_shape := pgtrack._shape(p_work[n].relid, p_columns);
    SELECT array_remove(array_agg(CASE p.phase WHEN 'deleted' THEN p.query END), NULL) AS deletes,
           array_remove(array_agg(CASE p.phase WHEN 'updated' THEN p.query END), NULL) AS updates,
           array_remove(array_agg(CASE p.phase WHEN 'inserted' THEN p.query END), NULL) AS inserts,
           array_remove(array_agg(CASE p.phase WHEN 'deleted' THEN p.name END), NULL) AS deleted,
           array_remove(array_agg(CASE p.phase WHEN 'updated' THEN p.name END), NULL) AS updated,
           array_remove(array_agg(CASE p.phase WHEN 'inserted' THEN p.name END), NULL) AS inserted
    INTO v_parts FROM pgtrack._parts(p_work[n], v_shape, n) p;
    v_deletes := v_deletes || v_parts.deletes;
    v_updates := v_updates || v_parts.updates;
    v_inserts := v_inserts || v_parts.inserts;
    v_deleted := v_deleted || v_parts.deleted;
    v_updated := v_updated || v_parts.updated;
    v_counts := v_counts || format('SELECT %L AS "table", %s AS inserted, %s AS updated, %s AS deleted, %s AS hidden', v_shape.name,
                                   pgtrack._sum(v_parts.inserted), pgtrack._sum(v_parts.updated), pgtrack._sum(v_parts.deleted),
                                   pgtrack._hidden_sql(p_work[n], v_shape, p_writer, n));
  END LOOP;
  RETURN format(E'WITH %s\n%s',
    array_to_string(v_deletes || format('deleted AS (SELECT %s)', pgtrack._sum(v_deleted))
                    || v_updates || format('updated AS (SELECT (TABLE deleted) + %s)', pgtrack._sum(v_updated)) || v_inserts, E',\n'),
    array_to_string(v_counts, E'\nUNION ALL\n'));
END
$_undo_sql$;
COMMENT ON FUNCTION pgtrack._undo_sql(pgtrack._work[], text[], name) IS
  'The one statement that does a revert; of rows that are updated only some columns if they are named. '
  'It returns what was done to each table.';
