CREATE OR REPLACE FUNCTION pgtrack_history.record_update_1()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
AS $function$
<<pgtrack>>
DECLARE
  id    pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
  rows  pg_catalog.int8;
BEGIN
  IF TG_RELID OPERATOR(pg_catalog.<>) 'OID'::pg_catalog.regclass OR pgtrack._has_drifted('OID'::pg_catalog.regclass, 'CLUSTER/OID', 'FINGERPRINT', '{"1": ["id", 23], "2": ["name", 25], "3": ["price", 1700]}'::pg_catalog.jsonb) THEN
    PERFORM pgtrack._follow(1, TG_RELID);
    id := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
    EXECUTE pgtrack._images_sql(1, 'update', '$1', 'r', ' FROM pgtrack_old AS r') USING pgtrack.id;
    GET DIAGNOSTICS rows = ROW_COUNT;
    found := pgtrack.rows OPERATOR(pg_catalog.>) 0;
  ELSE
    INSERT INTO pgtrack_history.product_1 (pgtrack_statement_id, id, name, price) SELECT pgtrack.id, r.id, r.name, r.price FROM pgtrack_old AS r;
  END IF;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF found THEN
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, query)
          VALUES (
            pgtrack.id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            1, 'U', pgtrack.rows, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pgtrack._client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000), pg_catalog.current_query()::pg_catalog.varchar(4000));
  END IF;
  RETURN NEW;
END
$function$
