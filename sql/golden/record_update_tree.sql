CREATE OR REPLACE FUNCTION pgtrack_history.record_update_2()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
AS $function$
<<pgtrack>>
DECLARE
  id    pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
  rows  pg_catalog.int8;
BEGIN
  IF NOT TG_RELID OPERATOR(pg_catalog.=) ANY ('{OID}'::pg_catalog.oid[]) OR pgtrack._has_drifted('OID'::pg_catalog.regclass, 'CLUSTER/OID', 'FINGERPRINT', '{"1": ["day", 1082], "2": ["id", 23], "3": ["what", 25]}'::pg_catalog.jsonb) THEN
    PERFORM pgtrack._follow(2, TG_RELID);
    id := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
    EXECUTE pgtrack._images_sql(2, 'update', '$1', 'r', ' FROM pgtrack_old AS r') USING pgtrack.id;
  ELSE
    INSERT INTO pgtrack_history.event_2 (pgtrack_statement_id, day, id, what) SELECT pgtrack.id, r.day, r.id, r.what FROM pgtrack_old AS r;
  END IF;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pg_catalog.pg_stat_get_xact_tuples_inserted('pgtrack_history.moves_2'::pg_catalog.regclass) OPERATOR(pg_catalog.>) 0 OR pg_catalog.current_setting('track_counts') OPERATOR(pg_catalog.=) 'off' THEN
    -- A plain UPDATE has the rows that it moves in its transition table.
    rows := pgtrack.rows OPERATOR(pg_catalog.+) pgtrack_history.record_moves_2(pgtrack.id, EXISTS (
      SELECT FROM pgtrack_old AS r CROSS JOIN pgtrack_history.first_move_2(pg_catalog.pg_trigger_depth()) AS m WHERE r.day OPERATOR(pg_catalog.=) m.image_2 AND r.id OPERATOR(pg_catalog.=) m.image_3), pg_catalog.pg_trigger_depth());
  END IF;
  IF pgtrack.rows OPERATOR(pg_catalog.>) 0 THEN
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, query)
          VALUES (
            pgtrack.id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            2, 'U', pgtrack.rows, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pgtrack._client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000), pg_catalog.current_query()::pg_catalog.varchar(4000));
  END IF;
  RETURN NEW;
END
$function$
