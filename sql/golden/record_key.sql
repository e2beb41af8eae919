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
  PERFORM pgtrack._require_member(1, TG_RELID) WHERE NOT TG_RELID = ANY ('{OID}'::oid[]);
        INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
        VALUES (nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), 1, jsonb_build_object('id', OLD.id), jsonb_build_object('id', NEW.id), NULL);
  RETURN NULL;
END
$function$
