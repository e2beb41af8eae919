CREATE OR REPLACE FUNCTION pgtrack._apply(p_work pgtrack._work[], p_message text, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_apply$
DECLARE
  v_message  text := current_setting('pgtrack.message', true);
  v_writer   name;
  v_query    text;
  v_hidden   bigint;
BEGIN
  PERFORM pgtrack._refuse_cascades(p_work);
  v_writer := pgtrack._writer(p_work);
  v_query := pgtrack._undo_sql(p_work, p_columns, v_writer);
  IF v_writer <> current_user THEN
    v_query := format('SELECT r.* FROM pgtrack._as_role(%L, ''{}'', %L) j CROSS JOIN LATERAL jsonb_to_record(j)'
                      ' AS r ("table" text, inserted bigint, updated bigint, deleted bigint, hidden bigint)', v_writer, v_query);
  END IF;
  -- The triggers that record this read why it is done.
  PERFORM set_config('pgtrack.message', coalesce(p_message, v_message, ''), true);
  FOR "table", inserted, updated, deleted, v_hidden IN EXECUTE v_query LOOP
    IF v_hidden > 0 THEN
      RAISE EXCEPTION 'row security hides % of the rows of % that this would change', v_hidden, "table" USING
        ERRCODE = 'insufficient_privilege',
        DETAIL = format('They were planned, but %s does not see or may not change them all. Nothing has been changed.', v_writer),
        HINT = 'Let a role do it that the policies let change all of them.';
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM set_config('pgtrack.message', coalesce(v_message, ''), true);
  PERFORM pgtrack._report_differences(p_work, p_columns);
END
$_apply$;
COMMENT ON FUNCTION pgtrack._apply(pgtrack._work[], text, text[]) IS
  'Does a revert, in one statement; of rows that are updated only some columns if they are named. Returns what it did to each table.';
