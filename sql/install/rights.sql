-- Who may do what. Functions act with the caller's own rights; what runs with the owner's is closed but for a few that
-- everybody may call, each of which checks for itself what it does for whom.

GRANT USAGE ON SCHEMA pgtrack, pgtrack_history TO PUBLIC;
GRANT SELECT ON pgtrack.installed_version, pgtrack.relation, pgtrack.relation_column, pgtrack.key_change, pgtrack.tag, pgtrack.epoch, pgtrack.relation_shape,
                pgtrack.kept, pgtrack.tracked_schema, pgtrack.purged_version, pgtrack.erasure, pgtrack.audit_entry, pgtrack.generated, pgtrack.trigger_word,
                pgtrack.tracked_table, pgtrack.audit TO PUBLIC;
-- Texts are read through the view.
DO $texts$
BEGIN
  REVOKE SELECT ON pgtrack.statement FROM PUBLIC;
  EXECUTE (SELECT format('GRANT SELECT (%s) ON pgtrack.statement TO PUBLIC', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
           FROM pg_attribute a
           WHERE a.attrelid = 'pgtrack.statement'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('query', 'message'));
END
$texts$;
-- An older installation let everybody add entries.
REVOKE INSERT (verb, arguments, statement, message) ON pgtrack.audit_entry FROM PUBLIC;

DO $definers$
DECLARE
  c_public CONSTANT  text[] := '{_begin_call,_command_id,_concerns_hidden,_end_call,_entry,_find_last,_has_erasures,_is_as_myself,_is_erased,_permit_as_myself,_purged_versions_of,_require_present_snapshot,_tell_by_rows}';
  c_owner CONSTANT   text[] := '{_session_context,_sealed,_unsealed,_open,_note_open,_statement_id}';
  v_function         record;
BEGIN
  FOR v_function IN
    SELECT p.oid::regprocedure AS signature, p.proname FROM pg_proc p
    WHERE p.pronamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace) AND (p.prosecdef OR p.proname = ANY (c_owner))
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function.signature);
    IF v_function.proname = ANY (c_public) THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', v_function.signature);
    END IF;
  END LOOP;
END
$definers$;
