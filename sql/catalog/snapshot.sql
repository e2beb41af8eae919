CREATE OR REPLACE FUNCTION pgtrack._snapshot_lasts() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
END;
COMMENT ON FUNCTION pgtrack._snapshot_lasts() IS 'Whether this transaction sees to its end what it saw at first: others may have changed tables and rows since.';

-- TRUNCATE removes what is there now, whatever the transaction sees. The table is locked, so who has changed it has
-- committed, under a number that the snapshot does not know yet. A subtransaction that writes gets the next number.
CREATE OR REPLACE FUNCTION pgtrack._require_present_snapshot(p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_require_present_snapshot$
DECLARE
  c_modulus CONSTANT  bigint := 4294967296;
  v_snapshot          pg_snapshot := pg_current_snapshot();
  v_own               bigint := pg_current_xact_id()::text::bigint;
  v_since             bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
  v_next              bigint;
BEGIN
  BEGIN
    INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key)
    VALUES (nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), 0, '{}', '{}')
    RETURNING xmin::text::bigint INTO v_next;
    RAISE EXCEPTION USING ERRCODE = 'PGT01';
  EXCEPTION WHEN SQLSTATE 'PGT01' THEN
    v_next := v_own + mod(v_next - mod(v_own, c_modulus) + c_modulus, c_modulus);
  END;
  IF v_next - v_since > 100000
     OR EXISTS (SELECT FROM pg_snapshot_xip(v_snapshot) x WHERE pg_xact_status(x) = 'committed')
     OR EXISTS (SELECT FROM generate_series(v_since, v_next - 1) x WHERE pg_xact_status(x::text::xid8) = 'committed') THEN
    RAISE EXCEPTION 'could not serialize access due to concurrent update' USING
      ERRCODE = 'serialization_failure',
      DETAIL = format('Others have committed since this transaction''s snapshot; what they changed in %s it would not see.', p_table::regclass),
      HINT = 'Try the transaction again, or do this at READ COMMITTED.';
  END IF;
END
$_require_present_snapshot$;
COMMENT ON FUNCTION pgtrack._require_present_snapshot(oid) IS
  'Refuses, where a snapshot lasts for a transaction, to read with one that is older than the latest commit. '
  'SECURITY DEFINER: it writes a row, to take it back at once.';
