-- Rights: everybody may use the functions, which act with the caller's own rights; nobody but the owner may write
-- history, and it is read by those who may read the table

GRANT USAGE ON SCHEMA pgtrack, pgtrack_history TO PUBLIC;
GRANT SELECT ON pgtrack.installed_version, pgtrack.relation, pgtrack.relation_column, pgtrack.statement, pgtrack.key_change, pgtrack.tag, pgtrack.epoch, pgtrack.relation_shape,
                pgtrack.kept, pgtrack.tracked_schema, pgtrack.purged_version, pgtrack.erasure, pgtrack.audit_entry,
                pgtrack.activity, pgtrack.tracked_table, pgtrack.audit TO PUBLIC;
-- An older installation let everybody add entries.
REVOKE INSERT (verb, arguments, statement, message) ON pgtrack.audit_entry FROM PUBLIC;

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
