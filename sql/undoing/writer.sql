-- A revert by somebody with more rights than the tables' owner has would lend them to the owner's code: triggers, checks
-- and defaults run as whoever writes. So it writes as the owner. SET ROLE would not do, since a trigger can RESET it;
-- nothing in a function with its owner's rights can. It is made for this one revert: an owner could alter a lasting one.
-- Planning, locks and reading stay the caller's.
CREATE OR REPLACE FUNCTION pgtrack._writer(p_work pgtrack._work[]) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_writer$
DECLARE
  v_is_superuser  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user);
  v_owners        oid[];
BEGIN
  SELECT array_agg(DISTINCT c.relowner) INTO v_owners
  FROM unnest(p_work) w CROSS JOIN LATERAL pgtrack._members(w.relid) m JOIN pg_class c ON c.oid = m.relid;
  IF cardinality(v_owners) = 1 THEN
    RETURN CASE WHEN v_is_superuser OR pg_has_role(v_owners[1], 'USAGE')
                     AND pg_has_role(v_owners[1], CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END)
                     AND has_database_privilege(current_database(), 'TEMP') AND has_database_privilege(v_owners[1], current_database(), 'TEMP')
                THEN pg_get_userbyid(v_owners[1]) ELSE current_user END;
  END IF;
  IF v_is_superuser AND NOT pgtrack._is_as_myself() THEN
    RAISE EXCEPTION 'a superuser cannot undo this without lending their rights to the tables'' owners' USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('The tables and their partitions belong to %s; one statement cannot be executed as each of them, and their triggers, '
                      'checks and defaults would run as %s.', (SELECT string_agg(pg_get_userbyid(o), ', ') FROM unnest(v_owners) o), current_user),
      HINT = 'Undo it as a role that may write all of them, or, if you trust those owners, after SELECT pgtrack.undo_as_myself() in the same transaction.';
  END IF;
  RETURN current_user;
END
$_writer$;
COMMENT ON FUNCTION pgtrack._writer(pgtrack._work[]) IS
  'The role that a revert writes as: the tables'' one owner where the caller is a superuser or inherits from it, else the caller.';

-- SECURITY DEFINER: to seal.
CREATE OR REPLACE FUNCTION pgtrack._permit_as_myself() RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_permit_as_myself$
DECLARE
  v_stack  text[];
BEGIN
  v_stack := pgtrack._stack();
  IF pgtrack._caller(v_stack) IS DISTINCT FROM 'undo_as_myself' THEN
    RAISE EXCEPTION 'only pgtrack.undo_as_myself() permits this' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN set_config('pgtrack.as_myself', pgtrack._sealed('as_myself', 'on'), true);
END
$_permit_as_myself$;
COMMENT ON FUNCTION pgtrack._permit_as_myself() IS 'Does the work of undo_as_myself(), for that alone.';

-- SECURITY DEFINER: to look at a seal.
CREATE OR REPLACE FUNCTION pgtrack._is_as_myself() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(pgtrack._unsealed('as_myself', current_setting('pgtrack.as_myself', true)) = 'on', false);
END;
COMMENT ON FUNCTION pgtrack._is_as_myself() IS 'Whether undo_as_myself() was called in this transaction.';

CREATE OR REPLACE FUNCTION pgtrack.undo_as_myself() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $undo_as_myself$
DECLARE
  v_call  text;
BEGIN
  IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION 'only a superuser has this to say' USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'Everybody else undoes with their own rights anyway.';
  END IF;
  v_call := pgtrack._begin_call('{}');
  v_call := pgtrack._permit_as_myself();
END
$undo_as_myself$;
COMMENT ON FUNCTION pgtrack.undo_as_myself() IS
  'Lets a superuser, in this transaction, undo changes of tables that have several owners: their triggers, checks and defaults then run as the superuser.';

-- What the statement has put off until COMMIT would run as whoever that ends for: constraint triggers, exclusion
-- constraints with expressions. Foreign keys run as their tables' owners always.
CREATE OR REPLACE FUNCTION pgtrack._put_off() RETURNS TABLE (names text, put_off text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('%I.%I', n.nspname, c.conname), ', '), string_agg(format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.condeferred)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
  WHERE c.condeferrable AND c.contype IN ('t', 'x');
END;
COMMENT ON FUNCTION pgtrack._put_off() IS 'The constraints that run code of the application and can be put off until COMMIT, and those that are unless told otherwise.';

CREATE OR REPLACE FUNCTION pgtrack._finish_constraints() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_constraints$
DECLARE
  v_names  text := (SELECT p.names FROM pgtrack._put_off() p);
BEGIN
  IF v_names IS NOT NULL THEN
    BEGIN
      EXECUTE format('SET CONSTRAINTS %s IMMEDIATE', v_names);
    -- One of them cannot be named by this role.
    EXCEPTION WHEN insufficient_privilege THEN
      SET CONSTRAINTS ALL IMMEDIATE;
    END;
  END IF;
END
$_finish_constraints$;
COMMENT ON FUNCTION pgtrack._finish_constraints() IS 'Runs, as the present role, what has been put off until COMMIT.';
