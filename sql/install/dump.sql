-- An extension's tables are dumped empty unless it says otherwise.
DO $dump$
DECLARE
  v_table  regclass;
BEGIN
  IF EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
             WHERE d.classid = 'pg_namespace'::regclass AND d.objid = 'pgtrack'::regnamespace AND e.extname = 'pg_track') THEN
    FOREACH v_table IN ARRAY '{pgtrack.relation,pgtrack.relation_relation_id_seq,pgtrack.relation_column,pgtrack.statement_id_seq,'
                             'pgtrack.statement,pgtrack.key_change,pgtrack.tag,pgtrack.epoch,pgtrack.purged_version,'
                             'pgtrack.erasure,pgtrack.audit_entry,pgtrack.audit_entry_entry_id_seq,pgtrack.tracked_schema,'
                             'pgtrack.kept,pgtrack.kept_kept_id_seq,pgtrack.generated,pgtrack.trigger_word}'::regclass[]
    LOOP
      PERFORM pg_extension_config_dump(v_table, '');
    END LOOP;
  END IF;
END
$dump$;
