CREATE OR REPLACE FUNCTION pgtrack._is_changed_since(p_relation integer, p_snapshot pg_snapshot) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_is_changed_since$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.statement s
                 WHERE s.xid >= pg_snapshot_xmin(p_snapshot) AND s.relation_id = p_relation AND NOT pg_visible_in_snapshot(s.xid, p_snapshot)
                   AND s.xid IS DISTINCT FROM pg_current_xact_id_if_assigned());
END
$_is_changed_since$;
COMMENT ON FUNCTION pgtrack._is_changed_since(integer, pg_snapshot) IS
  'Whether others have committed changes of a table that a snapshot does not show.';

-- Kinds are those of steps, and nothing and skip. Where all rows are to come back, they need no list.
CREATE OR REPLACE FUNCTION pgtrack._bulk_sql(p_shape pgtrack.relation_shape, p_whole pgtrack.relation_shape, p_bulk pgtrack._bulk,
                                             p_on_conflict text, p_lock text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
      WITH d AS MATERIALIZED (
        SELECT r.handle, r.newer_id, r.is_live, r.differs,
               CASE WHEN r.newer_id IS NOT NULL AND %2$L <> 'force' THEN 'skip'
                    WHEN r.is_unborn THEN CASE WHEN r.is_live THEN 'delete' ELSE 'nothing' END
                    WHEN NOT r.is_live THEN 'insert'
                    WHEN true = ANY (r.differs) THEN 'update' ELSE 'nothing' END AS kind
        FROM (%1$s) r
      ), g AS MATERIALIZED (
        SELECT d.kind, d.is_live, d.differs, count(*) AS row_count, count(d.newer_id) AS conflicts FROM d GROUP BY d.kind, d.is_live, d.differs
      )
      SELECT ARRAY(SELECT ROW(NULL, g.kind, array_positions(g.differs, true), NULL, NULL, NULL, NULL, false, false, NULL, g.row_count)::pgtrack._step
                   FROM g) AS groups,
             (SELECT sum(g.conflicts) FROM g) AS conflicts,
             %6$L OR (SELECT sum(g.row_count) FROM g) = (SELECT count(*) FROM %3$s c WHERE %4$s) AS is_once,
             CASE WHEN x.has_inserts AND (%5$L OR x.has_others)
                  THEN ARRAY(SELECT d.handle FROM d WHERE d.kind = 'insert') END AS inserts,
             CASE WHEN x.has_exceptions THEN ARRAY(SELECT d.handle FROM d WHERE d.kind = 'skip' OR NOT d.is_live) END AS others
      FROM (SELECT bool_or(g.kind = 'insert') AS has_inserts, bool_or(g.is_live OR g.kind = 'skip') AS has_others,
                   bool_or(g.kind IN ('update', 'delete')) AND bool_or(g.kind = 'skip' OR NOT g.is_live) AS has_exceptions FROM g) x$$,
    pgtrack._bulk_rows_sql(p_shape, p_whole, p_bulk, format('ARRAY[%s] AS differs, NULL AS version', array_to_string(p_shape.updated_differ, ', ')),
                           p_lock),
    p_on_conflict, p_shape.history, pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids),
    coalesce(0 < ANY (p_shape.inserted_since), false), p_bulk.is_once);
END;
COMMENT ON FUNCTION pgtrack._bulk_sql(pgtrack.relation_shape, pgtrack.relation_shape, pgtrack._bulk, text, text) IS
  'The query for what undoing some statements does to the rows of a table, in numbers; it lists only those that are treated otherwise than the rest.';

CREATE OR REPLACE FUNCTION pgtrack._found_images_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_kind text,
                                                     p_is_once boolean, p_others tid[])
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(CASE WHEN p_is_once THEN 'SELECT h.* FROM %1$s h WHERE %2$s'
                     ELSE 'SELECT h.* FROM (%3$s) m CROSS JOIN LATERAL'
                          ' (SELECT h.* FROM %1$s h WHERE h.ctid OPERATOR(pg_catalog.=) m.handle OFFSET 0) h WHERE %2$s' END,
                p_shape.history,
                concat_ws(' AND ', pgtrack._is_one_of('h.pgtrack_statement_id', CASE p_kind WHEN 'delete' THEN p_bulk.insert_ids ELSE p_bulk.other_ids END),
                          CASE WHEN p_others <> '{}' THEN format('%s OPERATOR(pg_catalog.<>) ALL (%L::pg_catalog.tid[])',
                                                                 CASE WHEN p_is_once THEN 'h.ctid' ELSE 'm.handle' END, p_others) END),
                pgtrack._first_of_sql(p_shape, p_bulk));
END;
COMMENT ON FUNCTION pgtrack._found_images_sql(pgtrack.relation_shape, pgtrack._bulk, text, boolean, tid[]) IS
  'The query for the images of rows that a revert deletes, updates or inserts, but for some others.';

