\echo installing pg_track 1.0 \\ BEGIN;
-- pg_track: Git for PostgreSQL tables.
--
-- Works as `\i pg_track--1.0.sql` in psql and as `CREATE EXTENSION pg_track`; psql's \echo lines, which
-- CREATE EXTENSION ignores, make the former one transaction. Running it again re-creates every function.
--
-- What a statement changes is recorded in the same transaction: one row in pgtrack.statement, and the *old*
-- image of every changed row in a history table of the tracked table's own column types (an INSERT records
-- only the key). A row after change k is the old image of its change k + 1, or the live row: an undo log.
--
-- Schema revision 3.
-- Assembled from the parts that sql/parts lists, in that order (make -C sql); sql/README.md says what is where.

DO $guard$
DECLARE
  v_is_superuser  bool := (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user);
BEGIN
  IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 150000 THEN
    RAISE EXCEPTION 'pg_track needs PostgreSQL 15 or newer' USING
      ERRCODE = 'feature_not_supported',
      DETAIL = pg_catalog.format('This is %s.', pg_catalog.version());
  END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'pgtrack') THEN
    -- Read from the catalog tables: after waiting for a lock, to_regclass() may still remember that there was nothing.
    IF NOT EXISTS (
       SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
       WHERE n.nspname OPERATOR(pg_catalog.=) 'pgtrack' AND c.relname OPERATOR(pg_catalog.=) 'installed_version') THEN
      RAISE EXCEPTION 'the schema "pgtrack" exists and does not belong to pg_track' USING
        ERRCODE = 'duplicate_schema',
        HINT = 'Rename or drop that schema, then install again.';
    END IF;
    -- Whoever changes what is installed queues here: only the owner can lock a table that nobody else may write.
    LOCK TABLE pgtrack.installed_version IN EXCLUSIVE MODE;
  END IF;
  -- Whoever owns the schemas can replace what is in them. So a superuser does not put functions of theirs there.
  IF v_is_superuser AND EXISTS (
       SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) n.nspowner
       WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{pgtrack,pgtrack_history}')
         AND NOT o.rolsuper AND o.rolname OPERATOR(pg_catalog.<>) 'pgtrack_owner') THEN
    RAISE EXCEPTION 'the schemas "pgtrack" and "pgtrack_history" belong to a role that is not a superuser' USING
      ERRCODE = 'insufficient_privilege',
      HINT = 'Install as that role, or give the schemas to a superuser first.';
  END IF;
END
$guard$;

-- Event triggers of the application are not for this script. Ours, of an earlier installation, need not follow it either.
DO $silence$
BEGIN
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000 THEN
      PERFORM pg_catalog.set_config('event_triggers', 'off', true);
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_event_trigger e WHERE NOT pg_catalog.starts_with(e.evtname::pg_catalog.text, 'pgtrack_')) THEN
      PERFORM pg_catalog.set_config('session_replication_role', 'replica', true);
    END IF;
  END IF;
END
$silence$;

-- Installing again finds most objects in place; that is no news.
SET LOCAL client_min_messages = warning;
-- Nothing but PostgreSQL's own objects is found by its bare name from here on.
SET LOCAL search_path = pg_catalog, pg_temp;
