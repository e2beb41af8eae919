CREATE OR REPLACE FUNCTION pgtrack_history.record_truncate_1()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
<<pgtrack>>
DECLARE
  id    pg_catalog.int8;
  rows  pg_catalog.int8;
BEGIN
  IF TG_RELID OPERATOR(pg_catalog.<>) 'OID'::pg_catalog.regclass OR pgtrack._has_drifted('OID'::pg_catalog.regclass, 'CLUSTER/OID', 'FINGERPRINT', '{"1": ["id", 23], "2": ["name", 25], "3": ["price", 1700]}'::pg_catalog.jsonb) THEN
    PERFORM pgtrack._follow(1, TG_RELID);
  END IF;
  PERFORM pgtrack._prepare_to_read(TG_RELID);
  id := nextval('pgtrack.statement_id_seq');
  EXECUTE pgtrack._images_sql(1, 'truncate', '$1', 'r', format(' FROM ONLY %s AS r', TG_RELID::regclass)) USING pgtrack.id;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pgtrack.rows > 0 THEN
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, query)
          VALUES (
            pgtrack.id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            1, 'T', pgtrack.rows, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pgtrack._client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000), pg_catalog.current_query()::pg_catalog.varchar(4000));
  END IF;
  RETURN NEW;
END
$function$