-- One UPDATE has to do: no trigger tells the columns of one row from those of another, no constraint asks for an order.
CREATE OR REPLACE FUNCTION pgtrack._update_is_one(p_table regclass, p_shape pgtrack.relation_shape, p_groups pgtrack._step[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH updated AS MATERIALIZED (SELECT g.columns FROM unnest(p_groups) g WHERE g.kind = 'update'),
       changed AS MATERIALIZED (SELECT ARRAY(SELECT DISTINCT p_shape.updated[c] FROM updated u CROSS JOIN LATERAL unnest(u.columns) c) AS names)
  SELECT NOT EXISTS (SELECT FROM updated u WHERE u.columns && pgtrack._fixed_columns(p_table, p_shape.updated))
     AND (SELECT count(DISTINCT ARRAY(SELECT w.watcher FROM pgtrack._watched_columns(p_table, p_shape.updated) w
                                      WHERE w.columns && u.columns ORDER BY w.watcher)) < 2 FROM updated u)
     AND NOT EXISTS (SELECT FROM changed c CROSS JOIN LATERAL pgtrack._checked_indexes(p_table, c.names) WHERE c.names <> '{}');
END;
COMMENT ON FUNCTION pgtrack._update_is_one(regclass, pgtrack.relation_shape, pgtrack._step[]) IS
  'Whether one UPDATE, in any order, can set back the rows of a revert, by the columns in which they differ.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_steps(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_groups pgtrack._step[], p_is_once boolean,
                                               p_others tid[], p_lists_inserts boolean)
RETURNS pgtrack._step[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(ROW(NULL, s.kind,
                                CASE WHEN s.kind = 'insert' THEN ARRAY(SELECT generate_subscripts(p_shape.inserted, 1)) ELSE s.columns END,
                                NULL, NULL, NULL, CASE WHEN s.are_several THEN '{}'::varbit[] END, false, false,
                                pgtrack._found_images_sql(p_shape, p_bulk, s.kind, p_is_once, p_others), s.row_count)::pgtrack._step), '{}')
  FROM (SELECT g.kind, count(DISTINCT g.columns) > 1 AS are_several,
               ARRAY(SELECT DISTINCT c FROM unnest(p_groups) x CROSS JOIN LATERAL unnest(x.columns) c WHERE x.kind = 'update' ORDER BY c) AS columns,
               sum(g.row_count)::bigint AS row_count
        FROM unnest(p_groups) g WHERE g.kind IN ('delete', 'update') OR g.kind = 'insert' AND NOT p_lists_inserts GROUP BY g.kind) s;
END;
COMMENT ON FUNCTION pgtrack._bulk_steps(pgtrack.relation_shape, pgtrack._bulk, pgtrack._step[], boolean, tid[], boolean) IS
  'The steps for rows that need not be listed: one of each kind.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_work(p_table regclass, p_set pgtrack._set, p_shape pgtrack.relation_shape, p_on_conflict text,
                                              p_columns text[], OUT work pgtrack._work, OUT skipped bigint, OUT is_locked boolean)
-- To compile takes longer than most sets, and no row is looked for twice.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_memoize = off AS $_bulk_work$
DECLARE
  v_bulk   pgtrack._bulk;
  v_rows   record;
BEGIN
  is_locked := false;
  -- What a foreign key does to rows of the set is asked of lists. And where policies show more rows than they let be locked,
  -- those would be taken for gone.
  IF row_security_active(p_table) OR EXISTS (
       SELECT FROM unnest(p_set.tables) t CROSS JOIN LATERAL pgtrack._foreign_keys_to(t) c
       WHERE pgtrack._table_with(c.conrelid, ARRAY[p_table]) IS NOT NULL
             AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('n', 'd'))) THEN
    RETURN;
  END IF;
  IF p_set.point IS NOT NULL THEN
    PERFORM pgtrack._lock_rows(p_set, p_shape, false, NULL);
    is_locked := true;
  END IF;
  FOR attempt IN 1 .. 2 LOOP
    v_bulk := pgtrack._bulk_set(p_table, p_shape, p_set, p_on_conflict);
    IF v_bulk.ids IS NULL THEN
      RETURN;
    END IF;
    EXECUTE pgtrack._bulk_sql(p_shape, CASE WHEN v_bulk.has_later AND p_columns IS NOT NULL THEN pgtrack._shape(p_table) ELSE p_shape END,
                              v_bulk, p_on_conflict, CASE WHEN p_set.point IS NULL THEN 'FOR UPDATE' ELSE 'OFFSET 0' END) INTO v_rows;
    is_locked := true;
    -- Who waited for a lock has looked too early. Nobody changes the rows any more, so the second look is right.
    EXIT WHEN NOT pgtrack._is_changed_since(p_shape.relation_id, v_bulk.snapshot);
    p_set.condition := pgtrack._is_one_of('s.statement_id', v_bulk.ids);
    p_shape := pgtrack._shape(p_table, p_columns);
  END LOOP;
  IF v_rows.conflicts > 0 AND p_on_conflict = 'error'
     OR p_columns IS NOT NULL AND EXISTS (SELECT FROM unnest(v_rows.groups) g WHERE g.kind IN ('delete', 'insert'))
     OR NOT pgtrack._update_is_one(p_table, p_shape, v_rows.groups) THEN
    RETURN;
  END IF;
  work.relid := p_table;
  work.inserts := v_rows.inserts;
  work.steps := pgtrack._bulk_steps(p_shape, v_bulk, v_rows.groups, v_rows.is_once, v_rows.others, v_rows.inserts IS NOT NULL);
  skipped := (SELECT coalesce(sum(g.row_count), 0) FROM unnest(v_rows.groups) g WHERE g.kind = 'skip');
END
$_bulk_work$;
COMMENT ON FUNCTION pgtrack._bulk_work(regclass, pgtrack._set, pgtrack.relation_shape, text, text[]) IS
  'What undoing a set of changes does to a table, without a list of its rows, which are locked; null where they have to be listed.';
