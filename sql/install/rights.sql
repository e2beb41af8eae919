-- Rights: everybody may use the functions, which act with the caller's own rights; nobody but the owner may write
-- history, and it is read by those who may read the table

GRANT USAGE ON SCHEMA pgtrack, pgtrack_history TO PUBLIC;
GRANT SELECT ON pgtrack.installed_version, pgtrack.relation, pgtrack.relation_column, pgtrack.key_change, pgtrack.tag, pgtrack.epoch, pgtrack.relation_shape,
                pgtrack.kept, pgtrack.tracked_schema, pgtrack.purged_version, pgtrack.erasure, pgtrack.audit_entry,
                pgtrack.activity, pgtrack.tracked_table, pgtrack.audit TO PUBLIC;
-- Texts are read through the view.
DO $texts$
BEGIN
  REVOKE SELECT ON pgtrack.statement FROM PUBLIC;
  EXECUTE (SELECT format('GRANT SELECT (%s) ON pgtrack.statement TO PUBLIC', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
           FROM pg_attribute a
           WHERE a.attrelid = 'pgtrack.statement'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('query', 'message'));
END
$texts$;
GRANT INSERT (verb, arguments, statement, message) ON pgtrack.audit_entry TO PUBLIC;

-- What works on pg_track itself is its owner's business.
DO $revoke$
DECLARE
  v_function  regprocedure;
BEGIN
  FOR v_function IN
    SELECT p.oid FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack'::regnamespace
      AND p.proname ~ '^_(generate_|create_|sync|track_|drop_triggers|rename_history|follow|begin_epoch|statement_id|session_context)'
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END
$revoke$;
