-- The role that `pgtrack serve` connects as. It gets what the proxy, the audit and the dashboard need, and nothing more:
-- it owns nothing of pg_track's, so it can neither write history nor replace a function that others run.

CREATE OR REPLACE FUNCTION pgtrack._service_grants(p_role name) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(g.statement, p_role, (
    -- Guard rails set a tag and keep copies first; where event triggers are missing, DDL is looked for.
    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.proname) FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname IN ('tag', 'untag', '_keep', 'follow_ddl', '_follow_relation', '_follow_trigger_functions', '_lock_installation')))
  FROM (VALUES
    -- Rows and their history still take SELECT on the tracked table.
    (1, 'GRANT USAGE ON SCHEMA pgtrack, pgtrack_history TO %1$I'),
    -- The proxy signs what it says about clients.
    (2, 'GRANT SELECT ON pgtrack.proxy_key TO %1$I'),
    -- It records calls; who called, and what came of it, it knows better than the database.
    (3, 'GRANT SELECT, INSERT (at, finished_at, source, verb, arguments, statement, user_name, role_name, application, client_addr,'
        ' client_port, tls_identity, session, call_number, backend_pid, actor, outcome, sqlstate, xid),'
        ' UPDATE (finished_at, outcome, sqlstate, row_count) ON pgtrack.audit_entry TO %1$I'),
    (4, 'GRANT EXECUTE ON FUNCTION %2$s TO %1$I')
  ) AS g (position, statement)
  ORDER BY g.position;
END;
COMMENT ON FUNCTION pgtrack._service_grants(name) IS 'The statements by which the owner of pg_track lets `pgtrack serve` do its work as a role.';

CREATE OR REPLACE FUNCTION pgtrack._service_setup(p_role name) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(g.statement, p_role, current_database()) FROM (VALUES
    ('GRANT CONNECT ON DATABASE %2$I TO %1$I', NOT EXISTS (
       SELECT FROM pg_roles r WHERE r.rolname = p_role AND has_database_privilege(r.oid, current_database(), 'CONNECT'))),
    ('GRANT pgtrack_reader TO %1$I', EXISTS (
       SELECT FROM pg_roles r WHERE r.rolname = 'pgtrack_reader' AND NOT pg_has_role(p_role, r.oid, 'MEMBER'))),
    -- The dashboard's accounts, sessions and settings.
    ('CREATE SCHEMA pgtrack_dashboard AUTHORIZATION %1$I', NOT EXISTS (
       SELECT FROM pg_namespace n WHERE n.nspname = 'pgtrack_dashboard')),
    -- What an ordinary role prepared could hold anything, such as triggers that run with the rights of the service.
    ('ALTER SCHEMA pgtrack_dashboard OWNER TO %1$I', EXISTS (
       SELECT FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner WHERE n.nspname = 'pgtrack_dashboard' AND o.rolsuper))
  ) AS g (statement, is_needed)
  WHERE g.is_needed
  UNION ALL
  SELECT format('ALTER TABLE pgtrack_dashboard.%I OWNER TO %I', c.relname, p_role)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles o ON o.oid = c.relowner
  WHERE n.nspname = 'pgtrack_dashboard' AND c.relkind = 'r' AND o.rolsuper;
END;
COMMENT ON FUNCTION pgtrack._service_setup(name) IS 'The statements that let a role connect, see what was recorded, and keep what belongs to the dashboard.';

CREATE OR REPLACE FUNCTION pgtrack._service_reads(p_role name, p_read text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_service_reads$
DECLARE
  v_target  text;
  v_schema  oid;
  v_table   regclass;
BEGIN
  FOREACH v_target IN ARRAY p_read LOOP
    v_schema := pgtrack._schema(v_target);
    IF v_schema IS NULL THEN
      v_table := pgtrack._table(v_target, NULL);
      RETURN QUERY SELECT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, p_role)
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = v_table;
      RETURN NEXT format('GRANT SELECT ON %s TO %I', pgtrack._name(v_table), p_role);
    ELSE
      RETURN NEXT format('GRANT USAGE ON SCHEMA %s TO %I', v_schema::regnamespace, p_role);
      RETURN NEXT format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %I', v_schema::regnamespace, p_role);
      -- Those to come, too, of whoever has tables there.
      RETURN QUERY SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT SELECT ON TABLES TO %I',
                                 o.relowner::regrole, v_schema::regnamespace, p_role)
                   FROM (SELECT DISTINCT c.relowner FROM pg_class c WHERE c.relnamespace = v_schema AND c.relkind IN ('r', 'p')) o;
    END IF;
  END LOOP;
END
$_service_reads$;
COMMENT ON FUNCTION pgtrack._service_reads(name, text[]) IS 'The statements that let a role read tables, and so their history.';

