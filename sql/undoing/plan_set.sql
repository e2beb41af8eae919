CREATE OR REPLACE FUNCTION pgtrack._plan_set(p_set pgtrack._set, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_plan_set$
DECLARE
  v_table  regclass;
  v_shape  record;
BEGIN
  PERFORM pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    SELECT * INTO v_shape FROM pgtrack._shape(v_table, p_columns);
    RETURN QUERY EXECUTE format($$
      SELECT %1$L, p.key, p.action, p.before,
             CASE p.action WHEN 'update' THEN p.before || pgtrack._only(p.image, %11$L) WHEN 'insert' THEN p.image END,
             CASE WHEN %11$L IS NOT NULL AND p.action <> 'update' THEN pgtrack._refuse_columns(%1$L, p.key, p.action)::text
                  WHEN p.newer_id IS NOT NULL THEN
               (SELECT format('changed since by %%s at %%s, transaction %%s', a.who, a.at, a.xid)
                FROM pgtrack.activity a WHERE a.relation_id = %2$s AND a.statement_id = p.newer_id) END
      FROM (SELECT r.key, r.statement_id, r.newer_id,
                   CASE WHEN r.operation = 'I' THEN CASE WHEN r.is_live THEN 'delete' ELSE 'nothing' END
                        WHEN NOT r.is_live THEN 'insert'
                        WHEN (SELECT %10$s FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%6$s) JOIN %7$s t ON %8$s
                              JOIN %4$s h ON h.ctid = r.handle) THEN 'update' ELSE 'nothing' END AS action,
                   (SELECT %3$s FROM %4$s h WHERE h.ctid = r.handle) AS image,
                   (SELECT %5$s FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%6$s) JOIN %7$s t ON %8$s
                    WHERE r.is_live) AS before
            FROM (%9$s) r) p
      WHERE p.action <> 'nothing'
      ORDER BY p.statement_id, p.key$$,
      v_shape.name, v_shape.relation_id, v_shape.restored, v_shape.history, v_shape.live_image, v_shape.key_record, v_shape.live_table,
      v_shape.live_is_key, pgtrack._changed_rows_sql(v_table, p_set.condition, p_set.point), coalesce(v_shape.differs, 'false'), p_columns);
  END LOOP;
END
$_plan_set$;
COMMENT ON FUNCTION pgtrack._plan_set(pgtrack._set, text[]) IS 'What undoing a set of statements would do, row by row.';
