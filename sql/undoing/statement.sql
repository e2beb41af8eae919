CREATE OR REPLACE FUNCTION pgtrack._sum(p_parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('(SELECT count(*) FROM %s)', part), ' + '), '0::bigint')
  FROM pg_catalog.unnest(p_parts) part;
END;
COMMENT ON FUNCTION pgtrack._sum(text[]) IS 'The expression for how many rows some parts of a query have together.';

CREATE OR REPLACE FUNCTION pgtrack._undo_sql(p_work pgtrack._work[], p_columns text[], p_writer name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_undo_sql$
DECLARE
  v_work      pgtrack._work;
  v_shape     pgtrack.relation_shape;
  v_parts     text[] := '{}';
  v_deletes   text[] := '{}';
  v_updates   text[] := '{}';
  v_inserts   text[] := '{}';
  v_counts    text[] := '{}';
  v_deleted   text[];
  v_updated   text[];
  v_inserted  text[];
  v_query     text;
  n           integer := 0;
BEGIN
  -- One part for each kind of work there is, so that no trigger fires for nothing. Deletes come first and inserts
  -- last, so that a unique value is free before it is used again: each kind waits for the parts before it.
  FOREACH v_work IN ARRAY p_work LOOP
    v_shape := pgtrack._shape(v_work.relid, p_columns);
    n := n + 1;
    v_deleted := '{}';
    v_updated := '{}';
    v_inserted := '{}';
    IF v_work.deletes <> '{}' THEN
      v_deleted := v_deleted || format('deleted_%s', n);
      v_deletes := v_deletes || format(
        'deleted_%s AS (DELETE FROM %s t USING %s h WHERE h.ctid = ANY (%L::tid[]) AND %s RETURNING 1)',
        n, v_shape.live_table, v_shape.history, v_work.deletes, v_shape.live_is_history);
    END IF;
    IF v_work.deleted_keys <> '{}' THEN
      v_deleted := v_deleted || format('deleted_by_key_%s', n);
      v_deletes := v_deletes || format(
        'deleted_by_key_%s AS (DELETE FROM %s t USING unnest(%L::jsonb[]) AS x (key)'
        ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) WHERE %s RETURNING 1)',
        n, v_shape.live_table, v_work.deleted_keys, v_shape.key_record, v_shape.live_is_key);
    END IF;
    IF v_work.updates <> '{}' AND v_shape.assignments IS NOT NULL THEN
      v_updated := v_updated || format('updated_%s', n);
      v_updates := v_updates || format(
        'updated_%s AS (UPDATE %s t SET %s FROM %s h'
        ' WHERE h.ctid = ANY (%L::tid[]) AND %s AND %s AND (TABLE deleted) IS NOT NULL RETURNING 1)',
        n, v_shape.live_table, v_shape.assignments, v_shape.history, v_work.updates, v_shape.live_is_history, v_shape.differs);
    END IF;
    IF v_work.keyed_updates <> '{}' AND v_shape.assignments IS NOT NULL THEN
      v_updated := v_updated || format('updated_by_key_%s', n);
      v_updates := v_updates || format(
        'updated_by_key_%s AS (UPDATE %s t SET %s FROM unnest(%L::tid[], %L::jsonb[]) AS x (handle, key)'
        ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s h ON h.ctid = x.handle'
        ' WHERE %s AND (TABLE deleted) IS NOT NULL RETURNING 1)',
        n, v_shape.live_table, v_shape.assignments, v_work.keyed_updates, v_work.updated_keys, v_shape.key_record,
        v_shape.history, v_shape.live_is_key);
    END IF;
    IF v_work.merges <> '{}' AND v_shape.merges IS NOT NULL THEN
      v_updated := v_updated || format('merged_%s', n);
      v_updates := v_updates || format(
        'merged_%s AS (UPDATE %s t SET %s FROM unnest(%L::tid[], %L::tid[]) AS x (handle, base)'
        ' JOIN %s h ON h.ctid = x.handle JOIN %6$s c ON c.ctid = x.base'
        ' WHERE %s AND (TABLE deleted) IS NOT NULL RETURNING 1)',
        n, v_shape.live_table, v_shape.merges, v_work.merges, v_work.merge_bases, v_shape.history, v_shape.live_is_history);
    END IF;
    IF v_work.inserts <> '{}' THEN
      v_inserted := v_inserted || format('inserted_%s', n);
      v_inserts := v_inserts || format(
        'inserted_%s AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s h'
        ' WHERE h.ctid = ANY (%L::tid[]) AND (TABLE updated) IS NOT NULL RETURNING 1)',
        n, v_shape.name, v_shape.insert_columns, v_shape.insert_values, v_shape.history, v_work.inserts);
    END IF;
    v_counts := v_counts || format('SELECT %L, %s, %s, %s, %s', v_shape.name,
      pgtrack._sum(v_inserted), pgtrack._sum(v_updated), pgtrack._sum(v_deleted), pgtrack._hidden_sql(v_work, v_shape, p_writer, n));
    v_parts := v_parts || v_deleted || v_updated;
  END LOOP;
  v_query := array_to_string(
    v_deletes
    || format('deleted AS (SELECT %s)', pgtrack._sum(ARRAY(SELECT p FROM unnest(v_parts) p WHERE p LIKE 'deleted%')))
    || v_updates
    || format('updated AS (SELECT (TABLE deleted) + %s)', pgtrack._sum(ARRAY(SELECT p FROM unnest(v_parts) p WHERE p NOT LIKE 'deleted%')))
    || v_inserts, E',\n');
  RETURN format(E'WITH %s\n%s', v_query, array_to_string(v_counts, E'\nUNION ALL\n'));
END
$_undo_sql$;
COMMENT ON FUNCTION pgtrack._undo_sql(pgtrack._work[], text[], name) IS
  'The one statement that does a revert; of rows that are updated only some columns if they are named. It returns what it did to each table.';
