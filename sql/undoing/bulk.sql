-- Of most sets nobody has to list the rows: an index finds them under the keys that their history has, and they may be
-- taken in any order. One query locks them, looks what each needs, and counts. The statement that does the revert finds them
-- again by the same images, so a million rows take no more memory than a thousand. What is not like that goes row by
-- row (_work_sql).

CREATE OR REPLACE FUNCTION pgtrack._is_one_of(p_column text, p_ids bigint[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- IS TRUE keeps PostgreSQL from looking into an index for each number.
  SELECT CASE cardinality(p_ids) WHEN 0 THEN 'false' WHEN 1 THEN format('%s OPERATOR(pg_catalog.=) %s', p_column, p_ids[1])
              ELSE format('%1$s OPERATOR(pg_catalog.>=) %2$s AND %1$s OPERATOR(pg_catalog.<=) %3$s'
                          ' AND (%1$s OPERATOR(pg_catalog.=) ANY (%4$L::pg_catalog.int8[])) IS TRUE', p_column, min(i), max(i), p_ids) END
  FROM unnest(p_ids) i;
END;
COMMENT ON FUNCTION pgtrack._is_one_of(text, bigint[]) IS 'The condition that a number is one of these.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_statements(p_relation integer, p_which text) RETURNS pgtrack._bulk
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_bulk_statements$
DECLARE
  c_most CONSTANT  integer := 100000;
  v_bulk           pgtrack._bulk;
  v_later          record;
BEGIN
  EXECUTE format('SELECT coalesce(array_agg(s.statement_id), ''{}''),'
                 ' coalesce(array_agg(s.statement_id) FILTER (WHERE s.operation = ''I''), ''{}''),'
                 ' coalesce(array_agg(s.statement_id) FILTER (WHERE s.operation <> ''I''), ''{}''), pg_current_snapshot()'
                 ' FROM (SELECT s.statement_id, s.operation FROM pgtrack.statement s WHERE s.relation_id = %s AND (%s) LIMIT %s) s',
                 p_relation, p_which, c_most + 1)
  INTO v_bulk.ids, v_bulk.insert_ids, v_bulk.other_ids, v_bulk.snapshot;
  IF cardinality(v_bulk.ids) NOT BETWEEN 1 AND c_most THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT count(*) AS statements, sum(s.row_count) AS rows'
                 ' FROM (SELECT s.row_count FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id > (SELECT min(i) FROM unnest($1) i) AND (s.statement_id = ANY ($1)) IS NOT TRUE LIMIT %s) s',
                 p_relation, c_most)
  INTO v_later USING v_bulk.ids;
  v_bulk.has_later := v_later.statements > 0;
  v_bulk.are_later_few := v_later.statements < c_most AND v_later.rows < c_most;
  RETURN v_bulk;
END
$_bulk_statements$;
COMMENT ON FUNCTION pgtrack._bulk_statements(integer, text) IS
  'The statements that a set has in a table, and what others have done there since; null where they are too many to be listed.';

-- Values of foreign types are compared as text, which no index knows.
CREATE OR REPLACE FUNCTION pgtrack._bulk_set(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_on_conflict text)
RETURNS pgtrack._bulk
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_bulk_set$
DECLARE
  v_bulk  pgtrack._bulk;
BEGIN
  PERFORM pgtrack._refuse_former_key(p_table, p_set.condition);
  IF p_shape.updated = '{}' OR EXISTS (SELECT FROM pgtrack._key_parts(p_shape.relation_id) k WHERE k.kind IS NOT NULL)
     OR pgtrack._retaken(p_table, p_set.condition, p_set.point) IS NOT NULL OR pgtrack._keys_changed_since(p_table, p_set.condition) THEN
    RETURN NULL;
  END IF;
  v_bulk := pgtrack._bulk_statements(p_shape.relation_id, p_set.condition);
  -- One statement changes a row once, unless foreign keys, moves or keys that are checked later come in.
  v_bulk.is_once := cardinality(v_bulk.ids) = 1 AND NOT pgtrack._is_partitioned(p_table) AND NOT pgtrack._may_repeat(p_table)
    AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary AND i.indimmediate);
  -- To merge, each row is looked at by itself.
  RETURN CASE WHEN v_bulk.has_later AND p_on_conflict IN ('merge', 'delta') THEN NULL ELSE v_bulk END;
END
$_bulk_set$;
COMMENT ON FUNCTION pgtrack._bulk_set(regclass, pgtrack.relation_shape, pgtrack._set, text) IS
  'The statements that a set has in a table, if its rows need no list; else null.';

-- Where the rows that others have changed since are few, they are known before each row's history is looked at. Types of
-- extensions may have another equality than IN finds.
CREATE OR REPLACE FUNCTION pgtrack._later_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, OUT part text, OUT is_changed text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN x.is_used THEN format(', later AS MATERIALIZED (SELECT %s FROM %s c WHERE c.pgtrack_statement_id > %s AND (%s) IS NOT TRUE)',
                                         p_shape.change_keys, p_shape.history, (SELECT min(i) FROM unnest(p_bulk.ids) i),
                                         pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids)) END,
         CASE WHEN x.is_used THEN format('(%s) IN (SELECT * FROM later)', p_shape.change_keys) ELSE 'true' END
  FROM (SELECT p_bulk.are_later_few AND bool_and(k.stored < 12000) AS is_used FROM pgtrack._key_parts(p_shape.relation_id) k) x;
