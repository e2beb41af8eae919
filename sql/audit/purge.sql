CREATE OR REPLACE FUNCTION pgtrack.purge_audit(older_than interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $purge_audit$
DECLARE
  v_until  timestamptz := clock_timestamp() - older_than;
  v_call   text;
  v_count  bigint;
BEGIN
  PERFORM pgtrack._require_owner('purge the audit of');
  IF older_than IS NULL OR older_than < interval '0' THEN
    RAISE EXCEPTION 'older_than must not be null or negative' USING
      ERRCODE = 'invalid_parameter_value', HINT = 'SELECT pgtrack.purge_audit(interval ''1 year'') keeps the last year.';
  END IF;
  v_call := pgtrack._begin_call(jsonb_build_object('older_than', older_than));
  DELETE FROM pgtrack.audit_entry e WHERE e.at < v_until;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END
$purge_audit$;
COMMENT ON FUNCTION pgtrack.purge_audit(interval) IS
  'Forgets the calls that were made longer ago than this, and returns how many; that, and by whom, is recorded.';
