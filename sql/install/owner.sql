-- Everything of pg_track belongs to pgtrack_owner, which is no superuser and cannot log in: a function of ours that runs
-- with its owner's rights has no more than that. Where the installing role may not create roles, it is the owner itself.
-- pgtrack_reader is for those who may read all query texts; pgtrack_activity owns the view that shows some of them.
DO $roles$
DECLARE
  v_me          pg_roles := (SELECT r FROM pg_roles r WHERE r.rolname = current_user);
  v_is_present  boolean := EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_name        name;
  v_role        pg_roles;
  v_givers      text;
  c_setting CONSTANT  text := CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN 'event_triggers' ELSE 'session_replication_role' END;
BEGIN
  -- Roles are the cluster's, and somebody may install into another database of it.
  IF v_me.rolsuper AND (SELECT count(*) < 3 OR bool_or(r.rolname = 'pgtrack_owner' AND NOT (r.rolbypassrls AND has_parameter_privilege(r.oid, c_setting, 'SET'))) FROM pg_roles r
                        WHERE r.rolname IN ('pgtrack_owner', 'pgtrack_reader', 'pgtrack_activity')) THEN
    LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
    -- As CREATE SCHEMA would say, had it been what waited.
    IF NOT v_is_present AND EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'pgtrack') THEN
      RAISE EXCEPTION 'somebody else has installed pg_track meanwhile' USING ERRCODE = 'unique_violation';
    END IF;
  END IF;
  FOREACH v_name IN ARRAY '{pgtrack_owner,pgtrack_reader,pgtrack_activity}'::name[] LOOP
    SELECT r.* INTO v_role FROM pg_roles r WHERE r.rolname = v_name;
    IF NOT FOUND THEN
      CONTINUE WHEN NOT (v_me.rolsuper OR v_me.rolcreaterole);
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', v_name);
      -- Somebody installs into another database of the cluster at the same time.
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
      END;
      EXECUTE format('COMMENT ON ROLE %I IS %L', v_name, CASE v_name
        WHEN 'pgtrack_owner' THEN 'Owns pg_track and the history that it records; nobody logs in as it.'
        WHEN 'pgtrack_reader' THEN 'Its members may read all query texts and messages that pg_track recorded.'
        ELSE 'Owns the views of pg_track that show parts of closed tables; it has no members.' END);
    ELSIF v_me.rolsuper
          AND (v_role.rolcanlogin OR v_role.rolsuper OR v_role.rolcreaterole OR v_role.rolcreatedb OR v_role.rolreplication
               OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = v_role.oid AND m.roleid <> 'pg_read_all_stats'::regrole)) THEN
      RAISE EXCEPTION 'the role "%" is not what pg_track makes it', v_name USING
        ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = 'It may log in, has attributes of an administrator, or is a member of another role.',
        HINT = format('Look who made it; ALTER ROLE %I NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION, and revoke its memberships.', v_name);
    END IF;
    -- Whoever made a role may give it to themselves, and replace what it owns.
    v_givers := (SELECT string_agg(DISTINCT m.member::regrole::text, ', ') FROM pg_auth_members m LEFT JOIN pg_roles g ON g.oid = m.grantor
                 WHERE m.roleid = to_regrole(v_name::text) AND (m.admin_option OR g.rolsuper IS NOT TRUE)
                   AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = m.member));
    IF v_me.rolsuper AND v_givers IS NOT NULL AND v_name <> 'pgtrack_reader' THEN
      RAISE EXCEPTION 'the role "%" is in the hands of roles that are no superusers', v_name USING
        ERRCODE = 'object_not_in_prerequisite_state',
        DETAIL = format('%s may become a member of it, or was made one by somebody else than a superuser, and could replace functions that you call.', v_givers),
        HINT = format('REVOKE %I FROM %s CASCADE, or install as such a role.', v_name, v_givers);
    ELSIF v_me.rolsuper AND v_givers IS NOT NULL THEN
      RAISE WARNING 'who may read all query texts is decided by %', v_givers USING
        DETAIL = format('They may make members of the role "%s", or were made one by somebody else than a superuser.', v_name);
    END IF;
  END LOOP;
  -- What it reads of tracked tables (rows that TRUNCATE removes, copies) must not depend on row security.
  IF v_me.rolsuper AND NOT (SELECT r.rolbypassrls FROM pg_roles r WHERE r.rolname = 'pgtrack_owner') THEN
    ALTER ROLE pgtrack_owner BYPASSRLS;
  END IF;
  -- So that no event trigger of others fires for what it does (_silence_event_triggers).
  IF v_me.rolsuper AND NOT has_parameter_privilege('pgtrack_owner', c_setting, 'SET') THEN
    EXECUTE format('GRANT SET ON PARAMETER %s TO pgtrack_owner', c_setting);
  END IF;
  -- When a session began tells whether it is the one that the proxy speaks of.
  IF v_me.rolsuper AND NOT pg_has_role('pgtrack_owner', 'pg_read_all_stats', 'USAGE') THEN
    ALTER ROLE pgtrack_owner INHERIT;
    IF pg_has_role('pgtrack_owner', 'pg_read_all_stats', 'MEMBER') THEN
      REVOKE pg_read_all_stats FROM pgtrack_owner;
    END IF;
    GRANT pg_read_all_stats TO pgtrack_owner;
  END IF;
