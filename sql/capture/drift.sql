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

CREATE OR REPLACE FUNCTION pgtrack._require_member(p_relation integer, p_table oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_member$
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._members(r.relid) m
                 WHERE r.relation_id = p_relation AND m.relid = p_table) THEN
    RAISE EXCEPTION 'this function does not record the changes of %', p_table::regclass USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'It was written for another table; only pgtrack.track() makes triggers with it.',
      HINT = format('Drop the trigger on %s that calls it.', p_table::regclass);
  END IF;
END
$_require_member$;
COMMENT ON FUNCTION pgtrack._require_member(integer, oid) IS 'Refuses to record the changes of a table under the name of another.';

CREATE OR REPLACE FUNCTION pgtrack._follow(p_relation integer, p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_follow$
BEGIN
  PERFORM pgtrack._require_member(p_relation, p_table);
  PERFORM pgtrack._lock_installation();
  PERFORM pgtrack._begin_epoch();
  PERFORM pgtrack._sync(p_relation);
END
$_follow$;
COMMENT ON FUNCTION pgtrack._follow(integer, oid) IS 'Brings what was generated for a table in step with it, from inside one of its trigger functions.';

-- Only the owner can lock a table in which nobody else may write; an advisory lock anybody could take and keep.
CREATE OR REPLACE FUNCTION pgtrack._lock_installation() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_lock_installation$
BEGIN
  LOCK TABLE pgtrack.installed_version IN SHARE UPDATE EXCLUSIVE MODE;
END
$_lock_installation$;
COMMENT ON FUNCTION pgtrack._lock_installation() IS
  'Makes those who track, follow, purge or install do so one after the other. SECURITY DEFINER: those who may call it need no right on the table.';
