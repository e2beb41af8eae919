\echo removing pg_track, with everything it recorded \\ BEGIN;
-- Takes pg_track out of a database: its triggers, its functions and the whole history. Tracked tables stay as they are.
-- If it was installed with CREATE EXTENSION, DROP EXTENSION pg_track CASCADE comes first.

SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog, pg_temp;
DROP EVENT TRIGGER IF EXISTS pgtrack_before_ddl;
DROP EVENT TRIGGER IF EXISTS pgtrack_ddl;
DROP EVENT TRIGGER IF EXISTS pgtrack_ddl_triggers;
DROP EVENT TRIGGER IF EXISTS pgtrack_ddl_triggers_made;
DROP EVENT TRIGGER IF EXISTS pgtrack_drop;
-- The triggers on tracked tables go with their functions.
DROP SCHEMA IF EXISTS pgtrack_history CASCADE;
DROP SCHEMA IF EXISTS pgtrack CASCADE;
-- What its roles may do in this database goes with it. The roles stay: other databases of the cluster may use them.
DO $rights$
DECLARE
  v_role     pg_catalog.name;
  v_setting  pg_catalog.text;
  v_settings pg_catalog.text[] := '{}';
BEGIN
  -- Rights on settings are the whole cluster's. Two databases that take them away at once would fail.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    LOCK TABLE pg_catalog.pg_parameter_acl IN SHARE ROW EXCLUSIVE MODE;
    v_settings := ARRAY(
      SELECT p.parname FROM pg_catalog.pg_parameter_acl p CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) a
      WHERE a.grantee OPERATOR(pg_catalog.=) pg_catalog.to_regrole('pgtrack_owner')::pg_catalog.oid AND a.privilege_type OPERATOR(pg_catalog.=) 'SET');
  END IF;
  FOREACH v_role IN ARRAY '{pgtrack_owner,pgtrack_activity,pgtrack_reader}'::pg_catalog.name[] LOOP
    IF pg_catalog.to_regrole(v_role::pg_catalog.text) IS NOT NULL AND pg_catalog.pg_has_role(v_role, 'USAGE') THEN
      EXECUTE pg_catalog.format('DROP OWNED BY %I', v_role);
    END IF;
  END LOOP;
  FOREACH v_setting IN ARRAY v_settings LOOP
    EXECUTE pg_catalog.format('GRANT SET ON PARAMETER %s TO pgtrack_owner', v_setting);
  END LOOP;
END
$rights$;

\echo pg_track is removed. \\ COMMIT;