END;
COMMENT ON FUNCTION pgtrack._later_sql(pgtrack.relation_shape, pgtrack._bulk) IS
  'The part for the keys of the rows that others have changed since, if they are few, and the condition that the row c is one.';

CREATE OR REPLACE FUNCTION pgtrack._first_of_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_more text DEFAULT '') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('SELECT DISTINCT ON (%1$s) c.ctid AS handle, c.pgtrack_statement_id AS statement_id%2$s FROM %3$s c WHERE %4$s'
                ' ORDER BY %1$s, c.pgtrack_statement_id, c.ctid',
                p_shape.change_keys, p_more, p_shape.history, pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids));
END;
COMMENT ON FUNCTION pgtrack._first_of_sql(pgtrack.relation_shape, pgtrack._bulk, text) IS
  'The query for the first change of each row by some statements.';

-- p_live is what is asked of each row that is there, p_lock how it is locked.
CREATE OR REPLACE FUNCTION pgtrack._bulk_rows_sql(p_shape pgtrack.relation_shape, p_whole pgtrack.relation_shape, p_bulk pgtrack._bulk,
                                                  p_live text, p_lock text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- JSON sorts whole numbers as they are; to make it takes longer than to look at a row.
  -- OFFSET 0: whatever the planner thinks of their number, images are read from where they are, rows found by the index, and
  -- later changes looked for only where there are any.
  SELECT format(
    'WITH chosen AS MATERIALIZED (SELECT unnest(%1$L::bigint[]) AS statement_id)%2$s'
    ' SELECT m.handle, m.statement_id, %3$s AS key, %12$s AS sort_key, %4$s AS is_unborn, l.is_live IS TRUE AS is_live, l.differs, l.version, %5$s'
    ' FROM %6$s CROSS JOIN LATERAL (SELECT c.*) h'
    ' LEFT JOIN LATERAL (SELECT true AS is_live, %7$s, %8$s AS is_other FROM %9$s t WHERE %10$s %11$s) l ON true',
    p_bulk.ids, x.part, p_shape.key_json, pgtrack._is_one_of('m.statement_id', p_bulk.insert_ids),
    CASE WHEN p_bulk.has_later
      THEN 'base.operation AS newer_operation,'
           ' CASE WHEN base.is_anothers OR CASE base.operation WHEN ''I'' THEN l.is_live ELSE base.is_back IS FALSE END'
           ' AND CASE WHEN ' || pgtrack._is_one_of('m.statement_id', p_bulk.insert_ids) || ' THEN l.is_live ELSE coalesce(l.is_other, true) END'
           ' THEN base.statement_id END AS newer_id'
      ELSE 'NULL::"char" AS newer_operation, NULL::bigint AS newer_id' END,
    CASE WHEN p_bulk.is_once
      THEN format('%1$s c CROSS JOIN LATERAL (SELECT c.ctid AS handle, c.pgtrack_statement_id AS statement_id%2$s) m', p_shape.history,
                  CASE WHEN p_bulk.has_later THEN format(', %s AS is_changed OFFSET 0', x.is_changed) END)
      ELSE format('(%1$s) m CROSS JOIN LATERAL (SELECT c.* FROM %2$s c WHERE c.ctid = m.handle OFFSET 0) c',
                  pgtrack._first_of_sql(p_shape, p_bulk, CASE WHEN p_bulk.has_later THEN format(', %s AS is_changed', x.is_changed) ELSE '' END),
                  p_shape.history) END,
    p_live,
    CASE WHEN p_bulk.has_later THEN coalesce(p_whole.differs, 'false') ELSE 'NULL::boolean' END, p_shape.live_table, p_shape.live_is_history, p_lock,
    (SELECT CASE WHEN count(*) = 1 AND min(k.stored) IN (20, 21, 23) THEN p_shape.change_keys ELSE p_shape.key_json END
     FROM pgtrack._key_parts(p_shape.relation_id) k))
    || CASE WHEN p_bulk.has_later THEN format(
         ' LEFT JOIN LATERAL (SELECT b.*, (SELECT n.operation FROM pgtrack.statement n'
         ' WHERE n.relation_id = %s AND n.statement_id = b.statement_id) AS operation'
         ' FROM (%s) b WHERE m.is_changed OFFSET 0) base ON true', p_shape.relation_id, pgtrack._newer_sql(p_whole, false)) ELSE '' END
    || CASE WHEN p_bulk.is_once THEN ' WHERE ' || pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids) ELSE '' END
  FROM pgtrack._later_sql(p_shape, p_bulk) x;
END;
COMMENT ON FUNCTION pgtrack._bulk_rows_sql(pgtrack.relation_shape, pgtrack.relation_shape, pgtrack._bulk, text, text) IS
  'The query for the rows of a table that some statements changed: the image from before, and the latest change by others that is in the way.';
