CREATE OR REPLACE FUNCTION pgtrack._report_differences(p_work pgtrack._work[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_report_differences$
DECLARE
  v_work     pgtrack._work;
  v_shape    record;
  v_images   text;
  v_columns  text;
  v_rows     bigint;
BEGIN
  FOREACH v_work IN ARRAY p_work LOOP
    CONTINUE WHEN NOT EXISTS (
      SELECT FROM pgtrack._members(v_work.relid) m JOIN pg_trigger t ON t.tgrelid = m.relid JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE NOT t.tgisinternal AND p.pronamespace <> 'pgtrack_history'::regnamespace);
    SELECT * INTO v_shape FROM pgtrack._shape(v_work.relid);
    SELECT string_agg(x.images, ' UNION ALL ') INTO v_images
    FROM (SELECT format('SELECT h.* FROM %s h WHERE h.ctid = ANY ($1)', v_shape.history) AS images
          UNION ALL SELECT s.images FROM unnest(v_work.steps) s WHERE s.kind <> 'delete') x;
    -- Most rows are as they should be, and need no list of names.
    EXECUTE format('SELECT string_agg(DISTINCT quote_ident(x.name), '', ''), count(DISTINCT x.place)'
                   ' FROM (SELECT ROW(t.tableoid, t.ctid) AS place, pgtrack_differing.name FROM (%1$s) h JOIN %2$s t ON %3$s AND %4$s <> ''{}'''
                   ' CROSS JOIN LATERAL unnest(%4$s) AS pgtrack_differing (name)) x WHERE $2 IS NULL OR x.name = ANY ($2)',
                   v_images, v_shape.live_table, v_shape.live_is_history, v_shape.differing)
    INTO v_columns, v_rows
    USING coalesce(v_work.inserts, '{}') || coalesce(v_work.updates, '{}') || coalesce(v_work.keyed_updates, '{}'), p_columns;
    IF v_rows > 0 THEN
      RAISE NOTICE 'the triggers of % changed columns of % rows that were reverted: %', v_shape.name, v_rows, v_columns;
    END IF;
  END LOOP;
END
$_report_differences$;
COMMENT ON FUNCTION pgtrack._report_differences(pgtrack._work[], text[]) IS
  'Tells which columns are not what a revert has set them to, because triggers of the application changed them.';
