CREATE OR REPLACE FUNCTION pgtrack_history.record_key_1()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO'
 SET "IntervalStyle" TO 'postgres'
 SET extra_float_digits TO '1'
 SET bytea_output TO 'hex'
AS $function$
<<pgtrack>>
DECLARE

BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN
      IF (SELECT s.at FROM pgtrack.statement AS s WHERE s.relation_id OPERATOR(pg_catalog.=) 1 ORDER BY s.statement_id DESC OFFSET 1 LIMIT 1)
         OPERATOR(pg_catalog.>=) pg_catalog.statement_timestamp() THEN
        PERFORM pgtrack._put_first(1, 'U');
      END IF;
    RETURN NULL;
  END IF;
  IF TG_RELID OPERATOR(pg_catalog.<>) 'OID'::pg_catalog.regclass OR pgtrack._has_drifted('OID'::pg_catalog.regclass, 'CLUSTER/OID', 'FINGERPRINT', '{"1": ["id", 23], "2": ["name", 25], "3": ["price", 1700]}'::pg_catalog.jsonb) THEN
    PERFORM pgtrack._follow(1, TG_RELID);
    EXECUTE pgtrack._key_change_sql(1, '($1)', '($2)', 'NULL') USING OLD, NEW;
  ELSE
    INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id) VALUES (nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), 1, jsonb_build_object('id', OLD.id), jsonb_build_object('id', NEW.id), NULL);
  END IF;
  RETURN NEW;
END
$function$