CREATE OR REPLACE FUNCTION pgtrack._require_service(p_role name, p_undo_as name[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_service$
DECLARE
  v_owner  oid := (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_role   record;
BEGIN
  IF NOT pg_has_role(v_owner, 'USAGE') THEN
    RAISE EXCEPTION 'permission denied to grant the rights of a service' USING
      ERRCODE = 'insufficient_privilege', HINT = format('Do it as %s, who owns pg_track, or as a superuser.', v_owner::regrole);
  END IF;
  FOR v_role IN
    SELECT r.rolname, r.rolsuper FROM pg_roles r
    WHERE r.rolname = ANY (p_undo_as || p_role) AND (r.rolsuper OR pg_has_role(r.oid, v_owner, 'MEMBER'))
  LOOP
    RAISE EXCEPTION 'role "%" may already do everything with pg_track', v_role.rolname USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = CASE WHEN v_role.rolsuper THEN 'It is a superuser.' ELSE format('It may act for %s, who owns pg_track.', v_owner::regrole) END,
      HINT = 'A service is safer with a role of its own, which acts for the owners of the tables alone.';
  END LOOP;
END
$_require_service$;
COMMENT ON FUNCTION pgtrack._require_service(name, name[]) IS 'Refuses callers who may not grant a service its rights, and roles that a service must not have.';

-- SECURITY INVOKER: nobody grants here what they could not grant themselves.
CREATE OR REPLACE FUNCTION pgtrack.grant_service(role name, read text[] DEFAULT '{}', undo_as name[] DEFAULT '{}') RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $grant_service$
DECLARE
  v_statement  text;
  v_owner      name;
  -- To give something away takes the right to act for who gets it, which creating the role does not bring along.
  v_acts       text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
  v_is_lent    boolean;
BEGIN
  PERFORM pgtrack._require_service(role, undo_as);
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
    v_statement := format('CREATE ROLE %I LOGIN', role);
    EXECUTE v_statement;
    RETURN NEXT v_statement;
  END IF;
  v_is_lent := NOT pg_has_role(role, v_acts);
  IF v_is_lent THEN
    EXECUTE format('GRANT %I TO CURRENT_USER', role);
  END IF;
  FOR v_statement IN
    SELECT pgtrack._service_grants(role) UNION ALL SELECT pgtrack._service_setup(role) UNION ALL SELECT pgtrack._service_reads(role, read)
  LOOP
    EXECUTE v_statement;
    RETURN NEXT v_statement;
  END LOOP;
  FOREACH v_owner IN ARRAY undo_as LOOP
    v_statement := format('GRANT %I TO %I', v_owner, role);
    EXECUTE v_statement;
    RETURN NEXT v_statement;
  END LOOP;
  IF v_is_lent THEN
    EXECUTE format('REVOKE %I FROM CURRENT_USER', role);
  END IF;
END
$grant_service$;
COMMENT ON FUNCTION pgtrack.grant_service(name, text[], name[]) IS
  'Makes a role that pgtrack serve can connect as, without a password, or gives an existing one what it needs; returns the statements that it ran. '
  'It may read the tables and schemas of "read", and undo in tables of the roles of "undo_as", of whom it becomes a member.';

-- Proxies make and complete records of calls, and the dashboard shows all of them. A record that a function made of
-- itself is nobody's to change.
DO $service$
DECLARE
  v_statement  text;
BEGIN
  PERFORM pgtrack._set_policy('pgtrack.audit_entry', p.name, p.command, p.condition || format('(SELECT pgtrack._is_granted(''pgtrack.audit_entry'', %L))', p.granted))
  FROM (VALUES ('service_reads', 'SELECT', '', 'UPDATE'),
               ('service_records', 'INSERT', 'source = ''proxy'' AND ', 'INSERT'),
               ('service_completes', 'UPDATE', 'source = ''proxy'' AND ', 'UPDATE')) AS p (name, command, condition, granted);
  -- Of an earlier installation.
  PERFORM pgtrack._drop_policy('pgtrack.audit_entry', p.name) FROM unnest('{writers,finishers}'::name[]) AS p (name);
  -- Functions that were made anew have lost their grants, and this version may need others.
  FOR v_statement IN
    SELECT pgtrack._service_grants(r.rolname) FROM pg_roles r
    WHERE r.oid IN (SELECT g.grantee FROM pg_attribute a, aclexplode(a.attacl) g
                    WHERE a.attrelid = 'pgtrack.audit_entry'::regclass AND a.attname = 'outcome' AND g.privilege_type = 'UPDATE'
                      AND g.grantee <> g.grantor)
  LOOP
    EXECUTE v_statement;
  END LOOP;
END
$service$;
