-- Epochs: history that was restored from a dump came from another cluster

CREATE OR REPLACE FUNCTION pgtrack._begin_epoch() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_begin_epoch$
BEGIN
  IF (SELECT c.system_identifier FROM pg_control_system() c) IS DISTINCT FROM
     (SELECT e.system_identifier FROM pgtrack.epoch e ORDER BY e.first_statement_id DESC LIMIT 1) THEN
    -- Another writer may be the first as well.
    LOCK TABLE pgtrack.epoch IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO pgtrack.epoch (first_statement_id, system_identifier)
    SELECT nextval('pgtrack.statement_id_seq'), c.system_identifier FROM pg_control_system() c
    WHERE c.system_identifier IS DISTINCT FROM (SELECT e.system_identifier FROM pgtrack.epoch e ORDER BY e.first_statement_id DESC LIMIT 1);
  END IF;
END
$_begin_epoch$;
COMMENT ON FUNCTION pgtrack._begin_epoch() IS 'Begins a new epoch if this is not the cluster of the latest one.';

CREATE OR REPLACE FUNCTION pgtrack._in_epoch(p_statement bigint, OUT first_id bigint, OUT last_id bigint, OUT is_here boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT e.first_statement_id, coalesce((SELECT pg_catalog.min(n.first_statement_id) - 1 FROM pgtrack.epoch n
                                         WHERE n.first_statement_id > e.first_statement_id), 9223372036854775807),
         e.system_identifier = (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)
  FROM pgtrack.epoch e WHERE e.first_statement_id <= p_statement ORDER BY e.first_statement_id DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack._in_epoch(bigint) IS 'The statements of the epoch that a statement belongs to, and whether that was in this cluster.';

CREATE OR REPLACE FUNCTION pgtrack._of_transaction(p_xid bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- The latest transaction of that number, should two epochs have one.
  SELECT format('s.xid = %L AND s.statement_id BETWEEN %s AND %s', p_xid, e.first_id, e.last_id)
  FROM pgtrack._in_epoch(coalesce((SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.xid = p_xid::text::xid8), 0)) e;
END;
COMMENT ON FUNCTION pgtrack._of_transaction(bigint) IS 'The condition for the statements of a transaction.';
