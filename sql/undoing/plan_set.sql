-- What is to happen to each row of one table is decided first, from a few values; images are made of those rows alone
-- that somebody looks at. version stands for the live row: another has come when it is not the same.
CREATE OR REPLACE FUNCTION pgtrack._planned_rows_sql(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_columns text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_planned_rows_sql$
BEGIN
  RETURN format($$
      SELECT r.key, r.live_key, r.statement_id, r.newer_id, r.handle, r.is_live, l.version,
             CASE
               WHEN r.operation = 'I' AND NOT r.is_live OR r.operation <> 'I' AND r.is_live AND l.differs IS NOT TRUE THEN 'nothing'
               WHEN %6$L IS NOT NULL AND (r.operation = 'I' OR NOT r.is_live)
                 THEN pgtrack._refuse_columns(%7$L, r.key, CASE r.operation WHEN 'I' THEN 'delete' ELSE 'insert' END)::text
               WHEN r.operation = 'I' THEN 'delete' WHEN NOT r.is_live THEN 'insert' ELSE 'update' END AS action
      FROM (%1$s) r
      LEFT JOIN LATERAL (SELECT coalesce(%2$s, false) AS differs, concat_ws('/', t.tableoid, t.ctid, t.xmin) AS version
                         FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%3$s) JOIN %4$s t ON %5$s
                         JOIN %8$s h ON h.ctid = r.handle WHERE r.is_live OFFSET 0) l ON true$$,
    pgtrack._changed_rows_sql(p_table, p_set.condition, p_set.point), coalesce(p_shape.differs, 'false'), p_shape.key_record, p_shape.live_table,
    p_shape.live_is_key, p_columns, p_shape.name, p_shape.history);
END
$_planned_rows_sql$;
COMMENT ON FUNCTION pgtrack._planned_rows_sql(regclass, pgtrack.relation_shape, pgtrack._set, text[]) IS
  'The query for what undoing a set of statements would do to each row of a table.';

-- As the plan of a verb says it, of the rows p.
CREATE OR REPLACE FUNCTION pgtrack._planned_step_sql(p_shape pgtrack.relation_shape, p_columns text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$p.key AS row_pk, p.action, i.before,
             CASE p.action WHEN 'update' THEN i.before || pgtrack._only(i.image, %1$L) WHEN 'insert' THEN i.image END AS after,
             CASE WHEN p.newer_id IS NOT NULL THEN
               (SELECT format('changed since by %%s at %%s, transaction %%s', a.who, a.at, a.xid)
                FROM pgtrack.activity a WHERE a.relation_id = %2$s AND a.statement_id = p.newer_id) END AS conflict
      FROM p CROSS JOIN LATERAL (
        SELECT (SELECT %3$s FROM %4$s h WHERE h.ctid = p.handle) AS image,
               (SELECT %5$s FROM jsonb_to_record(coalesce(p.live_key, p.key)) AS k(%6$s) JOIN %7$s t ON %8$s
                WHERE p.is_live) AS before OFFSET 0) i$$,
    p_columns, p_shape.relation_id, p_shape.restored, p_shape.history, p_shape.live_image, p_shape.key_record, p_shape.live_table, p_shape.live_is_key);
END;
COMMENT ON FUNCTION pgtrack._planned_step_sql(pgtrack.relation_shape, text[]) IS 'The columns of a plan, of the rows p that are planned.';

CREATE OR REPLACE FUNCTION pgtrack._plan_set(p_set pgtrack._set, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_plan_set$
DECLARE
  v_table  regclass;
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    v_shape := pgtrack._shape(v_table, p_columns);
    RETURN QUERY EXECUTE format('WITH p AS (%s) SELECT %L, %s WHERE p.action <> ''nothing'' ORDER BY p.statement_id, p.key',
      pgtrack._planned_rows_sql(v_table, v_shape, p_set, p_columns), v_shape.name, pgtrack._planned_step_sql(v_shape, p_columns));
  END LOOP;
END
$_plan_set$;
COMMENT ON FUNCTION pgtrack._plan_set(pgtrack._set, text[]) IS 'What undoing a set of statements would do, row by row.';
