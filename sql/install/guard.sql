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
-- Schema revision 5.
-- Assembled from the parts that sql/parts lists, in that order (make -C sql); sql/README.md says what is where.

-- Nothing but PostgreSQL's own objects is found by its bare name, from the first command on: a database may have a path of its
-- owner's.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $guard$
BEGIN
  -- The owner of a database may set a role for all who come, who would then own what a superuser believes to be safe.
  IF (SELECT s.source IN ('database', 'user', 'database user') FROM pg_settings s WHERE s.name = 'role') AND current_user <> session_user THEN
    RAISE EXCEPTION 'a setting of the database makes you "%"', current_user USING
      ERRCODE = 'insufficient_privilege', HINT = 'SET ROLE, to whoever is to install, or SET ROLE NONE, and install again.';
  END IF;
  IF current_setting('server_version_num')::integer < 150000 THEN
    RAISE EXCEPTION 'pg_track needs PostgreSQL 15 or newer' USING
      ERRCODE = 'feature_not_supported',
      DETAIL = format('This is %s.', version());
  END IF;
  IF EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'pgtrack') THEN
    -- Read from the catalog tables: after waiting for a lock, to_regclass() may still remember that there was nothing.
    IF NOT EXISTS (
       SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'pgtrack' AND c.relname = 'installed_version') THEN
      RAISE EXCEPTION 'the schema "pgtrack" exists and does not belong to pg_track' USING
        ERRCODE = 'duplicate_schema',
        HINT = 'Rename or drop that schema, then install again.';
    END IF;
    -- Whoever changes what is installed queues here: only the owner can lock a table that nobody else may write.
    LOCK TABLE pgtrack.installed_version IN EXCLUSIVE MODE;
  END IF;
END
$guard$;

-- Event triggers of the application are not for this script. Ours, of an earlier installation, need not follow it either.
DO $silence$
BEGIN
  IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    IF current_setting('server_version_num')::integer >= 170000 THEN
      PERFORM set_config('event_triggers', 'off', true);
    ELSIF EXISTS (SELECT FROM pg_event_trigger e WHERE NOT starts_with(e.evtname::text, 'pgtrack_')) THEN
      PERFORM set_config('session_replication_role', 'replica', true);
    END IF;
  END IF;
END
$silence$;

-- Installing again finds most objects in place; that is no news.
SET LOCAL client_min_messages = warning;
-- As CREATE EXTENSION does it: the text is always the same, and a test compiles all of it.
SET LOCAL check_function_bodies = off;
-- What is written and compared here depends on no setting of whoever installs.
SET LOCAL quote_all_identifiers = off;
SET LOCAL row_security = on;
SET LOCAL default_table_access_method = heap;
SET LOCAL default_tablespace = '';
