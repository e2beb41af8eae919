-- What is to happen to each row of one table is decided first, from a few values; images are made of those rows alone
-- that somebody looks at. version stands for the live row and what it shall become: another has come when it is not the
-- same. What others have changed since and on_conflict leaves as it is, is_left.
CREATE OR REPLACE FUNCTION pgtrack._planned_rows_sql(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_columns text[],
                                                     p_on_conflict text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_planned_rows_sql$
DECLARE
  c_version CONSTANT  text := 'hash_record_extended(ROW(%s.handle, t.tableoid, t.ctid, t.xmin), 0) AS version';
  v_bulk              pgtrack._bulk := pgtrack._bulk_set(p_table, p_shape, p_set, p_on_conflict);
  v_rows              text;
BEGIN
  IF v_bulk.ids IS NOT NULL THEN
    v_rows := format(
      'SELECT r.*, CASE WHEN r.is_unborn THEN ''I'' ELSE ''U'' END AS operation, NULL::jsonb AS live_key, NULL::jsonb AS canonical_key,'
      ' NULL::jsonb AS newer_key, NULL::jsonb AS targets, NULL::jsonb AS contested FROM (%s) r',
      pgtrack._bulk_rows_sql(p_shape, CASE WHEN p_columns IS NULL THEN p_shape ELSE pgtrack._shape(p_table) END, v_bulk,
                             format('%s AS differs, %s', coalesce(p_shape.differs, 'false'), format(c_version, 'm')), 'OFFSET 0'));
  ELSE
    v_rows := format(
      'WITH r AS MATERIALIZED (%s) SELECT r.*, (%s) AS contested, r.key AS sort_key, l.differs, l.version FROM r'
      ' LEFT JOIN LATERAL (SELECT %s AS differs, %s FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%s) JOIN %s t ON %s'
      ' JOIN %s h ON h.ctid = r.handle WHERE r.is_live OFFSET 0) l ON true',
      pgtrack._changed_rows_sql(p_table, p_set, p_on_conflict = 'delta', p_columns),
      pgtrack._contested_sql(p_shape, p_on_conflict, pgtrack._keys_changed_since(p_table, p_set.condition)), coalesce(p_shape.differs, 'false'), format(c_version, 'r'),
      p_shape.key_record, p_shape.live_table, p_shape.live_is_key, p_shape.history);
  END IF;
  RETURN format($$
      SELECT r.*, CASE WHEN r.contested IS NOT NULL THEN pgtrack._refuse_contested(%3$L, r.contested)::text
                       WHEN r.is_left THEN 'nothing'
                       WHEN r.states IS NOT NULL THEN CASE WHEN r.states && '{back,difference}' THEN 'update' ELSE 'nothing' END
                       WHEN r.wanted IN ('delete', 'insert') AND %2$L IS NOT NULL THEN pgtrack._refuse_columns(%3$L, r.key, r.wanted)::text
                       ELSE r.wanted END AS action
      FROM (
        SELECT r.key, r.contested, r.sort_key, r.live_key, r.statement_id, r.newer_id, r.handle, r.is_live, r.targets, r.version, merged.states, w.wanted, (%4$s) AS unmerged,
               r.newer_id IS NOT NULL
               AND CASE %5$L WHEN 'skip' THEN true WHEN 'error' THEN w.wanted = 'nothing' WHEN 'force' THEN false
                              ELSE merged.states IS NULL OR merged.states && '{stays}' AND NOT merged.states && '{back,difference}' END AS is_left
        FROM (%1$s) r
        CROSS JOIN LATERAL (SELECT CASE
          WHEN r.operation = 'I' AND NOT r.is_live OR r.operation <> 'I' AND r.is_live AND r.differs IS NOT TRUE THEN 'nothing'
          WHEN r.operation = 'I' THEN 'delete' WHEN NOT r.is_live THEN 'insert' ELSE 'update' END AS wanted) w
        %6$s) r$$,
    v_rows, p_columns, p_shape.name, pgtrack._unmerged_sql(p_on_conflict), p_on_conflict,
    pgtrack._states_sql(p_shape, CASE WHEN v_bulk.ids IS NULL THEN p_on_conflict ELSE 'error' END));
END
$_planned_rows_sql$;
COMMENT ON FUNCTION pgtrack._planned_rows_sql(regclass, pgtrack.relation_shape, pgtrack._set, text[], text) IS
  'The query for what undoing a set of statements would do to each row of a table.';

-- As the plan of a verb says it, of the rows p.
CREATE OR REPLACE FUNCTION pgtrack._planned_step_sql(p_shape pgtrack.relation_shape, p_columns text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$p.key AS row_pk, p.action, i.before,
             CASE WHEN p.action = 'nothing' THEN i.before
                  WHEN p.states IS NOT NULL THEN i.before || pgtrack._only(i.image, pgtrack._columns_in(%9$L, p.states, 'back'))
                                                 || coalesce(pgtrack._only(p.targets, pgtrack._columns_in(%9$L, p.states, 'difference')), '{}')
                  WHEN p.action = 'update' THEN i.before || pgtrack._only(i.image, %1$L) WHEN p.action = 'insert' THEN i.image END AS after,
             CASE WHEN p.newer_id IS NOT NULL THEN
               concat_ws('; ', (SELECT format('changed since by %%s at %%s, transaction %%s', a.who, a.at, a.xid)
                                FROM pgtrack.activity a WHERE a.relation_id = %2$s AND a.statement_id = p.newer_id),
                         nullif(pgtrack._merge_text(p.unmerged, %9$L, p.states, p.action), '')) END AS conflict
      FROM p CROSS JOIN LATERAL (
        SELECT (SELECT %3$s FROM %4$s h WHERE h.ctid = p.handle) AS image,
               (SELECT %5$s FROM jsonb_to_record(coalesce(p.live_key, p.key)) AS k(%6$s) JOIN %7$s t ON %8$s
                WHERE p.is_live) AS before OFFSET 0) i$$,
    p_columns, p_shape.relation_id, p_shape.restored, p_shape.history, p_shape.live_image, p_shape.key_record, p_shape.live_table, p_shape.live_is_key,
    p_shape.updated);
END;
COMMENT ON FUNCTION pgtrack._planned_step_sql(pgtrack.relation_shape, text[]) IS 'The columns of a plan, of the rows p that are planned.';

CREATE OR REPLACE FUNCTION pgtrack._plan_set(p_set pgtrack._set, p_columns text[], p_on_conflict text)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
-- To compile its queries takes longer than most plans, and no row is looked for twice.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_plan_set$
DECLARE
  v_table  regclass;
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict), pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    v_shape := pgtrack._shape(v_table, p_columns);
    RETURN QUERY EXECUTE format('WITH p AS (%s) SELECT %L, %s WHERE p.action <> ''nothing'' OR p.is_left ORDER BY p.statement_id, p.key',
      pgtrack._planned_rows_sql(v_table, v_shape, p_set, p_columns, p_on_conflict), v_shape.name, pgtrack._planned_step_sql(v_shape, p_columns));
  END LOOP;
END
$_plan_set$;
COMMENT ON FUNCTION pgtrack._plan_set(pgtrack._set, text[], text) IS
  'What undoing a set of statements would do, row by row; of rows that others have changed since also that nothing would be done.';