END
$roles$;

-- The script goes on as the owner.
DO $owner$
DECLARE
  v_is_superuser  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user);
  v_present       name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_owner         name := CASE WHEN to_regrole('pgtrack_owner') IS NOT NULL THEN 'pgtrack_owner' ELSE current_user END;
  v_role          name;
BEGIN
  PERFORM set_config('pgtrack.installer', current_setting('role'), true);
  IF NOT v_is_superuser THEN
    IF v_present IS NOT NULL AND v_present <> 'pgtrack_owner' THEN
      v_owner := current_user;
    -- Since PostgreSQL 16 who made a role may give it, but does not have it.
    ELSIF v_owner <> current_user
          AND NOT pg_has_role('pgtrack_owner', CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
      IF (SELECT r.rolcreaterole FROM pg_roles r WHERE r.rolname = current_user) THEN
        BEGIN
          FOREACH v_role IN ARRAY '{pgtrack_owner,pgtrack_activity}'::name[] LOOP
            EXECUTE format('GRANT %I TO %I', v_role, current_user);
          END LOOP;
        -- Made by somebody else, who has not given it to us.
        EXCEPTION WHEN insufficient_privilege THEN
          v_owner := current_user;
        END;
      ELSE
        v_owner := current_user;
      END IF;
    END IF;
  END IF;
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS pgtrack AUTHORIZATION %I', v_owner);
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS pgtrack_history AUTHORIZATION %I', v_owner);
  -- Whoever owns the schemas can replace what is in them. So a superuser does not put functions of theirs there.
  IF v_is_superuser AND EXISTS (
       SELECT FROM pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
       WHERE n.nspname = ANY ('{pgtrack,pgtrack_history}')
         AND NOT o.rolsuper AND o.rolname <> 'pgtrack_owner') THEN
    RAISE EXCEPTION 'the schemas "pgtrack" and "pgtrack_history" belong to a role that is not a superuser' USING
      ERRCODE = 'insufficient_privilege',
      HINT = 'Install as that role, or give the schemas to a superuser first.';
  END IF;
  PERFORM set_config('pgtrack.owner', v_owner, true);
END
$owner$;

-- An installation from before there was this role is given to it. Writers lock their tables first and ours then, so the
-- same is done here; it gives way and tries again, so that no writer waits for long and none is cancelled by a deadlock.
DO $writers$
DECLARE
  v_tables  text;
BEGIN
  IF current_setting('pgtrack.owner') <> 'pgtrack_owner' OR to_regclass('pgtrack.relation') IS NULL
     OR (SELECT pg_get_userbyid(n.nspowner) = 'pgtrack_owner' FROM pg_namespace n WHERE n.nspname = 'pgtrack_history') THEN
    RETURN;
  END IF;
  EXECUTE 'SELECT string_agg(c.oid::regclass::text, '', '') FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid WHERE r.tracked_until IS NULL'
  INTO v_tables;
  FOR attempt IN 1 .. 100 LOOP
    EXIT WHEN v_tables IS NULL;
    BEGIN
      PERFORM set_config('lock_timeout', '200ms', true);
      EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v_tables);
      PERFORM set_config('lock_timeout', '0', true);
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 100 THEN
        RAISE EXCEPTION 'could not lock the tracked tables to upgrade pg_track' USING
          ERRCODE = 'lock_not_available',
          DETAIL = 'Transactions that write to them did not end.',
          HINT = 'Try again when less is written. What is installed goes on recording.';
      END IF;
      PERFORM pg_sleep(0.05 + random() * 0.1);
    END;
  END LOOP;
END
$writers$;

DO $belongings$
DECLARE
  v_object  text;
BEGIN
  IF current_setting('pgtrack.owner') <> 'pgtrack_owner' THEN
    RETURN;
  END IF;
  FOR v_object IN
    SELECT format('SCHEMA %I', n.nspname) FROM pg_namespace n
    WHERE n.nspname IN ('pgtrack', 'pgtrack_history') AND pg_get_userbyid(n.nspowner) <> 'pgtrack_owner'
    UNION ALL
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass)
    FROM pg_class c
    WHERE c.relnamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history') AND c.relkind IN ('r', 'v', 'S')
      AND pg_get_userbyid(c.relowner) NOT IN ('pgtrack_owner', 'pgtrack_activity')
      -- The sequence of an identity column goes with its table.
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('i', 'a'))
    UNION ALL
    SELECT format('TYPE %s', t.oid::regtype) FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    WHERE t.typnamespace::regnamespace::text = 'pgtrack' AND pg_get_userbyid(t.typowner) <> 'pgtrack_owner'
    UNION ALL
    SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
    WHERE p.pronamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history') AND pg_get_userbyid(p.proowner) <> 'pgtrack_owner'
  LOOP
    EXECUTE format('ALTER %s OWNER TO pgtrack_owner', v_object);
  END LOOP;
END
$belongings$;

DO $become_owner$
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.owner'), true)
  WHERE current_setting('pgtrack.owner') <> current_user;
END
$become_owner$;
