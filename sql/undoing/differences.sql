-- The columns of foreign keys that follow what the same revert does to other rows. One of those may have the value that a row
-- has just been given: ON UPDATE CASCADE takes that along.
CREATE OR REPLACE FUNCTION pgtrack._following_columns(p_table regclass, p_tables regclass[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(DISTINCT a.attname), '{}')
  FROM unnest(p_tables) t
  CROSS JOIN LATERAL pgtrack._foreign_keys_to(t) c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
  WHERE c.confupdtype IN ('c', 'n', 'd') AND pgtrack._table_with(c.conrelid, ARRAY[p_table]) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._following_columns(regclass, regclass[]) IS
  'The columns of a table that foreign keys change where rows of some tables that they refer to are changed.';

CREATE OR REPLACE FUNCTION pgtrack._report_differences(p_work pgtrack._work[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_report_differences$
DECLARE
  v_work       pgtrack._work;
  v_shape      record;
  v_following  name[];
  v_images     text;
  v_columns    name[];
  v_rows       bigint;
BEGIN
  FOREACH v_work IN ARRAY p_work LOOP
    v_following := pgtrack._following_columns(v_work.relid, ARRAY(SELECT w.relid FROM unnest(p_work) w));
    CONTINUE WHEN v_following = '{}' AND NOT EXISTS (
      SELECT FROM pgtrack._members(v_work.relid) m JOIN pg_trigger t ON t.tgrelid = m.relid JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE NOT t.tgisinternal AND p.pronamespace <> 'pgtrack_history'::regnamespace);
    SELECT * INTO v_shape FROM pgtrack._shape(v_work.relid);
    SELECT string_agg(x.images, ' UNION ALL ') INTO v_images
    FROM (SELECT format('SELECT h.* FROM %s h WHERE h.ctid = ANY ($1)', v_shape.history) AS images
          UNION ALL SELECT s.images FROM unnest(v_work.steps) s WHERE s.kind <> 'delete') x;
    -- Most rows are as they should be, and need no list of names.
    EXECUTE format('SELECT array_agg(DISTINCT x.name::name), count(DISTINCT x.place)'
                   ' FROM (SELECT ROW(t.tableoid, t.ctid) AS place, pgtrack_differing.name FROM (%1$s) h JOIN %2$s t ON %3$s AND %4$s <> ''{}'''
                   ' CROSS JOIN LATERAL unnest(%4$s) AS pgtrack_differing (name)) x WHERE $2 IS NULL OR x.name = ANY ($2)',
                   v_images, v_shape.live_table, v_shape.live_is_history, v_shape.differing)
    INTO v_columns, v_rows
    USING coalesce(v_work.inserts, '{}') || coalesce(v_work.updates, '{}') || coalesce(v_work.keyed_updates, '{}'), p_columns;
    IF v_columns && v_following THEN
      RAISE EXCEPTION 'foreign keys changed % rows of % that were set back', v_rows, v_shape.name USING
        ERRCODE = 'triggered_data_change_violation',
        DETAIL = format('Values that they refer to have passed from one row to another, and their ON UPDATE actions followed them. Columns: %s. Nothing has been changed.',
                        (SELECT string_agg(quote_ident(c), ', ') FROM unnest(v_columns) c)),
        HINT = 'Set these values back by UPDATEs of your own, one after another; pgtrack.changes() shows them.';
    ELSIF v_rows > 0 THEN
      RAISE NOTICE 'the triggers of % changed columns of % rows that were reverted: %', v_shape.name, v_rows,
        (SELECT string_agg(quote_ident(c), ', ') FROM unnest(v_columns) c);
    END IF;
  END LOOP;
END
$_report_differences$;
COMMENT ON FUNCTION pgtrack._report_differences(pgtrack._work[], text[]) IS
  'Tells which columns are not what a revert has set them to, because triggers of the application changed them; where foreign keys did, it is refused.';
