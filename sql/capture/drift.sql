-- Generated code knows a table's columns, and a table may change its shape where no event trigger follows. So the
-- code asks first. The question costs nothing: claiming to be IMMUTABLE, it is answered when PostgreSQL plans it, and
-- as it names the table, PostgreSQL plans it again whenever the table has changed.
CREATE OR REPLACE FUNCTION pgtrack._has_drifted(p_table regclass, p_identity text, p_shape text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_has_drifted$
BEGIN
  IF p_identity <> pgtrack._identity(p_table) THEN
    RETURN true;
  END IF;
  -- An older snapshot shows an older shape; where event triggers follow, the code itself is never older than the table.
  IF current_setting('transaction_isolation') <> 'read committed'
     AND EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl') THEN
    RETURN false;
  END IF;
  RETURN p_shape <> pgtrack._fingerprint(p_table);
END
$_has_drifted$;
COMMENT ON FUNCTION pgtrack._has_drifted(regclass, text, text) IS
  'Whether a table is not what trigger functions were generated for: altered unnoticed, or restored elsewhere from a dump.';

CREATE OR REPLACE FUNCTION pgtrack._identity(p_table regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pg_catalog.format('%s/%s', c.system_identifier, p_table::oid) FROM pg_catalog.pg_control_system() c;
END;
COMMENT ON FUNCTION pgtrack._identity(regclass) IS 'The cluster and the OID of a table; a dump that is restored has others.';

CREATE OR REPLACE FUNCTION pgtrack._follow(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_follow$
BEGIN
  PERFORM pg_advisory_xact_lock(7380416283001);
  PERFORM set_config('pgtrack.following', 'on', true);
  PERFORM pgtrack._begin_epoch();
  PERFORM pgtrack._sync(p_relation);
  PERFORM set_config('pgtrack.following', '', true);
END
$_follow$;
COMMENT ON FUNCTION pgtrack._follow(integer) IS 'Brings what was generated for a table in step with it, from inside one of its trigger functions.';
