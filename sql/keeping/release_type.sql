CREATE OR REPLACE FUNCTION pgtrack.release_type(type regtype) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $release_type$
DECLARE
  v_column  record;
  v_count   integer := 0;
  v_call    text;
  v_events  text;
BEGIN
  PERFORM pgtrack._require_owner('release a type from the history of');
  v_call := pgtrack._begin_call(jsonb_build_object('type', type));
  v_events := pgtrack._silence_event_triggers();
  FOR v_column IN
    SELECT h.oid::regclass AS history, a.attname, c.column_name, format('%I.%I', r.schema_name, r.table_name) AS table_name,
           r.relid IS NOT NULL AND c.attnum IS NOT NULL AS is_used
    FROM pgtrack.relation r JOIN pgtrack.relation_column c USING (relation_id)
    JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    JOIN pg_attribute a ON a.attrelid = h.oid AND a.attname = c.history_column AND NOT a.attisdropped
    WHERE a.atttypid IN (release_type.type, (SELECT t.typarray FROM pg_type t WHERE t.oid = release_type.type)) AND a.atttypid >= 16384
    ORDER BY r.relid IS NULL OR c.attnum IS NULL, 1, 2
  LOOP
    IF v_column.is_used THEN
      RAISE EXCEPTION 'the type % is in use', type USING
        ERRCODE = 'dependent_objects_still_exist',
        DETAIL = format('The column %I of %s is of it.', v_column.column_name, v_column.table_name),
        HINT = 'Drop or retype the column first; what was recorded of it stays.';
    END IF;
    PERFORM pgtrack._retype_history_column(v_column.history, v_column.attname, 'text'::regtype, 'text',
                                           format('CASE WHEN num_nulls(%1$I) = 0 THEN format(''%%s'', %1$I) END', v_column.attname));
    v_count := v_count + 1;
  END LOOP;
  PERFORM pgtrack._drop_own_names();
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN format('%s: %s columns of histories are text now', type, v_count);
END
$release_type$;
COMMENT ON FUNCTION pgtrack.release_type(regtype) IS
  'Makes text of what was recorded in columns of a type that no tracked table has any more, so that the type or its extension can be dropped.';
