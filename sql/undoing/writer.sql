-- A lasting snapshot shows who owned a table when it was taken; the triggers that fire are those of whoever owns it now. The
-- present owner has all rights with grant options, by PostgreSQL's cache, but a superuser has them on everything.
CREATE OR REPLACE FUNCTION pgtrack._require_present_owner(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_present_owner$
DECLARE
  v_owner         name := pgtrack._owner_of(p_table);
  v_is_superuser  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user);
BEGIN
  IF NOT pgtrack._snapshot_lasts() OR v_owner = current_user AND NOT v_is_superuser THEN
    RETURN;
  END IF;
  IF v_is_superuser THEN
    -- To lock its row fails where it has changed since.
    PERFORM FROM pg_class c WHERE c.oid = p_table FOR SHARE;
  ELSIF NOT has_table_privilege(v_owner, p_table, 'TRIGGER WITH GRANT OPTION') OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_owner) THEN
    RAISE EXCEPTION 'the owner of % may have changed since this transaction''s snapshot', pgtrack._name(p_table) USING
      ERRCODE = 'serialization_failure',
      DETAIL = 'Triggers, checks and defaults are code of whoever owns it now.',
      HINT = 'Try it again, in a transaction at READ COMMITTED.';
  END IF;
END
$_require_present_owner$;
COMMENT ON FUNCTION pgtrack._require_present_owner(regclass) IS
  'Refuses, in a transaction whose snapshot lasts, to go by the owner of a table where another may have it now.';

-- A revert by somebody with more rights than the tables' owner has would lend them to the owner's code: triggers, checks
-- and defaults run as whoever writes. So it writes as the owner. Planning, locks and reading stay the caller's.
CREATE OR REPLACE FUNCTION pgtrack._writer(p_work pgtrack._work[]) RETURNS name
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_writer$
DECLARE
  v_is_superuser  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user);
  -- pg_partition_tree() locks the partitions: they are to keep their owners, and what was planned for them.
  v_tables        regclass[] := ARRAY(
    SELECT w.relid FROM unnest(p_work) w UNION SELECT t.relid FROM unnest(p_work) w CROSS JOIN LATERAL pg_partition_tree(w.relid) t);
  v_owners        oid[] := ARRAY(SELECT DISTINCT c.relowner FROM pg_class c WHERE c.oid = ANY (v_tables));
BEGIN
  PERFORM pgtrack._require_present_owner(t) FROM unnest(v_tables) t;
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
