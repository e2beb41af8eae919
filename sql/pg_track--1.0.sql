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

-- ==== install/owner.sql ====

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

-- ==== install/schemas.sql ====

COMMENT ON SCHEMA pgtrack IS
  'pg_track: functions to read and revert the history of tracked tables. Start with SELECT * FROM pgtrack.help().';

COMMENT ON SCHEMA pgtrack_history IS
  'pg_track: one history table, and the functions that fill it, for each tracked table.';

-- Internal functions of an earlier installation go, as their signatures may have changed; those that policies, triggers and
-- views stand on stay. Nothing of ours depends on the others: the verbs name them in text that is read when they run.
-- One on which something of somebody else's stands is left to that under another name, without rights of its own.
-- A verb from before it took columns, or a plan from before it took on_conflict, goes, too: a call could mean either.
DO $replace$
DECLARE
  v_function  regprocedure;
  v_name      name;
  v_left      name;
  v_others    text;
BEGIN
  FOR v_function, v_name IN
    SELECT p.oid, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pgtrack'
      AND (p.proname LIKE $r$\_%$r$
           OR p.proname ~ '^(plan_)?(undo|revert|rollback_to)(_pk|_transactions?|_statements|_where)?$' AND NOT 'columns' = ANY (p.proargnames)
           OR p.proname ~ '^plan_((undo|revert|rollback_to|restore)(_pk)?|undo_(transactions?|statements|where|last)|outline|batches)$'
              AND NOT 'on_conflict' = ANY (coalesce(p.proargnames, '{}')))
      AND p.proname NOT IN ('_may_read', '_sees_every_row', '_sees_row', '_sees_image', '_image_check', '_sees_key_change', '_acts_for_owner',
                            '_client_addr', '_operation', '_actor', '_comment_tags', '_text_roles', '_some_text_is_hidden', '_concerns_hidden',
                            '_proxy_record', '_database_record', '_sizes', '_is_granted', '_refuse_others')
    -- Event triggers go first: until they are there again, nothing asks for what they call.
    ORDER BY p.prorettype = 'event_trigger'::regtype DESC
  LOOP
    -- It may have gone with one that it stood on.
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = v_function);
    -- Through what is ours to what is not. Somebody may make it at any moment, so each is asked for right before.
    WITH RECURSIVE standing (classid, objid, is_ours) AS (
      SELECT 'pg_proc'::regclass::oid, v_function::oid, true
      UNION
      SELECT x.classid, x.objid, x.classid = 'pg_event_trigger'::regclass OR coalesce(x.schema IN ('pgtrack', 'pgtrack_history'), false)
      FROM standing s
      CROSS JOIN LATERAL (
        SELECT o.classid, o.objid, (pg_identify_object_as_address(o.classid, o.objid, 0)).object_names[1] AS schema
        FROM (SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = s.classid AND d.refobjid = s.objid
              UNION ALL SELECT 'pg_class'::regclass, r.ev_class FROM pg_rewrite r
              WHERE s.classid = 'pg_rewrite'::regclass AND r.oid = s.objid) o) x
      WHERE s.is_ours)
    SELECT string_agg(DISTINCT pg_describe_object(s.classid, s.objid, 0), ', ') INTO v_others FROM standing s WHERE NOT s.is_ours;
    IF v_others IS NOT NULL THEN
      v_left := format('_left_%s', v_function::oid);
      RAISE WARNING '% is left, under the name %, to what stands on it: %', v_function, v_left, v_others USING
        HINT = 'Functions whose names begin with _ are for pg_track alone, and change. Drop what stands on it, then the function.';
      EXECUTE format('ALTER FUNCTION %s SECURITY INVOKER', v_function);
      IF v_name <> v_left THEN
        EXECUTE format('ALTER FUNCTION %s RENAME TO %I', v_function, v_left);
      END IF;
      CONTINUE;
    END IF;
    BEGIN
      EXECUTE format('DROP FUNCTION %s CASCADE', v_function);
    -- It belongs to an extension, and this is not ALTER EXTENSION.
    EXCEPTION WHEN dependent_objects_still_exist THEN
      NULL;
    END;
  END LOOP;
END
$replace$;

-- ==== upgrade/columns.sql ====

-- What an installation has already is not touched: ALTER TABLE, CREATE INDEX and CREATE POLICY wait for writers, and
-- writers for them.
DO $columns$
DECLARE
  v_part  record;
BEGIN
  FOR v_part IN
    SELECT * FROM (VALUES
      ('installed_version', 'revision', 'integer NOT NULL DEFAULT 1'),
      ('kept', 'statement_id', 'bigint NOT NULL DEFAULT 0'),
      ('key_change', 'statement_id', 'bigint'),
      ('relation', 'identity', 'text'),
      ('relation', 'left_out', 'jsonb NOT NULL DEFAULT ''{}'''),
      ('relation', 'purged_until', 'timestamptz'),
      ('relation', 'key_since', 'bigint NOT NULL DEFAULT 0'),
      ('relation', 'former_key', 'jsonb'),
      ('relation', 'is_written_nested', 'boolean NOT NULL DEFAULT false'),
      ('relation_column', 'until', 'bigint'),
      ('relation_column', 'successor', 'smallint'),
      ('relation_shape', 'restored', 'text'),
      ('relation_column', 'type', 'oid'),
      ('relation_shape', 'key_is_plain', 'boolean'),
      ('relation_shape', 'key_entered', 'text'),
      ('relation_shape', 'type_names', 'text'),
      ('relation_shape', 'inserted', 'text[]'),
      ('relation_shape', 'inserted_values', 'text[]'),
      ('relation_shape', 'inserted_since', 'bigint[]'),
      ('relation_shape', 'updated', 'text[]'),
      ('relation_shape', 'updated_values', 'text[]'),
      ('relation_shape', 'updated_differ', 'text[]'),
      ('relation_shape', 'updated_stayed', 'text[]'),
      ('relation_shape', 'compared_key', 'text'),
      ('relation_shape', 'key_has_digest', 'boolean'),
      ('tag', 'statement_id', 'bigint NOT NULL DEFAULT 0'),
      ('tracked_schema', 'identity', 'text')
    ) AS c (table_name, column_name, definition)
    JOIN pg_class t ON t.relnamespace = 'pgtrack'::regnamespace AND t.relname = c.table_name
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = c.column_name)
  LOOP
    EXECUTE format('ALTER TABLE pgtrack.%I ADD COLUMN %I %s', v_part.table_name, v_part.column_name, v_part.definition);
  END LOOP;
  FOR v_part IN
    SELECT a.attname AS column_name FROM pg_attribute a
    WHERE a.attrelid = to_regclass('pgtrack.relation_shape') AND a.attname = ANY ('{versions,insert_columns,insert_values,assignments,merges}')
  LOOP
    BEGIN
      EXECUTE format('ALTER TABLE pgtrack.relation_shape DROP COLUMN %I', v_part.column_name);
    -- Somebody has made a view of it.
    EXCEPTION WHEN dependent_objects_still_exist THEN
      EXECUTE format('ALTER TABLE pgtrack.relation_shape ALTER COLUMN %I DROP NOT NULL', v_part.column_name);
      RAISE WARNING '%', SQLERRM USING HINT = 'It is not used any more.';
    END;
  END LOOP;
END
$columns$;

-- ==== tables/installed_version.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.installed_version (
  version       text         NOT NULL PRIMARY KEY,
  installed_at  timestamptz  NOT NULL DEFAULT pg_catalog.now(),
  installed_by  text         NOT NULL DEFAULT session_user,
  revision      integer      NOT NULL DEFAULT 1
);
COMMENT ON TABLE pgtrack.installed_version IS 'The versions of pg_track that were installed here; the newest counts.';
COMMENT ON COLUMN pgtrack.installed_version.version IS 'Version, such as 1.0; versions with the same first number are compatible.';
COMMENT ON COLUMN pgtrack.installed_version.installed_at IS 'When it was installed, or installed again.';
COMMENT ON COLUMN pgtrack.installed_version.installed_by IS 'The session user who installed it.';
COMMENT ON COLUMN pgtrack.installed_version.revision IS 'What of that version: a script with a higher revision brings more, and is run again.';

-- ==== tables/relation.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.relation (
  relation_id        integer      NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  relid              regclass     UNIQUE,
  schema_name        name         NOT NULL,
  table_name         name         NOT NULL,
  history_table      name         NOT NULL,
  key_columns        name[]       NOT NULL,
  key_equality       text[]       NOT NULL,
  options            jsonb        NOT NULL,
  tracked_since      timestamptz  NOT NULL,
  tracked_until      timestamptz,
  identity           text,
  left_out           jsonb        NOT NULL DEFAULT '{}',
  purged_until       timestamptz,
  key_since          bigint       NOT NULL DEFAULT 0,
  former_key         jsonb,
  is_written_nested  boolean      NOT NULL DEFAULT false
);
COMMENT ON TABLE pgtrack.relation IS
  'Every table that is or was tracked. A table that is dropped and created again gets a new entry; a renamed one keeps its own.';
COMMENT ON COLUMN pgtrack.relation.relation_id IS 'Our own number for the table; survives dump and restore, unlike an OID.';
COMMENT ON COLUMN pgtrack.relation.relid IS 'The table; null once it has been dropped.';
COMMENT ON COLUMN pgtrack.relation.schema_name IS 'The schema it is in, or was in last.';
COMMENT ON COLUMN pgtrack.relation.table_name IS 'Its name, or its last one.';
COMMENT ON COLUMN pgtrack.relation.history_table IS 'Its history table in schema pgtrack_history.';
COMMENT ON COLUMN pgtrack.relation.key_columns IS 'The primary key''s columns in the key''s order; empty when there is none.';
COMMENT ON COLUMN pgtrack.relation.key_equality IS 'The operators that compare those columns, such as pg_catalog.=.';
COMMENT ON COLUMN pgtrack.relation.options IS 'The options given to pgtrack.track(), with the defaults filled in.';
COMMENT ON COLUMN pgtrack.relation.tracked_since IS 'When tracking (last) began.';
COMMENT ON COLUMN pgtrack.relation.tracked_until IS 'When it ended; null while the table is tracked.';
COMMENT ON COLUMN pgtrack.relation.identity IS 'The cluster and OID that column numbers refer to.';
COMMENT ON COLUMN pgtrack.relation.left_out IS 'The numbers of the columns that are not recorded, each with the option that says so.';
COMMENT ON COLUMN pgtrack.relation.purged_until IS 'Changes before this moment have been purged; null if none.';
COMMENT ON COLUMN pgtrack.relation.key_since IS 'Statements before this one changed rows that were told by another key.';
COMMENT ON COLUMN pgtrack.relation.former_key IS 'The key before that: the numbers, types and history columns of its columns, its key_since, and the latest statement under it; null if there was none.';
COMMENT ON COLUMN pgtrack.relation.is_written_nested IS 'Whether a trigger of another table may write it, as far as trigger_word tells.';

CREATE TABLE IF NOT EXISTS pgtrack.tracked_schema (
  schema_name  name         NOT NULL PRIMARY KEY,
  options      jsonb        NOT NULL,
  since        timestamptz  NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  identity     text
);
COMMENT ON TABLE pgtrack.tracked_schema IS 'Schemas whose tables are tracked from their creation on.';
COMMENT ON COLUMN pgtrack.tracked_schema.schema_name IS 'The schema.';
COMMENT ON COLUMN pgtrack.tracked_schema.options IS 'The options given to pgtrack.track(), for tables to come.';
COMMENT ON COLUMN pgtrack.tracked_schema.since IS 'When it was tracked first.';
COMMENT ON COLUMN pgtrack.tracked_schema.identity IS 'The cluster and OID of the schema, by which it is known when it is renamed; null if not known.';

-- ==== tables/trigger_word.sql ====

-- Not unique: whoever makes a trigger does not wait for another who does.
CREATE TABLE IF NOT EXISTS pgtrack.trigger_word (
  word            text     COLLATE "C" NOT NULL,
  may_be_written  boolean  NOT NULL
);
COMMENT ON TABLE pgtrack.trigger_word IS
  'The words in the sources of trigger functions and of what they call: a table that is called like one may be written by a trigger.';
COMMENT ON COLUMN pgtrack.trigger_word.word IS 'The word, as it stands there, in lower case, or in quotes there.';
COMMENT ON COLUMN pgtrack.trigger_word.may_be_written IS 'Whether it stands in one that may write tables.';

-- ==== tables/relation_shape.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.relation_shape (
  relation_id      integer  NOT NULL PRIMARY KEY REFERENCES pgtrack.relation ON DELETE CASCADE,
  fingerprint      text     NOT NULL,
  name             text,
  live_table       text,
  history          text,
  keys             name[],
  key_record       text,
  live_is_key      text,
  history_is_key   text,
  live_is_history  text,
  live_is_change   text,
  same_row         text,
  key_json         text,
  image            text,
  live_image       text,
  differs          text,
  differing        text,
  row_values       text,
  change_keys      text,
  restored         text,
  key_is_plain     boolean,
  key_entered      text,
  type_names       text,
  inserted         text[],
  inserted_values  text[],
  inserted_since   bigint[],
  updated          text[],
  updated_values   text[],
  updated_differ   text[],
  updated_stayed   text[],
  compared_key     text,
  key_has_digest   boolean
);
COMMENT ON TABLE pgtrack.relation_shape IS 'For each tracked table, the pieces that dynamic SQL about it is made of: a cache of pgtrack._make_shape().';
COMMENT ON COLUMN pgtrack.relation_shape.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.relation_shape.fingerprint IS 'The shape of the table that they are for.';
COMMENT ON COLUMN pgtrack.relation_shape.name IS 'Its name.';
COMMENT ON COLUMN pgtrack.relation_shape.live_table IS 'The table''s own rows, for FROM.';
COMMENT ON COLUMN pgtrack.relation_shape.history IS 'Its history table.';
COMMENT ON COLUMN pgtrack.relation_shape.keys IS 'The key''s columns.';
COMMENT ON COLUMN pgtrack.relation_shape.key_record IS 'The key as a column definition list.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_key IS 'The condition that t is the row of key k.';
COMMENT ON COLUMN pgtrack.relation_shape.history_is_key IS 'The condition that h is of key k.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_history IS 'The condition that t is the row of h.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_change IS 'The condition that t is the row of c.';
COMMENT ON COLUMN pgtrack.relation_shape.same_row IS 'The condition that h and c are of one row.';
COMMENT ON COLUMN pgtrack.relation_shape.key_json IS 'The key of h as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.image IS 'The image h as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.live_image IS 'The row t as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.differs IS 'The condition that t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.differing IS 'The names of the columns in which t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.row_values IS 'The image h as a row of the table''s type.';
COMMENT ON COLUMN pgtrack.relation_shape.change_keys IS 'The key''s columns of c.';
COMMENT ON COLUMN pgtrack.relation_shape.restored IS 'What of the image h the table can have again, as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.key_is_plain IS 'Whether no setting of a session changes how the key is written.';
COMMENT ON COLUMN pgtrack.relation_shape.key_entered IS 'The key k as JSON, in the form in which it is stored, where a caller may write it in others; else null.';
COMMENT ON COLUMN pgtrack.relation_shape.type_names IS 'The names of types that they have in them, apart from PostgreSQL''s own; null for none.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted IS 'The columns that a row which is inserted can be given.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted_values IS 'Their values, from h.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted_since IS 'Images recorded by statements up to this one do not have them.';
COMMENT ON COLUMN pgtrack.relation_shape.updated IS 'The columns that can be set back in a row.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_values IS 'Their values, from h.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_differ IS 'For each the condition that t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_stayed IS 'For each the condition that t is what c says.';
COMMENT ON COLUMN pgtrack.relation_shape.compared_key IS 'The columns of the key k as the table compares them, where keys that differ as JSON may be equal; else null.';
COMMENT ON COLUMN pgtrack.relation_shape.key_has_digest IS 'Whether such a key has a number that all that equal it have.';

-- ==== tables/relation_column.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.relation_column (
  relation_id     integer   NOT NULL REFERENCES pgtrack.relation ON DELETE CASCADE,
  history_column  name      NOT NULL,
  column_name     name      NOT NULL,
  attnum          smallint,
  since           bigint    NOT NULL,
  until           bigint,
  successor       smallint,
  type            oid,
  PRIMARY KEY (relation_id, history_column),
  UNIQUE (relation_id, attnum)
);
COMMENT ON TABLE pgtrack.relation_column IS
  'Which column of a history table holds which column of its tracked table. Renamed columns keep theirs; dropped and retyped ones leave theirs behind.';
COMMENT ON COLUMN pgtrack.relation_column.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.relation_column.history_column IS 'The column of the history table.';
COMMENT ON COLUMN pgtrack.relation_column.column_name IS 'The column''s name in the tracked table, or its last one.';
COMMENT ON COLUMN pgtrack.relation_column.attnum IS 'The column''s number in the tracked table; null once it was dropped or retyped.';
COMMENT ON COLUMN pgtrack.relation_column.since IS 'Images recorded by statements up to this one do not have the column.';
COMMENT ON COLUMN pgtrack.relation_column.until IS
  'Images recorded by statements after this one do not have the column; null while the table has it, and for one that was excluded.';
COMMENT ON COLUMN pgtrack.relation_column.successor IS 'The number of the column that it became by a change of type; null for others.';
COMMENT ON COLUMN pgtrack.relation_column.type IS 'The column''s type in the tracked table, when that was followed last; null once it was dropped or retyped.';

-- ==== tables/statement.sql ====

CREATE SEQUENCE IF NOT EXISTS pgtrack.statement_id_seq AS bigint CACHE 1;
COMMENT ON SEQUENCE pgtrack.statement_id_seq IS
  'Numbers statements. Never cached by a session: of two statements that change a row, the later must get the higher number.';

CREATE TABLE IF NOT EXISTS pgtrack.statement (
  statement_id  bigint       NOT NULL,
  xid           xid8         NOT NULL,
  snapshot      pg_snapshot  NOT NULL,
  at            timestamptz  NOT NULL,
  relation_id   integer      NOT NULL,
  operation     "char"       NOT NULL,
  row_count     bigint       NOT NULL,
  user_name     text         NOT NULL,
  role_name     text,
  application   text,
  client_addr   inet,
  context       text,
  actor         text,
  message       text,
  reverts       text,
  query         text,
  -- What was deleted is found among all statements on a table without reading them: one more index would cost each statement more.
  PRIMARY KEY (relation_id, statement_id) INCLUDE (operation)
);
COMMENT ON TABLE pgtrack.statement IS
  'One row for each statement and tracked table that it changed. Written raw and fast; pgtrack.activity reads it for people.';
COMMENT ON COLUMN pgtrack.statement.statement_id IS 'Number; later changes of the same row have higher ones.';
COMMENT ON COLUMN pgtrack.statement.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.statement.snapshot IS 'What the transaction saw: transactions visible in this snapshot had been committed.';
COMMENT ON COLUMN pgtrack.statement.at IS 'The clock when the statement had made its changes.';
COMMENT ON COLUMN pgtrack.statement.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.statement.operation IS 'I, U, D or T: INSERT, UPDATE, DELETE, TRUNCATE.';
COMMENT ON COLUMN pgtrack.statement.row_count IS 'How many rows it changed.';
COMMENT ON COLUMN pgtrack.statement.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.statement.role_name IS 'The role set with SET ROLE, or none.';
COMMENT ON COLUMN pgtrack.statement.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.statement.client_addr IS 'The address the server saw; null for a unix socket.';
COMMENT ON COLUMN pgtrack.statement.context IS 'What the proxy said about the client when the session started: version, address, port, session.';
COMMENT ON COLUMN pgtrack.statement.actor IS 'The person the application named with pgtrack.set_actor().';
COMMENT ON COLUMN pgtrack.statement.message IS 'The reason given with pgtrack.set_message().';
COMMENT ON COLUMN pgtrack.statement.reverts IS 'For a revert: the statement it undoes, or xid:N for a whole transaction.';
COMMENT ON COLUMN pgtrack.statement.query IS 'The beginning of the query text.';

-- ==== tables/tag.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.tag (
  name      text         NOT NULL PRIMARY KEY,
  snapshot  pg_snapshot  NOT NULL,
  at        timestamptz  NOT NULL,
  who       text         NOT NULL,
  message   text,
  statement_id bigint    NOT NULL DEFAULT 0
);
COMMENT ON TABLE pgtrack.tag IS 'Named points in time.';
COMMENT ON COLUMN pgtrack.tag.name IS 'The name.';
COMMENT ON COLUMN pgtrack.tag.snapshot IS 'The point: the transactions that this snapshot sees are before it.';
COMMENT ON COLUMN pgtrack.tag.at IS 'When the tag was made.';
COMMENT ON COLUMN pgtrack.tag.who IS 'The session user who made it.';
COMMENT ON COLUMN pgtrack.tag.message IS 'Why.';
COMMENT ON COLUMN pgtrack.tag.statement_id IS 'A number of its own among the statements'', which tells its epoch.';

-- ==== tables/key_change.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.key_change (
  change_id    bigint   NOT NULL PRIMARY KEY,
  xid          xid8     NOT NULL,
  relation_id  integer  NOT NULL,
  old_key      jsonb    NOT NULL,
  new_key      jsonb    NOT NULL,
  statement_id bigint
);
COMMENT ON TABLE pgtrack.key_change IS 'Rows whose primary key was changed: their history goes on under the new key.';
COMMENT ON COLUMN pgtrack.key_change.change_id IS 'From the same sequence as statement_id.';
COMMENT ON COLUMN pgtrack.key_change.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.key_change.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.key_change.old_key IS 'The key before, in canonical form.';
COMMENT ON COLUMN pgtrack.key_change.new_key IS 'The key after, in canonical form.';
COMMENT ON COLUMN pgtrack.key_change.statement_id IS 'The statement that made the change; where null, the next one after change_id.';

-- ==== tables/epoch.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.epoch (
  first_statement_id  bigint       NOT NULL PRIMARY KEY,
  system_identifier   bigint       NOT NULL,
  began_at            timestamptz  NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgtrack.epoch IS
  'The clusters that this history was written in. Transaction numbers and snapshots of different clusters are never compared.';
COMMENT ON COLUMN pgtrack.epoch.first_statement_id IS 'Statements from this one on were recorded in the cluster.';
COMMENT ON COLUMN pgtrack.epoch.system_identifier IS 'The cluster, as in pg_control_system().';
COMMENT ON COLUMN pgtrack.epoch.began_at IS 'When the first change was recorded there.';

-- ==== tables/proxy_key.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.proxy_key (
  key_id     integer      NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  key        bytea        NOT NULL,
  since      timestamptz  NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgtrack.proxy_key IS
  'What proxies sign the client''s address with, so that no one else can claim one. Only the owner of pg_track can read it; the newest key is used to sign, each is accepted.';
COMMENT ON COLUMN pgtrack.proxy_key.key_id IS 'Number.';
COMMENT ON COLUMN pgtrack.proxy_key.key IS '32 random bytes.';
COMMENT ON COLUMN pgtrack.proxy_key.since IS 'When it was made.';

-- ==== tables/secret.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.secret (
  inner_key  bytea  NOT NULL,
  outer_key  bytea  NOT NULL
);
COMMENT ON TABLE pgtrack.secret IS
  'One row: what settings of ours are sealed with, so that a client cannot make them up. Only the owner of pg_track can read it.';
COMMENT ON COLUMN pgtrack.secret.inner_key IS 'The key as HMAC (RFC 2104) pads it for the inner hash.';
COMMENT ON COLUMN pgtrack.secret.outer_key IS 'The key as HMAC pads it for the outer hash.';

-- Numbers the states of pgtrack.open, so that an older state cannot be put back. Only its value in this session counts.
CREATE SEQUENCE IF NOT EXISTS pgtrack.open_seq AS bigint CACHE 100 CYCLE;
COMMENT ON SEQUENCE pgtrack.open_seq IS 'Numbers the notes of statements that have begun; a session compares them with its own alone.';

-- ==== tables/command.sql ====

CREATE UNLOGGED TABLE IF NOT EXISTS pgtrack.command (
  is_mark  boolean  NOT NULL
);
COMMENT ON TABLE pgtrack.command IS 'Empty: what is written and deleted here tells the number of a command (_command_id).';
COMMENT ON COLUMN pgtrack.command.is_mark IS 'Always true.';

-- ==== tables/generated.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.generated (
  function_name  name     NOT NULL PRIMARY KEY,
  relation_id    integer  NOT NULL,
  leaf           regclass,
  fingerprint    text     NOT NULL
);
COMMENT ON TABLE pgtrack.generated IS 'The functions in schema pgtrack_history that were written for tracked tables.';
COMMENT ON COLUMN pgtrack.generated.function_name IS 'The function.';
COMMENT ON COLUMN pgtrack.generated.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.generated.leaf IS 'The one partition that it is for, if any.';
COMMENT ON COLUMN pgtrack.generated.fingerprint IS 'The shape of the table that it was written for.';

-- ==== tables/audit_entry.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.audit_entry (
  entry_id      bigint       NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  at            timestamptz  NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  finished_at   timestamptz,
  source        text         NOT NULL DEFAULT 'database',
  verb          text         NOT NULL,
  arguments     jsonb,
  statement     text,
  user_name     text         NOT NULL DEFAULT session_user,
  role_name     text         DEFAULT nullif(pg_catalog.current_setting('role'), 'none'),
  application   text         DEFAULT pg_catalog.current_setting('application_name'),
  client_addr   inet         DEFAULT pg_catalog.inet_client_addr(),
  client_port   integer      DEFAULT pg_catalog.inet_client_port(),
  tls_identity  text,
  session       text,
  call_number   integer,
  backend_pid   integer      NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
  actor         text         DEFAULT pg_catalog.current_setting('pgtrack.actor', true),
  message       text,
  outcome       text         NOT NULL DEFAULT 'done',
  sqlstate      text,
  row_count     bigint,
  xid           xid8         DEFAULT pg_catalog.pg_current_xact_id(),
  UNIQUE (session, call_number)
);
COMMENT ON TABLE pgtrack.audit_entry IS
  'Every call of a pgtrack function that changes something, as recorded by the proxy, or by the function itself; read it as pgtrack.audit.';
COMMENT ON COLUMN pgtrack.audit_entry.entry_id IS 'Number.';
COMMENT ON COLUMN pgtrack.audit_entry.at IS 'When the call was made.';
COMMENT ON COLUMN pgtrack.audit_entry.finished_at IS 'When its outcome was known.';
COMMENT ON COLUMN pgtrack.audit_entry.source IS 'proxy or database: who recorded it.';
COMMENT ON COLUMN pgtrack.audit_entry.verb IS 'The function, without its schema.';
COMMENT ON COLUMN pgtrack.audit_entry.arguments IS 'Its arguments, as far as they are known.';
COMMENT ON COLUMN pgtrack.audit_entry.statement IS 'The beginning of the query text.';
COMMENT ON COLUMN pgtrack.audit_entry.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.audit_entry.role_name IS 'The role set with SET ROLE, if any.';
COMMENT ON COLUMN pgtrack.audit_entry.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.audit_entry.client_addr IS 'The client''s address: seen by the proxy, or by the server.';
COMMENT ON COLUMN pgtrack.audit_entry.client_port IS 'The client''s port.';
COMMENT ON COLUMN pgtrack.audit_entry.tls_identity IS 'The subject of the client''s certificate, if it showed one to the proxy.';
COMMENT ON COLUMN pgtrack.audit_entry.session IS 'The proxy''s name for the session; null if it did not come through one.';
COMMENT ON COLUMN pgtrack.audit_entry.call_number IS 'Which call of that session it is, where the proxy recorded it: it records none twice.';
COMMENT ON COLUMN pgtrack.audit_entry.backend_pid IS 'The server process of the session.';
COMMENT ON COLUMN pgtrack.audit_entry.actor IS 'The person the application named.';
COMMENT ON COLUMN pgtrack.audit_entry.message IS 'The reason given.';
COMMENT ON COLUMN pgtrack.audit_entry.outcome IS 'started, done, failed, denied (by the proxy''s policy), or skipped (the server ignored it after an error in its pipeline); started for ever if the proxy died or the session ended first.';
COMMENT ON COLUMN pgtrack.audit_entry.sqlstate IS 'The error''s SQLSTATE, if it failed.';
COMMENT ON COLUMN pgtrack.audit_entry.row_count IS 'How many rows the statement returned.';
COMMENT ON COLUMN pgtrack.audit_entry.xid IS 'The transaction, where the database recorded the call.';

-- What the proxy may write stands in install/service_role.sql, who may read which in capture/policy.sql.
DO $index$
BEGIN
  IF to_regclass('pgtrack.audit_entry_session_idx') IS NULL THEN
    CREATE INDEX audit_entry_session_idx ON pgtrack.audit_entry (session, verb, at);
    DROP INDEX IF EXISTS pgtrack.audit_entry_call_idx;
  END IF;
END
$index$;

-- ==== tables/purged_version.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.purged_version (
  relation_id  integer  NOT NULL,
  row_key      jsonb    NOT NULL,
  versions     bigint   NOT NULL,
  PRIMARY KEY (relation_id, row_key)
);
COMMENT ON TABLE pgtrack.purged_version IS 'How many versions of each row were purged, so that the others keep their numbers.';
COMMENT ON COLUMN pgtrack.purged_version.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.purged_version.row_key IS 'The row''s key after the last purged change, in canonical form.';
COMMENT ON COLUMN pgtrack.purged_version.versions IS 'How many versions.';

-- ==== tables/erasure.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.erasure (
  relation_id  integer      NOT NULL,
  row_key      jsonb        NOT NULL,
  until_id     bigint       NOT NULL,
  at           timestamptz  NOT NULL,
  who          text         NOT NULL,
  reason       text         NOT NULL,
  PRIMARY KEY (relation_id, row_key, until_id)
);
COMMENT ON TABLE pgtrack.erasure IS 'Rows whose recorded values were erased.';
COMMENT ON COLUMN pgtrack.erasure.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.erasure.row_key IS 'A key under which the row was recorded, in canonical form.';
COMMENT ON COLUMN pgtrack.erasure.until_id IS 'Images recorded by statements up to this one are empty.';
COMMENT ON COLUMN pgtrack.erasure.at IS 'When they were erased.';
COMMENT ON COLUMN pgtrack.erasure.who IS 'The session user who did it.';
COMMENT ON COLUMN pgtrack.erasure.reason IS 'Why.';

-- ==== tables/kept.sql ====

CREATE TABLE IF NOT EXISTS pgtrack.kept (
  kept_id       integer      NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
  relation_id   integer      NOT NULL,
  kept_table    name         NOT NULL,
  definition    jsonb        NOT NULL,
  row_count     bigint       NOT NULL,
  at            timestamptz  NOT NULL,
  who           text         NOT NULL,
  statement_id  bigint       NOT NULL DEFAULT 0
);
COMMENT ON TABLE pgtrack.kept IS 'Copies of all rows of a table, made by pgtrack.keep().';
COMMENT ON COLUMN pgtrack.kept.kept_id IS 'Number.';
COMMENT ON COLUMN pgtrack.kept.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.kept.kept_table IS 'The copy in schema pgtrack_history.';
COMMENT ON COLUMN pgtrack.kept.definition IS 'What it takes to create the table again.';
COMMENT ON COLUMN pgtrack.kept.row_count IS 'How many rows.';
COMMENT ON COLUMN pgtrack.kept.at IS 'When.';
COMMENT ON COLUMN pgtrack.kept.who IS 'The session user who did it.';
COMMENT ON COLUMN pgtrack.kept.statement_id IS 'Statements with higher numbers had not begun; 0 if that is not known.';

-- ==== tables/indexes.sql ====

DO $complete$
DECLARE
  v_part  record;
BEGIN
  FOR v_part IN
    SELECT * FROM (VALUES
      ('statement_xid_idx', 'pgtrack.statement (xid)'),
      ('statement_at_idx', 'pgtrack.statement USING brin (at) WITH (pages_per_range = 32, autosummarize = on)'),
      ('key_change_old_key_idx', 'pgtrack.key_change (relation_id, old_key)'),
      ('key_change_new_key_idx', 'pgtrack.key_change (relation_id, new_key)'),
      ('audit_entry_at_idx', 'pgtrack.audit_entry USING brin (at) WITH (autosummarize = on)'),
      ('key_change_xid_idx', 'pgtrack.key_change (xid)'),
      ('trigger_word_word_idx', 'pgtrack.trigger_word (word)'),
      ('generated_relation_idx', 'pgtrack.generated (relation_id)'),
      ('generated_leaf_idx', 'pgtrack.generated (leaf)'),
      ('relation_column_successor_idx', 'pgtrack.relation_column (relation_id, successor) WHERE successor IS NOT NULL'),
      ('relation_history_table_idx', 'pgtrack.relation (history_table)'),
      ('relation_recovering_idx', 'pgtrack.relation (schema_name, table_name) WHERE tracked_until = ''infinity'''),
      ('relation_redacted_idx', 'pgtrack.relation (relation_id) WHERE options -> ''redact'' <> ''[]''')
    ) AS i (name, definition)
    WHERE to_regclass('pgtrack.' || i.name) IS NULL
  LOOP
    EXECUTE format('CREATE INDEX %I ON %s', v_part.name, v_part.definition);
  END LOOP;
END
$complete$;

-- ==== catalog/own_commands.sql ====

-- Commands of ours fire the event triggers of the application like its own commands. Theirs shall find what they name, and
-- may do what they do, as without us. So they do not fire for ours where the current user may turn them off: superusers,
-- and the owner of pg_track, whom a superuser installed. What is done as whoever alters a table is executed under that
-- session's search_path otherwise.

CREATE OR REPLACE FUNCTION pgtrack._silence_event_triggers() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_silence_event_triggers$
DECLARE
  -- Before PostgreSQL 17 there is no setting for these alone. To change this one makes the session plan its queries anew.
  c_setting CONSTANT  text := CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN 'event_triggers' ELSE 'session_replication_role' END;
  v_before            text := current_setting(c_setting);
BEGIN
  IF c_setting = 'session_replication_role' AND NOT EXISTS (
       SELECT FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid WHERE e.evtenabled IN ('O', 'A') AND p.pronamespace <> 'pgtrack'::regnamespace)
     OR v_before IN ('off', 'replica') OR NOT has_parameter_privilege(c_setting, 'SET') THEN
    RETURN NULL;
  END IF;
  PERFORM set_config(c_setting, CASE c_setting WHEN 'event_triggers' THEN 'off' ELSE 'replica' END, true);
  RETURN v_before;
END
$_silence_event_triggers$;
COMMENT ON FUNCTION pgtrack._silence_event_triggers() IS
  'Keeps event triggers from firing, if that is needed and the current user may; what _let_event_triggers_fire() takes.';

CREATE OR REPLACE FUNCTION pgtrack._let_event_triggers_fire(p_before text) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $_let_event_triggers_fire$
BEGIN
  PERFORM set_config(CASE WHEN p_before IN ('on', 'off') THEN 'event_triggers' ELSE 'session_replication_role' END, p_before, true);
END
$_let_event_triggers_fire$;
COMMENT ON FUNCTION pgtrack._let_event_triggers_fire(text) IS 'Ends what _silence_event_triggers() began.';

-- Triggers, checks and defaults of the application run in an undo as in any other statement, and its event triggers for a
-- command of ours as for one of its own: names that they do not qualify are found through the caller's search_path, and
-- some more settings are the caller's, too. What is called first notes them, as everything after that has its own.
CREATE OR REPLACE FUNCTION pgtrack._note_path() RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.search_path', pg_catalog.current_setting('search_path'), true),
         pg_catalog.set_config('pgtrack.row_security', pg_catalog.current_setting('row_security'), true),
         pg_catalog.set_config('pgtrack.quote_all_identifiers', pg_catalog.current_setting('quote_all_identifiers'), true);
END;
COMMENT ON FUNCTION pgtrack._note_path() IS 'Notes the caller''s search_path and other settings, for code of the application that runs because of the call.';

-- What is bare in our own text is found in pg_catalog first, whatever the path says.
CREATE OR REPLACE FUNCTION pgtrack._noted_path() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_noted_path$
BEGIN
  RETURN (
  SELECT 'pg_catalog, ' || coalesce(nullif(btrim(current_setting('pgtrack.search_path', true), E' \t\n\r\f\v'), ''), 'pg_temp'));
END
$_noted_path$;
COMMENT ON FUNCTION pgtrack._noted_path() IS 'The search_path for what runs code of the application.';

CREATE OR REPLACE FUNCTION pgtrack._noted_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.name, coalesce(nullif(current_setting('pgtrack.' || n.name, true), ''), current_setting(n.name))
  FROM unnest('{row_security,quote_all_identifiers}'::text[]) AS n (name);
END;
COMMENT ON FUNCTION pgtrack._noted_settings() IS 'What the caller has set of the settings that our functions need to be others.';

-- A command that is executed here names everything in full, so that no path misleads it.
CREATE OR REPLACE FUNCTION pgtrack._execute(p_command text, p_path text DEFAULT pgtrack._noted_path()) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute$
BEGIN
  PERFORM set_config('search_path', p_path, true);
  EXECUTE p_command;
END
$_execute$;
COMMENT ON FUNCTION pgtrack._execute(text, text) IS 'Executes a command under the noted search_path, for event triggers of the application.';

-- ==== catalog/epoch.sql ====

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

-- ==== catalog/name.sql ====

-- Naming: from what the caller writes to a tracked table and a row key

CREATE OR REPLACE FUNCTION pgtrack._unknown_table(p_table text) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_unknown_table$
DECLARE
  v_similar text;
BEGIN
  SELECT format('Did you mean %L?', quote_ident(n.nspname) || '.' || quote_ident(c.relname)) INTO v_similar
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p')
    AND lower(c.relname) = lower((parse_ident(p_table))[cardinality(parse_ident(p_table))])
    AND n.nspname <> 'pgtrack_history'
  ORDER BY n.nspname LIMIT 1;
  RAISE EXCEPTION 'table "%" does not exist', p_table USING
    ERRCODE = 'undefined_table',
    DETAIL = 'Names are looked up as in a query: through search_path, in lower case unless quoted.',
    HINT = coalesce(v_similar, 'Write it as ''schema.table'', or pass the schema as the argument "schema".');
END
$_unknown_table$;
COMMENT ON FUNCTION pgtrack._unknown_table(text) IS 'Reports that a table does not exist, with the name of a similar one.';

-- Without a pinned search_path, because the caller's own decides what a bare name means; hence no operators.
CREATE OR REPLACE FUNCTION pgtrack._table(p_table text, p_schema text) RETURNS regclass
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $_table$
DECLARE
  v_name   pg_catalog.text := p_table;
  v_table  pg_catalog.regclass;
BEGIN
  IF p_table IS NULL THEN
    RAISE EXCEPTION 'the table must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF p_schema IS NOT NULL THEN
    v_name := pg_catalog.concat(pg_catalog.quote_ident(p_schema), '.', p_table);
  END IF;
  v_table := pg_catalog.to_regclass(v_name);
  IF v_table IS NULL THEN
    PERFORM pgtrack._unknown_table(v_name);
  END IF;
  -- Our functions set it on; whoever has it off wants an error rather than a part of the rows.
  IF pg_catalog.starts_with(pg_catalog.current_setting('row_security'), 'off') AND pg_catalog.row_security_active(v_table) THEN
    RAISE EXCEPTION 'query would be affected by row-level security policy for table "%"', v_name USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN v_table;
END
$_table$;
COMMENT ON FUNCTION pgtrack._table(text, text) IS 'The table that a caller means, or an error.';

CREATE OR REPLACE FUNCTION pgtrack._name(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_name$
BEGIN
  -- As nothing but pg_catalog is searched, its text has the schema; of a table that is gone it is the number.
  RETURN nullif(p_table::text, p_table::oid::text);
END
$_name$;
COMMENT ON FUNCTION pgtrack._name(regclass) IS 'A table''s name with its schema, quoted where necessary.';

CREATE OR REPLACE FUNCTION pgtrack._attnum(p_table regclass, p_name name, p_attnum smallint) RETURNS smallint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_attnum$
BEGIN
  RETURN (
  -- Numbers are from before a restore, names are not; but a rename may not have been followed yet.
  SELECT coalesce((SELECT a.attnum FROM pg_catalog.pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_name AND a.attnum > 0), p_attnum)
  WHERE p_attnum IS NOT NULL);
END
$_attnum$;
COMMENT ON FUNCTION pgtrack._attnum(regclass, name, smallint) IS 'The number of a recorded column in its table; null if it is there no more.';

CREATE OR REPLACE FUNCTION pgtrack._owner_of(p_table regclass) RETURNS name
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._owner_of(regclass) IS 'The owner of a table.';

-- ==== catalog/snapshot.sql ====

CREATE OR REPLACE FUNCTION pgtrack._snapshot_lasts() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
END;
COMMENT ON FUNCTION pgtrack._snapshot_lasts() IS 'Whether this transaction sees to its end what it saw at first: others may have changed tables and rows since.';

-- TRUNCATE removes what is there now, whatever the transaction sees. The table is locked, so who has changed it has
-- committed, under a number that the snapshot does not know yet. A subtransaction that writes gets the next number.
CREATE OR REPLACE FUNCTION pgtrack._require_present_snapshot(p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_require_present_snapshot$
DECLARE
  c_modulus CONSTANT  bigint := 4294967296;
  v_snapshot          pg_snapshot := pg_current_snapshot();
  v_own               bigint := pg_current_xact_id()::text::bigint;
  v_since             bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
  v_next              bigint;
BEGIN
  BEGIN
    INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key)
    VALUES (nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), 0, '{}', '{}')
    RETURNING xmin::text::bigint INTO v_next;
    RAISE EXCEPTION USING ERRCODE = 'PGT01';
  EXCEPTION WHEN SQLSTATE 'PGT01' THEN
    v_next := v_own + mod(v_next - mod(v_own, c_modulus) + c_modulus, c_modulus);
  END;
  IF v_next - v_since > 100000
     OR EXISTS (SELECT FROM pg_snapshot_xip(v_snapshot) x WHERE pg_xact_status(x) = 'committed')
     OR EXISTS (SELECT FROM generate_series(v_since, v_next - 1) x WHERE pg_xact_status(x::text::xid8) = 'committed') THEN
    RAISE EXCEPTION 'could not serialize access due to concurrent update' USING
      ERRCODE = 'serialization_failure',
      DETAIL = format('Others have committed since this transaction''s snapshot; what they changed in %s it would not see.', p_table::regclass),
      HINT = 'Try the transaction again, or do this at READ COMMITTED.';
  END IF;
END
$_require_present_snapshot$;
COMMENT ON FUNCTION pgtrack._require_present_snapshot(oid) IS
  'Refuses, where a snapshot lasts for a transaction, to read with one that is older than the latest commit. '
  'SECURITY DEFINER: it writes a row, to take it back at once.';

-- ==== catalog/fingerprint.sql ====

-- Asked in every call that reads, so it hashes, and uses the indexes of catalogs that are small enough to be read whole.
CREATE OR REPLACE FUNCTION pgtrack._fingerprint(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_fingerprint$
BEGIN
  RETURN concat(
    (SELECT concat(bit_xor(hash_record_extended(ROW(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated), 0)),
                   bit_xor(hash_record_extended(ROW(a.attnum, a.attcollation), 0)) FILTER (WHERE a.attcollation >= 16384))
     FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped), '/',
    (SELECT bit_xor(hash_record_extended(ROW(d.adnum, d.oid), 0)) FROM pg_attrdef d WHERE d.adrelid = p_table), '/',
    (SELECT i.indkey::text FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary),
    -- Foreign keys that may update the table's rows (_may_repeat), or at least delete them (_has_acting_key).
    (SELECT CASE WHEN bool_or(c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('n', 'd')) THEN '/f' WHEN bool_or(c.confdeltype = 'c') THEN '/d' END
     FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype = 'f'));
END
$_fingerprint$;
COMMENT ON FUNCTION pgtrack._fingerprint(regclass) IS 'A table''s columns, defaults, key and what foreign keys do to it, as a short text to compare.';

-- From PostgreSQL's cache, whatever the age of the snapshot. What it calls a column that is gone is in heap.c (RemoveAttributeById).
CREATE OR REPLACE FUNCTION pgtrack._column_name(p_table regclass, p_attnum smallint) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_column_name$
BEGIN
  RETURN (
  SELECT nullif((pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::regclass, p_table, p_attnum)).object_names[3],
                pg_catalog.format('........pg.dropped.%s........', p_attnum))::name);
END
$_column_name$;
COMMENT ON FUNCTION pgtrack._column_name(regclass, smallint) IS 'What a column is called now; null if it was dropped.';

CREATE OR REPLACE FUNCTION pgtrack._identity(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_identity$
BEGIN
  RETURN (
  SELECT pg_catalog.format('%s/%s', c.system_identifier, p_table::oid) FROM pg_catalog.pg_control_system() c);
END
$_identity$;
COMMENT ON FUNCTION pgtrack._identity(regclass) IS 'The cluster and the OID of a table, or of a schema; a dump that is restored has others.';

CREATE OR REPLACE FUNCTION pgtrack._require_member(p_relation integer, p_table oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_member$
BEGIN
  -- From PostgreSQL's caches, whatever the age of the snapshot.
  IF NOT EXISTS (SELECT FROM pgtrack.relation r
                 WHERE r.relation_id = p_relation
                   AND (r.relid = p_table OR r.relid IN (SELECT a.relid FROM pg_partition_ancestors(p_table) a))) THEN
    RAISE EXCEPTION 'this function does not record the changes of %', p_table::regclass USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'It was written for another table; only pgtrack.track() makes triggers with it.',
      HINT = format('Drop the trigger on %s that calls it.', p_table::regclass);
  END IF;
END
$_require_member$;
COMMENT ON FUNCTION pgtrack._require_member(integer, oid) IS 'Refuses to record the changes of a table under the name of another.';

-- ==== catalog/types.sql ====

-- A type that an ordinary role can create may bring code of its own: casts, operators, checks, statistics. None of it may
-- run with our rights or a reader's, and history shall not depend on such a type. So its values are stored as text, which
-- output functions make, called by name, and come back through input functions, without a cast. Those are PostgreSQL's
-- own, or a superuser's.

-- Asked for each column again and again, so these are functions whose plans a session keeps.
CREATE OR REPLACE FUNCTION pgtrack._base_type(p_type oid, p_typmod integer, OUT type oid, OUT typmod integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_base_type$
DECLARE
  v_domain  record;
BEGIN
  type := p_type;
  typmod := p_typmod;
  LOOP
    SELECT t.typbasetype, t.typtypmod INTO v_domain FROM pg_type t WHERE t.oid = _base_type.type AND t.typtype = 'd';
    EXIT WHEN NOT FOUND;
    type := v_domain.typbasetype;
    typmod := v_domain.typtypmod;
  END LOOP;
END
$_base_type$;
COMMENT ON FUNCTION pgtrack._base_type(oid, integer) IS 'What a domain is based on in the end; of any other type itself.';

CREATE OR REPLACE FUNCTION pgtrack._kind_if_foreign(p_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_kind_if_foreign$
BEGIN
  RETURN (SELECT CASE
      WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN NULL
      WHEN t.typtype = 'b' AND own.typtype = 'b' AND EXISTS (SELECT FROM pg_roles r WHERE r.oid = own.typowner AND r.rolsuper)
           AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = own.oid AND d.deptype = 'e')
           -- PostgreSQL makes no domain of one from JSON that cannot be read in binary: keys could not be read.
           AND own.typreceive <> 0 THEN NULL
      WHEN own.oid <> t.oid THEN 'array'
      ELSE CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'record' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'base' END END
    FROM pgtrack._base_type(p_type, -1) b
    JOIN pg_type t ON t.oid = b.type
    -- The extension owns the element's type, not the array's.
    CROSS JOIN LATERAL (SELECT coalesce((SELECT e.oid FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid), t.oid) AS oid) x
    JOIN pg_type own ON own.oid = x.oid);
END
$_kind_if_foreign$;
COMMENT ON FUNCTION pgtrack._kind_if_foreign(oid) IS 'Does the work of pgtrack._foreign_kind().';

-- Types below 12000 are in pg_catalog (FirstUnpinnedObjectId). Most are; in a query this is no call for them.
CREATE OR REPLACE FUNCTION pgtrack._foreign_kind(p_type oid) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_type >= 12000 THEN pgtrack._kind_if_foreign(p_type) END;
END;
COMMENT ON FUNCTION pgtrack._foreign_kind(oid) IS
  'Null for types of PostgreSQL, base types of extensions, and arrays and domains of these; of others, which an ordinary role can '
  'create, the kind.';

CREATE OR REPLACE FUNCTION pgtrack._stored_type(p_type oid, p_typmod integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_type$
BEGIN
  RETURN (
  -- A domain's constraints are the live table's business: images are partly null.
  SELECT CASE WHEN pgtrack._foreign_kind(p_type) IS NULL THEN format_type(b.type, b.typmod) ELSE 'text' END
  FROM pgtrack._base_type(p_type, p_typmod) b);
END
$_stored_type$;
COMMENT ON FUNCTION pgtrack._stored_type(oid, integer) IS
  'The type of the history column for a column of this type: itself, what a domain is based on, or text.';

CREATE OR REPLACE FUNCTION pgtrack._stored_type_of(p_type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_type < 12000 THEN p_type WHEN pgtrack._foreign_kind(p_type) IS NULL THEN b.type ELSE 'text'::regtype END
  FROM pgtrack._base_type(p_type, -1) b;
END;
COMMENT ON FUNCTION pgtrack._stored_type_of(oid) IS 'The same by its number.';

-- The text of composites, ranges and arrays depends on settings. A function that has them pinned makes the same text in
-- every session; code that is generated has them pinned itself, where it is worth it.
CREATE OR REPLACE FUNCTION pgtrack._pinned_settings() RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT 'SET TimeZone = ''UTC'' SET DateStyle = ''ISO'' SET IntervalStyle = ''postgres'' '
         'SET extra_float_digits = 1 SET bytea_output = ''hex''';
END;
COMMENT ON FUNCTION pgtrack._pinned_settings() IS
  'The clauses of a function in which the same value has the same text whatever the session prefers.';

-- A domain over a composite type is not for PL/pgSQL: to store a value of one, it has the domain's checks planned, which can
-- run the functions in them.
DO $text$
DECLARE
  v_kind  record;
BEGIN
  FOR v_kind IN
    SELECT * FROM (VALUES ('record', 'anyelement'), ('range', 'anyrange'), ('multirange', 'anymultirange'), ('array', 'anyarray')) AS k (name, type)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack.%I(p_value %s) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE'
                   ' SET search_path = pg_catalog, pg_temp %s AS %L',
                   format('_%s_text', v_kind.name), v_kind.type, pgtrack._pinned_settings(),
                   format('SELECT textin(%I(p_value))', v_kind.name || '_out'));
    EXECUTE format('COMMENT ON FUNCTION pgtrack.%I(%s) IS %L', format('_%s_text', v_kind.name), v_kind.type,
                   format('The text of a value of kind %s, the same in every session.', v_kind.name));
  END LOOP;
END
$text$;

-- No type is named here: whoever owns the recorders may have no right on its schema. concat() calls the output function,
-- too; enum_out() takes no domain.
CREATE OR REPLACE FUNCTION pgtrack._foreign_output_sql(p_expression text, p_type oid, p_is_pinned boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_output_sql$
BEGIN
  RETURN (SELECT CASE
      WHEN k.kind IS NULL THEN p_expression
      WHEN k.kind = 'enum' AND p_type = b.type THEN format('pg_catalog.textin(pg_catalog.enum_out(%s))', p_expression)
      WHEN k.kind IN ('enum', 'base') THEN format('CASE WHEN %1$s IS NOT NULL THEN pg_catalog.concat(%1$s) END', p_expression)
      WHEN p_is_pinned THEN format('pg_catalog.textin(pg_catalog.%I(%s))', k.kind || '_out', p_expression)
      ELSE format('pgtrack.%I(%s)', format('_%s_text', k.kind), p_expression) END
    FROM pgtrack._base_type(p_type, -1) b CROSS JOIN LATERAL (SELECT pgtrack._foreign_kind(p_type) AS kind) k);
END
$_foreign_output_sql$;
COMMENT ON FUNCTION pgtrack._foreign_output_sql(text, oid, boolean) IS 'Does the work of pgtrack._output_sql().';

CREATE OR REPLACE FUNCTION pgtrack._output_sql(p_expression text, p_type oid, p_is_pinned boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_type >= 12000 THEN pgtrack._foreign_output_sql(p_expression, p_type, p_is_pinned) ELSE p_expression END;
END;
COMMENT ON FUNCTION pgtrack._output_sql(text, oid, boolean) IS
  'The expression for a value as it is stored: itself, or its text; p_is_pinned: in code that has pgtrack._pinned_settings().';

CREATE OR REPLACE FUNCTION pgtrack._recorder_settings(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorder_settings$
BEGIN
  RETURN (
  SELECT CASE WHEN EXISTS (
    SELECT FROM pgtrack.relation r
    JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
    CROSS JOIN LATERAL (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = r.relid AND a.attname = c.column_name OFFSET 0) a
    WHERE r.relation_id = p_relation AND pgtrack._foreign_kind(a.atttypid) <> 'enum')
  THEN pgtrack._pinned_settings() ELSE '' END);
END
$_recorder_settings$;
COMMENT ON FUNCTION pgtrack._recorder_settings(integer) IS
  'The settings that the recorders of a table need, so that what they write does not depend on the session''s; most need none.';

CREATE OR REPLACE FUNCTION pgtrack._known_label(p_label text, p_type oid, p_column text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_known_label$
BEGIN
  IF p_label IS NOT NULL AND NOT EXISTS (SELECT FROM pg_enum e WHERE e.enumtypid = p_type AND e.enumlabel = p_label) THEN
    RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_label) USING
      ERRCODE = 'datatype_mismatch',
      DETAIL = format('The enum %s has no such label now. It has: %s.', format_type(p_type, NULL),
                      (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e
                       WHERE e.enumtypid = p_type)),
      HINT = format('Add the label with ALTER TYPE %s ADD VALUE %L, or set the row right by hand; ', format_type(p_type, NULL), p_label)
             || 'pgtrack.history() shows the row as it was.';
  END IF;
  RETURN p_label;
END
$_known_label$;
COMMENT ON FUNCTION pgtrack._known_label(text, oid, text) IS
  'A label of an enum, or an error that names the column where it is none any more.';

-- For a reader, who names no column, what the text no longer fits is null, and no code of the type's owner runs.
CREATE OR REPLACE FUNCTION pgtrack._typed(p_text text, p_type anyelement, p_column text) RETURNS anyelement
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET array_nulls = on
SET xmloption = 'content' AS $_typed$
DECLARE
  v_row  record;
BEGIN
  IF p_column IS NULL AND pgtrack._runs_foreign_code(pg_typeof(p_type)) THEN
    RETURN NULL;
  END IF;
  -- By no name, which could mean another type than was asked for.
  v_row := jsonb_populate_record(ROW(p_type), jsonb_build_object('f1', p_text));
  RETURN v_row.f1;
EXCEPTION WHEN data_exception THEN
  IF p_column IS NULL THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_text) USING
    ERRCODE = 'datatype_mismatch',
    DETAIL = format('Type %s does not take it now: %s.', pg_typeof(p_type), SQLERRM),
    HINT = 'Set the row right by hand; pgtrack.history() shows it as it was.';
END
$_typed$;
COMMENT ON FUNCTION pgtrack._typed(text, anyelement, text) IS
  'The value of a type whose text was stored; an error that names the column if there is none any more, or null where none is named.';

CREATE OR REPLACE FUNCTION pgtrack._input_sql(p_text text, p_type oid, p_column text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_input_sql$
BEGIN
  RETURN (SELECT CASE pgtrack._foreign_kind(p_type)
      WHEN 'enum' THEN format('(SELECT x.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object('
                              '''v'', pgtrack._known_label(%s, %s, %L))) AS x (v %s))',
                              p_text, b.type, p_column, format_type(b.type, NULL))
      ELSE format('pgtrack._typed(%s, NULL::%s, %L)', p_text, format_type(b.type, NULL), p_column) END
    FROM pgtrack._base_type(p_type, -1) b);
END
$_input_sql$;
COMMENT ON FUNCTION pgtrack._input_sql(text, oid, text) IS
  'The expression for the value of a foreign type, or of what a domain is based on, from its stored text; p_column is what an error names.';

CREATE OR REPLACE FUNCTION pgtrack._equal_sql(p_operator oid, p_otherwise text, p_left text, p_right text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_equal_sql$
BEGIN
  RETURN (
  -- Nobody but a superuser can add an operator to pg_catalog. Elsewhere there is a function of ours for those that compare
  -- keys. For the others, one for a domain, say, may have been added: the operator's own types on both sides lead to this one.
  SELECT coalesce(
    (SELECT CASE WHEN n.nspname <> 'pg_catalog' AND x.function IS NOT NULL THEN format('%s(%s, %s)', x.function, p_left, p_right)
                 WHEN n.nspname = 'pg_catalog' OR EXISTS (SELECT FROM pg_type t WHERE t.oid IN (o.oprleft, o.oprright) AND t.typtype = 'p')
                 THEN format('%s OPERATOR(%I.%s) %s', p_left, n.nspname, o.oprname, p_right)
                 ELSE format('(%s)::%s OPERATOR(%I.%s) (%s)::%s', p_left, format_type(o.oprleft, -1), n.nspname, o.oprname,
                             p_right, format_type(o.oprright, -1)) END
     FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
     CROSS JOIN LATERAL (SELECT CASE WHEN o.oid >= 16384 THEN pgtrack._own_equality(o.oid) END AS function) x WHERE o.oid = p_operator),
    CASE WHEN p_otherwise LIKE $r$pg\_catalog.%$r$ THEN format('%s OPERATOR(%s) %s', p_left, p_otherwise, p_right)
         -- Without the domains, which are another type.
         ELSE format('ROW(coalesce(%s, NULL))::pg_catalog.record OPERATOR(pg_catalog.=) ROW(coalesce(%s, NULL))::pg_catalog.record', p_left, p_right) END));
END
$_equal_sql$;
COMMENT ON FUNCTION pgtrack._equal_sql(oid, text, text, text) IS
  'The condition that two values are equal, by this operator and no other of its name; by the other one named if it is gone.';

-- Values of foreign types are equal when their texts are. An operator would have to be found by its name, and an implicit
-- cast of the type's owner may lead to another one, or to none.
CREATE OR REPLACE FUNCTION pgtrack._live_is_sql(p_live text, p_type oid, p_stored text, p_operator oid, p_otherwise text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_is_sql$
BEGIN
  RETURN (
  SELECT CASE WHEN pgtrack._foreign_kind(p_type) IS NULL THEN pgtrack._equal_sql(p_operator, p_otherwise, p_live, p_stored)
              ELSE format('%s OPERATOR(pg_catalog.=) %s', pgtrack._output_sql(p_live, p_type), p_stored) END);
END
$_live_is_sql$;
COMMENT ON FUNCTION pgtrack._live_is_sql(text, oid, text, oid, text) IS
  'The condition that a value of the live table is the one that is stored.';

CREATE OR REPLACE FUNCTION pgtrack._stored_is_sql(p_kind text, p_operator oid, p_otherwise text, p_left text, p_right text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_is_sql$
BEGIN
  RETURN (
  SELECT CASE WHEN p_kind IS NULL THEN pgtrack._equal_sql(p_operator, p_otherwise, p_left, p_right)
              ELSE format('%s OPERATOR(pg_catalog.=) %s', p_left, p_right) END);
END
$_stored_is_sql$;
COMMENT ON FUNCTION pgtrack._stored_is_sql(text, oid, text, text, text) IS 'The condition that two stored values are equal.';

-- ==== catalog/own_names.sql ====

-- A schema of somebody else's can be renamed, and another made in its place, at any moment: text that names a type or an
-- operator in it may then mean another, with code of their own. Names are looked up again whenever text is read. So text of
-- ours names no type of an extension and no operator of one, but what was made of them in our own schema, once, and looked
-- at afterwards: a domain over the type, and a function that compares by the operator, which PostgreSQL takes apart when it plans.
CREATE OR REPLACE FUNCTION pgtrack._own_type(p_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_type$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I', t.typname) FROM pg_type t
  WHERE t.typname LIKE $r$key\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace AND t.typtype = 'd' AND t.typbasetype = p_type
  -- What is gone with a transaction that has not ended yet is older.
  ORDER BY t.oid DESC LIMIT 1);
END
$_own_type$;
COMMENT ON FUNCTION pgtrack._own_type(oid) IS 'Our domain over a type of an extension; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._own_equality(p_operator oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_equality$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I', p.proname)
  FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
  WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_operator'::regclass AND d.refobjid = p_operator
    AND p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname LIKE $r$equal\_%$r$
  ORDER BY p.oid DESC LIMIT 1);
END
$_own_equality$;
COMMENT ON FUNCTION pgtrack._own_equality(oid) IS 'Our function that compares by an operator of an extension; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._type_sql(p_type oid, p_typmod integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_type_sql$
BEGIN
  RETURN coalesce(CASE WHEN p_type >= 16384 THEN pgtrack._own_type(p_type) END, format_type(p_type, p_typmod));
END
$_type_sql$;
COMMENT ON FUNCTION pgtrack._type_sql(oid, integer) IS 'How text of ours names the type of a stored value, of a key or to convert to.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_other_meaning(p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other_meaning$
BEGIN
  RAISE EXCEPTION 'the name of % has got another meaning meanwhile', p_what USING
    ERRCODE = 'serialization_failure', HINT = 'Try again when nobody renames it, or its schema.';
END
$_refuse_other_meaning$;
COMMENT ON FUNCTION pgtrack._refuse_other_meaning(text) IS 'Refuses what a name was found to mean, before a value has to do with it.';

CREATE OR REPLACE FUNCTION pgtrack._own_name(p_kind text, p_name name, p_relation integer) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_own_name$
BEGIN
  -- With the relation's number, so that nobody waits for who does the same for another table.
  RETURN pgtrack._free_name(format('%s_%s_%s', p_kind, left(p_name::text, 40), p_relation), (
    SELECT array_agg(x.name) FROM (
      SELECT t.typname AS name FROM pg_type t WHERE t.typname LIKE p_kind || $r$\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace
      UNION ALL SELECT p.proname FROM pg_proc p WHERE p.proname LIKE p_kind || $r$\_%$r$ AND p.pronamespace = 'pgtrack_history'::regnamespace) x));
END
$_own_name$;
COMMENT ON FUNCTION pgtrack._own_name(text, name, integer) IS 'A new name in our schema.';

-- Another transaction may drop, or have dropped, what nobody needed but this one, which it does not see. It takes the row of
-- pgtrack.secret for itself, which no other role can lock. Nobody waits: with nothing held, a name is made anew, or stays.
CREATE OR REPLACE FUNCTION pgtrack._hold_own_names() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hold_own_names$
BEGIN
  PERFORM FROM pgtrack.secret FOR KEY SHARE SKIP LOCKED;
  RETURN FOUND;
END
$_hold_own_names$;
COMMENT ON FUNCTION pgtrack._hold_own_names() IS 'Whether names of types and operators that are found afterwards stay until the transaction ends.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_type(p_relation integer, p_type oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_own_type$
DECLARE
  v_is_held  boolean;
  v_name     name;
BEGIN
  IF p_type < 16384 THEN
    RETURN;
  END IF;
  v_is_held := pgtrack._hold_own_names();
  -- A snapshot that lasts has what is gone; what finds a name has not.
  IF v_is_held AND to_regtype(pgtrack._own_type(p_type)) IS NOT NULL THEN
    RETURN;
  END IF;
  v_name := pgtrack._own_name('key', (SELECT t.typname FROM pg_type t WHERE t.oid = p_type), p_relation);
  EXECUTE format('CREATE DOMAIN pgtrack_history.%I AS %s', v_name, format_type(p_type, NULL));
  IF pgtrack._own_type(p_type) IS DISTINCT FROM format('pgtrack_history.%I', v_name) THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
  -- Whoever names it in a query needs no right; nobody else shall make anything that stands on it.
  EXECUTE format('REVOKE ALL ON DOMAIN pgtrack_history.%I FROM PUBLIC', v_name);
  EXECUTE format('COMMENT ON DOMAIN pgtrack_history.%I IS %L', v_name, 'What text of pg_track calls a type of an extension.');
END
$_make_own_type$;
COMMENT ON FUNCTION pgtrack._make_own_type(integer, oid) IS 'Gives a type of an extension, which histories have, a name in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_equality(p_relation integer, p_operator oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_own_equality$
DECLARE
  v_operator  record;
  v_is_held   boolean;
  v_function  regprocedure;
BEGIN
  SELECT o.*, n.nspname INTO v_operator FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = p_operator;
  IF v_operator.nspname = 'pg_catalog'
     OR EXISTS (SELECT FROM pg_type t WHERE t.oid IN (v_operator.oprleft, v_operator.oprright) AND t.typtype = 'p') THEN
    RETURN;
  END IF;
  v_is_held := pgtrack._hold_own_names();
  IF v_is_held AND to_regproc(pgtrack._own_equality(p_operator)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE FUNCTION pgtrack_history.%I(%s, %s) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC SELECT $1 OPERATOR(%I.%s) $2; END',
                 pgtrack._own_name('equal', (SELECT t.typname FROM pg_type t WHERE t.oid = v_operator.oprleft), p_relation),
                 format_type(v_operator.oprleft, NULL), format_type(v_operator.oprright, NULL), v_operator.nspname, v_operator.oprname);
  SELECT p.oid INTO v_function FROM pg_proc p
  WHERE format('pgtrack_history.%I', p.proname) = pgtrack._own_equality(p_operator) AND p.pronamespace = 'pgtrack_history'::regnamespace
    AND (p.proargtypes[0], p.proargtypes[1]) = (v_operator.oprleft, v_operator.oprright)
    -- No other operator, and no cast.
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                    AND (d.refclassid = 'pg_operator'::regclass AND d.refobjid <> p_operator OR d.refclassid = 'pg_proc'::regclass));
  IF v_function IS NULL THEN
    PERFORM pgtrack._refuse_other_meaning(format('the operator %s', p_operator::regoperator));
  END IF;
  EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_function, 'Compares keys by an operator of an extension, for text of pg_track.');
END
$_make_own_equality$;
COMMENT ON FUNCTION pgtrack._make_own_equality(integer, oid) IS 'Gives an operator of an extension, which compares keys, a name in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._make_own_names(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_make_own_names$
BEGIN
  PERFORM pgtrack._make_own_type(p_relation, k.stored), pgtrack._make_own_equality(p_relation, k.operator)
  FROM pgtrack._key_parts(p_relation) k WHERE k.stored >= 16384 OR k.kind IS NULL AND k.operator >= 16384;
END
$_make_own_names$;
COMMENT ON FUNCTION pgtrack._make_own_names(integer) IS 'Gives what the key of a table has of extensions names in our schema.';

CREATE OR REPLACE FUNCTION pgtrack._unused_own_types() RETURNS TABLE (type oid, name name, base oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_unused_own_types$
BEGIN
  RETURN QUERY
    SELECT t.oid, t.typname, t.typbasetype FROM pg_type t
    WHERE t.typname LIKE $r$key\_%$r$ AND t.typnamespace = 'pgtrack_history'::regnamespace AND t.typtype = 'd'
      AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relnamespace = 'pgtrack_history'::regnamespace
                      WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = t.typbasetype AND d.classid = 'pg_class'::regclass);
END
$_unused_own_types$;
COMMENT ON FUNCTION pgtrack._unused_own_types() IS 'Our domains over types that no history has any more.';

CREATE OR REPLACE FUNCTION pgtrack._drop_own_names() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_own_names$
DECLARE
  v_type   record;
  v_other  text;
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack._unused_own_types()) OR pgtrack._snapshot_lasts() THEN
    RETURN;
  END IF;
  PERFORM FROM pgtrack.secret FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  FOR v_type IN
    SELECT * FROM pgtrack._unused_own_types()
  LOOP
    PERFORM pgtrack._drop_function(p.oid) FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass AND d.refobjid IN (v_type.type, v_type.base)
      AND p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname ~ '^(equal|key)_' GROUP BY p.oid;
    BEGIN
      EXECUTE format('DROP DOMAIN pgtrack_history.%I', v_type.name);
    EXCEPTION WHEN dependent_objects_still_exist THEN
      GET STACKED DIAGNOSTICS v_other = PG_EXCEPTION_DETAIL;
      RAISE WARNING 'the type % stays: %', v_type.type::regtype, v_other USING HINT = 'Nothing of pg_track uses it any more.';
    END;
  END LOOP;
END
$_drop_own_names$;
COMMENT ON FUNCTION pgtrack._drop_own_names() IS 'Drops such names of types that no history has any more, so that the types can be dropped.';

-- DDL of ours has to name a type. A table that is empty is looked at afterwards. Where there are rows, PostgreSQL makes values
-- of the type at once: from an expression, which is evaluated before, and finds which type the column has got. Once for a
-- command is enough: the setting is cleared before it, and nobody else's code runs until it is written.
CREATE OR REPLACE FUNCTION pgtrack._find_meaning(p_table regclass, p_column name, p_type oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_find_meaning$
DECLARE
  v_type  oid;
BEGIN
  -- From PostgreSQL's caches: the command that is under way has changed them.
  EXECUTE format('SELECT pg_typeof((NULL::%s).%I)', p_table, p_column) INTO v_type;
  IF v_type <> p_type THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
END
$_find_meaning$;
COMMENT ON FUNCTION pgtrack._find_meaning(regclass, name, oid) IS 'Refuses a column of a table of ours that has got another type than was meant, while it gets it.';

CREATE OR REPLACE FUNCTION pgtrack._if_meant(p_value anyelement, p_table regclass, p_column name, p_type oid) RETURNS anyelement
LANGUAGE plpgsql STABLE AS $_if_meant$
BEGIN
  IF pg_catalog.current_setting('pgtrack.meant') OPERATOR(pg_catalog.=) '' THEN
    PERFORM pgtrack._find_meaning(p_table, p_column, p_type);
    PERFORM pg_catalog.set_config('pgtrack.meant', 'found', true);
  END IF;
  RETURN p_value;
END
$_if_meant$;
COMMENT ON FUNCTION pgtrack._if_meant(anyelement, regclass, name, oid) IS 'A value, if a column of a table of ours gets this type; else an error.';

CREATE OR REPLACE FUNCTION pgtrack._execute_if_meant(p_command text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_execute_if_meant$
BEGIN
  PERFORM set_config('pgtrack.meant', '', true);
  EXECUTE p_command;
END
$_execute_if_meant$;
COMMENT ON FUNCTION pgtrack._execute_if_meant(text) IS 'Executes DDL of ours that has _if_meant() in it.';

CREATE OR REPLACE FUNCTION pgtrack._require_meant(p_table regclass, p_column name, p_type oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_meant$
BEGIN
  IF (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = p_column) <> p_type THEN
    PERFORM pgtrack._refuse_other_meaning(format('the type %s', format_type(p_type, NULL)));
  END IF;
END
$_require_meant$;
COMMENT ON FUNCTION pgtrack._require_meant(regclass, name, oid) IS 'Refuses a column of a table of ours that is of another type than was meant.';

-- ==== catalog/shown.sql ====

-- What of a value an image shows. Undo never looks at it: it takes the values as they are stored.

-- jsonb takes less than json does: no \u0000, no number of a million digits. Whoever writes such a value shall not make
-- the history unreadable.
CREATE OR REPLACE FUNCTION pgtrack._json(p_value json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
DECLARE
  v_value  jsonb;
BEGIN
  v_value := p_value::jsonb;
  RETURN CASE WHEN v_value @? 'strict $.**{100}' THEN to_jsonb(p_value::text) ELSE v_value END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json) IS
  'A value of type json as jsonb; as a string of its text where that cannot hold it, or it is nested deep.';

CREATE OR REPLACE FUNCTION pgtrack._json(p_value json[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_json$
DECLARE
  v_value  jsonb;
BEGIN
  v_value := to_jsonb(p_value);
  RETURN CASE WHEN v_value @? 'strict $.**{100}' THEN to_jsonb(p_value::text) ELSE v_value END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN to_jsonb(p_value::text);
END
$_json$;
COMMENT ON FUNCTION pgtrack._json(json[]) IS 'The same for an array of them.';

-- What is nested as deep as a stack allows is read by nobody whose stack holds something already, and parsers of JSON in
-- programs take little more than 100 levels; the text of jsonb can be made of any. This test goes no deeper than it asks. A
-- level takes at least eight bytes, of which compression leaves three; of a jsonpath it may leave next to nothing, but in an
-- array nothing is compressed.
CREATE OR REPLACE FUNCTION pgtrack._nested_sql(p_expression text, p_stored_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_nested_sql$
DECLARE
  c_json CONSTANT  text := $r$pg_column_size(%1$s) > 250 AND %2$s OPERATOR(pg_catalog.@?) 'strict $.**{100}'$r$;
  c_path CONSTANT  text := 'pg_column_size(ARRAY[%2$s]) > 10000';
  c_any CONSTANT   text := 'EXISTS (SELECT FROM unnest(%s) AS u (v) WHERE %s)';
BEGIN
  RETURN CASE p_stored_type
    WHEN 'jsonb'::regtype THEN format(c_json, p_expression, p_expression)
    WHEN 'jsonb[]'::regtype THEN format(c_any, p_expression, format(c_json, p_expression, 'u.v'))
    WHEN 'jsonpath'::regtype THEN format(c_path, p_expression, p_expression)
    WHEN 'jsonpath[]'::regtype THEN format(c_any, p_expression, format(c_path, p_expression, 'u.v')) END;
END
$_nested_sql$;
COMMENT ON FUNCTION pgtrack._nested_sql(text, oid) IS
  'The condition that a value is nested deeper than an image shows; null for types whose values are not nested.';

-- jsonb holds 256 MB, and nobody looks at so much. What is not shown of a value is told apart by a digest.
CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('%s... (%s bytes, digest %s)', left(p_value, 60), octet_length(p_value), to_hex(hashtextextended(p_value COLLATE "C", 0)));
END;
COMMENT ON FUNCTION pgtrack._shortened(text) IS 'The beginning of a long text, with its length and a digest.';

CREATE OR REPLACE FUNCTION pgtrack._shortened(p_value bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($r$\x%s... (%s bytes, digest %s)$r$, encode(substr(p_value, 1, 30), 'hex'), octet_length(p_value), left(encode(sha256(p_value), 'hex'), 16));
END;
COMMENT ON FUNCTION pgtrack._shortened(bytea) IS 'The same for bytes.';

-- The length of text and bytes is known without reading them. Of other values only the length as they are stored is, which
-- compression makes shorter, but not by more than 255 times; whether one is shown must not depend on that.
CREATE OR REPLACE FUNCTION pgtrack._json_sql(p_expression text, p_stored_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_json_sql$
DECLARE
  c_most CONSTANT  integer := 8 * 1024 * 1024;
  v_nested         text := pgtrack._nested_sql(p_expression, p_stored_type);
BEGIN
  RETURN CASE
    WHEN p_stored_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'bytea'::regtype)
      THEN format('CASE WHEN octet_length(%1$s) > %2$s THEN pgtrack._shortened(%1$s) ELSE %3$s END', p_expression, c_most,
                  CASE p_stored_type WHEN 'bytea'::regtype THEN format('(%s)::text', p_expression) ELSE p_expression END)
    WHEN (SELECT t.typlen <> -1 FROM pg_type t WHERE t.oid = p_stored_type) OR p_stored_type = 'numeric'::regtype THEN p_expression
    -- Its text is made by going down.
    WHEN p_stored_type IN ('jsonpath'::regtype, 'jsonpath[]'::regtype)
      THEN format('CASE WHEN %s THEN to_jsonb(concat(''a jsonpath of '', pg_column_size(%s), '' bytes'')) ELSE to_jsonb(%2$s) END',
                  v_nested, p_expression)
    ELSE format('CASE WHEN pg_column_size(%1$s) > %2$s / 256 AND octet_length((%1$s)::text) > %2$s'
                ' THEN to_jsonb(pgtrack._shortened((%1$s)::text))%3$s ELSE %4$s END', p_expression, c_most,
                ' WHEN ' || v_nested || format(' THEN to_jsonb((%s)::text)', p_expression),
                CASE WHEN p_stored_type IN ('json'::regtype, 'json[]'::regtype) THEN format('pgtrack._json(%s)', p_expression)
                     ELSE format('to_jsonb(%s)', p_expression) END) END;
END
$_json_sql$;
COMMENT ON FUNCTION pgtrack._json_sql(text, oid) IS 'The expression for a stored value in an image.';

-- ==== catalog/foreign_code.sql ====

-- What code runs when a value of a type is made, or an expression is planned. Who owns a function says little: many a
-- superuser's runs text as SQL, query_to_xml() for one, and of PostgreSQL's own pg_depend names none. So expressions are
-- read as the server stores them. In that form a name has a backslash before each blank and brace, so that no name looks
-- like a node or a field, and whatever did would be one thing more to answer for.

CREATE OR REPLACE FUNCTION pgtrack._is_trusted(p_owner oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_trusted$
BEGIN
  RETURN EXISTS (SELECT FROM pg_roles r WHERE r.oid = p_owner AND (r.rolsuper OR r.rolname = current_user));
END
$_is_trusted$;
COMMENT ON FUNCTION pgtrack._is_trusted(oid) IS 'Whether a role is a superuser or the current user.';

-- Whoever calls an immutable function gets nothing but its result, and a superuser says that it is one. Not so plain are
-- those that are told by an OID what to call, and those of extensions that are not PostgreSQL's, where they are given text.
-- A function of any type (anyelement) calls what the type has for it: nothing of others, where the type runs no foreign code.
CREATE OR REPLACE FUNCTION pgtrack._is_harmless(p_function oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_harmless$
DECLARE
  c_opaque CONSTANT      regtype[] := '{oid,cstring,internal,regclass,regproc,regprocedure,regoper,regoperator,regtype,regrole,'
    'regnamespace}';
  c_texts CONSTANT       regtype[] := '{text,varchar,bpchar,name,_text,_varchar,json,jsonb,xml}';
  c_times CONSTANT       regtype[] := '{date,time,timetz,timestamp,timestamptz,interval}';
  c_clocks CONSTANT      text[] := '{now,transaction_timestamp,statement_timestamp,clock_timestamp,to_date,to_timestamp,to_number}';
  c_extensions CONSTANT  text[] := '{btree_gin,btree_gist,citext,cube,earthdistance,fuzzystrmatch,hstore,intarray,isn,ltree,pg_trgm,'
    'pgcrypto,seg,unaccent,uuid-ossp}';
BEGIN
  RETURN EXISTS (
    SELECT FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner AND r.rolsuper
    CROSS JOIN LATERAL (SELECT p.proargtypes::oid[]::regtype[] AS types) a
    LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    WHERE p.oid = p_function AND NOT a.types && c_opaque AND CASE p.provolatile
      WHEN 'i' THEN e.oid IS NULL OR e.extname = ANY (c_extensions) OR NOT a.types && c_texts
      -- What depends on the time zone, or says what time it is.
      ELSE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
        AND (a.types && c_times AND a.types <@ (c_times || '{text}') OR p.proname = ANY (c_clocks)) END);
END
$_is_harmless$;
COMMENT ON FUNCTION pgtrack._is_harmless(oid) IS
  'Whether a function runs no code but its own, whatever it is given, if the types of what it is given run none.';

CREATE OR REPLACE FUNCTION pgtrack._foreign_call(p_expression text, p_owner oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_call$
DECLARE
  -- Those whose functions all stand in the fields that are read, or belong to their types.
  c_nodes CONSTANT  text[] := '{ARRAY,ARRAYCOERCEEXPR,ARRAYEXPR,BOOLEANTEST,BOOLEXPR,CASE,CASEEXPR,CASETESTEXPR,CASEWHEN,COALESCE,'
    'COALESCEEXPR,COERCETODOMAIN,COERCETODOMAINVALUE,COERCEVIAIO,COLLATE,COLLATEEXPR,CONST,DISTINCTEXPR,FIELDSELECT,FUNCEXPR,JSONFORMAT,'
    'JSONISPREDICATE,MINMAX,MINMAXEXPR,NULLIFEXPR,NULLTEST,OPEXPR,RELABELTYPE,SCALARARRAYOPEXPR,SQLVALUEFUNCTION,SUBSCRIPTINGREF,VAR,'
    'WHEN}';
  v_is_trusted  boolean := pgtrack._is_trusted(p_owner);
BEGIN
  RETURN (
  SELECT coalesce(min(p.oid::regprocedure::text), min(c.what))
  FROM (SELECT m.part[1]::oid AS function, NULL::oid AS operator, 'a function' AS what, NULL AS node
        FROM regexp_matches(p_expression, $r$:(?:funcid|opfuncid) (\d+)$r$, 'g') AS m (part)
        UNION SELECT NULL, m.part[1]::oid, 'an operator', NULL FROM regexp_matches(p_expression, $r$:opno (\d+)$r$, 'g') AS m (part)
        UNION SELECT NULL, NULL, 'an expression of kind ' || m.part[1], m.part[1] FROM regexp_matches(p_expression, $r$\{([^ }]+)$r$, 'g') AS m (part)) c
  LEFT JOIN pg_proc p ON p.oid = c.function
  WHERE CASE WHEN c.function IS NOT NULL
             THEN NOT pgtrack._is_harmless(c.function) AND NOT (v_is_trusted AND p.oid IS NOT NULL AND pgtrack._is_trusted(p.proowner))
             -- The planner puts the negator or commutator in an operator's place, which may call another function.
             WHEN c.operator IS NOT NULL
             THEN EXISTS (SELECT FROM pg_operator o JOIN pg_operator x ON x.oid IN (o.oid, o.oprnegate, o.oprcom)
                          WHERE o.oid = c.operator AND NOT pgtrack._is_trusted(x.oprowner))
             ELSE NOT v_is_trusted AND c.node <> ALL (c_nodes) END);
END
$_foreign_call$;
COMMENT ON FUNCTION pgtrack._foreign_call(text, oid) IS
  'What of an expression, which is of something that belongs to this role, might run code of others than superusers and the current user: '
  'a function or a kind of node; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._types_in(p_expression text) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_types_in$
BEGIN
  -- A column's value is there already.
  RETURN QUERY SELECT DISTINCT m.part[2]::oid FROM regexp_matches(p_expression, $r$:([a-z_]*type(?:[iI]d)?) (\d+)$r$, 'g') AS m (part)
    WHERE m.part[1] <> 'vartype';
END
$_types_in$;
COMMENT ON FUNCTION pgtrack._types_in(text) IS 'The types of the values that an expression makes.';

-- The checks of a domain, in whatever the type is made of, or the canonical function of a range. Checks come and go, so it
-- is asked when it matters.
CREATE OR REPLACE FUNCTION pgtrack._runs_foreign_code(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_runs_foreign_code$
BEGIN
  RETURN (
  WITH RECURSIVE part (type) AS (
    SELECT p_type WHERE p_type >= 16384
    UNION
    SELECT x.type
    FROM part JOIN pg_type t ON t.oid = part.type
    CROSS JOIN LATERAL (
      SELECT t.typbasetype
      UNION ALL SELECT t.typelem
      UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
      UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
      UNION ALL SELECT y.type FROM pg_constraint c CROSS JOIN LATERAL pgtrack._types_in(c.conbin::text) AS y (type)
                WHERE c.contypid = t.oid AND c.conbin IS NOT NULL) AS x (type)
    WHERE x.type >= 16384
  )
  SELECT EXISTS (
    SELECT FROM part JOIN pg_type t ON t.oid = part.type JOIN pg_constraint c ON c.contypid = t.oid
    WHERE c.conbin IS NOT NULL AND pgtrack._foreign_call(c.conbin::text, t.typowner) IS NOT NULL)
  OR EXISTS (
    SELECT FROM part JOIN pg_range r ON r.rngtypid = part.type JOIN pg_proc p ON p.oid = r.rngcanonical
    WHERE NOT pgtrack._is_trusted(p.proowner)));
END
$_runs_foreign_code$;
COMMENT ON FUNCTION pgtrack._runs_foreign_code(oid) IS
  'Whether making a value of a type might run code of others than superusers and the current user.';

CREATE OR REPLACE FUNCTION pgtrack._foreign_code_in(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384 AND pgtrack._runs_foreign_code(a.atttypid);
END;
COMMENT ON FUNCTION pgtrack._foreign_code_in(regclass) IS
  'The columns of a table for which a row cannot be made without running code of others than superusers and the current user; '
  'null for none.';

-- A key as an argument of a verb.
CREATE OR REPLACE FUNCTION pgtrack._key_value(p_key anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_key_value$
BEGIN
  IF pg_typeof(p_key)::oid < 16384 OR pgtrack._foreign_kind(pg_typeof(p_key)) IS NULL THEN
    RETURN to_jsonb(p_key);
  END IF;
  RETURN CASE WHEN num_nulls(p_key) = 0 THEN to_jsonb(format('%s', p_key)) END;
END
$_key_value$;
COMMENT ON FUNCTION pgtrack._key_value(anyelement) IS 'A key of any type as JSON, by no code of the type''s owner.';

-- ==== catalog/recorded.sql ====

-- Assigned as an UPDATE would do it, or by its text, as a change of type with USING may have done.
CREATE OR REPLACE FUNCTION pgtrack._retyped(p_value anyelement, p_type anycompatible, p_column text) RETURNS anycompatible
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_retyped$
DECLARE
  v_value  p_type%TYPE;
BEGIN
  v_value := p_value;
  RETURN v_value;
EXCEPTION WHEN data_exception OR cannot_coerce THEN
  RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_value) USING
    ERRCODE = 'datatype_mismatch',
    DETAIL = format('The column was of type %s then and is of type %s now: %s.', pg_typeof(p_value), pg_typeof(p_type), sqlerrm),
    HINT = 'pgtrack.history() shows the row as it was.';
END
$_retyped$;
COMMENT ON FUNCTION pgtrack._retyped(anyelement, anycompatible, text) IS 'A recorded value of a column that has another type now.';

CREATE OR REPLACE FUNCTION pgtrack._recorded(p_column pgtrack.relation_column, p_image text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorded$
BEGIN
  RETURN (
  SELECT coalesce(
    'CASE ' || string_agg(format('WHEN %1$s.pgtrack_statement_id <= %2$s THEN pgtrack._retyped(%1$s.%3$I, (NULL::pgtrack_history.%4$I).%5$I, %6$L)',
                                 p_image, g.until, g.history_column, r.history_table, p_column.history_column,
                                 format('%I of %s', p_column.column_name, pgtrack._name(r.relid))), ' ' ORDER BY g.until)
      || format(' ELSE %s.%I END', p_image, p_column.history_column),
    format('%s.%I', p_image, p_column.history_column))
  FROM pgtrack.relation_column g
  JOIN pgtrack.relation r ON r.relation_id = g.relation_id
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND a.attname = p_column.history_column
  WHERE g.relation_id = p_column.relation_id AND g.successor = p_column.attnum);
END
$_recorded$;
COMMENT ON FUNCTION pgtrack._recorded(pgtrack.relation_column, text) IS
  'The expression for what an image says of a column, recorded before its type was changed or after that.';

CREATE OR REPLACE FUNCTION pgtrack._recorded_since(p_column pgtrack.relation_column) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorded_since$
BEGIN
  RETURN (
  SELECT least(min(g.since), p_column.since)
  FROM pgtrack.relation_column g WHERE g.relation_id = p_column.relation_id AND g.successor = p_column.attnum);
END
$_recorded_since$;
COMMENT ON FUNCTION pgtrack._recorded_since(pgtrack.relation_column) IS 'Images recorded by statements up to this one do not have the column in any type.';

-- ==== catalog/key_shape.sql ====

-- Equality is strategy 3 of a btree operator class. A key WITHOUT OVERLAPS (PostgreSQL 18) has another index; its last column
-- is a range, and equal to another where it is the same.
CREATE OR REPLACE FUNCTION pgtrack._overlap_operator(p_index oid, p_attnum smallint, p_position bigint) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_overlap_operator$
BEGIN
  RETURN (
  SELECT CASE WHEN p_position < i.indnkeyatts THEN n.conexclop[p_position]
              ELSE CASE t.typtype WHEN 'r' THEN 'pg_catalog.=(anyrange,anyrange)'::regoperator
                                  ELSE 'pg_catalog.=(anymultirange,anymultirange)'::regoperator END::oid END
  FROM pg_index i
  LEFT JOIN pg_constraint n ON n.conindid = i.indexrelid AND n.contype = 'p'
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p_attnum
  CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, -1) b
  JOIN pg_type t ON t.oid = b.type
  WHERE i.indexrelid = p_index);
END
$_overlap_operator$;
COMMENT ON FUNCTION pgtrack._overlap_operator(oid, smallint, bigint) IS 'The operator that compares a column of a primary key WITHOUT OVERLAPS.';

-- JSON shows a value of hstore, say, by the cast, and it is not read again from that.
CREATE OR REPLACE FUNCTION pgtrack._is_cast_to_json(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_cast_to_json$
BEGIN
  RETURN (
  SELECT pgtrack._foreign_kind(p_type) IS NULL AND EXISTS (
    SELECT FROM pg_type t JOIN pg_cast c ON c.castsource IN (t.oid, t.typelem) AND c.casttarget = 'json'::regtype AND c.castmethod = 'f'
    WHERE t.oid = b.type AND t.oid >= 16384)
  FROM pgtrack._base_type(p_type, -1) b);
END
$_is_cast_to_json$;
COMMENT ON FUNCTION pgtrack._is_cast_to_json(oid) IS 'Whether values of a type of an extension, as history has them, become JSON by a cast of their own.';

CREATE OR REPLACE FUNCTION pgtrack._key_operators(p_table regclass) RETURNS TABLE ("position" bigint, attnum smallint, operator oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_operators$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.position, k.attnum,
         -- 403: btree (src/include/catalog/pg_am.dat).
         CASE c.opcmethod WHEN 403 THEN (SELECT p.amopopr FROM pg_amop p WHERE p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype
                                         AND p.amoprighttype = c.opcintype AND p.amopstrategy = 3)
              ELSE pgtrack._overlap_operator(i.indexrelid, k.attnum, k.position) END
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::smallint[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
  JOIN pg_opclass c ON c.oid = k.opclass
  WHERE i.indrelid = p_table AND i.indisprimary AND k.position <= i.indnkeyatts
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum = ANY (i.indkey) AND a.atttypid >= 16384
                      AND pgtrack._is_cast_to_json(a.atttypid));
END
$_key_operators$;
COMMENT ON FUNCTION pgtrack._key_operators(regclass) IS
  'The columns of a table''s primary key, each with the operator that compares it; none for a key that cannot be read again from JSON.';

CREATE OR REPLACE FUNCTION pgtrack._has_digest(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_digest$
BEGIN
  RETURN EXISTS (
    SELECT FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'hash'
    JOIN pg_amproc f ON f.amprocfamily = c.opcfamily AND f.amproclefttype = c.opcintype AND f.amprocnum = 2
    JOIN pg_type t ON t.oid = p_type
    WHERE c.opcdefault AND c.opcintype IN (t.oid, t.typelem));
END
$_has_digest$;
COMMENT ON FUNCTION pgtrack._has_digest(oid) IS 'Whether values of a type, or of an array''s elements, have a number that all that equal them have.';

CREATE OR REPLACE FUNCTION pgtrack._key_parts(p_relation integer)
RETURNS TABLE ("position" bigint, column_name name, history_column name, type oid, typmod integer, kind text, stored oid, stored_type text,
               operator oid, equality text, is_loose boolean, has_digest boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_parts$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.position, k.name, c.history_column, a.atttypid, a.atttypmod, pgtrack._foreign_kind(a.atttypid),
         h.atttypid, pgtrack._type_sql(h.atttypid, h.atttypmod), o.operator, k.equality,
         -- What JSON calls equal is what these types do, but for types of extensions.
         h.atttypid >= 16384
           OR h.atttypid = ANY ('{interval,interval[],numrange,numrange[],nummultirange,nummultirange[]}'::regtype[])
           OR h.atttypid = ANY ('{bpchar,bpchar[]}'::regtype[]) AND h.atttypmod < 0
           OR EXISTS (SELECT FROM pg_collation l WHERE l.oid = h.attcollation AND NOT l.collisdeterministic),
         h.atttypid < 16384 OR pgtrack._has_digest(h.atttypid)
  FROM pgtrack.relation r
  CROSS JOIN LATERAL unnest(r.key_columns, r.key_equality) WITH ORDINALITY AS k (name, equality, position)
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.column_name = k.name AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = k.name
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
  LEFT JOIN pgtrack._key_operators(r.relid) o ON o.attnum = a.attnum
  WHERE r.relation_id = p_relation;
END
$_key_parts$;
COMMENT ON FUNCTION pgtrack._key_parts(integer) IS
  'The columns of a table''s key, each with where and as what it is recorded, the operator that compares it in the table, '
  'whether values that differ as JSON may be equal, and whether such values have a digest.';

CREATE OR REPLACE FUNCTION pgtrack._is_rounded(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.oid IN ('real'::regtype, 'double precision'::regtype) OR t.typcategory IN ('A', 'G', 'R') OR t.typcategory = 'U' AND t.oid >= 16384
  FROM pg_type t WHERE t.oid = p_type;
END;
COMMENT ON FUNCTION pgtrack._is_rounded(oid) IS 'Whether JSON may have less of a value of a type than the value itself, by the settings of a session.';

-- The same pieces of pgtrack.relation_shape for all rows.
CREATE OR REPLACE FUNCTION pgtrack._make_key_shape(INOUT p_shape pgtrack.relation_shape)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_make_key_shape$
BEGIN
  SELECT string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.k, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, x.h, x.k), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.h, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.c, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, x.h, x.c), ' AND ' ORDER BY k.position),
         CASE WHEN bool_or(pgtrack._is_rounded(k.stored))
              THEN format('(SELECT pgtrack._exact_json(x.*) FROM (SELECT %s) AS x)', string_agg(format('%s AS %I', x.h, k.column_name), ', ' ORDER BY k.position))
              ELSE format('jsonb_build_object(%s)', string_agg(format('%L, %s', k.column_name, x.h), ', ' ORDER BY k.position)) END,
         string_agg(x.c, ', ' ORDER BY k.position),
         bool_and(k.stored = ANY ('{smallint,integer,bigint,numeric,text,varchar,bpchar,uuid,boolean}'::regtype[])),
         -- An enum has one way to write a label.
         CASE WHEN bool_or(k.kind NOT IN ('enum', 'base')) THEN format('jsonb_build_object(%s)', string_agg(
           format('%L, %s', k.column_name, CASE WHEN k.kind NOT IN ('enum', 'base') THEN format('coalesce(%s, %s)',
             pgtrack._output_sql(pgtrack._input_sql(x.k, k.type, NULL), k.type), x.k) ELSE x.k END), ', ' ORDER BY k.position)) END,
         -- The history's column knows the collation.
         CASE WHEN bool_or(k.is_loose) THEN string_agg(format('coalesce(%s, (NULL::%s).%I)', x.k, p_shape.history, k.history_column),
                                                       ', ' ORDER BY k.position) END,
         bool_or(k.is_loose) AND bool_and(k.has_digest)
  INTO p_shape.key_record, p_shape.live_is_key, p_shape.history_is_key, p_shape.live_is_history, p_shape.live_is_change, p_shape.same_row,
       p_shape.key_json, p_shape.change_keys, p_shape.key_is_plain, p_shape.key_entered, p_shape.compared_key, p_shape.key_has_digest
  FROM pgtrack._key_parts(p_shape.relation_id) k
  CROSS JOIN LATERAL (SELECT format('t.%I', k.column_name) AS t, format('k.%I', k.column_name) AS k,
                             format('h.%I', k.history_column) AS h, format('c.%I', k.history_column) AS c) x;
END
$_make_key_shape$;
COMMENT ON FUNCTION pgtrack._make_key_shape(pgtrack.relation_shape) IS 'Makes the pieces that have to do with the key.';

-- ==== catalog/column_shape.sql ====

-- What each column of a table is in the pieces:
--   own, old, base    its stored value in the image h, that as its present type is stored, and the same in c
--   shown             old in a plan, which refuses what an undo would refuse
--   compared, wanted  the live value and that of h, as they are stored: compared without a function of the type's
--   value             that of h as it can be written
-- An image recorded before a column existed says nothing about it: not shown, and left as it is by a revert.
CREATE OR REPLACE FUNCTION pgtrack._column_parts(p_relation integer, p_table regclass, p_columns text[])
RETURNS TABLE (attnum smallint, column_name name, since bigint, own_since bigint, is_unknown text, stored oid, own text, old text,
               base text, shown text, compared text, wanted text, value text, can_insert boolean, can_update boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_column_parts$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH col AS MATERIALIZED (
    SELECT a.attnum, a.attname AS column_name, c.since AS own_since, pgtrack._recorded_since(c) AS since, format('h.%I', c.history_column) AS own,
           pgtrack._recorded(c, 'h') AS old, pgtrack._recorded(c, 'c') AS base, b.atttypid AS stored,
           format_type(b.atttypid, b.atttypmod) AS stored_type,
           a.atttypid AS type, format_type(a.atttypid, a.atttypmod) AS type_name, y.type AS base_type, pgtrack._foreign_kind(a.atttypid) AS kind,
           format('t.%I', a.attname) AS live, format('%I of %s', a.attname, pgtrack._name(p_table)) AS name,
           a.attgenerated = '' AS can_insert, p_columns IS NULL OR a.attname = ANY (p_columns) AS is_chosen
    FROM pgtrack.relation r
    JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id
    -- OFFSET 0: they are looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT pgtrack._attnum(p_table, c.column_name, c.attnum) AS attnum OFFSET 0) n
    CROSS JOIN LATERAL (SELECT a.* FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum = n.attnum OFFSET 0) a
    CROSS JOIN LATERAL (
      SELECT b.* FROM pg_attribute b
      WHERE b.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND b.attname = c.history_column OFFSET 0) b
    CROSS JOIN LATERAL (SELECT a.atttypid AS type, a.atttypmod AS typmod WHERE a.atttypid < 12000
                        UNION ALL SELECT y.type, y.typmod FROM pgtrack._base_type(a.atttypid, a.atttypmod) y WHERE a.atttypid >= 12000) y
    WHERE r.relation_id = p_relation
  ), piece AS (
    SELECT col.*, format('h.pgtrack_statement_id <= %s', since) AS is_unknown, format('(%s)::text', old) AS text,
           -- What a domain is based on is what is stored; rows of different types cannot be compared.
           CASE WHEN kind IS NOT NULL THEN pgtrack._output_sql(live, type)
                WHEN type = stored THEN live WHEN base_type = stored AND stored >= 16384 THEN format('coalesce(%s, NULL)', live)
                ELSE format('%s::%s', live, stored_type) END AS compared
    FROM col
  ), written AS (
    SELECT p.*, CASE WHEN kind IS NULL THEN old ELSE pgtrack._input_sql(text, type, name) END AS value FROM piece p
  )
  SELECT attnum, column_name, since, own_since, is_unknown, stored, own, old, base,
         CASE WHEN kind = 'enum' AND is_chosen THEN format('pgtrack._known_label(%s, %s, %L)', text, base_type, name) ELSE old END,
         compared,
         CASE since WHEN 0 THEN old ELSE format('CASE WHEN %s THEN %s ELSE %s END', is_unknown, compared, old) END,
         CASE WHEN type <> base_type THEN format('(%s)::%s', value, type_name) ELSE value END,
         can_insert, can_insert AND is_chosen
  FROM written;
END
$_column_parts$;
COMMENT ON FUNCTION pgtrack._column_parts(integer, regclass, text[]) IS
  'The columns of a tracked table, with the expressions that its pieces are made of; of rows that are updated only p_columns, if named.';

-- Values are compared byte by byte: 1.0 and 1.00 differ, and types without an equality operator can be compared. What these
-- types call equal is the same bytes, text in the collation C; a record for each value takes far longer.
CREATE OR REPLACE FUNCTION pgtrack._has_quick_equality(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_type = ANY ('{smallint,integer,bigint,oid,boolean,date,time,timestamp,timestamptz,uuid,bytea,text,varchar,name}'::regtype[]);
END;
COMMENT ON FUNCTION pgtrack._has_quick_equality(oid) IS 'Whether values of a type are equal where their bytes are.';

CREATE OR REPLACE FUNCTION pgtrack._differ_sql(p_left text, p_right text, p_type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._has_quick_equality(p_type)
    THEN format('(((%1$s)%3$s OPERATOR(pg_catalog.=) (%2$s)%3$s) IS NOT TRUE AND (%1$s IS NOT NULL OR %2$s IS NOT NULL))', p_left, p_right,
                CASE WHEN p_type = ANY ('{text,varchar,name}'::regtype[]) THEN ' COLLATE pg_catalog."C"' END)
    ELSE format('ROW(%s)::record OPERATOR(pg_catalog.*<>) ROW(%s)::record', p_left, p_right) END;
END;
COMMENT ON FUNCTION pgtrack._differ_sql(text, text, oid) IS 'The condition that two values of a type are not the same, byte by byte.';

CREATE OR REPLACE FUNCTION pgtrack._make_column_shape(INOUT p_shape pgtrack.relation_shape, p_table regclass, p_columns text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_make_column_shape$
DECLARE
  v_history   regclass := p_shape.history;
  v_retyped   text;
  v_redacted  jsonb;
BEGIN
  SELECT string_agg(format('CASE WHEN h.pgtrack_statement_id > %s AND h.pgtrack_statement_id <= %s'
                           ' THEN jsonb_build_object(%L, %s) ELSE ''{}'' END || ', g.since, g.until, g.column_name,
                           pgtrack._json_sql(format('h.%I', g.history_column), a.atttypid)), '' ORDER BY g.until)
  INTO v_retyped
  FROM pgtrack.relation_column g JOIN pg_attribute a ON a.attrelid = v_history AND a.attname = g.history_column
  WHERE g.relation_id = p_shape.relation_id AND g.until IS NOT NULL;

  SELECT format('(%s(SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)%s)', v_retyped,
                string_agg(format('%s AS %I', pgtrack._json_sql(own, stored), column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN h.pgtrack_statement_id <= %s THEN %L ELSE '''' END', own_since, column_name), '')
                  FILTER (WHERE own_since > 0)),
         format('((SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)%s)',
                string_agg(format('%s AS %I', pgtrack._json_sql(shown, stored), column_name), ', ' ORDER BY attnum),
                string_agg(format(' - CASE WHEN %s THEN %L ELSE '''' END', is_unknown, column_name), '') FILTER (WHERE since > 0)),
         format('(SELECT to_jsonb(pgtrack_row.*) FROM (SELECT %s) pgtrack_row)',
                string_agg(format('%s AS %I', pgtrack._json_sql(compared, stored), column_name), ', ' ORDER BY attnum)),
         array_agg(quote_ident(column_name) ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(value ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(since ORDER BY attnum) FILTER (WHERE can_insert),
         array_agg(quote_ident(column_name) ORDER BY attnum) FILTER (WHERE can_update),
         array_agg(value ORDER BY attnum) FILTER (WHERE can_update),
         '(' || nullif(concat_ws(' OR ',
           string_agg(pgtrack._differ_sql(compared, wanted, stored), ' OR ' ORDER BY attnum) FILTER (WHERE can_update AND is_quick),
           'ROW(' || string_agg(compared, ', ' ORDER BY attnum) FILTER (WHERE can_update AND NOT is_quick) || ')::record OPERATOR(pg_catalog.*<>) ROW('
             || string_agg(wanted, ', ' ORDER BY attnum) FILTER (WHERE can_update AND NOT is_quick) || ')::record'), '') || ')',
         array_agg(pgtrack._differ_sql(compared, wanted, stored) ORDER BY attnum) FILTER (WHERE can_update),
         array_agg(format('ROW(%s)::record *= ROW(%s)::record', compared, base) ORDER BY attnum) FILTER (WHERE can_update),
         format('array_remove(ARRAY[%s], NULL)',
                string_agg(format('CASE WHEN %s THEN %L END', pgtrack._differ_sql(compared, old, stored), column_name),
                           ', ' ORDER BY attnum) FILTER (WHERE can_insert AND since = 0))
  INTO p_shape.image, p_shape.restored, p_shape.live_image, p_shape.inserted, p_shape.inserted_values, p_shape.inserted_since,
       p_shape.updated, p_shape.updated_values, p_shape.differs, p_shape.updated_differ, p_shape.updated_stayed, p_shape.differing
  FROM (SELECT p.*, pgtrack._has_quick_equality(p.stored) AS is_quick FROM pgtrack._column_parts(p_shape.relation_id, p_table, p_columns) p) p;

  SELECT jsonb_object_agg(o, '[redacted]') INTO v_redacted
  FROM pgtrack.relation r CROSS JOIN LATERAL jsonb_array_elements_text(r.options -> 'redact') o WHERE r.relation_id = p_shape.relation_id;
  IF v_redacted IS NOT NULL THEN
    p_shape.image := format('(%s || %L::jsonb)', p_shape.image, v_redacted);
    p_shape.restored := format('(%s || %L::jsonb)', p_shape.restored, v_redacted);
    p_shape.live_image := format('(%s || %L::jsonb)', p_shape.live_image, v_redacted);
  END IF;
END
$_make_column_shape$;
COMMENT ON FUNCTION pgtrack._make_column_shape(pgtrack.relation_shape, regclass, text[]) IS
  'Makes the pieces that have to do with the columns.';

-- A cast to a domain makes a check of null, too; of a row that is null every column is null without one.
CREATE OR REPLACE FUNCTION pgtrack._row_values(p_relation integer, p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_row_values$
DECLARE
  -- By the columns' numbers. Each is asked for once, not for each pair of columns.
  v_recorded  jsonb := (
    SELECT jsonb_object_agg(pgtrack._attnum(p_table, c.column_name, c.attnum), pgtrack._recorded(c, 'h'))
    FROM pgtrack.relation_column c WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL);
BEGIN
  RETURN (
  SELECT string_agg(CASE WHEN x.old IS NULL THEN x.none
                         WHEN t.typtype = 'd' THEN format('CASE WHEN (%s) IS NULL THEN %s ELSE (%s)::%s END',
                                                          x.old, x.none, x.value, x.type)
                         ELSE format('(%s)::%s', x.value, x.type) END, ', ' ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (SELECT v_recorded ->> a.attnum::text AS old OFFSET 0) o
  CROSS JOIN LATERAL (
    SELECT o.old, format_type(a.atttypid, a.atttypmod) AS type, format('(NULL::%s).%I', pgtrack._name(p_table), a.attname) AS none,
           CASE WHEN pgtrack._foreign_kind(a.atttypid) IS NULL THEN o.old
                ELSE pgtrack._input_sql(format('(%s)::text', o.old), a.atttypid,
                                        format('%I of %s', a.attname, pgtrack._name(p_table))) END AS value) x
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped);
END
$_row_values$;
COMMENT ON FUNCTION pgtrack._row_values(integer, regclass) IS
  'The image h as the columns of a row of the table''s type; what is not recorded is null.';

-- ==== catalog/shape.sql ====

-- The pieces that dynamic SQL about one tracked table is made of. In them, t is the live table, h its history
-- table, c another row of the history table and k a key: jsonb_to_record(<key>) AS k(<key_record>).
-- Of a row that is updated only p_columns are set, where that is not null.
CREATE OR REPLACE FUNCTION pgtrack._make_shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_make_shape$
DECLARE
  v_shape     pgtrack.relation_shape;
  v_relation  record;
  v_root      regclass;
BEGIN
  SELECT r.relation_id, r.history_table, r.key_columns, c.relkind INTO v_relation
  FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
  WHERE r.relid = p_table;
  IF NOT FOUND THEN
    SELECT p.oid INTO v_root FROM pg_class c CROSS JOIN LATERAL (SELECT pg_partition_root(c.oid) AS oid) p
    WHERE c.oid = p_table AND c.relispartition;
    RAISE EXCEPTION 'table % is not tracked', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = CASE WHEN v_root IS NULL
        THEN format('Start with SELECT * FROM pgtrack.track(%L). Only changes made after that have a history.', pgtrack._name(p_table))
        ELSE format('It is a partition; its history is under %L.', pgtrack._name(v_root)) END;
  END IF;
  v_shape.relation_id := v_relation.relation_id;
  v_shape.name := pgtrack._name(p_table);
  -- The rows of inheriting tables are not this table's; those of partitions are.
  v_shape.live_table := CASE v_relation.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || v_shape.name;
  v_shape.history := format('pgtrack_history.%I', v_relation.history_table);
  v_shape.keys := v_relation.key_columns;
  v_shape := pgtrack._make_key_shape(v_shape);
  IF v_shape.keys <> '{}' AND v_shape.key_record IS NULL THEN
    RAISE EXCEPTION 'the primary key of % has changed unnoticed', v_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() notices it.';
  END IF;
  v_shape := pgtrack._make_column_shape(v_shape, p_table, p_columns);
  v_shape.row_values := pgtrack._row_values(v_shape.relation_id, p_table);
  v_shape.type_names := pgtrack._type_names(p_table);
  v_shape.fingerprint := pgtrack._fingerprint(p_table);
  RETURN v_shape;
END
$_make_shape$;
COMMENT ON FUNCTION pgtrack._make_shape(regclass, text[]) IS 'Makes the pieces that dynamic SQL about one tracked table is made of.';

CREATE OR REPLACE FUNCTION pgtrack._type_names(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_type_names$
BEGIN
  RETURN (
  SELECT string_agg(concat_ws(' ', format_type(a.atttypid, NULL), format_type(b.type, NULL)), ', ' ORDER BY a.attnum)
  FROM pg_attribute a CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, -1) b
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384);
END
$_type_names$;
COMMENT ON FUNCTION pgtrack._type_names(regclass) IS
  'The names of the types of a table''s columns, apart from PostgreSQL''s own; null for none.';

-- Text names a table, and another name may be given to it, or its name to a view, before the text is read. With a lock
-- nothing of that happens. A function that may not LOCK TABLE, as it must work in a read-only query, has this one that
-- locks by number, ACCESS SHARE until the transaction ends (table_to_xmlschema in src/backend/utils/adt/xml.c). What is
-- asked then comes from PostgreSQL's cache: the snapshot may be from before the lock.
CREATE OR REPLACE FUNCTION pgtrack._hold_table(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_hold_table$
BEGIN
  -- Whoever has much to lose holds the schema's name, too, where the transaction may lock a row.
  IF NOT current_setting('transaction_read_only')::boolean AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    PERFORM pgtrack._hold_name(p_table);
  END IF;
  PERFORM table_to_xmlschema(p_table, false, false, '');
  -- PostgreSQL 15 makes a view of a table that is given a rule; to read it is to run whatever the rule says.
  IF (pg_identify_object('pg_class'::regclass, p_table, 0)).type <> 'table' THEN
    RAISE EXCEPTION '% is no table any more', pgtrack._name(p_table) USING
      ERRCODE = 'wrong_object_type', DETAIL = 'It has become a view, or something else that runs code when it is read.';
  END IF;
END
$_hold_table$;
COMMENT ON FUNCTION pgtrack._hold_table(regclass) IS
  'Keeps a table what it is, with its name, until the transaction ends; refuses what is tracked as a table, but is none any more.';

-- PostgreSQL calls what is in indexes and statistics when it plans a query of their table. Who makes one, or alters the
-- table, waits for this lock; who writes rows does not.
CREATE OR REPLACE FUNCTION pgtrack._hold_definition(p_table regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_hold_definition$
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  IF NOT pg_is_in_recovery() AND has_table_privilege(p_table, 'UPDATE, DELETE, TRUNCATE') THEN
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', p_table);
    RETURN true;
  END IF;
  RETURN pg_is_in_recovery() OR EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = p_table AND l.pid = pg_backend_pid() AND l.granted
      AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'));
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RETURN false;
END
$_hold_definition$;
COMMENT ON FUNCTION pgtrack._hold_definition(regclass) IS
  'Keeps a table what it is, its indexes and statistics too, until the transaction ends; false if the current user, or whoever called it before, may not, or others just change them.';

-- Whoever renames a schema waits for this lock (_on_ddl).
CREATE OR REPLACE FUNCTION pgtrack._hold_name(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hold_name$
BEGIN
  PERFORM FROM pgtrack.relation r WHERE r.relid IN (p_table, pg_partition_root(p_table)) FOR KEY SHARE;
END
$_hold_name$;
COMMENT ON FUNCTION pgtrack._hold_name(regclass) IS
  'Keeps the schema of a tracked table from being renamed until the transaction ends; for who may lock its row in pgtrack.relation.';

CREATE OR REPLACE FUNCTION pgtrack._shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_shape$
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  RETURN pgtrack._known_shape(p_table, p_columns);
END
$_shape$;
COMMENT ON FUNCTION pgtrack._shape(regclass, text[]) IS
  'The pieces that dynamic SQL about one tracked table is made of; of a row that is updated, only some columns are set if they are named.';

-- For what is done with the history alone: the table may be in use then, or no table any more. The pieces are
-- made when the table's shape is followed, and anew where it was not, or where names have changed.
CREATE OR REPLACE FUNCTION pgtrack._known_shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_known_shape$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT s.* INTO v_shape
  FROM pgtrack.relation r JOIN pgtrack.relation_shape s USING (relation_id)
  WHERE r.relid = p_table;
  -- Compared here, so that it is computed for this table alone.
  IF p_columns IS NOT NULL OR v_shape.fingerprint IS DISTINCT FROM pgtrack._fingerprint(p_table) OR v_shape.name <> pgtrack._name(p_table)
     OR v_shape.type_names IS NOT NULL AND v_shape.type_names <> pgtrack._type_names(p_table) THEN
    RETURN pgtrack._make_shape(p_table, p_columns);
  END IF;
  RETURN v_shape;
END
$_known_shape$;
COMMENT ON FUNCTION pgtrack._known_shape(regclass, text[]) IS 'The same without a lock: the table must not be read by its name then.';

-- ==== catalog/key.sql ====

-- Pinned settings: the same row must have the same text whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._canonical_key(p_key jsonb, p_key_record text, p_expression text DEFAULT 'to_jsonb(k.*)') RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_canonical_key$
DECLARE
  v_key  jsonb;
BEGIN
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s)', p_expression, p_key_record) INTO v_key USING p_key;
  RETURN v_key;
END
$_canonical_key$;
COMMENT ON FUNCTION pgtrack._canonical_key(jsonb, text, text) IS
  'A key in the one form that is the same for the same row, independent of the session''s settings.';

-- With few extra_float_digits two numbers may look the same, and a zone's name in a range may mean another zone when it is read.
CREATE OR REPLACE FUNCTION pgtrack._exact_json(p_row record) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_exact_json$
BEGIN
  RETURN to_jsonb(p_row);
END
$_exact_json$;
COMMENT ON FUNCTION pgtrack._exact_json(record) IS 'A row as JSON that loses nothing, whatever the session''s settings.';

CREATE OR REPLACE FUNCTION pgtrack._key(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key$
DECLARE
  v_key      jsonb := p_key;
  v_example  text;
  v_reason   text;
BEGIN
  IF p_shape.keys = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', p_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Its changes are recorded, but a single row cannot be named.',
      HINT = format('Add one: ALTER TABLE %s ADD PRIMARY KEY (...).', p_shape.name);
  END IF;
  IF v_key IS NULL THEN
    RAISE EXCEPTION 'the key must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  BEGIN
    IF cardinality(p_shape.keys) > 1 AND jsonb_typeof(v_key) = 'string' THEN
      v_key := (v_key #>> '{}')::jsonb;
    END IF;
    IF cardinality(p_shape.keys) = 1
       AND (jsonb_typeof(v_key) <> 'object' OR NOT v_key ? p_shape.keys[1]::text) THEN
      v_key := jsonb_build_object(p_shape.keys[1], v_key);
    ELSIF jsonb_typeof(v_key) <> 'object'
       OR p_shape.keys::text[] <> ALL (SELECT array_agg(k ORDER BY array_position(p_shape.keys::text[], k))
                                      FROM jsonb_object_keys(v_key) k) THEN
      v_reason := CASE jsonb_typeof(v_key)
        WHEN 'object' THEN format('It names the columns (%s).', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(v_key) k))
        ELSE format('It is one value, the key has %s columns.', cardinality(p_shape.keys)) END;
    END IF;
    IF v_reason IS NULL THEN
      -- With the session's own settings, which decide what "01/02/2026" is.
      EXECUTE format('SELECT %s(pgtrack_row.*) FROM jsonb_to_record($1) AS pgtrack_row(%s)',
                     CASE WHEN p_shape.key_is_plain THEN 'to_jsonb' ELSE 'pgtrack._exact_json' END, p_shape.key_record)
      INTO v_key USING v_key;
      IF p_shape.key_entered IS NOT NULL THEN
        v_key := pgtrack._canonical_key(v_key, p_shape.key_record, p_shape.key_entered);
      END IF;
      IF p_shape.key_is_plain THEN
        RETURN v_key;
      END IF;
      RETURN pgtrack._canonical_key(v_key, p_shape.key_record);
    END IF;
  EXCEPTION WHEN data_exception THEN
    v_reason := initcap(left(SQLERRM, 1)) || substr(SQLERRM, 2) || '.';
  END;
  SELECT format('{%s}', string_agg(format('%s: ...', to_json(k)), ', ' ORDER BY position)) INTO v_example
  FROM unnest(p_shape.keys) WITH ORDINALITY AS o (k, position);
  RAISE EXCEPTION 'the key % does not fit table %', p_key, p_shape.name USING
    ERRCODE = 'invalid_parameter_value',
    DETAIL = v_reason,
    HINT = format('The primary key is (%s). Write it as ''%s''%s.',
                  (SELECT string_agg(format('%I %s', k.column_name, CASE WHEN k.stored < 16384 THEN k.stored_type ELSE format_type(k.stored, NULL) END),
                                     ', ' ORDER BY k.position) FROM pgtrack._key_parts(p_shape.relation_id) k), v_example,
                  CASE cardinality(p_shape.keys) WHEN 1 THEN ', or as the value alone' ELSE '' END);
END
$_key$;
COMMENT ON FUNCTION pgtrack._key(pgtrack.relation_shape, jsonb) IS 'The canonical key that a caller means, or an error that shows how to write one.';

CREATE OR REPLACE FUNCTION pgtrack._key(p_table regclass, p_key jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pgtrack._key(pgtrack._shape(p_table), p_key);
END;
COMMENT ON FUNCTION pgtrack._key(regclass, jsonb) IS 'The same for a table whose shape is not at hand.';

CREATE OR REPLACE FUNCTION pgtrack._key_text(p_key jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.string_agg(pg_catalog.format('%s=%s', k.key, k.value), ', ') FROM pg_catalog.jsonb_each_text(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._key_text(jsonb) IS 'A key for messages: id=1, or order_id=1, product_id=100.';

CREATE OR REPLACE FUNCTION pgtrack._require_key(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_key$
BEGIN
  IF (SELECT s.keys FROM pgtrack._shape(p_table) s) = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Its changes are recorded, but a single row cannot be named.',
      HINT = format('Add one: ALTER TABLE %s ADD PRIMARY KEY (...).', pgtrack._name(p_table));
  END IF;
END
$_require_key$;
COMMENT ON FUNCTION pgtrack._require_key(regclass) IS 'Refuses tables whose rows cannot be named.';

-- ==== catalog/foreign_keys.sql ====

-- Which foreign keys refer to what: a key may be to a partition, or be of one, alone. Those that PostgreSQL makes for each
-- partition from a table's own are left out.
CREATE OR REPLACE FUNCTION pgtrack._foreign_keys_to(p_table regclass) RETURNS SETOF pg_constraint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_keys_to$
BEGIN
  RETURN QUERY
    SELECT c.* FROM pg_constraint c
    WHERE c.contype = 'f' AND c.conparentid = 0
      AND c.confrelid = ANY (ARRAY(SELECT m.relid::oid FROM pgtrack._members(p_table) m UNION SELECT a.relid FROM pg_partition_ancestors(p_table) a));
END
$_foreign_keys_to$;
COMMENT ON FUNCTION pgtrack._foreign_keys_to(regclass) IS
  'The foreign keys that rows of a table may be referred to by: those to it, to one of its partitions, or to what it is a partition of.';

CREATE OR REPLACE FUNCTION pgtrack._table_with(p_member regclass, p_tables regclass[]) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_table_with$
BEGIN
  RETURN (SELECT t FROM unnest(p_tables) t WHERE t = p_member OR t IN (SELECT a.relid FROM pg_partition_ancestors(p_member) a) LIMIT 1);
END
$_table_with$;
COMMENT ON FUNCTION pgtrack._table_with(regclass, regclass[]) IS 'Which of some tables a table is, or is a partition of; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._followers(p_key pg_constraint) RETURNS SETOF pg_constraint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT f.* FROM pgtrack._foreign_keys_to(p_key.conrelid) f
  WHERE EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute b ON b.attname = a.attname
                WHERE a.attrelid = p_key.conrelid AND a.attnum = ANY (p_key.conkey) AND b.attrelid = f.confrelid AND b.attnum = ANY (f.confkey));
END;
COMMENT ON FUNCTION pgtrack._followers(pg_constraint) IS 'The foreign keys that refer to columns of another foreign key.';

-- ==== catalog/as_role.sql ====

-- Defaults, checks, triggers and generated columns are code of a table's owner, and run as whoever writes. Where that is
-- somebody with more rights, the statement is executed as the owner: not after SET ROLE, which such code could set back,
-- but in a SECURITY DEFINER function of the owner, where it cannot. The function is made for the one time: its owner could
-- alter a lasting one.

-- What is put off until COMMIT would run as whoever that ends for: constraint triggers, exclusion
-- constraints with expressions. Foreign keys run as their tables' owners always. Since PostgreSQL 18 triggers run as who
-- caused them.
CREATE OR REPLACE FUNCTION pgtrack._put_off() RETURNS TABLE (names text, put_off text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('%I.%I', n.nspname, c.conname), ', '), string_agg(format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.condeferred)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
  WHERE c.condeferrable AND c.contype IN ('t', 'x');
END;
COMMENT ON FUNCTION pgtrack._put_off() IS 'The constraints that run code of the application and can be put off until COMMIT, and those that are unless told otherwise.';

-- The path is in force here alone, unless what runs sets another for the session, which _as_role() looks for.
CREATE OR REPLACE FUNCTION pgtrack._fire_constraints(p_names text, p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_fire_constraints$
DECLARE
  v_command  text := format('SET CONSTRAINTS %s IMMEDIATE', p_names);
BEGIN
  PERFORM set_config('search_path', p_path, true);
  EXECUTE v_command;
END
$_fire_constraints$;
COMMENT ON FUNCTION pgtrack._fire_constraints(text, text) IS 'Runs constraints that were put off, under a search_path.';

-- Whatever is put off comes of a row that is written, and a command that writes one takes a number, which nobody can set
-- back. Two calls with nothing written in between are two numbers apart: the row is written, and deleted.
-- SECURITY DEFINER: only the owner writes the table.
CREATE OR REPLACE FUNCTION pgtrack._command_id() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_command_id$
DECLARE
  v_id     bigint;
  v_place  tid;
BEGIN
  INSERT INTO pgtrack.command (is_mark) VALUES (true) RETURNING cmin::text::bigint, ctid INTO v_id, v_place;
  DELETE FROM pgtrack.command c WHERE c.ctid = v_place;
  RETURN v_id;
END
$_command_id$;
COMMENT ON FUNCTION pgtrack._command_id() IS 'The number of the present command in its transaction (cmin).';

-- What runs may put off something again, so it is over when nothing has been written any more.
CREATE OR REPLACE FUNCTION pgtrack._finish_constraints(p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_constraints$
DECLARE
  -- An older snapshot does not show all of them.
  c_all CONSTANT  boolean := pgtrack._snapshot_lasts();
  v_names         text;
  v_before        bigint;
BEGIN
  FOR attempt IN 1 .. 10 LOOP
    v_names := CASE WHEN c_all THEN 'ALL' ELSE (SELECT p.names FROM pgtrack._put_off() p) END;
    IF v_names IS NULL THEN
      RETURN;
    END IF;
    v_before := pgtrack._command_id();
    BEGIN
      PERFORM pgtrack._fire_constraints(v_names, p_path);
    -- One of them cannot be named by this role.
    EXCEPTION WHEN insufficient_privilege THEN
      PERFORM pgtrack._fire_constraints('ALL', p_path);
    END;
    IF pgtrack._command_id() = v_before + 2 THEN
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION 'a deferred trigger puts off its work again and again' USING
    ERRCODE = 'insufficient_privilege',
    DETAIL = format('It runs as %s, and at COMMIT it would run with your rights.', current_user),
    HINT = format('Undo it as %s.', current_user);
END
$_finish_constraints$;
COMMENT ON FUNCTION pgtrack._finish_constraints(text) IS 'Runs, as the present role and under a search_path, what has been put off until COMMIT.';

-- Settings of applications cannot be listed. These would be recorded as the session's, or lead commands of ours elsewhere.
CREATE OR REPLACE FUNCTION pgtrack._own_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.name, coalesce(current_setting(n.name, true), '')
  FROM unnest('{pgtrack.actor,pgtrack.message,pgtrack.search_path,pgtrack.row_security,pgtrack.quote_all_identifiers}'::text[]) AS n (name);
END;
COMMENT ON FUNCTION pgtrack._own_settings() IS 'What pg_track keeps in settings that anybody can set.';

-- What code that ran as somebody else can leave behind in a session, to run or to mislead whoever goes on there.
CREATE OR REPLACE FUNCTION pgtrack._session_state() RETURNS TABLE (kind text, name text, state text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT 'cursor', c.name, concat_ws(' ', c.is_holdable, c.creation_time, c.statement) FROM pg_cursors c
  UNION ALL SELECT 'prepared statement', p.name, concat_ws(' ', p.prepare_time, p.from_sql, p.parameter_types, p.statement) FROM pg_prepared_statements p
  UNION ALL SELECT concat('temporary ', i.type), coalesce(i.name, i.identity), concat_ws(' ', d.objid, i.identity)
  FROM pg_depend d CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = pg_my_temp_schema()
  UNION ALL SELECT 'setting', o.name, o.value FROM pgtrack._own_settings() o
  UNION ALL SELECT 'setting', s.name, concat_ws(' from ', s.setting,
    CASE WHEN s.name NOT IN ('event_triggers', 'session_replication_role') THEN s.source END)
  FROM pg_settings s
  WHERE s.context IN ('user', 'superuser')
    AND s.name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'search_path', 'seed');
END;
COMMENT ON FUNCTION pgtrack._session_state() IS 'What a session has that lasts: cursors, prepared statements, temporary objects, settings.';

-- SET can hide behind SET LOCAL until COMMIT: what is in force then was set for the session, and nothing shows it before.
-- But a function with a SET clause puts a setting back when it returns, whatever SET LOCAL did in it, and does not after a
-- SET. So what runs the code has such clauses, and at its end sets everything so that it comes from elsewhere than before:
-- the sources of before are there afterwards, or somebody has set something for the session.
CREATE OR REPLACE FUNCTION pgtrack._other_settings(p_role name) RETURNS TABLE (setting text, clause text, other text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- What the session has set goes back to its default; what it has not, it sets to what it is.
  SELECT s.name, CASE WHEN s.name = 'temp_tablespaces' AND s.setting <> '' THEN $q$= ''$q$ ELSE 'FROM CURRENT' END,
         CASE WHEN s.source <> 'session' THEN CASE s.name WHEN 'temp_tablespaces' THEN '' ELSE s.setting END END
  FROM pg_settings s
  WHERE (s.context = 'user'
         OR s.context = 'superuser' AND has_parameter_privilege(s.name, 'SET') AND has_parameter_privilege(p_role, s.name, 'SET'))
    AND s.name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'search_path', 'seed',
                       -- Ours at times, and then not what the code is to run with.
                       'event_triggers', 'session_replication_role')
    -- What is in force, but might not be taken again.
    AND NOT (s.vartype = 'string' AND s.setting = '' AND strpos(s.name, '.') > 0)
    AND (s.name <> 'default_tablespace' OR s.setting = '' OR EXISTS (SELECT FROM pg_tablespace t WHERE t.spcname = s.setting))
    AND (s.name <> 'default_text_search_config' OR EXISTS (
      SELECT FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
      WHERE s.setting = format('%I.%I', n.nspname, c.cfgname) AND has_schema_privilege(p_role, n.oid, 'USAGE')))
  UNION ALL SELECT o.name, 'FROM CURRENT', gen_random_uuid()::text FROM pgtrack._own_settings() o
  -- Only superusers may have a clause for what is no setting of PostgreSQL's.
  WHERE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AND set_config(o.name, o.value, true) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._other_settings(name) IS
  'The settings by which a session can be misled and which code of a role could set; a clause that keeps each, and its last value.';

-- PREPARE lasts where its transaction does not: what is prepared goes, and whoever executes it is told that it is not there.
CREATE OR REPLACE FUNCTION pgtrack._drop_prepared(p_before jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_prepared$
DECLARE
  v_name  text;
BEGIN
  FOREACH v_name IN ARRAY ARRAY(
    SELECT s.name FROM pgtrack._session_state() s
    WHERE s.kind = 'prepared statement'
      AND NOT EXISTS (SELECT FROM jsonb_to_recordset(p_before) AS b (kind text, name text, state text)
                      WHERE (b.kind, b.name, b.state) = (s.kind, s.name, s.state)))
  LOOP
    EXECUTE format('DEALLOCATE %I', v_name);
  END LOOP;
END
$_drop_prepared$;
COMMENT ON FUNCTION pgtrack._drop_prepared(jsonb) IS 'Drops the prepared statements that were not there before.';

-- What is gone can mislead as well: a name is found elsewhere then.
CREATE OR REPLACE FUNCTION pgtrack._refuse_other_state(p_before jsonb, p_role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_other_state$
DECLARE
  v_change  record;
BEGIN
  WITH before AS MATERIALIZED (SELECT b.* FROM jsonb_to_recordset(p_before) AS b (kind text, name text, state text)),
       after AS MATERIALIZED (SELECT s.* FROM pgtrack._session_state() s)
  SELECT c.* INTO v_change
  FROM (SELECT 'leaves' AS verb, 'in' AS preposition, x.* FROM (TABLE after EXCEPT TABLE before) x
        UNION ALL SELECT 'takes', 'out of', x.* FROM (TABLE before EXCEPT TABLE after) x) c
  ORDER BY c.verb LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a trigger, default or check of % % the % "%" % your session', p_role, v_change.verb, v_change.kind, v_change.name, v_change.preposition USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'You have more rights than that role, and could be misled to run its code or to say what you do not mean.',
      HINT = format('Undo it as %s.', p_role);
  END IF;
END
$_refuse_other_state$;
COMMENT ON FUNCTION pgtrack._refuse_other_state(jsonb, name) IS 'Refuses what code of a role has left in the session, or taken out of it.';

-- Who knows a cursor's name may read on in it, and PL/pgSQL gives the cursors of its loops names that can be guessed. One
-- that is running, such as this query, cannot be moved.
CREATE OR REPLACE FUNCTION pgtrack._refuse_open_cursors(p_role name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_open_cursors$
DECLARE
  v_cursor  refcursor;
BEGIN
  -- That of the protocol has no name.
  FOREACH v_cursor IN ARRAY ARRAY(SELECT c.name::refcursor FROM pg_cursors c) LOOP
    BEGIN
      MOVE RELATIVE 0 IN v_cursor;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
      CONTINUE;
    END;
    RAISE EXCEPTION 'the cursor "%" is open', v_cursor USING
      ERRCODE = 'invalid_cursor_state',
      DETAIL = format('This runs code of %s, which could read on in it with your rights. A loop over a query has a cursor, too.', p_role),
      HINT = format('Close it, call this outside of the loop, as in SELECT pgtrack.undo(…) FROM …, or do it as %s.', p_role);
  END LOOP;
END
$_refuse_open_cursors$;
COMMENT ON FUNCTION pgtrack._refuse_open_cursors(name) IS 'Refuses to run code of a role where it could read in cursors of the session.';

CREATE OR REPLACE FUNCTION pgtrack._make_role_function(p_function text, p_role name, p_clauses text, p_path text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_make_role_function$
DECLARE
  v_events  text;
BEGIN
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format($create$
    CREATE FUNCTION %s(statements pg_catalog.text[], query pg_catalog.text, path pg_catalog.text, others pg_catalog.jsonb)
    RETURNS SETOF pg_catalog.jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp %s AS $$
    DECLARE
      v_statement  text;
      v_row        record;
      v_count      bigint;
    BEGIN
      PERFORM pg_catalog.set_config('search_path', path, true);
      FOREACH v_statement IN ARRAY statements LOOP
        EXECUTE v_statement;
        GET DIAGNOSTICS v_count = ROW_COUNT;
      END LOOP;
      IF query IS NULL THEN
        RETURN NEXT pg_catalog.jsonb_build_object('rows', v_count);
      ELSE
        FOR v_row IN EXECUTE query LOOP
          RETURN NEXT pg_catalog.to_jsonb(v_row);
        END LOOP;
      END IF;
      PERFORM pgtrack._finish_constraints(path);
      PERFORM pg_catalog.set_config('search_path', path, true), pg_catalog.count(pg_catalog.set_config(o.key, o.value, true))
      FROM pg_catalog.jsonb_each_text(others) o;
    END $$$create$, p_function, p_clauses), p_path);
  PERFORM pgtrack._execute(format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', p_function), p_path);
  PERFORM pgtrack._execute(format('ALTER FUNCTION %s OWNER TO %I', p_function, p_role), p_path);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_make_role_function$;
COMMENT ON FUNCTION pgtrack._make_role_function(text, name, text, text) IS
  'Makes the function of a role that executes statements, then a query, and at its end sets the settings of p_clauses to others.';

CREATE OR REPLACE FUNCTION pgtrack._as_role(p_role name, p_statements text[], p_query text DEFAULT NULL, p_path text DEFAULT 'pg_catalog, pg_temp')
RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_as_role$
DECLARE
  v_function  text := format('pg_temp.%I', 'pgtrack_run_' || gen_random_uuid());
  v_mark      text := format('pg_catalog, pg_temp, %I', gen_random_uuid());
  v_others    jsonb;
  v_clauses   text;
  v_own       jsonb := (SELECT jsonb_object_agg(o.name, o.value) FROM pgtrack._own_settings() o);
  v_state     jsonb;
  v_name      text;
  v_events    text;
BEGIN
  PERFORM pgtrack._refuse_open_cursors(p_role);
  SELECT jsonb_object_agg(o.setting, o.other), string_agg(format('SET %I %s', o.setting, o.clause), ' ') INTO v_others, v_clauses
  FROM pgtrack._other_settings(p_role) o;
  PERFORM pgtrack._make_role_function(v_function, p_role, v_clauses, p_path);
  v_state := (SELECT jsonb_agg(s) FROM pgtrack._session_state() s);
  -- Of the path, it is the present value that nobody knows.
  PERFORM set_config('search_path', v_mark, true);
  BEGIN
    RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2, $3, $4)', v_function) USING p_statements, p_query, p_path, v_others;
    -- A search_path would be in force for all that comes, and is already: nothing here is found through it.
    IF pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) v_mark THEN
      RAISE EXCEPTION 'a trigger has set search_path for the session' USING
        ERRCODE = 'insufficient_privilege', DETAIL = pg_catalog.concat('It runs as ', p_role, ', and you have more rights than that.');
    END IF;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    -- Where there is no clause for them.
    PERFORM set_config(o.key, o.value, true) FROM jsonb_each_text(v_own) o WHERE NOT coalesce(v_others, '{}') ? o.key;
    PERFORM pgtrack._refuse_other_state(v_state, p_role);
  -- Nothing is kept from whoever called: it is raised again.
  EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
    PERFORM pgtrack._drop_prepared(v_state);
    RAISE;
  END;
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('DROP FUNCTION %s', v_function), p_path);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  SELECT p.put_off INTO v_name FROM pgtrack._put_off() p;
  IF v_name IS NOT NULL THEN
    EXECUTE format('SET CONSTRAINTS %s DEFERRED', v_name);
  END IF;
END
$_as_role$;
COMMENT ON FUNCTION pgtrack._as_role(name, text[], text, text) IS
  'Executes statements, then a query, with the rights of a role and no others: the rows of the query, or how many the last statement touched.';

-- ==== capture/seal.sql ====

-- Settings are the only state that lasts from one function call to the next within a transaction, and a client can write
-- every setting. So what travels in one carries a digest, with a key that no client can read, of what it is for, the
-- server process and the transaction.

CREATE OR REPLACE FUNCTION pgtrack._digest(p_purpose text, p_text text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_digest$
DECLARE
  v_secret  pgtrack.secret;
BEGIN
  SELECT s.* INTO STRICT v_secret FROM pgtrack.secret s;
  RETURN encode(sha256(v_secret.outer_key || sha256(v_secret.inner_key || convert_to(
    concat_ws(' ', p_purpose, pg_backend_pid(), pg_current_xact_id(), p_text), 'UTF8'))), 'hex');
END
$_digest$;
COMMENT ON FUNCTION pgtrack._digest(text, text) IS
  'HMAC-SHA-256 (RFC 2104) of a text, for this transaction. SECURITY DEFINER: nobody else reads the key.';

CREATE OR REPLACE FUNCTION pgtrack._sealed(p_purpose text, p_text text) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat(p_text, ' ', pgtrack._digest(p_purpose, p_text));
END;
COMMENT ON FUNCTION pgtrack._sealed(text, text) IS 'A text with its digest behind it, to be kept in a setting.';

CREATE OR REPLACE FUNCTION pgtrack._unsealed(p_purpose text, p_sealed text) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $_unsealed$
DECLARE
  -- 64 digits and a space.
  v_text  text := left(p_sealed, -65);
BEGIN
  IF length(p_sealed) > 65 AND p_sealed = pgtrack._sealed(p_purpose, v_text) THEN
    RETURN v_text;
  END IF;
  RETURN NULL;
END
$_unsealed$;
COMMENT ON FUNCTION pgtrack._unsealed(text, text) IS 'What _sealed() sealed in this transaction; null if anybody else made it.';

-- ==== capture/context.sql ====

-- Capture: the trigger functions and triggers of one tracked table, generated as static code

-- Who is behind a session cannot change while it lasts. So the functions that tell claim to be IMMUTABLE: PostgreSQL
-- calls them once for each plan of a session, not once for each statement.
-- The proxy sends "2 address port session moment signature" in the startup packet. A client can overwrite the setting but
-- not its reset value, which set_config(..., NULL, ...) returns. The signature is over that and the address and port that the
-- server sees the proxy's connection come from, so nobody can use it on a connection of their own. The moment, in
-- milliseconds by this server's clock, is when the proxy had its connection: a later one from the same port, or over the
-- same unix socket, began too late for a copy. A server under load may take up a connection seconds after it was made.
-- Whoever may not see when the session began does not believe it: our owner has to be a member of pg_read_all_stats.
-- What is returned, and recorded, is without the moment and the signature.
CREATE OR REPLACE FUNCTION pgtrack._session_context() RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_session_context$
DECLARE
  v_field   text[] := string_to_array(set_config('pgtrack.ctx', NULL, true), ' ');
  v_signed  text := array_to_string(v_field[1:5] || ARRAY[coalesce(host(inet_client_addr()), '-'), coalesce(inet_client_port(), 0)::text], ' ');
  v_moment  timestamptz;
BEGIN
  IF v_field[1] IS DISTINCT FROM '2' OR NOT EXISTS (
       SELECT FROM pgtrack.proxy_key k WHERE encode(pgtrack._hmac(k.key, convert_to(v_signed, 'UTF8')), 'hex') = v_field[6]) THEN
    RETURN NULL;
  END IF;
  v_moment := to_timestamp(v_field[5]::double precision / 1000);
  IF EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) s
             WHERE s.backend_start BETWEEN v_moment - interval '10 seconds' AND v_moment + interval '30 seconds') THEN
    RETURN array_to_string(v_field[1:4], ' ');
  END IF;
  RETURN NULL;
END
$_session_context$;
COMMENT ON FUNCTION pgtrack._session_context() IS 'What the proxy says about the client of this session; null if it did not come through one.';

CREATE OR REPLACE FUNCTION pgtrack._client_addr() RETURNS inet
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_client_addr$
BEGIN
  RETURN inet_client_addr();
END
$_client_addr$;
COMMENT ON FUNCTION pgtrack._client_addr() IS 'The address from which the server sees this session''s client connected; null for a unix socket.';

CREATE OR REPLACE FUNCTION pgtrack._hmac(p_key bytea, p_message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_hmac$
DECLARE
  v_inner  bytea := decode(repeat('36', 64), 'hex');
  v_outer  bytea := decode(repeat('5c', 64), 'hex');
BEGIN
  FOR i IN 0 .. length(p_key) - 1 LOOP
    v_inner := set_byte(v_inner, i, get_byte(v_inner, i) # get_byte(p_key, i));
    v_outer := set_byte(v_outer, i, get_byte(v_outer, i) # get_byte(p_key, i));
  END LOOP;
  RETURN sha256(v_outer || sha256(v_inner || p_message));
END
$_hmac$;
COMMENT ON FUNCTION pgtrack._hmac(bytea, bytea) IS 'HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes.';

-- ==== capture/mode.sql ====

-- How the changes of a table are caught:
--   statement  one trigger call for each statement, from its transition table: the fastest by far in bulk.
--   tree       the same on a partitioned table, its intermediate partitions and its leaves, all into the root's history.
--   row        one call for each row: where transition tables lack columns (inheritance) or do not exist
--              (rows applied by logical replication, for which the triggers fire ALWAYS).
CREATE OR REPLACE FUNCTION pgtrack._capture_mode(p_table regclass, p_options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_capture_mode$
BEGIN
  RETURN (
  SELECT CASE
    WHEN (p_options ->> 'replica')::boolean THEN 'row'
    WHEN c.relkind = 'p' THEN 'tree'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = p_table)
      OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = p_table) THEN 'row'
    -- Its last child was dropped, of which its own triggers hear nothing.
    WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = p_table AND t.tgname = '!pgtrack_update' AND t.tgenabled = 'O') THEN 'row'
    ELSE 'statement' END
  FROM pg_catalog.pg_class c WHERE c.oid = p_table);
END
$_capture_mode$;
COMMENT ON FUNCTION pgtrack._capture_mode(regclass, jsonb) IS 'How the changes of a table are caught: by statement, tree or row.';

-- As pg_partition_tree() does it, which locks every partition: whoever asked would wait for a TRUNCATE of one of them. A table
-- that was dropped or detached since the snapshot is left out.
CREATE OR REPLACE FUNCTION pgtrack._members(p_table regclass) RETURNS TABLE (relid regclass, is_leaf boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_members$
BEGIN
  relid := p_table;
  is_leaf := (SELECT c.relkind <> 'p' FROM pg_class c WHERE c.oid = p_table);
  IF is_leaf THEN
    RETURN NEXT;
  ELSIF NOT is_leaf THEN
    RETURN QUERY
      WITH RECURSIVE member (relid, is_leaf, path) AS (
        SELECT p_table::oid, false, '{}'::oid[]
        UNION ALL
        SELECT x.relid, x.is_leaf, m.path || x.relid
        FROM member m
        -- OFFSET 0: looked up one by one, by the catalogs' indexes.
        CROSS JOIN LATERAL (
          SELECT c.oid AS relid, c.relkind <> 'p' AS is_leaf FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE i.inhparent = m.relid AND NOT i.inhdetachpending AND pg_partition_root(i.inhrelid) IS NOT NULL OFFSET 0) x
        WHERE NOT m.is_leaf)
      SELECT m.relid::regclass, m.is_leaf FROM member m ORDER BY cardinality(m.path), m.path;
  END IF;
END
$_members$;
COMMENT ON FUNCTION pgtrack._members(regclass) IS
  'A table and all its partitions, parents first; those without partitions of their own hold the rows. It locks none of them.';

-- A statement that fires a trigger that changes the same table again is recorded after what it has caused, because
-- its own AFTER trigger comes last. So where a trigger may do that, each statement says when it begins, and whichever
-- of them is recorded first gives numbers to those that began before it.
-- What looks like a call and is none of PostgreSQL's functions may be one of the application's, that does anything.
CREATE OR REPLACE FUNCTION pgtrack._calls_unknown_function(p_source text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_calls_unknown_function$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM regexp_matches(p_source, $r$([[:alpha:]_][[:alnum:]_$]*)"?\s*\($r$, 'g') m CROSS JOIN LATERAL (SELECT lower(m[1]) AS name) w
    WHERE w.name <> ALL ('{if,elsif,elseif,and,or,not,in,is,any,all,some,values,using,when,then,else,case,return,exists,coalesce,nullif,greatest,least,row,'
                         'array,cast,extract,raise,while,exit,continue,between,like,ilike,xor,decimal,dec,nchar,varying,precision,with,declare,begin}'::text[])
      AND (NOT EXISTS (SELECT FROM pg_proc f WHERE f.proname = w.name AND f.pronamespace = 'pg_catalog'::regnamespace)
           OR EXISTS (SELECT FROM pg_proc f WHERE f.proname = w.name AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)))));
END
$_calls_unknown_function$;
COMMENT ON FUNCTION pgtrack._calls_unknown_function(text) IS 'Whether the source of a PL/pgSQL function seems to call a function that is not one of PostgreSQL''s.';

CREATE OR REPLACE FUNCTION pgtrack._has_nesting_trigger(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_nesting_trigger$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (SELECT t.tgfoid FROM pg_catalog.pg_trigger t WHERE t.tgrelid = m.relid AND NOT t.tgisinternal OFFSET 0) t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'pgtrack_history'::regnamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE l.lanname NOT IN ('plpgsql', 'internal')
       OR p.prosrc ~* $r$\m(insert|update|delete|merge|copy|execute|perform|select|call)\M$r$
       OR pgtrack._calls_unknown_function(p.prosrc)));
END
$_has_nesting_trigger$;
COMMENT ON FUNCTION pgtrack._has_nesting_trigger(regclass) IS 'Whether a trigger of an application may change the table that it is on.';

CREATE OR REPLACE FUNCTION pgtrack._may_nest(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_nest$
BEGIN
  RETURN (SELECT r.is_written_nested FROM pgtrack.relation r WHERE r.relid = p_table) OR pgtrack._has_nesting_trigger(p_table);
END
$_may_nest$;
COMMENT ON FUNCTION pgtrack._may_nest(regclass) IS 'Whether a trigger of an application may change a table, from whichever table it is on.';

CREATE OR REPLACE FUNCTION pgtrack._may_rewrite_rows(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_rewrite_rows$
BEGIN
  RETURN (
  -- tgtype: bit 0 row, bit 1 before, bit 4 update (src/include/catalog/pg_trigger.h).
  -- One of ours is left on a former partition until it is followed.
  SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND t.tgtype & 19 = 19
                   AND p.pronamespace <> 'pgtrack_history'::regnamespace));
END
$_may_rewrite_rows$;
COMMENT ON FUNCTION pgtrack._may_rewrite_rows(regclass) IS 'Whether a BEFORE UPDATE trigger can change rows on their way into the table.';

-- ==== capture/written_nested.sql ====

-- A trigger of another table may write a table that the same statement has changed already: then, too, that statement has
-- begun earlier and is recorded later (_may_nest). Which tables that can happen to is told from the sources of trigger
-- functions, and of the functions that they call: a table whose name stands there, or the name of a view, a parent, a
-- partition or a table that a foreign key acts from, by which what is written there gets to it. There may be many tables
-- and functions, so the words of the sources are kept (trigger_word), and of each table what came of it (is_written_nested).

-- What is no separator here may be part of a name. What stands between double quotes may be a name, whichever of them belong together.
CREATE OR REPLACE FUNCTION pgtrack._words(p_source text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_words$
DECLARE
  c_between CONSTANT  text := $r$[\u0001-\u0023\u0025-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]+$r$;
  v_words             text[] := ARRAY(SELECT DISTINCT w COLLATE "C" FROM unnest(regexp_split_to_array(p_source, c_between)) w);
BEGIN
  RETURN QUERY
  SELECT DISTINCT w.word COLLATE "C"
  FROM (SELECT unnest(v_words) UNION ALL SELECT lower(unnest(v_words) COLLATE "C") UNION ALL SELECT unnest(string_to_array(p_source, '"'))
        -- A name at the end of what stands between dollars.
        UNION ALL
        SELECT w FROM unnest(v_words) v CROSS JOIN LATERAL unnest(string_to_array(v, '$') || string_to_array(lower(v COLLATE "C"), '$')) w
        WHERE strpos(v, '$') > 0) AS w (word)
  WHERE w.word <> '' AND octet_length(w.word) < 64;
END
$_words$;
COMMENT ON FUNCTION pgtrack._words(text) IS 'The words of a function''s source that may be names.';

-- Of a body that is parsed, what it depends on.
CREATE OR REPLACE FUNCTION pgtrack._source(p_function oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_source$
BEGIN
  RETURN (
  SELECT CASE WHEN p.prosqlbody IS NULL THEN left(p.prosrc, 1000000)
              ELSE concat('update ', (
                SELECT string_agg(coalesce(
                  (SELECT format('"%s"', c.relname) FROM pg_class c WHERE d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid),
                  (SELECT format('%s(', f.proname) FROM pg_proc f WHERE d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid)), ' ')
                FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid)) END
  FROM pg_proc p WHERE p.oid = p_function);
END
$_source$;
COMMENT ON FUNCTION pgtrack._source(oid) IS 'The source of a function, its first million characters, or the names in it.';

CREATE OR REPLACE FUNCTION pgtrack._words_of_functions(p_functions oid[], p_arguments text)
RETURNS TABLE (word text, may_be_written boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_words_of_functions$
DECLARE
  c_call CONSTANT  text := $r$(?:"([^"]+)"|([^\u0001-\u0023\u0025-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]+))\s*\($r$;
BEGIN
  RETURN QUERY
  WITH RECURSIVE called (oid, source) AS (
    SELECT f.oid, pgtrack._source(f.oid) FROM unnest(p_functions) AS f (oid)
    UNION
    SELECT f.oid, pgtrack._source(f.oid)
    FROM called c
    CROSS JOIN LATERAL (SELECT DISTINCT coalesce(m[1], m[2]) AS name FROM regexp_matches(c.source, c_call, 'g') m) x
    CROSS JOIN LATERAL (
      SELECT p.oid FROM pg_proc p
      WHERE p.proname IN (x.name, lower(x.name))
        AND p.pronamespace <> ALL ('{pg_catalog,information_schema,pgtrack,pgtrack_history}'::regnamespace[])
      OFFSET 0) f)
  SELECT w.w, bool_or(w.writes)
  FROM (SELECT s.w, c.writes
        FROM (SELECT c.source, c.source ~* $r$\m(insert|update|delete|merge|copy|execute)\M$r$ AS writes FROM called c OFFSET 0) c
        CROSS JOIN LATERAL pgtrack._words(c.source) AS s (w)
        UNION ALL SELECT s.w, true FROM pgtrack._words(p_arguments) AS s (w)) w
  GROUP BY w.w;
END
$_words_of_functions$;
COMMENT ON FUNCTION pgtrack._words_of_functions(oid[], text) IS
  'The words in the sources of functions and of those that they call, and in the arguments of triggers.';

CREATE OR REPLACE FUNCTION pgtrack._written_through(p_relations oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $_written_through$
BEGIN
  RETURN ARRAY(
    WITH RECURSIVE reached (relid) AS (
      SELECT unnest(p_relations)
      UNION
      SELECT x.relid FROM reached r CROSS JOIN LATERAL (
        SELECT d.refobjid FROM pg_rewrite w
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
        WHERE w.ev_class = r.relid
        UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.relid
        UNION ALL SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.relid
        UNION ALL SELECT c.conrelid FROM pg_depend d JOIN pg_constraint c ON c.oid = d.objid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relid AND d.classid = 'pg_constraint'::regclass
          AND c.contype = 'f' AND c.confrelid = r.relid AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
        OFFSET 0) AS x (relid))
    SELECT r.relid FROM reached r);
END
$_written_through$;
COMMENT ON FUNCTION pgtrack._written_through(oid[]) IS
  'Relations, and those that what is written to them gets to: through views, partitions and foreign keys that act.';

CREATE OR REPLACE FUNCTION pgtrack._is_in_trigger_words(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $_is_in_trigger_words$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.trigger_word) AND EXISTS (
    WITH RECURSIVE reaching (relid) AS (
      SELECT p_table::oid
      UNION
      SELECT x.relid FROM reaching r CROSS JOIN LATERAL (
        SELECT w.ev_class FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relid
        UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.relid
        UNION ALL SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.relid
        UNION ALL SELECT c.confrelid FROM pg_constraint c
        WHERE c.conrelid = r.relid AND c.contype = 'f' AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
        OFFSET 0) AS x (relid))
    SELECT FROM reaching r CROSS JOIN LATERAL (
      SELECT FROM pgtrack.trigger_word w
      WHERE w.word = (SELECT c.relname::text FROM pg_class c WHERE c.oid = r.relid) AND w.may_be_written OFFSET 0) w);
END
$_is_in_trigger_words$;
COMMENT ON FUNCTION pgtrack._is_in_trigger_words(regclass) IS
  'Whether a table is named in the source of a trigger function that may write it, or one by which that gets to it.';

CREATE OR REPLACE FUNCTION pgtrack._mark_if_written(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_mark_if_written$
BEGIN
  UPDATE pgtrack.relation r SET is_written_nested = true
  WHERE r.relation_id = p_relation AND NOT r.is_written_nested AND pgtrack._is_in_trigger_words(r.relid);
END
$_mark_if_written$;
COMMENT ON FUNCTION pgtrack._mark_if_written(integer) IS 'Notes of a table that triggers of others may write it, if they may.';

-- One whose row somebody else has is left to follow_ddl().
CREATE OR REPLACE FUNCTION pgtrack._mark_written_nested(p_tables oid[], p_is_written boolean) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_mark_written_nested$
DECLARE
  v_marked  regclass[];
BEGIN
  WITH free AS (
    SELECT r.relation_id FROM pgtrack.relation r
    WHERE r.relid = ANY (p_tables) AND r.tracked_until IS NULL AND r.is_written_nested <> p_is_written
    ORDER BY r.relation_id FOR NO KEY UPDATE SKIP LOCKED),
  marked AS (
    UPDATE pgtrack.relation r SET is_written_nested = p_is_written FROM free f WHERE r.relation_id = f.relation_id RETURNING r.relid)
  SELECT array_agg(m.relid) INTO v_marked FROM marked m;
  RETURN coalesce(v_marked, '{}');
-- In a transaction that sees no later changes of it.
EXCEPTION WHEN serialization_failure THEN
  RAISE DEBUG '%', SQLERRM;
  RETURN '{}';
END
$_mark_written_nested$;
COMMENT ON FUNCTION pgtrack._mark_written_nested(oid[], boolean) IS
  'Notes of tables whether triggers of others may write them, and returns those where that is new.';

CREATE OR REPLACE FUNCTION pgtrack._note_trigger_words(p_functions oid[], p_arguments text, p_are_all boolean) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_trigger_words$
DECLARE
  v_words    text[];
  v_written  boolean[];
BEGIN
  SELECT array_agg(w.word), array_agg(w.may_be_written) INTO v_words, v_written
  FROM pgtrack._words_of_functions(p_functions, p_arguments) w;
  INSERT INTO pgtrack.trigger_word (word, may_be_written)
  SELECT w.word, w.may_be_written FROM unnest(v_words, v_written) AS w (word, may_be_written)
  WHERE NOT EXISTS (SELECT FROM pgtrack.trigger_word o WHERE o.word = w.word AND (o.may_be_written OR NOT w.may_be_written));
  IF p_are_all THEN
    DELETE FROM pgtrack.trigger_word o
    WHERE NOT EXISTS (SELECT FROM unnest(v_words, v_written) AS w (word, may_be_written)
                      WHERE w.word = o.word AND w.may_be_written = o.may_be_written);
  END IF;
  RETURN ARRAY(SELECT w.word FROM unnest(v_words, v_written) AS w (word, may_be_written) WHERE w.may_be_written);
END
$_note_trigger_words$;
COMMENT ON FUNCTION pgtrack._note_trigger_words(oid[], text, boolean) IS
  'Keeps the words of trigger functions, which may be all of them, and returns those that may be names of tables that they write.';

-- ==== capture/statement_id.sql ====

-- Statements inside statements. The setting pgtrack.open notes those that have begun, outermost first, such as
-- "7:1I:4711 7:2U": relation, trigger depth and operation, and the number once it is given. A number is given as late as
-- possible: a statement that waits for another session must come after what that one changed.
-- The note is sealed, and numbered by a sequence whose value in this session no client can set. A note with another
-- number than the latest is one that a savepoint was rolled back to, or that somebody put back by hand. It still says
-- which statements have begun; the numbers in it count only where that can be wrong for nobody else.

CREATE OR REPLACE FUNCTION pgtrack._note_open(p_open text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_open$
BEGIN
  PERFORM set_config('pgtrack.open', CASE p_open WHEN '{}' THEN ''
    ELSE pgtrack._sealed('open', concat_ws(' ', nextval('pgtrack.open_seq'), array_to_string(p_open, ' '))) END, true);
END
$_note_open$;
COMMENT ON FUNCTION pgtrack._note_open(text[]) IS 'Writes the note of the statements that have begun.';

CREATE OR REPLACE FUNCTION pgtrack._open() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_open$
DECLARE
  v_setting  text := nullif(current_setting('pgtrack.open', true), '');
  v_open     text[];
BEGIN
  IF v_setting IS NULL THEN
    RETURN '{}';
  END IF;
  v_open := coalesce(string_to_array(pgtrack._unsealed('open', v_setting), ' '), '{}');
  IF v_open = '{}' OR v_open[1]::bigint = currval('pgtrack.open_seq') THEN
    RETURN v_open[2:];
  END IF;
  RETURN ARRAY(
    SELECT CASE WHEN s.id IS NOT NULL AND EXISTS (
                  SELECT FROM pgtrack.statement o
                  WHERE o.relation_id = split_part(s.entry, ':', 1)::integer AND o.statement_id >= s.id
                    AND (o.statement_id = s.id OR o.xid <> pg_current_xact_id()))
                THEN left(s.entry, -1 - length(s.id::text)) ELSE s.entry END
    FROM (SELECT o.entry, o.position, nullif(split_part(o.entry, ':', 3), '')::bigint AS id
          FROM unnest(v_open[2:]) WITH ORDINALITY AS o (entry, position)) s
    ORDER BY s.position);
END
$_open$;
COMMENT ON FUNCTION pgtrack._open() IS 'The statements of this transaction that have begun, as far as the note of them can be believed.';

-- The query of a foreign key that acts belongs to the statement that it acts for: its BEFORE trigger runs inside the foreign
-- key's own trigger, its AFTER triggers run beside that. Its text, which no setting changes, is all that tells.
CREATE OR REPLACE FUNCTION pgtrack._depth_after(p_depth integer, p_context text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_depth_after$
BEGIN
  -- Below our own line stands the query, and below that of another trigger its function.
  IF split_part(p_context, E'\n', 2) ~ $r$"?(UPDATE|DELETE FROM) (ONLY )?".* WHERE \$\d.* OPERATOR\($r$ AND split_part(p_context, E'\n', 3) !~ '^PL/' THEN
    RETURN p_depth - 1;
  END IF;
  RETURN p_depth;
END
$_depth_after$;
COMMENT ON FUNCTION pgtrack._depth_after(integer, text) IS
  'The trigger depth at which the AFTER triggers of a statement will run, by that of its BEFORE trigger and the context there.';

-- Each table has a function of its own: who may make triggers with it changes with each DDL (_let_owners_make_triggers), and
-- DDL on another table must not wait for that.
CREATE OR REPLACE FUNCTION pgtrack._generate_open(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_open$
DECLARE
  v_may_be_acted_on  boolean := pgtrack._has_acting_key(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation;
BEGIN
  PERFORM pgtrack._create_recorder(p_relation, format('open_%s', p_relation)::name, CASE WHEN v_may_be_acted_on THEN 'context text;' ELSE '' END,
    'SET search_path = pg_catalog, pg_temp',
    concat(CASE WHEN v_may_be_acted_on THEN E'GET DIAGNOSTICS context = PG_CONTEXT;\n  ' END,
           format('PERFORM pgtrack._note_open(pgtrack._open() || concat(%L, %s, left(TG_OP, 1)));', p_relation || ':',
                  CASE WHEN v_may_be_acted_on THEN 'pgtrack._depth_after(pg_trigger_depth(), context)' ELSE 'pg_trigger_depth()' END)),
    'Notes that a statement on @ has begun.');
END
$_generate_open$;
COMMENT ON FUNCTION pgtrack._generate_open(integer) IS
  'Writes the function that notes that a statement on a table has begun. SECURITY DEFINER, as whoever writes the table cannot seal the note.';

-- Of what one query does, an INSERT comes last (capture/one_query.sql): so what has begun after it, and is not over, has its
-- number first. What began before it may be a statement that goes on, and has called a function that inserts.
CREATE OR REPLACE FUNCTION pgtrack._statement_id(p_relation integer, p_operation text, p_depth integer, p_is_over boolean, p_is_ranked boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_statement_id$
DECLARE
  v_open   text[] := pgtrack._open();
  v_own    integer;
  v_other  integer;
  v_id     bigint;
BEGIN
  FOR i IN 1 .. cardinality(v_open) LOOP
    IF split_part(v_open[i], ':', 1)::integer = p_relation AND split_part(v_open[i], ':', 2) = p_depth || p_operation THEN
      v_own := i;
    END IF;
  END LOOP;
  IF cardinality(v_open) > (v_own IS NOT NULL)::integer THEN
    FOR v_other IN
      SELECT e.position
      FROM (SELECT o.position, left(split_part(o.entry, ':', 2), -1)::integer AS depth,
                   CASE WHEN p_is_ranked THEN strpos('DUI', right(split_part(o.entry, ':', 2), 1)) END AS rank
            FROM unnest(v_open) WITH ORDINALITY AS o (entry, position)
            WHERE split_part(o.entry, ':', 1)::integer = p_relation AND split_part(o.entry, ':', 3) = '') e
      WHERE e.depth < p_depth OR e.depth = p_depth AND e.position > v_own AND e.rank < strpos('DUI', p_operation)
      ORDER BY e.depth, e.rank, e.position
    LOOP
      v_open[v_other] := v_open[v_other] || ':' || nextval('pgtrack.statement_id_seq');
    END LOOP;
  END IF;
  IF v_own IS NULL THEN
    -- pgtrack_open is missing. What comes before the end of the statement cannot know its number then.
    RETURN CASE WHEN p_is_over THEN nextval('pgtrack.statement_id_seq') END;
  END IF;
  IF split_part(v_open[v_own], ':', 3) = '' THEN
    v_open[v_own] := v_open[v_own] || ':' || nextval('pgtrack.statement_id_seq');
  END IF;
  v_id := split_part(v_open[v_own], ':', 3);
  IF p_is_over THEN
    v_open := v_open[:v_own - 1] || v_open[v_own + 1:];
  END IF;
  PERFORM pgtrack._note_open(v_open);
  RETURN v_id;
END
$_statement_id$;
COMMENT ON FUNCTION pgtrack._statement_id(integer, text, integer, boolean, boolean) IS
  'The number of a statement that has begun at a trigger depth, after all those around it have theirs; p_is_over takes it off the note, '
  'p_is_ranked says that a query can do nothing to what it has inserted. Null if it is not over and nobody has noted that it began.';

-- ==== capture/one_query.sql ====

-- One query can delete a key and insert it again: WITH d AS (DELETE … RETURNING …) INSERT … SELECT … FROM d LIMIT 1. Its
-- triggers fire as its parts end, and the part that is not read to its end ends last. But a query never finds what it has done
-- itself. So whatever it does to a key, it deletes first, updates then, and inserts last.

-- Whoever may be changed by a foreign key's own query can be found by it after it was inserted, so the order is as recorded.
CREATE OR REPLACE FUNCTION pgtrack._has_acting_key(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_acting_key$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (
      SELECT FROM pg_constraint c
      WHERE c.conrelid = m.relid AND c.contype = 'f' AND (c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('c', 'n', 'd')) OFFSET 0) c));
END
$_has_acting_key$;
COMMENT ON FUNCTION pgtrack._has_acting_key(regclass) IS 'Whether a foreign key may change rows of a table because others have changed.';

-- A query has one command number for all its parts. Each recorder takes two, for images and for the statement, and each key
-- change one. So two statements are of one query where no number between them was taken by anything else.
CREATE OR REPLACE FUNCTION pgtrack._recorded_too_early(p_relation integer, p_operation "char") RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recorded_too_early$
DECLARE
  c_later CONSTANT  "char"[] := CASE p_operation WHEN 'D' THEN '{U,I}' ELSE '{I}' END;
  v_statement       record;
  v_own             bigint;
  v_begin           bigint;
  v_taken           bigint;
  v_ids             bigint[];
BEGIN
  FOR v_statement IN
    SELECT s.statement_id, s.xid, s.at, s.operation, s.cmin::text::bigint AS command FROM pgtrack.statement s
    WHERE s.relation_id = p_relation ORDER BY s.statement_id DESC
  LOOP
    EXIT WHEN v_statement.at < statement_timestamp();
    CONTINUE WHEN v_statement.xid <> pg_current_xact_id();
    IF v_own IS NULL THEN
      EXIT WHEN v_statement.operation <> p_operation;
      v_own := v_statement.statement_id;
    ELSE
      v_taken := v_begin - v_statement.command - 1;
      EXIT WHEN v_taken < 0 OR v_taken > 2 * (v_own - v_statement.statement_id);
      EXIT WHEN v_taken > 0 AND v_taken <> 2 * (
        SELECT count(*) FROM pgtrack.statement s
        WHERE s.xid = pg_current_xact_id() AND s.cmin::text::bigint > v_statement.command AND s.cmin::text::bigint < v_begin) + (
        SELECT count(*) FROM pgtrack.key_change c
        WHERE c.xid = pg_current_xact_id() AND c.cmin::text::bigint > v_statement.command AND c.cmin::text::bigint < v_begin);
      IF v_statement.operation = ANY (c_later) THEN
        v_ids := v_ids || v_statement.statement_id;
      END IF;
    END IF;
    v_begin := v_statement.command - 1;
  END LOOP;
  RETURN v_own || ARRAY(
    SELECT i FROM unnest(v_ids) i JOIN pgtrack.statement s ON s.relation_id = p_relation AND s.statement_id = i
    ORDER BY array_position(c_later, s.operation), i);
END
$_recorded_too_early$;
COMMENT ON FUNCTION pgtrack._recorded_too_early(integer, "char") IS
  'The number of the statement that was just recorded, and of those by the same query that come after it, in their order.';

-- Numbers are given anew only where the order matters: for a key that is in both, or is changed.
CREATE OR REPLACE FUNCTION pgtrack._put_first(p_relation integer, p_operation "char") RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_put_first$
DECLARE
  v_ids      bigint[] := pgtrack._recorded_too_early(p_relation, p_operation);
  v_history  text;
  v_matters  boolean;
  v_id       bigint;
BEGIN
  IF coalesce(cardinality(v_ids), 0) < 2 THEN
    RETURN;
  END IF;
  SELECT format('pgtrack_history.%I', r.history_table) INTO v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  EXECUTE format('SELECT EXISTS (SELECT FROM %1$s h JOIN %1$s c ON %2$s WHERE h.pgtrack_statement_id = $1 AND c.pgtrack_statement_id = ANY ($2))',
                 v_history, pgtrack._same_key_in_history_sql(p_relation))
  INTO v_matters USING v_ids[1], v_ids[2:];
  IF NOT v_matters AND NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation) THEN
    RETURN;
  END IF;
  FOR i IN 2 .. cardinality(v_ids) LOOP
    v_id := nextval('pgtrack.statement_id_seq');
    EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE pgtrack_statement_id = $2', v_history) USING v_id, v_ids[i];
    -- Two commands, as _recorded_too_early() counts them.
    IF EXISTS (SELECT FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation AND c.statement_id = v_ids[i]) THEN
      UPDATE pgtrack.key_change c SET statement_id = v_id WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation AND c.statement_id = v_ids[i];
    END IF;
    UPDATE pgtrack.statement s SET statement_id = v_id WHERE s.relation_id = p_relation AND s.statement_id = v_ids[i];
  END LOOP;
END
$_put_first$;
COMMENT ON FUNCTION pgtrack._put_first(integer, "char") IS
  'Gives later numbers to what the same query has done to the same keys after the statement that was just recorded.';

CREATE OR REPLACE FUNCTION pgtrack._put_first_sql(p_relation integer, p_operation "char") RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Nearly always what was recorded before this is from before the query. Where a transaction begins with a DELETE, which is its
  -- command 0, and the images are 1, its own record is 2.
  SELECT format(CASE p_operation WHEN 'D' THEN $$ RETURNING cmin INTO pgtrack.command;
    IF NOT pgtrack.command OPERATOR(pg_catalog.=) '2'::pg_catalog.cid THEN%s
    END IF;$$ ELSE '%s' END, format($$
      IF (SELECT s.at FROM pgtrack.statement AS s WHERE s.relation_id OPERATOR(pg_catalog.=) %1$s ORDER BY s.statement_id DESC OFFSET 1 LIMIT 1)
         OPERATOR(pg_catalog.>=) pg_catalog.statement_timestamp() THEN
        PERFORM pgtrack._put_first(%1$s, %2$L);
      END IF;$$, p_relation, p_operation))
  FROM pgtrack.relation r
  WHERE r.relation_id = p_relation AND r.key_columns <> '{}' AND NOT pgtrack._has_acting_key(r.relid)
    AND pgtrack._capture_mode(r.relid, r.options) <> 'row' AND NOT pgtrack._may_nest(r.relid);
END;
COMMENT ON FUNCTION pgtrack._put_first_sql(integer, "char") IS 'The part of a recorder, behind the INSERT of its record, that tells a DELETE, or an UPDATE, before what the same query has done after it.';

-- ==== capture/hidden_text.sql ====

-- A query text may quote values of redacted columns, and it is recorded with each table that the query changes. So the
-- recorder of a table with redacted columns takes it away from those before it, and leaves word for those after it:
-- the time at which the client sent the query, which is the same for all of it. A setting of the session, as a query
-- may hold several transactions.

-- A schema's option counts although none of its tables has such a column yet: whoever makes the first is not to write the
-- functions of other owners' tables anew.
CREATE OR REPLACE FUNCTION pgtrack._some_text_is_hidden() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_some_text_is_hidden$
BEGIN
  RETURN (
  SELECT EXISTS (SELECT FROM pgtrack.relation r WHERE r.options -> 'redact' <> '[]')
      OR EXISTS (SELECT FROM pgtrack.tracked_schema s WHERE s.options -> 'redact' <> '[]'));
END
$_some_text_is_hidden$;
COMMENT ON FUNCTION pgtrack._some_text_is_hidden() IS
  'Whether a table here has redacted columns, or may get some, which hide the texts of queries.';

CREATE OR REPLACE FUNCTION pgtrack._hide_text(p_sent text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hide_text$
BEGIN
  PERFORM set_config('pgtrack.hidden_text', p_sent, false);
  IF current_setting('pgtrack.shown_text', true) = p_sent THEN
    UPDATE pgtrack.statement s SET query = NULL
    WHERE s.xid = pg_current_xact_id() AND s.query = current_query()::varchar(4000);
  END IF;
  -- Calls of ours in the same query. Whoever writes the setting by hand reaches none but their own.
  IF starts_with(current_setting('pgtrack.shown_calls', true), p_sent || ' ') THEN
    UPDATE pgtrack.audit_entry e SET statement = NULL
    WHERE e.entry_id = ANY ((string_to_array(current_setting('pgtrack.shown_calls', true), ' '))[2:]::bigint[]) AND e.xid = pg_current_xact_id();
  END IF;
END
$_hide_text$;
COMMENT ON FUNCTION pgtrack._hide_text(text) IS 'Keeps the text of this query from being recorded; p_sent is when it was sent.';

CREATE OR REPLACE FUNCTION pgtrack._hiding_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_hiding_sql$
BEGIN
  RETURN (
  SELECT $$
          IF coalesce(pg_catalog.current_setting('pgtrack.hidden_text', true), '') OPERATOR(pg_catalog.<>)
             pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text THEN
            PERFORM pgtrack._hide_text(pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text);
          END IF;$$
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.options -> 'redact' <> '[]');
END
$_hiding_sql$;
COMMENT ON FUNCTION pgtrack._hiding_sql(integer) IS
  'The part of a recorder that hides the text of the query; null for tables that hide none.';

CREATE OR REPLACE FUNCTION pgtrack._text_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_text_sql$
BEGIN
  RETURN (
  -- The cast cuts as left() does, but does not count the characters of a text that is short enough in bytes.
  SELECT CASE
    WHEN NOT (r.options ->> 'query')::boolean OR r.options -> 'redact' <> '[]' THEN 'NULL'
    WHEN NOT pgtrack._some_text_is_hidden() THEN 'pg_catalog.current_query()::pg_catalog.varchar(4000)'
    ELSE $$CASE
              WHEN pg_catalog.current_setting('pgtrack.hidden_text', true) OPERATOR(pg_catalog.=)
                   pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text THEN NULL
              WHEN pg_catalog.set_config('pgtrack.shown_text',
                     pg_catalog.extract('epoch', pg_catalog.statement_timestamp())::pg_catalog.text, true) IS NOT NULL
              THEN pg_catalog.current_query()::pg_catalog.varchar(4000) END$$ END
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_text_sql$;
COMMENT ON FUNCTION pgtrack._text_sql(integer) IS 'The query text as the recorder of a table writes it.';

-- For track() alone: it writes functions of all owners' tables. Whoever alters one of these meanwhile waits, and does not fail;
-- where they do not end, it gives way.
CREATE OR REPLACE FUNCTION pgtrack._regenerate_all() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_regenerate_all$
DECLARE
  v_events    text := pgtrack._silence_event_triggers();
  v_relation  integer;
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      FOR v_relation IN SELECT r.relation_id FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
                        WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
        PERFORM pgtrack._lock_relation(v_relation), pgtrack._generate_functions(v_relation);
      END LOOP;
      EXIT;
    -- "tuple concurrently updated" is an internal error.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR internal_error THEN
      IF attempt = 5 THEN
        RAISE EXCEPTION 'could not write the trigger functions of all tables again' USING
          ERRCODE = 'lock_not_available',
          DETAIL = format('Redacted columns hide the texts of queries that change other tables, too. One of these is just altered: %s.', SQLERRM),
          HINT = 'Try again when that transaction has ended; pg_stat_activity shows it.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_regenerate_all$;
COMMENT ON FUNCTION pgtrack._regenerate_all() IS
  'Writes the trigger functions of all tables again: for when the first table gets redacted columns, or the last has none any more. '
  'SECURITY DEFINER: they belong to the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._concerns_hidden(p_xid xid8) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_concerns_hidden$
BEGIN
  -- The recorders hide a text that is another table's, too. This is for what an earlier version recorded, and for the
  -- other texts of the transaction; of a very long one it looks at the first.
  RETURN EXISTS (SELECT FROM (SELECT s.relation_id FROM pgtrack.statement s WHERE s.xid = p_xid LIMIT 1000) s
                 JOIN pgtrack.relation r USING (relation_id) WHERE r.options -> 'redact' <> '[]');
END
$_concerns_hidden$;
COMMENT ON FUNCTION pgtrack._concerns_hidden(xid8) IS
  'Whether a transaction changed a table with redacted columns. SECURITY DEFINER: the caller may not be able to read that table.';

-- ==== capture/recorder.sql ====

-- The generated functions are SECURITY DEFINER so that a role needs no rights on pg_track to write its own tables.
-- They name everything with its schema and use no bare operators, so no search_path can mislead them; pinning one
-- instead costs about 2 microseconds a statement. Names cannot clash with the table's columns: the block's label qualifies
-- every variable, a table alias every column.

CREATE OR REPLACE FUNCTION pgtrack._images_sql(p_relation integer, p_operation text, p_id text, p_record text, p_from text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_images_sql$
BEGIN
  RETURN (
  -- An INSERT records only the key, or everything where there is no key to find the row by. A column that was renamed or
  -- dropped may not have been followed yet.
  SELECT format('INSERT INTO pgtrack_history.%I (%s) SELECT %s%s', r.history_table,
                concat_ws(', ', 'pgtrack_statement_id', string_agg(quote_ident(v.history_column), ', ' ORDER BY v.attnum)),
                concat_ws(', ', p_id, string_agg(coalesce(pgtrack._output_sql(v.value, v.atttypid, p_id <> '$1'), v.value), ', ' ORDER BY v.attnum)), p_from)
  FROM pgtrack.relation r
  -- A table may have no column at all.
  LEFT JOIN LATERAL (
    SELECT c.history_column, c.attnum, a.atttypid, x.value
    FROM pgtrack.relation_column c
    -- OFFSET 0: they are looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT pgtrack._attnum(r.relid, c.column_name, c.attnum) AS attnum OFFSET 0) n
    CROSS JOIN LATERAL (SELECT a.* FROM pg_attribute a WHERE a.attrelid = r.relid AND NOT a.attisdropped AND a.attnum = n.attnum OFFSET 0) a
    -- A name that is no column any more would be taken for a function.
    CROSS JOIN LATERAL (SELECT p_record || '.' || quote_ident(pgtrack._column_name(r.relid, a.attnum)) AS value) x
    WHERE c.relation_id = r.relation_id AND c.attnum IS NOT NULL AND x.value IS NOT NULL
      AND (p_operation <> 'insert' OR r.key_columns = '{}' OR c.column_name = ANY (r.key_columns))) v ON true
  WHERE r.relation_id = p_relation
  GROUP BY r.relation_id);
END
$_images_sql$;
COMMENT ON FUNCTION pgtrack._images_sql(integer, text, text, text, text) IS
  'The statement that writes the images of changed rows: with p_id a variable in generated code, or executed with a parameter.';

CREATE OR REPLACE FUNCTION pgtrack._statement_sql(p_relation integer, p_operation text, p_id text, p_rows text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_statement_sql$
BEGIN
  RETURN (
  -- What a client sets is bounded.
  SELECT coalesce(pgtrack._hiding_sql(p_relation), '') || format($$
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, query)
          VALUES (
            %s, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            %s, %L, %s, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pgtrack._client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000), %s);$$,
    p_id, r.relation_id, p_operation, p_rows, pgtrack._text_sql(p_relation))
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_statement_sql$;
COMMENT ON FUNCTION pgtrack._statement_sql(integer, text, text, text) IS 'The statement that writes the record of a statement.';

CREATE OR REPLACE FUNCTION pgtrack._create_function(p_relation integer, p_signature text, p_definition text, p_body text, p_comment text, p_leaf regclass)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET check_function_bodies = on AS $_create_function$
DECLARE
  v_function  regprocedure;
  v_comment   text;
BEGIN
  -- As a literal: no name in the body can end it.
  EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack_history.%s %s AS %L', p_signature, p_definition, p_body);
  v_function := format('pgtrack_history.%s', p_signature);
  v_comment := replace(p_comment, '@', (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation));
  IF NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_proc'::regclass AND d.objoid = v_function AND d.objsubid = 0 AND d.description = v_comment) THEN
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_function, v_comment);
  END IF;
  INSERT INTO pgtrack.generated (function_name, relation_id, leaf, fingerprint) VALUES (split_part(p_signature, '(', 1), p_relation, p_leaf, '')
  ON CONFLICT (function_name) DO UPDATE SET fingerprint = excluded.fingerprint, leaf = excluded.leaf;
END
$_create_function$;
COMMENT ON FUNCTION pgtrack._create_function(integer, text, text, text, text, regclass) IS
  'Creates one function of a tracked table, which only triggers call; in the comment @ is the table''s name.';

CREATE OR REPLACE FUNCTION pgtrack._create_recorder(p_relation integer, p_name name, p_declarations text, p_settings text, p_body text, p_comment text,
                                                    p_leaf regclass DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_create_recorder$
BEGIN
  -- Nobody asks what an AFTER trigger returns, and NEW, which is null in one for statements, is no expression to evaluate.
  PERFORM pgtrack._create_function(p_relation, p_name || '()', concat_ws(' ', 'RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER', p_settings),
    concat(E'\n<<pgtrack>>\nDECLARE\n  ', p_declarations, E'\nBEGIN\n  ', p_body, E'\n  RETURN NEW;\nEND\n'), p_comment, p_leaf);
END
$_create_recorder$;
COMMENT ON FUNCTION pgtrack._create_recorder(integer, name, text, text, text, text, regclass) IS 'Creates one trigger function of a tracked table.';

-- A trigger function records for the tables that it was written for, and for nobody who attaches it to another.
CREATE OR REPLACE FUNCTION pgtrack._is_stale_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_stale_sql$
BEGIN
  RETURN (
  SELECT format('%s OR pgtrack._has_drifted(''%s''::pg_catalog.regclass, %L, %L, %L::pg_catalog.jsonb)',
                format(CASE cardinality(m.oids) WHEN 1 THEN 'TG_RELID OPERATOR(pg_catalog.<>) ''%2$s''::pg_catalog.regclass'
                                                ELSE 'NOT TG_RELID OPERATOR(pg_catalog.=) ANY (%1$L::pg_catalog.oid[])' END, m.oids, m.oids[1]),
                r.relid::oid, pgtrack._identity(r.relid), pgtrack._fingerprint(r.relid),
                (SELECT jsonb_object_agg(c.attnum, jsonb_build_array(c.column_name, c.type::bigint)) FROM pgtrack.relation_column c
                 WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL))
  FROM pgtrack.relation r CROSS JOIN LATERAL (SELECT ARRAY(SELECT m.relid::oid FROM pgtrack._members(r.relid) m ORDER BY 1) AS oids) m
  WHERE r.relation_id = p_relation);
END
$_is_stale_sql$;
COMMENT ON FUNCTION pgtrack._is_stale_sql(integer) IS
  'The condition, in a trigger function of a table, that it was written for another table or another shape.';

CREATE OR REPLACE FUNCTION pgtrack._generate_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_functions$
DECLARE
  v_relation   pgtrack.relation;
  v_mode       text;
  v_nests      boolean;
  v_next       text := 'pg_catalog.nextval(''pgtrack.statement_id_seq''::pg_catalog.regclass)';
  v_stale      text := pgtrack._is_stale_sql(p_relation);
  v_put_first  text := pgtrack._put_first_sql(p_relation, 'D');
  v_variant    record;
  v_record     text;
  v_from       text;
  v_repeats    boolean;
  -- FOUND costs less to ask for, but EXECUTE does not set it.
  c_rows CONSTANT  text := 'pgtrack.rows OPERATOR(pg_catalog.>) 0';
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  v_mode := pgtrack._capture_mode(v_relation.relid, v_relation.options);
  v_nests := pgtrack._may_nest(v_relation.relid) AND v_mode <> 'row';
  PERFORM pgtrack._generate_moves(p_relation, v_mode);
  FOR v_variant IN
    VALUES ('insert', 'I', 'NEW', 'pgtrack_new'), ('update', 'U', 'OLD', 'pgtrack_old'), ('delete', 'D', 'OLD', 'pgtrack_old')
  LOOP
    v_record := CASE v_mode WHEN 'row' THEN v_variant.column3 ELSE 'r' END;
    v_repeats := v_variant.column1 = 'update' AND v_mode <> 'row' AND v_relation.key_columns <> '{}' AND pgtrack._may_repeat(v_relation.relid);
    v_from := CASE v_mode WHEN 'row' THEN '' ELSE format(' FROM %s AS r', v_variant.column4) END;
    PERFORM pgtrack._create_recorder(p_relation, format('record_%s_%s', v_variant.column1, p_relation)::name,
      format('id    pg_catalog.int8 := %s;
  rows  pg_catalog.int8;',
        CASE WHEN v_nests THEN format('pgtrack._statement_id(%s, %L, pg_catalog.pg_trigger_depth(), true, %L)', p_relation, v_variant.column2,
                                      NOT pgtrack._has_acting_key(v_relation.relid))
             ELSE v_next END) || CASE WHEN v_variant.column2 = 'D' AND v_put_first IS NOT NULL THEN E'\n  command  pg_catalog.cid;' ELSE '' END,
      pgtrack._recorder_settings(p_relation),
      CASE v_mode WHEN 'row' THEN E'-- A trigger made the first child: the statement''s own trigger, which was for no row, ends as one for rows.\n'
                                  '  IF TG_LEVEL OPERATOR(pg_catalog.=) ''STATEMENT'' THEN\n    RETURN NULL;\n  END IF;\n  ' ELSE '' END
      || format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);%8$s
    EXECUTE pgtrack._images_sql(%2$s, %3$L, '$1', %4$L, %5$L) USING pgtrack.id%6$s;%13$s
  ELS%11$sE
    %7$s;
  END IF;
  GET DIAGNOSTICS rows = ROW_COUNT;%12$s
  IF %14$s THEN%9$s%10$s
  END IF;$body$,
        v_stale, p_relation,
        v_variant.column1, CASE v_mode WHEN 'row' THEN '($2)' ELSE 'r' END, v_from,
        CASE v_mode WHEN 'row' THEN ', ' || v_record ELSE '' END,
        pgtrack._images_sql(p_relation, v_variant.column1, 'pgtrack.id', v_record, v_from),
        -- A column that was found just now is in the images of later numbers.
        CASE WHEN v_nests THEN '' ELSE format(E'\n    id := %s;', v_next) END
        -- What follows the images is written for this key.
        || CASE WHEN v_repeats THEN format(E'\n    PERFORM pgtrack._require_same_key(%s, %L);', p_relation, pgtrack._key_types(p_relation)) ELSE '' END,
        CASE WHEN v_repeats THEN pgtrack._order_sql(p_relation) ELSE '' END,
        rtrim(pgtrack._statement_sql(p_relation, v_variant.column2, 'pgtrack.id', 'pgtrack.rows'), ';')
        || coalesce(CASE WHEN v_variant.column2 = 'D' THEN v_put_first WHEN v_repeats THEN pgtrack._put_deletion_last_sql(p_relation) END, ';'),
        CASE v_mode WHEN 'tree' THEN pgtrack._unmoved_sql(p_relation, v_variant.column1, v_from) ELSE '' END,
        CASE WHEN v_mode = 'tree' AND v_variant.column1 = 'update' THEN pgtrack._moved_sql(p_relation) ELSE '' END,
        CASE v_mode WHEN 'tree' THEN '' ELSE format(E'\n    GET DIAGNOSTICS rows = ROW_COUNT;\n    found := %s;', c_rows) END,
        CASE v_mode WHEN 'tree' THEN c_rows ELSE 'found' END),
      format('Records each %s on @.', upper(v_variant.column1)));
  END LOOP;

  PERFORM pgtrack._generate_open(p_relation) WHERE v_nests;
  PERFORM pgtrack._generate_truncate_functions(p_relation, v_stale);
  PERFORM pgtrack._generate_key_functions(p_relation, v_mode, v_nests, v_stale);
  PERFORM pgtrack._generate_move_functions(p_relation), pgtrack._generate_unmoved(p_relation) WHERE v_mode = 'tree';
  PERFORM pgtrack._finish_functions(p_relation), pgtrack._drop_functions(p_relation);
END
$_generate_functions$;
COMMENT ON FUNCTION pgtrack._generate_functions(integer) IS
  'Writes the trigger functions of a tracked table for its present columns and options.';

CREATE OR REPLACE FUNCTION pgtrack._finish_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_finish_functions$
DECLARE
  -- One that was there keeps its rights; to revoke them fires event triggers.
  v_open  text := (
    SELECT string_agg(p.oid::regprocedure::text, ', ')
    FROM pgtrack.generated g JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
    WHERE g.relation_id = p_relation AND has_function_privilege('public', p.oid, 'EXECUTE'));
BEGIN
  IF v_open IS NOT NULL THEN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_open);
  END IF;
  UPDATE pgtrack.generated g SET fingerprint = (SELECT pgtrack._fingerprint(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation)
  WHERE g.relation_id = p_relation AND g.fingerprint = '';
END
$_finish_functions$;
COMMENT ON FUNCTION pgtrack._finish_functions(integer) IS
  'Closes the functions that were just written for a tracked table to everybody, and notes for which shape of it they were written.';

CREATE OR REPLACE FUNCTION pgtrack._drop_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_functions$
DECLARE
  v_function  name;
BEGIN
  FOR v_function IN
    SELECT g.function_name FROM pgtrack.generated g
    JOIN pg_proc p ON p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = g.function_name
    WHERE g.relation_id = p_relation
      AND g.leaf <> ALL (ARRAY(
        SELECT m.relid::oid FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._members(r.relid) m WHERE r.relation_id = p_relation))
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.classid = 'pg_trigger'::regclass)
  LOOP
    PERFORM pgtrack._drop_function(format('pgtrack_history.%I()', v_function)::regprocedure);
    DELETE FROM pgtrack.generated WHERE function_name = v_function;
  END LOOP;
END
$_drop_functions$;
COMMENT ON FUNCTION pgtrack._drop_functions(integer) IS 'Drops the functions for partitions that a tracked table does not have any more.';

-- ==== capture/truncate.sql ====

-- TRUNCATE shows no rows to its triggers, so they are read from the table, as the owner of pg_track. That is the one moment
-- when it reads what somebody else may have prepared. So the table's name is looked up when it is needed, under a lock
-- that keeps its schema from being renamed, and expressions that the planner may evaluate run nobody's code but superusers'.

CREATE OR REPLACE FUNCTION pgtrack._truncate_recorder(p_relation integer, p_leaf regclass) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_truncate_recorder$
BEGIN
  RETURN (
  SELECT CASE r.relid WHEN p_leaf THEN pg_catalog.format('record_truncate_%s', p_relation)
                      ELSE pg_catalog.format('record_truncate_%s_%s', p_relation, p_leaf::oid) END
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_truncate_recorder$;
COMMENT ON FUNCTION pgtrack._truncate_recorder(integer, regclass) IS 'The name of the function that records TRUNCATE of a table or of one of its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._generate_truncate_functions(p_relation integer, p_stale text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_truncate_functions$
DECLARE
  v_root      regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_settings  text := 'SET search_path = pg_catalog, pg_temp ' || pgtrack._recorder_settings(p_relation);
  v_record    text := pgtrack._statement_sql(p_relation, 'T', 'pgtrack.id', 'pgtrack.rows');
  v_leaf      regclass;
BEGIN
  FOR v_leaf IN SELECT m.relid FROM pgtrack._members(v_root) m WHERE m.is_leaf LOOP
    PERFORM pgtrack._create_recorder(p_relation, pgtrack._truncate_recorder(p_relation, v_leaf),
      E'id    pg_catalog.int8;\n  rows  pg_catalog.int8;', v_settings,
      format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);
  END IF;
  PERFORM pgtrack._prepare_to_read(TG_RELID);
  id := nextval('pgtrack.statement_id_seq');
  EXECUTE pgtrack._images_sql(%2$s, 'truncate', '$1', 'r', format(' FROM ONLY %%s AS r', TG_RELID::regclass)) USING pgtrack.id;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pgtrack.rows > 0 THEN%3$s
  END IF;$body$,
        p_stale, p_relation, v_record),
      'Records each TRUNCATE on @.', CASE WHEN v_leaf <> v_root THEN v_leaf END);
  END LOOP;
END
$_generate_truncate_functions$;
COMMENT ON FUNCTION pgtrack._generate_truncate_functions(integer, text) IS
  'Writes the functions that record TRUNCATE: one for a table, or for each of its partitions that holds rows.';

-- The row lock conflicts with the one that a renaming of the schema takes (_on_ddl), so names stay what they are until
-- the end of the transaction; a table is locked by whoever truncates it, or copies it.
CREATE OR REPLACE FUNCTION pgtrack._prepare_to_read(p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_prepare_to_read$
DECLARE
  v_function  text;
BEGIN
  IF row_security_active(p_table) THEN
    RAISE EXCEPTION 'cannot read the rows of % to record them', p_table::regclass USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('Its row security hides rows from %s, who owns pg_track, so they would be lost.', current_user),
      HINT = format('For TRUNCATE use DELETE, or let a superuser say: ALTER ROLE %I BYPASSRLS.', current_user);
  END IF;
  PERFORM pgtrack._hold_name(p_table);
  v_function := pgtrack._foreign_expression(p_table);
  IF v_function IS NOT NULL THEN
    RAISE EXCEPTION 'cannot read the rows of % to record them', p_table::regclass USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('An index, statistics or a partition key needs %s, which might run code of others with the rights of %s.',
                      v_function, current_user),
      HINT = 'For TRUNCATE use DELETE, or let a superuser own that.';
  END IF;
  IF pgtrack._snapshot_lasts() THEN
    PERFORM pgtrack._require_present_snapshot(p_table);
  END IF;
END
$_prepare_to_read$;
COMMENT ON FUNCTION pgtrack._prepare_to_read(oid) IS
  'Makes sure, before the owner of pg_track reads a table, that it sees all rows and runs no code of others.';

-- PostgreSQL folds expressions of a table's indexes, statistics and partition key in each query of the table
-- (eval_const_expressions in src/backend/utils/cache/relcache.c), with the rights of whoever plans it.
CREATE OR REPLACE FUNCTION pgtrack._foreign_expression(p_table oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_expression$
BEGIN
  RETURN (
  SELECT min(coalesce(pgtrack._foreign_call(x.expression, x.owner),
                      (SELECT min('the type ' || t.oid::regtype)
                       FROM pgtrack._types_in(x.expression) AS y (type) JOIN pg_type t ON t.oid = y.type AND t.oid >= 16384
                       -- A function of a superuser may make values of any type, and with them run a domain's checks.
                       WHERE NOT pgtrack._is_trusted(t.typowner) OR pgtrack._runs_foreign_code(t.oid))))
  FROM pgtrack._members(p_table) m
  JOIN pg_class k ON k.oid = m.relid
  CROSS JOIN LATERAL (
    SELECT k.relowner AS owner, concat(i.indexprs::text, i.indpred::text) AS expression FROM pg_index i
    WHERE i.indrelid = m.relid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    UNION ALL SELECT k.relowner, p.partexprs::text FROM pg_partitioned_table p WHERE p.partrelid = m.relid AND p.partexprs IS NOT NULL
    UNION ALL SELECT s.stxowner, s.stxexprs::text FROM pg_statistic_ext s WHERE s.stxrelid = m.relid AND s.stxexprs IS NOT NULL
    -- Virtual ones of PostgreSQL 18 are computed by who reads.
    UNION ALL SELECT k.relowner, d.adbin::text FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              WHERE a.attrelid = m.relid AND a.attgenerated = 'v') x);
END
$_foreign_expression$;
COMMENT ON FUNCTION pgtrack._foreign_expression(oid) IS
  'What in an expression that is planned with each query of a table might run code of others than superusers and the current user; '
  'null for nothing.';

-- ==== capture/key_recorder.sql ====

CREATE OR REPLACE FUNCTION pgtrack._key_types(p_relation integer) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_types$
BEGIN
  RETURN (
  SELECT array_agg(k.type ORDER BY k.position) FROM pgtrack._key_parts(p_relation) k);
END
$_key_types$;
COMMENT ON FUNCTION pgtrack._key_types(integer) IS 'The types of the columns of a table''s primary key.';

CREATE OR REPLACE FUNCTION pgtrack._require_same_key(p_relation integer, p_types oid[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_same_key$
BEGIN
  IF pgtrack._key_types(p_relation) IS DISTINCT FROM p_types THEN
    RAISE EXCEPTION 'the primary key of % has changed unnoticed', (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() follows it.';
  END IF;
END
$_require_same_key$;
COMMENT ON FUNCTION pgtrack._require_same_key(integer, oid[]) IS 'Refuses to go on in code that was written for a key of other types.';

CREATE OR REPLACE FUNCTION pgtrack._same_key_sql(p_relation integer, p_columns name[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_same_key_sql$
BEGIN
  RETURN (
  -- Values of foreign types are compared byte by byte: no function of theirs is called, and no setting decides. Records find
  -- what compares a type of an extension by no name.
  SELECT string_agg(CASE WHEN k.kind IS NULL AND k.operator >= 16384
                         THEN format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.=) ROW(NEW.%1$I)::pg_catalog.record', k.column_name)
                         WHEN k.kind IS NULL
                         THEN pgtrack._equal_sql(k.operator, k.equality, format('OLD.%I', k.column_name), format('NEW.%I', k.column_name))
                         ELSE format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record', k.column_name) END,
                    ' AND ' ORDER BY k.position)
  FROM pgtrack._key_parts(p_relation) k WHERE p_columns IS NULL OR k.column_name = ANY (p_columns));
END
$_same_key_sql$;
COMMENT ON FUNCTION pgtrack._same_key_sql(integer, name[]) IS
  'The condition, in a row trigger for UPDATE, that the key is what it was, or those of its columns; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_sql$
BEGIN
  RETURN (
  SELECT format('jsonb_build_object(%s)', string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_record, k.column_name), k.type, true)),
                                                     ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_key_sql$;
COMMENT ON FUNCTION pgtrack._key_sql(integer, text) IS
  'The expression for the key of a record, in code that has pgtrack._pinned_settings(); null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._key_is_plain(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_is_plain$
BEGIN
  RETURN (
  SELECT coalesce(bool_and(k.type = ANY ('{smallint,integer,bigint,numeric,text,varchar,bpchar,uuid,boolean,date}'::regtype[])), true)
  FROM pgtrack._key_parts(p_relation) k);
END
$_key_is_plain$;
COMMENT ON FUNCTION pgtrack._key_is_plain(integer) IS 'Whether a key is the same as JSON whatever the session prefers.';

-- Of a row of a transition table, or of the history, in code that may have no settings of its own.
CREATE OR REPLACE FUNCTION pgtrack._live_key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_key_sql$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I(%s)', format('key_%s', p_relation),
                string_agg(pgtrack._output_sql(format('%s.%I', p_record, k.column_name), k.type), ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_live_key_sql$;
COMMENT ON FUNCTION pgtrack._live_key_sql(integer, text) IS 'The expression for the key of a row of a partitioned table; null where there is none.';

CREATE OR REPLACE FUNCTION pgtrack._stored_key_sql(p_relation integer, p_record text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_key_sql$
BEGIN
  RETURN (
  SELECT format('pgtrack_history.%I(%s)', format('key_%s', p_relation), string_agg(format('%s.%I', p_record, k.history_column), ', ' ORDER BY k.position))
  FROM pgtrack._key_parts(p_relation) k);
END
$_stored_key_sql$;
COMMENT ON FUNCTION pgtrack._stored_key_sql(integer, text) IS 'The expression for the key of an image of a partitioned table.';

CREATE OR REPLACE FUNCTION pgtrack._key_change_sql(p_relation integer, p_old text, p_new text, p_statement text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_change_sql$
BEGIN
  RETURN (
  SELECT format('INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)'
                ' VALUES (nextval(''pgtrack.statement_id_seq''), pg_current_xact_id(), %s, jsonb_build_object(%s), jsonb_build_object(%s), %s)', p_relation,
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_old, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                string_agg(format('%L, %s', k.column_name, pgtrack._output_sql(format('%s.%I', p_new, k.column_name), k.type, true)), ', ' ORDER BY k.position),
                p_statement)
  FROM pgtrack._key_parts(p_relation) k HAVING count(*) > 0);
END
$_key_change_sql$;
COMMENT ON FUNCTION pgtrack._key_change_sql(integer, text, text, text) IS
  'The statement that notes that a row got another key: in generated code, or executed with its images as parameters.';

-- A key is written in one form, whatever the session prefers.
CREATE OR REPLACE FUNCTION pgtrack._generate_key_functions(p_relation integer, p_mode text, p_nests boolean, p_stale text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_key_functions$
DECLARE
  c_settings CONSTANT  text := 'SET search_path = pg_catalog, pg_temp ' || pgtrack._pinned_settings();
  v_relation           pgtrack.relation;
  v_arguments          text;
  v_new_key            text;
  v_statement          text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  PERFORM pgtrack._drop_function(p.oid) FROM pg_proc p
  WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = format('key_%s', p_relation);
  IF v_relation.key_columns <> '{}' OR p_mode = 'tree' THEN
    v_statement := CASE WHEN p_nests THEN format('pgtrack._statement_id(%s, ''U'', pg_trigger_depth(), false, %L)', p_relation,
                                                          NOT pgtrack._has_acting_key(v_relation.relid)) ELSE 'NULL' END;
    PERFORM pgtrack._create_recorder(p_relation, format('record_key_%s', p_relation)::name, '',
      c_settings || CASE p_mode WHEN 'tree' THEN ' SET enable_seqscan = off' ELSE '' END,
      coalesce('IF TG_LEVEL = ''STATEMENT'' THEN' || pgtrack._put_first_sql(p_relation, 'U') || E'\n    RETURN NULL;\n  END IF;\n  ',
                  -- pgtrack_update_key may still be there.
                  CASE WHEN p_nests THEN E'IF TG_LEVEL = ''STATEMENT'' THEN\n    RETURN NULL;\n  END IF;\n  ' END, '')
      || format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);%3$s
  END IF;%4$s$body$,
        p_stale, p_relation,
        CASE WHEN v_relation.key_columns <> '{}' THEN format(E'\n    EXECUTE pgtrack._key_change_sql(%s, ''($1)'', ''($2)'', %L) USING OLD, NEW;\n  ELSE\n    %s;',
          p_relation, v_statement, pgtrack._key_change_sql(p_relation, 'OLD', 'NEW', v_statement)) END,
        CASE p_mode WHEN 'tree' THEN pgtrack._stayed_sql(p_relation) END),
      'Records each change of a primary key of @.');
  END IF;
  IF v_relation.key_columns = '{}' OR p_mode <> 'tree' AND (p_mode = 'row' OR NOT pgtrack._may_repeat(v_relation.relid)) THEN
    RETURN;
  END IF;
  -- The arguments are as they are stored: the function depends on no type of the application.
  SELECT string_agg(k.stored_type, ', ' ORDER BY k.position),
         string_agg(format('%L, $%s', k.column_name, k.position), ', ' ORDER BY k.position)
  INTO v_arguments, v_new_key
  FROM pgtrack._key_parts(p_relation) k;
  PERFORM pgtrack._create_function(p_relation, format('%I(%s)', format('key_%s', p_relation), v_arguments),
    concat('RETURNS jsonb LANGUAGE sql STABLE ', c_settings), format('SELECT jsonb_build_object(%s)', v_new_key), 'A key of @ in canonical form.', NULL);
END
$_generate_key_functions$;
COMMENT ON FUNCTION pgtrack._generate_key_functions(integer, text, boolean, text) IS 'Writes the functions of a tracked table that deal with its key.';

-- ==== capture/moves.sql ====

-- Rows that move to another partition. PostgreSQL deletes such a row and inserts it again, and no row trigger for UPDATE fires
-- after that; in MERGE not even the transition tables of UPDATE hold it, but those of DELETE and INSERT, whose statement
-- triggers may not fire at all. So a BEFORE trigger on the leaf, the last one, notes a row whose partition key changes in the
-- table moves_N: with what it was, so that MERGE loses nothing, and with its keys. The note is gone when the row turns out
-- to have stayed (record_key_N), and when the UPDATE is recorded. Settings could carry such notes, but a client can clear them.

-- Nearly always no row has moved. A session's own count of the notes that it has written, which no client can change, says so
-- without a query; it may still have those of transactions before.
CREATE OR REPLACE FUNCTION pgtrack._may_move_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('pg_catalog.pg_stat_get_xact_tuples_inserted(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>) 0', format('pgtrack_history.moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._may_move_sql(integer) IS 'The condition that rows of a partitioned table may have moved in this transaction.';

-- A superuser can stop PostgreSQL from counting. INSERT and DELETE, which pay for each look, need not know: see _record_moves_sql.
CREATE OR REPLACE FUNCTION pgtrack._may_move_uncounted_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._may_move_sql(p_relation) || ' OR pg_catalog.current_setting(''track_counts'') OPERATOR(pg_catalog.=) ''off''';
END;
COMMENT ON FUNCTION pgtrack._may_move_uncounted_sql(integer) IS 'The same, and true also where PostgreSQL does not count.';

-- The INSERT of a MERGE is recorded after its UPDATE, and asks which that was. And notes that are gone stand in the table's
-- indexes until the transaction ends: a later search leaves them out, or many moves, one by one, would take forever.
CREATE OR REPLACE FUNCTION pgtrack._note_moves(p_name text, p_value jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_moves$
BEGIN
  PERFORM set_config('pgtrack.moves', pgtrack._sealed('moves', jsonb_set(coalesce(
    pgtrack._unsealed('moves', current_setting('pgtrack.moves', true))::jsonb, '{}'), ARRAY[p_name], p_value)::text), true);
END
$_note_moves$;
COMMENT ON FUNCTION pgtrack._note_moves(text, jsonb) IS 'Notes something about moving rows for the rest of the transaction.';

CREATE OR REPLACE FUNCTION pgtrack._noted_moves(p_name text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_noted_moves$
BEGIN
  RETURN nullif(pgtrack._unsealed('moves', current_setting('pgtrack.moves', true))::jsonb -> p_name, 'null');
END
$_noted_moves$;
COMMENT ON FUNCTION pgtrack._noted_moves(text) IS 'What _note_moves() has noted.';

CREATE OR REPLACE FUNCTION pgtrack._many_moves_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('pg_catalog.pg_stat_get_xact_tuples_inserted(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>) 100', format('pgtrack_history.moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._many_moves_sql(integer) IS 'The condition that it is worth while to leave out notes that are gone.';

CREATE OR REPLACE FUNCTION pgtrack._moves_since_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('CASE WHEN %s THEN coalesce(pgtrack._noted_moves(''%s'')::pg_catalog.int8, 0) ELSE 0 END', pgtrack._many_moves_sql(p_relation), p_relation);
END;
COMMENT ON FUNCTION pgtrack._moves_since_sql(integer) IS 'The expression for the number of a note such that all up to it are gone.';

CREATE OR REPLACE FUNCTION pgtrack._stayed_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
  IF %s THEN
    DELETE FROM pgtrack_history.%I WHERE xid = pg_current_xact_id() AND leaf = TG_RELID AND place = OLD.ctid;
  END IF;$$, pgtrack._may_move_uncounted_sql(p_relation), format('moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._stayed_sql(integer) IS 'The part of the recorder of keys that takes back the note of a row that has not moved.';

CREATE OR REPLACE FUNCTION pgtrack._partition_columns(p_leaf regclass) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Columns of a partition key, in expressions too, depend on their table as a whole (StorePartitionKey in src/backend/catalog/heap.c).
  SELECT array_agg(DISTINCT a.attname ORDER BY a.attname)
  FROM pg_partition_ancestors(p_leaf) p
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.relid AND d.objsubid > 0
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relid AND d.refobjsubid = 0 AND d.deptype = 'i'
  JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid;
END;
COMMENT ON FUNCTION pgtrack._partition_columns(regclass) IS 'The columns that decide in which partition a row of a leaf is.';

CREATE OR REPLACE FUNCTION pgtrack._has_before_trigger(p_table regclass, p_event integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- tgtype: bit 0 row, bit 1 before (src/include/catalog/pg_trigger.h).
  SELECT EXISTS (SELECT FROM pgtrack._members(p_table) m
                 CROSS JOIN LATERAL (SELECT t.tgfoid FROM pg_trigger t WHERE t.tgrelid = m.relid AND NOT t.tgisinternal
                                                                         AND t.tgtype & 3 = 3 AND t.tgtype & p_event <> 0 OFFSET 0) t
                 JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE m.is_leaf
                   AND p.pronamespace <> 'pgtrack_history'::regnamespace);
END;
COMMENT ON FUNCTION pgtrack._has_before_trigger(regclass, integer) IS
  'Whether an application''s BEFORE ROW trigger on a table, or a leaf of it, is for an event: 4 INSERT, 8 DELETE, 16 UPDATE.';

CREATE OR REPLACE FUNCTION pgtrack._generated_keys(p_relation integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT array_agg(a.attname::text ORDER BY a.attnum)
  FROM pgtrack.relation r JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = ANY (r.key_columns) AND a.attgenerated = 's'
  WHERE r.relation_id = p_relation;
END;
COMMENT ON FUNCTION pgtrack._generated_keys(integer) IS 'The generated columns of a table''s key; null where there are none.';

CREATE OR REPLACE FUNCTION pgtrack._move_triggers(p_relation integer, p_is_always boolean)
RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH root AS MATERIALIZED (
    SELECT r.relid, pgtrack._has_before_trigger(r.relid, 4) AS may_vanish FROM pgtrack.relation r WHERE r.relation_id = p_relation
  ), leaf AS MATERIALIZED (
    SELECT m.relid, x.columns, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(x.columns) c) AS list,
           pgtrack._has_before_trigger(m.relid, 16) AS rewrites, pgtrack._has_before_trigger(m.relid, 8) AS may_stay,
           r.may_vanish,
           coalesce(pgtrack._same_key_sql(p_relation, x.columns), (
             SELECT string_agg(format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record', c), ' AND ')
             FROM unnest(x.columns) c)) AS same_place
    FROM root r CROSS JOIN LATERAL pgtrack._members(r.relid) m
    CROSS JOIN LATERAL (SELECT pgtrack._partition_columns(m.relid) AS columns) x
    WHERE m.is_leaf AND x.columns IS NOT NULL)
  -- The tilde sorts last.
  SELECT l.relid, '~pgtrack_move'::name, concat('BEFORE UPDATE', CASE WHEN NOT l.rewrites THEN ' OF ' || l.list END),
         format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I(%L, %L)', l.same_place, format('note_move_%s', p_relation),
                NOT l.may_stay, NOT l.may_vanish), p_is_always
  FROM leaf l
  -- Whether it has stayed.
  UNION ALL
  SELECT l.relid, 'pgtrack_key'::name,
         concat('AFTER UPDATE', CASE WHEN NOT l.rewrites THEN ' OF ' || coalesce(
           (SELECT string_agg(quote_ident(k), ', ') FROM pgtrack.relation r CROSS JOIN LATERAL unnest(r.key_columns) k WHERE r.relation_id = p_relation), l.list) END),
         format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I()',
                coalesce(pgtrack._same_key_sql(p_relation, NULL), l.same_place), format('record_key_%s', p_relation)), p_is_always
  FROM leaf l
  UNION ALL
  SELECT l.relid, '~pgtrack_leave'::name, 'BEFORE DELETE',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I()', format('leave_%s', p_relation)), p_is_always
  FROM leaf l WHERE l.may_stay
  -- The first and the last of the destination's: what comes through both has arrived.
  UNION ALL
  SELECT l.relid, x.name::name, 'BEFORE INSERT',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I(%L)', format('enter_%s', p_relation), x.event), p_is_always
  FROM leaf l CROSS JOIN (VALUES ('!pgtrack_enter', 'enters'), ('~pgtrack_enter', 'has entered')) AS x (name, event) WHERE l.may_vanish
  UNION ALL
  SELECT l.relid, 'pgtrack_arrive'::name, 'AFTER INSERT',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I(%L)', format('enter_%s', p_relation), 'is computed'), p_is_always
  FROM leaf l WHERE pgtrack._generated_keys(p_relation) IS NOT NULL
  UNION ALL
  SELECT m.relid, 'pgtrack_moves'::name, 'AFTER UPDATE',
         format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('claim_moves_%s', p_relation)), p_is_always
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._members(r.relid) m WHERE r.relation_id = p_relation AND NOT m.is_leaf;
END;
COMMENT ON FUNCTION pgtrack._move_triggers(integer, boolean) IS 'The triggers of a partitioned table that tell which rows move, and which keys change.';

CREATE OR REPLACE FUNCTION pgtrack._drop_moves(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_drop_moves$
BEGIN
  PERFORM pgtrack._drop_function(p.oid) FROM pg_proc p
  WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = format('first_move_%s', p_relation);
  -- An earlier installation called the history of a table "moves" so.
  IF NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.history_table = format('moves_%s', p_relation)) THEN
    EXECUTE format('DROP TABLE IF EXISTS pgtrack_history.%I', format('moves_%s', p_relation));
  END IF;
  DELETE FROM pgtrack.generated g WHERE g.function_name = format('first_move_%s', p_relation);
END
$_drop_moves$;
COMMENT ON FUNCTION pgtrack._drop_moves(integer) IS 'Drops the table of the notes of moving rows: it holds on to types that the table had.';

-- Columns are numbered as in the history, of whose present columns the table is a shadow; it is made anew when these have changed.
CREATE OR REPLACE FUNCTION pgtrack._generate_moves(p_relation integer, p_mode text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_generate_moves$
DECLARE
  v_table    text := format('pgtrack_history.moves_%s', p_relation);
  v_columns  text;
BEGIN
  -- Partitions may be other ones now.
  PERFORM set_config('pgtrack.moves', '', true);
  SELECT string_agg(format('image_%s %s', a.attnum, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) INTO v_columns
  FROM pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND a.attname = c.history_column
  WHERE r.relation_id = p_relation AND p_mode = 'tree';
  IF to_regclass(v_table) IS NOT NULL AND v_columns IS NOT DISTINCT FROM (
       SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = to_regclass(v_table) AND a.attname LIKE $r$image\_%$r$ AND NOT a.attisdropped) THEN
    RETURN;
  END IF;
  IF to_regclass(v_table) IS NOT NULL THEN
    PERFORM pgtrack._drop_moves(p_relation);
  END IF;
  IF p_mode <> 'tree' THEN
    RETURN;
  END IF;
  -- No note outlives its transaction.
  EXECUTE format('CREATE UNLOGGED TABLE %s (
      move_id  bigint   NOT NULL DEFAULT nextval(''pgtrack.statement_id_seq''),
      xid      xid8     NOT NULL DEFAULT pg_current_xact_id(),
      depth    integer  NOT NULL DEFAULT pg_trigger_depth(),
      leaf     oid      NOT NULL,
      place    tid      NOT NULL,
      departs  boolean  NOT NULL,
      arrives  boolean  NOT NULL,
      entries  integer  NOT NULL DEFAULT 0,
      claimed  integer,
      old_key  jsonb,
      new_key  jsonb,
      %s) USING heap WITH (vacuum_truncate = false)', v_table, v_columns);
  PERFORM pgtrack._require_meant(v_table, format('image_%s', h.attnum), h.atttypid)
  FROM pgtrack.relation r
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attnum > 0 AND h.atttypid >= 16384
  WHERE r.relation_id = p_relation;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  EXECUTE format('CREATE INDEX ON %s (xid, move_id)', v_table);
  EXECUTE format('CREATE INDEX ON %s (leaf, place)', v_table);
  EXECUTE format('COMMENT ON TABLE %s IS %L', v_table, format('Rows of %s that an UPDATE or MERGE is about to move to another partition.',
    (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation)));
END
$_generate_moves$;
COMMENT ON FUNCTION pgtrack._generate_moves(integer, text) IS 'Makes the table of the notes of moving rows for a partitioned table, and takes it from any other.';

-- ==== capture/move_recorder.sql ====

-- The statement that notes a row that is about to move: with the columns of the old and the new row in generated code, or executed with parameters.
CREATE OR REPLACE FUNCTION pgtrack._move_sql(p_relation integer, p_old text, p_new text, p_place text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('INSERT INTO pgtrack_history.%I (%s) VALUES (%s)', format('moves_%s', p_relation),
                concat_ws(', ', 'leaf, place, departs, arrives, old_key, new_key', string_agg(format('image_%s', h.attnum), ', ' ORDER BY a.attnum)),
                concat_ws(', ', p_place, coalesce(pgtrack._key_sql(p_relation, p_old), 'NULL'), coalesce(pgtrack._key_sql(p_relation, p_new), 'NULL'),
                          string_agg(pgtrack._output_sql(p_old || '.' || quote_ident(a.attname), a.atttypid, true), ', ' ORDER BY a.attnum)))
  FROM pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  CROSS JOIN LATERAL (SELECT pgtrack._attnum(r.relid, c.column_name, c.attnum) AS attnum OFFSET 0) n
  JOIN pg_attribute a ON a.attrelid = r.relid AND NOT a.attisdropped AND a.attnum = n.attnum
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
  WHERE r.relation_id = p_relation;
END;
COMMENT ON FUNCTION pgtrack._move_sql(integer, text, text, text) IS 'The statement that notes a row of a partitioned table that is about to move.';

CREATE OR REPLACE FUNCTION pgtrack._create_move_trigger(p_relation integer, p_name text, p_settings text, p_body text, p_comment text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._create_function(p_relation, format('%I()', p_name || '_' || p_relation),
    concat_ws(' ', 'RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER', p_settings), concat(E'\nBEGIN\n  ', p_body, E'\nEND\n'), p_comment, NULL);
END;
COMMENT ON FUNCTION pgtrack._create_move_trigger(integer, text, text, text, text) IS
  'Creates one of the trigger functions that know which rows of a partitioned table move.';

-- An application's BEFORE triggers may have the last word about a row. So where there are some, a note says when they have let it go,
-- and when it has come through those of its destination. Nothing of its own statement comes between. PostgreSQL computes
-- generated columns of a key after them.
CREATE OR REPLACE FUNCTION pgtrack._trace_move_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
DECLARE
  v_since  bigint := %3$s;
BEGIN
  CASE $1
  WHEN 'leaves' THEN
    UPDATE %1$s SET departs = true WHERE xid = pg_current_xact_id_if_assigned() AND leaf = $2 AND place = $3;
  WHEN 'is computed' THEN
    UPDATE %1$s SET entries = -1, new_key = $4
    WHERE xid = pg_current_xact_id_if_assigned() AND move_id = (
      SELECT m.move_id FROM %1$s m
      WHERE m.xid = pg_current_xact_id_if_assigned() AND m.move_id > v_since AND m.depth = pg_trigger_depth() AND m.claimed IS NULL
        AND m.entries >= 0 AND m.departs AND m.arrives AND m.new_key - %2$L::text[] = $4 - %2$L::text[] ORDER BY m.move_id LIMIT 1);
  ELSE
    UPDATE %1$s m SET entries = m.entries + 1, arrives = $1 = 'has entered', new_key = CASE $1 WHEN 'has entered' THEN $4 ELSE m.new_key END
    WHERE m.xid = pg_current_xact_id_if_assigned() AND CASE $1 WHEN 'has entered' THEN m.entries = 1 ELSE m.entries < 2 END
      AND m.move_id = (
        SELECT l.move_id FROM %1$s l
        WHERE l.xid = pg_current_xact_id_if_assigned() AND l.move_id > v_since AND l.depth = pg_trigger_depth() AND l.claimed IS NULL
        ORDER BY l.xid DESC, l.move_id DESC LIMIT 1);
  END CASE;
END
$$, format('pgtrack_history.moves_%s', p_relation), coalesce(pgtrack._generated_keys(p_relation), '{}'), pgtrack._moves_since_sql(p_relation));
END;
COMMENT ON FUNCTION pgtrack._trace_move_sql(integer) IS 'The body of the function that notes how far a moving row has come.';

CREATE OR REPLACE FUNCTION pgtrack._generate_move_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_move_functions$
DECLARE
  c_path CONSTANT      text := 'SET search_path = pg_catalog, pg_temp ';
  v_moves              text := format('pgtrack_history.moves_%s', p_relation);
BEGIN
  PERFORM pgtrack._create_move_trigger(p_relation, 'note_move',
    c_path || CASE WHEN pgtrack._key_is_plain(p_relation) AND pgtrack._recorder_settings(p_relation) = '' THEN '' ELSE pgtrack._pinned_settings() END, format($$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);
    EXECUTE pgtrack._move_sql(%2$s, '($1)', '($2)', '$3, $4, $5, $6') USING OLD, NEW, TG_RELID, OLD.ctid, TG_ARGV[0]::boolean, TG_ARGV[1]::boolean;
  ELSE
    %3$s;
  END IF;
  RETURN NEW;$$,
    pgtrack._is_stale_sql(p_relation), p_relation, pgtrack._move_sql(p_relation, 'OLD', 'NEW', 'TG_RELID, OLD.ctid, TG_ARGV[0]::boolean, TG_ARGV[1]::boolean')),
    'Notes each row of @ that is about to move to another partition.');
  PERFORM pgtrack._create_move_trigger(p_relation, 'leave', '', format($$IF %s THEN
    PERFORM pgtrack_history.%I('leaves', TG_RELID, OLD.ctid, NULL);
  END IF;
  RETURN OLD;$$, pgtrack._may_move_sql(p_relation), format('trace_move_%s', p_relation)), 'Follows a row of @ that moves to another partition out of its own.');
  PERFORM pgtrack._create_move_trigger(p_relation, 'enter', '', format($$IF %s THEN
    PERFORM pgtrack_history.%I(TG_ARGV[0], NULL, NULL, %s);
  END IF;
  RETURN NEW;$$, pgtrack._may_move_sql(p_relation), format('trace_move_%s', p_relation), coalesce(pgtrack._live_key_sql(p_relation, 'NEW'), 'NULL')),
    'Follows a row of @ into another partition.');
  PERFORM pgtrack._create_function(p_relation, format('trace_move_%s(text, oid, tid, jsonb)', p_relation),
    'RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off', pgtrack._trace_move_sql(p_relation),
    'Notes how far a row of @ has come on its way to another partition.', NULL);
  -- STABLE: what such a function sees is what there was when the UPDATE began. So what it does not see is this statement's,
  -- and not of one around it that has called a function. Foreign keys of others act at the end of a statement, one trigger deeper.
  PERFORM pgtrack._create_move_trigger(p_relation, 'claim_moves', 'STABLE', format($$IF %1$s THEN
    PERFORM pgtrack_history.%2$I(pgtrack_history.%3$I(), pg_catalog.pg_trigger_depth());
  END IF;
  RETURN NULL;$$, pgtrack._may_move_uncounted_sql(p_relation), format('mark_moves_%s', p_relation), format('latest_move_%s', p_relation)),
    'Finds out which of the rows that move are those of an UPDATE on @.');
  PERFORM pgtrack._create_function(p_relation, format('latest_move_%s()', p_relation),
    'RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off', format($$
DECLARE
  v_since  bigint := %2$s;
BEGIN
  RETURN coalesce((SELECT m.move_id FROM %1$s m WHERE m.xid = pg_current_xact_id_if_assigned() AND m.move_id > v_since
                   ORDER BY m.xid DESC, m.move_id DESC LIMIT 1), v_since);
END
$$, v_moves, pgtrack._moves_since_sql(p_relation)), 'The latest note of a row of @ that there was when a statement began.', NULL);
  PERFORM pgtrack._create_function(p_relation, format('mark_moves_%s(bigint, integer)', p_relation),
    'RETURNS void LANGUAGE plpgsql VOLATILE SET enable_seqscan = off', format($$
BEGIN
  UPDATE %1$s AS m SET claimed = $2
  WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned() AND m.move_id OPERATOR(pg_catalog.>) $1 AND m.claimed IS NULL
    AND m.depth OPERATOR(pg_catalog.=) (
      SELECT pg_catalog.min(l.depth) FROM %1$s AS l
      WHERE l.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned() AND l.move_id OPERATOR(pg_catalog.>) $1 AND l.claimed IS NULL);
END
$$, v_moves), 'Marks the notes of the rows of @ that an UPDATE has moved, for its recorder.', NULL);
  PERFORM pgtrack._create_function(p_relation, format('record_moves_%s(bigint, boolean, integer)', p_relation),
    'RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off', pgtrack._record_moves_sql(p_relation), 'Records the rows of @ that an UPDATE has moved.', NULL);
END
$_generate_move_functions$;
COMMENT ON FUNCTION pgtrack._generate_move_functions(integer) IS 'Writes the functions of a partitioned table that deal with rows that move.';

CREATE OR REPLACE FUNCTION pgtrack._record_moved_keys_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN r.key_columns <> '{}' THEN format($$
  INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
  SELECT m.move_id, m.xid, %2$s, m.old_key, m.new_key, $1 FROM pgtrack_history.%1$I AS m
  WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since
    AND m.claimed OPERATOR(pg_catalog.=) $3 AND m.departs AND m.arrives;
  IF $2 AND pgtrack.gone OPERATOR(pg_catalog.>) 0 THEN
    UPDATE pgtrack_history.%3$I AS r SET pgtrack_statement_id = pgtrack.gone_id
    WHERE r.pgtrack_statement_id OPERATOR(pg_catalog.=) $1 AND %4$s OPERATOR(pg_catalog.=) ANY (
      SELECT m.old_key FROM pgtrack_history.%1$I AS m
      WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since
        AND m.claimed OPERATOR(pg_catalog.=) $3 AND m.departs AND NOT m.arrives);
  END IF;$$, format('moves_%s', p_relation), p_relation, r.history_table, pgtrack._stored_key_sql(p_relation, 'r')) END
  FROM pgtrack.relation r WHERE r.relation_id = p_relation;
END;
COMMENT ON FUNCTION pgtrack._record_moved_keys_sql(integer) IS
  'The part of the function that records moves that notes the keys, and takes what the destination did not take out of a plain UPDATE.';

-- The images of rows that an UPDATE has moved are in its transition table already, those of MERGE are not. What the destination
-- did not take is deleted: before the statement, which may have given its key to another row.
CREATE OR REPLACE FUNCTION pgtrack._record_moves_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
<<pgtrack>>
DECLARE
  gone_id  pg_catalog.int8;
  gone     pg_catalog.int8;
  moved    pg_catalog.int8;
  added    pg_catalog.int8 := 0;
  traced   pg_catalog.int8;
  since    pg_catalog.int8 := %10$s;
  first    pg_catalog.int8;
  last     pg_catalog.int8;
BEGIN
  SELECT pg_catalog.min(m.move_id) FILTER (WHERE m.departs AND NOT m.arrives%7$s), pg_catalog.count(*) FILTER (WHERE m.departs AND NOT m.arrives%7$s),
    pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE NOT m.departs OR NOT m.arrives), pg_catalog.min(m.move_id), pg_catalog.max(m.move_id)
  INTO gone_id, gone, moved, traced, first, last FROM pgtrack_history.%1$I AS m
  WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since AND m.claimed OPERATOR(pg_catalog.=) $3;
  IF pgtrack.moved OPERATOR(pg_catalog.=) 0 THEN
    RETURN 0;
  END IF;
  IF (NOT $2 OR pgtrack.traced OPERATOR(pg_catalog.>) 0) AND pg_catalog.current_setting('track_counts') OPERATOR(pg_catalog.=) 'off' THEN
    RAISE EXCEPTION 'a MERGE that moves rows to another partition, or an UPDATE with triggers on them, cannot be recorded while track_counts is off' USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'SET track_counts = on.';
  END IF;
  IF NOT $2 THEN
    INSERT INTO pgtrack_history.%2$I (%3$s)
    SELECT CASE WHEN m.arrives THEN $1 ELSE pgtrack.gone_id END%4$s FROM pgtrack_history.%1$I AS m
    WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since AND m.claimed OPERATOR(pg_catalog.=) $3 AND m.departs
    ORDER BY m.move_id;
    GET DIAGNOSTICS added = ROW_COUNT;%8$s
  END IF;%5$s
  DELETE FROM pgtrack_history.%1$I AS m
  WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since AND m.claimed OPERATOR(pg_catalog.=) $3;
  IF %11$s THEN
    PERFORM pgtrack._note_moves('%9$s', pg_catalog.to_jsonb(pgtrack.last)) WHERE NOT EXISTS (
      SELECT FROM pgtrack_history.%1$I AS m
      WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.move_id OPERATOR(pg_catalog.>) pgtrack.since);
  END IF;
  IF pgtrack.gone OPERATOR(pg_catalog.>) 0 THEN%6$s
  END IF;
  RETURN pgtrack.added OPERATOR(pg_catalog.-) pgtrack.gone;
END
$$,
    format('moves_%s', p_relation), r.history_table,
    concat_ws(', ', 'pgtrack_statement_id', string_agg(quote_ident(h.attname), ', ' ORDER BY h.attnum)),
    string_agg(format(', m.image_%s', h.attnum), '' ORDER BY h.attnum),
    pgtrack._record_moved_keys_sql(p_relation),
    pgtrack._statement_sql(p_relation, 'D', 'pgtrack.gone_id', 'pgtrack.gone'),
    -- Without a key nothing tells which of the images it is.
    CASE r.key_columns WHEN '{}' THEN ' AND NOT $2' ELSE '' END,
    CASE WHEN r.key_columns <> '{}' THEN format($$
    PERFORM pgtrack._note_moves(pg_catalog.format('%%s:%%s', %s, $3), pg_catalog.jsonb_build_object('statement', $1, 'first', pgtrack.first));$$, p_relation) END,
    p_relation, pgtrack._moves_since_sql(p_relation), pgtrack._many_moves_sql(p_relation))
  FROM pgtrack.relation r
  LEFT JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  LEFT JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
  WHERE r.relation_id = p_relation GROUP BY r.relation_id;
END;
COMMENT ON FUNCTION pgtrack._record_moves_sql(integer) IS 'The body of the function that records the rows that an UPDATE or MERGE has moved.';

-- ==== capture/unmoved.sql ====

-- What the recorders of a partitioned table do about rows that move. In MERGE these are in the transition tables of DELETE and
-- INSERT, if it has such actions, but they are the UPDATE's. The triggers fire in the order DELETE, UPDATE, INSERT
-- (fireASTriggers in src/backend/executor/nodeModifyTable.c): a row that left is told by its note, one that came by the change
-- of its key, which is recorded by then. Without a primary key nothing tells it, and its deletion and insertion are recorded as such.

-- A statement of its own: with a condition that is mostly empty, PostgreSQL would plan the usual one anew each time.
CREATE OR REPLACE FUNCTION pgtrack._unmoved_sql(p_relation integer, p_operation text, p_from text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(E'IF %s THEN\n    %s;\n  ELS', pgtrack._may_move_sql(p_relation),
    CASE WHEN r.key_columns <> '{}' THEN pgtrack._images_sql(p_relation, p_operation, 'pgtrack.id', 'r', p_from || format(
           ' WHERE NOT %s OPERATOR(pg_catalog.=) ANY (SELECT m.key FROM pgtrack_history.%I(pg_catalog.pg_trigger_depth()) AS m (key))',
           pgtrack._live_key_sql(p_relation, 'r'), format(CASE p_operation WHEN 'insert' THEN 'arrivals_%s' ELSE 'departures_%s' END, p_relation)))
         ELSE format(E'PERFORM pgtrack_history.%I(pg_catalog.pg_trigger_depth());\n    %s', format('departures_%s', p_relation),
           pgtrack._images_sql(p_relation, p_operation, 'pgtrack.id', 'r', p_from)) END)
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND (p_operation = 'delete' OR p_operation = 'insert' AND r.key_columns <> '{}');
END;
COMMENT ON FUNCTION pgtrack._unmoved_sql(integer, text, text) IS
  'The branch of a recorder of a partitioned table, where rows may have moved, that records those which do not belong to the UPDATE of a MERGE.';

CREATE OR REPLACE FUNCTION pgtrack._is_note_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(
    (SELECT string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, pgtrack._output_sql(format('r.%I', k.column_name), k.type), format('m.image_%s', h.attnum)),
                       ' AND ' ORDER BY k.position)
     FROM pgtrack._key_parts(p_relation) k
     JOIN pgtrack.relation r ON r.relation_id = p_relation
     JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = k.history_column),
    (SELECT format('ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(%s)::pg_catalog.record',
                   string_agg(pgtrack._output_sql(format('r.%I', a.attname), a.atttypid), ', ' ORDER BY a.attnum),
                   string_agg(format('m.image_%s', h.attnum), ', ' ORDER BY a.attnum))
     FROM pgtrack.relation r
     JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id
     JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = c.attnum AND a.attname = c.column_name AND NOT a.attisdropped
     JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
     WHERE r.relation_id = p_relation));
END;
COMMENT ON FUNCTION pgtrack._is_note_sql(integer) IS 'The condition that a row of a transition table is the one of a note.';

CREATE OR REPLACE FUNCTION pgtrack._moved_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
  IF %1$s THEN
    -- A plain UPDATE has the rows that it moves in its transition table.
    rows := pgtrack.rows OPERATOR(pg_catalog.+) pgtrack_history.%2$I(pgtrack.id, EXISTS (
      SELECT FROM pgtrack_old AS r CROSS JOIN pgtrack_history.%3$I(pg_catalog.pg_trigger_depth()) AS m WHERE %4$s), pg_catalog.pg_trigger_depth());
  END IF;$$, pgtrack._may_move_uncounted_sql(p_relation), format('record_moves_%s', p_relation), format('first_move_%s', p_relation), pgtrack._is_note_sql(p_relation));
END;
COMMENT ON FUNCTION pgtrack._moved_sql(integer) IS 'The part of the UPDATE recorder of a partitioned table that deals with the rows that have moved.';

-- Plans are made for a table that is thought to be empty, which it is not while rows move.
-- Nobody can insert a row under a key that another has come to and not left. So one that was inserted there is that other.
CREATE OR REPLACE FUNCTION pgtrack._generate_unmoved(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_unmoved$
DECLARE
  c_definition CONSTANT  text := 'LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off';
  v_moves                text := format('pgtrack_history.moves_%s', p_relation);
  v_has_key              boolean := (SELECT r.key_columns <> '{}' FROM pgtrack.relation r WHERE r.relation_id = p_relation);
BEGIN
  PERFORM pgtrack._create_function(p_relation, format('first_move_%s(integer)', p_relation), concat('RETURNS SETOF ', v_moves, ' ', c_definition), format($$
DECLARE
  v_since  bigint := %2$s;
BEGIN
  RETURN QUERY SELECT m.* FROM %1$s m
  WHERE m.xid = pg_current_xact_id_if_assigned() AND m.move_id > v_since AND m.claimed = $1 AND m.departs
  ORDER BY m.xid, m.move_id LIMIT 1;
END
$$, v_moves, pgtrack._moves_since_sql(p_relation)), 'The first row of @ that an UPDATE has moved.', NULL);
  PERFORM pgtrack._create_function(p_relation, format('departures_%s(integer)', p_relation), 'RETURNS SETOF jsonb ' || c_definition, format($$
DECLARE
  v_since  bigint := %s;
BEGIN
  %s
END
$$, pgtrack._moves_since_sql(p_relation), CASE WHEN v_has_key THEN 'RETURN QUERY SELECT m.old_key'
      -- Nothing tells which rows these are: their deletion is recorded as that.
      ELSE 'DELETE' END || format(' FROM %s m WHERE m.xid = pg_current_xact_id_if_assigned() AND m.move_id > v_since AND m.claimed IS NULL%s;',
                                  v_moves, CASE WHEN v_has_key THEN ' AND m.departs' END)),
    'The keys of rows of @ that have moved, as they were.', NULL);
  IF v_has_key THEN
    PERFORM pgtrack._create_function(p_relation, format('arrivals_%s(integer)', p_relation), 'RETURNS SETOF jsonb ' || c_definition,
      pgtrack._arrivals_sql(p_relation), 'The keys of rows of @ that the UPDATE of a MERGE has moved and that are there, as they are.', NULL);
  END IF;
END
$_generate_unmoved$;
COMMENT ON FUNCTION pgtrack._generate_unmoved(integer) IS 'Writes the functions that tell rows that have moved from those that were deleted or inserted.';

CREATE OR REPLACE FUNCTION pgtrack._arrivals_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
DECLARE
  v_name    text := format('%%s:%%s', %1$s, $1);
  v_update  jsonb := pgtrack._noted_moves(v_name);
BEGIN
  IF v_update IS NULL THEN
    RETURN;
  END IF;
  PERFORM pgtrack._note_moves(v_name, 'null');
  RETURN QUERY SELECT c.new_key
  FROM (SELECT c.* FROM pgtrack.key_change c WHERE c.change_id >= (v_update ->> 'first')::bigint OFFSET 0) c
  WHERE c.relation_id = %1$s AND c.statement_id = (v_update ->> 'statement')::bigint
    AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%1$s) d WHERE d.old_key = c.new_key AND d.xid = c.xid AND d.statement_id > c.statement_id)
    AND NOT EXISTS (
      SELECT FROM jsonb_to_record(c.new_key) AS k(%2$s) JOIN pgtrack_history.%3$I h ON %4$s
      JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
      WHERE h.pgtrack_statement_id > c.statement_id AND s.operation IN ('D', 'T'));
END
$$, p_relation, string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position), r.history_table,
    string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('h.%I', k.history_column), format('k.%I', k.column_name)), ' AND ' ORDER BY k.position))
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(p_relation) k
  WHERE r.relation_id = p_relation GROUP BY r.history_table;
END;
COMMENT ON FUNCTION pgtrack._arrivals_sql(integer) IS 'The body of the function that knows the keys that a MERGE has moved rows to.';


-- ==== capture/order.sql ====

-- The queries of foreign keys that act (CASCADE, SET NULL, SET DEFAULT) belong to the statement that they act for. So one
-- statement can change a row more than once, and PostgreSQL shows all its updates of a table to the trigger at once, in
-- the order in which they happened. Each update of a row after its first gets a number of its own then.
CREATE OR REPLACE FUNCTION pgtrack._may_repeat(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_repeat$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (
      SELECT FROM pg_catalog.pg_constraint c
      WHERE c.conrelid = m.relid AND c.contype = 'f' AND (c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('n', 'd')) OFFSET 0) c));
END
$_may_repeat$;
COMMENT ON FUNCTION pgtrack._may_repeat(regclass) IS 'Whether a foreign key may update rows of a table, maybe such as the statement has updated itself.';

-- Nearly always no row is there twice, which one look at the keys says.
CREATE OR REPLACE FUNCTION pgtrack._order_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
          IF pgtrack.rows OPERATOR(pg_catalog.>) 1 THEN
            IF EXISTS (SELECT FROM pgtrack_old AS r GROUP BY %2$s HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1)
               OR EXISTS (SELECT FROM pgtrack._key_changes_of(%1$s, pgtrack.id)) THEN
              <<pgtrack_order>>
              DECLARE
                keys     pg_catalog.jsonb[] := ARRAY(SELECT pgtrack_history.key_%1$s(%2$s) FROM pgtrack_old AS r);
                ids      pg_catalog.int8[];
                next_id  pg_catalog.int8;
                updates  pg_catalog.int8;
              BEGIN
                IF pgtrack.rows OPERATOR(pg_catalog.=) pg_catalog.cardinality(pgtrack_order.keys) THEN
                  ids := pgtrack._in_order(%1$s, pgtrack.id, pgtrack_order.keys);
                END IF;
                IF pgtrack_order.ids IS NOT NULL THEN
                  DELETE FROM pgtrack_history.%3$I AS h WHERE h.pgtrack_statement_id OPERATOR(pg_catalog.=) pgtrack.id;
                  %4$s;
                  FOR next_id, updates IN
                    SELECT x.id, pg_catalog.count(*) FROM pg_catalog.unnest(pgtrack_order.ids) AS x (id) GROUP BY x.id ORDER BY x.id
                  LOOP
                    IF pgtrack_order.next_id OPERATOR(pg_catalog.=) pgtrack.id THEN
                      rows := pgtrack_order.updates;
                    ELSE%5$s
                    END IF;
                  END LOOP;
                END IF;
              END;
            END IF;
          END IF;$$,
    p_relation, string_agg(pgtrack._output_sql(format('r.%I', k.column_name), k.type, true), ', ' ORDER BY k.position), r.history_table,
    pgtrack._images_sql(p_relation, 'update', 'pgtrack_order.ids[(pg_catalog.row_number() OVER ())::pg_catalog.int4]', 'r', ' FROM pgtrack_old AS r'),
    pgtrack._statement_sql(p_relation, 'U', 'pgtrack_order.next_id', 'pgtrack_order.updates'))
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k
  WHERE r.relation_id = p_relation
  GROUP BY r.relation_id;
END;
COMMENT ON FUNCTION pgtrack._order_sql(integer) IS 'The part of an UPDATE recorder that gives numbers of their own to further updates of the same rows.';

-- However many rows a transaction is thought to have, they are found by its number and not by a scan of the whole.
CREATE OR REPLACE FUNCTION pgtrack._key_changes_of(p_relation integer, p_statement bigint) RETURNS SETOF pgtrack.key_change
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_key_changes_of$
DECLARE
  v_change  pgtrack.key_change;
  v_since   bigint;
BEGIN
  FOR v_change IN
    SELECT c.* FROM (SELECT c.* FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id() OFFSET 0) c
    WHERE c.relation_id = p_relation AND (c.statement_id IS NULL OR c.statement_id = p_statement)
  LOOP
    -- Those without a number belong to the next UPDATE that is recorded (_key_changes).
    v_since := coalesce(v_since, (
      SELECT max(s.statement_id) FROM (SELECT s.* FROM pgtrack.statement s WHERE s.xid = pg_current_xact_id() OFFSET 0) s
      WHERE s.relation_id = p_relation AND s.operation = 'U'), 0);
    IF v_change.statement_id IS NOT NULL OR v_change.change_id > v_since THEN
      RETURN NEXT v_change;
    END IF;
  END LOOP;
END
$_key_changes_of$;
COMMENT ON FUNCTION pgtrack._key_changes_of(integer, bigint) IS 'The key changes by an UPDATE that is just being recorded.';

-- What happened at a key: a row was changed there, left it, or arrived. Whoever finds a row at a key comes after who brought
-- it there, and whoever comes to a key does not come before the one who left it.
CREATE OR REPLACE FUNCTION pgtrack._rounds(p_before jsonb[], p_after jsonb[], p_may_share_keys boolean) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_rounds$
DECLARE
  v_rounds  integer[] := array_fill(1, ARRAY[cardinality(p_before)]);
  v_event   record;
BEGIN
  FOR v_event IN
    SELECT e.* FROM (
      SELECT t.position, t.is_arrival, lag(t.position) OVER w AS earlier, lag(t.is_departure) OVER w AS is_left
      FROM (SELECT c.position, c.before AS key, false AS is_arrival, c.before <> c.after AS is_departure
            FROM unnest(p_before, p_after) WITH ORDINALITY AS c (before, after, position)
            UNION ALL
            SELECT c.position, c.after, true, false
            FROM unnest(p_before, p_after) WITH ORDINALITY AS c (before, after, position)
            WHERE c.before <> c.after AND NOT p_may_share_keys) t
      WINDOW w AS (PARTITION BY t.key ORDER BY t.position)) e
    WHERE e.earlier IS NOT NULL ORDER BY e.position
  LOOP
    v_rounds[v_event.position] := greatest(v_rounds[v_event.position],
                                           v_rounds[v_event.earlier] + CASE WHEN v_event.is_arrival AND v_event.is_left THEN 0 ELSE 1 END);
  END LOOP;
  RETURN v_rounds;
END
$_rounds$;
COMMENT ON FUNCTION pgtrack._rounds(jsonb[], jsonb[], boolean) IS
  'For updates in the order in which they happened, each with the key before and after it: the how manieth update of its row it is, at least. '
  'p_may_share_keys: that a key is there twice for a while is no reason to take two rows for one.';

-- Key changes are in the order of the updates. One is the last update that finds a row at its old key, or the last before
-- the next row comes there: so they are found from the end. Those that have the statement's number already moved a row to
-- another partition; they were noted before the others, and are in an order of their own.
CREATE OR REPLACE FUNCTION pgtrack._in_order(p_relation integer, p_statement bigint, p_keys jsonb[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_in_order$
DECLARE
  v_after    jsonb[] := p_keys;
  v_changes  bigint[];
  v_places   integer[];
  v_old      jsonb[];
  v_new      jsonb[];
  v_earlier  integer[];
  v_latest   integer[];
  v_rounds   integer[];
  v_numbers  bigint[];
  v_ids      bigint[];
BEGIN
  SELECT array_agg(c.change_id ORDER BY c.n), array_agg(c.old_key ORDER BY c.n), array_agg(c.new_key ORDER BY c.n), array_agg(c.earlier ORDER BY c.n),
         ARRAY[max(c.n) FILTER (WHERE c.is_move), max(c.n) FILTER (WHERE NOT c.is_move)]
  INTO v_changes, v_old, v_new, v_earlier, v_latest
  FROM (SELECT c.*, lag(c.n) OVER (PARTITION BY c.is_move ORDER BY c.n) AS earlier
        FROM (SELECT c.*, c.statement_id IS NOT NULL AS is_move, row_number() OVER (ORDER BY c.change_id)::integer AS n
              FROM pgtrack._key_changes_of(p_relation, p_statement) c) c) c;
  v_places := array_fill(NULL::integer, ARRAY[coalesce(cardinality(v_changes), 0)]);
  FOR i IN REVERSE cardinality(p_keys) .. 1 LOOP
    FOR kind IN 1 .. 2 LOOP
      IF p_keys[i] = v_old[v_latest[kind]] THEN
        v_after[i] := v_new[v_latest[kind]];
        v_places[v_latest[kind]] := i;
        v_latest[kind] := v_earlier[v_latest[kind]];
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
  v_rounds := pgtrack._rounds(p_keys, v_after, (
    SELECT pgtrack._has_deferrable_key(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation));
  v_numbers := p_statement || ARRAY(SELECT nextval('pgtrack.statement_id_seq') FROM generate_series(2, (SELECT max(x) FROM unnest(v_rounds) x)));
  IF cardinality(v_numbers) > 1 THEN
    v_ids := ARRAY(SELECT v_numbers[x.round] FROM unnest(v_rounds) WITH ORDINALITY AS x (round, position) ORDER BY x.position);
    UPDATE pgtrack.key_change c SET statement_id = v_ids[x.place]
    FROM unnest(v_changes, v_places) AS x (change_id, place) WHERE c.change_id = x.change_id AND x.place IS NOT NULL;
  END IF;
  RETURN v_ids;
END
$_in_order$;
COMMENT ON FUNCTION pgtrack._in_order(integer, bigint, jsonb[]) IS
  'Of the updates in a transition table, with the keys that their rows had, the statement numbers; null if they need no more than one.';

-- PostgreSQL shows all that the foreign keys' queries have deleted to one trigger, and all that they have updated to another,
-- whichever is last. But none finds a row that is deleted: where the updates have rows of a deletion before them, under keys to
-- which nothing has come since, that was told too early.
CREATE OR REPLACE FUNCTION pgtrack._may_delete(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_delete$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = m.relid AND c.contype = 'f' AND c.confdeltype = 'c' OFFSET 0) c));
END
$_may_delete$;
COMMENT ON FUNCTION pgtrack._may_delete(regclass) IS 'Whether a foreign key may delete rows of a table.';

CREATE OR REPLACE FUNCTION pgtrack._put_deletion_last(p_relation integer, p_update bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_put_deletion_last$
DECLARE
  v_deletion  bigint;
  v_history   text;
  v_matters   boolean;
  v_id        bigint;
BEGIN
  SELECT s.statement_id INTO v_deletion
  FROM (SELECT s.* FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id < p_update ORDER BY s.statement_id DESC LIMIT 1) s
  WHERE s.operation = 'D' AND s.xid = pg_current_xact_id();
  IF v_deletion IS NULL THEN
    RETURN;
  END IF;
  SELECT format('pgtrack_history.%I', r.history_table) INTO v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  EXECUTE (
    SELECT format('SELECT EXISTS (SELECT FROM %1$s h JOIN %1$s c ON %2$s WHERE h.pgtrack_statement_id = $1 AND c.pgtrack_statement_id >= $2'
                  ' AND NOT EXISTS (SELECT FROM pgtrack.key_change a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%3$s)'
                  ' WHERE a.xid = pg_current_xact_id() AND a.relation_id = %4$s AND a.change_id > $1 AND %5$s))', v_history,
      pgtrack._same_key_in_history_sql(p_relation), string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position), p_relation,
      string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('h.%I', k.history_column), format('k.%I', k.column_name)), ' AND ' ORDER BY k.position))
    FROM pgtrack._key_parts(p_relation) k)
  INTO v_matters USING v_deletion, p_update;
  IF v_matters THEN
    v_id := nextval('pgtrack.statement_id_seq');
    EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE pgtrack_statement_id = $2', v_history) USING v_id, v_deletion;
    UPDATE pgtrack.statement s SET statement_id = v_id, at = clock_timestamp() WHERE s.relation_id = p_relation AND s.statement_id = v_deletion;
  END IF;
END
$_put_deletion_last$;
COMMENT ON FUNCTION pgtrack._put_deletion_last(integer, bigint) IS
  'Gives a later number to the deletion before an UPDATE that was just recorded, if that has found rows which the deletion has.';

CREATE OR REPLACE FUNCTION pgtrack._put_deletion_last_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$;
    IF (SELECT s.operation FROM pgtrack.statement AS s WHERE s.relation_id OPERATOR(pg_catalog.=) %1$s AND s.statement_id OPERATOR(pg_catalog.<) pgtrack.id
        ORDER BY s.statement_id DESC LIMIT 1) OPERATOR(pg_catalog.=) 'D' THEN
      PERFORM pgtrack._put_deletion_last(%1$s, pgtrack.id);
    END IF;$$, p_relation)
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND pgtrack._may_delete(r.relid);
END;
COMMENT ON FUNCTION pgtrack._put_deletion_last_sql(integer) IS
  'The part of an UPDATE recorder, behind the INSERT of its record, that tells a deletion by foreign keys after what they have updated.';

-- ==== capture/triggers.sql ====

-- Row triggers have names that sort before an application's, so that what those change is recorded after its cause.
CREATE OR REPLACE FUNCTION pgtrack._wanted_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_wanted_triggers$
DECLARE
  v_relation  pgtrack.relation;
  v_mode      text;
  v_same_key  text := pgtrack._same_key_sql(p_relation, NULL);
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  v_mode := pgtrack._capture_mode(v_relation.relid, v_relation.options);
  is_always := (v_relation.options ->> 'replica')::boolean;
  IF v_mode = 'row' THEN
    RETURN QUERY
      SELECT v_relation.relid, format('!pgtrack_%s', o)::name, 'AFTER ' || upper(o),
             format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I()', format('record_%s_%s', o, p_relation)), is_always
      FROM unnest('{insert,update,delete}'::text[]) o;
  ELSE
    RETURN QUERY
      SELECT m.relid, format('pgtrack_%s', o.name)::name, 'AFTER ' || upper(o.name),
             format('REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', o.tables, format('record_%s_%s', o.name, p_relation)), is_always
      FROM pgtrack._members(v_relation.relid) m
      CROSS JOIN (VALUES ('insert', 'NEW TABLE AS pgtrack_new'), ('update', 'OLD TABLE AS pgtrack_old'),
                         ('delete', 'OLD TABLE AS pgtrack_old')) AS o (name, tables);
    IF pgtrack._may_nest(v_relation.relid) THEN
      RETURN QUERY
        SELECT m.relid, 'pgtrack_open'::name, 'BEFORE INSERT OR UPDATE OR DELETE',
               format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('open_%s', p_relation)), is_always
        FROM pgtrack._members(v_relation.relid) m;
    END IF;
    -- After pgtrack_update.
    RETURN QUERY
      SELECT m.relid, 'pgtrack_update_key'::name, 'AFTER UPDATE OF ' || (SELECT string_agg(quote_ident(k), ', ') FROM unnest(v_relation.key_columns) k),
             format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('record_key_%s', p_relation)), is_always
      FROM pgtrack._members(v_relation.relid) m WHERE pgtrack._put_first_sql(p_relation, 'U') IS NOT NULL;
  END IF;

  -- PostgreSQL truncates the partitions one by one.
  RETURN QUERY
    SELECT m.relid, 'pgtrack_truncate'::name, 'BEFORE TRUNCATE',
           format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', pgtrack._truncate_recorder(p_relation, m.relid)), is_always
    FROM pgtrack._members(v_relation.relid) m WHERE m.is_leaf;

  -- PostgreSQL parses a WHEN condition anew in every statement that the trigger is for, so statements that do not
  -- set the key are left out, unless a BEFORE trigger may set it in any statement.
  IF v_mode = 'tree' THEN
    RETURN QUERY SELECT m.* FROM pgtrack._move_triggers(p_relation, is_always) m;
  ELSIF v_same_key IS NOT NULL THEN
    RETURN QUERY
      SELECT v_relation.relid, CASE v_mode WHEN 'row' THEN '!pgtrack_key' ELSE 'pgtrack_key' END::name,
             'AFTER UPDATE' || CASE WHEN pgtrack._may_rewrite_rows(v_relation.relid) THEN ''
                                    ELSE (SELECT ' OF ' || string_agg(quote_ident(k), ', ') FROM unnest(v_relation.key_columns) k) END,
             format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I()', v_same_key, format('record_key_%s', p_relation)),
             is_always;
  END IF;
END
$_wanted_triggers$;
COMMENT ON FUNCTION pgtrack._wanted_triggers(integer) IS 'The triggers that catch every change of a table.';

-- What a trigger was made from stands in it, as the digest that is its last argument.
CREATE OR REPLACE FUNCTION pgtrack._trigger_sql(p_name name, p_table regclass, p_event text, p_action text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_trigger_sql$
BEGIN
  RETURN (
  SELECT format('CREATE OR REPLACE TRIGGER %I %s ON %s %s', p_name, p_event, p_table,
                regexp_replace(p_action, $r$,?\)$$r$, format('%s%L)', CASE WHEN p_action LIKE '%()' THEN '' ELSE ', ' END, md5(p_event || p_action)))));
END
$_trigger_sql$;
COMMENT ON FUNCTION pgtrack._trigger_sql(name, regclass, text, text) IS 'The command that makes a trigger, or makes it anew.';

-- They are found by their functions, and by the tables that have any: a former partition keeps its own until it is followed.
CREATE OR REPLACE FUNCTION pgtrack._present_triggers(p_relation integer) RETURNS TABLE (relid regclass, name name, made_from text, enabled "char")
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_present_triggers$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  -- Arguments end with a zero byte.
  SELECT t.tgrelid::regclass, t.tgname, encode(substr(t.tgargs, length(t.tgargs) - 32, 32), 'escape'), t.tgenabled
  FROM (SELECT g.function_name FROM pgtrack.generated g WHERE g.relation_id = p_relation
        -- Of an earlier revision (upgrade/open.sql).
        UNION ALL SELECT 'open') g
  JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
  -- OFFSET 0: what depends on these functions, and not all triggers that depend on any.
  CROSS JOIN LATERAL (
    SELECT d.objid FROM pg_depend d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.classid = 'pg_trigger'::regclass OFFSET 0) d
  -- Copies that PostgreSQL makes of a partitioned table's row triggers go with the original.
  JOIN pg_trigger t ON t.oid = d.objid AND t.tgparentid = 0
  WHERE g.function_name <> 'open' OR starts_with(encode(t.tgargs, 'escape'), p_relation || $r$\000$r$);
END
$_present_triggers$;
COMMENT ON FUNCTION pgtrack._present_triggers(integer) IS
  'The triggers of ours that are there for a tracked table, with the digest of what they were made from.';

CREATE OR REPLACE FUNCTION pgtrack._triggers(p_relation integer)
RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean, enabled "char", is_current boolean, function name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_triggers$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT relid, name, w.event, w.action, w.is_always, p.enabled, p.made_from IS NOT DISTINCT FROM md5(w.event || w.action),
         substring(w.action FROM $r$pgtrack_history\.(\w+)\([^()]*\)$$r$)::name
  FROM pgtrack._present_triggers(p_relation) p FULL JOIN pgtrack._wanted_triggers(p_relation) w USING (relid, name);
END
$_triggers$;
COMMENT ON FUNCTION pgtrack._triggers(integer) IS
  'The triggers of a tracked table and its partitions: what is wanted of each, null for one that does not belong there any more, and whether it is there.';

CREATE OR REPLACE FUNCTION pgtrack._trigger_changes(p_relation integer)
RETURNS TABLE (relid regclass, name name, command text, function name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_trigger_changes$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT t.relid, t.name, CASE WHEN t.event IS NULL THEN format('DROP TRIGGER %I ON %s', t.name, t.relid)
                               ELSE pgtrack._trigger_sql(t.name, t.relid, t.event, t.action) END, t.function
  FROM pgtrack._triggers(p_relation) t WHERE NOT t.is_current;
END
$_trigger_changes$;
COMMENT ON FUNCTION pgtrack._trigger_changes(integer) IS
  'The triggers of a tracked table and its partitions that are missing, out of date or do not belong there any more, each with the command that mends it.';

-- One that is not needed any more does no harm, and what makes it so, such as a trigger function, locks no table.
CREATE OR REPLACE FUNCTION pgtrack._drop_if_free(p_command text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_drop_if_free$
BEGIN
  PERFORM pgtrack._execute(p_command);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RAISE DEBUG '%', SQLERRM;
END
$_drop_if_free$;
COMMENT ON FUNCTION pgtrack._drop_if_free(text) IS 'Drops a trigger if nobody uses its table; else that is left to the next DDL.';

-- With the rights of whoever tracks the table or alters it. Triggers that are as they should be are left alone: to touch
-- one takes a lock that writers wait for.
CREATE OR REPLACE FUNCTION pgtrack._generate_triggers(p_relation integer, p_enable boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_triggers$
DECLARE
  v_trigger  record;
BEGIN
  FOR v_trigger IN
    SELECT x.relid, x.name, x.event IS NULL AS is_dropped, x.is_always, x.is_made,
           CASE WHEN x.event IS NULL THEN format('DROP TRIGGER %I ON %s', x.name, x.relid) ELSE pgtrack._trigger_sql(x.name, x.relid, x.event, x.action) END AS command,
           -- What nobody has disabled is enabled.
           x.state <> CASE WHEN x.is_always THEN 'A' ELSE 'O' END AND (p_enable OR x.state = 'O') AS is_enabled
    FROM (SELECT t.*, m.is_made, CASE WHEN m.is_made THEN 'O' ELSE t.enabled END AS state
          FROM pgtrack._triggers(p_relation) t
          -- A function that is missing could not be written yet.
          CROSS JOIN LATERAL (SELECT NOT t.is_current AND (t.function IS NULL OR to_regproc('pgtrack_history.' || quote_ident(t.function)) IS NOT NULL)) m (is_made)) x
    ORDER BY x.event IS NOT NULL
  LOOP
    -- A partition may be gone by now. To ask for its size waits for whoever drops it.
    CONTINUE WHEN (v_trigger.is_made OR v_trigger.is_enabled) AND NOT v_trigger.is_dropped AND pg_relation_size(v_trigger.relid) IS NULL;
    IF v_trigger.is_dropped AND v_trigger.name = 'pgtrack_open' THEN
      PERFORM pgtrack._drop_if_free(v_trigger.command);
    ELSIF v_trigger.is_made THEN
      PERFORM pgtrack._execute(v_trigger.command);
    END IF;
    IF v_trigger.is_enabled THEN
      PERFORM pgtrack._execute(format('ALTER TABLE %s ENABLE %s TRIGGER %I', v_trigger.relid, CASE WHEN v_trigger.is_always THEN 'ALWAYS' ELSE '' END, v_trigger.name));
    END IF;
  END LOOP;
END
$_generate_triggers$;
COMMENT ON FUNCTION pgtrack._generate_triggers(integer, boolean) IS
  'Puts the triggers on a tracked table and its partitions, and takes away those that no longer belong there; p_enable enables disabled ones.';

-- ==== capture/history_table.sql ====

-- The history table of a tracked table, and how it follows the table's shape

CREATE OR REPLACE FUNCTION pgtrack._free_name(p_wanted text, p_taken name[]) RETURNS name
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_free_name$
DECLARE
  v_stem    text := p_wanted;
  v_suffix  text := '';
BEGIN
  -- Identifiers have at most 63 bytes, not characters.
  LOOP
    WHILE octet_length(v_stem || v_suffix) > 63 LOOP
      v_stem := left(v_stem, -1);
    END LOOP;
    EXIT WHEN (v_stem || v_suffix)::name <> ALL (coalesce(p_taken, '{}'));
    v_suffix := '_' || (coalesce(nullif(substr(v_suffix, 2), '')::integer, 1) + 1);
  END LOOP;
  RETURN v_stem || v_suffix;
END
$_free_name$;
COMMENT ON FUNCTION pgtrack._free_name(text, name[]) IS 'The wanted name, shortened and numbered as far as necessary to be valid and new.';

CREATE OR REPLACE FUNCTION pgtrack._create_history(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_create_history$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  EXECUTE format('CREATE TABLE pgtrack_history.%I (%s) USING heap', v_relation.history_table,
                 array_to_string('pgtrack_statement_id bigint NOT NULL'::text || ARRAY(
                   SELECT format('%I %s', n.name, n.type_name) FROM pgtrack._new_columns(v_relation, NULL) n), ', '));
  PERFORM pgtrack._require_meant(format('pgtrack_history.%I', v_relation.history_table)::regclass, c.history_column, b.type)
  FROM pgtrack.relation_column c CROSS JOIN LATERAL pgtrack._base_type(c.type, -1) b
  WHERE c.relation_id = p_relation AND b.type >= 16384 AND pgtrack._foreign_kind(c.type) IS NULL;
  EXECUTE format('COMMENT ON TABLE pgtrack_history.%I IS %L', v_relation.history_table,
    format('Old images of the rows of %s; for INSERT the key.', pgtrack._name(v_relation.relid)));
  EXECUTE format('COMMENT ON COLUMN pgtrack_history.%I.pgtrack_statement_id IS %L', v_relation.history_table,
    'The statement that made the change, in pgtrack.statement.');
  -- History is written in the order of its statements, so a tiny index finds those of a transaction. What was written
  -- last is asked for most; it shall not wait for a vacuum of the whole table to be in the index.
  EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I USING brin (pgtrack_statement_id) WITH (pages_per_range = 32, autosummarize = on)',
    format('h%s_statement', p_relation), v_relation.history_table);
  -- In a publication of all tables, what has no identity can be neither purged nor erased. Costs nothing otherwise.
  EXECUTE format('ALTER TABLE pgtrack_history.%I REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY', v_relation.history_table);
END
$_create_history$;
COMMENT ON FUNCTION pgtrack._create_history(integer) IS 'Creates the history table of a table that is tracked for the first time.';

-- Null is a value, too, which PostgreSQL makes for the rows that are there, once if the expression is not volatile.
CREATE OR REPLACE FUNCTION pgtrack._add_history_column(p_history regclass, p_column name, p_type oid, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_add_history_column$
BEGIN
  IF p_type < 16384 THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', p_history, p_column, p_name);
    RETURN;
  END IF;
  PERFORM pgtrack._make_own_type(coalesce(
    (SELECT r.relation_id FROM pgtrack.relation r WHERE r.history_table = (SELECT c.relname FROM pg_class c WHERE c.oid = p_history)), 0), p_type);
  PERFORM pgtrack._execute_if_meant(format(
    'ALTER TABLE %s ADD COLUMN %I %s DEFAULT pgtrack._if_meant(coalesce(NULL::%s, NULL), %1$L::regclass, %2$L, %5$s)',
    p_history, p_column, p_name, pgtrack._own_type(p_type), p_type));
  EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', p_history, p_column);
  PERFORM pgtrack._require_meant(p_history, p_column, p_type);
END
$_add_history_column$;
COMMENT ON FUNCTION pgtrack._add_history_column(regclass, name, oid, text) IS 'Adds a column to a history table or copy, of this type and no other of its name.';

-- Whoever finds the schema can make a view of a history table, or a policy, a function or a column of its type: what they
-- stand on PostgreSQL does not retype. They keep it, then, and history goes on in a column of its own. The rewrite keeps
-- the order of the rows; UPDATE is for where it is the table's type that is used.
CREATE OR REPLACE FUNCTION pgtrack._retype_history_column(p_history regclass, p_column name, p_type oid, p_name text, p_value text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_retype_history_column$
DECLARE
  v_retype CONSTANT  text := 'ALTER TABLE %s ALTER COLUMN %I TYPE %s USING '
                             || CASE WHEN p_type < 16384 THEN '%4$s' ELSE 'pgtrack._if_meant(%4$s, %1$L::regclass, %2$L, %5$s)' END;
  v_new              name;
  v_left             name;
  v_reason           text;
BEGIN
  BEGIN
    PERFORM pgtrack._execute_if_meant(format(v_retype, p_history, p_column, p_name, p_value, p_type));
    PERFORM pgtrack._require_meant(p_history, p_column, p_type);
    RETURN;
  EXCEPTION WHEN feature_not_supported THEN
    GET STACKED DIAGNOSTICS v_reason = PG_EXCEPTION_DETAIL;
    v_reason := concat_ws('; ', SQLERRM, nullif(v_reason, ''));
  END;
  v_new := pgtrack._history_name(p_column, p_history);
  v_left := pgtrack._history_name(p_column || '_left', p_history);
  PERFORM pgtrack._add_history_column(p_history, v_new, p_type, p_name);
  BEGIN
    PERFORM pgtrack._execute_if_meant(format(v_retype, p_history, v_new, p_name, p_value, p_type));
  EXCEPTION WHEN feature_not_supported THEN
    -- An older snapshot does not see all rows.
    IF pgtrack._snapshot_lasts() THEN
      RAISE;
    END IF;
    EXECUTE format('UPDATE %s SET %I = %s', p_history, v_new, p_value);
  END;
  EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', p_history, p_column, v_left);
  EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', p_history, v_new, p_column);
  RAISE WARNING 'column % of % is left to what stands on it: %', quote_ident(v_left), pgtrack._name(p_history), v_reason USING
    HINT = format('What it held is recorded in %I now. Drop what stands on it, then the column.', p_column);
END
$_retype_history_column$;
COMMENT ON FUNCTION pgtrack._retype_history_column(regclass, name, oid, text, text) IS
  'Gives a column of a history table or copy another type, with the values of an expression; an object of somebody else is no obstacle.';

CREATE OR REPLACE FUNCTION pgtrack._drop_function(p_function regprocedure) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_function$
DECLARE
  v_reason  text;
BEGIN
  EXECUTE format('DROP FUNCTION %s', p_function);
EXCEPTION WHEN dependent_objects_still_exist THEN
  GET STACKED DIAGNOSTICS v_reason = PG_EXCEPTION_DETAIL;
  RAISE WARNING 'the function % stays: %', p_function, v_reason USING HINT = 'Nothing of pg_track calls it any more.';
END
$_drop_function$;
COMMENT ON FUNCTION pgtrack._drop_function(regprocedure) IS
  'Drops a function that is not needed any more, unless an object of somebody else stands on it.';

-- ==== capture/history_columns.sql ====

CREATE OR REPLACE FUNCTION pgtrack._history_name(p_column text, p_history regclass, p_others name[] DEFAULT '{}') RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_history_name$
BEGIN
  RETURN (
  -- Names that begin with pgtrack_ are ours, in queries, too.
  SELECT pgtrack._free_name(CASE WHEN p_column LIKE $r$pgtrack\_%$r$ THEN '_' || p_column ELSE p_column END, array_agg(a.attname) || p_others)
  FROM pg_attribute a WHERE a.attrelid = p_history);
END
$_history_name$;
COMMENT ON FUNCTION pgtrack._history_name(text, regclass, name[]) IS 'The name of a history column for a column of that name; others are about to be made.';

CREATE OR REPLACE FUNCTION pgtrack._rename_history_column(p_relation integer, p_column name, p_wanted text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_history_column$
DECLARE
  v_history  name;
  v_name     name;
BEGIN
  SELECT r.history_table INTO STRICT v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  v_name := pgtrack._history_name(p_wanted, format('pgtrack_history.%I', v_history)::regclass);
  EXECUTE format('ALTER TABLE pgtrack_history.%I RENAME COLUMN %I TO %I', v_history, p_column, v_name);
  UPDATE pgtrack.relation_column SET history_column = v_name
  WHERE relation_id = p_relation AND history_column = p_column;
END
$_rename_history_column$;
COMMENT ON FUNCTION pgtrack._rename_history_column(integer, name, text) IS 'Renames a column of a history table, to a numbered name if the wanted one is taken.';

-- Columns are known by their numbers, which stay when they are renamed. A dump that is restored numbers them anew.
CREATE OR REPLACE FUNCTION pgtrack._sync_identity(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_identity$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  IF v_relation.identity IS DISTINCT FROM pgtrack._identity(v_relation.relid) THEN
    UPDATE pgtrack.relation_column SET attnum = NULL, type = NULL WHERE relation_id = p_relation AND v_relation.identity IS NOT NULL;
    UPDATE pgtrack.relation_column c SET successor = a.attnum
    FROM pg_attribute a
    WHERE c.relation_id = p_relation AND v_relation.identity IS NOT NULL AND c.successor IS NOT NULL
      AND a.attrelid = v_relation.relid AND a.attname = c.column_name AND a.attnum > 0 AND NOT a.attisdropped;
    UPDATE pgtrack.relation_column c SET attnum = a.attnum
    FROM pg_attribute a
    WHERE c.relation_id = p_relation AND v_relation.identity IS NOT NULL
      AND a.attrelid = v_relation.relid AND a.attname = c.column_name AND a.attnum > 0 AND NOT a.attisdropped
      AND c.history_column = (SELECT x.history_column FROM pgtrack.relation_column x
                              WHERE x.relation_id = p_relation AND x.column_name = c.column_name ORDER BY x.since DESC LIMIT 1);
    UPDATE pgtrack.relation SET
      identity = pgtrack._identity(relid),
      left_out = coalesce((SELECT jsonb_object_agg(a.attnum, o.option)
                           FROM pg_attribute a JOIN unnest('{exclude,redact}'::text[]) AS o (option) ON options -> o.option ? a.attname::text
                           WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped), '{}')
    WHERE relation_id = p_relation;
  ELSE
    -- The options follow a column that was renamed. That of one that was dropped holds for the next of its name.
    UPDATE pgtrack.relation r SET options = r.options || (
      SELECT jsonb_object_agg(o.option, (
        SELECT coalesce(jsonb_agg(n.name ORDER BY n.name), '[]')
        FROM (SELECT a.attname::text AS name FROM pg_attribute a
              WHERE a.attrelid = r.relid AND r.left_out ->> a.attnum::text = o.option AND NOT a.attisdropped
              UNION SELECT jsonb_array_elements_text(r.options -> o.option)
              WHERE EXISTS (SELECT FROM jsonb_each_text(r.left_out) l WHERE l.value = o.option
                            AND pgtrack._column_name(r.relid, l.key::smallint) IS NULL)) n))
      FROM unnest('{exclude,redact}'::text[]) AS o (option))
    WHERE r.relation_id = p_relation AND r.left_out <> '{}';
    UPDATE pgtrack.relation r SET left_out = r.left_out || x.new
    FROM (SELECT jsonb_object_agg(a.attnum, o.option) AS new
          FROM pgtrack.relation s CROSS JOIN unnest('{exclude,redact}'::text[]) AS o (option)
          JOIN pg_attribute a ON a.attrelid = s.relid AND a.attnum > 0 AND NOT a.attisdropped AND s.options -> o.option ? a.attname::text
          WHERE s.relation_id = p_relation AND NOT s.left_out ? a.attnum::text) x
    WHERE r.relation_id = p_relation AND x.new IS NOT NULL;
  END IF;
END
$_sync_identity$;
COMMENT ON FUNCTION pgtrack._sync_identity(integer) IS 'Finds the columns of a table by their names again after it was restored from a dump.';

-- What is stored as text goes on in the same column when its type is replaced by another such type.
CREATE OR REPLACE FUNCTION pgtrack._refuse_retyped(p_relation pgtrack.relation) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_retyped$
DECLARE
  v_column  name;
BEGIN
  IF p_relation.options ->> 'on_drop' = 'refuse' THEN
    SELECT a.attname INTO v_column
    FROM pgtrack.relation_column c JOIN pg_attribute a ON a.attrelid = p_relation.relid AND a.attnum = c.attnum
    WHERE c.relation_id = p_relation.relation_id AND c.type <> a.atttypid
      AND (pgtrack._foreign_kind(c.type) IS NOT NULL OR pgtrack._foreign_kind(a.atttypid) IS NOT NULL) LIMIT 1;
    IF FOUND THEN
      PERFORM pgtrack._refuse_drop(p_relation.relation_id, format('change the type of column %I of', v_column));
    END IF;
  END IF;
END
$_refuse_retyped$;
COMMENT ON FUNCTION pgtrack._refuse_retyped(pgtrack.relation) IS
  'Refuses, where on_drop says so, a change between types that are stored in the same way.';

CREATE OR REPLACE FUNCTION pgtrack._stored_collation(p_column pg_attribute) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_collation$
BEGIN
  -- One that somebody made can be dropped; it matters only where it compares in a way of its own.
  RETURN (SELECT coalesce((SELECT l.oid FROM pg_collation l WHERE l.oid = p_column.attcollation AND pgtrack._foreign_kind(p_column.atttypid) IS NULL
                           AND (l.oid < 16384 OR NOT l.collisdeterministic)),
                          CASE WHEN t.typcollation <> 0 THEN 'pg_catalog."default"'::regcollation::oid ELSE 0 END)
          FROM pg_type t WHERE t.oid = p_column.atttypid);
END
$_stored_collation$;
COMMENT ON FUNCTION pgtrack._stored_collation(pg_attribute) IS 'The collation of the history column for a column of a tracked table; 0 where its type has none.';

CREATE OR REPLACE FUNCTION pgtrack._collation_sql(p_column pg_attribute) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_collation_sql$
BEGIN
  RETURN (
  SELECT coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                   WHERE l.oid = pgtrack._stored_collation(p_column)), ''));
END
$_collation_sql$;
COMMENT ON FUNCTION pgtrack._collation_sql(pg_attribute) IS 'The same as a clause.';

CREATE OR REPLACE FUNCTION pgtrack._compares_otherwise(p_column pg_attribute, p_collation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_compares_otherwise$
BEGIN
  RETURN (
  SELECT CASE WHEN p_collation >= 16384 OR p_column.attcollation >= 16384
              THEN pgtrack._stored_collation(p_column) <> p_collation AND EXISTS (
                SELECT FROM pg_catalog.pg_collation l
                WHERE l.oid IN (pgtrack._stored_collation(p_column), p_collation) AND NOT l.collisdeterministic)
              ELSE false END);
END
$_compares_otherwise$;
COMMENT ON FUNCTION pgtrack._compares_otherwise(pg_attribute, oid) IS
  'Whether a column of a tracked table has a collation by which other values are equal than by the one of its history column.';

-- Dropped, retyped and excluded columns leave their values behind.
CREATE OR REPLACE FUNCTION pgtrack._leave_columns(p_relation pgtrack.relation, p_history regclass) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_leave_columns$
DECLARE
  v_column     record;
  v_keys       text;
  v_converted  text;
BEGIN
  FOR v_column IN
    SELECT c.history_column, c.column_name, c.attnum, c.column_name = ANY (p_relation.key_columns) AS is_key,
           CASE WHEN (n.a).attname IS NULL THEN 'dropped' WHEN p_relation.left_out ? (n.a).attnum::text THEN 'excluded'
                WHEN x.is_retyped THEN 'retyped' ELSE 'collated' END AS reason,
           h.atttypid AS type, format_type(h.atttypid, h.atttypmod) || pgtrack._collation_sql(n.a) AS type_name
    FROM pgtrack.relation_column c
    -- OFFSET 0, here and below: looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT h.* FROM pg_attribute h WHERE h.attrelid = p_history AND h.attname = c.history_column OFFSET 0) h
    LEFT JOIN LATERAL (SELECT a FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = c.attnum AND NOT a.attisdropped OFFSET 0) n ON true
    CROSS JOIN LATERAL (SELECT format_type(h.atttypid, h.atttypmod) IS DISTINCT FROM pgtrack._stored_type((n.a).atttypid, (n.a).atttypmod) AS is_retyped) x
    WHERE c.relation_id = p_relation.relation_id AND c.attnum IS NOT NULL
      AND (x.is_retyped OR p_relation.left_out ? c.attnum::text OR pgtrack._compares_otherwise(n.a, h.attcollation))
  LOOP
    IF v_column.reason = 'retyped' AND p_relation.options ->> 'on_drop' = 'refuse' THEN
      PERFORM pgtrack._refuse_drop(p_relation.relation_id, format('change the type of column %I of', v_column.column_name));
    END IF;
    IF v_column.reason = 'collated' AND NOT v_column.is_key THEN
      PERFORM pgtrack._retype_history_column(p_history, v_column.history_column, v_column.type, v_column.type_name, quote_ident(v_column.history_column));
      CONTINUE;
    END IF;
    -- The history of a row is found by its key.
    IF v_column.is_key THEN
      v_converted := CASE WHEN v_column.reason IN ('retyped', 'collated')
                     THEN pgtrack._convert_key_column(p_relation, v_column.column_name, v_column.attnum, v_column.history_column) END;
      v_keys := CASE WHEN v_keys IS DISTINCT FROM 'lost' AND v_converted = 'converted' THEN 'converted' ELSE 'lost' END;
      CONTINUE WHEN v_converted IS NOT NULL;
    END IF;
    UPDATE pgtrack.relation_column SET
      attnum = NULL,
      type = NULL,
      successor = CASE WHEN v_column.reason IN ('retyped', 'collated') THEN v_column.attnum END,
      -- What is excluded now is not to be seen in images of before, either.
      until = CASE WHEN v_column.reason = 'excluded' THEN NULL
                   WHEN history_column = v_column.history_column THEN nextval('pgtrack.statement_id_seq') ELSE until END
    WHERE relation_id = p_relation.relation_id AND (history_column = v_column.history_column OR successor = v_column.attnum);
    PERFORM pgtrack._rename_history_column(p_relation.relation_id, v_column.history_column,
      format('%s_%s', v_column.column_name, v_column.reason));
  END LOOP;
  RETURN v_keys;
END
$_leave_columns$;
COMMENT ON FUNCTION pgtrack._leave_columns(pgtrack.relation, regclass) IS
  'Leaves columns of a history table to what was recorded of columns that the table does not have any more; what became of recorded keys, as _sync_columns().';

CREATE OR REPLACE FUNCTION pgtrack._rename_columns(p_relation pgtrack.relation) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_columns$
DECLARE
  v_column   record;
  v_renamed  jsonb := '{}';
BEGIN
  FOR v_column IN
    SELECT c.history_column, c.column_name, c.attnum, a.attname
    FROM pgtrack.relation_column c
    CROSS JOIN LATERAL (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = c.attnum OFFSET 0) a
    WHERE c.relation_id = p_relation.relation_id AND (a.attname <> c.column_name OR c.history_column LIKE $r$pgtrack\_%$r$)
  LOOP
    UPDATE pgtrack.relation_column SET column_name = v_column.attname
    WHERE relation_id = p_relation.relation_id AND v_column.attnum IN (attnum, successor);
    PERFORM pgtrack._rename_history_column(p_relation.relation_id, v_column.history_column, v_column.attname);
    v_renamed := v_renamed || jsonb_build_object(v_column.column_name, v_column.attname);
  END LOOP;
  PERFORM pgtrack._rename_in_keys(p_relation.relation_id, v_renamed) WHERE v_renamed <> '{}';
END
$_rename_columns$;
COMMENT ON FUNCTION pgtrack._rename_columns(pgtrack.relation) IS 'Gives columns of a history table the names that the table''s columns have now.';

-- A virtual generated column (PostgreSQL 18) has no stored value to record.
CREATE OR REPLACE FUNCTION pgtrack._new_columns(p_relation pgtrack.relation, p_history regclass)
RETURNS TABLE (name name, type oid, type_name text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_new_columns$
#variable_conflict use_column
DECLARE
  v_column  record;
  v_taken   name[] := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_history);
BEGIN
  FOR v_column IN
    SELECT a.attnum, a.attname, a.atttypid, pgtrack._stored_type_of(a.atttypid) AS stored,
           pgtrack._stored_type(a.atttypid, a.atttypmod) || pgtrack._collation_sql(a) AS type_name
    FROM pg_attribute a
    WHERE a.attrelid = p_relation.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND NOT p_relation.left_out ? a.attnum::text
      AND NOT EXISTS (SELECT FROM pgtrack.relation_column c WHERE c.relation_id = p_relation.relation_id AND c.attnum = a.attnum OFFSET 0)
    ORDER BY a.attnum
  LOOP
    name := pgtrack._history_name(v_column.attname, NULL, v_taken);
    type := v_column.stored;
    type_name := v_column.type_name;
    v_taken := v_taken || name;
    INSERT INTO pgtrack.relation_column (relation_id, history_column, column_name, attnum, type, since)
    VALUES (p_relation.relation_id, _new_columns.name, v_column.attname, v_column.attnum, v_column.atttypid,
            CASE WHEN EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = p_relation.relation_id)
                 THEN nextval('pgtrack.statement_id_seq') ELSE 0 END);
    RETURN NEXT;
  END LOOP;
END
$_new_columns$;
COMMENT ON FUNCTION pgtrack._new_columns(pgtrack.relation, regclass) IS
  'Notes the columns of a table that its history does not have yet, and returns their definitions; p_history is null where the history table is made with them.';

CREATE OR REPLACE FUNCTION pgtrack._sync_columns(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_columns$
DECLARE
  v_relation  pgtrack.relation;
  v_history   regclass;
  v_keys      text;
  v_column    record;
  v_new       text[] := '{}';
BEGIN
  PERFORM pgtrack._sync_identity(p_relation);
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  v_history := format('pgtrack_history.%I', v_relation.history_table)::regclass;
  PERFORM pgtrack._refuse_retyped(v_relation);
  v_keys := pgtrack._leave_columns(v_relation, v_history);
  PERFORM pgtrack._rename_columns(v_relation);
  FOR v_column IN SELECT * FROM pgtrack._new_columns(v_relation, v_history) LOOP
    IF v_column.type < 16384 THEN
      v_new := v_new || format('%I %s', v_column.name, v_column.type_name);
    ELSE
      PERFORM pgtrack._add_history_column(v_history, v_column.name, v_column.type, v_column.type_name);
    END IF;
  END LOOP;
  IF v_new <> '{}' THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %s', v_history, array_to_string(v_new, ', ADD COLUMN '));
  END IF;
  UPDATE pgtrack.relation_column c SET type = (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = v_relation.relid AND a.attnum = c.attnum)
  WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL
    AND c.type IS DISTINCT FROM (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = v_relation.relid AND a.attnum = c.attnum);
  RETURN v_keys;
END
$_sync_columns$;
COMMENT ON FUNCTION pgtrack._sync_columns(integer) IS
  'Brings a history table into the shape of its tracked table, without losing a value; says if recorded keys were converted or lost by that.';

-- ==== capture/drift.sql ====

-- From PostgreSQL's caches, whatever the age of the snapshot. To take a field of a null runs no code of the type's, and to take
-- the null from an array none of a domain's that has got the table's name meanwhile.
CREATE OR REPLACE FUNCTION pgtrack._present_columns(p_table regclass, p_attnums smallint[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_present_columns$
DECLARE
  v_columns  jsonb;
BEGIN
  -- A table of another database, from which this one was restored.
  IF pgtrack._name(p_table) IS NULL THEN
    RETURN '{}';
  END IF;
  EXECUTE (
    SELECT format('SELECT jsonb_build_object(%s) FROM (SELECT ((NULL::%s[])[1]).*) r',
                  string_agg(format('%L, jsonb_build_array(%L, pg_typeof(r.%I)::oid::bigint)', c.attnum, c.name, c.name), ', ' ORDER BY c.attnum), p_table)
    FROM (SELECT n AS attnum, pgtrack._column_name(p_table, n) AS name FROM unnest(p_attnums) n) c WHERE c.name IS NOT NULL)
  INTO v_columns;
  RETURN v_columns;
END
$_present_columns$;
COMMENT ON FUNCTION pgtrack._present_columns(regclass, smallint[]) IS 'What columns are called now, and the OIDs of their types, by their numbers; without those that were dropped.';

-- Generated code knows a table's columns, and a table may change its shape where no event trigger follows. So the
-- code asks first. The question costs nothing: claiming to be IMMUTABLE, it is answered when PostgreSQL plans it, and
-- as it names the table, PostgreSQL plans it again whenever the table has changed. A value of another type than the code
-- was written for would be cast on its way into history, by a function of whoever made that type.
CREATE OR REPLACE FUNCTION pgtrack._has_drifted(p_table regclass, p_identity text, p_shape text, p_columns jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_has_drifted$
BEGIN
  IF p_identity <> pgtrack._identity(p_table) THEN
    RETURN true;
  END IF;
  -- An older snapshot shows an older shape than the code may have been written for.
  IF pgtrack._snapshot_lasts() THEN
    RETURN p_columns <> pgtrack._present_columns(p_table, ARRAY(SELECT c::smallint FROM jsonb_object_keys(p_columns) c));
  END IF;
  RETURN p_shape <> pgtrack._fingerprint(p_table);
END
$_has_drifted$;
COMMENT ON FUNCTION pgtrack._has_drifted(regclass, text, text, jsonb) IS
  'Whether a table is not what trigger functions were generated for: altered unnoticed, or restored elsewhere from a dump.';

CREATE OR REPLACE FUNCTION pgtrack._require_known_types(p_relation integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_known_types$
DECLARE
  v_table    regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_present  jsonb := pgtrack._present_columns(v_table, ARRAY(
    SELECT c.attnum FROM pgtrack.relation_column c WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL));
BEGIN
  IF EXISTS (SELECT FROM pgtrack.relation_column c
             WHERE c.relation_id = p_relation AND (v_present -> c.attnum::text ->> 1)::oid <> c.type) THEN
    RAISE EXCEPTION 'the type of a column of % has changed unnoticed', v_table USING
      ERRCODE = 'serialization_failure',
      DETAIL = 'Its history cannot follow in a transaction whose snapshot may be older than the change.',
      HINT = 'Try the transaction again. If that fails, too, SELECT * FROM pgtrack.follow_ddl().';
  END IF;
END
$_require_known_types$;
COMMENT ON FUNCTION pgtrack._require_known_types(integer) IS 'Refuses to record values of other types than history has columns for.';

CREATE OR REPLACE FUNCTION pgtrack._follow_unnoticed(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_unnoticed$
DECLARE
  v_events CONSTANT  text := pgtrack._silence_event_triggers();
BEGIN
  PERFORM pgtrack._lock_relation(p_relation);
  PERFORM pgtrack._begin_epoch();
  PERFORM pgtrack._sync(p_relation);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_follow_unnoticed$;
COMMENT ON FUNCTION pgtrack._follow_unnoticed(integer) IS 'Follows what no event trigger has reported.';

-- A write waits for nobody who reads history. As long as somebody does, images have what there are columns for: what a
-- new column held is then not known, as before there was one.
CREATE OR REPLACE FUNCTION pgtrack._follow(p_relation integer, p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET client_min_messages = warning SET lock_timeout = '20ms'
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1 AS $_follow$
BEGIN
  PERFORM pgtrack._require_member(p_relation, p_table);
  -- What is followed must be seen as it is now.
  -- In an extension's script it would become a part of the extension; that is followed when it is over (_outside_extension).
  IF pgtrack._snapshot_lasts() OR pgtrack._unsealed('extension', nullif(current_setting('pgtrack.extension', true), '')) IS NOT NULL THEN
    PERFORM pgtrack._require_known_types(p_relation);
    RETURN;
  END IF;
  PERFORM pgtrack._follow_unnoticed(p_relation);
EXCEPTION WHEN lock_not_available THEN
  IF NOT pgtrack._fits_history(p_relation) THEN
    PERFORM set_config('lock_timeout', '0', true);
    PERFORM pgtrack._follow_unnoticed(p_relation);
  END IF;
END
$_follow$;
COMMENT ON FUNCTION pgtrack._follow(integer, oid) IS 'Brings what was generated for a table in step with it, from inside one of its trigger functions.';

CREATE OR REPLACE FUNCTION pgtrack._fits_history(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT r.identity = pgtrack._identity(r.relid) AND NOT EXISTS (
    SELECT FROM pgtrack.relation_column c
    JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = c.attnum AND NOT a.attisdropped
    JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
    WHERE c.relation_id = r.relation_id
      AND (c.type <> a.atttypid OR format_type(h.atttypid, h.atttypmod) IS DISTINCT FROM pgtrack._stored_type(a.atttypid, a.atttypmod)))
  FROM pgtrack.relation r WHERE r.relation_id = p_relation;
END;
COMMENT ON FUNCTION pgtrack._fits_history(integer) IS 'Whether the recorded columns of a table still fit into its history, whatever else it has got.';

-- A writer's transaction may last. So it keeps those waiting who install pg_track, and who deal with this table, nobody else.
CREATE OR REPLACE FUNCTION pgtrack._lock_relation(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_lock_relation$
BEGIN
  LOCK TABLE pgtrack.installed_version IN ROW SHARE MODE;
  PERFORM FROM pgtrack.relation r WHERE r.relation_id = p_relation FOR NO KEY UPDATE;
END
$_lock_relation$;
COMMENT ON FUNCTION pgtrack._lock_relation(integer) IS 'Makes those who follow a table do so one after the other.';

-- Only the owner can lock a table in which nobody else may write; an advisory lock anybody could take and keep.
CREATE OR REPLACE FUNCTION pgtrack._lock_installation() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_lock_installation$
BEGIN
  LOCK TABLE pgtrack.installed_version IN SHARE UPDATE EXCLUSIVE MODE;
END
$_lock_installation$;
COMMENT ON FUNCTION pgtrack._lock_installation() IS
  'Makes those who track, follow, purge, erase or install do so one after the other. SECURITY DEFINER: those who may call it need no right on the table.';

-- ==== capture/history_key.sql ====

-- A row is found in history by its primary key, so what DDL makes of the key is done to what is recorded, too: columns
-- are renamed in the keys that stand as JSON, and recorded keys get the column's new type if that loses nothing of them.
-- Where it would, or the key is exchanged for another, rows recorded before cannot be told by it; from there on the history
-- of rows begins anew (key_since).

CREATE OR REPLACE FUNCTION pgtrack._rename_in_keys(p_relation integer, p_names jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_in_keys$
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack.relation r CROSS JOIN LATERAL unnest(r.key_columns) k WHERE r.relation_id = p_relation AND p_names ? k::text) THEN
    RETURN;
  END IF;
  UPDATE pgtrack.relation r SET key_columns = ARRAY(SELECT coalesce(p_names ->> k, k)::name FROM unnest(r.key_columns) WITH ORDINALITY AS u (k, n) ORDER BY n)
  WHERE r.relation_id = p_relation;
  UPDATE pgtrack.key_change SET old_key = pgtrack._renamed_key(old_key, p_names), new_key = pgtrack._renamed_key(new_key, p_names)
  WHERE relation_id = p_relation;
  UPDATE pgtrack.purged_version SET row_key = pgtrack._renamed_key(row_key, p_names) WHERE relation_id = p_relation;
  UPDATE pgtrack.erasure SET row_key = pgtrack._renamed_key(row_key, p_names) WHERE relation_id = p_relation;
END
$_rename_in_keys$;
COMMENT ON FUNCTION pgtrack._rename_in_keys(integer, jsonb) IS 'Gives columns of a table''s key their new names, wherever a key is recorded.';

CREATE OR REPLACE FUNCTION pgtrack._renamed_key(p_key jsonb, p_names jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(coalesce(p_names ->> k.key, k.key), k.value) FROM jsonb_each(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._renamed_key(jsonb, jsonb) IS 'A key with the new names of its columns.';

CREATE OR REPLACE FUNCTION pgtrack._converted_sql(p_value text, p_from oid, p_to text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_converted_sql$
BEGIN
  -- A domain of ours (_own_type) is no type to store; coalesce() makes it what it is based on.
  RETURN (SELECT format(CASE WHEN b.type < 16384 THEN '(%s)%s::%s' ELSE 'coalesce((%s)%s::%s, NULL)' END, p_value, CASE WHEN EXISTS (
    SELECT FROM pg_cast c WHERE c.castsource = p_from AND c.casttarget = b.type AND c.castcontext <> 'e') THEN '' ELSE '::text' END, p_to)
  FROM pgtrack._base_type(to_regtype(p_to), -1) b);
END
$_converted_sql$;
COMMENT ON FUNCTION pgtrack._converted_sql(text, oid, text) IS
  'The expression for a stored value as another stored type: as ALTER COLUMN TYPE would do it without USING, or by its text.';

-- Recorded keys are rewritten only where each of them can be got back, byte by byte; else the column is left behind as any
-- other that was retyped. What the application said in USING is not known, so the rows that were written last are looked
-- for: where they are not found, it was something else.
CREATE OR REPLACE FUNCTION pgtrack._convert_key_column(p_relation pgtrack.relation, p_column name, p_attnum smallint, p_history_column name) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_convert_key_column$
DECLARE
  v_history    regclass := format('pgtrack_history.%I', p_relation.history_table)::regclass;
  v_from       record;
  v_to         record;
  v_value      text;
  v_is_kept    boolean;
  v_before     bigint;
  v_after      bigint;
  v_context    text;
BEGIN
  -- ALTER TABLE converts rows that an older snapshot does not show.
  IF pgtrack._snapshot_lasts() THEN
    RETURN NULL;
  END IF;
  EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_history);
  SELECT pgtrack._stored_type_of(a.atttypid) AS type, pgtrack._stored_type(a.atttypid, a.atttypmod) AS name, pgtrack._collation_sql(a) AS collation INTO STRICT v_to
  FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = p_attnum;
  SELECT h.atttypid AS type, h.atttypmod AS typmod INTO STRICT v_from
  FROM pg_attribute h WHERE h.attrelid = v_history AND h.attname = p_history_column;
  PERFORM pgtrack._make_own_type(p_relation.relation_id, t) FROM unnest(ARRAY[v_from.type, v_to.type]) t;
  v_value := pgtrack._converted_sql(quote_ident(p_history_column), v_from.type, coalesce(pgtrack._own_type(v_to.type), v_to.name));
  BEGIN
    EXECUTE format('SELECT bool_and(ROW(%1$I)::record OPERATOR(pg_catalog.*=) ROW(%2$s)::record), count(DISTINCT %1$I) FROM %3$s', p_history_column,
                   pgtrack._converted_sql(v_value, v_to.type, pgtrack._type_sql(v_from.type, v_from.typmod)), v_history) INTO v_is_kept, v_before;
    IF NOT v_is_kept THEN
      RETURN NULL;
    END IF;
    PERFORM pgtrack._retype_history_column(v_history, p_history_column, v_to.type, v_to.name || v_to.collation, v_value);
    EXECUTE format('SELECT count(DISTINCT %I) FROM %s', p_history_column, v_history) INTO v_after;
  EXCEPTION WHEN data_exception OR cannot_coerce OR undefined_object OR feature_not_supported THEN
    RETURN NULL;
  END;
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  -- Two keys may have become one. And USING may make any value of any other; of a function LANGUAGE sql the text is not known.
  RETURN CASE WHEN v_before = v_after AND v_context !~ 'SQL function "(?!(follow_ddl|track)")' AND concat_ws(E'\n', current_query(), v_context) !~* format(
                $r$\musing\M(?!\s+"?%s"?\s*::)$r$, regexp_replace(p_column, '([^[:alnum:]_])', $r$\\\1$r$, 'g')) THEN 'converted' ELSE 'lost' END;
END
$_convert_key_column$;
COMMENT ON FUNCTION pgtrack._convert_key_column(pgtrack.relation, name, smallint, name) IS
  'Gives a column of recorded keys the type that the table''s column has now: converted, or lost if these may not be the same keys; '
  'null if it cannot without losing a value.';

CREATE OR REPLACE FUNCTION pgtrack._same_key(p_key jsonb, p_other jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(bool_and(coalesce(k.value = o.value OR k.value #>> '{}' = o.value #>> '{}', false)), false)
  FROM jsonb_each(p_key) k FULL JOIN jsonb_each(p_other) o USING (key);
END;
COMMENT ON FUNCTION pgtrack._same_key(jsonb, jsonb) IS 'Whether two keys are of the same values, though maybe of other types: 1 and "1".';

CREATE OR REPLACE FUNCTION pgtrack._canonical_keys(p_relation integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_canonical_keys$
DECLARE
  v_record  text := (SELECT string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position) FROM pgtrack._key_parts(p_relation) k);
BEGIN
  -- A digest says nothing of the key.
  IF EXISTS (SELECT FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND p.row_key ? '')
     OR NOT coalesce((SELECT bool_and(pgtrack._same_key(k.key, pgtrack._canonical_key(pgtrack._plain_numbers(k.key), v_record))) FROM (
            SELECT unnest(ARRAY[c.old_key, c.new_key]) AS key FROM pgtrack.key_change c WHERE c.relation_id = p_relation
            UNION ALL SELECT p.row_key FROM pgtrack.purged_version p WHERE p.relation_id = p_relation
            UNION ALL SELECT e.row_key FROM pgtrack.erasure e WHERE e.relation_id = p_relation) k), true) THEN
    RETURN false;
  END IF;
  UPDATE pgtrack.key_change SET
    old_key = pgtrack._canonical_key(pgtrack._plain_numbers(old_key), v_record), new_key = pgtrack._canonical_key(pgtrack._plain_numbers(new_key), v_record)
  WHERE relation_id = p_relation;
  UPDATE pgtrack.purged_version SET row_key = pgtrack._canonical_key(pgtrack._plain_numbers(row_key), v_record) WHERE relation_id = p_relation;
  UPDATE pgtrack.erasure SET row_key = pgtrack._canonical_key(pgtrack._plain_numbers(row_key), v_record) WHERE relation_id = p_relation;
  RETURN true;
EXCEPTION WHEN data_exception OR unique_violation THEN
  RETURN false;
END
$_canonical_keys$;
COMMENT ON FUNCTION pgtrack._canonical_keys(integer) IS
  'Writes all keys that stand as JSON in the form that the key''s present types have; false if they cannot be, or would be others.';

-- An integer does not take 1.00.
CREATE OR REPLACE FUNCTION pgtrack._plain_numbers(p_key jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(k.key, CASE jsonb_typeof(k.value) WHEN 'number' THEN to_jsonb(trim_scale(k.value::numeric)) ELSE k.value END) FROM jsonb_each(p_key) k;
END;
COMMENT ON FUNCTION pgtrack._plain_numbers(jsonb) IS 'A key whose numbers have no zeros behind the point.';

CREATE OR REPLACE FUNCTION pgtrack._finds_rows_by_key(p_table regclass) RETURNS boolean
-- PostgreSQL would plan checks of the table, too.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET constraint_exclusion = off AS $_finds_rows_by_key$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_lost   boolean;
BEGIN
  -- Whether it may be read is asked first, as for TRUNCATE; an older snapshot does not show what has been made since.
  IF pgtrack._snapshot_lasts() OR NOT has_table_privilege(p_table, 'SELECT')
     OR row_security_active(p_table) OR NOT pgtrack._hold_definition(p_table) OR pgtrack._foreign_expression(p_table) IS NOT NULL THEN
    RETURN false;
  END IF;
  PERFORM pgtrack._hold_name(p_table);
  v_shape := pgtrack._make_shape(p_table);
  -- Rows that have got another key and were not changed since.
  EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT c.* FROM pgtrack._key_changes(%s) c ORDER BY c.statement_id DESC LIMIT 1000) c'
                 ' CROSS JOIN LATERAL jsonb_to_record(c.new_key) AS k(%s)'
                 ' WHERE NOT EXISTS (SELECT FROM %s h WHERE h.pgtrack_statement_id > c.statement_id AND %s)'
                 ' AND NOT EXISTS (SELECT FROM %s t WHERE %s))',
                 v_shape.relation_id, v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.live_table, v_shape.live_is_key)
  INTO v_lost;
  RETURN NOT (v_lost OR EXISTS (SELECT FROM pgtrack._gaps(p_table, 1000) g WHERE g.is_missing));
END
$_finds_rows_by_key$;
COMMENT ON FUNCTION pgtrack._finds_rows_by_key(regclass) IS 'Whether the rows that were written last are in the table, under their recorded keys; false also if it cannot be told.';

CREATE OR REPLACE FUNCTION pgtrack._sync_key(p_relation integer, p_recorded text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_sync_key$
DECLARE
  v_relation  pgtrack.relation;
  v_keys      name[];
  v_equality  text[];
  v_columns   text;
  v_indexed   text;
  v_is_same   boolean;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  SELECT coalesce(array_agg(a.attname ORDER BY k.position), '{}'),
         coalesce(array_agg(format('%I.%s', n.nspname, o.oprname) ORDER BY k.position), '{}')
  INTO v_keys, v_equality
  FROM pgtrack._key_operators(v_relation.relid) k
  JOIN pg_attribute a ON a.attrelid = v_relation.relid AND a.attnum = k.attnum
  JOIN pg_operator o ON o.oid = k.operator
  JOIN pg_namespace n ON n.oid = o.oprnamespace;

  UPDATE pgtrack.relation SET key_columns = v_keys, key_equality = v_equality
  WHERE relation_id = p_relation AND (key_columns, key_equality) IS DISTINCT FROM (v_keys, v_equality);
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(v_keys, c.column_name)),
         string_agg(a.attnum::text, ' ' ORDER BY array_position(v_keys, c.column_name))
  INTO v_columns, v_indexed
  FROM pgtrack.relation_column c
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', v_relation.history_table)) AND a.attname = c.history_column
  WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (v_keys);
  -- A key that was retyped may be in another column now.
  IF v_indexed IS DISTINCT FROM (SELECT i.indkey::text FROM pg_index i
                                 WHERE i.indexrelid = to_regclass(format('pgtrack_history.%I', format('h%s_key', p_relation)))) THEN
    EXECUTE format('DROP INDEX IF EXISTS pgtrack_history.%I', format('h%s_key', p_relation));
    IF v_columns IS NOT NULL THEN
      EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I (%s)', format('h%s_key', p_relation), v_relation.history_table, v_columns);
    END IF;
  END IF;
  IF NOT (v_keys @> v_relation.key_columns AND v_keys <@ v_relation.key_columns) THEN
    PERFORM pgtrack._exchange_key(v_relation, v_keys);
  ELSIF p_recorded IS NOT NULL THEN
    v_is_same := p_recorded = 'converted' AND pgtrack._canonical_keys(p_relation) AND pgtrack._finds_rows_by_key(v_relation.relid);
    UPDATE pgtrack.relation SET key_since = nextval('pgtrack.statement_id_seq') WHERE relation_id = p_relation AND NOT v_is_same;
  END IF;
END
$_sync_key$;
COMMENT ON FUNCTION pgtrack._sync_key(integer, text) IS
  'Notes a tracked table''s primary key and indexes its history by it; p_recorded: converted, or lost if rows cannot be told by the key''s recorded values; null if these stayed.';

-- Not by their names, which may change places.
CREATE OR REPLACE FUNCTION pgtrack._key_identity(p_relation integer, p_keys name[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN count(*) = cardinality(p_keys) AND count(*) > 0 THEN jsonb_agg(jsonb_build_array(c.attnum, c.type, c.history_column) ORDER BY c.attnum) END
  FROM pgtrack.relation_column c WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL AND c.column_name = ANY (p_keys);
END;
COMMENT ON FUNCTION pgtrack._key_identity(integer, name[]) IS 'What tells whether a key is of the same columns, of the same types, recorded in the same place; null if that is not known.';

-- A key that is dropped and made again, with no change of the table in between, is the same.
CREATE OR REPLACE FUNCTION pgtrack._exchange_key(p_relation pgtrack.relation, p_keys name[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_exchange_key$
DECLARE
  v_latest  bigint := coalesce((SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = p_relation.relation_id), 0);
BEGIN
  IF v_latest = 0 THEN
    RETURN;
  END IF;
  UPDATE pgtrack.relation SET
    key_since = CASE WHEN (p_relation.former_key ->> 'latest')::bigint = v_latest
                          AND p_relation.former_key -> 'columns' = pgtrack._key_identity(p_relation.relation_id, p_keys)
                     THEN (p_relation.former_key ->> 'since')::bigint ELSE nextval('pgtrack.statement_id_seq') END,
    former_key = CASE WHEN p_relation.key_columns = '{}' THEN NULL
                      ELSE jsonb_build_object('columns', pgtrack._key_identity(p_relation.relation_id, p_relation.key_columns),
                                              'since', p_relation.key_since, 'latest', v_latest) END
  WHERE relation_id = p_relation.relation_id;
END
$_exchange_key$;
COMMENT ON FUNCTION pgtrack._exchange_key(pgtrack.relation, name[]) IS 'Notes that rows are told by another key from now on.';

-- What rows were before is recorded, but not under the key that they have now.
CREATE OR REPLACE FUNCTION pgtrack._refuse_former_key(p_table regclass, p_which text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_former_key$
DECLARE
  v_relation  pgtrack.relation;
  v_is_older  boolean := false;
BEGIN
  SELECT r.* INTO v_relation FROM pgtrack.relation r WHERE r.relid = p_table;
  IF v_relation.key_since > 0 THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id < %s AND (%s))',
                   v_relation.relation_id, v_relation.key_since, p_which)
    INTO v_is_older;
  END IF;
  IF v_is_older THEN
    RAISE EXCEPTION 'the primary key of % was another one then', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = format('Rows are told by (%s) since %s; changes from before that are not recorded under it.',
                      array_to_string(v_relation.key_columns, ', '),
                      coalesce((SELECT 'a change of the key before ' || min(s.at) FROM pgtrack.statement s
                                WHERE s.relation_id = v_relation.relation_id AND s.statement_id >= v_relation.key_since), 'a change of the key')),
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows them.', pgtrack._name(p_table));
  END IF;
END
$_refuse_former_key$;
COMMENT ON FUNCTION pgtrack._refuse_former_key(regclass, text) IS
  'Refuses a set of statements of which some changed rows that were told by another key.';

CREATE OR REPLACE FUNCTION pgtrack._same_key_in_history_sql(p_relation integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_same_key_in_history_sql$
BEGIN
  RETURN (
  SELECT string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('h.%I', k.history_column), format('c.%I', k.history_column)), ' AND '
                    ORDER BY k.position)
  FROM pgtrack._key_parts(p_relation) k);
END
$_same_key_in_history_sql$;
COMMENT ON FUNCTION pgtrack._same_key_in_history_sql(integer) IS 'The condition that two images h and c have the same key.';

-- ==== capture/policy.sql ====

-- Whoever may read a table may read its history; under row security those images that the table's policies would show.
-- Policies come and go, so they are asked when history is read, and nothing of them is kept.

CREATE OR REPLACE FUNCTION pgtrack._may_read(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT pg_catalog.has_table_privilege(r.relid, 'SELECT')
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._may_read(integer) IS 'Whether the current user may read a tracked table.';

CREATE OR REPLACE FUNCTION pgtrack._sees_every_row(p_relation integer) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce((SELECT NOT pg_catalog.row_security_active(r.relid)
                   FROM pgtrack.relation r WHERE r.relation_id = p_relation), false);
END;
COMMENT ON FUNCTION pgtrack._sees_every_row(integer) IS 'Whether no row security hides rows of a tracked table from the current user.';

CREATE OR REPLACE FUNCTION pgtrack._acts_for_owner() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgtrack';
END;
COMMENT ON FUNCTION pgtrack._acts_for_owner() IS 'Whether the current user may do what the owner of pg_track may.';

-- What an image says of each column of its table, $1 being the image. A type that is stored as text comes back through
-- its input function: a JSON string is fed to that, and to no cast. Few functions are called, as it is asked often.
CREATE OR REPLACE FUNCTION pgtrack._image_columns(p_relation integer)
RETURNS TABLE (attnum smallint, name name, value text, since bigint, may_fail boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_image_columns$
BEGIN
  RETURN QUERY
    SELECT a.attnum, a.attname,
           CASE WHEN c.history_column IS NULL THEN format('NULL::%s', t.type)
                WHEN h.atttypid = 'text'::regtype AND t.type <> 'text'
                THEN format('(SELECT x.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object(''v'', %s)) AS x (v %s))',
                            v.value, t.type)
                ELSE v.value END,
           least(c.since, g.since), g.since IS NOT NULL OR c.history_column IS NOT NULL AND h.type <> t.type
    FROM pgtrack.relation r
    JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum > 0 AND NOT a.attisdropped
    -- Numbers are from before a restore, names are not; but a rename may not have been followed yet.
    LEFT JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL AND c.history_column = (
      SELECT n.history_column FROM pgtrack.relation_column n
      WHERE n.relation_id = r.relation_id AND n.attnum IS NOT NULL AND (n.column_name = a.attname OR n.attnum = a.attnum)
      ORDER BY n.column_name = a.attname DESC LIMIT 1)
    LEFT JOIN LATERAL (
      SELECT b.atttypid, format_type(b.atttypid, b.atttypmod) AS type FROM pg_attribute b
      WHERE b.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND b.attname = c.history_column) h ON true
    LEFT JOIN LATERAL (
      SELECT min(o.since) AS since FROM pgtrack.relation_column o WHERE o.relation_id = r.relation_id AND o.successor = c.attnum) g ON true
    CROSS JOIN LATERAL (SELECT format_type(y.type, y.typmod) FROM pgtrack._base_type(a.atttypid, a.atttypmod) y) t (type)
    CROSS JOIN LATERAL (
      SELECT CASE WHEN g.since IS NULL THEN format('($1).%I', c.history_column) ELSE pgtrack._recorded(c, '($1)') END AS value) v
    WHERE r.relation_id = p_relation
    UNION ALL
    -- No image says where in the table its row was, nor who wrote it; a table with no partition and no child is one place.
    SELECT a.attnum, a.attname, r.relid::oid || '::pg_catalog.oid',
           CASE WHEN a.attname = 'tableoid' AND c.relkind <> 'p' AND NOT c.relhassubclass THEN 0 END, false
    FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum < 0
    WHERE r.relation_id = p_relation;
END
$_image_columns$;
COMMENT ON FUNCTION pgtrack._image_columns(integer) IS
  'The columns of a tracked table, system columns too, as expressions of an image; since when they are recorded (null: they are not), '
  'and whether they can fail.';

-- Asked once for each query that reads a history table; what it answers is asked of each image. A policy that asks for
-- what an image does not know shows nothing of it. A row of the table's type, which whole rows ask for, has no system columns.
CREATE OR REPLACE FUNCTION pgtrack._image_check(p_relation integer) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex' AS $_image_check$
DECLARE
  v_relation     pgtrack.relation;
  v_table        name;
  v_row          text;
  v_permissive   text;
  v_restrictive  text;
  v_values       text;
  v_columns      text;
  v_may_fail     boolean;
BEGIN
  SELECT * INTO v_relation FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  PERFORM pgtrack._hold_table(v_relation.relid);
  SELECT c.relname, quote_ident(c.relname) || '.*' INTO v_table, v_row FROM pg_class c WHERE c.oid = v_relation.relid;
  WITH known AS MATERIALIZED (
    SELECT * FROM pgtrack._image_columns(p_relation)
  ), policy AS (
    SELECT p.oid, p.polpermissive, c.condition, bool_or(strpos(c.condition, v_row) > 0) OVER () AS row_is_asked
    FROM pg_policy p CROSS JOIN LATERAL (SELECT format('(%s)', pg_get_expr(p.polqual, p.polrelid))) AS c (condition)
    WHERE p.polrelid = v_relation.relid AND p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL
      AND EXISTS (SELECT FROM unnest(p.polroles) o WHERE o = 0 OR pg_has_role(o, 'USAGE'))
  ), asked AS (
    SELECT p.polpermissive AS is_permissive,
           CASE WHEN bool_or(u.since IS NULL OR u.attnum < 0 AND p.row_is_asked) FILTER (WHERE u.attnum IS NOT NULL) THEN 'false'
                WHEN max(u.since) > 0
                THEN format('CASE WHEN ($1).pgtrack_statement_id <= %s THEN false ELSE %s END', max(u.since), p.condition)
                ELSE p.condition END AS condition
    FROM policy p
    LEFT JOIN known u ON u.attnum > 0 AND strpos(p.condition, v_row) > 0 OR u.attnum IN (
      SELECT d.refobjsubid FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = v_relation.relid)
    GROUP BY p.oid, p.polpermissive, p.condition, p.row_is_asked
  )
  SELECT (SELECT string_agg(p.condition, ' OR ') FILTER (WHERE p.is_permissive) FROM asked p),
         (SELECT string_agg(' AND ' || p.condition, '') FILTER (WHERE NOT p.is_permissive) FROM asked p),
         string_agg(k.value, ', ' ORDER BY k.attnum) FILTER (WHERE k.attnum > 0),
         string_agg(format('%s AS %I', k.value, k.name), ', ' ORDER BY k.attnum) FILTER (WHERE k.attnum > 0 OR k.since = 0),
         bool_or(k.may_fail) INTO v_permissive, v_restrictive, v_values, v_columns, v_may_fail
  FROM known k;
  IF v_permissive IS NULL THEN
    RETURN NULL;
  END IF;
  v_columns := format('(SELECT %s)', v_columns);
  IF strpos(concat(v_permissive, v_restrictive), v_row) > 0 THEN
    -- Where a policy passes the whole row on, it has to be one of the table's type.
    v_columns := format('pg_catalog.unnest(ARRAY[ROW(%s)::%s])', v_values, v_relation.relid);
    v_may_fail := true;
  END IF;
  RETURN ARRAY[
    format('SELECT EXISTS (SELECT FROM %s AS %I WHERE (%s)%s)', v_columns, v_table, v_permissive, v_restrictive),
    CASE WHEN v_may_fail THEN 'may fail' END,
    CASE WHEN v_relation.key_columns <> '{}' THEN format('pgtrack_history.%I', v_relation.history_table) END,
    (SELECT format('SELECT EXISTS (SELECT FROM (SELECT ($1).*) AS h JOIN %s AS t ON %s)',
                   CASE WHEN s.live_table LIKE 'ONLY %' THEN 'ONLY ' ELSE '' END || pgtrack._name(v_relation.relid), s.live_is_history)
     FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation AND v_relation.key_columns <> '{}')];
END
$_image_check$;
COMMENT ON FUNCTION pgtrack._image_check(integer) IS
  'How to tell which images of a table the current user may see: the question to ask of an image, whether it can fail, '
  'and for a table with a key its history table and the question whether the row is visible now; null where no policy shows anything.';

CREATE OR REPLACE FUNCTION pgtrack._entry(p_relation integer, p_statement bigint, p_handle tid, p_only_of_insertion boolean,
                                          OUT is_insertion boolean, OUT next_statement bigint, OUT next_handle tid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_entry$
DECLARE
  v_history   text;
  v_same_row  text;
BEGIN
  SELECT s.operation = 'I' INTO is_insertion FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_statement;
  IF p_only_of_insertion AND is_insertion IS NOT TRUE THEN
    RETURN;
  END IF;
  SELECT s.history, s.same_row INTO v_history, v_same_row FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  EXECUTE format('SELECT h.pgtrack_statement_id, h.ctid FROM %s c JOIN %1$s h ON %s'
                 ' WHERE c.ctid = $2 AND c.pgtrack_statement_id = $1 AND (h.pgtrack_statement_id, h.ctid) > ($1, $2)'
                 ' ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1', v_history, v_same_row)
  INTO next_statement, next_handle USING p_statement, p_handle;
END
$_entry$;
COMMENT ON FUNCTION pgtrack._entry(integer, bigint, tid, boolean) IS
  'Whether an entry of a history table is of an INSERT, and which entry of the same key is the next. '
  'SECURITY DEFINER: it must be found where the caller cannot see it; numbers are all that is told of it.';

-- With the caller's rights, as the table's policies are asked.
CREATE OR REPLACE FUNCTION pgtrack._sees_image(p_relation integer, p_check text[], p_handle tid, p_image anyelement) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_sees_image$
DECLARE
  v_entry  record;
  v_seen   boolean := false;
BEGIN
  IF p_check IS NULL THEN
    RETURN false;
  END IF;
  IF p_check[3] IS NOT NULL THEN
    SELECT * INTO v_entry FROM pgtrack._entry(p_relation, p_image.pgtrack_statement_id, p_handle, true);
    IF v_entry.is_insertion IS NULL THEN
      RETURN false;
    ELSIF v_entry.is_insertion AND v_entry.next_handle IS NOT NULL THEN
      -- Only the key is recorded. What was inserted is what the next change found.
      EXECUTE format('SELECT EXISTS (SELECT FROM %s h WHERE h.ctid = $1 AND h.pgtrack_statement_id = $2)', p_check[3])
      INTO v_seen USING v_entry.next_handle, v_entry.next_statement;
      RETURN v_seen;
    ELSIF v_entry.is_insertion THEN
      EXECUTE p_check[4] INTO v_seen USING p_image;
      RETURN v_seen;
    END IF;
  END IF;
  IF p_check[2] IS NULL THEN
    EXECUTE p_check[1] INTO v_seen USING p_image;
    RETURN v_seen;
  END IF;
  BEGIN
    EXECUTE p_check[1] INTO v_seen USING p_image;
  -- A value that its type does not know any more, or that a domain does not take.
  EXCEPTION WHEN data_exception OR datatype_mismatch OR check_violation OR not_null_violation THEN
    NULL;
  END;
  RETURN v_seen;
END
$_sees_image$;
COMMENT ON FUNCTION pgtrack._sees_image(integer, text[], tid, anyelement) IS
  'Whether the policies of a tracked table show the row of an entry of its history table to the current user.';

CREATE OR REPLACE FUNCTION pgtrack._sees_key_change(p_change pgtrack.key_change) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_sees_key_change$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_statement  bigint := p_change.statement_id;
  v_seen       boolean;
BEGIN
  IF v_statement IS NULL THEN
    SELECT min(s.statement_id) INTO v_statement FROM pgtrack.statement s
    WHERE s.xid = p_change.xid AND s.relation_id = p_change.relation_id AND s.operation = 'U' AND s.statement_id > p_change.change_id;
  END IF;
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_change.relation_id;
  EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s WHERE h.pgtrack_statement_id = $2)',
                 v_shape.key_record, v_shape.history, v_shape.history_is_key)
  INTO v_seen USING p_change.old_key, v_statement;
  IF v_seen THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %2$s h ON %3$s WHERE h.pgtrack_statement_id > $2)'
                   ' OR EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %4$s t ON %5$s)',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key, v_shape.live_table, v_shape.live_is_key)
    INTO v_seen USING p_change.new_key, v_statement;
  END IF;
  RETURN v_seen;
END
$_sees_key_change$;
COMMENT ON FUNCTION pgtrack._sees_key_change(pgtrack.key_change) IS
  'Whether the current user may see the row whose key was changed, as it was before, and a row with the new key.';

CREATE OR REPLACE FUNCTION pgtrack._is_granted(p_table regclass, p_right text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_granted$
BEGIN
  RETURN EXISTS (
    SELECT FROM (SELECT c.relacl AS acl FROM pg_class c WHERE c.oid = p_table
                 -- Who reads all data would read the other columns as well.
                 UNION ALL SELECT a.attacl FROM pg_attribute a
                 WHERE a.attrelid = p_table AND a.attnum > 0 AND (p_right <> 'SELECT' OR NOT has_table_privilege(p_table, p_right))) x
    CROSS JOIN LATERAL aclexplode(x.acl) g
    WHERE g.privilege_type = p_right AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE')));
END
$_is_granted$;
COMMENT ON FUNCTION pgtrack._is_granted(regclass, text) IS
  'Whether the current user was granted a right on this very table, or on columns of it.';

-- The comment remembers what the policy was made from; to replace it takes a lock that everybody waits for.
CREATE OR REPLACE FUNCTION pgtrack._set_policy(p_table regclass, p_name name, p_command text, p_condition text, p_role name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_set_policy$
DECLARE
  v_made_from CONSTANT  text := concat_ws(' TO ', p_condition, quote_ident(p_role));
BEGIN
  IF NOT EXISTS (SELECT FROM pg_policy p JOIN pg_description d ON d.classoid = 'pg_policy'::regclass AND d.objoid = p.oid AND d.objsubid = 0
                 WHERE p.polrelid = p_table AND p.polname = p_name AND d.description = v_made_from) THEN
    PERFORM pgtrack._drop_policy(p_table, p_name);
    EXECUTE format('CREATE POLICY %I ON %s FOR %s TO %s %s (%s)', p_name, p_table, p_command, coalesce(quote_ident(p_role), 'PUBLIC'),
                   CASE p_command WHEN 'INSERT' THEN 'WITH CHECK' ELSE 'USING' END, p_condition);
    EXECUTE format('COMMENT ON POLICY %I ON %s IS %L', p_name, p_table, v_made_from);
  END IF;
END
$_set_policy$;
COMMENT ON FUNCTION pgtrack._set_policy(regclass, name, text, text, name) IS
  'Creates a policy on a table of ours, for a role or for everybody, unless it is there.';

CREATE OR REPLACE FUNCTION pgtrack._drop_policy(p_table regclass, p_name name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_policy$
BEGIN
  IF EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = p_table AND p.polname = p_name) THEN
    EXECUTE format('DROP POLICY %I ON %s', p_name, p_table);
  END IF;
END
$_drop_policy$;
COMMENT ON FUNCTION pgtrack._drop_policy(regclass, name) IS 'Drops a policy on a table of ours, if it is there.';

CREATE OR REPLACE FUNCTION pgtrack._generate_policy(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_policy$
DECLARE
  v_history  name;
BEGIN
  SELECT r.history_table INTO STRICT v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  PERFORM pgtrack._set_policy(format('pgtrack_history.%I', v_history)::regclass, 'readers', 'SELECT',
    format('(SELECT pgtrack._may_read(%1$s)) AND ((SELECT pgtrack._sees_every_row(%1$s))'
           ' OR pgtrack._sees_image(%1$s, (SELECT pgtrack._image_check(%1$s)), %2$I.ctid, %2$I.*))', p_relation, v_history));
END
$_generate_policy$;
COMMENT ON FUNCTION pgtrack._generate_policy(integer) IS 'Lets those read a history table who may read its tracked table.';

DO $policies$
DECLARE
  c_readable CONSTANT  text := 'relation_id IN (SELECT r.relation_id FROM pgtrack.relation r'
                               ' WHERE pg_catalog.has_table_privilege(r.relid, ''SELECT'')';
  -- As query texts (_text_roles), a call belongs to who made it, and is asked for by the current user: code of another's that
  -- runs in their session reads nothing of theirs.
  c_own CONSTANT       text := 'user_name = current_user OR (SELECT pgtrack._acts_for_owner())'
                               ' OR EXISTS (SELECT FROM pg_catalog.pg_roles r'
                               '            WHERE r.rolname = ''pgtrack_reader'' AND pg_catalog.pg_has_role(r.oid, ''USAGE''))'
                               ' OR ARRAY[user_name, role_name] && ARRAY('
                               '      SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, ''USAGE''))';
  v_policy             record;
BEGIN
  FOR v_policy IN
    SELECT * FROM (VALUES
      ('pgtrack.audit_entry'::regclass, 'readers', 'SELECT', c_own),
      -- For the view pgtrack.activity, too, whoever owns it: its reader is the current user.
      ('pgtrack.statement', 'readers', 'SELECT', format('(SELECT pgtrack._acts_for_owner()) OR %s)', c_readable)),
      ('pgtrack.key_change', 'readers', 'SELECT',
       format('%s AND NOT pg_catalog.row_security_active(r.relid)) OR (%1$s) AND pgtrack._sees_key_change(key_change.*))', c_readable)),
      ('pgtrack.purged_version', 'readers', 'SELECT', format('%s AND NOT pg_catalog.row_security_active(r.relid))', c_readable)),
      ('pgtrack.erasure', 'readers', 'SELECT', format('%s AND NOT pg_catalog.row_security_active(r.relid))', c_readable))
    ) AS p (relation, name, command, condition)
  LOOP
    IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = v_policy.relation) THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_policy.relation);
    END IF;
    PERFORM pgtrack._set_policy(v_policy.relation, v_policy.name, v_policy.command, v_policy.condition);
  END LOOP;
END
$policies$;

-- ==== capture/readers.sql ====

-- A reader of a history table holds a lock on it that DDL on the tracked table waits for. So nobody has the right to
-- read it who has none on the table.

CREATE OR REPLACE FUNCTION pgtrack._readers(p_rights aclitem[], p_table_owner oid, p_owner oid) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_readers$
BEGIN
  RETURN (
  SELECT ARRAY(SELECT DISTINCT a.grantee FROM pg_catalog.aclexplode(coalesce(p_rights, pg_catalog.acldefault('r', p_table_owner))) a
               WHERE a.privilege_type = 'SELECT' AND a.grantee <> p_owner ORDER BY a.grantee));
END
$_readers$;
COMMENT ON FUNCTION pgtrack._readers(aclitem[], oid, oid) IS
  'The roles but the owner of its history that were granted SELECT on a table; 0 is PUBLIC.';

-- What this transaction has changed, and what came after it, is no older than the transaction itself.
CREATE OR REPLACE FUNCTION pgtrack._relations_with_other_rights() RETURNS SETOF integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = on SET plan_cache_mode = force_generic_plan
AS $_relations_with_other_rights$
DECLARE
  v_changed    oid[] := ARRAY(SELECT t.oid FROM pg_class t WHERE t.relkind IN ('r', 'p') AND age(t.xmin) <= 0);
  v_histories  name[] := ARRAY(SELECT h.relname FROM pg_class h WHERE h.oid = ANY (v_changed) AND h.relnamespace = 'pgtrack_history'::regnamespace);
BEGIN
  RETURN QUERY
    SELECT r.relation_id
    FROM (SELECT x.relation_id FROM pgtrack.relation x WHERE x.relid = ANY (v_changed)
          UNION SELECT x.relation_id FROM pgtrack.relation x WHERE x.history_table = ANY (v_histories)) x
    JOIN pgtrack.relation r ON r.relation_id = x.relation_id
    JOIN pg_class t ON t.oid = r.relid
    JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    WHERE pgtrack._readers(t.relacl, t.relowner, h.relowner) <> pgtrack._readers(h.relacl, h.relowner, h.relowner);
END
$_relations_with_other_rights$;
COMMENT ON FUNCTION pgtrack._relations_with_other_rights() IS 'The tables whose rights this transaction has changed, and whose history other roles may read than them.';

CREATE OR REPLACE FUNCTION pgtrack._sync_rights(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_rights$
DECLARE
  v_history  pg_class;
  v_wanted   oid[];
  v_right    record;
BEGIN
  SELECT h.* INTO STRICT v_history FROM pgtrack.relation r
  JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
  WHERE r.relation_id = p_relation;
  v_wanted := coalesce((SELECT pgtrack._readers(t.relacl, t.relowner, v_history.relowner)
                        FROM pgtrack.relation r JOIN pg_class t ON t.oid = r.relid WHERE r.relation_id = p_relation), '{}');
  FOR v_right IN
    SELECT w.grantee IS NOT NULL AS is_wanted,
           CASE coalesce(w.grantee, p.grantee) WHEN 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(coalesce(w.grantee, p.grantee))) END AS role
    FROM unnest(v_wanted) AS w (grantee)
    FULL JOIN unnest(pgtrack._readers(v_history.relacl, v_history.relowner, v_history.relowner)) AS p (grantee) ON p.grantee = w.grantee
    WHERE w.grantee IS NULL OR p.grantee IS NULL
  LOOP
    EXECUTE format(CASE WHEN v_right.is_wanted THEN 'GRANT SELECT ON pgtrack_history.%I TO %s'
                        ELSE 'REVOKE SELECT ON pgtrack_history.%I FROM %s' END, v_history.relname, v_right.role);
  END LOOP;
END
$_sync_rights$;
COMMENT ON FUNCTION pgtrack._sync_rights(integer) IS
  'Lets those read a history table who were granted SELECT on its tracked table, and nobody else.';

-- ==== audit/call.sql ====

-- The verbs act with their caller's rights, so a verb has no secret that its caller could not use as well. Who records a
-- call shows in the call stack alone, which nobody can write: it has a line for each PL/pgSQL function, with its name as
-- the catalog has it. What stands in a name that has to be quoted stands in quotes there, and nobody else makes functions
-- in our schema. A verb calls _begin_call() in an assignment, which adds no line; what is around it is text of the
-- application's, may have line breaks, and is not looked at.
CREATE OR REPLACE FUNCTION pgtrack._stack() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_stack$
DECLARE
  v_stack  text;
BEGIN
  GET DIAGNOSTICS v_stack = PG_CONTEXT;
  RETURN string_to_array(v_stack, E'\n');
END
$_stack$;
COMMENT ON FUNCTION pgtrack._stack() IS 'The call stack: this function, what called it, and so on.';

CREATE OR REPLACE FUNCTION pgtrack._caller(p_stack text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- The words around a name are translated, and other languages quote with other signs. But they are the same in the
  -- line of the function that asks: all that differs is the names, and the numbers of the lines.
  SELECT CASE WHEN f.frames[1] = f.frames[2] THEN (regexp_match(p_stack[3], s.signature))[2] END
  FROM (VALUES ($r$("?)pgtrack\1\.\1(_?[a-z_]+)\1\([^()]*\)$r$)) AS s (signature)
  CROSS JOIN LATERAL (SELECT array_agg(regexp_replace(regexp_replace(l, s.signature, ''), '[0-9]+', '', 'g') ORDER BY n) AS frames
                      FROM unnest(p_stack[2:3]) WITH ORDINALITY AS u (l, n)) f;
END;
COMMENT ON FUNCTION pgtrack._caller(text[]) IS
  'The function of pg_track that called the one that asked for the stack, in an assignment of its own; null if anything else did.';

-- SECURITY DEFINER: nobody may write records by hand, nor seal what is undone. The record commits and rolls back with
-- what it is about. What is returned says which statements of the transaction come after it, and what those revert; a verb
-- hands it to _end_call(), and nobody else sees it.
CREATE OR REPLACE FUNCTION pgtrack._begin_call(p_arguments jsonb, p_message text DEFAULT NULL, p_reverts text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_begin_call$
DECLARE
  c_verbs CONSTANT  text[] := '{undo,revert,rollback_to,restore,undo_last,undo_transaction,undo_transactions,undo_statements,undo_where,'
                              'undo_batch,revert_table,revert_schema,undo_as_myself,track,untrack,tag,untag,keep,recover_table,recover_column,'
                              'purge,purge_audit,erase,release_type}';
  v_stack           text[];
  v_verb            text;
  v_sent            text := extract('epoch' FROM statement_timestamp());
  v_entry           bigint;
BEGIN
  v_stack := pgtrack._stack();
  v_verb := ltrim(pgtrack._caller(v_stack), '_');
  IF v_verb = ANY (c_verbs) IS NOT TRUE THEN
    RAISE EXCEPTION 'calls are recorded by the functions that are called' USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'Nothing else writes pgtrack.audit.';
  END IF;
  INSERT INTO pgtrack.audit_entry (verb, arguments, statement, message, session, actor)
  VALUES (regexp_replace(v_verb, '^recover_.*', 'recover'), pgtrack._cut(jsonb_strip_nulls(p_arguments)),
          CASE WHEN current_setting('pgtrack.hidden_text', true) = v_sent THEN NULL ELSE left(current_query(), 4000) END,
          left(coalesce(p_message, nullif(current_setting('pgtrack.message', true), '')), 1000),
          nullif(split_part(pgtrack._session_context(), ' ', 4), ''), left(current_setting('pgtrack.actor', true), 256))
  RETURNING entry_id INTO v_entry;
  -- For who hides the text of this query later (_hide_text).
  PERFORM set_config('pgtrack.shown_calls', concat_ws(' ', CASE split_part(current_setting('pgtrack.shown_calls', true), ' ', 1)
    WHEN v_sent THEN current_setting('pgtrack.shown_calls', true) ELSE v_sent END, v_entry), true);
  IF p_reverts IS NOT NULL THEN
    RETURN pgtrack._sealed('reverts', (SELECT concat_ws(' ', CASE WHEN q.is_called THEN q.last_value ELSE 0 END, p_reverts) FROM pgtrack.statement_id_seq q));
  END IF;
  RETURN NULL;
END
$_begin_call$;
COMMENT ON FUNCTION pgtrack._begin_call(jsonb, text, text) IS
  'Records a call of the verb that calls it in an assignment; returns, sealed, since which number statements belong to it and what they revert.';

-- Here and not in the recorders, where every statement would pay for it. What an undo in a trigger has marked stays so.
CREATE OR REPLACE FUNCTION pgtrack._end_call(p_call text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_end_call$
DECLARE
  v_call  text := pgtrack._unsealed('reverts', p_call);
BEGIN
  UPDATE pgtrack.statement s SET reverts = substr(v_call, strpos(v_call, ' ') + 1)
  WHERE s.xid = pg_current_xact_id() AND s.statement_id > split_part(v_call, ' ', 1)::bigint AND s.reverts IS NULL;
END
$_end_call$;
COMMENT ON FUNCTION pgtrack._end_call(text) IS
  'Ends what _begin_call() began: the statements since then are marked with what they revert. SECURITY DEFINER: nobody else writes them.';

CREATE OR REPLACE FUNCTION pgtrack._cut(p_arguments jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(a.key, CASE WHEN length(a.value::text) > 1000 THEN to_jsonb(left(a.value::text, 997) || '...') ELSE a.value END)
  FROM jsonb_each(p_arguments) a;
END;
COMMENT ON FUNCTION pgtrack._cut(jsonb) IS 'Arguments of which none is longer than 1,000 characters.';

-- ==== audit/view.sql ====

-- A call that the proxy recorded has a record of its own in the database, too, if it was made and its transaction was
-- committed. A text may have more calls than the proxy sees in it, or several of one verb, so each of the two kinds of
-- records is taken once: in their order, by the proxy's name for the session, which no client chooses, and the time by
-- this server's clock. What cannot be taken together is shown twice rather than left out.
CREATE OR REPLACE FUNCTION pgtrack._proxy_record(p_entry bigint, p_session text, p_verb text, p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH running AS (
    SELECT p.entry_id, p.at, p.call_number, coalesce(p.finished_at, 'infinity') AS finished_at
    FROM pgtrack.audit_entry p
    WHERE p.session = p_session AND p.source = 'proxy' AND p.verb = p_verb AND p.outcome <> 'denied'
      AND p.at <= p_at AND coalesce(p.finished_at, 'infinity') >= p_at
      -- A session is answered in order: where a later call has been, one whose outcome is not known was over.
      AND NOT EXISTS (SELECT FROM pgtrack.audit_entry l
                      WHERE l.session = p_session AND l.call_number > p.call_number AND l.outcome <> 'denied' AND l.finished_at < p_at)
  )
  SELECT r.entry_id FROM running r ORDER BY r.finished_at, r.call_number LIMIT 1
  -- Those of the database since the last of the session's calls was over, which come before.
  OFFSET (SELECT count(*) FROM pgtrack.audit_entry d
          WHERE d.session = p_session AND d.source = 'database' AND d.verb = p_verb AND d.entry_id < p_entry
            AND d.at >= (SELECT min(r.at) FROM running r)
            AND NOT EXISTS (SELECT FROM pgtrack.audit_entry l
                            WHERE l.session = p_session AND l.source = 'proxy' AND l.verb = p_verb AND l.outcome <> 'denied'
                              AND l.finished_at >= d.at AND l.finished_at < p_at));
END;
COMMENT ON FUNCTION pgtrack._proxy_record(bigint, text, text, timestamptz) IS 'The proxy''s record of a call that the database recorded.';

CREATE OR REPLACE FUNCTION pgtrack._database_record(p_entry bigint, p_session text, p_verb text, p_from timestamptz, p_to timestamptz)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT min(d.entry_id) FROM pgtrack.audit_entry d
  WHERE d.session = p_session AND d.source = 'database' AND d.verb = p_verb AND d.at >= p_from AND d.at <= coalesce(p_to, 'infinity')
    AND pgtrack._proxy_record(d.entry_id, d.session, d.verb, d.at) = p_entry;
END;
COMMENT ON FUNCTION pgtrack._database_record(bigint, text, text, timestamptz, timestamptz) IS
  'The database''s own record of a call that the proxy recorded.';

CREATE OR REPLACE VIEW pgtrack.audit WITH (security_invoker = true) AS
SELECT e.entry_id, e.at, coalesce(nullif(e.actor, ''), nullif(d.actor, ''), e.user_name) AS who, e.verb,
       coalesce(d.arguments, e.arguments) AS arguments, e.outcome, e.sqlstate, e.row_count, e.finished_at - e.at AS duration, e.user_name, coalesce(e.role_name, d.role_name) AS role_name,
       nullif(e.application, '') AS application, pg_catalog.host(e.client_addr) AS client_addr, e.client_port, e.tls_identity,
       coalesce(nullif(e.actor, ''), nullif(d.actor, '')) AS actor, coalesce(e.message, d.message) AS message,
       -- Hidden by a table with redacted columns, or erased: what the proxy heard is not shown, either.
       CASE WHEN d.entry_id IS NULL OR d.statement IS NOT NULL THEN e.statement END AS statement,
       e.source = 'proxy' AS through_proxy, e.session, coalesce(e.xid, d.xid)::text::bigint AS xid
FROM pgtrack.audit_entry e
-- What the function itself knew better: its arguments where they were parameters, the role, the transaction.
LEFT JOIN pgtrack.audit_entry d
  ON e.source = 'proxy' AND d.entry_id = pgtrack._database_record(e.entry_id, e.session, e.verb, e.at, e.finished_at)
WHERE e.source = 'proxy' OR e.session IS NULL OR NOT EXISTS (
  SELECT FROM pgtrack.audit_entry p
  WHERE p.entry_id = pgtrack._proxy_record(e.entry_id, e.session, e.verb, e.at)
    AND pgtrack._database_record(p.entry_id, p.session, p.verb, p.at, p.finished_at) = e.entry_id);
COMMENT ON VIEW pgtrack.audit IS 'Every call of a pgtrack function that changes something: who, what, when, with which outcome.';
COMMENT ON COLUMN pgtrack.audit.entry_id IS 'Number.';
COMMENT ON COLUMN pgtrack.audit.at IS 'When the call was made.';
COMMENT ON COLUMN pgtrack.audit.who IS 'The actor if the application named one, else the session user.';
COMMENT ON COLUMN pgtrack.audit.verb IS 'The function, without its schema.';
COMMENT ON COLUMN pgtrack.audit.arguments IS 'Its arguments, as far as they are known.';
COMMENT ON COLUMN pgtrack.audit.outcome IS 'done, failed, denied, skipped after an error in its pipeline, or started: its outcome is not known (yet).';
COMMENT ON COLUMN pgtrack.audit.sqlstate IS 'The error''s SQLSTATE, if it failed.';
COMMENT ON COLUMN pgtrack.audit.row_count IS 'How many rows the statement returned.';
COMMENT ON COLUMN pgtrack.audit.duration IS 'How long it took, as the proxy saw it.';
COMMENT ON COLUMN pgtrack.audit.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.audit.role_name IS 'The role set with SET ROLE, if any.';
COMMENT ON COLUMN pgtrack.audit.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.audit.client_addr IS 'The client''s address; null for a unix socket.';
COMMENT ON COLUMN pgtrack.audit.client_port IS 'The client''s port.';
COMMENT ON COLUMN pgtrack.audit.tls_identity IS 'The subject of the client''s certificate, if it showed one to the proxy.';
COMMENT ON COLUMN pgtrack.audit.actor IS 'The person the application named.';
COMMENT ON COLUMN pgtrack.audit.message IS 'The reason given.';
COMMENT ON COLUMN pgtrack.audit.statement IS 'The beginning of the query text.';
COMMENT ON COLUMN pgtrack.audit.through_proxy IS 'Whether the proxy recorded it, failed and denied calls included.';
COMMENT ON COLUMN pgtrack.audit.session IS 'The proxy''s name for the session.';
COMMENT ON COLUMN pgtrack.audit.xid IS 'The transaction, where the database recorded the call.';

-- ==== tracking/options.sql ====

CREATE OR REPLACE FUNCTION pgtrack._require_owner(p_verb text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_owner$
DECLARE
  v_owner  oid := (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack');
BEGIN
  IF NOT pg_has_role(v_owner, 'USAGE') THEN
    RAISE EXCEPTION 'permission denied to % tables', p_verb USING
      ERRCODE = 'insufficient_privilege',
      HINT = format('Do it as a superuser, or as a member of %s, who owns pg_track.', v_owner::regrole);
  END IF;
END
$_require_owner$;
COMMENT ON FUNCTION pgtrack._require_owner(text) IS 'Refuses callers who may not act for the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._options(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_options$
DECLARE
  c_defaults CONSTANT  jsonb := '{"query": true, "exclude": [], "redact": [], "replica": false, "on_drop": "allow"}';
  v_option             record;
BEGIN
  IF jsonb_typeof(p_options) <> 'object' THEN
    RAISE EXCEPTION 'the options must be a JSON object, not %', p_options USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_option IN SELECT key, value FROM jsonb_each(coalesce(p_options, '{}')) LOOP
    IF NOT c_defaults ? v_option.key THEN
      RAISE EXCEPTION 'unknown option "%"', v_option.key USING
        ERRCODE = 'invalid_parameter_value',
        HINT = format('The options and their defaults are %s.', c_defaults);
    END IF;
    IF jsonb_typeof(v_option.value) <> jsonb_typeof(c_defaults -> v_option.key) THEN
      RAISE EXCEPTION 'option "%" must be a %, not %', v_option.key, jsonb_typeof(c_defaults -> v_option.key), v_option.value
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END LOOP;
  IF p_options ->> 'on_drop' NOT IN ('allow', 'refuse') THEN
    RAISE EXCEPTION 'option "on_drop" must be "allow" or "refuse", not %', p_options -> 'on_drop' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN c_defaults || coalesce(p_options, '{}');
END
$_options$;
COMMENT ON FUNCTION pgtrack._options(jsonb) IS 'Checks the options of pgtrack.track() and fills in the defaults.';

CREATE OR REPLACE FUNCTION pgtrack._has_deferrable_key(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_deferrable_key$
BEGIN
  RETURN (
  SELECT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = p_table AND i.indisprimary AND NOT i.indimmediate));
END
$_has_deferrable_key$;
COMMENT ON FUNCTION pgtrack._has_deferrable_key(regclass) IS 'Whether a table''s primary key may be checked later than at once.';

CREATE OR REPLACE FUNCTION pgtrack._options_for(p_table regclass, p_options jsonb, p_only_table boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_options_for$
DECLARE
  v_column  record;
  v_kept    jsonb := '{"exclude": [], "redact": []}';
BEGIN
  FOR v_column IN
    SELECT o.option, n.name, a.attnum, i.indrelid IS NOT NULL AS is_key
    FROM unnest('{exclude,redact}'::text[]) AS o (option)
    CROSS JOIN LATERAL jsonb_array_elements_text(p_options -> o.option) AS n (name)
    LEFT JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = p_table AND i.indisprimary AND a.attnum = ANY (i.indkey)
  LOOP
    IF v_column.is_key THEN
      RAISE EXCEPTION 'column "%" of % cannot be left out', v_column.name, pgtrack._name(p_table) USING
        ERRCODE = 'invalid_parameter_value', DETAIL = 'It belongs to the primary key, by which history finds the row.';
    ELSIF v_column.attnum IS NOT NULL THEN
      v_kept := jsonb_insert(v_kept, ARRAY[v_column.option, '-1'], to_jsonb(v_column.name), true);
    ELSIF p_only_table AND EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = p_table AND r.options -> v_column.option ? v_column.name) THEN
      -- It was dropped; the option holds for the next column of that name.
      v_kept := jsonb_insert(v_kept, ARRAY[v_column.option, '-1'], to_jsonb(v_column.name), true);
    ELSIF p_only_table THEN
      RAISE EXCEPTION 'column "%" of % does not exist', v_column.name, pgtrack._name(p_table) USING
        ERRCODE = 'undefined_column', HINT = format('It is named by the option "%s".', v_column.option);
    END IF;
  END LOOP;
  IF (p_options ->> 'replica')::boolean AND pgtrack._has_deferrable_key(p_table) THEN
    RAISE EXCEPTION 'the option "replica" is not for %', pgtrack._name(p_table) USING
      ERRCODE = 'feature_not_supported',
      DETAIL = 'Its primary key is deferrable: rows that are recorded one by one would be told apart by keys that are there twice for a while.';
  END IF;
  RETURN p_options || v_kept;
END
$_options_for$;
COMMENT ON FUNCTION pgtrack._options_for(regclass, jsonb, boolean) IS
  'The options for one table: of a schema''s tables each takes the columns that it has.';

CREATE OR REPLACE FUNCTION pgtrack._reason_not_to_track_schema(p_schema oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_reason_not_to_track_schema$
BEGIN
  RETURN (
  SELECT CASE
    WHEN n.nspname IN ('pg_catalog', 'information_schema') OR n.nspname LIKE $r$pg\_toast%$r$ THEN 'it belongs to the system'
    WHEN n.nspname IN ('pgtrack', 'pgtrack_history') THEN 'it belongs to pg_track'
    WHEN n.nspname LIKE $r$pg\_temp\_%$r$ THEN 'it is temporary'
  END
  FROM pg_catalog.pg_namespace n
  WHERE n.oid = p_schema);
END
$_reason_not_to_track_schema$;
COMMENT ON FUNCTION pgtrack._reason_not_to_track_schema(oid) IS 'Why nothing in a schema can be tracked, or null if something can.';

-- Only what has a length of its own must lie in the page.
CREATE OR REPLACE FUNCTION pgtrack._least_width(p_table regclass) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_least_width$
DECLARE
  v_width   integer := 0;
  v_column  record;
BEGIN
  FOR v_column IN
    SELECT a.attlen, CASE a.attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS alignment FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen > 0 AND a.attnotnull
    ORDER BY a.attnum
  LOOP
    v_width := (v_width + v_column.alignment - 1) / v_column.alignment * v_column.alignment + v_column.attlen;
  END LOOP;
  RETURN v_width;
END
$_least_width$;
COMMENT ON FUNCTION pgtrack._least_width(regclass) IS 'The bytes that each row of a table has at least, behind its header.';

CREATE OR REPLACE FUNCTION pgtrack._reason_not_to_track(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_reason_not_to_track$
BEGIN
  RETURN (
  SELECT coalesce(pgtrack._reason_not_to_track_schema(c.relnamespace), CASE
    WHEN c.relkind = 'v' THEN 'it is a view; track the tables under it'
    WHEN c.relkind = 'm' THEN 'it is a materialized view; track the tables under it'
    WHEN c.relkind = 'f' THEN 'it is a foreign table; track it on its own server'
    WHEN c.relispartition THEN pg_catalog.format('it is a partition of %s; track that', pgtrack._name(pg_catalog.pg_partition_root(c.oid)))
    WHEN c.relkind NOT IN ('r', 'p') THEN 'it is not a table'
    WHEN c.relkind = 'p' AND EXISTS (SELECT FROM pgtrack._members(c.oid) m WHERE (SELECT f.relkind FROM pg_catalog.pg_class f WHERE f.oid = m.relid) = 'f')
      THEN 'one of its partitions is a foreign table, whose changes PostgreSQL does not show'
    -- Rows that are recorded one by one would be told apart by keys that are there twice for a while.
    WHEN c.relkind = 'r' AND pgtrack._has_deferrable_key(c.oid)
         AND (EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid))
      THEN 'it takes part in inheritance, and its primary key is deferrable'
    WHEN c.relnatts >= 1600 THEN pg_catalog.format('it has %s columns, and its history table needs one more', c.relnatts)
    -- 8136: a page without its header, a row's pointer and a row's header.
    WHEN c.relnatts > 400 AND pgtrack._least_width(c.oid) + 8 > 8136 THEN 'its rows fill a page, and those of its history need 8 bytes more'
  END)
  FROM pg_catalog.pg_class c
  WHERE c.oid = p_table);
END
$_reason_not_to_track$;
COMMENT ON FUNCTION pgtrack._reason_not_to_track(regclass) IS 'Why a relation cannot be tracked, or null if it can.';

-- ==== audit/purge.sql ====

CREATE OR REPLACE FUNCTION pgtrack.purge_audit(older_than interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $purge_audit$
DECLARE
  v_until  timestamptz := clock_timestamp() - older_than;
  v_call   text;
  v_count  bigint;
BEGIN
  PERFORM pgtrack._require_owner('purge the audit of');
  IF older_than IS NULL OR older_than < interval '0' THEN
    RAISE EXCEPTION 'older_than must not be null or negative' USING
      ERRCODE = 'invalid_parameter_value', HINT = 'SELECT pgtrack.purge_audit(interval ''1 year'') keeps the last year.';
  END IF;
  v_call := pgtrack._begin_call(jsonb_build_object('older_than', older_than));
  DELETE FROM pgtrack.audit_entry e WHERE e.at < v_until;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END
$purge_audit$;
COMMENT ON FUNCTION pgtrack.purge_audit(interval) IS
  'Forgets the calls that were made longer ago than this, and returns how many; that, and by whom, is recorded.';

-- ==== tracking/table.sql ====

-- What is written for a table belongs to the owner of pg_track, whoever tracks it.
CREATE OR REPLACE FUNCTION pgtrack._enroll(p_table regclass, p_options jsonb, OUT relation_id integer, OUT status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_enroll$
DECLARE
  v_events    text;
  v_relation  pgtrack.relation;
  v_class     record;
  v_taken     name[] := '{}';
BEGIN
  v_events := pgtrack._silence_event_triggers();
  SELECT n.nspname, c.relname INTO v_class
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_table;
  SELECT * INTO v_relation FROM pgtrack.relation WHERE relid = p_table;
  status := 'tracked';
  IF v_relation.relation_id IS NULL THEN
    v_relation.relation_id := nextval(pg_get_serial_sequence('pgtrack.relation', 'relation_id'));
    LOOP
      v_relation.history_table := pgtrack._free_name(left(v_class.relname::text, 50) || '_' || v_relation.relation_id, v_taken);
      -- Nor is it what the table of a partitioned table's moves is called.
      EXIT WHEN to_regclass(format('pgtrack_history.%I', v_relation.history_table)) IS NULL
                AND to_regtype(format('pgtrack_history.%I', v_relation.history_table)) IS NULL
                AND v_relation.history_table <> format('moves_%s', v_relation.relation_id);
      v_taken := v_taken || v_relation.history_table;
    END LOOP;
    INSERT INTO pgtrack.relation (relation_id, relid, schema_name, table_name, history_table, key_columns, key_equality, options, tracked_since)
    VALUES (v_relation.relation_id, p_table, v_class.nspname, v_class.relname, v_relation.history_table, '{}', '{}', p_options, clock_timestamp());
    PERFORM pgtrack._sync_identity(v_relation.relation_id), pgtrack._create_history(v_relation.relation_id);
  ELSIF v_relation.tracked_until IS NULL THEN
    status := 'already tracked';
  ELSE
    status := 'tracked again; changes in between are not known';
    UPDATE pgtrack.relation SET tracked_since = clock_timestamp(), tracked_until = NULL WHERE relid = p_table;
  END IF;
  PERFORM pgtrack._lock_relation(v_relation.relation_id);
  IF status <> 'tracked' THEN
    PERFORM pgtrack._sync_identity(v_relation.relation_id);
    UPDATE pgtrack.relation SET options = p_options, identity = NULL WHERE relid = p_table AND options <> p_options;
  END IF;
  PERFORM pgtrack._mark_if_written(v_relation.relation_id), pgtrack._sync(v_relation.relation_id);
  relation_id := v_relation.relation_id;
  status := status || (
    SELECT CASE WHEN r.key_columns <> '{}' AND EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype = 'p' AND c.condeferred)
                THEN '; its primary key is checked at COMMIT, and two rows that have the same until then are taken for one'
                WHEN r.key_columns <> '{}' THEN ''
                WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary)
                THEN ' without its primary key, which has a type with a cast to json: single rows cannot be reverted'
                ELSE ' without a primary key: single rows cannot be reverted' END
    FROM pgtrack.relation r WHERE r.relation_id = _enroll.relation_id);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_enroll$;
COMMENT ON FUNCTION pgtrack._enroll(regclass, jsonb) IS
  'Begins or resumes the history of one table. SECURITY DEFINER: history belongs to the owner of pg_track.';

-- TRUNCATE shows no rows to its triggers, so the owner of pg_track reads them from the table; and keep() copies it.
CREATE OR REPLACE FUNCTION pgtrack._rights_to_read(p_table regclass) RETURNS TABLE (schema oid, command text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_rights_to_read$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  -- The schema of the table, and those of its columns' types and collations, which compare keys.
  SELECT n.oid, format('GRANT USAGE ON SCHEMA %I TO %s', n.nspname, o.nspowner::regrole)
  FROM pg_namespace n JOIN pg_namespace o ON o.nspname = 'pgtrack'
  WHERE NOT has_schema_privilege(o.nspowner, n.oid, 'USAGE')
    AND n.oid IN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = p_table
                  UNION ALL SELECT t.typnamespace FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
                  UNION ALL SELECT l.collnamespace FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation
                  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attcollation >= 16384)
  UNION ALL
  SELECT NULL, format('GRANT SELECT ON %s TO %s', m.relid, o.nspowner::regrole)
  FROM pgtrack._members(p_table) m JOIN pg_namespace o ON o.nspname = 'pgtrack'
  WHERE NOT has_table_privilege(o.nspowner, m.relid, 'SELECT');
END
$_rights_to_read$;
COMMENT ON FUNCTION pgtrack._rights_to_read(regclass) IS 'What the owner of pg_track lacks to read a table and its partitions, as commands.';

CREATE OR REPLACE FUNCTION pgtrack._let_owner_read(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $_let_owner_read$
DECLARE
  v_command  text;
BEGIN
  FOR v_command IN
    -- Who may not grant on a schema would write the row of the schema all the same, and keep others waiting for it. verify()
    -- says what is missing.
    SELECT c.command FROM pgtrack._rights_to_read(p_table) c
    WHERE c.schema IS NULL OR has_schema_privilege(c.schema, 'USAGE WITH GRANT OPTION')
  LOOP
    FOR attempt IN 1 .. 5 LOOP
      BEGIN
        PERFORM pgtrack._execute(v_command);
        EXIT;
      EXCEPTION WHEN insufficient_privilege THEN
        RAISE DEBUG '%', SQLERRM;
        EXIT;
      -- "tuple concurrently updated": somebody else, who was waited for, has granted something there.
      WHEN internal_error THEN
        CONTINUE WHEN attempt < 5;
        RAISE;
      END;
    END LOOP;
  END LOOP;
END
$_let_owner_read$;
COMMENT ON FUNCTION pgtrack._let_owner_read(regclass) IS
  'Lets the owner of pg_track read a table and its partitions, with the rights of whoever tracks or alters it.';

CREATE OR REPLACE FUNCTION pgtrack._track_table(p_table regclass, p_options jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '1s' AS $_track_table$
DECLARE
  v_events   text;
  v_tracked  record;
BEGIN
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._hold_definition(p_table);
  PERFORM pgtrack._let_owner_read(p_table);
  SELECT * INTO v_tracked FROM pgtrack._enroll(p_table, p_options);
  PERFORM pgtrack._generate_triggers(v_tracked.relation_id, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_tracked.status;
END
$_track_table$;
COMMENT ON FUNCTION pgtrack._track_table(regclass, jsonb) IS 'Begins or resumes the tracking of one table.';

-- To create a trigger waits for the table's writers, while new ones wait behind it. So it gives way and tries again.
CREATE OR REPLACE FUNCTION pgtrack._track_patiently(p_table regclass, p_options jsonb, p_or_fail boolean) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_track_patiently$
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      RETURN pgtrack._track_table(p_table, p_options);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 5 AND p_or_fail THEN
        RAISE EXCEPTION 'could not lock % to track it', pgtrack._name(p_table) USING
          ERRCODE = 'lock_not_available',
          DETAIL = 'Transactions that write to it did not end for 5 seconds.',
          HINT = 'Try again when they have ended; pg_stat_activity shows them.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  RETURN 'not tracked: transactions that write to it did not end; try again';
END
$_track_patiently$;
COMMENT ON FUNCTION pgtrack._track_patiently(regclass, jsonb, boolean) IS 'Tracks a table, without making its writers wait for long.';

CREATE OR REPLACE FUNCTION pgtrack._sync(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync$
BEGIN
  DELETE FROM pgtrack.relation_shape WHERE relation_id = p_relation;
  PERFORM pgtrack._sync_key(p_relation, pgtrack._sync_columns(p_relation));
  PERFORM pgtrack._make_own_names(p_relation);
  PERFORM pgtrack._generate_policy(p_relation);
  PERFORM pgtrack._sync_rights(p_relation);
  PERFORM pgtrack._generate_functions(p_relation);
  INSERT INTO pgtrack.relation_shape
  SELECT m.* FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._make_shape(r.relid) m WHERE r.relation_id = p_relation;
  PERFORM pgtrack._digest_purged_keys(p_relation);
  PERFORM pgtrack._drop_own_names();
END
$_sync$;
COMMENT ON FUNCTION pgtrack._sync(integer) IS 'Brings everything generated for a tracked table in step with the table''s present shape.';

-- ==== tracking/track.sql ====

CREATE OR REPLACE FUNCTION pgtrack._schema(p_target text) RETURNS oid
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT n.oid FROM pg_namespace n WHERE ARRAY[n.nspname::text] = parse_ident(p_target);
END;
COMMENT ON FUNCTION pgtrack._schema(text) IS 'The schema of that name, or null.';

CREATE OR REPLACE FUNCTION pgtrack._track(p_target text, p_table regclass, p_options jsonb)
RETURNS TABLE (table_name text, status text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_track$
DECLARE
  v_options  jsonb := pgtrack._options(p_options);
  v_hides    boolean;
  v_schema   oid := pgtrack._schema(p_target);
  v_table    regclass;
  v_reason   text;
  v_call     text;
BEGIN
  PERFORM pgtrack._require_owner('track');
  v_call := pgtrack._begin_call(jsonb_build_object('target', p_target, 'options', p_options));
  PERFORM pgtrack._lock_installation();
  PERFORM pgtrack._follow_trigger_functions(false)
  WHERE NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D');
  v_hides := pgtrack._some_text_is_hidden();
  IF v_schema IS NULL THEN
    v_reason := pgtrack._reason_not_to_track(p_table);
    IF v_reason IS NOT NULL THEN
      RAISE EXCEPTION 'cannot track %: %', pgtrack._name(p_table), v_reason USING ERRCODE = 'wrong_object_type';
    END IF;
    table_name := pgtrack._name(p_table);
    status := pgtrack._track_patiently(p_table, pgtrack._options_for(p_table, v_options, true), true);
    PERFORM pgtrack._regenerate_all() WHERE v_hides <> pgtrack._some_text_is_hidden();
    RETURN NEXT;
    RETURN;
  END IF;
  v_reason := pgtrack._reason_not_to_track_schema(v_schema);
  IF v_reason IS NOT NULL THEN
    RAISE EXCEPTION 'cannot track schema %: %', p_target, v_reason USING ERRCODE = 'wrong_object_type';
  END IF;
  IF NOT has_schema_privilege((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack'), v_schema, 'USAGE') THEN
    -- For tables to come, which somebody else may own.
    PERFORM pgtrack._execute(format('GRANT USAGE ON SCHEMA %s TO %s', v_schema::regnamespace,
                                    (SELECT n.nspowner::regrole FROM pg_namespace n WHERE n.nspname = 'pgtrack')));
  END IF;
  INSERT INTO pgtrack.tracked_schema (schema_name, options, identity)
  SELECT n.nspname, v_options, pgtrack._identity(n.oid) FROM pg_namespace n WHERE n.oid = v_schema
  ON CONFLICT (schema_name) DO UPDATE SET options = excluded.options, identity = excluded.identity;
  FOR v_table, v_reason IN
    SELECT c.oid, pgtrack._reason_not_to_track(c.oid) FROM pg_class c
    WHERE c.relnamespace = v_schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY c.relname
  LOOP
    table_name := pgtrack._name(v_table);
    status := coalesce('skipped: ' || v_reason, pgtrack._track_patiently(v_table, pgtrack._options_for(v_table, v_options, false), false));
    RETURN NEXT;
  END LOOP;
  PERFORM pgtrack._regenerate_all() WHERE v_hides <> pgtrack._some_text_is_hidden();
END
$_track$;
COMMENT ON FUNCTION pgtrack._track(text, regclass, jsonb) IS 'Does the work of pgtrack.track().';

CREATE OR REPLACE FUNCTION pgtrack._schema_or_table(p_target text) RETURNS regclass
LANGUAGE plpgsql STABLE AS $_schema_or_table$
BEGIN
  IF p_target IS NULL THEN
    RAISE EXCEPTION 'the target must not be null' USING
      ERRCODE = 'null_value_not_allowed', HINT = 'Name a schema, or a table as ''schema.table''.';
  END IF;
  IF pgtrack._schema(p_target) IS NOT NULL THEN
    RETURN NULL;
  END IF;
  RETURN pgtrack._table(p_target, NULL);
END
$_schema_or_table$;
COMMENT ON FUNCTION pgtrack._schema_or_table(text) IS 'The table that a caller means, or null if it is a schema.';

CREATE OR REPLACE FUNCTION pgtrack.track(target text, options jsonb DEFAULT '{}')
RETURNS TABLE (table_name text, status text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT t.table_name, t.status FROM pgtrack._track(target, pgtrack._schema_or_table(target), options) t;
END;
COMMENT ON FUNCTION pgtrack.track(text, jsonb) IS
  'Records every change from now on of one table (''schema.table'' or ''table''), or of every table of a schema, those to come included. '
  'Options: {"query": false} leaves the query text out; {"exclude": ["column"]} does not record a column, {"redact": ["column"]} also '
  'shows that and hides query texts; {"on_drop": "refuse"} protects the table from DROP; {"replica": true} records what logical replication applies.';

-- ==== tracking/untrack.sql ====

CREATE OR REPLACE FUNCTION pgtrack._drop_triggers(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_triggers$
DECLARE
  v_trigger  record;
BEGIN
  FOR v_trigger IN SELECT p.relid, p.name FROM pgtrack._present_triggers(p_relation) p LOOP
    PERFORM pgtrack._execute(format('DROP TRIGGER %I ON %s', v_trigger.name, v_trigger.relid));
  END LOOP;
END
$_drop_triggers$;
COMMENT ON FUNCTION pgtrack._drop_triggers(integer) IS 'Takes all triggers of ours from a tracked table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._let_owner_go(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $_let_owner_go$
DECLARE
  v_owner   name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'pgtrack');
  v_member  regclass;
BEGIN
  -- Where the owner of pg_track owns the table, the right is its own.
  FOR v_member IN SELECT m.relid FROM pgtrack._members(p_table) m JOIN pg_class c ON c.oid = m.relid
                  WHERE pg_get_userbyid(c.relowner) <> v_owner AND has_table_privilege(v_owner, m.relid, 'SELECT') LOOP
    PERFORM pgtrack._execute(format('REVOKE SELECT ON %s FROM %I', v_member, v_owner));
  END LOOP;
END
$_let_owner_go$;
COMMENT ON FUNCTION pgtrack._let_owner_go(regclass) IS 'Takes back what _let_owner_read() gave for a table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._untrack(p_target text, p_table regclass)
RETURNS TABLE (table_name text, status text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_untrack$
DECLARE
  v_schema    oid := pgtrack._schema(p_target);
  v_relation  pgtrack.relation;
  v_call      text;
  v_events    text;
BEGIN
  PERFORM pgtrack._require_owner('untrack');
  v_call := pgtrack._begin_call(jsonb_build_object('target', p_target));
  PERFORM pgtrack._lock_installation();
  IF v_schema IS NULL THEN
    PERFORM pgtrack._known_shape(p_table);
  END IF;
  DELETE FROM pgtrack.tracked_schema t USING pg_namespace n WHERE n.oid = v_schema AND t.schema_name = n.nspname;
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE (r.relid = p_table OR c.relnamespace = v_schema) AND r.tracked_until IS NULL
    ORDER BY c.relname
  LOOP
    PERFORM pgtrack._drop_triggers(v_relation.relation_id);
    PERFORM pgtrack._let_owner_go(v_relation.relid);
    v_events := pgtrack._silence_event_triggers();
    PERFORM pgtrack._drop_moves(v_relation.relation_id);
    PERFORM pgtrack._let_event_triggers_fire(v_events);
    UPDATE pgtrack.relation SET tracked_until = clock_timestamp() WHERE relation_id = v_relation.relation_id;
    table_name := pgtrack._name(v_relation.relid);
    status := 'no longer tracked; its history stays';
    RETURN NEXT;
  END LOOP;
END
$_untrack$;
COMMENT ON FUNCTION pgtrack._untrack(text, regclass) IS 'Does the work of pgtrack.untrack().';

CREATE OR REPLACE FUNCTION pgtrack.untrack(target text)
RETURNS TABLE (table_name text, status text)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT t.table_name, t.status FROM pgtrack._untrack(target, pgtrack._schema_or_table(target)) t;
END;
COMMENT ON FUNCTION pgtrack.untrack(text) IS 'Stops recording the changes of a table, or of every table of a schema and those to come. What was recorded stays.';

-- ==== tracking/tables_of_ddl.sql ====

-- Which tables a command is about

-- Schemas, types and extensions are what tables lie in, are made of, and belong to.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_others() RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_others$
BEGIN
  RETURN ARRAY(
    SELECT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON d.classid = 'pg_namespace'::regclass AND c.relnamespace = d.objid
    WHERE c.relispartition OR c.oid IN (SELECT r.relid FROM pgtrack.relation r)
    UNION ALL
    SELECT e.objid FROM pg_event_trigger_ddl_commands() d
    JOIN pg_depend e ON d.classid = 'pg_extension'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid
      AND e.classid = 'pg_class'::regclass AND e.deptype = 'e'
    UNION ALL
    -- A type that is called otherwise now, or found elsewhere, is so in what was generated. So are arrays of it, and domains.
    SELECT u.objid
    FROM (WITH RECURSIVE touched (type) AS (
            SELECT t.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_type t
              ON d.classid = 'pg_namespace'::regclass AND t.typnamespace = d.objid OR d.classid = 'pg_type'::regclass AND t.oid = d.objid
            UNION
            SELECT e.objid FROM pg_event_trigger_ddl_commands() d
            JOIN pg_depend e ON d.classid = 'pg_extension'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid
              AND e.classid = 'pg_type'::regclass AND e.deptype = 'e'
            UNION
            SELECT e.objid FROM touched t
            JOIN pg_depend e ON e.refclassid = 'pg_type'::regclass AND e.refobjid = t.type AND e.classid = 'pg_type'::regclass)
          SELECT t.type FROM touched t) t
    JOIN pg_depend u ON u.refclassid = 'pg_type'::regclass AND u.refobjid = t.type AND u.classid = 'pg_class'::regclass
    JOIN pgtrack.relation r ON r.relid = u.objid);
END
$_tables_of_others$;
COMMENT ON FUNCTION pgtrack._tables_of_others() IS 'In an event trigger: the tables that a command about a schema, a type or an extension concerns.';

-- Anybody can write the setting: the trigger is gone, under a lock of this session.
CREATE OR REPLACE FUNCTION pgtrack._stepped_aside() RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stepped_aside$
BEGIN
  RETURN ARRAY(
    SELECT r.relid::oid
    FROM regexp_matches(current_setting('pgtrack.stepped_aside', true), $r$\m\d{1,10}\M$r$, 'g') a
    -- OFFSET 0: what follows is asked of these tables alone.
    CROSS JOIN LATERAL (SELECT r.relid FROM pgtrack.relation r WHERE r.relid = least(a[1]::bigint, 4294967295)::oid OFFSET 0) r
    WHERE EXISTS (SELECT FROM pgtrack._members(r.relid) m WHERE m.is_leaf AND NOT EXISTS (
                    SELECT FROM pg_trigger t WHERE t.tgrelid = m.relid AND t.tgname IN ('pgtrack_key', '!pgtrack_key')))
      AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = r.relid AND l.mode = 'AccessExclusiveLock' AND l.granted));
END
$_stepped_aside$;
COMMENT ON FUNCTION pgtrack._stepped_aside() IS 'The tables whose trigger for key changes has made way for the command that has just ended.';

-- In PL/pgSQL, which keeps its plans.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_ddl() RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_ddl$
DECLARE
  v_altered  oid[];
BEGIN
  v_altered := ARRAY(
    -- A trigger's, an index's or a trigger function's command names that object, not its table.
    SELECT x.relid
    FROM pg_event_trigger_ddl_commands() d
    -- Looked up one by one, by the catalogs' indexes: each of them may be large.
    CROSS JOIN LATERAL (
      SELECT coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = d.objid), d.objid) WHERE d.classid = 'pg_class'::regclass
      UNION ALL
      SELECT t.tgrelid FROM pg_trigger t
      WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
        AND (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = t.tgfoid) <> 'pgtrack_history'::regnamespace
      UNION ALL
      SELECT (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = e.objid) FROM pg_depend e
      WHERE d.classid = 'pg_proc'::regclass AND e.refclassid = d.classid AND e.refobjid = d.objid AND e.classid = 'pg_trigger'::regclass
      OFFSET 0) AS x (relid)
    WHERE d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack');
  -- Typed tables are altered with their type.
  v_altered := v_altered || ARRAY(
    SELECT e.objid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'c'
    JOIN pg_depend e ON e.refclassid = 'pg_type'::regclass AND e.refobjid = c.reltype AND e.classid = 'pg_class'::regclass AND e.objsubid = 0);
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.classid IN ('pg_namespace'::regclass, 'pg_type'::regclass, 'pg_extension'::regclass)) THEN
    v_altered := v_altered || pgtrack._tables_of_others();
  END IF;
  IF coalesce(current_setting('pgtrack.stepped_aside', true), '') <> '' THEN
    v_altered := v_altered || pgtrack._stepped_aside();
  END IF;
  IF v_altered = '{}' THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(
    SELECT c.oid::regclass FROM pg_class c WHERE c.oid = ANY (v_altered)
    UNION SELECT pg_partition_root(c.oid) FROM pg_class c WHERE c.oid = ANY (v_altered) AND (c.relispartition OR c.relkind = 'p')
    -- A table that became a partition gives its triggers to the root's.
    UNION SELECT r.relid FROM pg_class c CROSS JOIN LATERAL pgtrack._members(c.oid) m JOIN pgtrack.relation r ON r.relid = m.relid
          WHERE c.oid = ANY (v_altered) AND c.relkind = 'p'
    UNION SELECT i.inhparent::regclass FROM pg_inherits i WHERE i.inhrelid = ANY (v_altered)
    -- What is done to a parent is done to those who inherit from it.
    UNION (WITH RECURSIVE child (oid) AS (
             SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = ANY (v_altered)
             UNION SELECT i.inhrelid FROM child JOIN pg_inherits i ON i.inhparent = child.oid)
           SELECT c.oid::regclass FROM child JOIN pg_class c ON c.oid = child.oid WHERE NOT c.relispartition));
END
$_tables_of_ddl$;
COMMENT ON FUNCTION pgtrack._tables_of_ddl() IS 'In an event trigger: the tables that a command concerns, none of them ours.';

-- One that was untracked by itself stays so.
CREATE OR REPLACE FUNCTION pgtrack._new_tables(p_tables regclass[]) RETURNS TABLE (relid regclass, options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_new_tables$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT c.oid::regclass, s.options
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
  WHERE c.oid = ANY (p_tables) AND c.relkind IN ('r', 'p')
    AND pgtrack._reason_not_to_track(c.oid) IS NULL
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
    -- Nor one that recover() is just making.
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.tracked_until = 'infinity' AND r.schema_name = n.nspname AND r.table_name = c.relname)
  ORDER BY c.relname;
END
$_new_tables$;
COMMENT ON FUNCTION pgtrack._new_tables(regclass[]) IS 'Those of some tables that are to be tracked because their schema is, with the options.';

-- A partition that was detached, or what became the root of its own partitions by that, still has the triggers of its
-- former root. It goes on with that table's options, as its rows may be what they are about.
CREATE OR REPLACE FUNCTION pgtrack._former_partitions(p_relation integer) RETURNS TABLE (relid regclass, options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_former_partitions$
#variable_conflict use_column
BEGIN
  IF NOT EXISTS (SELECT FROM pgtrack.relation r JOIN pg_class t ON t.oid = r.relid WHERE r.relation_id = p_relation AND t.relkind = 'p') THEN
    RETURN;
  END IF;
  RETURN QUERY
  SELECT x.relid, CASE WHEN s.schema_name IS NOT NULL THEN r.options END
  FROM pgtrack.relation r
  CROSS JOIN LATERAL (
    SELECT DISTINCT coalesce(pg_partition_root(p.relid), p.relid) AS relid FROM pgtrack._present_triggers(r.relation_id) p) x
  JOIN pg_class c ON c.oid = x.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname
  WHERE r.relation_id = p_relation AND r.tracked_until IS NULL AND x.relid <> r.relid AND pgtrack._reason_not_to_track(x.relid) IS NULL
    AND NOT EXISTS (SELECT FROM pgtrack.relation o WHERE o.relid = x.relid AND o.tracked_until IS NULL);
END
$_former_partitions$;
COMMENT ON FUNCTION pgtrack._former_partitions(integer) IS
  'Tables that were partitions of a tracked one and are tracked no more, with its options; null where their schema is not tracked.';

-- The command has been done: what cannot be tracked is no reason to refuse it.
CREATE OR REPLACE FUNCTION pgtrack._enroll_or_warn(p_table regclass, p_options jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_enroll_or_warn$
DECLARE
  v_reason  text := 'it is no partition any more, and its schema is not tracked';
BEGIN
  IF p_options IS NOT NULL THEN
    BEGIN
      RETURN (SELECT e.relation_id FROM pgtrack._enroll(p_table, pgtrack._options_for(p_table, p_options, false)) e);
    EXCEPTION WHEN lock_not_available OR invalid_parameter_value OR feature_not_supported OR program_limit_exceeded OR insufficient_privilege THEN
      v_reason := SQLERRM;
    END;
  END IF;
  RAISE WARNING '% is not tracked: %', pgtrack._name(p_table), v_reason USING
    HINT = format('SELECT * FROM pgtrack.track(%L) tracks it.', pgtrack._name(p_table));
  RETURN NULL;
END
$_enroll_or_warn$;
COMMENT ON FUNCTION pgtrack._enroll_or_warn(regclass, jsonb) IS
  'Begins the history of a table after somebody''s command, with options, and returns its number; null if it cannot, or has no options.';

-- A schema that was renamed goes on being tracked under its new name. One that is dropped and made again is tracked as before.
CREATE OR REPLACE FUNCTION pgtrack._follow_schemas() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  UPDATE pgtrack.tracked_schema s SET schema_name = x.new_name
  FROM (SELECT DISTINCT r.schema_name AS old_name, n.nspname AS new_name, pgtrack._identity(n.oid) AS identity
        FROM pg_event_trigger_ddl_commands() d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
        LEFT JOIN pg_class c ON c.relnamespace = n.oid LEFT JOIN pgtrack.relation r ON r.relid = c.oid) x
  -- A table's former schema is not followed everywhere; one that is still there was not renamed.
  WHERE (s.schema_name = x.old_name OR s.identity = x.identity) AND NOT EXISTS (SELECT FROM pg_namespace o WHERE o.nspname = s.schema_name)
    AND NOT EXISTS (SELECT FROM pgtrack.tracked_schema o WHERE o.schema_name = x.new_name);
  UPDATE pgtrack.tracked_schema s SET identity = pgtrack._identity(n.oid)
  FROM pg_event_trigger_ddl_commands() d JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
  WHERE s.schema_name = n.nspname AND s.identity IS DISTINCT FROM pgtrack._identity(n.oid);
END;
COMMENT ON FUNCTION pgtrack._follow_schemas() IS 'In an event trigger: gives tracked schemas the names that they have now.';

-- ==== tracking/drops.sql ====

-- What is dropped takes rows along that are in no history, and may take along what histories are made of.

CREATE OR REPLACE FUNCTION pgtrack._refuse_drop(p_relation integer, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_drop$
DECLARE
  v_name  text := (SELECT format('%I.%I', r.schema_name, r.table_name) FROM pgtrack.relation r WHERE r.relation_id = p_relation);
BEGIN
  RAISE EXCEPTION 'cannot % %: it is tracked with on_drop "refuse"', p_what, v_name USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = 'Its present rows are in no history.',
    HINT = format('SELECT pgtrack.keep(%L) saves them; then allow it: SELECT pgtrack.track(%1$L, ''{"on_drop": "allow"}'').', v_name);
END
$_refuse_drop$;
COMMENT ON FUNCTION pgtrack._refuse_drop(integer, text) IS 'Refuses DDL that would lose rows or values of a protected table.';

-- A history has columns of extensions' types, and keys of collations that compare in a way of their own. To drop one of
-- these with CASCADE would take the columns along, values and all.
CREATE OR REPLACE FUNCTION pgtrack._refuse_loss_of_history() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_loss_of_history$
DECLARE
  v_lost    text;
  v_for     text;
BEGIN
  -- Where something of ours was named, or the extension, that is what was meant.
  SELECT string_agg(d.object_identity, ', ' ORDER BY d.object_identity) FILTER (WHERE d.is_ours AND d.object_type IN ('table column', 'table', 'function', 'index')
                                                                                              AND d.object_identity !~ '^pgtrack_history.equal_'),
         string_agg(format('%s %s', d.object_type, d.object_identity), ', ') FILTER (WHERE d.original)
  INTO v_lost, v_for
  FROM (SELECT d.*, d.schema_name IN ('pgtrack', 'pgtrack_history')
               -- A column that is left to what stands on it (_retype_history_column) holds nothing that is needed.
               AND NOT (d.object_type = 'table column' AND EXISTS (
                 SELECT FROM pgtrack.relation r WHERE r.history_table = d.address_names[2]::name AND d.address_names[1] = 'pgtrack_history'
                   AND d.address_names[3] <> 'pgtrack_statement_id' AND NOT EXISTS (
                     SELECT FROM pgtrack.relation_column c
                     WHERE c.relation_id = r.relation_id AND c.history_column = d.address_names[3]))) AS is_ours
        FROM pg_event_trigger_dropped_objects() d) d
  HAVING NOT coalesce(bool_or(d.original AND (d.is_ours OR d.object_type = 'schema' AND d.address_names[1] IN ('pgtrack', 'pgtrack_history')
                                                  OR d.object_type = 'extension' AND d.address_names[1] = 'pg_track')), false);
  IF v_lost IS NOT NULL THEN
    RAISE EXCEPTION 'cannot drop %: the history of tables needs it', v_for USING
      ERRCODE = 'dependent_objects_still_exist',
      DETAIL = format('With it would go: %s.', v_lost),
      HINT = 'Drop the columns of that type first; then SELECT pgtrack.release_type(''the type'') makes their recorded values text. '
             'A collation is released by ALTER TABLE ... ALTER COLUMN ... TYPE text COLLATE "default" on the columns that are named here.';
  END IF;
END
$_refuse_loss_of_history$;
COMMENT ON FUNCTION pgtrack._refuse_loss_of_history() IS 'In an event trigger: refuses to drop what would take recorded values along.';

-- One that was a partition and is tracked by itself is both.
CREATE OR REPLACE FUNCTION pgtrack._drop_recorders() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_recorders$
DECLARE
  v_dropped  record;
BEGIN
  FOR v_dropped IN
    SELECT x.*, r.options ->> 'on_drop' AS on_drop
    FROM (SELECT d.objsubid, r.relation_id, NULL::name AS recorder,
                 CASE WHEN d.objsubid > 0 THEN format('drop column %I of', d.address_names[3]) ELSE 'drop' END AS what
          FROM pg_event_trigger_dropped_objects() d JOIN pgtrack.relation r ON r.relid = d.objid WHERE d.classid = 'pg_class'::regclass
          UNION ALL
          -- A partition is known by the function that records its TRUNCATE.
          SELECT d.objsubid, g.relation_id, g.function_name,
                 CASE WHEN d.objsubid > 0 THEN format('drop column %I of', d.address_names[3]) ELSE format('drop partition %s of', d.object_identity) END
          FROM pg_event_trigger_dropped_objects() d JOIN pgtrack.generated g ON g.leaf = d.objid WHERE d.classid = 'pg_class'::regclass) x
    JOIN pgtrack.relation r ON r.relation_id = x.relation_id AND r.tracked_until IS NULL
    ORDER BY x.objsubid
  LOOP
    IF v_dropped.on_drop = 'refuse' THEN
      PERFORM pgtrack._refuse_drop(v_dropped.relation_id, v_dropped.what);
    ELSIF v_dropped.recorder IS NOT NULL AND v_dropped.objsubid = 0 THEN
      PERFORM pgtrack._drop_function(format('pgtrack_history.%I()', v_dropped.recorder)::regprocedure);
      DELETE FROM pgtrack.generated WHERE function_name = v_dropped.recorder;
    END IF;
  END LOOP;
END
$_drop_recorders$;
COMMENT ON FUNCTION pgtrack._drop_recorders() IS 'In an event trigger: drops what was written for partitions that are dropped; refuses the drop where on_drop says so.';

-- DROP TYPE ... CASCADE and its like take columns, defaults and triggers of tables along, of which no other event tells.
CREATE OR REPLACE FUNCTION pgtrack._tables_of_drop() RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of_drop$
BEGIN
  RETURN (
    -- The catalogs are asked: to_regclass() fails for a schema that the owner of pg_track may not use.
    SELECT coalesce(array_agg(DISTINCT c.oid::regclass), '{}')
    FROM pg_event_trigger_dropped_objects() d
    -- Looked up one by one, by the catalog's indexes.
    CROSS JOIN LATERAL (
      SELECT c.oid FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
      UNION ALL
      SELECT c.oid FROM pg_namespace n JOIN pg_class c ON c.relname = d.address_names[2]::name AND c.relnamespace = n.oid
      WHERE d.classid <> 'pg_class'::regclass AND n.nspname = d.address_names[1]::name
      OFFSET 0) c
    WHERE d.object_type IN ('table column', 'default value', 'table constraint', 'trigger')
      AND d.address_names[1] NOT IN ('pgtrack', 'pgtrack_history')
      -- Those we drop ourselves.
      AND (d.object_type <> 'trigger' OR d.address_names[3] !~ '^[!~]?pgtrack_'));
END
$_tables_of_drop$;
COMMENT ON FUNCTION pgtrack._tables_of_drop() IS 'In an event trigger: the tables that are still there and have lost something by a drop.';

CREATE OR REPLACE FUNCTION pgtrack._follow_drop(p_tag text, p_dropped oid[], p_rights jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_drop$
DECLARE
  v_tables  regclass[];
  v_events  text;
BEGIN
  PERFORM pgtrack._refuse_loss_of_history();
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._drop_recorders();
  IF p_dropped <> '{}' THEN
    UPDATE pgtrack.kept k SET definition = k.definition || jsonb_build_object('last', r.value)
    FROM jsonb_each(p_rights) r WHERE k.relation_id = r.key::integer;
    -- Rights on its history are those on the table, of which there are none any more.
    PERFORM pgtrack._sync_rights(r.relation_id), pgtrack._drop_moves(r.relation_id) FROM pgtrack.relation r WHERE r.relid = ANY (p_dropped);
    UPDATE pgtrack.relation r SET relid = NULL, tracked_until = coalesce(r.tracked_until, clock_timestamp()) WHERE r.relid = ANY (p_dropped);
  END IF;
  -- ALTER TABLE tells itself what it was about.
  IF p_tag LIKE 'DROP %' THEN
    v_tables := pgtrack._tables_of_drop();
    PERFORM set_config('pgtrack.altered', CASE WHEN v_tables <> '{}' THEN array_to_string(pgtrack._follow_tables(v_tables), ' ') ELSE '' END, true);
  END IF;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_follow_drop$;
COMMENT ON FUNCTION pgtrack._follow_drop(text, oid[], jsonb) IS 'In an event trigger: does the work of _on_drop().';

-- STABLE, so that what it looks up itself is as the command found it: who owned a table shows nowhere afterwards. What it calls
-- that is VOLATILE sees, and does, what is to be done now.
CREATE OR REPLACE FUNCTION pgtrack._on_drop() RETURNS event_trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan
AS $_on_drop$
DECLARE
  v_dropped  oid[] := ARRAY(SELECT d.objid FROM pg_event_trigger_dropped_objects() d WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0);
  v_rights   jsonb;
BEGIN
  IF v_dropped <> '{}' THEN
    v_rights := pgtrack._last_rights(v_dropped);
  END IF;
  PERFORM pgtrack._follow_drop(TG_TAG, v_dropped, v_rights);
END
$_on_drop$;
COMMENT ON FUNCTION pgtrack._on_drop() IS
  'Notes that a tracked table was dropped, or refuses it; its history stays. SECURITY DEFINER: whoever drops it needs no rights on pg_track.';

-- ==== tracking/step_aside.sql ====

-- PostgreSQL refuses to retype or drop a column that a trigger's definition names ("cannot alter type of a column
-- used in a trigger definition"). The trigger for key changes must not stand in the way of its table's owner: it
-- steps aside before the command and comes back after it. What is altered is not known yet, so the text says. Which text
-- that is, and what it names, can mostly be told; then nothing else is touched. Otherwise every table of which the text
-- speaks is, unless somebody uses it.

-- Above our own line the context has the innermost text that runs, if any: of a function, DO or an extension's script.
CREATE OR REPLACE FUNCTION pgtrack._running_text(p_context text, OUT command text, OUT is_alone boolean, OUT is_whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_running_text$
DECLARE
  c_space CONSTANT  text := $r$(\s|--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/)$r$;
  v_around          text := substring(p_context FROM E'^[^\\n]*\\n(.*)$');
BEGIN
  command := CASE WHEN v_around IS NULL THEN current_query()
                  ELSE substring(v_around FROM $r$^SQL statement "(.*?)"(?:\n(?:PL/|SQL |extension )|$)$r$) END;
  -- Comments, and identifiers in Unicode escapes, may hide a name.
  is_alone := command ~* format($r$^%s*alter\M$r$, c_space) AND command !~ $r$;.*\S$r$ AND command !~* $r$\mu&"$r$;
  is_whole := is_alone OR command !~* $r$(--|/\*|\mu&")$r$;
  IF command IS NULL THEN
    is_alone := false;
    is_whole := false;
    command := concat_ws(E'\n', current_query(), p_context,
      -- Of these the context has the names alone.
      (SELECT string_agg(p.prosrc, E'\n') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
       WHERE l.lanname = 'sql' AND p.prosrc ~* $r$\malter\M$r$ AND strpos(p_context, p.proname) > 0));
  END IF;
END
$_running_text$;
COMMENT ON FUNCTION pgtrack._running_text(text) IS
  'The text that has the running command, by the context; whether that is the command alone, and whether all names in it can be read.';

CREATE OR REPLACE FUNCTION pgtrack._visible(p_name name, p_is_type boolean) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_visible$
BEGIN
  PERFORM set_config('search_path', current_setting('pgtrack.search_path'), true);
  IF p_is_type THEN
    -- to_regtype() fails for a shell type before PostgreSQL 16.
    RETURN (SELECT t.typrelid FROM pg_catalog.pg_type t WHERE t.typname OPERATOR(pg_catalog.=) p_name AND pg_catalog.pg_type_is_visible(t.oid));
  END IF;
  RETURN pg_catalog.to_regclass(pg_catalog.quote_ident(p_name));
END
$_visible$;
COMMENT ON FUNCTION pgtrack._visible(name, boolean) IS
  'The relation, or that of a composite type, which a bare name means under the noted search_path; null for none.';

-- A name in quotes, or of letters, digits, _ and $, where what is not ASCII counts as a letter (src/backend/parser/scan.l).
-- The catalogs are asked: to_regclass() fails for a schema that the user may not use.
CREATE OR REPLACE FUNCTION pgtrack._altered_by(p_text text, p_is_alone boolean) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_altered_by$
DECLARE
  c_space CONSTANT  text := $r$(?:\s|--[^\n]*\n|/\*(?:[^*]|\*+[^*/])*\*+/)$r$;
  c_name CONSTANT   text := $r$(?:"(?:[^"]|"")+"|[^\x01-\x40\x5b-\x5e\x60\x7b-\x7f][^\x01-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*)$r$;
  v_match           text[];
  v_name            text[];
  v_relation        oid;
BEGIN
  FOR v_match IN
    SELECT m FROM regexp_matches(p_text, CASE WHEN p_is_alone THEN '^' || c_space || '*' ELSE $r$\m$r$ END || replace(replace(
      $r$alter_+(table|type)\M(?:_+if_+exists\M)?(?:_+only\M_*\(?)?_*(@(?:\s*\.\s*@){0,2})$r$, '_', c_space), '@', c_name), 'gi') m
  LOOP
    v_name := parse_ident(v_match[2]);
    IF cardinality(v_name) = 1 THEN
      v_relation := pgtrack._visible(v_name[1], lower(v_match[1]) = 'type');
    ELSE
      v_relation := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = v_name[cardinality(v_name) - 1]::name AND c.relname = v_name[cardinality(v_name)]::name);
    END IF;
    RETURN NEXT v_relation;
  END LOOP;
END
$_altered_by$;
COMMENT ON FUNCTION pgtrack._altered_by(text, boolean) IS
  'The relations that a text names in ALTER TABLE or ALTER TYPE; null for a name without any.';

CREATE OR REPLACE FUNCTION pgtrack._in_the_way(p_text text, p_is_alone boolean, p_is_whole boolean)
RETURNS TABLE (tracked regclass, relid regclass, trigger name, is_named boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_in_the_way$
DECLARE
  v_altered  oid[] := ARRAY(SELECT a FROM pgtrack._altered_by(p_text, p_is_alone) a);
  v_named    oid[] := ARRAY(
    WITH RECURSIVE named (relid) AS (
      SELECT a FROM unnest(v_altered) a WHERE a IS NOT NULL
      -- Typed tables are altered with their type, on which they depend.
      UNION SELECT c.oid FROM pg_class o
      JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = o.reltype AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
      JOIN pg_class c ON c.oid = d.objid AND c.reloftype = o.reltype
      WHERE o.oid = ANY (v_altered) AND o.relkind = 'c'
      -- What is done to a parent is done to those who inherit from it.
      UNION SELECT i.inhrelid FROM named n JOIN pg_inherits i ON i.inhparent = n.relid)
    SELECT n.relid FROM named n);
  v_owners   oid[] := ARRAY(SELECT c.relowner FROM pg_class c WHERE c.oid = ANY (v_named)
                            UNION SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user);
  v_keywords text[] := '{}';
BEGIN
  -- Anybody may call a table like a word that most texts have.
  IF v_named = '{}' THEN
    v_keywords := ARRAY(SELECT k.word FROM pg_get_keywords() k);
  END IF;
  RETURN QUERY
  SELECT DISTINCT c.oid::regclass, m.relid, t.name, c.oid = ANY (v_named)
  FROM (SELECT o.* FROM pgtrack.relation o WHERE o.relid = ANY (v_named)
        -- All of them only where the text does not tell.
        UNION ALL SELECT o.* FROM pgtrack.relation o WHERE (v_altered = '{}' OR NOT p_is_whole) AND o.relid <> ALL (v_named)) r
  JOIN pg_class c ON c.oid = r.relid
  CROSS JOIN LATERAL pgtrack._members(r.relid) m
  JOIN pg_class l ON l.oid = m.relid
  CROSS JOIN LATERAL (
    SELECT t.tgname AS name FROM pg_trigger t
    WHERE t.tgrelid = l.oid AND t.tgname IN ('pgtrack_key', '!pgtrack_key', 'pgtrack_update_key') AND t.tgparentid = 0 OFFSET 0) t
  WHERE r.tracked_until IS NULL AND pg_has_role(current_user, c.relowner, 'USAGE') AND pg_has_role(current_user, l.relowner, 'USAGE')
    AND (c.oid = ANY (v_named)
         -- As a whole word, quoted or not. Of a typed table the type may be named.
         OR (v_altered = '{}' OR NOT p_is_whole) AND (v_named = '{}' OR c.relowner = ANY (v_owners)) AND EXISTS (
           SELECT FROM unnest(ARRAY[c.relname, (SELECT y.typname FROM pg_type y WHERE y.oid = c.reloftype)]) x
           WHERE x IS NOT NULL
             AND (c.relowner = ANY (v_owners) OR x <> ALL (v_keywords) OR strpos(p_text, format('"%s"', x)) > 0)
             AND p_text ~* format('(^|[^[:alnum:]_$])%s($|[^[:alnum:]_$])',
                                  regexp_replace(replace(x, '"', '""'), '([^[:alnum:]_])', $r$\\\1$r$, 'g'))));
END
$_in_the_way$;
COMMENT ON FUNCTION pgtrack._in_the_way(text, boolean, boolean) IS
  'The triggers for key changes on tables that a text alters, or may alter, with the rights of the current user; of the latter those of the '
  'owners of the former and of the current user, if there are any of the former.';

CREATE OR REPLACE FUNCTION pgtrack._step_aside(p_context text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1 AS $_step_aside$
DECLARE
  v_running  record;
  v_table    record;
  v_command  text;
  v_since    timestamptz;
  v_aside    oid[] := '{}';
  v_timeout  text := current_setting('lock_timeout');
  v_events   text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  -- Our own ALTER TABLE, while a table is followed or its triggers are made, retypes and drops no column of it.
  IF p_context ~ $r$\mpgtrack\._(on_ddl|generate_triggers)\($r$ THEN
    RETURN;
  END IF;
  SELECT * INTO v_running FROM pgtrack._running_text(p_context);
  IF v_running.command !~* $r$\m(type|drop)\M$r$ THEN
    RETURN;
  END IF;
  v_events := pgtrack._silence_event_triggers();
  -- One that the command names is waited for as the command itself would do. Of others the text may only speak: those that nobody
  -- uses step aside, and then it is waited for the rest, a while for all of them together. Anybody may have made many.
  FOR v_table IN
    SELECT w.tracked, w.is_named, round, bool_or(w.relid <> w.tracked) AS is_tree,
           array_agg(format('DROP TRIGGER %I ON %s', w.trigger, w.relid)) AS commands
    FROM pgtrack._in_the_way(v_running.command, v_running.is_alone, v_running.is_whole) w
    CROSS JOIN LATERAL generate_series(1, CASE WHEN w.is_named THEN 1 ELSE 2 END) round
    GROUP BY w.tracked, w.is_named, round
    ORDER BY w.is_named DESC, round, (SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class c WHERE c.oid = w.tracked) DESC
  LOOP
    CONTINUE WHEN v_table.tracked = ANY (v_aside);
    IF v_table.round = 2 THEN
      v_since := coalesce(v_since, clock_timestamp());
      EXIT WHEN clock_timestamp() > v_since + interval '0.4 s';
    END IF;
    PERFORM set_config('lock_timeout', CASE WHEN v_table.is_named THEN v_timeout WHEN v_table.round = 1 THEN '1ms' ELSE '200ms' END, true);
    BEGIN
      -- In the order of writers: a partitioned table before its partitions.
      PERFORM pgtrack._execute(format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', v_table.tracked)) WHERE v_table.is_tree;
      FOREACH v_command IN ARRAY v_table.commands LOOP
        PERFORM pgtrack._execute(v_command);
      END LOOP;
    EXCEPTION WHEN lock_not_available THEN
      IF v_table.is_named THEN
        RAISE;
      END IF;
      CONTINUE;
    END;
    v_aside := v_aside || v_table.tracked::oid;
  END LOOP;
  PERFORM set_config('pgtrack.stepped_aside', array_to_string(v_aside, ' '), true);
  PERFORM set_config('lock_timeout', v_timeout, true);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_step_aside$;
COMMENT ON FUNCTION pgtrack._step_aside(text) IS 'Does the work of pgtrack._before_ddl().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._before_ddl() RETURNS event_trigger
LANGUAGE plpgsql AS $_before_ddl$
DECLARE
  v_context  pg_catalog.text;
BEGIN
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  IF pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._step_aside(v_context);
  END IF;
END
$_before_ddl$;
COMMENT ON FUNCTION pgtrack._before_ddl() IS 'Takes the trigger for key changes out of the way of ALTER TABLE, as whoever runs that.';

-- ==== tracking/trigger_functions.sql ====

-- Which functions triggers call, and so which tables they may write (capture/written_nested.sql)

-- Tables of many schemas may be called alike: of those the ones are meant that the function, the trigger's table or the source is
-- near to, if any are. What others own, and what is left of many, waits for follow_ddl(): verify() says so.
CREATE OR REPLACE FUNCTION pgtrack._tables_in_words(p_words text[], p_schemas oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_in_words$
BEGIN
  RETURN ARRAY(
    SELECT x.relid
    FROM (SELECT r.relid::oid AS relid, n.is_near, rank() OVER (PARTITION BY r.table_name ORDER BY n.is_near DESC) AS rank
          FROM unnest(pgtrack._written_through(ARRAY(
                 SELECT c.oid FROM unnest(p_words) w
                 CROSS JOIN LATERAL (SELECT k.oid FROM pg_class k WHERE k.relname = w::name OFFSET 0) c))) AS t (oid)
          JOIN pgtrack.relation r ON r.relid = t.oid AND r.tracked_until IS NULL AND NOT r.is_written_nested
          JOIN pg_class c ON c.oid = t.oid
          CROSS JOIN LATERAL (SELECT c.relnamespace = ANY (p_schemas) OR r.schema_name = ANY (p_words::name[])) AS n (is_near)
          WHERE pg_has_role(session_user, c.relowner, 'MEMBER')) x
    WHERE x.rank = 1
    ORDER BY x.is_near DESC LIMIT 20);
END
$_tables_in_words$;
COMMENT ON FUNCTION pgtrack._tables_in_words(text[], oid[]) IS
  'Tables that words of trigger functions name, near some schemas, and of which it is new that triggers of others may write them.';

-- A function belongs to those of triggers if a trigger calls it, or if it is called like what stands in one that does.
CREATE OR REPLACE FUNCTION pgtrack._written_by_command() RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_written_by_command$
DECLARE
  v_functions  oid[];
  v_arguments  text;
  v_schemas    oid[];
BEGIN
  SELECT array_agg(DISTINCT p.oid), string_agg(x.arguments, ' '), array_agg(p.pronamespace) || array_agg(x.schema)
  INTO v_functions, v_arguments, v_schemas
  FROM pg_event_trigger_ddl_commands() d
  CROSS JOIN LATERAL (
    SELECT t.tgfoid, encode(t.tgargs, 'escape'), (SELECT c.relnamespace FROM pg_class c WHERE c.oid = t.tgrelid)
    FROM pg_trigger t WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    UNION ALL
    SELECT p.oid, NULL, NULL FROM pg_proc p
    WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
      AND (EXISTS (SELECT FROM pg_depend e WHERE e.refclassid = d.classid AND e.refobjid = d.objid AND e.classid = 'pg_trigger'::regclass)
           OR EXISTS (SELECT FROM pgtrack.trigger_word w WHERE w.word = p.proname))
    OFFSET 0) AS x (function, arguments, schema)
  JOIN pg_proc p ON p.oid = x.function AND p.pronamespace <> ALL ('{pg_catalog,pgtrack,pgtrack_history}'::regnamespace[]);
  IF v_functions IS NULL THEN
    RETURN '{}';
  END IF;
  RETURN pgtrack._mark_written_nested(
    pgtrack._tables_in_words(pgtrack._note_trigger_words(v_functions, v_arguments, false), v_schemas), true);
END
$_written_by_command$;
COMMENT ON FUNCTION pgtrack._written_by_command() IS
  'In an event trigger: the tables of which it is new that triggers of others may write them, after a command on triggers or functions.';

CREATE OR REPLACE FUNCTION pgtrack._follow_trigger_functions(p_unmarks_tables boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = on SET enable_seqscan = on SET plan_cache_mode = force_custom_plan AS $_follow_trigger_functions$
DECLARE
  v_functions  oid[];
  v_arguments  text;
BEGIN
  SELECT array_agg(DISTINCT t.tgfoid), string_agg(DISTINCT encode(t.tgargs, 'escape'), ' ') FILTER (WHERE t.tgnargs > 0)
  INTO v_functions, v_arguments
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE NOT t.tgisinternal AND p.pronamespace <> ALL ('{pg_catalog,pgtrack,pgtrack_history}'::regnamespace[]);
  PERFORM pgtrack._note_trigger_words(coalesce(v_functions, '{}'), v_arguments, true);
  IF p_unmarks_tables THEN
    PERFORM pgtrack._mark_written_nested(ARRAY(
      SELECT r.relid::oid FROM pgtrack.relation r
      WHERE r.is_written_nested AND r.tracked_until IS NULL AND NOT pgtrack._is_in_trigger_words(r.relid)), false);
  END IF;
END
$_follow_trigger_functions$;
COMMENT ON FUNCTION pgtrack._follow_trigger_functions(boolean) IS
  'Keeps the words of all trigger functions, and no marks on tables that they name no more. '
  'SECURITY DEFINER: whoever may follow DDL cannot write what we keep.';

-- Without that trigger, its recorders go on as before: verify() says so, and follow_ddl() tries again.
CREATE OR REPLACE FUNCTION pgtrack._unmark_unfinished(p_relations integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '200ms'
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
AS $_unmark_unfinished$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r WHERE r.relation_id = ANY (p_relations) AND r.is_written_nested AND r.tracked_until IS NULL
  LOOP
    CONTINUE WHEN NOT EXISTS (SELECT FROM pgtrack._members(v_relation.relid) m
                              WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = m.relid AND t.tgname = 'pgtrack_open'))
               OR pgtrack._has_nesting_trigger(v_relation.relid) OR pgtrack._capture_mode(v_relation.relid, v_relation.options) = 'row';
    BEGIN
      UPDATE pgtrack.relation SET is_written_nested = false WHERE relation_id = v_relation.relation_id;
      PERFORM pgtrack._sync(v_relation.relation_id);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      RAISE DEBUG '%', SQLERRM;
    END;
  END LOOP;
END
$_unmark_unfinished$;
COMMENT ON FUNCTION pgtrack._unmark_unfinished(integer[]) IS
  'Has tables on which pgtrack_open could not be made recorded as if no trigger of another table wrote them.';

-- ==== tracking/on_ddl.sql ====

-- DDL by anybody is followed. What belongs to pg_track is changed as its owner (SECURITY DEFINER); what belongs to the
-- table, its triggers and rights, as whoever runs the command. So one command fires three event triggers, in the order
-- of their names: pgtrack_ddl, pgtrack_ddl_triggers, pgtrack_ddl_triggers_made. The first tells the others in the setting
-- pgtrack.altered which relations have something to be done; nobody else runs between them.
-- Commands on our own objects are known by these, not by a setting, which a client could set.

-- The event does not say which table it is about. What somebody else is just changing is followed by them, or later.
CREATE OR REPLACE FUNCTION pgtrack._follow_rights() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $_follow_rights$
DECLARE
  v_relation  integer;
  v_events    text;
BEGIN
  FOR v_relation IN SELECT r FROM pgtrack._relations_with_other_rights() r LOOP
    BEGIN
      v_events := pgtrack._silence_event_triggers();
      PERFORM pgtrack._sync_rights(v_relation);
      PERFORM pgtrack._let_event_triggers_fire(v_events);
    -- "tuple concurrently updated" is an internal error.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR internal_error THEN
      RAISE DEBUG '%', SQLERRM;
    END;
  END LOOP;
END
$_follow_rights$;
COMMENT ON FUNCTION pgtrack._follow_rights() IS 'Lets those read histories who may read their tables, after a command that changed rights.';

-- What a command only concerns, as its trigger function or type, it does not lock. Where somebody else is just changing that, it
-- is left to them, or to follow_ddl(): they may not end for long.
CREATE OR REPLACE FUNCTION pgtrack._follow_or_leave(p_relation pgtrack.relation) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_or_leave$
BEGIN
  FOR attempt IN 1 .. 2 LOOP
    BEGIN
      PERFORM pgtrack._follow_relation(p_relation.relation_id);
      RETURN true;
    EXCEPTION WHEN lock_not_available THEN
      -- Somebody reads the history, for who knows how long. The next write follows, or pgtrack.follow_ddl(); but not what
      -- does not fit into it: as for readers of the table, that is waited for.
      IF NOT pgtrack._fits_history(p_relation.relation_id) THEN
        PERFORM pgtrack._follow_shape(p_relation.relation_id);
        RETURN true;
      END IF;
      PERFORM FROM pgtrack.relation r WHERE r.relation_id = p_relation.relation_id FOR NO KEY UPDATE SKIP LOCKED;
      IF FOUND OR NOT EXISTS (SELECT FROM pgtrack._trigger_changes(p_relation.relation_id)) THEN
        RETURN true;
      ELSIF NOT EXISTS (SELECT FROM pg_locks l
                        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = p_relation.relid AND l.granted
                          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) THEN
        RETURN false;
      END IF;
      PERFORM pgtrack._lock_relation(p_relation.relation_id);
    END;
  END LOOP;
  RETURN true;
END
$_follow_or_leave$;
COMMENT ON FUNCTION pgtrack._follow_or_leave(pgtrack.relation) IS
  'Brings the history of a table in step with it, now or later; false if its triggers, too, are left to somebody else.';

CREATE OR REPLACE FUNCTION pgtrack._follow_tables(p_tables regclass[]) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_follow_tables$
DECLARE
  v_relation  pgtrack.relation;
  v_altered   integer[] := '{}';
BEGIN
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.tracked_until IS NULL AND r.relid = ANY (p_tables)
    ORDER BY c.relispartition DESC
  LOOP
    BEGIN
      IF NOT pgtrack._follow_or_leave(v_relation) THEN
        CONTINUE;
      END IF;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN
      RAISE WARNING 'the history of % cannot follow: %', pgtrack._name(v_relation.relid), SQLERRM USING
        HINT = format('Grant that to %I, then SELECT * FROM pgtrack.track(%L, %L).', current_user, pgtrack._name(v_relation.relid), v_relation.options);
    END;
    v_altered := v_altered || v_relation.relation_id;
  END LOOP;
  v_altered := v_altered || ARRAY(
    SELECT e FROM unnest(v_altered) a CROSS JOIN LATERAL pgtrack._former_partitions(a) f
    CROSS JOIN LATERAL pgtrack._enroll_or_warn(f.relid, f.options) e WHERE e IS NOT NULL);
  v_altered := v_altered || ARRAY(
    SELECT e FROM pgtrack._new_tables(p_tables) n CROSS JOIN LATERAL pgtrack._enroll_or_warn(n.relid, n.options) e WHERE e IS NOT NULL);
  RETURN pgtrack._let_owners_make_triggers(v_altered)
    || ARRAY(SELECT r.relation_id FROM pgtrack.relation r
             WHERE r.relation_id = ANY (v_altered) AND (r.tracked_until IS NOT NULL OR EXISTS (SELECT FROM pgtrack._rights_to_read(r.relid))));
END
$_follow_tables$;
COMMENT ON FUNCTION pgtrack._follow_tables(regclass[]) IS
  'Brings the history of tables in step with them, and begins that of new ones. Returns the relations whose triggers have to change.';

-- What a script of an extension makes or replaces belongs to the extension, and it may replace nothing else. So its tables
-- are followed when CREATE or ALTER EXTENSION is over. Which ones stands in a setting, sealed.
CREATE OR REPLACE FUNCTION pgtrack._outside_extension(p_tables regclass[]) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_outside_extension$
DECLARE
  v_put_off  regclass[] := string_to_array(pgtrack._unsealed('extension', nullif(current_setting('pgtrack.extension', true), '')), ' ')::oid[]::regclass[];
BEGIN
  -- While pg_track itself is made as an extension, there is no key to seal with, nor anything that is tracked.
  IF NOT EXISTS (SELECT FROM pgtrack.secret) THEN
    RETURN '{}';
  END IF;
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.in_extension) THEN
    PERFORM set_config('pgtrack.extension', pgtrack._sealed('extension', array_to_string((p_tables || v_put_off)::oid[], ' ')), true);
    RETURN '{}';
  ELSIF v_put_off IS NOT NULL THEN
    PERFORM set_config('pgtrack.extension', '', true);
  END IF;
  RETURN p_tables || v_put_off;
END
$_outside_extension$;
COMMENT ON FUNCTION pgtrack._outside_extension(regclass[]) IS 'In an event trigger: the tables to follow now; of an extension''s script none, and all when it is over.';

-- An index or a comment is no part of what is generated, and of a trigger function only which triggers are wanted because
-- of it; but their table may have changed before.
CREATE OR REPLACE FUNCTION pgtrack._to_follow(p_tables regclass[]) RETURNS regclass[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_to_follow$
BEGIN
  RETURN ARRAY(
    SELECT t FROM unnest(p_tables) t LEFT JOIN pgtrack.relation r ON r.relid = t AND r.tracked_until IS NULL
    WHERE r.relid IS NULL OR pgtrack._problem(r) IS NOT NULL);
END
$_to_follow$;
COMMENT ON FUNCTION pgtrack._to_follow(regclass[]) IS 'Those of some tables that are not tracked, or not as they are now.';

-- Those who read rows of its tables by their names (_prepare_to_read) go first, for as long as it takes. Meanwhile nothing is
-- held that others want: whoever truncates another of the tables does not wait, too. At last all are held at once.
CREATE OR REPLACE FUNCTION pgtrack._await_readers(p_tables regclass[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_await_readers$
DECLARE
  v_relation  integer;
BEGIN
  FOR attempt IN 1 .. 10 LOOP
    BEGIN
      PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) FOR UPDATE NOWAIT;
      RETURN;
    EXCEPTION WHEN lock_not_available THEN
      RAISE DEBUG '%', SQLERRM;
    END;
    FOR v_relation IN SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) LOOP
      BEGIN
        PERFORM FROM pgtrack.relation r WHERE r.relation_id = v_relation FOR UPDATE;
        RAISE EXCEPTION 'the row is let go';
      EXCEPTION WHEN raise_exception THEN
        RAISE DEBUG '%', SQLERRM;
      END;
    END LOOP;
  END LOOP;
  PERFORM FROM pgtrack.relation r WHERE r.relid = ANY (p_tables) FOR UPDATE;
END
$_await_readers$;
COMMENT ON FUNCTION pgtrack._await_readers(regclass[]) IS
  'Waits until nobody reads tables by their names any more, and keeps others from it until the transaction ends.';

CREATE OR REPLACE FUNCTION pgtrack._follow_command(p_tag text) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_follow_command$
DECLARE
  v_tables   regclass[] := pgtrack._outside_extension(pgtrack._tables_of_ddl() || pgtrack._written_by_command());
  v_altered  integer[] := '{}';
  v_events   text;
BEGIN
  PERFORM set_config('pgtrack.stepped_aside', '', true);
  IF p_tag IN ('CREATE INDEX', 'ALTER INDEX', 'COMMENT', 'SECURITY LABEL')
     OR NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.classid <> 'pg_proc'::regclass) THEN
    v_tables := pgtrack._to_follow(v_tables);
  END IF;
  IF v_tables <> '{}' OR p_tag IN ('ALTER SCHEMA', 'CREATE SCHEMA', 'CREATE EXTENSION', 'ALTER EXTENSION') THEN
    v_events := pgtrack._silence_event_triggers();
    IF p_tag = 'ALTER SCHEMA' THEN
      -- Tables that only have types of the schema are read by the same names as before.
      PERFORM pgtrack._await_readers(ARRAY(
        SELECT t FROM unnest(v_tables) t WHERE EXISTS (
          SELECT FROM pgtrack._members(t) m JOIN pg_class c ON c.oid = m.relid
          JOIN pg_event_trigger_ddl_commands() d ON d.classid = 'pg_namespace'::regclass AND d.objid = c.relnamespace)));
    END IF;
    PERFORM pgtrack._follow_schemas() WHERE p_tag IN ('ALTER SCHEMA', 'CREATE SCHEMA');
    PERFORM pgtrack._follow_rights() WHERE p_tag LIKE '% EXTENSION';
    IF v_tables <> '{}' THEN
      v_altered := pgtrack._follow_tables(v_tables);
    END IF;
    PERFORM pgtrack._let_event_triggers_fire(v_events);
  END IF;
  RETURN v_altered;
END
$_follow_command$;
COMMENT ON FUNCTION pgtrack._follow_command(text) IS
  'In an event trigger: follows a command, and returns the relations whose triggers have to change.';

-- Most commands that end here are our own, on our objects or for our triggers: it costs them little. What rights we give
-- ourselves is no news, either; whoever makes up a text that looks like that leaves a right on a history that shows nothing.
CREATE OR REPLACE FUNCTION pgtrack._on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $_on_ddl$
DECLARE
  v_altered  text := '';
  v_context  text;
BEGIN
  IF TG_TAG IN ('GRANT', 'REVOKE', 'DROP OWNED') THEN
    GET DIAGNOSTICS v_context = PG_CONTEXT;
    PERFORM pgtrack._follow_rights()
    WHERE v_context !~ $r$^[^\n]*\nSQL statement "[^\n]*"\nPL/pgSQL function pgtrack\._(execute|sync_rights)\($r$
      AND (TG_TAG = 'DROP OWNED' OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.object_type = 'TABLE' AND NOT d.in_extension));
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d
             WHERE d.in_extension OR d.schema_name IS DISTINCT FROM 'pgtrack_history' AND d.schema_name IS DISTINCT FROM 'pgtrack'
                AND (d.classid <> 'pg_trigger'::regclass OR (
                  SELECT (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = t.tgfoid) FROM pg_trigger t WHERE t.oid = d.objid)
                  IS DISTINCT FROM 'pgtrack_history'::regnamespace))
     OR concat(current_setting('pgtrack.stepped_aside', true), current_setting('pgtrack.extension', true)) <> '' THEN
    v_altered := array_to_string(pgtrack._follow_command(TG_TAG), ' ');
  END IF;
  IF v_altered <> '' OR current_setting('pgtrack.altered', true) <> '' THEN
    PERFORM set_config('pgtrack.altered', v_altered, true);
  END IF;
END
$_on_ddl$;
COMMENT ON FUNCTION pgtrack._on_ddl() IS
  'Follows DDL on tracked tables, their partitions, indexes, triggers, trigger functions and rights. SECURITY DEFINER: whoever alters a table needs no rights on pg_track.';

-- ==== tracking/mend_triggers.sql ====

-- What a command leaves to be done to triggers, as whoever runs it (on_ddl.sql)

-- For what a trigger of another table may do to a table, its writers and readers are not kept waiting: that is left to
-- follow_ddl(). Nor can a trigger be dropped while this transaction uses the table.
CREATE OR REPLACE FUNCTION pgtrack._generate_triggers_if_free(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_generate_triggers_if_free$
BEGIN
  PERFORM pgtrack._generate_triggers(p_relation, false);
EXCEPTION WHEN lock_not_available OR deadlock_detected OR object_in_use THEN
  RAISE DEBUG '%', SQLERRM;
END
$_generate_triggers_if_free$;
COMMENT ON FUNCTION pgtrack._generate_triggers_if_free(integer) IS 'Brings the triggers of a table in step if nobody uses it.';

CREATE OR REPLACE FUNCTION pgtrack._only_written_nested(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_only_written_nested$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.is_written_nested AND NOT pgtrack._has_nesting_trigger(r.relid))
    AND NOT EXISTS (SELECT FROM pgtrack._trigger_changes(p_relation) c WHERE c.name NOT IN ('pgtrack_open', 'pgtrack_update_key'));
END
$_only_written_nested$;
COMMENT ON FUNCTION pgtrack._only_written_nested(integer) IS
  'Whether all that the triggers of a table lack is there for what triggers of other tables do to it.';

CREATE OR REPLACE FUNCTION pgtrack._mend_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET client_min_messages = warning
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_mend_triggers$
DECLARE
  v_altered   text[] := string_to_array(current_setting('pgtrack.altered', true), ' ');
  v_relation  record;
  v_events    text;
BEGIN
  -- The commands of this function end in the same event triggers, which have nothing to do then.
  PERFORM set_config('pgtrack.altered', '', true);
  v_events := pgtrack._silence_event_triggers();
  -- What somebody else owns waits for pgtrack.follow_ddl(): a command that is allowed must not fail here.
  FOR v_relation IN
    SELECT r.relation_id, r.relid, r.tracked_until FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.relation_id = ANY (v_altered::integer[])
      AND NOT EXISTS (SELECT FROM pgtrack._members(r.relid) m JOIN pg_class o ON o.oid = m.relid
                      WHERE NOT pg_has_role(current_user, o.relowner, 'USAGE'))
    ORDER BY r.tracked_until IS NULL, c.relispartition DESC
  LOOP
    IF v_relation.tracked_until IS NOT NULL THEN
      PERFORM pgtrack._drop_triggers(v_relation.relation_id);
      CONTINUE;
    END IF;
    PERFORM pgtrack._let_owner_read(v_relation.relid);
    IF pgtrack._only_written_nested(v_relation.relation_id) THEN
      PERFORM pgtrack._generate_triggers_if_free(v_relation.relation_id);
    ELSE
      PERFORM pgtrack._generate_triggers(v_relation.relation_id, false);
    END IF;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  PERFORM set_config('pgtrack.altered', array_to_string(v_altered, ' '), true);
END
$_mend_triggers$;
COMMENT ON FUNCTION pgtrack._mend_triggers() IS 'Does the work of pgtrack._on_ddl_triggers().';

-- It has no path of its own: the caller's is the one to be noted.
CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers() RETURNS event_trigger
LANGUAGE plpgsql AS $_on_ddl_triggers$
BEGIN
  IF COALESCE(pg_catalog.current_setting('pgtrack.altered', true), '') OPERATOR(pg_catalog.<>) '' AND pg_catalog.has_schema_privilege('pgtrack', 'USAGE') THEN
    PERFORM pgtrack._note_path(), pgtrack._mend_triggers();
  END IF;
END
$_on_ddl_triggers$;
COMMENT ON FUNCTION pgtrack._on_ddl_triggers() IS 'Brings the triggers of tracked tables in step with them, as whoever runs the command.';

CREATE OR REPLACE FUNCTION pgtrack._take_back_functions(p_relations integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
AS $_take_back_functions$
DECLARE
  v_function  record;
  v_events    text := pgtrack._silence_event_triggers();
BEGIN
  FOR v_function IN
    SELECT string_agg(p.oid::regprocedure::text, ', ') AS signatures, pg_get_userbyid(a.grantee) AS grantee
    -- OFFSET 0: found by the index, and not read whole for its order.
    FROM unnest(p_relations) x (relation_id)
    CROSS JOIN LATERAL (SELECT g.* FROM pgtrack.generated g WHERE g.relation_id = x.relation_id OFFSET 0) g
    JOIN pg_proc p ON p.proname = g.function_name AND p.pronamespace = 'pgtrack_history'::regnamespace
    CROSS JOIN LATERAL aclexplode(p.proacl) a
    WHERE a.grantee <> p.proowner AND a.grantee <> 0
    GROUP BY g.relation_id, a.grantee
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %I', v_function.signatures, v_function.grantee);
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_take_back_functions$;
COMMENT ON FUNCTION pgtrack._take_back_functions(integer[]) IS 'Takes back the right to make triggers with the functions of some tables.';

CREATE OR REPLACE FUNCTION pgtrack._on_ddl_triggers_made() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_on_ddl_triggers_made$
DECLARE
  v_altered  text := nullif(current_setting('pgtrack.altered', true), '');
  v_events   text;
BEGIN
  IF v_altered IS NOT NULL THEN
    PERFORM set_config('pgtrack.altered', '', true), pgtrack._take_back_functions(string_to_array(v_altered, ' ')::integer[]);
    v_events := pgtrack._silence_event_triggers();
    PERFORM pgtrack._unmark_unfinished(string_to_array(v_altered, ' ')::integer[]);
    PERFORM pgtrack._let_event_triggers_fire(v_events);
  END IF;
END
$_on_ddl_triggers_made$;
COMMENT ON FUNCTION pgtrack._on_ddl_triggers_made() IS
  'Takes back the right to make triggers with functions of ours. SECURITY DEFINER: the functions belong to the owner of pg_track.';

-- A trigger can only be made by who may execute its function. The owners of tables may that for the moment of a command.
CREATE OR REPLACE FUNCTION pgtrack._let_owners_make_triggers(p_relations integer[]) RETURNS integer[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_let_owners_make_triggers$
DECLARE
  v_trigger   record;
  v_relations integer[] := '{}';
BEGIN
  FOR v_trigger IN
    SELECT t.relation_id, t.table_owner,
           string_agg(DISTINCT t.signature::text, ', ') FILTER (WHERE NOT has_function_privilege(t.table_owner, t.signature, 'EXECUTE')) AS functions
    FROM (SELECT r.relation_id, pg_get_userbyid((SELECT c.relowner FROM pg_class c WHERE c.oid = t.relid)) AS table_owner,
                 to_regproc('pgtrack_history.' || quote_ident(t.function))::regprocedure AS signature
          FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._trigger_changes(r.relation_id) t
          WHERE r.relation_id = ANY (p_relations) AND r.tracked_until IS NULL) t
    GROUP BY t.relation_id, t.table_owner
  LOOP
    v_relations := v_relations || v_trigger.relation_id;
    IF v_trigger.functions IS NOT NULL THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_trigger.functions, v_trigger.table_owner);
    END IF;
  END LOOP;
  RETURN v_relations;
END
$_let_owners_make_triggers$;
COMMENT ON FUNCTION pgtrack._let_owners_make_triggers(integer[]) IS
  'Lets the owners of tables make the triggers that are missing there. Returns the relations whose triggers have to change.';

-- ==== tracking/follow.sql ====

-- What the event triggers do, for a database that cannot have them. Nothing says what was altered, so it is looked for.
CREATE OR REPLACE FUNCTION pgtrack._problem(p_relation pgtrack.relation) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_problem$
DECLARE
  v_class  pg_class;
BEGIN
  SELECT c.* INTO v_class FROM pg_class c WHERE c.oid = p_relation.relid;
  RETURN CASE
    WHEN v_class.oid IS NULL THEN 'dropped'
    WHEN pgtrack._reason_not_to_track(v_class.oid) IS NOT NULL THEN 'untrackable'
    WHEN (v_class.relnamespace::regnamespace::text, v_class.relname) IS DISTINCT FROM (quote_ident(p_relation.schema_name), p_relation.table_name) THEN 'renamed'
    WHEN NOT EXISTS (SELECT FROM pgtrack.generated g WHERE g.function_name = format('record_update_%s', p_relation.relation_id)
                     AND g.fingerprint = pgtrack._fingerprint(v_class.oid)) THEN 'altered'
    WHEN EXISTS (SELECT FROM pgtrack._triggers(p_relation.relation_id) t WHERE NOT t.is_current)
      OR pgtrack._is_in_trigger_words(v_class.oid) AND NOT pgtrack._may_nest(v_class.oid) THEN 'altered' END;
END
$_problem$;
COMMENT ON FUNCTION pgtrack._problem(pgtrack.relation) IS 'What became unnoticed of a table that is tracked; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._follow_shape(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_follow_shape$
DECLARE
  v_table   regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_reason  text;
  v_status  text := 'followed';
BEGIN
  PERFORM pgtrack._lock_relation(p_relation);
  IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v_table) THEN
    UPDATE pgtrack.relation SET relid = NULL, tracked_until = coalesce(tracked_until, clock_timestamp()) WHERE relation_id = p_relation;
    RETURN 'was dropped; its history stays';
  END IF;
  UPDATE pgtrack.relation r SET schema_name = n.nspname, table_name = c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE r.relation_id = p_relation AND c.oid = r.relid AND (r.schema_name, r.table_name) IS DISTINCT FROM (n.nspname, c.relname);
  IF FOUND THEN
    v_status := format('is called %s now', pgtrack._name(v_table));
  END IF;
  v_reason := pgtrack._reason_not_to_track(v_table);
  IF v_reason IS NOT NULL THEN
    UPDATE pgtrack.relation SET tracked_until = coalesce(tracked_until, clock_timestamp()) WHERE relation_id = p_relation;
    -- That the root of a new partition goes on with it is no news.
    IF NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = v_table) THEN
      RAISE WARNING '% is no longer tracked: %', pgtrack._name(v_table), v_reason USING HINT = 'Its history stays.';
    END IF;
    RETURN format('is no longer tracked: %s; its history stays', v_reason);
  END IF;
  PERFORM pgtrack._mark_if_written(p_relation), pgtrack._sync(p_relation);
  RETURN v_status;
END
$_follow_shape$;
COMMENT ON FUNCTION pgtrack._follow_shape(integer) IS 'Brings the history of a table in step with what became of it, however long it is in use.';

CREATE OR REPLACE FUNCTION pgtrack._follow_relation(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_follow_relation$
BEGIN
  RETURN pgtrack._follow_shape(p_relation);
END
$_follow_relation$;
COMMENT ON FUNCTION pgtrack._follow_relation(integer) IS
  'Brings the history of a table in step with what became of it. SECURITY DEFINER: history belongs to the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._follow_table(p_relation pgtrack.relation) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '200ms' AS $_follow_table$
DECLARE
  v_status  text;
BEGIN
  -- For the owner of pg_track, who may not lock it.
  PERFORM pgtrack._hold_definition(p_relation.relid) WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = p_relation.relid);
  -- A writer may wait for the caller's lock while it is waited for here: that ends before deadlock_timeout.
  v_status := pgtrack._follow_relation(p_relation.relation_id);
  IF EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation.relation_id AND r.tracked_until IS NULL) THEN
    PERFORM pgtrack._let_owner_read(p_relation.relid);
    -- With the triggers goes what says that they were partitions.
    PERFORM pgtrack._let_owner_read(f.relid), pgtrack._generate_triggers(e, false)
    FROM pgtrack._former_partitions(p_relation.relation_id) f CROSS JOIN LATERAL pgtrack._enroll_or_warn(f.relid, f.options) e
    WHERE e IS NOT NULL;
    PERFORM pgtrack._generate_triggers(p_relation.relation_id, false);
  ELSE
    PERFORM pgtrack._drop_triggers(p_relation.relation_id);
  END IF;
  RETURN v_status;
END
$_follow_table$;
COMMENT ON FUNCTION pgtrack._follow_table(pgtrack.relation) IS 'Brings the tracking of one table in step with what became of it.';

CREATE OR REPLACE FUNCTION pgtrack._follow_ddl() RETURNS TABLE ("table" text, status text, done boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
SET jit = off SET max_parallel_workers_per_gather = 0
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $_follow_ddl$
DECLARE
  v_relation  record;
  v_new       record;
  v_events    text;
BEGIN
  IF NOT has_function_privilege('pgtrack._follow_relation(integer)', 'EXECUTE') THEN
    PERFORM pgtrack._require_owner('follow DDL on');
  END IF;
  PERFORM pgtrack._lock_installation();
  -- `pgtrack serve` may have got its rights from an earlier version.
  PERFORM pgtrack._follow_trigger_functions(true) WHERE has_function_privilege('pgtrack._follow_trigger_functions(boolean)', 'EXECUTE');
  v_events := pgtrack._silence_event_triggers();
  -- What is tracked no more gives way first: it may have become a part of another table.
  FOR v_relation IN
    SELECT format('%I.%I', x.schema_name, x.table_name) AS name, x.r
    FROM (SELECT r.schema_name, r.table_name, r, pgtrack._problem(r) AS problem FROM pgtrack.relation r WHERE r.tracked_until IS NULL OFFSET 0) x
    WHERE x.problem IS NOT NULL
    ORDER BY x.problem NOT IN ('dropped', 'untrackable'), format('%I.%I', x.schema_name, x.table_name)
  LOOP
    "table" := v_relation.name;
    done := true;
    BEGIN
      status := pgtrack._follow_table(v_relation.r);
    -- One that is in use, somebody else's or protected is no reason to leave the others.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR program_limit_exceeded
                   OR object_not_in_prerequisite_state OR feature_not_supported THEN
      done := false;
      status := format('could not be followed: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
  FOR v_new IN
    SELECT n.* FROM pgtrack._new_tables(ARRAY(
      SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pgtrack.tracked_schema s ON s.schema_name = n.nspname)) n
  LOOP
    "table" := pgtrack._name(v_new.relid);
    done := true;
    BEGIN
      status := pgtrack._track_table(v_new.relid, pgtrack._options_for(v_new.relid, v_new.options, false));
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR program_limit_exceeded
                   OR invalid_parameter_value OR feature_not_supported THEN
      done := false;
      status := format('could not be tracked: %s', SQLERRM);
    END;
    RETURN NEXT;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_follow_ddl$;
COMMENT ON FUNCTION pgtrack._follow_ddl() IS 'Does the work of pgtrack.follow_ddl().';

CREATE OR REPLACE FUNCTION pgtrack.follow_ddl() RETURNS TABLE ("table" text, status text, done boolean)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT f.* FROM pgtrack._follow_ddl() f;
END;
COMMENT ON FUNCTION pgtrack.follow_ddl() IS
  'Notices tables that were created, attached, altered, renamed or dropped where no event trigger can tell, and says which. '
  'The proxy calls it after such statements, and pgtrack serve now and then; without them, call it after migrations.';

-- ==== reading/texts.sql ====

-- Query texts and messages quote values of rows that their reader may not be able to see. They belong to who ran them.
CREATE OR REPLACE FUNCTION pgtrack._text_roles() RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_text_roles$
BEGIN
  IF pgtrack._acts_for_owner() OR EXISTS (
       SELECT FROM pg_roles r WHERE r.rolname IN ('pg_read_all_stats', 'pgtrack_reader') AND pg_has_role(r.oid, 'USAGE')) THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT array_agg(r.rolname::text) FROM pg_roles r WHERE pg_has_role(r.oid, 'USAGE'));
END
$_text_roles$;
COMMENT ON FUNCTION pgtrack._text_roles() IS 'The roles whose query texts and messages the current user may read; null for all.';

-- https://google.github.io/sqlcommenter/spec: keys and values are URL-encoded, quotes in values escaped; the last comment
-- counts. One pass over a text of bounded length: it is written by whoever makes changes, and read by everybody.
CREATE OR REPLACE FUNCTION pgtrack._comment_tags(p_query text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_comment_tags$
DECLARE
  c_quote      CONSTANT  text := chr(1);
  c_backslash  CONSTANT  text := chr(2);
  v_comment              text;
  v_length               integer;
  v_parts                text[];
  v_names                text[] := '{}';
  v_values               text[] := '{}';
  v_at                   integer := 1;
BEGIN
  IF p_query IS NULL OR strpos(p_query, '=''') = 0 OR strpos(p_query, '*/') = 0 THEN
    RETURN NULL;
  END IF;
  v_comment := reverse(p_query);
  v_comment := substr(v_comment, strpos(v_comment, '/*') + 2);
  v_length := strpos(v_comment, '*/') - 1;
  IF v_length NOT BETWEEN 1 AND 4000 THEN
    RETURN NULL;
  END IF;
  v_comment := reverse(left(v_comment, v_length));
  v_parts := (string_to_array(replace(replace(v_comment, $r$\\$r$, c_backslash), $r$\'$r$, c_quote), ''''))[:65];
  -- A value stands between quotes, behind a key and its equals sign; other quotes are punctuation.
  WHILE v_at < cardinality(v_parts) - 1 LOOP
    IF right(v_parts[v_at], 1) = '=' THEN
      -- A key without a value ends with a comma.
      v_names := v_names || split_part(translate(rtrim(v_parts[v_at], '='), E' \t\n\r', ',,,,'), ',', -1);
      v_values := v_values || v_parts[v_at + 1];
      v_at := v_at + 1;
    END IF;
    v_at := v_at + 1;
  END LOOP;
  RETURN (
    SELECT jsonb_object_agg(CASE WHEN strpos(t.name, '%') > 0 THEN pgtrack._url_decoded(t.name) ELSE t.name END,
                            CASE WHEN strpos(t.value, '%') > 0 THEN pgtrack._url_decoded(t.value) ELSE t.value END)
    FROM (SELECT u.name, replace(replace(u.value, c_quote, ''''), c_backslash, $r$\\$r$) AS value
          FROM unnest(v_names, v_values) AS u (name, value)) t
    WHERE t.name <> '');
END
$_comment_tags$;
COMMENT ON FUNCTION pgtrack._comment_tags(text) IS 'The first 32 key-value pairs of a query''s sqlcommenter comment; null if it has none.';

-- Without a subtransaction, so that parallel workers can do it.
CREATE OR REPLACE FUNCTION pgtrack._url_decoded(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_url_decoded$
DECLARE
  -- RFC 3629, a character for each byte.
  c_utf8 CONSTANT  text := E'^([\\u0001-\\u007f]|[\\u00c2-\\u00df][\\u0080-\\u00bf]|\\u00e0[\\u00a0-\\u00bf][\\u0080-\\u00bf]|'
                            '[\\u00e1-\\u00ec\\u00ee\\u00ef][\\u0080-\\u00bf]{2}|\\u00ed[\\u0080-\\u009f][\\u0080-\\u00bf]|'
                            '\\u00f0[\\u0090-\\u00bf][\\u0080-\\u00bf]{2}|[\\u00f1-\\u00f3][\\u0080-\\u00bf]{3}|'
                            '\\u00f4[\\u0080-\\u008f][\\u0080-\\u00bf]{2})*$';
  v_bytes          text;
BEGIN
  -- Other encodings have not all of its characters.
  IF strpos(p_text, '%') = 0 OR strpos(p_text, '%00') > 0
     OR getdatabaseencoding() <> 'UTF8' AND p_text ~ $r$%[89A-Fa-f]|[^\u0001-\u007f]$r$ THEN
    RETURN p_text;
  END IF;
  v_bytes := convert_from(convert_to(p_text, 'UTF8'), 'LATIN1');
  IF v_bytes ~ '%(?![0-9A-Fa-f]{2})' THEN
    v_bytes := regexp_replace(v_bytes, '%(?![0-9A-Fa-f]{2})', '%25', 'g');
  END IF;
  -- As a JSON string, which is decoded in one pass.
  v_bytes := replace(to_json(v_bytes)::text, '%', $r$\u00$r$)::jsonb #>> '{}';
  RETURN CASE WHEN v_bytes ~ c_utf8 THEN convert_from(convert_to(v_bytes, 'LATIN1'), 'UTF8') ELSE p_text END;
END
$_url_decoded$;
COMMENT ON FUNCTION pgtrack._url_decoded(text) IS 'A URL-encoded text decoded; itself if it is not UTF-8.';

CREATE OR REPLACE FUNCTION pgtrack._actor(p_actor text, p_query text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_actor$
DECLARE
  v_tags  jsonb;
BEGIN
  IF p_actor <> '' THEN
    RETURN left(p_actor, 256);
  END IF;
  v_tags := pgtrack._comment_tags(p_query);
  RETURN left(coalesce(v_tags ->> 'actor', v_tags ->> 'user'), 256);
END
$_actor$;
COMMENT ON FUNCTION pgtrack._actor(text, text) IS 'The person the application named, by a setting or in the query''s comment.';

-- ==== reading/activity.sql ====

CREATE OR REPLACE FUNCTION pgtrack._client_addr(p_context text, p_client_addr inet) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN p_context ~ '^[12] ' THEN nullif(pg_catalog.split_part(p_context, ' ', 2), '-')
              ELSE pg_catalog.host(p_client_addr) END;
END;
COMMENT ON FUNCTION pgtrack._client_addr(text, inet) IS 'The client''s address: what the proxy said, else what the server saw.';

CREATE OR REPLACE FUNCTION pgtrack._operation(p_operation "char") RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE p_operation WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE' END;
END;
COMMENT ON FUNCTION pgtrack._operation("char") IS 'The SQL command behind a recorded operation.';

-- The view is not its reader's: row security on pgtrack.statement holds for its owner, a role without rights, and asks
-- what the current user may read. So texts can be shown in part, and the planner sees through the view all the same.
-- Only its owner can replace it.
DO $owner$
BEGIN
  IF (SELECT pg_get_userbyid(c.relowner) = 'pgtrack_activity' FROM pg_class c WHERE c.oid = to_regclass('pgtrack.activity')) THEN
    PERFORM set_config('role', current_setting('pgtrack.installer'), true);
    EXECUTE format('ALTER VIEW pgtrack.activity OWNER TO %I', current_setting('pgtrack.owner'));
    PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  END IF;
END
$owner$;

CREATE OR REPLACE VIEW pgtrack.activity WITH (security_invoker = false) AS
SELECT s.statement_id,
       s.xid::text::bigint AS xid,
       s.at,
       pg_catalog.format('%I.%I', r.schema_name, r.table_name) AS table_name,
       pgtrack._operation(s.operation) AS operation,
       s.row_count,
       coalesce(pgtrack._actor(s.actor, s.query), s.user_name) AS who,
       s.user_name,
       nullif(s.role_name, 'none') AS role_name,
       nullif(s.application, '') AS application,
       pgtrack._client_addr(s.context, s.client_addr) AS client_addr,
       coalesce(s.context, '') <> '' AS through_proxy,
       pgtrack._actor(s.actor, s.query) AS actor,
       CASE WHEN (SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles())
            THEN pg_catalog.left(nullif(s.message, ''), 1000) END AS message,
       pg_catalog.left(nullif(s.reverts, ''), 1000) AS reverts,
       CASE WHEN ((SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles()))
                 AND NOT ((SELECT pgtrack._some_text_is_hidden()) AND pgtrack._concerns_hidden(s.xid))
            THEN s.query END AS query,
       s.relation_id,
       CASE WHEN s.reverts ~ '^xid:[0-9]{1,18}$' THEN pg_catalog.substr(s.reverts, 5)::bigint
            WHEN s.reverts ~ '^[0-9]{1,18}$' THEN (
              SELECT o.xid::text::bigint FROM pgtrack.statement o
              WHERE o.relation_id = s.relation_id AND o.statement_id = s.reverts::bigint) END AS reverts_xid,
       CASE WHEN ((SELECT pgtrack._text_roles()) IS NULL OR ARRAY[s.user_name, s.role_name] && (SELECT pgtrack._text_roles()))
                 AND NOT ((SELECT pgtrack._some_text_is_hidden()) AND pgtrack._concerns_hidden(s.xid))
            THEN pgtrack._comment_tags(s.query) END AS tags
-- LEFT, so that it is left out of queries that need nothing of it.
FROM pgtrack.statement s LEFT JOIN pgtrack.relation r USING (relation_id);

GRANT SELECT ON pgtrack.activity TO PUBLIC;
COMMENT ON VIEW pgtrack.activity IS 'Every recorded statement, with who made it and from where.';
COMMENT ON COLUMN pgtrack.activity.statement_id IS 'The statement''s number.';
COMMENT ON COLUMN pgtrack.activity.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.activity.at IS 'When the statement had made its changes.';
COMMENT ON COLUMN pgtrack.activity.table_name IS 'The table, with its schema.';
COMMENT ON COLUMN pgtrack.activity.operation IS 'INSERT, UPDATE, DELETE or TRUNCATE.';
COMMENT ON COLUMN pgtrack.activity.row_count IS 'How many rows the statement changed.';
COMMENT ON COLUMN pgtrack.activity.who IS 'The actor if the application named one, else the session user.';
COMMENT ON COLUMN pgtrack.activity.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.activity.role_name IS 'The role set with SET ROLE, if any.';
COMMENT ON COLUMN pgtrack.activity.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.activity.client_addr IS 'The client''s address: through the proxy the real client''s; null for a unix socket.';
COMMENT ON COLUMN pgtrack.activity.through_proxy IS 'Whether the session said that it came through the proxy.';
COMMENT ON COLUMN pgtrack.activity.actor IS 'The person the application named, with pgtrack.set_actor() or as actor or user in a sqlcommenter comment.';
COMMENT ON COLUMN pgtrack.activity.message IS
  'The reason given with pgtrack.set_message() or with a revert; null for those who may not read texts.';
COMMENT ON COLUMN pgtrack.activity.reverts IS 'For a revert: the statement it undoes, or xid:N for a whole transaction.';
COMMENT ON COLUMN pgtrack.activity.query IS
  'The beginning of the query text, for the role that ran it, its members and those of pgtrack_reader and pg_read_all_stats; '
  'null for others, and where the transaction changed a table with redacted columns.';
COMMENT ON COLUMN pgtrack.activity.relation_id IS 'Our number for the table, in pgtrack.relation.';
COMMENT ON COLUMN pgtrack.activity.reverts_xid IS 'For a revert: the transaction that it undoes, or a change of which it undoes.';
COMMENT ON COLUMN pgtrack.activity.tags IS 'What the query''s sqlcommenter comment says: route, controller, traceparent and the like.';

-- Row security of the table is asked for the view's owner, but with the reader as current_user. The table's owner may go
-- round it, so the view belongs to a role of its own; where there is none, row security holds for the table's owner, too.
DO $viewer$
DECLARE
  v_is_owner_s  boolean := to_regrole('pgtrack_activity') IS NULL OR current_setting('pgtrack.owner') <> 'pgtrack_owner';
  v_policy      record;
BEGIN
  FOR v_policy IN SELECT * FROM (VALUES ('writers', 'INSERT'), ('changers', 'UPDATE'), ('removers', 'DELETE')) AS p (name, command) LOOP
    IF v_is_owner_s THEN
      PERFORM pgtrack._set_policy('pgtrack.statement', v_policy.name, v_policy.command, 'true', current_setting('pgtrack.owner')::name);
    ELSE
      PERFORM pgtrack._drop_policy('pgtrack.statement', v_policy.name);
    END IF;
  END LOOP;
  IF v_is_owner_s THEN
    ALTER TABLE pgtrack.statement FORCE ROW LEVEL SECURITY;
    RETURN;
  ELSIF (SELECT c.relforcerowsecurity FROM pg_class c WHERE c.oid = 'pgtrack.statement'::regclass) THEN
    ALTER TABLE pgtrack.statement NO FORCE ROW LEVEL SECURITY;
  END IF;
  GRANT SELECT ON pgtrack.statement, pgtrack.relation TO pgtrack_activity;
  -- A view's new owner has to have the right to create one, at that moment.
  GRANT USAGE, CREATE ON SCHEMA pgtrack TO pgtrack_activity;
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  ALTER VIEW pgtrack.activity OWNER TO pgtrack_activity;
  PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  REVOKE CREATE ON SCHEMA pgtrack FROM pgtrack_activity;
END
$viewer$;

-- ==== reading/tracked_table.sql ====

-- To ask for a size takes a lock on the table, and whoever alters one keeps that from everybody else, for as long as they like.
CREATE OR REPLACE FUNCTION pgtrack._sizes(p_table oid, OUT heap bigint, OUT indexes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1ms' AS $_sizes$
BEGIN
  heap := coalesce(pg_table_size(p_table), 0);
  indexes := coalesce(pg_indexes_size(p_table), 0);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  SELECT coalesce(sum(x.pages) FILTER (WHERE NOT x.is_index), 0) * b.size, coalesce(sum(x.pages) FILTER (WHERE x.is_index), 0) * b.size
  INTO heap, indexes
  FROM (SELECT current_setting('block_size')::bigint AS size) b LEFT JOIN (
    SELECT c.relpages AS pages, false AS is_index FROM pg_class t JOIN pg_class c ON c.oid IN (t.oid, t.reltoastrelid) WHERE t.oid = p_table
    UNION ALL
    SELECT c.relpages, true FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = p_table) x ON true
  GROUP BY b.size;
END
$_sizes$;
COMMENT ON FUNCTION pgtrack._sizes(oid) IS 'The disk space of a table and of its indexes; while it is locked, as the latest VACUUM or ANALYZE has found it.';

CREATE OR REPLACE VIEW pgtrack.tracked_table WITH (security_invoker = true) AS
SELECT r.relation_id,
       pg_catalog.format('%I.%I', r.schema_name, r.table_name) AS table_name,
       r.schema_name,
       r.table_name AS name,
       r.key_columns,
       r.tracked_since,
       r.options,
       'pgtrack_history.' || pg_catalog.quote_ident(r.history_table) AS history_table,
       greatest(pg_catalog.pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint AS estimated_changes,
       z.heap + z.indexes AS history_bytes
FROM pgtrack.relation r
JOIN pg_catalog.pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
CROSS JOIN LATERAL pgtrack._sizes(c.oid) z
WHERE r.tracked_until IS NULL;
COMMENT ON VIEW pgtrack.tracked_table IS 'Every table that is tracked now.';
COMMENT ON COLUMN pgtrack.tracked_table.relation_id IS 'Our number for the table.';
COMMENT ON COLUMN pgtrack.tracked_table.table_name IS 'The table, with its schema, quoted where necessary.';
COMMENT ON COLUMN pgtrack.tracked_table.schema_name IS 'Its schema alone, not quoted.';
COMMENT ON COLUMN pgtrack.tracked_table.name IS 'Its name alone, not quoted.';
COMMENT ON COLUMN pgtrack.tracked_table.key_columns IS 'The primary key''s columns; empty when there is none.';
COMMENT ON COLUMN pgtrack.tracked_table.tracked_since IS 'When tracking (last) began.';
COMMENT ON COLUMN pgtrack.tracked_table.options IS 'The options given to pgtrack.track().';
COMMENT ON COLUMN pgtrack.tracked_table.history_table IS 'The table that holds its history.';
COMMENT ON COLUMN pgtrack.tracked_table.estimated_changes IS 'About how many row changes are recorded, as the statistics say.';
COMMENT ON COLUMN pgtrack.tracked_table.history_bytes IS 'The disk space of its history, indexes included; while that is locked, as the statistics have it.';

-- ==== reading/versions.sql ====

CREATE OR REPLACE FUNCTION pgtrack._changed_columns(p_before jsonb, p_after jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_changed_columns$
BEGIN
  -- Compared as text: 1.0 and 1.00 are equal, but not the same value.
  RETURN (SELECT array_agg(b.key ORDER BY b.key)
          FROM jsonb_each(p_before) b
          WHERE p_after IS NOT NULL AND b.value::text IS DISTINCT FROM (p_after -> b.key)::text);
END
$_changed_columns$;
COMMENT ON FUNCTION pgtrack._changed_columns(jsonb, jsonb) IS 'The columns in which two images of a row differ; null unless both exist.';

CREATE OR REPLACE FUNCTION pgtrack._require_select(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_select$
BEGIN
  IF NOT has_table_privilege(p_table, 'SELECT') THEN
    RAISE EXCEPTION 'permission denied for table %', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'Reading a table''s history needs SELECT on the table.';
  END IF;
END
$_require_select$;
COMMENT ON FUNCTION pgtrack._require_select(regclass) IS 'Refuses callers who may not read a table.';

CREATE OR REPLACE FUNCTION pgtrack._require_history(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_history$
BEGIN
  PERFORM pgtrack._require_select(p_table);
  IF NOT coalesce((SELECT has_table_privilege(c.oid, 'SELECT') FROM pgtrack.relation r
                   JOIN pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
                   WHERE r.relid = p_table), true) THEN
    RAISE EXCEPTION 'permission denied for the history of table %', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'The right to read the table was granted unnoticed.',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() notices it.';
  END IF;
END
$_require_history$;
COMMENT ON FUNCTION pgtrack._require_history(regclass) IS 'Refuses callers who may not read a table and its history.';

-- Everything but the images is asked for with plans that the session keeps: planning is what takes time here.
CREATE OR REPLACE FUNCTION pgtrack._versions(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb)
RETURNS TABLE (ver integer, statement_id bigint, operation "char", row_key jsonb, handle tid, image jsonb)
LANGUAGE plpgsql STABLE ROWS 10 SET search_path = pg_catalog, pg_temp AS $_versions$
DECLARE
  v_after  bigint;
  v_until  bigint;
BEGIN
  ver := pgtrack._purged_versions(p_table, p_key);
  FOR row_key, v_after, v_until IN
    SELECT l.row_key, l.after_id, l.until_id FROM pgtrack._lineage(p_table, p_key, NULL, p_shape) l ORDER BY l.after_id
  LOOP
    FOR statement_id, handle, image IN EXECUTE format($$
      SELECT h.pgtrack_statement_id, h.ctid, %s
      FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s
      WHERE h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3
      ORDER BY h.pgtrack_statement_id, h.ctid$$,
      p_shape.image, p_shape.key_record, p_shape.history, p_shape.history_is_key)
    USING row_key, v_after, v_until
    LOOP
      SELECT s.operation INTO operation FROM pgtrack.statement s
      WHERE s.relation_id = p_shape.relation_id AND s.statement_id = _versions.statement_id;
      CONTINUE WHEN NOT FOUND;
      ver := ver + 1;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$_versions$;
COMMENT ON FUNCTION pgtrack._versions(regclass, pgtrack.relation_shape, jsonb) IS
  'The recorded changes of one row, oldest first, each with the image it overwrote and where that is in the history table.';

-- ==== reading/key_changes.sql ====

-- Keys that differ as JSON may be equal: Bob and bob of type citext, 1 day and 24 hours. Which they are only the table's own
-- comparison tells. So of the keys that are noted as JSON, those that are equal are read as the least of them, in whatever
-- spelling they were noted; and what is looked for among them is, too. (record_eq() compares by what the columns' types are
-- compared by, without a name of an operator.)

CREATE OR REPLACE FUNCTION pgtrack._noted_key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT coalesce(c.statement_id, (
           SELECT pg_catalog.min(s.statement_id) FROM pgtrack.statement s
           WHERE s.xid = c.xid AND s.relation_id = c.relation_id AND s.operation = 'U' AND s.statement_id > c.change_id)),
         c.xid, c.old_key, c.new_key
  FROM pgtrack.key_change c
  WHERE c.relation_id = p_relation AND c.change_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END;
COMMENT ON FUNCTION pgtrack._noted_key_changes(integer) IS 'The key changes of a table as they were noted, each with the statement that made it.';

-- OFFSET 0: those of each key are found by the index, whatever the planner thinks of the table.
CREATE OR REPLACE FUNCTION pgtrack._departures(p_relation integer, p_keys jsonb[]) RETURNS TABLE (statement_id bigint, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT m.statement_id, m.new_key
  FROM unnest(p_keys) k (key)
  CROSS JOIN LATERAL (SELECT m.* FROM pgtrack._noted_key_changes(p_relation) m WHERE m.old_key = k.key OFFSET 0) m
  WHERE m.new_key <> ALL (p_keys);
END;
COMMENT ON FUNCTION pgtrack._departures(integer, jsonb[]) IS 'The changes of a key, in whatever spelling, to another.';

CREATE OR REPLACE FUNCTION pgtrack._arrivals(p_relation integer, p_keys jsonb[]) RETURNS TABLE (statement_id bigint, old_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT m.statement_id, m.old_key
  FROM unnest(p_keys) k (key)
  CROSS JOIN LATERAL (SELECT m.* FROM pgtrack._noted_key_changes(p_relation) m WHERE m.new_key = k.key OFFSET 0) m
  WHERE m.old_key <> ALL (p_keys);
END;
COMMENT ON FUNCTION pgtrack._arrivals(integer, jsonb[]) IS 'The changes of other keys to a key, in whatever spelling.';

CREATE OR REPLACE FUNCTION pgtrack._compared_key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_compared_key_changes$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  -- A change of the spelling alone is none of the key.
  RETURN QUERY EXECUTE format($$
    WITH noted AS MATERIALIZED (
      SELECT c.* FROM pgtrack._noted_key_changes(%1$s) c
    ), spelling AS MATERIALIZED (
      SELECT x.key, first_value(x.key) OVER (PARTITION BY %2$s ORDER BY x.key) AS least
      FROM (SELECT n.old_key AS key FROM noted n UNION SELECT n.new_key FROM noted n) x CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%3$s)
    )
    SELECT n.statement_id, n.xid, o.least, w.least
    FROM noted n JOIN spelling o ON o.key = n.old_key JOIN spelling w ON w.key = n.new_key
    WHERE o.least <> w.least$$, p_relation, v_shape.compared_key, v_shape.key_record);
END
$_compared_key_changes$;
COMMENT ON FUNCTION pgtrack._compared_key_changes(integer) IS
  'The key changes of a table where keys that differ as JSON may be equal, of which it has the least.';

-- Most tables have the first part alone, which the planner puts into the queries that ask for it: it has indexes by key.
CREATE OR REPLACE FUNCTION pgtrack._key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT n.* FROM pgtrack._noted_key_changes(p_relation) n WHERE (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NULL
  UNION ALL
  SELECT c.* FROM pgtrack._compared_key_changes(p_relation) c WHERE (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._key_changes(integer) IS 'The key changes of a table, each with the statement that made it; equal keys are the same.';

-- For who follows one row after another: their key changes are found by index, under each spelling.
CREATE OR REPLACE FUNCTION pgtrack._spellings(p_relation integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_spellings$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_spellings  jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.compared_key IS NOT NULL THEN
    EXECUTE format($$
      WITH noted AS MATERIALIZED (SELECT c.old_key, c.new_key FROM pgtrack._noted_key_changes(%1$s) c), class AS (
        SELECT array_agg(x.key ORDER BY x.key) AS keys
        FROM (SELECT n.old_key AS key FROM noted n UNION SELECT n.new_key FROM noted n) x CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%3$s)
        GROUP BY %2$s HAVING count(*) > 1
      )
      SELECT jsonb_object_agg(k.key::text, to_jsonb(c.keys)) FROM class c CROSS JOIN LATERAL unnest(c.keys) AS k (key)$$,
      p_relation, v_shape.compared_key, v_shape.key_record)
    INTO v_spellings;
  END IF;
  RETURN coalesce(v_spellings, '{}');
END
$_spellings$;
COMMENT ON FUNCTION pgtrack._spellings(integer) IS 'For each key that is noted in several spellings, by its text, all of them, the least first.';

CREATE OR REPLACE FUNCTION pgtrack._equal_keys(p_spellings jsonb, p_key jsonb) RETURNS jsonb[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_equal_keys$
DECLARE
  v_keys  jsonb := p_spellings -> p_key::text;
BEGIN
  RETURN CASE WHEN v_keys IS NULL THEN ARRAY[p_key] ELSE ARRAY(SELECT jsonb_array_elements(v_keys)) END;
END
$_equal_keys$;
COMMENT ON FUNCTION pgtrack._equal_keys(jsonb, jsonb) IS 'A key as it was noted, in all spellings of pgtrack._spellings(), the least first.';

CREATE OR REPLACE FUNCTION pgtrack._noted_key(p_relation integer, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_noted_key$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_key    jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.compared_key IS NOT NULL THEN
    EXECUTE format($$
      SELECT x.key FROM pgtrack._noted_key_changes(%1$s) n CROSS JOIN LATERAL (VALUES (n.old_key), (n.new_key)) x (key)
      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%2$s)
      WHERE ROW(%3$s)::record = (SELECT ROW(%3$s)::record FROM jsonb_to_record($1) AS k(%2$s))
      ORDER BY x.key LIMIT 1$$, p_relation, v_shape.key_record, v_shape.compared_key)
    INTO v_key USING p_key;
  END IF;
  RETURN coalesce(v_key, p_key);
END
$_noted_key$;
COMMENT ON FUNCTION pgtrack._noted_key(integer, jsonb) IS 'A canonical key as pgtrack._key_changes() has it; itself where it does not.';

CREATE OR REPLACE FUNCTION pgtrack._row_key_sql(p_shape pgtrack.relation_shape, p_key text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(CASE WHEN p_shape.compared_key IS NULL THEN '%s' ELSE 'pgtrack._noted_key(%2$s, %1$s)' END,
                format('pgtrack._canonical_key(%s, %L)', p_key, p_shape.key_record), p_shape.relation_id);
END;
COMMENT ON FUNCTION pgtrack._row_key_sql(pgtrack.relation_shape, text) IS
  'The expression for a key of the history in the form that compares with those of pgtrack._key_changes().';

CREATE OR REPLACE FUNCTION pgtrack._is_same_key(p_relation integer, p_key jsonb, p_other jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_same_key$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_is_same  boolean := p_key = p_other;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF NOT v_is_same AND v_shape.compared_key IS NOT NULL THEN
    EXECUTE format('SELECT (SELECT ROW(%1$s)::record FROM jsonb_to_record($1) AS k(%2$s)) = (SELECT ROW(%1$s)::record FROM jsonb_to_record($2) AS k(%2$s))',
                   v_shape.compared_key, v_shape.key_record)
    INTO v_is_same USING p_key, p_other;
  END IF;
  RETURN v_is_same;
END
$_is_same_key$;
COMMENT ON FUNCTION pgtrack._is_same_key(integer, jsonb, jsonb) IS 'Whether two canonical keys of a table are equal.';

-- As many rows may have been purged as there are: they are found by an index. It is about a number, so a digest will do.
CREATE OR REPLACE FUNCTION pgtrack._purged_key(p_relation integer, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purged_key$
DECLARE
  v_shape   pgtrack.relation_shape;
  v_digest  bigint;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.key_has_digest IS NOT TRUE THEN
    -- An index takes no more than 2.7 kB.
    RETURN CASE WHEN octet_length(p_key::text) > 1000 THEN jsonb_build_object('', hashtextextended(p_key::text, 0)) ELSE p_key END;
  END IF;
  EXECUTE format('SELECT hash_record_extended(ROW(%s)::record, 0) FROM jsonb_to_record($1) AS k(%s)', v_shape.compared_key, v_shape.key_record)
  INTO v_digest USING p_key;
  -- No column has no name.
  RETURN jsonb_build_object('', v_digest);
END
$_purged_key$;
COMMENT ON FUNCTION pgtrack._purged_key(integer, jsonb) IS 'A canonical key as pgtrack.purged_version has it: itself, or a digest that all that equal it have.';

-- Where a key has become one of these, or was recorded before there were digests.
CREATE OR REPLACE FUNCTION pgtrack._digest_purged_keys(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_digest_purged_keys$
BEGIN
  IF (SELECT s.key_has_digest FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) THEN
    WITH plain AS (
      DELETE FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND NOT p.row_key ? '' RETURNING p.row_key, p.versions
    )
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT p_relation, x.key, sum(p.versions) FROM plain p CROSS JOIN LATERAL pgtrack._purged_key(p_relation, p.row_key) AS x (key) GROUP BY x.key
    ON CONFLICT (relation_id, row_key) DO UPDATE SET versions = purged_version.versions + excluded.versions;
  END IF;
END
$_digest_purged_keys$;
COMMENT ON FUNCTION pgtrack._digest_purged_keys(integer) IS 'Brings the purged versions of a table under the digests of their keys.';

-- ==== reading/lineage.sql ====

-- A row whose key was changed has its history under several keys, one after the other. Where spellings are given, the key is
-- one of pgtrack._key_changes() already. They and the shape are for callers that ask about many rows.
CREATE OR REPLACE FUNCTION pgtrack._lineage(p_table regclass, p_key jsonb, p_spellings jsonb DEFAULT NULL, p_shape pgtrack.relation_shape DEFAULT NULL)
RETURNS TABLE (row_key jsonb, after_id bigint, until_id bigint)
LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $_lineage$
DECLARE
  v_relation   integer;
  v_since      bigint;
  v_shape      pgtrack.relation_shape := p_shape;
  v_spellings  jsonb;
  v_keys       jsonb[];
  v_move       record;
  v_taken      boolean;
  v_noted      jsonb := '{}';
  v_known      jsonb;
  v_arrival    bigint;
  v_from       jsonb;
  v_departure  bigint;
BEGIN
  SELECT r.relation_id, greatest(r.key_since - 1, 0) INTO v_relation, v_since FROM pgtrack.relation r WHERE r.relid = p_table;
  row_key := CASE WHEN p_spellings IS NULL THEN pgtrack._noted_key(v_relation, p_key) ELSE p_key END;
  after_id := coalesce(v_since, 0);
  IF NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = v_relation AND row_key IN (c.old_key, c.new_key)) THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
    RETURN;
  END IF;
  IF p_shape.relation_id IS NULL THEN
    v_shape := pgtrack._shape(p_table);
  END IF;
  v_spellings := coalesce(p_spellings, pgtrack._spellings(v_relation));
  v_keys := pgtrack._equal_keys(v_spellings, row_key);
  -- Forward: the row has moved away, and no other came to its old key since.
  SELECT m.statement_id, m.new_key INTO v_move
  FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > after_id
  ORDER BY m.statement_id DESC LIMIT 1;
  v_taken := EXISTS (SELECT FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id >= v_move.statement_id);
  IF v_move.statement_id IS NOT NULL AND NOT v_taken THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s WHERE h.pgtrack_statement_id > $2)',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key)
    INTO v_taken USING row_key, v_move.statement_id;
  END IF;
  until_id := 9223372036854775807;
  WHILE v_move.statement_id IS NOT NULL AND NOT v_taken LOOP
    v_keys := pgtrack._equal_keys(v_spellings, v_move.new_key);
    row_key := v_keys[1];
    after_id := v_move.statement_id;
    v_arrival := (SELECT min(m.statement_id) FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id > after_id);
    SELECT m.statement_id, m.new_key INTO v_move
    FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > after_id AND coalesce(m.statement_id <= v_arrival, true)
    ORDER BY m.statement_id LIMIT 1;
    -- Where another comes to the key, the row was deleted there.
    until_id := CASE WHEN v_move.statement_id IS NULL THEN coalesce(v_arrival, until_id) ELSE until_id END;
  END LOOP;
  -- Backward, from where it is now to where it came from. It may have been at a key many times.
  LOOP
    v_known := v_noted -> v_keys[1]::text;
    IF v_known IS NULL THEN
      v_known := jsonb_build_array(
        ARRAY(SELECT jsonb_build_array(m.statement_id, m.old_key) FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id > 0),
        ARRAY(SELECT m.statement_id FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > 0));
      v_noted := v_noted || jsonb_build_object(v_keys[1]::text, v_known);
    END IF;
    SELECT (a.value -> 0)::bigint, a.value -> 1 INTO v_arrival, v_from
    FROM jsonb_array_elements(v_known -> 0) a WHERE (a.value -> 0)::bigint < until_id ORDER BY (a.value -> 0)::bigint DESC LIMIT 1;
    v_departure := (SELECT max(d.value::bigint) FROM jsonb_array_elements(v_known -> 1) d WHERE d.value::bigint < until_id);
    after_id := greatest(v_arrival, v_departure, v_since);
    RETURN NEXT;
    EXIT WHEN v_arrival IS NULL OR v_arrival < v_departure;
    v_keys := pgtrack._equal_keys(v_spellings, v_from);
    row_key := v_keys[1];
    until_id := v_arrival;
  END LOOP;
END
$_lineage$;
COMMENT ON FUNCTION pgtrack._lineage(regclass, jsonb, jsonb, pgtrack.relation_shape) IS
  'The keys under which a row''s history is recorded, newest first, each with the range of statements that found the row there.';

CREATE OR REPLACE FUNCTION pgtrack._live_key(p_table regclass, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_key$
BEGIN
  RETURN (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l WHERE l.until_id = 9223372036854775807);
END
$_live_key$;
COMMENT ON FUNCTION pgtrack._live_key(regclass, jsonb) IS 'The key that a row has now, or had last; null where another row has it since.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions(p_table regclass, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purged_versions$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table AND r.purged_until IS NOT NULL);
BEGIN
  IF v_relation IS NULL THEN
    RETURN 0;
  END IF;
  -- They are counted under the key that the row had then.
  RETURN pgtrack._purged_versions_of(v_relation, (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l ORDER BY l.until_id LIMIT 1));
END
$_purged_versions$;
COMMENT ON FUNCTION pgtrack._purged_versions(regclass, jsonb) IS 'How many versions of a row were purged.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions_of(p_relation integer, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_purged_versions_of$
BEGIN
  RETURN coalesce((SELECT p.versions FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND p.row_key = pgtrack._purged_key(p_relation, p_key)), 0);
END
$_purged_versions_of$;
COMMENT ON FUNCTION pgtrack._purged_versions_of(integer, jsonb) IS
  'How many versions of the row of a key were purged. SECURITY DEFINER: their number says where numbers go on, and is all that is told.';

CREATE OR REPLACE FUNCTION pgtrack._is_erased(p_relation integer, p_key jsonb, p_statement bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_is_erased$
BEGIN
  IF (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NOT NULL THEN
    RETURN EXISTS (SELECT FROM pgtrack.erasure e
                   WHERE e.relation_id = p_relation AND e.until_id >= p_statement AND pgtrack._is_same_key(p_relation, e.row_key, p_key));
  END IF;
  RETURN EXISTS (SELECT FROM pgtrack.erasure e
                 WHERE e.relation_id = p_relation AND e.row_key = p_key AND e.until_id >= p_statement);
END
$_is_erased$;
COMMENT ON FUNCTION pgtrack._is_erased(integer, jsonb, bigint) IS
  'Whether the image that a statement recorded under a key was erased. '
  'SECURITY DEFINER: an erased image must not be taken for one, whoever asks.';

CREATE OR REPLACE FUNCTION pgtrack._has_erasures(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_has_erasures$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.erasure e WHERE e.relation_id = p_relation);
END
$_has_erasures$;
COMMENT ON FUNCTION pgtrack._has_erasures(integer) IS
  'Whether images of rows of a table were erased. SECURITY DEFINER: whoever undoes has to know, and learns of no row.';

-- ==== reading/history.sql ====

CREATE OR REPLACE FUNCTION pgtrack._history(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_history$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_key    jsonb;
  v_live   jsonb;
  v_all    boolean;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  v_shape := pgtrack._shape(p_table);
  v_key := pgtrack._key(v_shape, p_key_as_given);
  v_all := pgtrack._sees_every_row(v_shape.relation_id);
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s',
                 v_shape.live_image, v_shape.key_record, v_shape.live_table, v_shape.live_is_key)
  INTO v_live USING pgtrack._live_key(p_table, v_key);
  RETURN QUERY
    SELECT c.ver, a.operation, a.at, a.who, pgtrack._changed_columns(c.before, c.after), c.before, c.after,
           a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
    FROM (SELECT v.ver, v.statement_id,
                 CASE WHEN v.operation <> 'I' THEN v.image END AS before,
                 CASE WHEN v.operation IN ('D', 'T') OR lead(v.operation) OVER w = 'I' THEN NULL
                      -- What the next change found may be hidden from the caller.
                      WHEN n.next_handle <> lead(v.handle) OVER w AND v.row_key = lead(v.row_key) OVER w THEN NULL
                      WHEN lead(v.ver) OVER w IS NOT NULL THEN lead(v.image) OVER w
                      WHEN n.next_handle IS NULL THEN v_live END AS after
          FROM pgtrack._versions(p_table, v_shape, v_key) v
          LEFT JOIN LATERAL (SELECT e.next_handle FROM pgtrack._entry(v_shape.relation_id, v.statement_id, v.handle, false) e
                             WHERE NOT v_all) n ON true
          WINDOW w AS (ORDER BY v.ver)) c
    JOIN pgtrack.activity a ON a.relation_id = v_shape.relation_id AND a.statement_id = c.statement_id
    ORDER BY c.ver;
END
$_history$;
COMMENT ON FUNCTION pgtrack._history(regclass, jsonb) IS 'The recorded changes of the row that a key leads to, oldest first.';

-- ==== reading/changes.sql ====

-- The number of a change c of a table whose keys did not change, and the row after it.
CREATE OR REPLACE FUNCTION pgtrack._version_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_version_sql$
DECLARE
  v_later   text := p_shape.same_row || ' AND (h.pgtrack_statement_id, h.ctid) > (c.pgtrack_statement_id, c.pgtrack_handle)';
  v_is_past  text := format('EXISTS (SELECT FROM %s h WHERE %s)', p_shape.history, v_later);
  v_next    text := v_later || ' ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1';
  v_from    text := '';
  v_purged  text := '0';
BEGIN
  IF NOT pgtrack._sees_every_row(p_shape.relation_id) THEN
    -- The next change is the next one, though it may be hidden from the caller.
    v_is_past := 'e.next_handle IS NOT NULL';
    v_next := 'h.ctid = e.next_handle AND h.pgtrack_statement_id = e.next_statement';
    v_from := format(' FROM pgtrack._entry(%s, c.pgtrack_statement_id, c.pgtrack_handle, false) e', p_shape.relation_id);
  END IF;
  IF EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id AND r.purged_until IS NOT NULL) THEN
    v_purged := format('pgtrack._purged_versions_of(%s, pgtrack._canonical_key(%s, %L))::integer',
                       p_shape.relation_id, p_shape.key_json, p_shape.key_record);
  END IF;
  RETURN format('SELECT (SELECT count(*)::integer FROM %s h WHERE %s'
                ' AND (h.pgtrack_statement_id, h.ctid) <= (c.pgtrack_statement_id, c.pgtrack_handle)) + %s AS ver, ',
                p_shape.history, p_shape.same_row, v_purged)
      || format('CASE WHEN s.operation IN (''D'', ''T'') THEN NULL'
                ' WHEN %s THEN (SELECT CASE WHEN n.operation <> ''I'' THEN %s END FROM %s h'
                ' JOIN pgtrack.statement n ON n.relation_id = %s AND n.statement_id = h.pgtrack_statement_id WHERE %s) ',
                v_is_past, p_shape.image, p_shape.history, p_shape.relation_id, v_next)
      || format('ELSE (SELECT %s FROM %s t WHERE %s) END AS after%s',
                p_shape.live_image, p_shape.live_table, p_shape.live_is_history, v_from);
END
$_version_sql$;
COMMENT ON FUNCTION pgtrack._version_sql(pgtrack.relation_shape) IS 'The query for the number of a row''s change c and the row after it.';

-- The same where keys have changed: the row is followed on the keys that it has had since. The number is that among the
-- versions of whatever row the key leads to now; for another row's change under the key it is null.
CREATE OR REPLACE FUNCTION pgtrack._moved_version_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_moved_version_sql$
BEGIN
  IF NOT pgtrack._sees_every_row(p_shape.relation_id) THEN
    RETURN format('SELECT x.ver, x.after FROM pgtrack._history($1, %1$s) x WHERE x.statement_id = c.pgtrack_statement_id'
                  ' AND CASE s.operation WHEN ''I'' THEN x.op = ''INSERT'' AND (x.after IS NULL OR x.after @> %1$s) ELSE x.before = %2$s END',
                  p_shape.key_json, p_shape.image);
  END IF;
  RETURN format($$
    SELECT (SELECT pgtrack._purged_versions($1, p.key)::integer + sum(g.versions)::integer
            FROM (SELECT l.until_id, (SELECT count(*) FROM %5$s h JOIN pgtrack.statement o ON o.relation_id = %4$s AND o.statement_id = h.pgtrack_statement_id
                                      WHERE %6$s AND h.pgtrack_statement_id > l.after_id AND h.pgtrack_statement_id <= l.until_id
                                        AND (h.pgtrack_statement_id, h.ctid) <= (c.pgtrack_statement_id, c.pgtrack_handle)) AS versions,
                         l.row_key = p.key AND c.pgtrack_statement_id > l.after_id AND c.pgtrack_statement_id <= l.until_id AS is_here
                  FROM pgtrack._lineage($1, p.key, (SELECT pgtrack._spellings(%4$s)), $5) l CROSS JOIN LATERAL jsonb_to_record(l.row_key) AS k(%2$s) OFFSET 0) g
            HAVING bool_or(g.is_here)) AS ver,
           CASE WHEN s.operation IN ('D', 'T') THEN NULL WHEN n.handle IS NOT NULL THEN n.image ELSE l.image END AS after
    FROM (SELECT %1$s AS key OFFSET 0) p
    LEFT JOIN LATERAL (
      SELECT h.ctid AS handle, CASE WHEN o.operation <> 'I' THEN %3$s END AS image
      FROM pgtrack._path(%4$s, p.key, c.pgtrack_statement_id, (SELECT pgtrack._spellings(%4$s)), true) g CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%2$s)
      JOIN %5$s h ON %6$s AND h.pgtrack_statement_id > g.after_id AND h.pgtrack_statement_id <= g.until_id
                 AND (h.pgtrack_statement_id, h.ctid) > (c.pgtrack_statement_id, c.pgtrack_handle)
      JOIN pgtrack.statement o ON o.relation_id = %4$s AND o.statement_id = h.pgtrack_statement_id
      ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1) n ON true
    LEFT JOIN LATERAL (
      SELECT %7$s AS image
      FROM (SELECT p.key WHERE n.handle IS NULL OFFSET 0) o
      CROSS JOIN LATERAL pgtrack._path(%4$s, o.key, c.pgtrack_statement_id, (SELECT pgtrack._spellings(%4$s)), false) g CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%2$s)
      JOIN %8$s t ON %9$s
      WHERE g.until_id = 9223372036854775807 LIMIT 1) l ON true$$,
    pgtrack._row_key_sql(p_shape, p_shape.key_json), p_shape.key_record, p_shape.image, p_shape.relation_id, p_shape.history, p_shape.history_is_key,
    p_shape.live_image, p_shape.live_table, p_shape.live_is_key);
END
$_moved_version_sql$;
COMMENT ON FUNCTION pgtrack._moved_version_sql(pgtrack.relation_shape) IS
  'The query for the number of a row''s change c and the row after it, in a table in which keys have changed.';

-- A key column whose recorded values could not take its present type shows what it was.
CREATE OR REPLACE FUNCTION pgtrack._shown_key_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_shown_key_sql$
BEGIN
  RETURN (
  SELECT concat(p_shape.key_json, string_agg(
           format(' || CASE WHEN h.pgtrack_statement_id > %s AND h.pgtrack_statement_id <= %s THEN jsonb_build_object(%L, h.%I) ELSE ''{}'' END',
                  g.since, g.until, g.column_name, g.history_column), '' ORDER BY g.until))
  FROM pgtrack.relation_column g JOIN pgtrack.relation_column c ON c.relation_id = g.relation_id AND c.attnum = g.successor
  WHERE g.relation_id = p_shape.relation_id AND c.column_name = ANY (p_shape.keys));
END
$_shown_key_sql$;
COMMENT ON FUNCTION pgtrack._shown_key_sql(pgtrack.relation_shape) IS 'The key of h as JSON, for people: of images that were recorded under another type, too.';

-- A key may have been another row's before, which was deleted or has another key now. What it was is no part of the row that
-- has the key, and has no number among its versions.
CREATE OR REPLACE FUNCTION pgtrack._changes_of_others(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb)
RETURNS TABLE (statement_id bigint, handle tid, before jsonb, after jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_changes_of_others$
DECLARE
  v_others  text := format($$
    FROM jsonb_to_record($2) AS k(%s)
    CROSS JOIN LATERAL (SELECT h.ctid AS pgtrack_handle, h.* FROM %s h WHERE %s OFFSET 0) c
    JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = c.pgtrack_statement_id
      AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = s.relation_id)
      AND NOT EXISTS (SELECT FROM unnest($3, $4) AS l (after_id, until_id) WHERE s.statement_id > l.after_id AND s.statement_id <= l.until_id)$$,
    p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id);
  v_after   bigint[];
  v_until   bigint[];
  v_exist   boolean;
BEGIN
  SELECT array_agg(l.after_id), array_agg(l.until_id) INTO v_after, v_until
  FROM pgtrack._lineage(p_table, p_key) l WHERE l.row_key = pgtrack._noted_key(p_shape.relation_id, p_key);
  -- Most keys have been one row's, and what is about several takes long to plan.
  EXECUTE 'SELECT EXISTS (SELECT' || v_others || ')' INTO v_exist USING p_table, p_key, v_after, v_until;
  IF v_exist THEN
    RETURN QUERY EXECUTE format('SELECT c.pgtrack_statement_id, c.pgtrack_handle, CASE WHEN s.operation <> ''I'' THEN %s END, v.after'
                                '%s CROSS JOIN LATERAL (SELECT c.*) h LEFT JOIN LATERAL (%s) v ON true',
                                p_shape.image, v_others, pgtrack._moved_version_sql(p_shape))
    USING p_table, p_key, v_after, v_until, p_shape;
  END IF;
END
$_changes_of_others$;
COMMENT ON FUNCTION pgtrack._changes_of_others(regclass, pgtrack.relation_shape, jsonb) IS 'The recorded changes under a key of rows other than the one whose history it leads to.';

CREATE OR REPLACE FUNCTION pgtrack._history_of_key(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_history_of_key$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  IF EXISTS (SELECT FROM pgtrack.key_change c JOIN pgtrack.relation r USING (relation_id) WHERE r.relid = p_table) THEN
    v_shape := pgtrack._shape(p_table);
    RETURN QUERY
      SELECT NULL::integer, a.operation, a.at, a.who, pgtrack._changed_columns(c.before, c.after), c.before, c.after,
             a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
      FROM pgtrack._changes_of_others(p_table, v_shape, pgtrack._key(v_shape, p_key_as_given)) c
      JOIN pgtrack.activity a ON a.relation_id = v_shape.relation_id AND a.statement_id = c.statement_id
      ORDER BY c.statement_id, c.handle;
  END IF;
  RETURN QUERY SELECT h.* FROM pgtrack._history(p_table, p_key_as_given) h;
END
$_history_of_key$;
COMMENT ON FUNCTION pgtrack._history_of_key(regclass, jsonb) IS 'Does the work of pgtrack.history(): first what the key was to other rows, then the history of the row.';

-- The latest changes of a table, or all those of one of its transactions. The row after a change is the image of its
-- next change, or the live row; where keys have changed, its lineage has to be followed. Before the primary key was
-- another one, neither is known.
CREATE OR REPLACE FUNCTION pgtrack._changes(p_table regclass, p_max bigint, p_which text)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_changes$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_version  text;
  v_since    bigint := (SELECT r.key_since FROM pgtrack.relation r WHERE r.relid = p_table);
  v_first    bigint;
  v_last     bigint;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  v_shape := pgtrack._shape(p_table);
  IF v_shape.keys = '{}' THEN
    v_version := format('SELECT NULL::integer AS ver, CASE s.operation WHEN ''I'' THEN %s END AS after', v_shape.image);
  ELSIF EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id) THEN
    v_version := pgtrack._moved_version_sql(v_shape);
  ELSE
    v_version := pgtrack._version_sql(v_shape);
  END IF;
  IF v_since > 0 THEN
    v_version := format('SELECT x.* FROM (SELECT) one LEFT JOIN LATERAL (%s) x ON c.pgtrack_statement_id >= %s', v_version, v_since);
  END IF;
  -- One scan of the history from the statement on in which the wanted number of rows is reached.
  EXECUTE format($$
    SELECT min(x.statement_id), max(x.statement_id)
    FROM (SELECT s.statement_id, sum(s.row_count) OVER (ORDER BY s.statement_id DESC) - s.row_count AS later
          FROM pgtrack.statement s
          WHERE s.relation_id = %s AND %s
          ORDER BY s.statement_id DESC LIMIT $1) x
    WHERE x.later < $1$$, v_shape.relation_id, p_which)
  INTO v_first, v_last USING p_max;
  RETURN QUERY EXECUTE format($$
    SELECT l.key, l.ver, a.operation, a.at, a.who, pgtrack._changed_columns(l.before, l.after), l.before, l.after,
           a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
    FROM (SELECT c.pgtrack_statement_id, %1$s AS key, v.ver, CASE WHEN s.operation <> 'I' THEN %2$s END AS before, v.after
          FROM (SELECT n.ctid AS pgtrack_handle, n.* FROM %3$s n WHERE n.pgtrack_statement_id BETWEEN $2 AND $4 ORDER BY n.pgtrack_statement_id DESC) c
          CROSS JOIN LATERAL (SELECT c.*) h
          JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = c.pgtrack_statement_id AND %6$s
          CROSS JOIN LATERAL (%5$s) v
          ORDER BY c.pgtrack_statement_id DESC LIMIT $3) l
    JOIN pgtrack.activity a ON a.relation_id = %4$s AND a.statement_id = l.pgtrack_statement_id
    ORDER BY l.pgtrack_statement_id DESC, l.key$$,
    CASE v_shape.keys WHEN '{}' THEN 'NULL::jsonb' ELSE pgtrack._shown_key_sql(v_shape) END, v_shape.image, v_shape.history,
    v_shape.relation_id, v_version, p_which)
  USING p_table, v_first, p_max, v_last, v_shape;
END
$_changes$;
COMMENT ON FUNCTION pgtrack._changes(regclass, bigint, text) IS 'The latest changes of a table by statements that meet a condition, newest first.';

CREATE OR REPLACE FUNCTION pgtrack.changes("table" text, max integer DEFAULT 20, schema text DEFAULT NULL)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT c.* FROM pgtrack._changes(pgtrack._table("table", schema), max, 'true') c;
END;
COMMENT ON FUNCTION pgtrack.changes(text, integer, text) IS 'The latest row changes of a table, newest first.';

-- ==== reading/deleted.sql ====

CREATE OR REPLACE FUNCTION pgtrack._deleted(p_table regclass, p_max integer)
RETURNS TABLE (row_pk jsonb, deleted_at timestamptz, who text, data jsonb, xid bigint, statement_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_deleted$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF v_shape.keys = '{}' THEN
    RAISE EXCEPTION 'table % has no primary key', v_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Whether a deleted row is still missing cannot be told.',
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows what was deleted.', v_shape.name);
  END IF;
  -- Of several deletions of one key the latest counts.
  RETURN QUERY EXECUTE format($$
    SELECT d.key, a.at, a.who, d.image, a.xid, a.statement_id
    FROM (SELECT c.pgtrack_statement_id AS statement_id, %1$s AS key, %2$s AS image
          FROM pgtrack.statement s
          JOIN %3$s c ON c.pgtrack_statement_id = s.statement_id
          CROSS JOIN LATERAL (SELECT c.*) h
          WHERE s.relation_id = %4$s AND s.operation IN ('D', 'T')
            AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %4$s)
            AND NOT EXISTS (SELECT FROM %5$s t WHERE %6$s)
            AND NOT EXISTS (SELECT FROM %3$s h JOIN pgtrack.statement n ON n.relation_id = %4$s AND n.statement_id = h.pgtrack_statement_id
                            WHERE %7$s AND h.pgtrack_statement_id > c.pgtrack_statement_id AND n.operation IN ('D', 'T'))%8$s
          ORDER BY s.statement_id DESC, 2 LIMIT $1) d
    JOIN pgtrack.activity a ON a.relation_id = %4$s AND a.statement_id = d.statement_id
    ORDER BY a.statement_id DESC, d.key$$,
    v_shape.key_json, v_shape.image, v_shape.history, v_shape.relation_id, v_shape.live_table, v_shape.live_is_history, v_shape.same_row,
    -- An undo may have brought the row back under another key (_tell_of_returns).
    CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id) THEN format($$
            AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%1$s) k WHERE k.old_key = %2$s AND k.statement_id >= s.statement_id
                            AND NOT EXISTS (SELECT FROM %3$s h WHERE %4$s AND h.pgtrack_statement_id > s.statement_id AND h.pgtrack_statement_id <= k.statement_id))$$,
      v_shape.relation_id, pgtrack._row_key_sql(v_shape, v_shape.key_json), v_shape.history, v_shape.same_row) END)
  USING p_max;
END
$_deleted$;
COMMENT ON FUNCTION pgtrack._deleted(regclass, integer) IS 'Does the work of pgtrack.deleted().';

CREATE OR REPLACE FUNCTION pgtrack.deleted("table" text, max integer DEFAULT 20, schema text DEFAULT NULL)
RETURNS TABLE (row_pk jsonb, deleted_at timestamptz, who text, data jsonb, xid bigint, statement_id bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT d.* FROM pgtrack._deleted(pgtrack._table("table", schema), max) d;
END;
COMMENT ON FUNCTION pgtrack.deleted(text, integer, text) IS 'Rows that were deleted or truncated and are still missing, newest first.';

-- ==== reading/log.sql ====

CREATE OR REPLACE FUNCTION pgtrack._log(p_max integer, p_table regclass, p_who text, p_application text,
                                        p_since timestamptz, p_until timestamptz)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_log$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table);
  v_xid       xid8 := '18446744073709551615';
  v_xids      xid8[];
  v_first     bigint;
  v_last      bigint;
  v_count     bigint;
  v_found     bigint := 0;
BEGIN
  IF p_table IS NOT NULL THEN
    PERFORM pgtrack._shape(p_table);
  END IF;
  SELECT max(e.first_statement_id), 9223372036854775807 INTO v_first, v_last FROM pgtrack.epoch e;
  WHILE v_found < p_max LOOP
    -- From one transaction to the next lower one, without reading all the statements of each.
    WITH RECURSIVE step AS (
      (SELECT s.xid, 1 AS n FROM pgtrack.statement s
       WHERE s.xid < v_xid AND s.statement_id BETWEEN v_first AND v_last ORDER BY s.xid DESC LIMIT 1)
      UNION ALL
      SELECT (SELECT s.xid FROM pgtrack.statement s
              WHERE s.xid < t.xid AND s.statement_id BETWEEN v_first AND v_last ORDER BY s.xid DESC LIMIT 1), t.n + 1
      FROM step t WHERE t.xid IS NOT NULL AND t.n < p_max
    )
    SELECT array_agg(t.xid ORDER BY t.xid DESC) INTO v_xids FROM step t WHERE t.xid IS NOT NULL;
    IF v_xids IS NULL THEN
      EXIT WHEN v_first = 0;
      SELECT max(e.first_statement_id), v_first - 1 INTO v_first, v_last FROM pgtrack.epoch e WHERE e.first_statement_id < v_first;
      v_xid := '18446744073709551615';
      CONTINUE;
    END IF;
    v_xid := v_xids[cardinality(v_xids)];
    RETURN QUERY
      SELECT a.xid, max(a.at), min(a.who), min(a.application), min(a.client_addr), min(a.actor), max(a.message),
             array_agg(DISTINCT a.table_name), sum(a.row_count)::bigint,
             -- Looked up, as a transaction may have more texts than memory takes.
             (SELECT f.query FROM pgtrack.activity f
              WHERE f.relation_id = (array_agg(a.relation_id ORDER BY a.statement_id))[1] AND f.statement_id = min(a.statement_id))
      FROM pgtrack.activity a
      WHERE (a.relation_id, a.statement_id) IN (SELECT s.relation_id, s.statement_id FROM pgtrack.statement s
                                                WHERE s.xid = ANY (v_xids) AND s.statement_id BETWEEN v_first AND v_last)
      GROUP BY a.xid
      HAVING (p_table IS NULL OR bool_or(a.relation_id = v_relation))
         AND (p_who IS NULL OR bool_or(p_who IN (a.actor, a.user_name, a.role_name)))
         AND (p_application IS NULL OR bool_or(a.application = p_application))
         AND (p_since IS NULL OR max(a.at) >= p_since)
         AND (p_until IS NULL OR max(a.at) < p_until)
      ORDER BY a.xid DESC LIMIT p_max - v_found;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_found := v_found + v_count;
  END LOOP;
END
$_log$;
COMMENT ON FUNCTION pgtrack._log(integer, regclass, text, text, timestamptz, timestamptz) IS 'Does the work of pgtrack.log().';

CREATE OR REPLACE FUNCTION pgtrack.log(max integer DEFAULT 20, on_table text DEFAULT NULL, by_who text DEFAULT NULL,
                                       by_application text DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE AS $log$
BEGIN
  RETURN QUERY SELECT l.* FROM pgtrack._log($1, CASE WHEN $2 IS NOT NULL THEN pgtrack._table($2, NULL) END, $3, $4, $5, $6) l;
END
$log$;
COMMENT ON FUNCTION pgtrack.log(integer, text, text, text, timestamptz, timestamptz) IS
  'The latest transactions, newest first; only those of one table, person, application or time if asked.';

-- A number that a driver sends without its type comes here, too. A table's name that is a number would stand in quotes.
CREATE OR REPLACE FUNCTION pgtrack.log("table" text, max integer DEFAULT 20, by_who text DEFAULT NULL, by_application text DEFAULT NULL,
                                       since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE AS $log$
BEGIN
  IF $1 OPERATOR(pg_catalog.~) '^[0-9]+$' THEN
    RETURN QUERY SELECT l.* FROM pgtrack._log($1::pg_catalog.int4, NULL, $3, $4, $5, $6) l;
  ELSE
    RETURN QUERY SELECT l.* FROM pgtrack._log($2, CASE WHEN $1 IS NOT NULL THEN pgtrack._table($1, NULL) END, $3, $4, $5, $6) l;
  END IF;
END
$log$;
COMMENT ON FUNCTION pgtrack.log(text, integer, text, text, timestamptz, timestamptz) IS
  'The latest transactions that changed a table, newest first; only those of one person, application or time if asked.';

-- ==== reading/show.sql ====

CREATE OR REPLACE FUNCTION pgtrack.show(xid bigint, max bigint DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb, ver integer, statement_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $show$
DECLARE
  v_relation  record;
BEGIN
  FOR v_relation IN EXECUTE format($$
    SELECT r.relid, sum(s.row_count)::bigint AS row_count
    FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id)
    WHERE %s AND r.relid IS NOT NULL
    GROUP BY r.relid ORDER BY min(s.statement_id)$$, pgtrack._of_transaction(show.xid))
  LOOP
    RETURN QUERY
      SELECT pgtrack._name(v_relation.relid), c.row_pk, c.op, c.what, c.before, c.after, c.ver, c.statement_id
      FROM pgtrack._changes(v_relation.relid, least(v_relation.row_count, show.max), pgtrack._of_transaction(show.xid)) c
      ORDER BY c.statement_id, c.row_pk;
  END LOOP;
END
$show$;
COMMENT ON FUNCTION pgtrack.show(bigint, bigint) IS
  'The row changes of one transaction, table by table, in the order in which they were made; of each table at most the last max.';

CREATE OR REPLACE FUNCTION pgtrack.show_statement(statement_id bigint, max bigint DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb, ver integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT pgtrack._name(r.relid), c.row_pk, c.op, c.what, c.before, c.after, c.ver
  FROM pgtrack.relation r
  JOIN pgtrack.statement s ON s.relation_id = r.relation_id AND s.statement_id = show_statement.statement_id
  CROSS JOIN LATERAL pgtrack._changes(r.relid, least(s.row_count, show_statement.max), format('s.statement_id = %s', s.statement_id)) c
  WHERE r.relid IS NOT NULL
  ORDER BY c.row_pk;
END;
COMMENT ON FUNCTION pgtrack.show_statement(bigint, bigint) IS 'The row changes of one statement, at most max of them.';

-- ==== undoing/types.sql ====

-- All changing verbs run with the caller's privileges. They work out which old images must live again and which rows
-- must go, as handles (ctids) of history rows, and have _apply() make it so in one SQL statement. PostgreSQL checks
-- foreign keys at a statement's end, so the order of tables and rows does not matter, not even in a cycle.

DO $types$
BEGIN
  IF pg_catalog.to_regtype('pgtrack._work') IS NULL THEN
    CREATE TYPE pgtrack._work AS (
      relid          regclass,
      inserts        tid[],
      updates        tid[],
      deletes        tid[],
      keyed_updates  tid[],
      updated_keys   jsonb[],
      deleted_keys   jsonb[],
      merges         tid[],
      merge_bases    tid[],
      merge_keys     jsonb[],
      merge_targets  jsonb[]
    );
  ELSIF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'pgtrack._work'::regclass AND a.attname = 'merge_targets') THEN
    ALTER TYPE pgtrack._work ADD ATTRIBUTE merge_keys jsonb[], ADD ATTRIBUTE merge_targets jsonb[];
  END IF;
  IF pg_catalog.to_regtype('pgtrack._step') IS NULL THEN
    CREATE TYPE pgtrack._step AS (
      number      integer,
      kind        text,
      columns     integer[],
      places      tid[],
      leaves      oid[],
      handles     tid[],
      masks       varbit[],
      is_moved    boolean,
      is_ordered  boolean
    );
  END IF;
  IF pg_catalog.to_regtype('pgtrack._set') IS NULL THEN
    CREATE TYPE pgtrack._set AS (
      tables     regclass[],
      condition  text,
      label      text,
      reverts    text,
      point      text
    );
    CREATE TYPE pgtrack._target AS (
      version       integer,
      versions      integer,
      is_gone       boolean,
      is_gone_now   boolean,
      statement_id  bigint,
      handle        tid,
      row_key       jsonb,
      is_unborn     boolean
    );
    CREATE TYPE pgtrack._decision AS (
      answer     text,
      has_work   boolean,
      work       pgtrack._work,
      reverts    text,
      arguments  jsonb
    );
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'pgtrack._step'::regclass AND a.attname = 'images') THEN
    ALTER TYPE pgtrack._step ADD ATTRIBUTE images text, ADD ATTRIBUTE row_count bigint;
    ALTER TYPE pgtrack._work ADD ATTRIBUTE steps pgtrack._step[];
    CREATE TYPE pgtrack._bulk AS (
      ids            bigint[],
      insert_ids     bigint[],
      other_ids      bigint[],
      snapshot       pg_snapshot,
      has_later      boolean,
      are_later_few  boolean,
      is_once        boolean
    );
  END IF;
  IF pg_catalog.to_regtype('pgtrack._passed_keys') IS NULL THEN
    CREATE TYPE pgtrack._passed_keys AS (
      relation_id    integer,
      since_id       bigint,
      deleted_keys   jsonb[],
      old_keys       jsonb[],
      new_keys       jsonb[],
      inserted_keys  jsonb[],
      left_keys      jsonb[],
      returned_keys  jsonb[],
      returned_since bigint[]
    );
  END IF;
END
$types$;
COMMENT ON TYPE pgtrack._work IS 'What a revert does to one table; a null or empty array does nothing.';
COMMENT ON COLUMN pgtrack._work.relid IS 'The table.';
COMMENT ON COLUMN pgtrack._work.inserts IS 'Images of rows to insert.';
COMMENT ON COLUMN pgtrack._work.updates IS 'Images to update the row of the same key to.';
COMMENT ON COLUMN pgtrack._work.deletes IS 'Images whose key names a row to delete.';
COMMENT ON COLUMN pgtrack._work.keyed_updates IS 'Images to update a row to that now has another key.';
COMMENT ON COLUMN pgtrack._work.updated_keys IS 'The present keys of those rows, in the same order.';
COMMENT ON COLUMN pgtrack._work.deleted_keys IS 'Keys of rows to delete.';
COMMENT ON COLUMN pgtrack._work.merges IS 'Images to restore only in the columns that nobody changed since.';
COMMENT ON COLUMN pgtrack._work.merge_bases IS 'The same rows right after the change that is undone, in the same order.';
COMMENT ON COLUMN pgtrack._work.merge_keys IS 'The present keys of those that others gave another, in the same order; null for the rest.';
COMMENT ON COLUMN pgtrack._work.merge_targets IS 'What columns of those become by the difference, in the same order; false where that is what they are.';
COMMENT ON COLUMN pgtrack._work.steps IS 'Steps for rows that need not be listed.';
COMMENT ON TYPE pgtrack._step IS 'Rows of a table to which a revert does the same: one part of its statement.';
COMMENT ON COLUMN pgtrack._step.number IS 'Which table of the work.';
COMMENT ON COLUMN pgtrack._step.kind IS 'delete, update, insert; or exchange: deleted and inserted again.';
COMMENT ON COLUMN pgtrack._step.columns IS 'The columns that are given values, by their numbers in the shape.';
COMMENT ON COLUMN pgtrack._step.places IS 'Where the rows are (ctid).';
COMMENT ON COLUMN pgtrack._step.leaves IS 'In which partitions, in the same order; null where there are none.';
COMMENT ON COLUMN pgtrack._step.handles IS 'The images that they are made from, or that have their keys, in the same order; null where a key alone is known.';
COMMENT ON COLUMN pgtrack._step.masks IS 'Which of the columns each row is given, bit by number; null: all of them.';
COMMENT ON COLUMN pgtrack._step.is_moved IS 'Whether the rows have other keys than their images.';
COMMENT ON COLUMN pgtrack._step.is_ordered IS 'Whether the rows have to be taken in this order, after those of the step before.';
COMMENT ON COLUMN pgtrack._step.images IS 'The query for the images h, where places and handles are not listed; masks, if not null, are told by the values then.';
COMMENT ON COLUMN pgtrack._step.row_count IS 'How many rows that are.';
COMMENT ON TYPE pgtrack._bulk IS 'The statements that a set has in a table.';
COMMENT ON COLUMN pgtrack._bulk.ids IS 'Their numbers.';
COMMENT ON COLUMN pgtrack._bulk.insert_ids IS 'Those of the INSERTs among them.';
COMMENT ON COLUMN pgtrack._bulk.other_ids IS 'Those of the others.';
COMMENT ON COLUMN pgtrack._bulk.snapshot IS 'The snapshot that they were found in.';
COMMENT ON COLUMN pgtrack._bulk.has_later IS 'Whether others have changed the table since the first of them.';
COMMENT ON COLUMN pgtrack._bulk.are_later_few IS 'Whether they have changed few rows.';
COMMENT ON COLUMN pgtrack._bulk.is_once IS 'Whether they are known to have changed each row once.';
COMMENT ON TYPE pgtrack._set IS 'A set of changes that can be undone: statements of some tables, chosen by a condition.';
COMMENT ON COLUMN pgtrack._set.tables IS 'The tables.';
COMMENT ON COLUMN pgtrack._set.condition IS 'The condition on pgtrack.statement s.';
COMMENT ON COLUMN pgtrack._set.label IS 'What it is called in errors.';
COMMENT ON COLUMN pgtrack._set.reverts IS 'What is recorded as reverted by those who undo it.';
COMMENT ON COLUMN pgtrack._set.point IS 'The point that it is everything after, if it is that.';
COMMENT ON TYPE pgtrack._decision IS 'What a verb for one row is going to do.';
COMMENT ON COLUMN pgtrack._decision.answer IS 'What it says when that is done.';
COMMENT ON COLUMN pgtrack._decision.has_work IS 'Whether there is anything to do.';
COMMENT ON COLUMN pgtrack._decision.work IS 'What it does to the table.';
COMMENT ON COLUMN pgtrack._decision.reverts IS 'What is recorded as reverted.';
COMMENT ON COLUMN pgtrack._decision.arguments IS 'The arguments of the call, for its record.';
COMMENT ON TYPE pgtrack._target IS 'A version of a row that it shall be as after.';
COMMENT ON COLUMN pgtrack._target.version IS 'The version; 0 is before the first.';
COMMENT ON COLUMN pgtrack._target.versions IS 'How many there are.';
COMMENT ON COLUMN pgtrack._target.is_gone IS 'Whether it was a deletion; null for 0.';
COMMENT ON COLUMN pgtrack._target.is_gone_now IS 'Whether the last one was.';
COMMENT ON COLUMN pgtrack._target.statement_id IS 'The statement that changed the row next, if one did.';
COMMENT ON COLUMN pgtrack._target.handle IS 'The image that this has recorded.';
COMMENT ON COLUMN pgtrack._target.row_key IS 'The key that it found the row under.';
COMMENT ON COLUMN pgtrack._target.is_unborn IS 'Whether it inserted the row.';
COMMENT ON TYPE pgtrack._passed_keys IS 'Rows of a table that change places under their keys, or come back under others, in an undo.';
COMMENT ON COLUMN pgtrack._passed_keys.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack._passed_keys.since_id IS 'The last statement before that.';
COMMENT ON COLUMN pgtrack._passed_keys.deleted_keys IS 'The keys of rows that go.';
COMMENT ON COLUMN pgtrack._passed_keys.old_keys IS 'The keys of rows that get others.';
COMMENT ON COLUMN pgtrack._passed_keys.new_keys IS 'The keys that those get, in the same order.';
COMMENT ON COLUMN pgtrack._passed_keys.inserted_keys IS 'The keys of rows that come.';
COMMENT ON COLUMN pgtrack._passed_keys.left_keys IS 'The keys under which rows were deleted that come back under others.';
COMMENT ON COLUMN pgtrack._passed_keys.returned_keys IS 'The keys that those get, in the same order.';
COMMENT ON COLUMN pgtrack._passed_keys.returned_since IS 'A statement that found each of them there, in the same order.';

-- ==== undoing/writer.sql ====

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

-- ==== undoing/steps.sql ====

-- An undo sets only the columns in which a row differs, as triggers for UPDATE OF a column, rights on columns, checks of
-- domains and identity columns mean it. The columns that an UPDATE sets are fixed, so rows are grouped by what triggers
-- can tell of them: in a group each row is given its own columns, and keeps its values in the others.

-- Where a trigger watches a generated column, it watches those that this is made of.
CREATE OR REPLACE FUNCTION pgtrack._watched_columns(p_table regclass, p_columns text[]) RETURNS TABLE (watcher oid, columns integer[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.oid, array_agg(c.number::integer)
  FROM pgtrack._members(p_table) m
  JOIN pg_trigger t ON t.tgrelid = m.relid AND NOT t.tgisinternal AND t.tgattr::text <> ''
  JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN unnest(p_columns) WITH ORDINALITY AS c (name, number) ON c.name = quote_ident(a.attname)
  WHERE a.attnum = ANY (t.tgattr::smallint[])
     OR EXISTS (SELECT FROM pg_attrdef d JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                WHERE d.adrelid = t.tgrelid AND d.adnum = ANY (t.tgattr::smallint[]) AND p.refobjid = d.adrelid AND p.refobjsubid = a.attnum)
  GROUP BY t.oid;
END;
COMMENT ON FUNCTION pgtrack._watched_columns(regclass, text[]) IS
  'The triggers of a table that are for UPDATE OF some columns, each with the numbers of these.';

CREATE OR REPLACE FUNCTION pgtrack._mask(p_columns integer[], p_length integer) RETURNS varbit
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT pg_catalog.string_agg(CASE WHEN i OPERATOR(pg_catalog.=) ANY (p_columns) THEN '1' ELSE '0' END, '' ORDER BY i)::varbit
  FROM pg_catalog.generate_series(1, p_length) i;
END;
COMMENT ON FUNCTION pgtrack._mask(integer[], integer) IS 'Columns as bits, the first for number 1.';

-- Rows of each set of columns, as one step for each set of triggers that this fires.
CREATE OR REPLACE FUNCTION pgtrack._merged_steps(p_steps pgtrack._step[], p_table regclass, p_columns text[]) RETURNS SETOF pgtrack._step
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH watched AS MATERIALIZED (
    SELECT w.watcher, w.columns FROM pgtrack._watched_columns(p_table, p_columns) w
  ), step AS MATERIALIZED (
    SELECT s.*, ARRAY(SELECT w.watcher FROM watched w WHERE w.columns && s.columns ORDER BY w.watcher) AS fired,
           pgtrack._mask(s.columns, cardinality(p_columns)) AS mask
    FROM unnest(p_steps) s
  ), merged AS (
    SELECT s.number, s.kind, s.fired, s.is_moved, array_agg(DISTINCT c ORDER BY c) AS columns, count(DISTINCT s.mask) > 1 AS are_several
    FROM step s CROSS JOIN LATERAL unnest(s.columns) c GROUP BY s.number, s.kind, s.fired, s.is_moved
  )
  SELECT m.number, m.kind, m.columns, r.places, r.leaves, r.handles, r.masks, m.is_moved, false, NULL::text, NULL::bigint
  FROM merged m
  CROSS JOIN LATERAL (
    SELECT array_agg(x.place) AS places, array_agg(x.leaf) FILTER (WHERE x.leaf IS NOT NULL) AS leaves, array_agg(x.handle) AS handles,
           CASE WHEN m.are_several THEN array_agg(s.mask) END AS masks
    FROM step s CROSS JOIN LATERAL unnest(s.places, s.leaves, s.handles) AS x (place, leaf, handle)
    WHERE s.number = m.number AND s.kind = m.kind AND s.fired = m.fired AND s.is_moved = m.is_moved) r;
END;
COMMENT ON FUNCTION pgtrack._merged_steps(pgtrack._step[], regclass, text[]) IS
  'Steps that update a table, as few as triggers for UPDATE OF columns allow.';

CREATE OR REPLACE FUNCTION pgtrack._one_column(p_table regclass, p_shape pgtrack.relation_shape) RETURNS boolean[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH least AS (
    SELECT u.number FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) JOIN pg_attribute a ON a.attrelid = p_table AND quote_ident(a.attname) = u.name
    WHERE a.attidentity <> 'a' AND has_table_privilege(p_table, 'UPDATE') ORDER BY a.attname = ANY (p_shape.keys), u.number LIMIT 1)
  SELECT array_agg(u.number = (SELECT l.number FROM least l) ORDER BY u.number) FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number);
END;
COMMENT ON FUNCTION pgtrack._one_column(regclass, pgtrack.relation_shape) IS 'Which of the columns is set where a row shall be updated though it differs in none.';

CREATE OR REPLACE FUNCTION pgtrack._places_sql(p_work pgtrack._work, p_shape pgtrack.relation_shape) RETURNS TABLE (is_delete boolean, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.is_delete, x.query
  FROM (VALUES
    (true, p_work.deletes,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ''{}''::boolean[] AS differs, false AS is_moved'
            ' FROM %s h JOIN %s t ON %s WHERE h.ctid = ANY ($1)', p_shape.history, p_shape.live_table, p_shape.live_is_history)),
    (true, CASE WHEN p_work.deleted_keys <> '{}' THEN '{"(0,0)"}'::tid[] END,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, NULL::tid AS handle, ''{}''::boolean[] AS differs, true AS is_moved FROM unnest($2) AS x (key)'
            ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s t ON %s', p_shape.key_record, p_shape.live_table, p_shape.live_is_key)),
    (false, p_work.updates,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ARRAY[%s] AS differs, false AS is_moved FROM %s h JOIN %s t ON %s WHERE h.ctid = ANY ($3)',
            array_to_string(p_shape.updated_differ, ', '), p_shape.history, p_shape.live_table, p_shape.live_is_history)),
    -- Of two rows that are the same but for the key, one goes and the other comes: that is recorded, too.
    (false, p_work.keyed_updates,
     format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, CASE WHEN true = ANY (d.differs) THEN d.differs ELSE %L END AS differs,'
            ' true AS is_moved FROM unnest($4, $5) AS x (handle, key)'
            ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s h ON h.ctid = x.handle JOIN %s t ON %s CROSS JOIN LATERAL (SELECT ARRAY[%s] AS differs) d',
            pgtrack._one_column(p_work.relid, p_shape), p_shape.key_record, p_shape.history, p_shape.live_table, p_shape.live_is_key,
            array_to_string(p_shape.updated_differ, ', '))),
    -- Others have changed the rest since, and some have another key.
    (false, p_work.merges,
     (SELECT format('SELECT t.ctid AS place, t.tableoid AS leaf, h.ctid AS handle, ARRAY[%1$s] AS differs, false AS is_moved'
                    ' FROM unnest($6, $7, $9, $10) AS x (handle, base, key, targets) JOIN %2$s h ON h.ctid = x.handle JOIN %2$s c ON c.ctid = x.base'
                    ' JOIN %3$s t ON %4$s WHERE x.key IS NULL UNION ALL'
                    ' SELECT t.ctid, t.tableoid, h.ctid, ARRAY[%1$s], true'
                    ' FROM unnest($6, $7, $9, $10) AS x (handle, base, key, targets) JOIN %2$s h ON h.ctid = x.handle JOIN %2$s c ON c.ctid = x.base'
                    ' CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%5$s) JOIN %3$s t ON %6$s WHERE x.key IS NOT NULL',
                    string_agg(format('coalesce(x.targets -> %L <> ''false'', %s AND %s)', (parse_ident(u.name))[1], u.differs, u.stayed), ', ' ORDER BY u.number),
                    p_shape.history, p_shape.live_table, p_shape.live_is_history, p_shape.key_record, p_shape.live_is_key)
      FROM unnest(p_shape.updated, p_shape.updated_differ, p_shape.updated_stayed) WITH ORDINALITY AS u (name, differs, stayed, number)))
  ) AS x (is_delete, handles, query)
  WHERE x.handles <> '{}' AND (x.is_delete OR p_shape.updated <> '{}');
END;
COMMENT ON FUNCTION pgtrack._places_sql(pgtrack._work, pgtrack.relation_shape) IS
  'Queries for the rows that a revert deletes or updates: where each is, its image, and in which columns it differs.';

CREATE OR REPLACE FUNCTION pgtrack._is_partitioned(p_table regclass) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT c.relkind OPERATOR(pg_catalog.=) 'p' FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) p_table;
END;
COMMENT ON FUNCTION pgtrack._is_partitioned(regclass) IS 'Whether a row''s place is one in a partition.';

CREATE OR REPLACE FUNCTION pgtrack._fixed_columns(p_table regclass, p_columns text[]) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ARRAY(SELECT c.number::integer FROM unnest(p_columns) WITH ORDINALITY AS c (name, number)
               JOIN pg_attribute a ON a.attrelid = p_table AND quote_ident(a.attname) = c.name AND a.attidentity = 'a');
END;
COMMENT ON FUNCTION pgtrack._fixed_columns(regclass, text[]) IS 'The numbers of columns that are GENERATED ALWAYS AS IDENTITY.';

-- A column that an image knows nothing of is not named, so that it has its default, or its next number.
CREATE OR REPLACE FUNCTION pgtrack._insert_steps(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_number integer) RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_insert_steps$
DECLARE
  v_steps  pgtrack._step[];
BEGIN
  IF p_work.inserts <> '{}' THEN
    EXECUTE format('SELECT array_agg(s) FROM (SELECT $2, ''insert'', array_positions(ARRAY[%s], true), NULL::tid[], NULL::oid[],'
                   ' array_agg(h.ctid), NULL::varbit[], false, false, NULL::text, NULL::bigint FROM %s h WHERE h.ctid = ANY ($1) GROUP BY 3) s',
                   (SELECT string_agg(CASE u.since WHEN 0 THEN 'true' ELSE format('h.pgtrack_statement_id > %s', u.since) END, ', '
                                      ORDER BY u.number) FROM unnest(p_shape.inserted_since) WITH ORDINALITY AS u (since, number)),
                   p_shape.history)
    INTO v_steps USING p_work.inserts, p_number;
  END IF;
  RETURN coalesce(v_steps, '{}');
END
$_insert_steps$;
COMMENT ON FUNCTION pgtrack._insert_steps(pgtrack._work, pgtrack.relation_shape, integer) IS
  'The steps that insert rows again, for each set of columns that their images know.';

CREATE OR REPLACE FUNCTION pgtrack._steps(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_number integer) RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_steps$
DECLARE
  v_leaf     text := CASE WHEN pgtrack._is_partitioned(p_work.relid) THEN 'array_agg(x.leaf)' ELSE 'NULL::oid[]' END;
  v_fixed    integer[] := pgtrack._fixed_columns(p_work.relid, p_shape.updated);
  v_query    record;
  v_steps    pgtrack._step[];
  v_updates  pgtrack._step[] := '{}';
  v_all      pgtrack._step[] := '{}';
BEGIN
  FOR v_query IN SELECT p.is_delete, string_agg(p.query, ' UNION ALL ') AS query FROM pgtrack._places_sql(p_work, p_shape) p GROUP BY p.is_delete LOOP
    -- OFFSET 0: what the planner thinks of the columns' values says nothing about how many sets there are.
    EXECUTE format('SELECT array_agg(s) FROM (SELECT $8, %L, array_positions(x.differs, true), array_agg(x.place), %s,'
                   ' CASE WHEN count(x.handle) > 0 THEN array_agg(x.handle) END, NULL::varbit[], x.is_moved, false, NULL::text, NULL::bigint'
                   ' FROM (%s OFFSET 0) x WHERE %s GROUP BY x.differs, x.is_moved) s',
                   CASE WHEN v_query.is_delete THEN 'delete' ELSE 'update' END, v_leaf, v_query.query,
                   CASE WHEN v_query.is_delete THEN 'true' ELSE 'true = ANY (x.differs)' END)
    INTO v_steps USING p_work.deletes, p_work.deleted_keys, p_work.updates, p_work.keyed_updates, p_work.updated_keys,
                       p_work.merges, p_work.merge_bases, p_number, p_work.merge_keys, p_work.merge_targets;
    IF v_query.is_delete THEN
      v_all := v_all || coalesce(v_steps, '{}');
    ELSE
      v_updates := coalesce(v_steps, '{}');
    END IF;
  END LOOP;
  -- What no UPDATE can set is a new row's.
  IF v_fixed <> '{}' THEN
    FOR n IN 1 .. cardinality(v_updates) LOOP
      IF v_updates[n].columns && v_fixed THEN
        v_updates[n].kind := 'exchange';
      END IF;
    END LOOP;
  END IF;
  IF cardinality(v_updates) > 1 THEN
    v_updates := ARRAY(SELECT m FROM pgtrack._merged_steps(v_updates, p_work.relid, p_shape.updated) m);
  END IF;
  RETURN v_all || v_updates || pgtrack._insert_steps(p_work, p_shape, p_number)
      || ARRAY(SELECT ROW(p_number, s.kind, s.columns, s.places, s.leaves, s.handles, s.masks, s.is_moved, s.is_ordered, s.images, s.row_count)::pgtrack._step
               FROM unnest(p_work.steps) s);
END
$_steps$;
COMMENT ON FUNCTION pgtrack._steps(pgtrack._work, pgtrack.relation_shape, integer) IS 'The steps of a revert that are about one table.';

-- PostgreSQL would name no column, and nothing that helps. Of a table that may not be updated at all it says so itself.
CREATE OR REPLACE FUNCTION pgtrack._refuse_missing_rights(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[], p_writer name)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_missing_rights$
DECLARE
  v_missing  text;
  v_rest     text;
BEGIN
  IF NOT has_any_column_privilege(p_writer, p_work.relid, 'UPDATE') OR has_table_privilege(p_writer, p_work.relid, 'UPDATE') THEN
    RETURN;
  END IF;
  SELECT string_agg(u.name, ', ' ORDER BY u.number) FILTER (WHERE NOT u.may), string_agg(quote_literal(u.name), ', ' ORDER BY u.number) FILTER (WHERE u.may)
  INTO v_missing, v_rest
  FROM (SELECT u.name, u.number, has_column_privilege(p_writer, p_work.relid, a.attnum, 'UPDATE') AS may
        FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number)
        JOIN pg_attribute a ON a.attrelid = p_work.relid AND a.attnum > 0 AND quote_ident(a.attname) = u.name
        WHERE EXISTS (SELECT FROM unnest(p_steps) s WHERE s.kind = 'update' AND u.number = ANY (s.columns))) u;
  IF v_missing IS NOT NULL THEN
    RAISE EXCEPTION 'permission denied for columns of %: %', p_shape.name, v_missing USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('Rows differ in them, and %s may not set them back.', p_writer),
      HINT = CASE WHEN v_rest IS NULL THEN 'Let a role undo it that may update them.'
                  ELSE format('columns => ARRAY[%s] leaves them as they are.', v_rest) END;
  END IF;
END
$_refuse_missing_rights$;
COMMENT ON FUNCTION pgtrack._refuse_missing_rights(pgtrack._work, pgtrack.relation_shape, pgtrack._step[], name) IS
  'Refuses to set back columns that the role that writes may not update, and says how to leave them.';

-- ==== undoing/exchange.sql ====

-- Some rows cannot be set back by an UPDATE: an identity column that is GENERATED ALWAYS, or values that go round in a
-- circle. They are deleted and inserted again within the one statement, if that means nothing else: no trigger takes
-- it for another row, no foreign key acts on those that refer to it.
CREATE OR REPLACE FUNCTION pgtrack._exchange_obstacle(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.obstacle
  FROM (SELECT format('trigger %I', t.tgname) AS obstacle
        FROM pgtrack._members(p_table) m JOIN pg_trigger t ON t.tgrelid = m.relid JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND p.pronamespace NOT IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace)
        UNION ALL
        SELECT format('foreign key %I of %s', c.conname, c.conrelid::regclass)
        FROM pgtrack._members(p_table) m JOIN pg_constraint c ON c.confrelid = m.relid AND c.contype = 'f' AND c.confdeltype <> 'a') x
  ORDER BY x.obstacle LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack._exchange_obstacle(regclass) IS
  'What makes a row that is deleted and inserted again mean something else; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_fixed(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_fixed$
DECLARE
  v_obstacle  text := pgtrack._exchange_obstacle(p_work.relid);
  v_columns   text;
BEGIN
  SELECT string_agg(DISTINCT p_shape.updated[c], ', ') INTO v_columns
  FROM unnest(p_steps) s CROSS JOIN LATERAL unnest(s.columns) c
  WHERE s.kind = 'exchange' AND c = ANY (pgtrack._fixed_columns(p_work.relid, p_shape.updated));
  IF v_columns IS NOT NULL AND v_obstacle IS NOT NULL THEN
    RAISE EXCEPTION 'cannot set back % of %, which is GENERATED ALWAYS AS IDENTITY', v_columns, p_shape.name USING
      ERRCODE = 'generated_always',
      DETAIL = format('No UPDATE can set it, and a row that is deleted and inserted again would mean something else to the %s.', v_obstacle),
      HINT = 'Name in columns => those that shall be set back, without this one.';
  END IF;
END
$_refuse_fixed$;
COMMENT ON FUNCTION pgtrack._refuse_fixed(pgtrack._work, pgtrack.relation_shape, pgtrack._step[]) IS
  'Refuses to set back identity columns where their rows cannot be exchanged.';

-- ==== undoing/statement.sql ====

CREATE OR REPLACE FUNCTION pgtrack._sum(p_parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(pg_catalog.string_agg(pg_catalog.format('(SELECT count(*) FROM %s)', part), ' + '), '0::bigint')
  FROM pg_catalog.unnest(p_parts) part;
END;
COMMENT ON FUNCTION pgtrack._sum(text[]) IS 'The expression for how many rows some parts of a query have together.';

-- The rows are locked, and stay where they are until this statement moves them. In a partitioned table the key tells
-- the partition, where a row has not got another since.
CREATE OR REPLACE FUNCTION pgtrack._step_source(p_step pgtrack._step, p_shape pgtrack.relation_shape, OUT source text, OUT is_place text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_step.images IS NOT NULL THEN format('(%s OFFSET 0) h', p_step.images)
              ELSE format('(SELECT %s FROM unnest(%s) WITH ORDINALITY AS x (%s)%s OFFSET 0) h',
                concat_ws(', ', CASE WHEN p_step.handles IS NOT NULL THEN 'h.*, h.ctid AS pgtrack_handle' END, 'x.place AS pgtrack_place',
                          CASE WHEN p_step.leaves IS NOT NULL THEN 'x.leaf AS pgtrack_leaf' END,
                          CASE WHEN p_step.masks IS NOT NULL THEN 'x.mask AS pgtrack_mask' END, 'x.number AS pgtrack_number'),
                concat_ws(', ', quote_literal(p_step.places) || '::tid[]', quote_literal(p_step.leaves) || '::oid[]',
                          quote_literal(p_step.handles) || '::tid[]', quote_literal(p_step.masks) || '::varbit[]'),
                concat_ws(', ', 'place', CASE WHEN p_step.leaves IS NOT NULL THEN 'leaf' END,
                          CASE WHEN p_step.handles IS NOT NULL THEN 'handle' END, CASE WHEN p_step.masks IS NOT NULL THEN 'mask' END, 'number'),
                CASE WHEN p_step.handles IS NOT NULL THEN format(' JOIN %s h ON h.ctid = x.handle', p_shape.history) END) END,
         CASE WHEN p_step.images IS NOT NULL THEN concat_ws(' AND ', p_shape.live_is_history, CASE p_step.kind WHEN 'update' THEN p_shape.differs END)
              ELSE concat_ws(' AND ', 't.ctid = h.pgtrack_place', CASE WHEN p_step.leaves IS NOT NULL THEN 't.tableoid = h.pgtrack_leaf' END,
                   CASE WHEN p_step.leaves IS NOT NULL AND p_step.handles IS NOT NULL AND NOT p_step.is_moved THEN p_shape.live_is_history END) END;
END;
COMMENT ON FUNCTION pgtrack._step_source(pgtrack._step, pgtrack.relation_shape) IS
  'The images h of a step, and the condition that the row t is that of one. Those that are listed are numbered, with where their rows are.';

CREATE OR REPLACE FUNCTION pgtrack._is_given_sql(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_number integer) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT CASE WHEN p_step.images IS NULL THEN pg_catalog.format('get_bit(h.pgtrack_mask, %s) = 1', p_number - 1) ELSE p_shape.updated_differ[p_number] END;
END;
COMMENT ON FUNCTION pgtrack._is_given_sql(pgtrack._step, pgtrack.relation_shape, integer) IS
  'The condition that a step gives a value to a column of the row t, where it does not do so to all rows.';

-- The value that column number p_number of the row t gets from the image h.
CREATE OR REPLACE FUNCTION pgtrack._new_value(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_number integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_step.masks IS NULL THEN p_shape.updated_values[p_number]
              ELSE format('CASE WHEN %s THEN %s ELSE t.%s END', pgtrack._is_given_sql(p_step, p_shape, p_number),
                          p_shape.updated_values[p_number], p_shape.updated[p_number]) END;
END;
COMMENT ON FUNCTION pgtrack._new_value(pgtrack._step, pgtrack.relation_shape, integer) IS 'The value that a step gives to a column.';

-- What a row keeps is taken from the one that goes: the statement's snapshot shows it to the end.
CREATE OR REPLACE FUNCTION pgtrack._exchange_sql(p_step pgtrack._step, p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s JOIN %s t ON %s'
                ' WHERE (TABLE updated) IS NOT NULL',
                p_shape.name, string_agg(c.name, ', ' ORDER BY a.attnum),
                string_agg(CASE WHEN u.number = ANY (p_step.columns) THEN pgtrack._new_value(p_step, p_shape, u.number::integer)
                                ELSE format('t.%s', c.name) END, ', ' ORDER BY a.attnum),
                s.source, p_shape.live_table, s.is_place)
  FROM pgtrack._step_source(p_step, p_shape) s
  JOIN pg_attribute a ON a.attrelid = p_shape.name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  CROSS JOIN LATERAL quote_ident(a.attname) AS c (name)
  LEFT JOIN unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) ON u.name = c.name
  GROUP BY s.source, s.is_place;
END;
COMMENT ON FUNCTION pgtrack._exchange_sql(pgtrack._step, pgtrack.relation_shape) IS 'The part that inserts the rows again that a step exchanges.';

-- Deletes come first and inserts last, so that a unique value is free before it is used again: each kind waits for the
-- parts before it, and steps that have an order for each other.
CREATE OR REPLACE FUNCTION pgtrack._parts(p_steps pgtrack._step[], p_shape pgtrack.relation_shape)
RETURNS TABLE (phase text, name text, kind text, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.phase, x.name, s.kind, format('%s AS (%s RETURNING 1)', x.name, x.query)
  FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
  CROSS JOIN LATERAL (SELECT p_steps[s.step] AS step,
                             format('%s_%s', s.number, s.step) AS id) r
  CROSS JOIN LATERAL pgtrack._step_source(r.step, p_shape) f
  CROSS JOIN LATERAL (
    SELECT 'deleted', format('deleted_%s', r.id),
           format('DELETE FROM %s t USING %s WHERE %s AND (TABLE planned) IS NOT NULL', p_shape.live_table, f.source, f.is_place)
    WHERE s.kind IN ('delete', 'exchange')
    UNION ALL
    SELECT 'updated', format('updated_%s', r.id),
           format('UPDATE %s t SET %s FROM %s WHERE %s AND (%s) IS NOT NULL', p_shape.live_table,
                  (SELECT string_agg(format('%s = %s', p_shape.updated[c], pgtrack._new_value(r.step, p_shape, c)), ', ') FROM unnest(s.columns) c),
                  f.source, f.is_place,
                  CASE WHEN s.is_ordered AND p_steps[s.step - 1].is_ordered THEN format('SELECT count(*) FROM updated_%s_%s', s.number, s.step - 1)
                       ELSE 'TABLE deleted' END)
    WHERE s.kind = 'update'
    UNION ALL
    SELECT 'inserted', format('inserted_%s', r.id),
           format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s WHERE (TABLE updated) IS NOT NULL',
                  p_shape.name, (SELECT string_agg(p_shape.inserted[c], ', ') FROM unnest(s.columns) c),
                  (SELECT string_agg(p_shape.inserted_values[c], ', ') FROM unnest(s.columns) c),
                  CASE WHEN s.images IS NULL THEN format('(SELECT h.* FROM %s h WHERE h.ctid = ANY (%L::tid[])) h', p_shape.history, s.handles) ELSE f.source END)
    WHERE s.kind = 'insert'
    UNION ALL
    SELECT 'inserted', format('inserted_%s', r.id), pgtrack._exchange_sql(r.step, p_shape)
    WHERE s.kind = 'exchange'
  ) AS x (phase, name, query);
END;
COMMENT ON FUNCTION pgtrack._parts(pgtrack._step[], pgtrack.relation_shape) IS
  'The parts of the statement that does a revert that are about one table.';

CREATE OR REPLACE FUNCTION pgtrack._undo_sql(p_work pgtrack._work[], p_steps pgtrack._step[], p_columns text[], p_writer name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $_undo_sql$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_steps    pgtrack._step[];
  v_parts    record;
  v_deletes  text[] := '{}';
  v_updates  text[] := '{}';
  v_inserts  text[] := '{}';
  v_deleted  text[] := '{}';
  v_updated  text[] := '{}';
  v_counts   text[] := '{}';
BEGIN
  FOR n IN 1 .. cardinality(p_work) LOOP
    v_shape := pgtrack._with_targets(pgtrack._shape(p_work[n].relid, p_columns), p_work[n], p_columns);
    v_steps := ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.number = n);
    SELECT array_agg(p.query) FILTER (WHERE p.phase = 'deleted') AS deletes,
           array_agg(p.query) FILTER (WHERE p.phase = 'updated') AS updates,
           array_agg(p.query) FILTER (WHERE p.phase = 'inserted') AS inserts,
           array_agg(p.name) FILTER (WHERE p.phase = 'deleted') AS deleted,
           array_agg(p.name) FILTER (WHERE p.phase = 'updated') AS updated,
           array_agg(p.name) FILTER (WHERE p.kind = 'delete') AS deleted_rows,
           array_agg(p.name) FILTER (WHERE p.phase = 'updated' OR p.kind = 'exchange' AND p.phase = 'inserted') AS updated_rows,
           array_agg(p.name) FILTER (WHERE p.kind = 'insert') AS inserted_rows
    INTO v_parts FROM pgtrack._parts(v_steps, v_shape) p;
    v_deletes := v_deletes || v_parts.deletes;
    v_updates := v_updates || v_parts.updates;
    v_inserts := v_inserts || v_parts.inserts;
    v_deleted := v_deleted || v_parts.deleted;
    v_updated := v_updated || v_parts.updated;
    v_counts := v_counts || format('SELECT %L AS "table", %s AS inserted, %s AS updated, %s AS deleted, %s AS hidden', v_shape.name,
                                   pgtrack._sum(v_parts.inserted_rows), pgtrack._sum(v_parts.updated_rows), pgtrack._sum(v_parts.deleted_rows),
                                   pgtrack._hidden_sql(p_work[n], v_steps, v_shape, p_writer));
  END LOOP;
  RETURN format(E'WITH %s\n%s',
    array_to_string(pgtrack._planned_sql() || v_deletes || format('deleted AS (SELECT %s FROM planned)', pgtrack._sum(v_deleted))
                    || v_updates || format('updated AS (SELECT (TABLE deleted) + %s)', pgtrack._sum(v_updated)) || v_inserts, E',\n'),
    array_to_string(v_counts, E'\nUNION ALL\n'));
END
$_undo_sql$;
COMMENT ON FUNCTION pgtrack._undo_sql(pgtrack._work[], pgtrack._step[], text[], name) IS
  'The one statement that does a revert; of rows that are updated only some columns if they are named. '
  'It returns what was done to each table.';

-- ==== undoing/hidden.sql ====

-- Where row security, or a right that is missing, hides rows or history from the role that writes, a revert would do a
-- part of what was planned and say nothing. There its statement looks, too, how many rows it finds.
CREATE OR REPLACE FUNCTION pgtrack._may_hide(p_table regclass, p_role name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_role = current_user THEN row_security_active(p_table)
              -- Of another role nothing tells but this: it is the owner.
              ELSE c.relrowsecurity AND c.relforcerowsecurity AND NOT (r.rolsuper OR r.rolbypassrls) END
         OR NOT has_table_privilege(p_role, p_table, 'SELECT')
  FROM pg_class c JOIN pg_roles r ON r.rolname = p_role
  WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._may_hide(regclass, name) IS
  'Whether a role, the present or the owner of a table, may not see all of its rows and history.';

CREATE OR REPLACE FUNCTION pgtrack._has_row_trigger(p_table regclass, p_event integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- 1: for each row, 2: before.
  SELECT EXISTS (SELECT FROM pgtrack._members(p_table) m JOIN pg_trigger t ON t.tgrelid = m.relid
                 WHERE NOT t.tgisinternal AND t.tgtype & (3 | p_event) = 3 | p_event);
END;
COMMENT ON FUNCTION pgtrack._has_row_trigger(regclass, integer) IS
  'Whether a trigger of the application may leave a row as it is: event 8 is DELETE, 16 UPDATE, as in pg_trigger.tgtype.';

CREATE OR REPLACE FUNCTION pgtrack._hidden_sql(p_work pgtrack._work, p_steps pgtrack._step[], p_shape pgtrack.relation_shape, p_role name)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._may_hide(p_work.relid, p_role) THEN concat_ws(' + ', format(
      '(SELECT %s - count(*) FROM %s h WHERE h.ctid = ANY (%L::tid[]))',
      coalesce(cardinality(p_work.inserts), 0), p_shape.history, p_work.inserts), (
    SELECT string_agg(format('(SELECT %s - count(*) FROM %s)', coalesce(s.row_count, cardinality(s.places)), CASE
        WHEN NOT pgtrack._has_row_trigger(p_work.relid, CASE s.kind WHEN 'delete' THEN 8 ELSE 16 END)
        -- Policies for UPDATE and DELETE may be narrower than those for SELECT.
        THEN format('%s_%s_%s', CASE s.kind WHEN 'delete' THEN 'deleted' WHEN 'update' THEN 'updated' ELSE 'inserted' END, s.number, s.step)
        ELSE format('%s JOIN %s t ON %s', f.source, p_shape.live_table, f.is_place) END), ' + ')
    FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
    CROSS JOIN LATERAL pgtrack._step_source(p_steps[s.step], p_shape) f
    WHERE s.kind <> 'insert' OR s.images IS NOT NULL))
  ELSE '0::bigint' END;
END;
COMMENT ON FUNCTION pgtrack._hidden_sql(pgtrack._work, pgtrack._step[], pgtrack.relation_shape, name) IS
  'The expression, in the statement that does a revert, for how many of the rows that are planned it does not find.';

-- ==== undoing/collisions.sql ====

-- Unique indexes and exclusion constraints that are not deferrable are checked for each row at once, so a row can get a
-- value only after the row that has it. Which rows wait for which is asked of the values beforehand, not found out by
-- trying: what triggers do outside of the transaction would be done twice. The values are looked at as the role that
-- writes: expressions, predicates and operators may be code of the table's owner.
CREATE OR REPLACE FUNCTION pgtrack._checked_indexes(p_table regclass, p_changed text[])
RETURNS TABLE (relid regclass, index oid, name name, is_exclusion boolean, same_nulls boolean, columns name[], predicate text,
               keys text[], operators oid[], leaf oid, bounds text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex'
BEGIN ATOMIC
  SELECT m.relid::regclass, i.indexrelid, k.relname, i.indisexclusion, i.indnullsnotdistinct, u.columns, pg_get_expr(i.indpred, i.indrelid),
         e.keys, e.operators, CASE WHEN m.relid <> p_table THEN m.relid END,
         CASE WHEN m.relid <> p_table THEN pg_get_partition_constraintdef(m.relid) END
  FROM pgtrack._members(p_table) m
  JOIN pg_index i ON i.indrelid = m.relid AND (i.indisunique OR i.indisexclusion) AND i.indimmediate AND i.indisready
  JOIN pg_class k ON k.oid = i.indexrelid
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.conexclop IS NOT NULL
  CROSS JOIN LATERAL (
    SELECT array_agg(a.attname ORDER BY a.attnum) AS columns, bool_or(a.attgenerated <> '' OR quote_ident(a.attname) = ANY (p_changed)) AS is_changed
    FROM pg_attribute a
    -- A row that comes from another partition is told by columns that are not in the index.
    WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
      AND (m.relid <> p_table OR a.attnum = ANY ((i.indkey::smallint[])[:i.indnkeyatts - 1])
           OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))) u
  CROSS JOIN LATERAL (
    SELECT array_agg(format('(%s)%s', pg_get_indexdef(i.indexrelid, p.n, false),
                            (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                             WHERE l.oid = (i.indcollation::oid[])[p.n - 1])) ORDER BY p.n) AS keys,
           array_agg(coalesce(c.conexclop[p.n], (
             SELECT o.amopopr FROM pg_opclass s JOIN pg_amop o ON o.amopfamily = s.opcfamily AND o.amoplefttype = s.opcintype
             AND o.amoprighttype = s.opcintype AND o.amopstrategy = 3 WHERE s.oid = (i.indclass::oid[])[p.n - 1])) ORDER BY p.n) AS operators
    FROM generate_series(1, i.indnkeyatts::integer) AS p (n)) e
  -- A primary key is changed apart; an index of a partition that is one of the whole table's is checked as that.
  WHERE u.is_changed AND NOT i.indisprimary
    AND (m.relid = p_table OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
    -- A row as a whole cannot be made of some columns.
    AND strpos(concat(e.keys::text, pg_get_expr(i.indpred, i.indrelid)), format('%I.*', (SELECT r.relname FROM pg_class r WHERE r.oid = m.relid))) = 0;
END;
COMMENT ON FUNCTION pgtrack._checked_indexes(regclass, text[]) IS
  'The unique indexes and exclusion constraints of a table that are checked row by row and have one of some columns in them.';

-- Of a generated column the image says what it was.
CREATE OR REPLACE FUNCTION pgtrack._row_of_columns(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_table regclass, p_columns name[],
                                                   OUT present text, OUT wanted text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('t.%I', a.attname), ', '),
         string_agg(format('(%s)::%s AS %I', CASE
           WHEN u.number = ANY (p_step.columns) THEN pgtrack._new_value(p_step, p_shape, u.number::integer)
           WHEN a.attgenerated <> '' THEN coalesce(
             (SELECT p.old FROM pgtrack._column_parts(p_shape.relation_id, p_table, NULL) p WHERE p.column_name = a.attname), format('t.%I', a.attname))
           ELSE format('t.%I', a.attname) END, format_type(a.atttypid, a.atttypmod), a.attname), ', ')
  FROM unnest(p_columns) c
  JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = c
  LEFT JOIN unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) ON u.name = quote_ident(a.attname);
END;
COMMENT ON FUNCTION pgtrack._row_of_columns(pgtrack._step, pgtrack.relation_shape, regclass, name[]) IS
  'Columns of a row as they are, and as a step makes them.';

-- The rows are numbered through all steps that have something to do with an index; p_rows is all of them as one step.
CREATE OR REPLACE FUNCTION pgtrack._collisions_sql(p_rows pgtrack._step, p_shape pgtrack.relation_shape, p_table regclass, p_changed text[])
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('WITH h AS MATERIALIZED (SELECT h.* FROM %s) SELECT'
                ' coalesce(array_agg(c.index), ''{}'') AS indexes, coalesce(array_agg(c.follower), ''{}'') AS followers,'
                ' coalesce(array_agg(c.leader), ''{}'') AS leaders FROM (%s) c', min(s.source), string_agg(format(
    'SELECT %s::oid AS index, w.number AS follower, p.number AS leader FROM'
    ' (SELECT h.pgtrack_number::integer AS number, e.* FROM h JOIN %s t ON %s CROSS JOIN LATERAL (SELECT %s FROM (SELECT %s) %I%s OFFSET 0) e) w JOIN'
    ' (SELECT h.pgtrack_number::integer AS number, e.* FROM h JOIN %2$s t ON %12$s%8$s CROSS JOIN LATERAL (SELECT %4$s FROM (SELECT %9$s) %6$I%10$s OFFSET 0) e) p'
    ' ON w.number <> p.number AND %11$s',
    x.index::text, p_shape.live_table, concat(s.is_place, CASE WHEN x.bounds IS NULL THEN f.is_in_leaf END), k.list, r.wanted, n.relname,
    ' WHERE ' || nullif(concat_ws(' AND ', x.bounds, x.predicate), ''), f.is_in_leaf, r.present, ' WHERE ' || x.predicate, k.equal, s.is_place),
    ' UNION ALL '))
  FROM pgtrack._checked_indexes(p_table, p_changed) x
  JOIN pg_class n ON n.oid = x.relid
  CROSS JOIN LATERAL pgtrack._step_source(p_rows, p_shape) s
  CROSS JOIN LATERAL (SELECT ' AND t.tableoid = ' || x.leaf AS is_in_leaf) f
  CROSS JOIN LATERAL pgtrack._row_of_columns(p_rows, p_shape, p_table, x.columns) r
  CROSS JOIN LATERAL (
    SELECT string_agg(format('%s AS e%s', u.key, u.n), ', ' ORDER BY u.n) AS list,
           CASE WHEN x.same_nulls AND NOT x.is_exclusion
             THEN format('ROW(%s)::record OPERATOR(pg_catalog.=) ROW(%s)::record',
                         string_agg(format('w.e%s', u.n), ', ' ORDER BY u.n), string_agg(format('p.e%s', u.n), ', ' ORDER BY u.n))
             ELSE string_agg(pgtrack._equal_sql(u.operator, 'pg_catalog.=', format('w.e%s', u.n), format('p.e%s', u.n)), ' AND ' ORDER BY u.n) END AS equal
    FROM unnest(x.keys, x.operators) WITH ORDINALITY AS u (key, operator, n)) k;
END;
COMMENT ON FUNCTION pgtrack._collisions_sql(pgtrack._step, pgtrack.relation_shape, regclass, text[]) IS
  'The query for which rows of a revert get a value that another one has, which it has to give up before; null where no index is concerned.';

-- ==== undoing/order.sql ====

-- Rows in an order in which each comes after those that it waits for. Whoever is in a circle waits for ever: one row of
-- each circle is taken out, to be deleted before all others and inserted after them. Of the rows that may come next, one
-- of the same step is taken as long as there is one.
CREATE OR REPLACE FUNCTION pgtrack._in_turn(p_steps integer[], p_followers integer[], p_leaders integer[],
                                            OUT turns integer[], OUT runs integer[], OUT exchanged integer[], OUT circles integer[])
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_in_turn$
DECLARE
  v_rows     integer := cardinality(p_steps);
  v_edges    integer := cardinality(p_leaders);
  -- The edges of each row, as lists: those to rows that wait for it, and to rows that it waits for.
  v_first    integer[] := array_fill(0, ARRAY[v_rows]);
  v_next     integer[] := array_fill(0, ARRAY[v_edges]);
  v_waits    integer[] := array_fill(0, ARRAY[v_rows]);
  v_back     integer[] := array_fill(0, ARRAY[v_rows]);
  v_further  integer[] := array_fill(0, ARRAY[v_edges]);
  v_state    integer[] := array_fill(-1, ARRAY[v_rows]);
  v_ready    integer[] := array_fill(0, ARRAY[(SELECT max(s) FROM unnest(p_steps) s)]);
  v_below    integer[] := array_fill(0, ARRAY[v_rows]);
  v_step     integer := 1;
  v_run      integer := 0;
  v_row      integer;
  v_edge     integer;
  v_seek     integer := 1;
  v_walk     integer := 0;
BEGIN
  turns := '{}';
  runs := '{}';
  exchanged := '{}';
  circles := '{}';
  -- State: -1 in no edge, 0 waiting, -2 done, more than 0 the walk that came by last.
  FOR e IN 1 .. v_edges LOOP
    v_next[e] := v_first[p_leaders[e]];
    v_first[p_leaders[e]] := e;
    v_further[e] := v_back[p_followers[e]];
    v_back[p_followers[e]] := e;
    v_waits[p_followers[e]] := v_waits[p_followers[e]] + 1;
    v_state[p_followers[e]] := 0;
    v_state[p_leaders[e]] := 0;
  END LOOP;
  FOR r IN REVERSE v_rows .. 1 LOOP
    IF v_state[r] = 0 AND v_waits[r] = 0 THEN
      v_below[r] := v_ready[p_steps[r]];
      v_ready[p_steps[r]] := r;
    END IF;
  END LOOP;
  LOOP
    IF v_run = 0 OR v_ready[v_step] = 0 THEN
      SELECT s INTO v_step FROM generate_subscripts(v_ready, 1) s WHERE v_ready[s] > 0 LIMIT 1;
      v_run := v_run + 1;
    END IF;
    IF v_step IS NOT NULL THEN
      v_row := v_ready[v_step];
      v_ready[v_step] := v_below[v_row];
      turns := turns || v_row;
      runs := runs || v_run;
    ELSE
      v_step := 1;
      WHILE v_seek <= v_rows AND v_state[v_seek] < 0 LOOP
        v_seek := v_seek + 1;
      END LOOP;
      EXIT WHEN v_seek > v_rows;
      v_walk := v_walk + 1;
      v_row := v_seek;
      WHILE v_state[v_row] <> v_walk LOOP
        v_state[v_row] := v_walk;
        WHILE v_state[p_leaders[v_back[v_row]]] = -2 LOOP
          v_back[v_row] := v_further[v_back[v_row]];
        END LOOP;
        v_row := p_leaders[v_back[v_row]];
      END LOOP;
      exchanged := exchanged || v_row;
      circles := circles || v_back[v_row];
    END IF;
    v_state[v_row] := -2;
    v_edge := v_first[v_row];
    WHILE v_edge > 0 LOOP
      v_waits[p_followers[v_edge]] := v_waits[p_followers[v_edge]] - 1;
      IF v_waits[p_followers[v_edge]] = 0 AND v_state[p_followers[v_edge]] >= 0 THEN
        v_below[p_followers[v_edge]] := v_ready[p_steps[p_followers[v_edge]]];
        v_ready[p_steps[p_followers[v_edge]]] := p_followers[v_edge];
      END IF;
      v_edge := v_next[v_edge];
    END LOOP;
  END LOOP;
END
$_in_turn$;
COMMENT ON FUNCTION pgtrack._in_turn(integer[], integer[], integer[]) IS
  'Orders the rows that have edges: their turns, in runs of one step each; which rows have to be exchanged, and by which edge each is in a circle.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_circle(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_obstacle text, p_index oid, p_rows tid[])
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_circle$
DECLARE
  v_keys          text;
  v_is_exclusion  boolean := (SELECT i.indisexclusion FROM pg_index i WHERE i.indexrelid = p_index);
  v_name          name := (SELECT c.relname FROM pg_class c WHERE c.oid = p_index);
BEGIN
  EXECUTE format('SELECT string_agg(format(''(%%s)'', pgtrack._key_text(%s)), '' and '' ORDER BY h.ctid) FROM %s h WHERE h.ctid = ANY ($1)',
                 p_shape.key_json, p_shape.history)
  INTO v_keys USING p_rows;
  RAISE EXCEPTION 'rows of % cannot be set back one after the other', p_shape.name USING
    ERRCODE = CASE WHEN v_is_exclusion THEN '23P01' ELSE '23505' END,
    DETAIL = format('%s are in each other''s way by %I, and a row that is deleted and inserted again would mean something else to the %s.',
                    v_keys, v_name, p_obstacle),
    HINT = 'Give one of the rows another value and undo with on_conflict => ''force''; or make the constraint DEFERRABLE.',
    CONSTRAINT = v_name, TABLE = p_work.relid::regclass::text;
END
$_refuse_circle$;
COMMENT ON FUNCTION pgtrack._refuse_circle(pgtrack._work, pgtrack.relation_shape, text, oid, tid[]) IS
  'Refuses rows whose values go round in a circle and that cannot be exchanged.';

-- All rows of a table that are updated, as one step whose columns are those of any.
CREATE OR REPLACE FUNCTION pgtrack._as_one_step(p_steps pgtrack._step[], p_length integer, OUT step pgtrack._step, OUT origins integer[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ROW(min(s.number), 'update', (SELECT array_agg(DISTINCT c ORDER BY c) FROM unnest(p_steps) u CROSS JOIN LATERAL unnest(u.columns) c WHERE u.kind = 'update'),
             array_agg(x.place ORDER BY s.step, x.n), array_agg(x.leaf ORDER BY s.step, x.n) FILTER (WHERE x.leaf IS NOT NULL),
             array_agg(x.handle ORDER BY s.step, x.n), array_agg(coalesce(x.mask, s.whole) ORDER BY s.step, x.n), true, true, NULL, NULL)::pgtrack._step,
         array_agg(s.step::integer ORDER BY s.step, x.n)
  FROM (SELECT s.*, pgtrack._mask(s.columns, p_length) AS whole
        FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
        WHERE s.kind = 'update') s
  CROSS JOIN LATERAL ROWS FROM (unnest(s.places), unnest(s.leaves), unnest(s.handles), unnest(s.masks)) WITH ORDINALITY AS x (place, leaf, handle, mask, n);
END;
COMMENT ON FUNCTION pgtrack._as_one_step(pgtrack._step[], integer) IS 'The rows that steps update as one step, and of which step each is.';

CREATE OR REPLACE FUNCTION pgtrack._reordered(p_steps pgtrack._step[], p_all pgtrack._step, p_origins integer[], p_turns integer[], p_runs integer[],
                                              p_exchanged integer[])
RETURNS pgtrack._step[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH row AS MATERIALIZED (
    SELECT x.*, t.turn, t.run, e.number IS NOT NULL AS is_exchanged
    FROM ROWS FROM (unnest(p_all.places), unnest(p_all.leaves), unnest(p_all.handles), unnest(p_all.masks), unnest(p_origins))
      WITH ORDINALITY AS x (place, leaf, handle, mask, origin, number)
    LEFT JOIN unnest(p_turns, p_runs) WITH ORDINALITY AS t (number, run, turn) ON t.number = x.number
    LEFT JOIN unnest(p_exchanged) AS e (number) ON e.number = x.number
  ), step AS (
    SELECT r.origin, r.run, r.is_exchanged, array_agg(r.place ORDER BY r.turn, r.number) AS places,
           array_agg(r.leaf ORDER BY r.turn, r.number) FILTER (WHERE r.leaf IS NOT NULL) AS leaves,
           array_agg(r.handle ORDER BY r.turn, r.number) AS handles, array_agg(r.mask ORDER BY r.turn, r.number) AS masks
    FROM row r GROUP BY r.origin, r.run, r.is_exchanged
  )
  SELECT ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.kind <> 'update')
      || ARRAY(SELECT ROW(o.number, CASE WHEN s.is_exchanged THEN 'exchange' ELSE 'update' END, o.columns, s.places, s.leaves, s.handles,
                          CASE WHEN o.masks IS NOT NULL OR s.is_exchanged THEN s.masks END, o.is_moved, s.run IS NOT NULL, NULL, NULL)::pgtrack._step
               FROM step s
               CROSS JOIN LATERAL (SELECT p_steps[s.origin] AS step) p
               CROSS JOIN LATERAL (SELECT (p.step).number, (p.step).columns, (p.step).masks, (p.step).is_moved) o
               ORDER BY s.run NULLS FIRST);
END;
COMMENT ON FUNCTION pgtrack._reordered(pgtrack._step[], pgtrack._step, integer[], integer[], integer[], integer[]) IS
  'Steps with those rows in turn that wait for each other.';

CREATE OR REPLACE FUNCTION pgtrack._in_order(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[], p_writer name)
RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_in_order$
DECLARE
  v_changed     text[] := ARRAY(SELECT DISTINCT p_shape.updated[c] FROM unnest(p_steps) s CROSS JOIN LATERAL unnest(s.columns) c WHERE s.kind = 'update');
  v_all         record;
  v_query       text;
  v_collisions  record;
  v_turns       record;
  v_obstacle    text;
BEGIN
  IF v_changed = '{}' OR NOT EXISTS (SELECT FROM pgtrack._checked_indexes(p_work.relid, v_changed)) THEN
    RETURN p_steps;
  END IF;
  SELECT * INTO v_all FROM pgtrack._as_one_step(p_steps, cardinality(p_shape.updated));
  v_query := pgtrack._collisions_sql(v_all.step, p_shape, p_work.relid, v_changed);
  IF p_writer <> current_user THEN
    v_query := format('SELECT r.* FROM pgtrack._as_role(%L, ''{}'', %L) j CROSS JOIN LATERAL jsonb_to_record(j)'
                      ' AS r (indexes oid[], followers integer[], leaders integer[])', p_writer, v_query);
  END IF;
  EXECUTE v_query INTO v_collisions;
  IF v_collisions.leaders = '{}' THEN
    RETURN p_steps;
  END IF;
  SELECT * INTO v_turns FROM pgtrack._in_turn(v_all.origins, v_collisions.followers, v_collisions.leaders);
  IF v_turns.exchanged <> '{}' THEN
    v_obstacle := pgtrack._exchange_obstacle(p_work.relid);
    IF v_obstacle IS NOT NULL THEN
      PERFORM pgtrack._refuse_circle(p_work, p_shape, v_obstacle, v_collisions.indexes[v_turns.circles[1]],
                                     ARRAY[(v_all.step).handles[v_turns.exchanged[1]],
                                           (v_all.step).handles[v_collisions.leaders[v_turns.circles[1]]]]);
    END IF;
  END IF;
  RETURN pgtrack._reordered(p_steps, v_all.step, v_all.origins, v_turns.turns, v_turns.runs, v_turns.exchanged);
END
$_in_order$;
COMMENT ON FUNCTION pgtrack._in_order(pgtrack._work, pgtrack.relation_shape, pgtrack._step[], name) IS
  'The steps of a revert in an order that unique indexes and exclusion constraints allow.';

-- ==== undoing/apply.sql ====

-- The statement is planned so that it takes the rows one by one, in the order in which they are given, from where they
-- are: no estimate of the planner changes the order, or makes it read a whole table or history for some rows. Whatever
-- runs in it is planned with the settings that were in force before: the first part sets them back.
CREATE OR REPLACE FUNCTION pgtrack._plan_settings() RETURNS TABLE (name text, value text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  VALUES ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_seqscan', 'off'), ('enable_nestloop', 'on'), ('enable_tidscan', 'on'),
         ('jit', 'off');
END;
COMMENT ON FUNCTION pgtrack._plan_settings() IS 'The settings under which the statement of a revert is planned.';

CREATE OR REPLACE FUNCTION pgtrack._planned_sql() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('planned AS MATERIALIZED (SELECT concat(%s))', string_agg(format('set_config(%L, %L, true)', s.name, s.value), ', '))
  FROM (SELECT p.name, current_setting(p.name) AS value FROM pgtrack._plan_settings() p UNION ALL SELECT n.name, n.value FROM pgtrack._noted_settings() n) s;
END;
COMMENT ON FUNCTION pgtrack._planned_sql() IS 'The part of a statement that sets back the settings under which it was planned.';

CREATE OR REPLACE FUNCTION pgtrack._all_steps(p_work pgtrack._work[], p_columns text[], p_writer name) RETURNS pgtrack._step[]
-- To compile its queries takes longer than to run them.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_all_steps$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_steps  pgtrack._step[];
  v_all    pgtrack._step[] := '{}';
BEGIN
  FOR n IN 1 .. cardinality(p_work) LOOP
    v_shape := pgtrack._with_targets(pgtrack._shape(p_work[n].relid, p_columns), p_work[n], p_columns);
    v_steps := pgtrack._steps(p_work[n], v_shape, n);
    PERFORM pgtrack._refuse_missing_rights(p_work[n], v_shape, v_steps, p_writer), pgtrack._refuse_fixed(p_work[n], v_shape, v_steps);
    v_all := v_all || pgtrack._in_order(p_work[n], v_shape, v_steps, p_writer);
  END LOOP;
  RETURN v_all;
END
$_all_steps$;
COMMENT ON FUNCTION pgtrack._all_steps(pgtrack._work[], text[], name) IS 'The steps of a revert, or why it cannot be done.';

CREATE OR REPLACE FUNCTION pgtrack._apply(p_work pgtrack._work[], p_message text, p_columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_apply$
DECLARE
  v_message  text := current_setting('pgtrack.message', true);
  -- Before code of anybody else may have set another.
  v_settings text[];
  v_path     text := pgtrack._noted_path();
  v_setting  text;
  v_writer   name;
  v_steps    pgtrack._step[] := '{}';
  v_query    text;
  v_hidden   bigint;
  v_done     jsonb := '{}';
  v_left     record;
BEGIN
  v_writer := pgtrack._writer(p_work);
  v_steps := pgtrack._all_steps(p_work, p_columns, v_writer);
  PERFORM pgtrack._refuse_cascades(p_work, v_steps, p_columns, v_writer);
  v_query := pgtrack._undo_sql(p_work, v_steps, p_columns, v_writer);
  v_settings := ARRAY(SELECT format('SET LOCAL %I = %L', p.name, p.value) FROM pgtrack._plan_settings() p);
  IF v_writer <> current_user THEN
    v_query := format('SELECT r.* FROM pgtrack._as_role(%L, %L, %L, %L) j CROSS JOIN LATERAL pg_catalog.jsonb_to_record(j)'
                      ' AS r ("table" text, inserted bigint, updated bigint, deleted bigint, hidden bigint)',
                      v_writer, v_settings, v_query, v_path);
    v_path := 'pg_catalog, pg_temp';
    v_settings := '{}';
  END IF;
  -- The triggers that record this read why it is done.
  PERFORM set_config('pgtrack.message', coalesce(p_message, v_message, ''), true);
  PERFORM set_config('search_path', v_path, true);
  FOREACH v_setting IN ARRAY v_settings LOOP
    EXECUTE v_setting;
  END LOOP;
  FOR "table", inserted, updated, deleted, v_hidden IN EXECUTE v_query LOOP
    IF v_hidden OPERATOR(pg_catalog.>) 0 THEN
      RAISE EXCEPTION 'row security hides % of the rows of % that this would change', v_hidden, "table" USING
        ERRCODE = 'insufficient_privilege',
        DETAIL = pg_catalog.format('They were planned, but %s does not see or may not change them all. Nothing has been changed.', v_writer),
        HINT = 'Let a role do it that the policies let change all of them.';
    END IF;
    v_done := v_done OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object("table", inserted OPERATOR(pg_catalog.+) deleted);
    RETURN NEXT;
  END LOOP;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), pg_catalog.set_config('row_security', 'on', true),
          pg_catalog.set_config('quote_all_identifiers', 'off', true);
  PERFORM set_config('pgtrack.message', coalesce(v_message, ''), true);
  SELECT x.name, x.count - (v_done ->> x.name)::bigint AS count INTO v_left
  FROM unnest(p_work) w
  CROSS JOIN LATERAL (
    SELECT pgtrack._name(w.relid) AS name,
           coalesce(cardinality(w.inserts), 0) + coalesce(cardinality(w.deletes), 0) + coalesce(cardinality(w.deleted_keys), 0)
           + (SELECT coalesce(sum(s.row_count), 0) FROM unnest(w.steps) s WHERE s.kind <> 'update') AS count) x
  WHERE x.count > (v_done ->> x.name)::bigint LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '% rows of % are as they were', v_left.count, v_left.name USING
      ERRCODE = 'triggered_data_change_violation',
      DETAIL = 'A trigger or rule of the table has kept them from being inserted or deleted. Nothing has been changed.',
      HINT = 'Disable it for the undo, or undo the other rows alone.';
  END IF;
  PERFORM pgtrack._report_differences(p_work, p_columns);
END
$_apply$;
COMMENT ON FUNCTION pgtrack._apply(pgtrack._work[], text, text[]) IS
  'Does a revert, in one statement; of rows that are updated only some columns if they are named. Returns what it did to each table.';

-- ==== undoing/differences.sql ====

-- The columns of foreign keys that follow what the same revert does to other rows. One of those may have the value that a row
-- has just been given: ON UPDATE CASCADE takes that along.
CREATE OR REPLACE FUNCTION pgtrack._following_columns(p_table regclass, p_tables regclass[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(DISTINCT a.attname), '{}')
  FROM unnest(p_tables) t
  CROSS JOIN LATERAL pgtrack._foreign_keys_to(t) c
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
  WHERE c.confupdtype IN ('c', 'n', 'd') AND pgtrack._table_with(c.conrelid, ARRAY[p_table]) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._following_columns(regclass, regclass[]) IS
  'The columns of a table that foreign keys change where rows of some tables that they refer to are changed.';

CREATE OR REPLACE FUNCTION pgtrack._report_differences(p_work pgtrack._work[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_report_differences$
DECLARE
  v_work       pgtrack._work;
  v_shape      record;
  v_following  name[];
  v_images     text;
  v_columns    name[];
  v_rows       bigint;
BEGIN
  FOREACH v_work IN ARRAY p_work LOOP
    v_following := pgtrack._following_columns(v_work.relid, ARRAY(SELECT w.relid FROM unnest(p_work) w));
    CONTINUE WHEN v_following = '{}' AND NOT EXISTS (
      SELECT FROM pgtrack._members(v_work.relid) m JOIN pg_trigger t ON t.tgrelid = m.relid JOIN pg_proc p ON p.oid = t.tgfoid
      WHERE NOT t.tgisinternal AND p.pronamespace <> 'pgtrack_history'::regnamespace);
    SELECT * INTO v_shape FROM pgtrack._shape(v_work.relid);
    SELECT string_agg(x.images, ' UNION ALL ') INTO v_images
    FROM (SELECT format('SELECT h.* FROM %s h WHERE h.ctid = ANY ($1)', v_shape.history) AS images
          UNION ALL SELECT s.images FROM unnest(v_work.steps) s WHERE s.kind <> 'delete') x;
    -- Most rows are as they should be, and need no list of names.
    EXECUTE format('SELECT array_agg(DISTINCT x.name::name), count(DISTINCT x.place)'
                   ' FROM (SELECT ROW(t.tableoid, t.ctid) AS place, pgtrack_differing.name FROM (%1$s) h JOIN %2$s t ON %3$s AND %4$s <> ''{}'''
                   ' CROSS JOIN LATERAL unnest(%4$s) AS pgtrack_differing (name)) x WHERE $2 IS NULL OR x.name = ANY ($2)',
                   v_images, v_shape.live_table, v_shape.live_is_history, v_shape.differing)
    INTO v_columns, v_rows
    USING coalesce(v_work.inserts, '{}') || coalesce(v_work.updates, '{}') || coalesce(v_work.keyed_updates, '{}'), p_columns;
    IF v_columns && v_following THEN
      RAISE EXCEPTION 'foreign keys changed % rows of % that were set back', v_rows, v_shape.name USING
        ERRCODE = 'triggered_data_change_violation',
        DETAIL = format('Values that they refer to have passed from one row to another, and their ON UPDATE actions followed them. Columns: %s. Nothing has been changed.',
                        (SELECT string_agg(quote_ident(c), ', ') FROM unnest(v_columns) c)),
        HINT = 'Set these values back by UPDATEs of your own, one after another; pgtrack.changes() shows them.';
    ELSIF v_rows > 0 THEN
      RAISE NOTICE 'the triggers of % changed columns of % rows that were reverted: %', v_shape.name, v_rows,
        (SELECT string_agg(quote_ident(c), ', ') FROM unnest(v_columns) c);
    END IF;
  END LOOP;
END
$_report_differences$;
COMMENT ON FUNCTION pgtrack._report_differences(pgtrack._work[], text[]) IS
  'Tells which columns are not what a revert has set them to, because triggers of the application changed them; where foreign keys did, it is refused.';

-- ==== undoing/forgetting.sql ====

-- Rows that follow a key by ON UPDATE CASCADE may have a key by that, of which others are made to forget.
CREATE OR REPLACE FUNCTION pgtrack._refuse_forgetting(p_key pg_constraint, p_acted_on text, p_writer name, p_tables regclass[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_forgetting$
DECLARE
  -- All that the query looks into.
  v_tables   regclass[] := p_tables || p_key.conrelid::regclass;
  v_depth    integer := cardinality(v_tables);
  v_readers  name[];
  v_query    text;
  v_count    bigint;
BEGIN
  v_query := format('%s, p%s AS (SELECT t.* FROM %s t JOIN %s p ON %s)', p_acted_on, v_depth, p_key.conrelid::regclass,
                    CASE v_depth WHEN 1 THEN 'p' ELSE format('p%s', v_depth - 1) END, pgtrack._live_refers_sql(p_key));
  -- One that has gone round to itself ends somewhere.
  PERFORM pgtrack._refuse_forgetting(f, v_query, p_writer, v_tables) FROM pgtrack._followers(p_key) f WHERE f.confupdtype = 'c' AND v_depth < 5;
  SELECT format('%s SELECT %s AS count', v_query, string_agg(format('(SELECT count(*) FROM %s t JOIN p%s p ON %s)', f.conrelid::regclass, v_depth,
                                                                    pgtrack._live_refers_sql(f)), ' + ')),
         v_tables || array_agg(f.conrelid::regclass)
  INTO v_query, v_tables
  FROM pgtrack._followers(p_key) f WHERE f.confupdtype IN ('n', 'd') HAVING count(*) > 0;
  IF v_query IS NULL THEN
    RETURN;
  END IF;
  v_readers := ARRAY(SELECT pgtrack._reader_of_referrer(x.relid, p_writer) FROM (SELECT DISTINCT t FROM unnest(v_tables) t) AS x (relid));
  IF current_user = ALL (v_readers) THEN
    EXECUTE v_query INTO v_count;
  ELSIF p_writer = ALL (v_readers) THEN
    SELECT (r ->> 'count')::bigint INTO v_count FROM pgtrack._as_role(p_writer, '{}', v_query) r;
  END IF;
  IF v_count = 0 THEN
    RETURN;
  END IF;
  RAISE EXCEPTION 'rows may be made to forget rows of % whose keys this would change', p_key.conrelid::regclass USING
    ERRCODE = 'foreign_key_violation',
    DETAIL = format('These follow another key, by %I, and %s by ON UPDATE SET NULL or SET DEFAULT.', p_key.conname,
                    coalesce(v_count || ' rows refer to them', 'whether others refer to them, in tables of several owners, is not looked for')),
    HINT = 'Let those rows refer to others first, or undo what made them.';
END
$_refuse_forgetting$;
COMMENT ON FUNCTION pgtrack._refuse_forgetting(pg_constraint, text, name, regclass[]) IS
  'Refuses a revert that changes keys of rows p where rows that follow them, by a foreign key and through some tables, have others forget them.';

-- ==== undoing/cascades.sql ====

-- By values as they are stored: no row of the table's type is made, whose domains might make checks.
CREATE OR REPLACE FUNCTION pgtrack._image_refers_sql(p_constraint pg_constraint, p_child regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(CASE WHEN c.history_column IS NULL THEN 'false'
                         ELSE pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL,
                                pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid), pgtrack._recorded(c, 'h')) END, ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent
  -- Columns of a partition may have other numbers.
  LEFT JOIN pg_attribute a ON a.attrelid = p_child AND a.attname = ca.attname
  LEFT JOIN pgtrack.relation r ON r.relid = p_child
  LEFT JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND pgtrack._attnum(r.relid, c.column_name, c.attnum) = a.attnum;
END;
COMMENT ON FUNCTION pgtrack._image_refers_sql(pg_constraint, regclass) IS
  'The condition that the image h, of a table that a foreign key is of or of one of whose partitions it is, refers to the row p.';

-- Foreign keys act on rows whatever policies hide.
CREATE OR REPLACE FUNCTION pgtrack._refuse_hidden_referrers(p_table regclass, p_reader name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_hidden_referrers$
BEGIN
  IF EXISTS (SELECT FROM pg_class c JOIN pg_roles r ON r.rolname = p_reader
             WHERE c.oid = p_table AND c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)
               AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))) THEN
    RAISE EXCEPTION 'cannot tell whether rows of % would be deleted or changed too', p_table USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('It refers by a foreign key to rows that this would delete or give other keys, and row security may hide some of its rows from %s.', p_reader),
      HINT = 'Let a role do it whom no policy holds: the owner of that table where it does not force row security, or one with BYPASSRLS.';
  END IF;
END
$_refuse_hidden_referrers$;
COMMENT ON FUNCTION pgtrack._refuse_hidden_referrers(regclass, name) IS 'Refuses where a role may not see all rows that a foreign key would change.';

-- Anybody may own a table that refers to one of those that are undone, and nobody has named it. Whoever has more rights
-- looks into it as its owner, whose code may run then. Others do it themselves, unless code of the owner might run: the
-- lock keeps that from being added meanwhile.
CREATE OR REPLACE FUNCTION pgtrack._reader_of_referrer(p_table regclass, p_writer name) RETURNS name
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_reader_of_referrer$
DECLARE
  v_owner     name := pgtrack._owner_of(p_table);
  v_reader    name := CASE WHEN v_owner = p_writer THEN p_writer ELSE current_user END;
  v_function  text;
BEGIN
  PERFORM pgtrack._require_present_owner(p_table);
  IF v_owner = current_user OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    PERFORM pgtrack._refuse_hidden_referrers(p_table, v_owner);
    RETURN v_owner;
  END IF;
  IF pgtrack._hold_definition(p_table) THEN
    v_function := 'the code of ' || pgtrack._foreign_expression(p_table);
  ELSIF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_owner) THEN
    v_function := 'an index or statistics that are made meanwhile';
  END IF;
  IF v_function IS NULL AND pgtrack._snapshot_lasts()
     AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_owner) THEN
    v_function := 'what has come since this transaction''s snapshot';
  END IF;
  IF v_function IS NOT NULL AND v_owner <> p_writer THEN
    RAISE EXCEPTION 'cannot tell whether rows of % would be deleted too', p_table USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('It refers by a foreign key to rows that this would delete. To look into it might run %s, with your rights.', v_function),
      HINT = format('Let %s, who owns it, say whether its rows may go, and delete them first.', v_owner);
  END IF;
  PERFORM pgtrack._refuse_hidden_referrers(p_table, v_reader);
  RETURN v_reader;
END
$_reader_of_referrer$;
COMMENT ON FUNCTION pgtrack._reader_of_referrer(regclass, name) IS 'As whom to look into a table that refers to others, or an error.';

-- The columns that a foreign key refers to, as values that travel from one role to another.
CREATE OR REPLACE FUNCTION pgtrack._referred_sql(p_constraint pg_constraint, OUT record text, OUT record_columns text, OUT refers text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('jsonb_build_object(%s)', string_agg(format('%L, %s', 'c' || u.child, pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid)), ', ')),
         string_agg(format('c%s %s', u.child, pgtrack._stored_type(pa.atttypid, pa.atttypmod)), ', '),
         string_agg(pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL, format('p.c%s', u.child),
                                           pgtrack._output_sql(format('t.%I', ca.attname), ca.atttypid)), ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent;
END;
COMMENT ON FUNCTION pgtrack._referred_sql(pg_constraint) IS
  'For the rows p that a foreign key refers to: the columns of theirs as JSON, the columns of a record of that, and the condition that the row t refers to it.';

CREATE OR REPLACE FUNCTION pgtrack._acted_on_sql(p_constraint pg_constraint, p_steps pgtrack._step[], p_kind text, p_shape pgtrack.relation_shape)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH referred AS MATERIALIZED (
    SELECT array_agg(u.number::integer) AS numbers
    FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number)
    JOIN pg_attribute a ON a.attrelid = p_constraint.confrelid AND a.attnum = ANY (p_constraint.confkey) AND quote_ident(a.attname) = u.name
  )
  SELECT format('WITH p AS MATERIALIZED (%s)', string_agg(format('SELECT t.* FROM %s JOIN %s t ON %s%s%s', f.source, p_shape.live_table, f.is_place, m.is_set,
    -- A foreign key to a partition is not about rows in others.
    (SELECT format(' AND t.tableoid = ANY (%L::oid[])', ARRAY(SELECT m.relid::oid FROM pgtrack._members(c.oid) m))
     FROM pg_class c WHERE c.oid = p_constraint.confrelid AND c.relispartition)), ' UNION ALL '))
  FROM unnest(p_steps) s
  CROSS JOIN LATERAL pgtrack._step_source(s, p_shape) f
  CROSS JOIN referred r
  CROSS JOIN LATERAL (SELECT CASE WHEN p_kind = 'update' AND s.masks IS NOT NULL THEN format(' AND (%s)', (
    SELECT string_agg(pgtrack._is_given_sql(s, p_shape, n), ' OR ') FROM unnest(r.numbers) n)) END AS is_set) m
  WHERE s.kind = p_kind AND (p_kind = 'delete' OR s.columns && r.numbers)
  HAVING count(*) > 0;
END;
COMMENT ON FUNCTION pgtrack._acted_on_sql(pg_constraint, pgtrack._step[], text, pgtrack.relation_shape) IS
  'The part p for the rows of a table that a revert deletes, or gives other values that a foreign key refers to; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._live_refers_sql(p_constraint pg_constraint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL,
                      pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid),
                      pgtrack._output_sql(format('t.%I', ca.attname), ca.atttypid)), ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent;
END;
COMMENT ON FUNCTION pgtrack._live_refers_sql(pg_constraint) IS 'The condition that the row t refers, by a foreign key, to the row p.';

-- A row that is deleted must not take along rows that the revert does not know of, nor those that it inserts or sets back
-- if they refer to the row then, too. Nor must one that gets another key make them forget whom they refer to.
CREATE OR REPLACE FUNCTION pgtrack._refuse_cascade(
  p_table regclass, p_key pg_constraint, p_kind text, p_action "char", p_steps pgtrack._step[], p_work pgtrack._work[], p_columns text[], p_writer name
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_cascade$
DECLARE
  v_parent    pgtrack.relation_shape := pgtrack._shape(p_table, p_columns);
  v_work      pgtrack._work;
  v_child     record;
  v_refers    text;
  v_spared    text;
  v_as_image  text;
  v_arriving  text;
  v_reader    name;
  v_table     text;
  v_acted_on  text;
  v_query     text;
  v_referred  record;
  v_values    jsonb;
  v_count     bigint;
BEGIN
  v_acted_on := pgtrack._acted_on_sql(p_key, p_steps, p_kind, v_parent);
  IF v_acted_on IS NULL THEN
    RETURN;
  END IF;
  -- Who refers to a row goes on doing so, and nothing of it is lost.
  IF p_kind = 'update' AND p_action = 'c' THEN
    PERFORM pgtrack._refuse_forgetting(p_key, v_acted_on, p_writer);
    RETURN;
  END IF;
  v_reader := pgtrack._reader_of_referrer(p_key.conrelid, p_writer);
  -- A foreign key is about the table alone, or about its partitions.
  v_table := CASE (SELECT c.relkind FROM pg_class c WHERE c.oid = p_key.conrelid) WHEN 'p' THEN '' ELSE 'ONLY ' END || p_key.conrelid::regclass;
  v_refers := pgtrack._live_refers_sql(p_key);
  v_spared := 'true';
  v_arriving := '0';
  SELECT * INTO v_work FROM unnest(p_work) w
  WHERE w.relid = pgtrack._table_with(p_key.conrelid, ARRAY(SELECT o.relid FROM unnest(p_work) o));
  IF v_work.relid IS NOT NULL THEN
    SELECT * INTO v_child FROM pgtrack._shape(v_work.relid);
    v_as_image := format('(SELECT WHERE %s)', pgtrack._image_refers_sql(p_key, v_work.relid));
    v_spared := format(
      'NOT EXISTS (SELECT FROM %1$s h WHERE h.ctid = ANY (%2$L::tid[]) AND %3$s)'
      ' AND NOT EXISTS (SELECT FROM %1$s h WHERE h.ctid = ANY (%4$L::tid[]) AND %3$s AND NOT EXISTS %5$s)'
      ' AND NOT EXISTS (SELECT FROM unnest(%6$L::tid[], %7$L::tid[], %13$L::jsonb[]) x (handle, base, key) JOIN %1$s h ON h.ctid = x.handle'
      '   WHERE x.key IS NULL AND %3$s AND NOT EXISTS %5$s AND (SELECT EXISTS %5$s FROM %1$s h WHERE h.ctid = x.base))'
      ' AND NOT EXISTS (SELECT FROM unnest(%8$L::jsonb[]) x CROSS JOIN LATERAL jsonb_to_record(x) AS k(%9$s) WHERE %10$s)'
      ' AND NOT EXISTS (SELECT FROM unnest(%11$L::tid[], %12$L::jsonb[]) x (handle, key)'
      '   CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%9$s) JOIN %1$s h ON h.ctid = x.handle WHERE %10$s AND NOT EXISTS %5$s)',
      v_child.history, coalesce(v_work.deletes, '{}'), v_child.live_is_history, coalesce(v_work.updates, '{}'), v_as_image,
      coalesce(v_work.merges, '{}'), coalesce(v_work.merge_bases, '{}'), coalesce(v_work.deleted_keys, '{}'), v_child.key_record,
      v_child.live_is_key, coalesce(v_work.keyed_updates, '{}'), coalesce(v_work.updated_keys, '{}'), coalesce(v_work.merge_keys, '{}'));
    -- Rows that come to refer to it do so before the foreign key acts: to a key in another spelling, or one that changes rows.
    v_arriving := format(
      '(SELECT count(*) FROM p JOIN %1$s h ON EXISTS %2$s WHERE h.ctid = ANY (%3$L::tid[])'
      '   OR h.ctid = ANY (%4$L::tid[]) AND NOT EXISTS (SELECT FROM %5$s t WHERE %6$s AND %7$s))',
      v_child.history, v_as_image, coalesce(v_work.inserts, '{}'), coalesce(v_work.updates, '{}') || coalesce(v_work.keyed_updates, '{}'),
      v_table, v_child.live_is_history, v_refers);
  END IF;
  IF v_reader IN (p_writer, current_user) THEN
    v_query := format('%s SELECT (SELECT count(*) FROM %s t JOIN p ON %s WHERE %s) + %s AS count', v_acted_on, v_table, v_refers, v_spared, v_arriving);
  ELSE
    -- Somebody else's table has no part in this undo; it is told what would be deleted.
    SELECT * INTO v_referred FROM pgtrack._referred_sql(p_key);
    v_query := format('%s SELECT coalesce(jsonb_agg(%s), ''[]'') AS values FROM p', v_acted_on, v_referred.record);
    IF p_writer = current_user THEN
      EXECUTE v_query INTO v_values;
    ELSE
      SELECT r -> 'values' INTO v_values FROM pgtrack._as_role(p_writer, '{}', v_query) r;
    END IF;
    v_query := format('SELECT count(*) AS count FROM %s t JOIN jsonb_to_recordset(%L) AS p (%s) ON %s',
                      v_table, v_values, v_referred.record_columns, v_referred.refers);
  END IF;
  IF v_reader <> current_user THEN
    SELECT (r ->> 'count')::bigint INTO v_count FROM pgtrack._as_role(v_reader, '{}', v_query) r;
  ELSE
    EXECUTE v_query INTO v_count;
  END IF;
  IF v_count > 0 THEN
    RAISE EXCEPTION 'rows of % refer to rows of % that this would %', p_key.conrelid::regclass, v_parent.name,
      CASE p_kind WHEN 'delete' THEN 'delete' ELSE 'give another key' END USING
      ERRCODE = 'foreign_key_violation',
      DETAIL = format('The foreign key %I would %s %s of them too.', p_key.conname,
                      CASE p_action WHEN 'c' THEN 'delete' ELSE 'change' END, v_count),
      HINT = CASE p_kind WHEN 'delete' THEN 'Delete those rows first, or undo what made them.'
                             ELSE 'Let those rows refer to others first, or undo what made them.' END,
      CONSTRAINT = p_key.conname, TABLE = p_key.conrelid::regclass::text;
  END IF;
END
$_refuse_cascade$;
COMMENT ON FUNCTION pgtrack._refuse_cascade(regclass, pg_constraint, text, "char", pgtrack._step[], pgtrack._work[], text[], name) IS
  'Refuses a revert whose steps in a table would change, by a foreign key that refers to it, rows that the revert does not know of.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_cascades(p_work pgtrack._work[], p_steps pgtrack._step[], p_columns text[], p_writer name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_refuse_cascades$
BEGIN
  PERFORM pgtrack._refuse_cascade(w.relid, c, a.kind, a.action, ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.number = w.number), p_work, p_columns, p_writer)
  FROM (SELECT u.relid, row_number() OVER () AS number FROM unnest(p_work) u) w
  CROSS JOIN LATERAL pgtrack._foreign_keys_to(w.relid) c
  JOIN LATERAL (VALUES ('delete', c.confdeltype), ('update', c.confupdtype)) AS a (kind, action) ON a.action IN ('c', 'n', 'd');
END
$_refuse_cascades$;
COMMENT ON FUNCTION pgtrack._refuse_cascades(pgtrack._work[], pgtrack._step[], text[], name) IS
  'Refuses a revert that would, by ON DELETE CASCADE or SET NULL, or ON UPDATE SET NULL, change rows that it does not know of.';

-- ==== undoing/row.sql ====

-- The version that a row shall be as after, 0 being before the first; null: before the latest.
CREATE OR REPLACE FUNCTION pgtrack._target_version(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb, p_version integer,
                                                   p_exists boolean)
RETURNS pgtrack._target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_target_version$
DECLARE
  v_row     text := format('%s (%s)', p_shape.name, pgtrack._key_text(p_key));
  v_target  pgtrack._target;
  v_purged  integer;
BEGIN
  SELECT max(v.ver), min(v.ver) - 1 INTO v_target.versions, v_purged FROM pgtrack._versions(p_table, p_shape, p_key) v;
  IF v_target.versions IS NULL THEN
    RAISE EXCEPTION 'no change of % is recorded', v_row USING
      ERRCODE = 'no_data_found',
      DETAIL = CASE WHEN p_exists THEN 'The row exists and has not changed since tracking began.'
                    ELSE 'There is no such row, and none was deleted since tracking began.' END,
      HINT = format('SELECT * FROM pgtrack.changes(%L) shows which rows changed.', p_shape.name);
  END IF;
  v_target.version := coalesce(p_version, v_target.versions - 1);
  IF v_target.version NOT BETWEEN 0 AND v_target.versions THEN
    RAISE EXCEPTION '% has no version %', v_row, v_target.version USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = format('Its versions are 1 to %s; 0 is the row before the first recorded change.', v_target.versions);
  ELSIF v_target.version < v_purged THEN
    RAISE EXCEPTION 'version % of % is no longer known', v_target.version, v_row USING
      ERRCODE = 'TK002',
      DETAIL = format('Versions before %s have been purged.', v_purged);
  END IF;
  SELECT v.operation IN ('D', 'T') INTO v_target.is_gone FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.version;
  SELECT v.operation IN ('D', 'T') INTO v_target.is_gone_now
  FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.versions;
  SELECT v.statement_id, v.handle, v.row_key, v.operation = 'I'
  INTO v_target.statement_id, v_target.handle, v_target.row_key, v_target.is_unborn
  FROM pgtrack._versions(p_table, p_shape, p_key) v WHERE v.ver = v_target.version + 1;
  IF NOT v_target.is_unborn AND pgtrack._is_erased(p_shape.relation_id, v_target.row_key, v_target.statement_id) THEN
    RAISE EXCEPTION 'version % of % is no longer known', v_target.version, v_row USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;
  RETURN v_target;
END
$_target_version$;
COMMENT ON FUNCTION pgtrack._target_version(regclass, pgtrack.relation_shape, jsonb, integer, boolean) IS
  'The version of a row that is wanted, and the change after it, or an error where it is not known.';

CREATE OR REPLACE FUNCTION pgtrack._row_action(p_table regclass, p_shape pgtrack.relation_shape, p_target pgtrack._target, p_key jsonb,
                                               p_live_key jsonb, p_before jsonb, p_columns text[],
                                               OUT action text, OUT after jsonb, OUT work pgtrack._work)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_row_action$
DECLARE
  v_differs  boolean;
BEGIN
  work.relid := p_table;
  IF p_target.version = p_target.versions THEN
    action := CASE WHEN p_target.is_gone IS NOT DISTINCT FROM (p_before IS NULL) THEN 'nothing' ELSE 'delete' END;
    after := CASE action WHEN 'nothing' THEN p_before END;
    IF action = 'delete' AND p_before IS NULL THEN
      RAISE EXCEPTION '% (%) is missing, but its deletion is not recorded', p_shape.name, pgtrack._key_text(p_key) USING
        ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Its last recorded values are those of an earlier version; name that one.';
    END IF;
  -- The next change says what there was, also where a deleted row had come back unrecorded.
  ELSIF p_target.is_unborn THEN
    action := CASE WHEN p_before IS NULL THEN 'nothing' ELSE 'delete' END;
  ELSE
    EXECUTE format('SELECT %s FROM %s h WHERE h.ctid = $1', p_shape.restored, p_shape.history) INTO after USING p_target.handle;
    action := CASE WHEN p_before IS NULL THEN 'insert' ELSE 'update' END;
  END IF;

  IF action = 'delete' THEN
    work.deleted_keys := ARRAY[p_live_key];
  ELSIF action = 'insert' THEN
    work.inserts := ARRAY[p_target.handle];
  ELSIF action = 'update' THEN
    EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s JOIN %s h ON h.ctid = $2',
                   coalesce(p_shape.differs, 'false'), p_shape.key_record, p_shape.live_table, p_shape.live_is_key, p_shape.history)
    INTO v_differs USING p_live_key, p_target.handle;
    IF p_target.row_key <> p_live_key AND (p_columns IS NULL OR v_differs) THEN
      work.keyed_updates := ARRAY[p_target.handle];
      work.updated_keys := ARRAY[p_live_key];
    ELSIF v_differs THEN
      work.updates := ARRAY[p_target.handle];
    ELSE
      action := 'nothing';
    END IF;
    after := p_before || pgtrack._only(after, p_columns);
  END IF;
  IF action IN ('insert', 'delete') AND p_columns IS NOT NULL THEN
    PERFORM pgtrack._refuse_columns(p_shape.name, p_key, action);
  END IF;
END
$_row_action$;
COMMENT ON FUNCTION pgtrack._row_action(regclass, pgtrack.relation_shape, pgtrack._target, jsonb, jsonb, jsonb, text[]) IS
  'What has to happen to a row, or some of its columns, to make it what it was after a version.';

CREATE OR REPLACE FUNCTION pgtrack._live_row(p_shape pgtrack.relation_shape, p_key jsonb, p_lock boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_live_row$
DECLARE
  v_row  jsonb;
BEGIN
  IF p_lock THEN
    -- First the lock, then the look: nobody changes the row between what is decided and what is done.
    EXECUTE format('SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s FOR UPDATE OF t',
                   p_shape.key_record, p_shape.live_table, p_shape.live_is_key) USING p_key;
    -- Its schema may have got another name while the row was waited for.
    p_shape := pgtrack._shape((SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id));
  END IF;
  EXECUTE format('SELECT %s FROM jsonb_to_record($1) AS k(%s) JOIN %s t ON %s',
                 p_shape.live_image, p_shape.key_record, p_shape.live_table, p_shape.live_is_key)
  INTO v_row USING p_key;
  RETURN v_row;
END
$_live_row$;
COMMENT ON FUNCTION pgtrack._live_row(pgtrack.relation_shape, jsonb, boolean) IS 'The row that has a key now, locked if it is to be changed; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._is_taken(p_shape pgtrack.relation_shape, p_key jsonb, p_live_key jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_taken$
DECLARE
  v_is_taken  boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%1$s) JOIN %2$s t ON %3$s WHERE (t.tableoid, t.ctid) NOT IN ('
                 'SELECT t.tableoid, t.ctid FROM jsonb_to_record($2) AS k(%1$s) JOIN %2$s t ON %3$s))',
                 p_shape.key_record, p_shape.live_table, p_shape.live_is_key)
  INTO v_is_taken USING p_key, coalesce(p_live_key, '{}');
  RETURN v_is_taken;
END
$_is_taken$;
COMMENT ON FUNCTION pgtrack._is_taken(pgtrack.relation_shape, jsonb, jsonb) IS
  'Whether a row has a key now that is not the one under p_live_key.';

-- p_lock is true when the answer will be acted on.
CREATE OR REPLACE FUNCTION pgtrack._plan_row(
  p_table           regclass,
  p_key             jsonb,
  p_version         integer,
  p_verb            text,
  p_lock            boolean,
  p_columns         text[],
  OUT action        text,
  OUT before        jsonb,
  OUT after         jsonb,
  OUT conflict      text,
  OUT version       integer,
  OUT statement_id  bigint,
  OUT work          pgtrack._work
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_plan_row$
DECLARE
  v_shape     pgtrack.relation_shape;
  v_live_key  jsonb := pgtrack._live_key(p_table, p_key);
  v_target    pgtrack._target;
  v_is_other  boolean;
  v_action    record;
BEGIN
  PERFORM pgtrack._require_select(p_table);
  PERFORM pgtrack._check_columns(ARRAY[p_table], p_columns);
  v_shape := pgtrack._shape(p_table, p_columns);
  IF p_verb = 'restore' THEN
    v_target := pgtrack._target_to_restore(p_table, v_shape, p_key);
    v_is_other := v_target.row_key IS DISTINCT FROM v_live_key;
  ELSE
    before := pgtrack._live_row(v_shape, v_live_key, p_lock);
    v_target := pgtrack._target_version(p_table, v_shape, p_key, p_version, before IS NOT NULL);
    -- What has the history of this key behind it, and lives under another now, is another row than the one that was deleted.
    v_is_other := coalesce(v_target.row_key <> v_live_key, false)
      AND EXISTS (SELECT FROM pgtrack._versions(p_table, v_shape, p_key) v
                  WHERE v.ver > v_target.version AND v.operation IN ('D', 'T') AND v.row_key <> v_live_key);
  END IF;
  IF v_is_other THEN
    v_live_key := v_target.row_key;
    before := CASE WHEN NOT v_target.is_unborn THEN pgtrack._live_row(v_shape, v_live_key, p_lock) END;
  END IF;
  version := v_target.version;
  statement_id := v_target.statement_id;
  SELECT * INTO v_action FROM pgtrack._row_action(p_table, v_shape, v_target, p_key, v_live_key, before, p_columns);
  action := v_action.action;
  after := v_action.after;
  work := v_action.work;
  -- Whose key another has got since cannot have it again, and is not that other.
  IF v_is_other AND action = 'update'
     OR action IN ('insert', 'update')
        AND pgtrack._is_taken(v_shape, coalesce(v_live_key, '{}') || pgtrack._only(v_target.row_key, p_columns), v_live_key) THEN
    PERFORM pgtrack._refuse_contested(v_shape.name, v_target.row_key);
  END IF;
  -- The live row is not what its last recorded change left: it was changed while nobody recorded.
  IF v_target.version < v_target.versions AND NOT v_is_other AND v_target.is_gone_now <> (before IS NULL) THEN
    conflict := CASE WHEN before IS NULL THEN 'the row is missing, but its deletion is not recorded'
                     ELSE 'a row with this key exists, but its insertion is not recorded' END;
  END IF;
END
$_plan_row$;
COMMENT ON FUNCTION pgtrack._plan_row(regclass, jsonb, integer, text, boolean, text[]) IS
  'What it takes to make one row, or some of its columns, what it was after one of its versions, or right before its deletion.';

CREATE OR REPLACE FUNCTION pgtrack._decide(p_table regclass, p_key jsonb, p_version integer, p_verb text, p_on_conflict text,
                                           p_columns text[] DEFAULT NULL)
RETURNS pgtrack._decision
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_decide$
DECLARE
  v_row       text := format('%s (%s)', pgtrack._name(p_table), pgtrack._key_text(p_key));
  v_plan      record;
  v_what      text;
  v_decision  pgtrack._decision;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict);
  SELECT * INTO v_plan FROM pgtrack._plan_row(p_table, p_key, p_version, p_verb, true, p_columns);
  v_decision.has_work := false;
  IF v_plan.conflict IS NOT NULL THEN
    IF p_on_conflict = 'error' THEN
      RAISE EXCEPTION 'cannot % %: %',
        CASE p_verb WHEN 'undo' THEN 'undo the last change of' WHEN 'rollback_to' THEN 'roll back' ELSE p_verb END,
        v_row, v_plan.conflict USING
        ERRCODE = 'TK001',
        HINT = 'on_conflict => ''force'' does it all the same, ''skip'' leaves the row as it is.';
    ELSIF p_on_conflict = 'skip' THEN
      v_decision.answer := format('%s: skipped, %s', v_row, v_plan.conflict);
      RETURN v_decision;
    END IF;
  END IF;
  IF v_plan.action = 'nothing' THEN
    v_decision.answer := format('%s: nothing to do, %s as after version %s already', v_row,
                                CASE WHEN p_columns IS NULL THEN 'it is' ELSE 'these columns are' END, v_plan.version);
    RETURN v_decision;
  END IF;
  v_what := CASE v_plan.action
    WHEN 'insert' THEN 'row inserted again'
    WHEN 'delete' THEN 'row deleted'
    ELSE 'row updated: ' || coalesce(array_to_string(pgtrack._changed_columns(v_plan.after, v_plan.before), ', '), '')
  END;
  RETURN ROW(format('%s: %s%s', v_row, v_what, CASE WHEN v_plan.action = 'delete' THEN ''
                                                    WHEN p_columns IS NOT NULL THEN '; the other columns stay'
                                                    WHEN v_plan.version IS NULL THEN ', now as before its deletion'
                                                    WHEN v_plan.version = 0 THEN ', now as before its first recorded change'
                                                    ELSE format(', now as after version %s', v_plan.version) END),
             true, v_plan.work, v_plan.statement_id::text,
             jsonb_build_object('table', pgtrack._name(p_table), 'key', p_key, 'version', p_version, 'on_conflict', p_on_conflict)
               || pgtrack._columns_argument(p_columns))::pgtrack._decision;
END
$_decide$;
COMMENT ON FUNCTION pgtrack._decide(regclass, jsonb, integer, text, text, text[]) IS
  'What making one row, or some of its columns, what it was after one of its versions is going to do; the row is locked.';

CREATE OR REPLACE FUNCTION pgtrack._check_on_conflict(p_on_conflict text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_check_on_conflict$
BEGIN
  IF p_on_conflict IS NULL OR p_on_conflict NOT IN ('error', 'force', 'skip', 'merge', 'delta') THEN
    RAISE EXCEPTION 'on_conflict must be error, force, skip, merge or delta, not %', coalesce(quote_literal(p_on_conflict), 'null') USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = 'error: stop (the default). force: overwrite newer changes. skip: leave rows that changed since. '
               'merge: revert only the columns that nobody changed since. delta: also numbers that somebody did, by the difference.';
  END IF;
END
$_check_on_conflict$;
COMMENT ON FUNCTION pgtrack._check_on_conflict(text) IS 'Refuses unknown values of on_conflict.';

CREATE OR REPLACE FUNCTION pgtrack._plan(p_table regclass, p_key jsonb, p_version integer, p_verb text, p_columns text[],
                                         p_on_conflict text)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text, version integer, statement_id bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT pgtrack._check_on_conflict(p_on_conflict);
  SELECT pgtrack._name(p_table), p_key, CASE WHEN s.is_left THEN 'nothing' ELSE p.action END, p.before, CASE WHEN s.is_left THEN p.before ELSE p.after END,
         p.conflict, p.version, p.statement_id
  FROM pgtrack._plan_row(p_table, p_key, p_version, p_verb, false, p_columns) p
  CROSS JOIN LATERAL (SELECT p.conflict IS NOT NULL AND p_on_conflict = 'skip' AS is_left) s;
END;
COMMENT ON FUNCTION pgtrack._plan(regclass, jsonb, integer, text, text[], text) IS 'Does the work of the plan_ functions for one row.';

-- ==== undoing/columns.sql ====

-- Null is all of them. What is named must be there to be set, in one table at least; a row that would be inserted or
-- deleted has no columns that could stay as they are.
CREATE OR REPLACE FUNCTION pgtrack._check_columns(p_tables regclass[], p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_check_columns$
DECLARE
  v_known   text[];
  v_column  text;
BEGIN
  IF p_columns IS NULL THEN
    RETURN;
  END IF;
  IF cardinality(p_columns) = 0 THEN
    RAISE EXCEPTION 'columns names no column' USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name those that shall be set back, or leave columns out for all of them.';
  END IF;
  SELECT array_agg(DISTINCT c.column_name::text) INTO v_known
  FROM pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = c.column_name AND NOT a.attisdropped
  WHERE r.relid = ANY (p_tables) AND a.attgenerated = '' AND a.attidentity <> 'a';
  SELECT x INTO v_column FROM unnest(p_columns) x WHERE x IS NULL OR NOT coalesce(x = ANY (v_known), false) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'there is no column % to set back', coalesce(quote_ident(v_column), 'null') USING
      ERRCODE = 'undefined_column',
      DETAIL = format('What can be set back in %s is: %s.',
                      (SELECT string_agg(pgtrack._name(t), ', ') FROM unnest(p_tables) t), array_to_string(v_known, ', ')),
      HINT = 'Columns are named as they are, without quotes: ARRAY[''email'', ''Full Name'']. Generated columns follow the others.';
  END IF;
END
$_check_columns$;
COMMENT ON FUNCTION pgtrack._check_columns(regclass[], text[]) IS 'Refuses columns that cannot be set back.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_columns(p_name text, p_key jsonb, p_action text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_refuse_columns$
BEGIN
  RAISE EXCEPTION 'cannot set back only some columns of %', p_name || coalesce(' (' || pgtrack._key_text(p_key) || ')', '') USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = CASE p_action WHEN 'insert' THEN 'The row is missing and would be inserted again.'
                           WHEN 'delete' THEN 'The row was not there before and would be deleted.'
                           ELSE 'Rows of the table have got other keys since.' END,
    HINT = 'Leave columns out to do all of it.';
END
$_refuse_columns$;
COMMENT ON FUNCTION pgtrack._refuse_columns(text, jsonb, text) IS 'Refuses columns where whole rows come or go.';

CREATE OR REPLACE FUNCTION pgtrack._only(p_image jsonb, p_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_columns IS NULL THEN p_image
              ELSE (SELECT coalesce(jsonb_object_agg(i.key, i.value), '{}') FROM jsonb_each(p_image) i WHERE i.key = ANY (p_columns)) END;
END;
COMMENT ON FUNCTION pgtrack._only(jsonb, text[]) IS 'Some columns of an image; null is all of them.';

CREATE OR REPLACE FUNCTION pgtrack._columns_argument(p_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_columns IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('columns', p_columns) END;
END;
COMMENT ON FUNCTION pgtrack._columns_argument(text[]) IS 'The argument of a call, for its record; nothing where it was left out.';

-- ==== undoing/version.sql ====

CREATE OR REPLACE FUNCTION pgtrack._refuse_purged(p_table regclass, p_point text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_purged$
BEGIN
  RAISE EXCEPTION 'the state of % at % is no longer known', pgtrack._name(p_table), p_point USING
    ERRCODE = 'TK002',
    DETAIL = format('Changes before %s have been purged.', (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table));
END
$_refuse_purged$;
COMMENT ON FUNCTION pgtrack._refuse_purged(regclass, text) IS 'Refuses a point in time that needs purged history.';

CREATE OR REPLACE FUNCTION pgtrack._version_at(p_table regclass, p_key jsonb, p_when timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_version_at$
DECLARE
  v_since    timestamptz := (SELECT r.tracked_since FROM pgtrack.relation r WHERE r.relid = p_table);
  v_shape    pgtrack.relation_shape := pgtrack._shape(p_table);
  v_version  integer;
  v_first    text;
BEGIN
  IF p_when IS NULL THEN
    RAISE EXCEPTION 'the point in time must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  -- A transaction happened when it made its last change: one with changes on both sides of the moment is after it.
  SELECT coalesce(min(v.ver) FILTER (WHERE s.last_at > p_when) - 1, max(v.ver)), min(v.operation::text) FILTER (WHERE v.ver = 1)
  INTO v_version, v_first
  FROM pgtrack._versions(p_table, v_shape, p_key) v
  CROSS JOIN LATERAL (
    SELECT max(o.at) AS last_at FROM pgtrack.statement o
    WHERE o.xid = (SELECT x.xid FROM pgtrack.statement x WHERE x.relation_id = v_shape.relation_id AND x.statement_id = v.statement_id)) s;
  IF p_when < (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table) THEN
    PERFORM pgtrack._refuse_purged(p_table, p_when::text);
  END IF;
  IF v_version = 0 AND (v_first = 'I' OR p_when < v_since) THEN
    RAISE EXCEPTION '% (%) has no recorded state at %', pgtrack._name(p_table), pgtrack._key_text(p_key), p_when USING
      ERRCODE = 'invalid_parameter_value',
      DETAIL = CASE v_first WHEN 'I' THEN 'The row did not exist then.' ELSE format('Tracking began at %s.', v_since) END,
      HINT = CASE v_first WHEN 'I' THEN 'To remove it, undo its INSERT.' ELSE 'Version 0 is the row before its first recorded change.' END;
  END IF;
  RETURN v_version;
END
$_version_at$;
COMMENT ON FUNCTION pgtrack._version_at(regclass, jsonb, timestamptz) IS 'The version a row had at a moment.';

-- Whoever restores an order wants its items back, too.
CREATE OR REPLACE FUNCTION pgtrack._tell_company(p_relation integer, p_statement bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tell_company$
DECLARE
  v_xid      bigint;
  v_company  text;
BEGIN
  SELECT s.xid::text::bigint INTO v_xid FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_statement;
  SELECT string_agg(format('%s %s, %s', c.operation, c.table_name, CASE c.row_count WHEN 1 THEN '1 row' ELSE c.row_count || ' rows' END), '; '
                    ORDER BY c.first)
  INTO v_company
  FROM (SELECT pgtrack._operation(s.operation) AS operation, format('%I.%I', r.schema_name, r.table_name) AS table_name,
               sum(s.row_count) - CASE WHEN bool_or(s.relation_id = p_relation AND s.statement_id = p_statement) THEN 1 ELSE 0 END AS row_count,
               min(s.statement_id) AS first
        FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id)
        WHERE s.xid = v_xid::text::xid8 GROUP BY 1, 2) c
  WHERE c.row_count > 0;
  IF v_company IS NOT NULL THEN
    RAISE NOTICE 'more went in the same transaction, %: %', v_xid, v_company USING
      HINT = format('SELECT * FROM pgtrack.undo_transaction(%s) brings all of it back.', v_xid);
  END IF;
END
$_tell_company$;
COMMENT ON FUNCTION pgtrack._tell_company(integer, bigint) IS 'Tells, in a notice, what else was done by the transaction that deleted a row.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_existing(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_existing$
BEGIN
  IF pgtrack._is_taken(p_shape, p_key, NULL) THEN
    RAISE EXCEPTION '% (%) exists', p_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'unique_violation',
      DETAIL = 'Only a row that was deleted can be restored.',
      HINT = 'To bring back older values of an existing row, use pgtrack.revert().';
  END IF;
END
$_refuse_existing$;
COMMENT ON FUNCTION pgtrack._refuse_existing(pgtrack.relation_shape, jsonb) IS 'Refuses to restore a row whose key a row has.';

-- What pgtrack.deleted() lists under the key. Others may have had the key since, whose versions then are those that count.
-- Where nothing was deleted under it, the row that it names may have been deleted under another.
CREATE OR REPLACE FUNCTION pgtrack._target_to_restore(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb) RETURNS pgtrack._target
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_target_to_restore$
DECLARE
  v_target   pgtrack._target;
  v_version  integer;
BEGIN
  PERFORM pgtrack._refuse_existing(p_shape, p_key);
  EXECUTE format('SELECT h.pgtrack_statement_id, h.ctid FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s'
                 ' JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
                 ' WHERE s.operation IN (''D'', ''T'')'
                 ' AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %4$s)'
                 ' ORDER BY h.pgtrack_statement_id DESC, h.ctid DESC LIMIT 1',
                 p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id)
  INTO v_target.statement_id, v_target.handle USING p_key;
  SELECT max(v.ver) - 1 INTO v_version FROM pgtrack._versions(p_table, p_shape, p_key) v
  WHERE v.operation IN ('D', 'T') AND (v_target.handle IS NULL OR v.statement_id = v_target.statement_id AND v.handle = v_target.handle);
  IF v_version IS NOT NULL THEN
    v_target := pgtrack._target_version(p_table, p_shape, p_key, v_version, false);
    PERFORM pgtrack._refuse_existing(p_shape, v_target.row_key);
  ELSIF v_target.handle IS NULL THEN
    RAISE EXCEPTION 'no deletion of % (%) is recorded', p_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'no_data_found',
      HINT = format('SELECT * FROM pgtrack.deleted(%L) shows the rows that can be restored.', p_shape.name);
  ELSE
    v_target.row_key := p_key;
    v_target.is_unborn := false;
    IF pgtrack._is_erased(p_shape.relation_id, p_key, v_target.statement_id) THEN
      RAISE EXCEPTION 'what % (%) was is no longer known', p_shape.name, pgtrack._key_text(p_key) USING
        ERRCODE = 'TK002',
        DETAIL = 'Its recorded values have been erased.';
    END IF;
  END IF;
  PERFORM pgtrack._tell_company(p_shape.relation_id, v_target.statement_id);
  RETURN v_target;
END
$_target_to_restore$;
COMMENT ON FUNCTION pgtrack._target_to_restore(regclass, pgtrack.relation_shape, jsonb) IS
  'A deleted row right before its deletion; its version is null where the key has been another row''s since.';

-- ==== undoing/delta.sql ====

-- With on_conflict => 'delta' a number is not set back to what it was. What the undone changes did to it is taken from what
-- it is, so that what others have added or taken away since stays: undone in any order, additions sum to the same. A number
-- that names something (of a key, of a reference, an identity) is no amount; it is set back as other values are.
CREATE OR REPLACE FUNCTION pgtrack._decimal(p_value anyelement) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $_decimal$
BEGIN
  RETURN p_value::text::numeric;
END
$_decimal$;
COMMENT ON FUNCTION pgtrack._decimal(anyelement) IS
  'A floating-point number as people write it, so that what is taken from it leaves no rest; a cast would round it to 15 digits.';

CREATE OR REPLACE FUNCTION pgtrack._amounts(p_relation integer, p_table regclass, p_columns text[])
RETURNS TABLE (column_name name, since bigint, type regtype, typmod integer, recorded text, live text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.column_name, p.since, k.type, b.typmod, format(k.counted, p.old), format(k.counted, p.compared)
  FROM pgtrack.relation r
  CROSS JOIN LATERAL pgtrack._column_parts(p_relation, p_table, p_columns) p
  JOIN (VALUES ('smallint'::regtype, '(%s)::numeric'), ('integer'::regtype, '(%s)::numeric'), ('bigint'::regtype, '(%s)::numeric'),
               ('numeric'::regtype, '(%s)::numeric'), ('money'::regtype, '(%s)::numeric'), ('real'::regtype, 'pgtrack._decimal(%s)'),
               ('double precision'::regtype, 'pgtrack._decimal(%s)'), ('interval'::regtype, '(%s)::interval')) AS k (type, counted) ON k.type = p.stored
  JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = p.attnum
  CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, a.atttypmod) b
  WHERE r.relation_id = p_relation AND p.can_update AND a.attidentity = '' AND p.column_name <> ALL (r.key_columns)
    AND NOT EXISTS (SELECT FROM pgtrack._members(p_table) m
                    JOIN pg_attribute l ON l.attrelid = m.relid AND l.attname = a.attname
                    JOIN pg_constraint f ON f.contype = 'f' AND (f.conrelid = m.relid AND l.attnum = ANY (f.conkey)
                                                                 OR f.confrelid = m.relid AND l.attnum = ANY (f.confkey)));
END;
COMMENT ON FUNCTION pgtrack._amounts(integer, regclass, text[]) IS
  'The columns of a table that can be set back by the difference: their types, and their values in the image h and the row t, as they are counted.';

-- Whoever undoes something twice means it once. An undo says what it is of, in the forms that _choice() and _decide() give
-- it; where it was chosen by who did it, or went back to a point, that does not tell of which changes.
CREATE OR REPLACE FUNCTION pgtrack._is_undo_of(p_reverts text, p_statement bigint, p_xid text, p_label text, p_ids bigint[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_reverts ~ '^xid:' THEN p_reverts = 'xid:' || p_xid
              -- What triggers do because of an undo is of other rows.
              WHEN p_reverts ~ '^[0-9]{1,18}$'
                THEN p_statement >= p_reverts::bigint AND (p_reverts::bigint < p_ids[1] OR p_reverts::bigint = ANY (p_ids))
              WHEN p_reverts ~ '^transactions ' THEN p_xid = ANY (string_to_array(substr(p_reverts, 14), ', '))
              WHEN p_reverts ~ '^changes ' THEN p_statement::text = ANY (string_to_array(substr(p_reverts, 9), ', '))
              WHEN p_reverts = p_label THEN true END;
END;
COMMENT ON FUNCTION pgtrack._is_undo_of(text, bigint, text, text, bigint[]) IS
  'Whether an undo was one of a change, which belongs to what is called p_label if that is given; null where nobody can tell. '
  'p_ids: the statements that changed the row.';

-- The changes are gone through as they came. What an undo took away comes back when that is undone, unless it is undone
-- with it.
CREATE OR REPLACE FUNCTION pgtrack._in_force(p_changed boolean[], p_ids bigint[], p_xids text[], p_chosen boolean[], p_reverts text[], p_label text)
RETURNS boolean[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_in_force$
DECLARE
  v_changes  integer := cardinality(p_ids);
  v_by       integer[] := array_fill(0, ARRAY[v_changes]);
  v_is_of    boolean[];
  v_counts   boolean[] := p_chosen;
BEGIN
  FOR u IN 2 .. v_changes LOOP
    CONTINUE WHEN coalesce(p_reverts[u], '') = '' OR NOT p_changed[u];
    v_is_of := array_fill(false, ARRAY[v_changes]);
    FOR n IN 1 .. u - 1 LOOP
      CONTINUE WHEN NOT p_changed[n] OR NOT p_chosen[n] AND coalesce(p_reverts[n], '') = '';
      v_is_of[n] := pgtrack._is_undo_of(p_reverts[u], p_ids[n], p_xids[n], CASE WHEN p_chosen[n] THEN p_label END, p_ids);
      IF v_is_of[n] IS NULL AND v_by[n] = 0 AND NOT (p_chosen[u] AND p_chosen[n]) THEN
        RETURN NULL;
      END IF;
    END LOOP;
    FOR n IN 1 .. u - 1 LOOP
      CONTINUE WHEN v_is_of[n] IS NOT TRUE OR v_by[n] > 0;
      v_by := ARRAY(SELECT CASE WHEN h.holder = n AND v_is_of[h.i] IS NOT TRUE THEN 0 ELSE h.holder END
                    FROM unnest(v_by) WITH ORDINALITY AS h (holder, i) ORDER BY h.i);
      v_by[n] := u;
    END LOOP;
  END LOOP;
  FOR n IN REVERSE v_changes .. 1 LOOP
    v_counts[n] := p_chosen[n] AND (v_by[n] = 0 OR v_counts[v_by[n]]);
  END LOOP;
  RETURN v_counts;
END
$_in_force$;
COMMENT ON FUNCTION pgtrack._in_force(boolean[], bigint[], text[], boolean[], text[], text) IS
  'Which of the changes of a column that are chosen to be undone have not been undone since; null where nobody can tell. '
  'p_changed: which of the row''s changes changed it.';

-- By calls: a cast names its type, and these are for each value of many rows.
CREATE OR REPLACE FUNCTION pgtrack._as_json(p_amount text, p_type regtype, p_typmod integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_as_json$
BEGIN
  RETURN CASE p_type
    WHEN 'smallint'::regtype THEN to_jsonb(p_amount::smallint)
    WHEN 'integer'::regtype THEN to_jsonb(p_amount::integer)
    WHEN 'bigint'::regtype THEN to_jsonb(p_amount::bigint)
    WHEN 'numeric'::regtype THEN to_jsonb("numeric"(p_amount::numeric, p_typmod))
    WHEN 'money'::regtype THEN to_jsonb(p_amount::numeric::money)
    WHEN 'real'::regtype THEN to_jsonb(p_amount::real)
    WHEN 'double precision'::regtype THEN to_jsonb(p_amount::double precision)
    WHEN 'interval'::regtype THEN to_jsonb("interval"(p_amount::interval, p_typmod)) END;
END
$_as_json$;
COMMENT ON FUNCTION pgtrack._as_json(text, regtype, integer) IS 'An amount as a value of a type, as JSON.';

-- Null: no difference exists, of nothing, or of what is no number. What is as after the changes is set to what it was
-- before them, exactly.
CREATE OR REPLACE FUNCTION pgtrack._by_difference(p_values anyarray, p_live anyelement, p_ids bigint[], p_xids text[], p_chosen boolean[],
                                                  p_reverts text[], p_label text, p_since bigint, p_type regtype, p_typmod integer, p_column text)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET IntervalStyle = 'postgres' AS $_by_difference$
DECLARE
  c_no_number CONSTANT  text := 'NaN|[Ii]nfinity';
  v_counts    boolean[] := p_chosen;
  v_after     p_live%TYPE;
  v_sum       p_live%TYPE;
  v_last      p_live%TYPE;
  v_others    boolean := false;
  v_is_alone  boolean;
  v_target    jsonb;
BEGIN
  IF array_to_string(p_reverts, '') <> '' THEN
    v_counts := pgtrack._in_force(ARRAY(SELECT v.before::text IS DISTINCT FROM v.after::text
                                        FROM unnest(p_values, array_append(p_values[2:], p_live)) WITH ORDINALITY AS v (before, after, n) ORDER BY v.n),
                                  p_ids, p_xids, p_chosen, p_reverts, p_label);
    IF v_counts IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
  FOR n IN 1 .. cardinality(p_ids) LOOP
    v_after := CASE WHEN n < cardinality(p_ids) THEN p_values[n + 1] ELSE p_live END;
    CONTINUE WHEN p_ids[n] <= p_since OR p_values[n]::text IS NOT DISTINCT FROM v_after::text;
    IF NOT v_counts[n] THEN
      v_others := true;
      CONTINUE;
    ELSIF (p_values[n]::text || v_after::text || p_live::text ~ c_no_number) IS NOT FALSE THEN
      RETURN NULL;
    END IF;
    v_sum := coalesce(v_sum + (p_values[n] - v_after), p_values[n] - v_after);
    v_last := v_after;
    v_is_alone := NOT v_others;
  END LOOP;
  IF v_sum IS NULL THEN
    RETURN 'false';
  END IF;
  v_sum := CASE WHEN v_is_alone AND p_live::text = v_last::text THEN p_values[1] ELSE p_live + v_sum END;
  v_target := pgtrack._as_json(v_sum::text, p_type, p_typmod);
  RETURN CASE WHEN v_target = pgtrack._as_json(p_live::text, p_type, p_typmod) THEN 'false' ELSE v_target END;
EXCEPTION WHEN numeric_value_out_of_range OR datetime_field_overflow OR interval_field_overflow THEN
  RAISE EXCEPTION 'column % cannot be set back by the difference: it would be out of range', p_column USING
    ERRCODE = 'numeric_value_out_of_range',
    DETAIL = format('It is %s now, and of type %s: %s.', p_live, format_type(p_type, p_typmod), SQLERRM),
    HINT = 'Undo it without that column, or with another on_conflict.';
END
$_by_difference$;
COMMENT ON FUNCTION pgtrack._by_difference(anyarray, anyelement, bigint[], text[], boolean[], text[], text, bigint, regtype, integer, text) IS
  'What a column becomes when the changes of a row that are chosen are taken from it, as JSON; false if that is what it is. '
  'p_values: what it was before each change of the row, oldest first.';

-- Of a row that was deleted or inserted since, the changes are not those of one row.
CREATE OR REPLACE FUNCTION pgtrack._targets_sql(p_table regclass, p_shape pgtrack.relation_shape, p_has_moves boolean, p_label text, p_columns text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_targets_sql$
DECLARE
  v_amounts  record;
BEGIN
  SELECT string_agg(format('%s AS v%s', a.recorded, a.n), ', ') AS values, string_agg(format('array_agg(x.v%1$s) AS v%1$s', a.n), ', ') AS arrays,
         string_agg(format('pgtrack._by_difference(y.v%s, %s, y.ids, y.xids, y.chosen, y.reverts, %L, %s, %s, %s, %L) AS %I', a.n, a.live, p_label, a.since,
                           a.type::oid, a.typmod, format('%I of %s', a.column_name, p_shape.name), a.column_name), ', ') AS targets
  INTO v_amounts
  FROM pgtrack._amounts(p_shape.relation_id, p_table, p_columns) WITH ORDINALITY AS a (column_name, since, type, typmod, recorded, live, n);
  IF v_amounts.values IS NULL THEN
    RETURN 'CROSS JOIN (SELECT NULL::jsonb AS targets) d';
  END IF;
  RETURN format($$CROSS JOIN LATERAL (SELECT CASE WHEN base.handle IS NOT NULL AND t.ctid IS NOT NULL THEN (
      SELECT CASE WHEN y.are_updates THEN (SELECT jsonb_strip_nulls(to_jsonb(pgtrack_row.*)) FROM (SELECT %s) pgtrack_row) END FROM (
        SELECT array_agg(x.id) AS ids, array_agg(x.xid) AS xids, array_agg(x.reverts) AS reverts, array_agg(x.is_chosen) AS chosen,
               bool_and(x.is_update) AS are_updates, %s
        FROM (SELECT h.pgtrack_statement_id AS id, s.xid::text AS xid, s.reverts, coalesce(s.operation = 'U', false) AS is_update,
                     EXISTS (SELECT FROM chosen x WHERE x.statement_id = h.pgtrack_statement_id) AS is_chosen, %s
              FROM %s LEFT JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id
              WHERE h.pgtrack_statement_id >= m.statement_id ORDER BY h.pgtrack_statement_id, h.ctid) x) y) END AS targets OFFSET 0) d$$,
    v_amounts.targets, v_amounts.arrays, v_amounts.values, pgtrack._images_sql(p_shape, p_has_moves), p_shape.relation_id);
END
$_targets_sql$;
COMMENT ON FUNCTION pgtrack._targets_sql(regclass, pgtrack.relation_shape, boolean, text, text[]) IS
  'The part for what columns of a row m become by the difference, as JSON: false where that is what they are; those of which none exists are not in it.';

CREATE OR REPLACE FUNCTION pgtrack._with_targets(p_shape pgtrack.relation_shape, p_work pgtrack._work, p_columns text[]) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_with_targets$
BEGIN
  IF EXISTS (SELECT FROM unnest(p_work.merge_targets) t WHERE t IS NOT NULL) THEN
    p_shape.updated_values := ARRAY(
      SELECT CASE WHEN m.targets IS NULL THEN u.value
                  ELSE format('coalesce((%L::pg_catalog.jsonb OPERATOR(pg_catalog.->>) h.pgtrack_handle::pg_catalog.text)::%s, %s)',
                              m.targets, concat(CASE a.type WHEN 'money'::regtype THEN 'pg_catalog.' END, format_type(a.type, a.typmod)), u.value) END
      FROM unnest(p_shape.updated, p_shape.updated_values) WITH ORDINALITY AS u (name, value, number)
      LEFT JOIN pgtrack._amounts(p_shape.relation_id, p_work.relid, p_columns) a ON quote_ident(a.column_name) = u.name
      LEFT JOIN LATERAL (SELECT jsonb_object_agg(x.handle, x.targets -> a.column_name::text) AS targets
                         FROM unnest(p_work.merges, p_work.merge_targets) AS x (handle, targets)
                         WHERE x.targets -> a.column_name::text <> 'false') m ON true
      ORDER BY u.number);
  END IF;
  RETURN p_shape;
END
$_with_targets$;
COMMENT ON FUNCTION pgtrack._with_targets(pgtrack.relation_shape, pgtrack._work, text[]) IS
  'The pieces for a table where rows are set back by the difference: what a column becomes is looked up by the row''s image.';

-- ==== undoing/changed_rows.sql ====

-- A transaction, the work of an application, everything after a point in time: each is a set of statements, chosen by
-- a condition on pgtrack.statement s. To undo a set is to give every row that it changed its image from before the
-- set's first change of it. The query for that is made of four parts.

CREATE OR REPLACE FUNCTION pgtrack._chosen_sql(p_shape pgtrack.relation_shape, p_which text, p_keys jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- OFFSET 0: whatever the planner thinks of their number, those that are named are few beside the history.
  SELECT CASE WHEN p_keys IS NULL THEN ''
              ELSE format('named AS MATERIALIZED (SELECT c.pgtrack_ctid AS ctid, c.pgtrack_statement_id, %s'
                          ' FROM jsonb_to_recordset(%L) AS k(%s)'
                          ' CROSS JOIN LATERAL (SELECT h.ctid AS pgtrack_ctid, h.* FROM %s h WHERE %s OFFSET 0) c), ',
                          p_shape.change_keys, p_keys, p_shape.key_record, p_shape.history, p_shape.history_is_key) END
         || format('chosen AS MATERIALIZED (SELECT s.statement_id, s.operation FROM pgtrack.statement s'
                   ' WHERE s.relation_id = %s AND (%s)%s)',
                   p_shape.relation_id, p_which,
                   CASE WHEN p_keys IS NULL THEN '' ELSE ' AND s.statement_id IN (SELECT n.pgtrack_statement_id FROM named n)' END);
END;
COMMENT ON FUNCTION pgtrack._chosen_sql(pgtrack.relation_shape, text, jsonb) IS
  'The part for the statements that a set has in a table; where rows are named, also for the history that is about them.';

CREATE OR REPLACE FUNCTION pgtrack._changed_sql(p_shape pgtrack.relation_shape, p_has_moves boolean, p_retaken text, p_keys jsonb)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_changed_sql$
DECLARE
  v_operation  text := 's.operation';
  v_key        text := 'NULL::jsonb';
  v_noted      text := '';
  v_whose      text := format('row_number() OVER (PARTITION BY %s ORDER BY s.statement_id, c.ctid) = 1 AS is_first', p_shape.change_keys);
  v_images     text;
BEGIN
  IF p_has_moves THEN
    v_key := format('pgtrack._canonical_key(%s, %L)', p_shape.key_json, p_shape.key_record);
    IF p_shape.compared_key IS NOT NULL THEN
      v_key := format('coalesce(k.pgtrack_key, %s)', v_key);
      v_noted := format(' LEFT JOIN (SELECT n.key AS pgtrack_key, k.* FROM (SELECT a.old_key AS key FROM pgtrack._key_changes(%1$s) a'
                        ' UNION SELECT a.new_key FROM pgtrack._key_changes(%1$s) a) n CROSS JOIN LATERAL jsonb_to_record(n.key) AS k(%2$s)) k ON %3$s',
                        p_shape.relation_id, p_shape.key_record, p_shape.history_is_key);
    END IF;
    v_whose := format('ROW(%s)::record AS row, NULL::bigint AS retakings, NULL::bigint AS move_id', p_shape.change_keys);
  END IF;
  IF p_retaken IS NOT NULL THEN
    -- Whoever takes a key finds that the row there is gone. Where the point has a row of its transaction, it has no other.
    v_operation := format('CASE WHEN EXISTS (SELECT FROM %s WHERE h.pgtrack_is_left AND %s AND h.pgtrack_statement_id > s.statement_id)'
                          ' THEN ''I'' ELSE s.operation END', p_retaken, p_shape.same_row);
    v_whose := format('ROW(%s)::record AS row, (SELECT count(*) FROM %s WHERE %s AND h.pgtrack_statement_id < s.statement_id) AS retakings,'
                      ' NULL::bigint AS move_id', p_shape.change_keys, p_retaken, p_shape.same_row);
  END IF;
  v_images := format(
    'SELECT c.ctid AS handle, s.statement_id, %s AS operation, %s AS key, %s AS canonical_key, %s'
    ' FROM chosen s JOIN %s c ON c.pgtrack_statement_id = s.statement_id CROSS JOIN LATERAL (SELECT c.*) h%s'
    ' WHERE c.pgtrack_statement_id BETWEEN (SELECT min(statement_id) FROM chosen) AND (SELECT max(statement_id) FROM chosen)',
    v_operation, p_shape.key_json, v_key, v_whose, CASE WHEN p_keys IS NULL THEN p_shape.history ELSE 'named' END, v_noted);
  IF p_has_moves THEN
    -- After a row has left its key, another may take it: whose an image is tells the latest move from its key or to it.
    v_images := format(
      'SELECT i.*, row_number() OVER (PARTITION BY i.row, i.retakings, i.since_id ORDER BY i.statement_id, i.handle) = 1 AS is_first'
      ' FROM (SELECT i.*, max(i.move_id) OVER (PARTITION BY i.canonical_key ORDER BY i.statement_id'
      ' RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS since_id FROM (%s UNION ALL'
      ' SELECT NULL, a.statement_id, NULL, NULL, k.key, NULL, NULL, a.statement_id'
      ' FROM pgtrack._key_changes(%s) a CROSS JOIN LATERAL (VALUES (a.old_key), (a.new_key)) k (key)) i) i WHERE i.handle IS NOT NULL',
      v_images, p_shape.relation_id);
  END IF;
  RETURN format('changed AS MATERIALIZED (SELECT m.handle, m.statement_id, m.operation, m.key, m.canonical_key FROM (%s) m WHERE m.is_first)', v_images);
END
$_changed_sql$;
COMMENT ON FUNCTION pgtrack._changed_sql(pgtrack.relation_shape, boolean, text, jsonb) IS
  'The part for the first change that a set made to each row under each key: its handle, statement, operation and key.';

-- The rows have their paths with them: the planner thinks of them as few, and would look through all paths for each.
CREATE OR REPLACE FUNCTION pgtrack._path_sql(p_shape pgtrack.relation_shape, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_retaken IS NULL
    THEN format('path AS MATERIALIZED (SELECT m.*, g.* FROM changed m'
                ' CROSS JOIN LATERAL pgtrack._path(%1$s, m.canonical_key, m.statement_id, (SELECT pgtrack._spellings(%1$s)), false) g)', p_shape.relation_id)
    ELSE format('path AS MATERIALIZED (SELECT g.handle, g.statement_id, g.operation, g.key, g.canonical_key, g.row_key, g.after_id,'
                ' least(g.until_id, g.retaken_id - 1) AS until_id FROM (SELECT m.*, g.*,'
                ' min((SELECT min(h.pgtrack_statement_id) FROM %1$s CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%2$s) WHERE %3$s'
                ' AND h.pgtrack_statement_id BETWEEN g.after_id + 1 AND g.until_id)) OVER (PARTITION BY m.handle) AS retaken_id'
                ' FROM changed m CROSS JOIN LATERAL pgtrack._path(%4$s, m.canonical_key, m.statement_id, (SELECT pgtrack._spellings(%4$s)), false) g) g'
                ' WHERE g.after_id < coalesce(g.retaken_id, g.until_id))', p_retaken, p_shape.key_record, p_shape.history_is_key, p_shape.relation_id) END
    || ', traced AS MATERIALIZED (SELECT g.handle, g.statement_id, g.operation, g.key, g.canonical_key,'
       ' array_agg(g.row_key) AS row_keys, array_agg(g.after_id) AS after_ids, array_agg(g.until_id) AS until_ids'
       ' FROM path g GROUP BY g.handle, g.statement_id, g.operation, g.key, g.canonical_key)';
END;
COMMENT ON FUNCTION pgtrack._path_sql(pgtrack.relation_shape, text) IS
  'The parts for the keys that each changed row has had since then, where rows have got other keys.';

CREATE OR REPLACE FUNCTION pgtrack._images_sql(p_shape pgtrack.relation_shape, p_has_moves boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_has_moves
    THEN format('unnest(m.row_keys, m.after_ids, m.until_ids) AS g (row_key, after_id, until_id)'
                ' CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%s)'
                ' JOIN %s h ON %s AND h.pgtrack_statement_id > g.after_id AND h.pgtrack_statement_id <= g.until_id',
                p_shape.key_record, p_shape.history, p_shape.history_is_key)
    ELSE format('(SELECT) one JOIN %s h ON %s', p_shape.history, p_shape.same_row) END;
END;
COMMENT ON FUNCTION pgtrack._images_sql(pgtrack.relation_shape, boolean) IS 'The images h of a row m, whose first one is c.';

CREATE OR REPLACE FUNCTION pgtrack._newer_sql(p_shape pgtrack.relation_shape, p_has_moves boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(
    'SELECT b.*, b.is_same AND NOT b.is_taken AS is_back FROM ('
    'SELECT h.ctid AS handle, h.pgtrack_statement_id AS statement_id, %s AS row_key,'
    ' EXISTS (SELECT FROM %s t WHERE %s AND NOT (%s)) AS is_same, %7$s AS is_taken, %8$s AS is_gone,'
    ' (SELECT min(h.pgtrack_statement_id) FILTER (WHERE u.operation = ''I'' AND x.statement_id IS NULL) < max(x.statement_id) FROM %5$s'
    ' JOIN pgtrack.statement u ON u.relation_id = %6$s AND u.statement_id = h.pgtrack_statement_id'
    ' LEFT JOIN chosen x ON x.statement_id = h.pgtrack_statement_id WHERE h.pgtrack_statement_id > m.statement_id) IS TRUE AS is_anothers FROM %5$s'
    ' WHERE h.pgtrack_statement_id > m.statement_id'
    ' AND NOT EXISTS (SELECT FROM chosen x WHERE x.statement_id = h.pgtrack_statement_id)'
    ' ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1) b',
    CASE WHEN p_has_moves THEN 'g.row_key' ELSE 'NULL::jsonb' END,
    p_shape.live_table, p_shape.live_is_history, coalesce(p_shape.differs, 'false'), pgtrack._images_sql(p_shape, p_has_moves),
    p_shape.relation_id,
    -- Another row has come to the key, and no undo has made it what this one was.
    CASE WHEN p_has_moves THEN format(
      '(moved.live_key IS DISTINCT FROM g.row_key'
      ' AND EXISTS (SELECT FROM pgtrack._arrivals(%1$s, pgtrack._equal_keys((SELECT pgtrack._spellings(%1$s)), g.row_key)) a'
      ' WHERE a.statement_id >= h.pgtrack_statement_id AND NOT EXISTS (SELECT FROM jsonb_to_record(g.row_key) AS k(%2$s) JOIN %3$s h ON %4$s'
      ' JOIN pgtrack.statement u ON u.relation_id = %1$s AND u.statement_id = h.pgtrack_statement_id AND u.reverts <> '''''
      ' WHERE h.pgtrack_statement_id > a.statement_id)))',
      p_shape.relation_id, p_shape.key_record, p_shape.history, p_shape.history_is_key) ELSE 'false' END,
    CASE WHEN p_has_moves THEN format(
      'm.row_keys[2] IS NOT NULL AND (SELECT x.statement_id IS NULL AND g.row_key IS DISTINCT FROM moved.live_key FROM %s'
      ' JOIN pgtrack.statement u ON u.relation_id = %s AND u.statement_id = h.pgtrack_statement_id AND u.operation = ''I'''
      ' LEFT JOIN chosen x ON x.statement_id = h.pgtrack_statement_id'
      ' WHERE h.pgtrack_statement_id > m.statement_id ORDER BY h.pgtrack_statement_id DESC LIMIT 1) IS TRUE',
      pgtrack._images_sql(p_shape, p_has_moves), p_shape.relation_id) ELSE 'false' END);
END;
COMMENT ON FUNCTION pgtrack._newer_sql(pgtrack.relation_shape, boolean) IS
  'The part for the first later change of a row m by others, whether there is a row as it was before that, whether another has come to the key '
  'since, whether what it changed has been changed back, whether its path ends at a row that others inserted and that has left the key, and '
  'whether the set went on to change another row, '
  'that others had inserted under its key.';

CREATE OR REPLACE FUNCTION pgtrack._has_newer(p_relation integer, p_which text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_newer$
DECLARE
  v_has_newer  boolean;
BEGIN
  EXECUTE format(
    'SELECT EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = %1$s AND NOT (%2$s)'
    ' AND s.statement_id > (SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %1$s AND (%2$s)))',
    p_relation, p_which)
  INTO v_has_newer;
  RETURN v_has_newer;
END
$_has_newer$;
COMMENT ON FUNCTION pgtrack._has_newer(integer, text) IS 'Whether a table has changes by others since the first statement of a set.';

-- The rows of one table that a set of statements changed, each with what undoing that takes: handle is the image from
-- before (or the key, where the set inserted the row), live_key the row's present key where that may differ from
-- canonical_key, newer_id the first later change by others, unless what they changed has been changed back or the row is
-- as wanted already. It stands all the same where others have inserted a row of theirs and the set went on to change that.
-- newer_operation is what that change did, newer_key the key that it found the row under, base the image right before it,
-- and is_mixed whether the set went on changing the row after it. targets is what columns become by the difference, where
-- p_by_difference, and then newer_id is any later change: what is as wanted, or as before that, may be so by chance.
-- Of p_columns only, if they are named. p_keys: of these rows only, which are looked up one by one.
CREATE OR REPLACE FUNCTION pgtrack._changed_rows_sql(p_table regclass, p_set pgtrack._set, p_by_difference boolean DEFAULT false,
                                                     p_columns text[] DEFAULT NULL, p_keys jsonb DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_changed_rows_sql$
DECLARE
  v_which      text := p_set.condition;
  v_shape      pgtrack.relation_shape := pgtrack._shape(p_table);
  v_retaken    text := pgtrack._retaken(p_table, v_which, p_set.point);
  v_has_moves  boolean := pgtrack._keys_changed_since(p_table, v_which) OR v_retaken IS NOT NULL;
  v_targets    text := 'CROSS JOIN (SELECT NULL::jsonb AS targets) d';
  v_live       text := format('LEFT JOIN %s t ON %s', v_shape.live_table, v_shape.live_is_change);
  v_live_key   text := 'NULL::jsonb';
  v_moved      text := '';
  v_first      text := '';
BEGIN
  PERFORM pgtrack._refuse_former_key(p_table, v_which);
  IF p_keys IS NOT NULL AND v_has_moves THEN
    RAISE EXCEPTION 'cannot undo only some rows of %', v_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'Rows of the table have got other keys since: what a key names may be another row.',
      HINT = 'Undo all of it in one step.';
  END IF;
  IF v_has_moves THEN
    -- A row is undone to what it was before its first change, under whatever key that was.
    v_first := 'WHERE NOT EXISTS (SELECT FROM path g WHERE g.row_key = m.canonical_key AND g.statement_id < m.statement_id'
               ' AND m.statement_id > g.after_id AND m.statement_id <= g.until_id)';
    v_moved := 'CROSS JOIN LATERAL (SELECT m.row_keys[array_position(m.until_ids, 9223372036854775807)] AS live_key) moved';
    -- The row that the set has left may be back, as another undo inserts it again, without having come back on this path.
    -- And what others inserted where the set has deleted a row is in its way only as long as it stays under that key; another
    -- that has come there since is none of these rows. What they inserted and then gave another key is not the row either.
    v_live_key := 'CASE WHEN n.operation = ''I'' AND base.is_taken THEN NULL WHEN base.is_back OR n.operation = ''I'' THEN base.row_key'
                  ' WHEN base.is_gone THEN NULL ELSE moved.live_key END';
    v_live := format('LEFT JOIN LATERAL (SELECT t.ctid%s FROM jsonb_to_record(%s) AS k(%s) JOIN %s t ON %s) t ON true',
                     CASE WHEN p_by_difference THEN ', t.*' END, v_live_key, v_shape.key_record, v_shape.live_table, v_shape.live_is_key);
  END IF;
  IF p_by_difference AND pgtrack._has_newer(v_shape.relation_id, v_which) THEN
    v_targets := pgtrack._targets_sql(p_table, v_shape, v_has_moves, p_set.reverts, p_columns);
  END IF;
  RETURN format('WITH %s SELECT m.handle, m.statement_id, m.operation, m.key, m.canonical_key, %s AS live_key,'
                ' base.handle AS base, t.ctid IS NOT NULL AS is_live, d.targets, n.operation AS newer_operation, base.row_key AS newer_key,'
                ' EXISTS (SELECT FROM %s WHERE h.pgtrack_statement_id > base.statement_id'
                ' AND EXISTS (SELECT FROM chosen x WHERE x.statement_id = h.pgtrack_statement_id)) AS is_mixed, ',
                concat_ws(', ', pgtrack._chosen_sql(v_shape, v_which, p_keys),
                          pgtrack._changed_sql(v_shape, v_has_moves, v_retaken, p_keys),
                          CASE WHEN v_has_moves THEN pgtrack._path_sql(v_shape, v_retaken) END), v_live_key, pgtrack._images_sql(v_shape, v_has_moves))
    || format('CASE WHEN d.targets IS NOT NULL OR base.is_anothers OR CASE n.operation WHEN ''I'' THEN t.ctid IS NOT NULL OR base.is_taken%s'
              ' ELSE base.is_back IS FALSE END AND CASE m.operation WHEN ''I'' THEN t.ctid IS NOT NULL OR base.is_same AND base.is_taken'
              ' ELSE coalesce((SELECT %s FROM jsonb_to_record(coalesce(%s, m.key)) AS k(%s) JOIN %s t ON %s'
              ' JOIN %s h ON h.ctid = m.handle), true) END'
              ' THEN base.statement_id END AS newer_id FROM %s m ',
              -- Who has come to the key may be a row of the set, which leaves it again.
              CASE WHEN v_has_moves THEN ' AND base.row_key NOT IN (SELECT x.key FROM traced o'
                ' CROSS JOIN LATERAL (SELECT o.row_keys[array_position(o.until_ids, 9223372036854775807)] AS key) x WHERE x.key IS NOT NULL)' END,
              coalesce(v_shape.differs, 'false'), v_live_key, v_shape.key_record, v_shape.live_table, v_shape.live_is_key, v_shape.history,
              CASE WHEN v_has_moves THEN 'traced' ELSE 'changed' END)
    || concat_ws(' ',
      CASE WHEN p_keys IS NULL THEN format('JOIN %s c ON c.ctid = m.handle', v_shape.history)
           ELSE format('CROSS JOIN LATERAL (SELECT c.* FROM %s c WHERE c.ctid = m.handle OFFSET 0) c', v_shape.history) END,
      v_moved,
      CASE WHEN p_keys IS NOT NULL OR pgtrack._has_newer(v_shape.relation_id, v_which)
           THEN format('LEFT JOIN LATERAL (%s) base ON true'
                       ' LEFT JOIN pgtrack.statement n ON n.relation_id = %s AND n.statement_id = base.statement_id',
                       pgtrack._newer_sql(v_shape, v_has_moves), v_shape.relation_id)
           ELSE 'CROSS JOIN (SELECT NULL::tid AS handle, NULL::bigint AS statement_id, NULL::boolean AS is_back, NULL::boolean AS is_same, false AS is_taken,'
                ' false AS is_gone, false AS is_anothers, NULL::jsonb AS row_key) base'
                ' CROSS JOIN (SELECT NULL::"char" AS operation) n' END,
      v_live, v_targets, v_first);
END
$_changed_rows_sql$;
COMMENT ON FUNCTION pgtrack._changed_rows_sql(regclass, pgtrack._set, boolean, text[], jsonb) IS
  'The query for the rows of a table that a set of statements changed: all, or those of some keys.';

CREATE OR REPLACE FUNCTION pgtrack._keys_changed_since(p_table regclass, p_which text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_keys_changed_since$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table);
  v_changed   boolean;
BEGIN
  EXECUTE format(
    'SELECT EXISTS (SELECT FROM pgtrack._key_changes(%1$s) k'
    ' WHERE k.statement_id >= (SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %1$s AND (%2$s)))',
    v_relation, p_which)
  INTO v_changed;
  RETURN v_changed;
END
$_keys_changed_since$;
COMMENT ON FUNCTION pgtrack._keys_changed_since(regclass, text) IS
  'Whether a row of a table has got another key since the first of a set of statements.';

-- ==== undoing/merging.sql ====

-- Where others have changed a row since, on_conflict => 'merge' and 'delta' set back what can be without taking away what
-- they did, and a plan says what that is.

-- Rows r, as _changed_rows_sql() has them. A row that others gave another key is followed; what the set itself did to the
-- key would bring it where others may have gone since.
CREATE OR REPLACE FUNCTION pgtrack._unmerged_sql(p_on_conflict text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_on_conflict IN ('merge', 'delta') THEN
    'CASE WHEN r.newer_id IS NULL THEN NULL WHEN r.operation = ''I'' THEN ''what is undone inserted it'''
    ' WHEN NOT r.is_live THEN ''it has been deleted since'' WHEN r.newer_operation = ''I'' THEN ''it has been inserted again since'''
    ' WHEN r.live_key IS DISTINCT FROM r.canonical_key AND r.newer_key IS DISTINCT FROM r.canonical_key THEN ''what is undone gave it another key'' END'
    ELSE 'NULL::text' END;
END;
COMMENT ON FUNCTION pgtrack._unmerged_sql(text) IS 'The expression for why a row r that others have changed since cannot be merged.';

CREATE OR REPLACE FUNCTION pgtrack._states_sql(p_shape pgtrack.relation_shape, p_on_conflict text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_on_conflict IN ('merge', 'delta') AND p_shape.updated <> '{}' THEN
    format('LEFT JOIN LATERAL (SELECT ARRAY[%s] AS states'
           ' FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%s) JOIN %s t ON %s JOIN %6$s h ON h.ctid = r.handle JOIN %6$s c ON c.ctid = r.base'
           ' WHERE r.newer_id IS NOT NULL AND (%5$s) IS NULL OFFSET 0) merged ON true',
           (SELECT string_agg(format('CASE WHEN r.targets ? %1$L THEN CASE WHEN r.targets -> %1$L <> ''false'' THEN ''difference'' END'
                                     ' WHEN %2$s THEN CASE WHEN %3$s THEN ''back'' WHEN r.is_mixed OR ROW(%4$s)::record *<> ROW(%5$s)::record THEN ''stays'' END END',
                                     p.column_name, u.differs, u.stayed, p.old, p.base), ', ' ORDER BY u.number)
            FROM unnest(p_shape.updated, p_shape.updated_differ, p_shape.updated_stayed) WITH ORDINALITY AS u (name, differs, stayed, number)
            JOIN pgtrack._column_parts(p_shape.relation_id, p_shape.name::regclass, NULL) p ON quote_ident(p.column_name) = u.name),
           p_shape.key_record, p_shape.live_table, p_shape.live_is_key, pgtrack._unmerged_sql(p_on_conflict), p_shape.history)
    ELSE 'CROSS JOIN (SELECT NULL::text[] AS states) merged' END;
END;
COMMENT ON FUNCTION pgtrack._states_sql(pgtrack.relation_shape, text) IS
  'The part for what a merge does to each column of a row r that can be set back: back, difference, or that it stays; null where there is nothing to do.';

CREATE OR REPLACE FUNCTION pgtrack._columns_in(p_updated text[], p_states text[], p_state text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg((parse_ident(u.name))[1] ORDER BY u.number), '{}')
  FROM unnest(p_updated, p_states) WITH ORDINALITY AS u (name, state, number) WHERE u.state = p_state;
END;
COMMENT ON FUNCTION pgtrack._columns_in(text[], text[], text) IS 'The names of the columns that a merge does one thing to.';

CREATE OR REPLACE FUNCTION pgtrack._merge_text(p_unmerged text, p_updated text[], p_states text[], p_action text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat_ws('; ', 'the row stays as it is, ' || p_unmerged,
                   'by the difference: ' || nullif(array_to_string(pgtrack._columns_in(p_updated, p_states, 'difference'), ', '), ''),
                   'stays as it is: ' || nullif(array_to_string(pgtrack._columns_in(p_updated, p_states, 'stays'), ', '), ''),
                   CASE WHEN p_states IS NOT NULL AND p_action = 'nothing' THEN 'nothing is left to set back' END);
END;
COMMENT ON FUNCTION pgtrack._merge_text(text, text[], text[], text) IS 'What a merge does to a row, for people.';

-- ==== undoing/path.sql ====

-- Another row may come to the key of one that was deleted, and leave it again before the first is inserted again.
CREATE OR REPLACE FUNCTION pgtrack._path(p_relation integer, p_key jsonb, p_from bigint, p_spellings jsonb, p_is_next boolean)
RETURNS TABLE (row_key jsonb, after_id bigint, until_id bigint)
-- Called for each of many rows: to plan its queries takes longer than to run them.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $_path$
DECLARE
  v_keys       jsonb[] := pgtrack._equal_keys(p_spellings, p_key);
  v_seen       bigint := p_from - 1;
  v_visitors   integer := 0;
  v_departure  record;
  v_arrival    bigint;
BEGIN
  row_key := p_key;
  after_id := v_seen;
  IF NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = p_relation AND p_key IN (c.old_key, c.new_key)) THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
    RETURN;
  END IF;
  LOOP
    SELECT m.statement_id, m.new_key INTO v_departure
    FROM pgtrack._departures(p_relation, v_keys) m WHERE m.statement_id > v_seen
    ORDER BY m.statement_id LIMIT 1;
    SELECT min(m.statement_id) INTO v_arrival FROM pgtrack._arrivals(p_relation, v_keys) m WHERE m.statement_id > v_seen;
    EXIT WHEN v_departure.statement_id IS NULL AND v_arrival IS NULL;
    v_seen := least(v_departure.statement_id, v_arrival);
    IF v_departure.statement_id = v_seen AND v_visitors = 0 THEN
      until_id := v_seen;
      RETURN NEXT;
      -- To leave a key is a change, which is recorded under it.
      IF p_is_next AND v_seen > p_from THEN
        RETURN;
      END IF;
      v_keys := pgtrack._equal_keys(p_spellings, v_departure.new_key);
      row_key := v_keys[1];
      after_id := v_seen;
    ELSE
      IF v_visitors = 0 THEN
        until_id := v_seen;
        RETURN NEXT;
      END IF;
      v_visitors := v_visitors + CASE WHEN v_arrival = v_seen THEN 1 ELSE 0 END
                               - CASE WHEN v_departure.statement_id = v_seen THEN 1 ELSE 0 END;
      after_id := v_seen;
    END IF;
  END LOOP;
  IF v_visitors = 0 THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
  END IF;
END
$_path$;
COMMENT ON FUNCTION pgtrack._path(integer, jsonb, bigint, jsonb, boolean) IS
  'The keys that a row has had since a statement found it at one, oldest first, each with the range of statements that found it there; '
  'with p_is_next no more than lead to its next change.';

-- ==== undoing/tables.sql ====

CREATE OR REPLACE FUNCTION pgtrack._tables_of(p_which text, p_what text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_of$
DECLARE
  v_relation  record;
  v_found     boolean := false;
BEGIN
  FOR v_relation IN EXECUTE format(
    'SELECT r.relid, r.schema_name, r.table_name, r.key_columns FROM pgtrack.relation r'
    ' WHERE EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = r.relation_id AND (%s)) ORDER BY r.relation_id', p_which)
  LOOP
    v_found := true;
    IF v_relation.relid IS NULL THEN
      RAISE EXCEPTION 'cannot undo %: table %.% has been dropped', p_what, v_relation.schema_name, v_relation.table_name
        USING ERRCODE = 'undefined_table';
    ELSIF v_relation.key_columns = '{}' THEN
      RAISE EXCEPTION 'cannot undo %: table % has no primary key', p_what, pgtrack._name(v_relation.relid)
        USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pgtrack._require_select(v_relation.relid);
    RETURN NEXT v_relation.relid;
  END LOOP;
  IF NOT v_found THEN
    RAISE EXCEPTION 'no change of % is recorded', p_what USING
      ERRCODE = 'no_data_found',
      DETAIL = 'There is none in a tracked table, or only in tables that you may not read.',
      HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
  END IF;
END
$_tables_of$;
COMMENT ON FUNCTION pgtrack._tables_of(text, text) IS 'The tables that a set of statements changed, all of which can be reverted, or an error.';

-- ==== undoing/plan_set.sql ====

-- What is to happen to each row of one table is decided first, from a few values; images are made of those rows alone
-- that somebody looks at. version stands for the live row and what it shall become: another has come when it is not the
-- same. What others have changed since and on_conflict leaves as it is, is_left.
CREATE OR REPLACE FUNCTION pgtrack._planned_rows_sql(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_columns text[],
                                                     p_on_conflict text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_planned_rows_sql$
DECLARE
  c_version CONSTANT  text := 'hash_record_extended(ROW(%s.handle, t.tableoid, t.ctid, t.xmin), 0) AS version';
  v_bulk              pgtrack._bulk := pgtrack._bulk_set(p_table, p_shape, p_set, p_on_conflict);
  v_rows              text;
BEGIN
  IF v_bulk.ids IS NOT NULL THEN
    v_rows := format(
      'SELECT r.*, CASE WHEN r.is_unborn THEN ''I'' ELSE ''U'' END AS operation, NULL::jsonb AS live_key, NULL::jsonb AS canonical_key,'
      ' NULL::jsonb AS newer_key, NULL::jsonb AS targets, NULL::jsonb AS contested FROM (%s) r',
      pgtrack._bulk_rows_sql(p_shape, CASE WHEN p_columns IS NULL THEN p_shape ELSE pgtrack._shape(p_table) END, v_bulk,
                             format('%s AS differs, %s', coalesce(p_shape.differs, 'false'), format(c_version, 'm')), 'OFFSET 0'));
  ELSE
    v_rows := format(
      'WITH r AS MATERIALIZED (%s) SELECT r.*, (%s) AS contested, r.key AS sort_key, l.differs, l.version FROM r'
      ' LEFT JOIN LATERAL (SELECT %s AS differs, %s FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%s) JOIN %s t ON %s'
      ' JOIN %s h ON h.ctid = r.handle WHERE r.is_live OFFSET 0) l ON true',
      pgtrack._changed_rows_sql(p_table, p_set, p_on_conflict = 'delta', p_columns),
      pgtrack._contested_sql(p_shape, p_on_conflict, pgtrack._keys_changed_since(p_table, p_set.condition)), coalesce(p_shape.differs, 'false'), format(c_version, 'r'),
      p_shape.key_record, p_shape.live_table, p_shape.live_is_key, p_shape.history);
  END IF;
  RETURN format($$
      SELECT r.*, CASE WHEN r.contested IS NOT NULL THEN pgtrack._refuse_contested(%3$L, r.contested)::text
                       WHEN r.is_left THEN 'nothing'
                       WHEN r.states IS NOT NULL THEN CASE WHEN r.states && '{back,difference}' THEN 'update' ELSE 'nothing' END
                       WHEN r.wanted IN ('delete', 'insert') AND %2$L IS NOT NULL THEN pgtrack._refuse_columns(%3$L, r.key, r.wanted)::text
                       ELSE r.wanted END AS action
      FROM (
        SELECT r.key, r.contested, r.sort_key, r.live_key, r.statement_id, r.newer_id, r.handle, r.is_live, r.targets, r.version, merged.states, w.wanted, (%4$s) AS unmerged,
               r.newer_id IS NOT NULL
               AND CASE %5$L WHEN 'skip' THEN true WHEN 'error' THEN w.wanted = 'nothing' WHEN 'force' THEN false
                              ELSE merged.states IS NULL OR merged.states && '{stays}' AND NOT merged.states && '{back,difference}' END AS is_left
        FROM (%1$s) r
        CROSS JOIN LATERAL (SELECT CASE
          WHEN r.operation = 'I' AND NOT r.is_live OR r.operation <> 'I' AND r.is_live AND r.differs IS NOT TRUE THEN 'nothing'
          WHEN r.operation = 'I' THEN 'delete' WHEN NOT r.is_live THEN 'insert' ELSE 'update' END AS wanted) w
        %6$s) r$$,
    v_rows, p_columns, p_shape.name, pgtrack._unmerged_sql(p_on_conflict), p_on_conflict,
    pgtrack._states_sql(p_shape, CASE WHEN v_bulk.ids IS NULL THEN p_on_conflict ELSE 'error' END));
END
$_planned_rows_sql$;
COMMENT ON FUNCTION pgtrack._planned_rows_sql(regclass, pgtrack.relation_shape, pgtrack._set, text[], text) IS
  'The query for what undoing a set of statements would do to each row of a table.';

-- As the plan of a verb says it, of the rows p.
CREATE OR REPLACE FUNCTION pgtrack._planned_step_sql(p_shape pgtrack.relation_shape, p_columns text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$p.key AS row_pk, p.action, i.before,
             CASE WHEN p.action = 'nothing' THEN i.before
                  WHEN p.states IS NOT NULL THEN i.before || pgtrack._only(i.image, pgtrack._columns_in(%9$L, p.states, 'back'))
                                                 || coalesce(pgtrack._only(p.targets, pgtrack._columns_in(%9$L, p.states, 'difference')), '{}')
                  WHEN p.action = 'update' THEN i.before || pgtrack._only(i.image, %1$L) WHEN p.action = 'insert' THEN i.image END AS after,
             CASE WHEN p.newer_id IS NOT NULL THEN
               concat_ws('; ', (SELECT format('changed since by %%s at %%s, transaction %%s', a.who, a.at, a.xid)
                                FROM pgtrack.activity a WHERE a.relation_id = %2$s AND a.statement_id = p.newer_id),
                         nullif(pgtrack._merge_text(p.unmerged, %9$L, p.states, p.action), '')) END AS conflict
      FROM p CROSS JOIN LATERAL (
        SELECT (SELECT %3$s FROM %4$s h WHERE h.ctid = p.handle) AS image,
               (SELECT %5$s FROM jsonb_to_record(coalesce(p.live_key, p.key)) AS k(%6$s) JOIN %7$s t ON %8$s
                WHERE p.is_live) AS before OFFSET 0) i$$,
    p_columns, p_shape.relation_id, p_shape.restored, p_shape.history, p_shape.live_image, p_shape.key_record, p_shape.live_table, p_shape.live_is_key,
    p_shape.updated);
END;
COMMENT ON FUNCTION pgtrack._planned_step_sql(pgtrack.relation_shape, text[]) IS 'The columns of a plan, of the rows p that are planned.';

CREATE OR REPLACE FUNCTION pgtrack._plan_set(p_set pgtrack._set, p_columns text[], p_on_conflict text)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
-- To compile its queries takes longer than most plans, and no row is looked for twice.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_plan_set$
DECLARE
  v_table  regclass;
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict), pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    v_shape := pgtrack._shape(v_table, p_columns);
    RETURN QUERY EXECUTE format('WITH p AS (%s) SELECT %L, %s WHERE p.action <> ''nothing'' OR p.is_left ORDER BY p.statement_id, p.key',
      pgtrack._planned_rows_sql(v_table, v_shape, p_set, p_columns, p_on_conflict), v_shape.name, pgtrack._planned_step_sql(v_shape, p_columns));
  END LOOP;
END
$_plan_set$;
COMMENT ON FUNCTION pgtrack._plan_set(pgtrack._set, text[], text) IS
  'What undoing a set of statements would do, row by row; of rows that others have changed since also that nothing would be done.';

-- ==== undoing/refusals.sql ====

CREATE OR REPLACE FUNCTION pgtrack._refuse_moves(p_table regclass, p_which text, p_columns text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_moves$
BEGIN
  IF p_columns IS NOT NULL AND pgtrack._keys_changed_since(p_table, p_which) THEN
    PERFORM pgtrack._refuse_columns(pgtrack._name(p_table), NULL, 'move');
  END IF;
END
$_refuse_moves$;
COMMENT ON FUNCTION pgtrack._refuse_moves(regclass, text, text[]) IS 'Refuses columns where rows have got other keys: what a key names may be another row.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_contested(p_name text, p_key jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_contested$
BEGIN
  RAISE EXCEPTION 'two rows of % would have the key %', p_name, pgtrack._key_text(p_key) USING
    ERRCODE = 'unique_violation',
    DETAIL = 'It was one row''s before, and others have given it to another row since.',
    HINT = 'Give that row another key first, or undo fewer changes; pgtrack.history() shows what had the key.';
END
$_refuse_contested$;
COMMENT ON FUNCTION pgtrack._refuse_contested(text, jsonb) IS 'Refuses to give two rows one key.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_erased(p_table regclass, p_which text, p_what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_erased$
DECLARE
  v_shape  record;
  v_key    jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  IF NOT pgtrack._has_erasures(v_shape.relation_id) THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT x.key FROM %s h JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
                 ' CROSS JOIN LATERAL (SELECT pgtrack._canonical_key(%s, %L) AS key) x'
                 ' WHERE s.operation <> ''I'' AND (%s) AND pgtrack._is_erased(%2$s, x.key, h.pgtrack_statement_id) LIMIT 1',
                 v_shape.history, v_shape.relation_id, v_shape.key_json, v_shape.key_record, p_which)
  INTO v_key;
  IF v_key IS NOT NULL THEN
    RAISE EXCEPTION 'cannot undo %: what % (%) was is no longer known', p_what, v_shape.name, pgtrack._key_text(v_key) USING
      ERRCODE = 'TK002',
      DETAIL = 'Its recorded values have been erased.';
  END IF;
END
$_refuse_erased$;
COMMENT ON FUNCTION pgtrack._refuse_erased(regclass, text, text) IS 'Refuses to undo changes of rows whose recorded values were erased.';

-- ==== undoing/bulk.sql ====

-- Of most sets nobody has to list the rows: an index finds them under the keys that their history has, and they may be
-- taken in any order. One query locks them, looks what each needs, and counts. The statement that does the revert finds them
-- again by the same images, so a million rows take no more memory than a thousand. What is not like that goes row by
-- row (_work_sql).

CREATE OR REPLACE FUNCTION pgtrack._is_one_of(p_column text, p_ids bigint[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- IS TRUE keeps PostgreSQL from looking into an index for each number.
  SELECT CASE cardinality(p_ids) WHEN 0 THEN 'false' WHEN 1 THEN format('%s OPERATOR(pg_catalog.=) %s', p_column, p_ids[1])
              ELSE format('%1$s OPERATOR(pg_catalog.>=) %2$s AND %1$s OPERATOR(pg_catalog.<=) %3$s'
                          ' AND (%1$s OPERATOR(pg_catalog.=) ANY (%4$L::pg_catalog.int8[])) IS TRUE', p_column, min(i), max(i), p_ids) END
  FROM unnest(p_ids) i;
END;
COMMENT ON FUNCTION pgtrack._is_one_of(text, bigint[]) IS 'The condition that a number is one of these.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_statements(p_relation integer, p_which text) RETURNS pgtrack._bulk
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_bulk_statements$
DECLARE
  c_most CONSTANT  integer := 100000;
  v_bulk           pgtrack._bulk;
  v_later          record;
BEGIN
  EXECUTE format('SELECT coalesce(array_agg(s.statement_id), ''{}''),'
                 ' coalesce(array_agg(s.statement_id) FILTER (WHERE s.operation = ''I''), ''{}''),'
                 ' coalesce(array_agg(s.statement_id) FILTER (WHERE s.operation <> ''I''), ''{}''), pg_current_snapshot()'
                 ' FROM (SELECT s.statement_id, s.operation FROM pgtrack.statement s WHERE s.relation_id = %s AND (%s) LIMIT %s) s',
                 p_relation, p_which, c_most + 1)
  INTO v_bulk.ids, v_bulk.insert_ids, v_bulk.other_ids, v_bulk.snapshot;
  IF cardinality(v_bulk.ids) NOT BETWEEN 1 AND c_most THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT count(*) AS statements, sum(s.row_count) AS rows'
                 ' FROM (SELECT s.row_count FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id > (SELECT min(i) FROM unnest($1) i) AND (s.statement_id = ANY ($1)) IS NOT TRUE LIMIT %s) s',
                 p_relation, c_most)
  INTO v_later USING v_bulk.ids;
  v_bulk.has_later := v_later.statements > 0;
  v_bulk.are_later_few := v_later.statements < c_most AND v_later.rows < c_most;
  RETURN v_bulk;
END
$_bulk_statements$;
COMMENT ON FUNCTION pgtrack._bulk_statements(integer, text) IS
  'The statements that a set has in a table, and what others have done there since; null where they are too many to be listed.';

-- Values of foreign types are compared as text, which no index knows.
CREATE OR REPLACE FUNCTION pgtrack._bulk_set(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_on_conflict text)
RETURNS pgtrack._bulk
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_bulk_set$
DECLARE
  v_bulk  pgtrack._bulk;
BEGIN
  PERFORM pgtrack._refuse_former_key(p_table, p_set.condition);
  IF p_shape.updated = '{}' OR EXISTS (SELECT FROM pgtrack._key_parts(p_shape.relation_id) k WHERE k.kind IS NOT NULL)
     OR pgtrack._retaken(p_table, p_set.condition, p_set.point) IS NOT NULL OR pgtrack._keys_changed_since(p_table, p_set.condition) THEN
    RETURN NULL;
  END IF;
  v_bulk := pgtrack._bulk_statements(p_shape.relation_id, p_set.condition);
  -- One statement changes a row once, unless foreign keys, moves or keys that are checked later come in.
  v_bulk.is_once := cardinality(v_bulk.ids) = 1 AND NOT pgtrack._is_partitioned(p_table) AND NOT pgtrack._may_repeat(p_table)
    AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary AND i.indimmediate);
  -- To merge, each row is looked at by itself.
  RETURN CASE WHEN v_bulk.has_later AND p_on_conflict IN ('merge', 'delta') THEN NULL ELSE v_bulk END;
END
$_bulk_set$;
COMMENT ON FUNCTION pgtrack._bulk_set(regclass, pgtrack.relation_shape, pgtrack._set, text) IS
  'The statements that a set has in a table, if its rows need no list; else null.';

-- Where the rows that others have changed since are few, they are known before each row's history is looked at. Types of
-- extensions may have another equality than IN finds.
CREATE OR REPLACE FUNCTION pgtrack._later_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, OUT part text, OUT is_changed text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN x.is_used THEN format(', later AS MATERIALIZED (SELECT %s FROM %s c WHERE c.pgtrack_statement_id > %s AND (%s) IS NOT TRUE)',
                                         p_shape.change_keys, p_shape.history, (SELECT min(i) FROM unnest(p_bulk.ids) i),
                                         pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids)) END,
         CASE WHEN x.is_used THEN format('(%s) IN (SELECT * FROM later)', p_shape.change_keys) ELSE 'true' END
  FROM (SELECT p_bulk.are_later_few AND bool_and(k.stored < 12000) AS is_used FROM pgtrack._key_parts(p_shape.relation_id) k) x;
END;
COMMENT ON FUNCTION pgtrack._later_sql(pgtrack.relation_shape, pgtrack._bulk) IS
  'The part for the keys of the rows that others have changed since, if they are few, and the condition that the row c is one.';

CREATE OR REPLACE FUNCTION pgtrack._first_of_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_more text DEFAULT '') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('SELECT DISTINCT ON (%1$s) c.ctid AS handle, c.pgtrack_statement_id AS statement_id%2$s FROM %3$s c WHERE %4$s'
                ' ORDER BY %1$s, c.pgtrack_statement_id, c.ctid',
                p_shape.change_keys, p_more, p_shape.history, pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids));
END;
COMMENT ON FUNCTION pgtrack._first_of_sql(pgtrack.relation_shape, pgtrack._bulk, text) IS
  'The query for the first change of each row by some statements.';

-- p_live is what is asked of each row that is there, p_lock how it is locked.
CREATE OR REPLACE FUNCTION pgtrack._bulk_rows_sql(p_shape pgtrack.relation_shape, p_whole pgtrack.relation_shape, p_bulk pgtrack._bulk,
                                                  p_live text, p_lock text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- JSON sorts whole numbers as they are; to make it takes longer than to look at a row.
  -- OFFSET 0: whatever the planner thinks of their number, images are read from where they are, rows found by the index, and
  -- later changes looked for only where there are any.
  SELECT format(
    'WITH chosen AS MATERIALIZED (SELECT unnest(%1$L::bigint[]) AS statement_id)%2$s'
    ' SELECT m.handle, m.statement_id, %3$s AS key, %12$s AS sort_key, %4$s AS is_unborn, l.is_live IS TRUE AS is_live, l.differs, l.version, %5$s'
    ' FROM %6$s CROSS JOIN LATERAL (SELECT c.*) h'
    ' LEFT JOIN LATERAL (SELECT true AS is_live, %7$s, %8$s AS is_other FROM %9$s t WHERE %10$s %11$s) l ON true',
    p_bulk.ids, x.part, p_shape.key_json, pgtrack._is_one_of('m.statement_id', p_bulk.insert_ids),
    CASE WHEN p_bulk.has_later
      THEN 'base.operation AS newer_operation,'
           ' CASE WHEN base.is_anothers OR CASE base.operation WHEN ''I'' THEN l.is_live ELSE base.is_back IS FALSE END'
           ' AND CASE WHEN ' || pgtrack._is_one_of('m.statement_id', p_bulk.insert_ids) || ' THEN l.is_live ELSE coalesce(l.is_other, true) END'
           ' THEN base.statement_id END AS newer_id'
      ELSE 'NULL::"char" AS newer_operation, NULL::bigint AS newer_id' END,
    CASE WHEN p_bulk.is_once
      THEN format('%1$s c CROSS JOIN LATERAL (SELECT c.ctid AS handle, c.pgtrack_statement_id AS statement_id%2$s) m', p_shape.history,
                  CASE WHEN p_bulk.has_later THEN format(', %s AS is_changed OFFSET 0', x.is_changed) END)
      ELSE format('(%1$s) m CROSS JOIN LATERAL (SELECT c.* FROM %2$s c WHERE c.ctid = m.handle OFFSET 0) c',
                  pgtrack._first_of_sql(p_shape, p_bulk, CASE WHEN p_bulk.has_later THEN format(', %s AS is_changed', x.is_changed) ELSE '' END),
                  p_shape.history) END,
    p_live,
    CASE WHEN p_bulk.has_later THEN coalesce(p_whole.differs, 'false') ELSE 'NULL::boolean' END, p_shape.live_table, p_shape.live_is_history, p_lock,
    (SELECT CASE WHEN count(*) = 1 AND min(k.stored) IN (20, 21, 23) THEN p_shape.change_keys ELSE p_shape.key_json END
     FROM pgtrack._key_parts(p_shape.relation_id) k))
    || CASE WHEN p_bulk.has_later THEN format(
         ' LEFT JOIN LATERAL (SELECT b.*, (SELECT n.operation FROM pgtrack.statement n'
         ' WHERE n.relation_id = %s AND n.statement_id = b.statement_id) AS operation'
         ' FROM (%s) b WHERE m.is_changed OFFSET 0) base ON true', p_shape.relation_id, pgtrack._newer_sql(p_whole, false)) ELSE '' END
    || CASE WHEN p_bulk.is_once THEN ' WHERE ' || pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids) ELSE '' END
  FROM pgtrack._later_sql(p_shape, p_bulk) x;
END;
COMMENT ON FUNCTION pgtrack._bulk_rows_sql(pgtrack.relation_shape, pgtrack.relation_shape, pgtrack._bulk, text, text) IS
  'The query for the rows of a table that some statements changed: the image from before, and the latest change by others that is in the way.';

-- ==== undoing/bulk_work.sql ====

CREATE OR REPLACE FUNCTION pgtrack._is_changed_since(p_relation integer, p_snapshot pg_snapshot) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_is_changed_since$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.statement s
                 WHERE s.xid >= pg_snapshot_xmin(p_snapshot) AND s.relation_id = p_relation AND NOT pg_visible_in_snapshot(s.xid, p_snapshot)
                   AND s.xid IS DISTINCT FROM pg_current_xact_id_if_assigned());
END
$_is_changed_since$;
COMMENT ON FUNCTION pgtrack._is_changed_since(integer, pg_snapshot) IS
  'Whether others have committed changes of a table that a snapshot does not show.';

-- Kinds are those of steps, and nothing and skip. Where all rows are to come back, they need no list.
CREATE OR REPLACE FUNCTION pgtrack._bulk_sql(p_shape pgtrack.relation_shape, p_whole pgtrack.relation_shape, p_bulk pgtrack._bulk,
                                             p_on_conflict text, p_lock text)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
      WITH d AS MATERIALIZED (
        SELECT r.handle, r.newer_id, r.is_live, r.differs,
               CASE WHEN r.newer_id IS NOT NULL AND %2$L <> 'force' THEN 'skip'
                    WHEN r.is_unborn THEN CASE WHEN r.is_live THEN 'delete' ELSE 'nothing' END
                    WHEN NOT r.is_live THEN 'insert'
                    WHEN true = ANY (r.differs) THEN 'update' ELSE 'nothing' END AS kind
        FROM (%1$s) r
      ), g AS MATERIALIZED (
        SELECT d.kind, d.is_live, d.differs, count(*) AS row_count, count(d.newer_id) AS conflicts FROM d GROUP BY d.kind, d.is_live, d.differs
      )
      SELECT ARRAY(SELECT ROW(NULL, g.kind, array_positions(g.differs, true), NULL, NULL, NULL, NULL, false, false, NULL, g.row_count)::pgtrack._step
                   FROM g) AS groups,
             (SELECT sum(g.conflicts) FROM g) AS conflicts,
             %6$L OR (SELECT sum(g.row_count) FROM g) = (SELECT count(*) FROM %3$s c WHERE %4$s) AS is_once,
             CASE WHEN x.has_inserts AND (%5$L OR x.has_others)
                  THEN ARRAY(SELECT d.handle FROM d WHERE d.kind = 'insert') END AS inserts,
             CASE WHEN x.has_exceptions THEN ARRAY(SELECT d.handle FROM d WHERE d.kind = 'skip' OR NOT d.is_live) END AS others
      FROM (SELECT bool_or(g.kind = 'insert') AS has_inserts, bool_or(g.is_live OR g.kind = 'skip') AS has_others,
                   bool_or(g.kind IN ('update', 'delete')) AND bool_or(g.kind = 'skip' OR NOT g.is_live) AS has_exceptions FROM g) x$$,
    pgtrack._bulk_rows_sql(p_shape, p_whole, p_bulk, format('ARRAY[%s] AS differs, NULL AS version', array_to_string(p_shape.updated_differ, ', ')),
                           p_lock),
    p_on_conflict, p_shape.history, pgtrack._is_one_of('c.pgtrack_statement_id', p_bulk.ids),
    coalesce(0 < ANY (p_shape.inserted_since), false), p_bulk.is_once);
END;
COMMENT ON FUNCTION pgtrack._bulk_sql(pgtrack.relation_shape, pgtrack.relation_shape, pgtrack._bulk, text, text) IS
  'The query for what undoing some statements does to the rows of a table, in numbers; it lists only those that are treated otherwise than the rest.';

CREATE OR REPLACE FUNCTION pgtrack._found_images_sql(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_kind text,
                                                     p_is_once boolean, p_others tid[])
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(CASE WHEN p_is_once THEN 'SELECT h.* FROM %1$s h WHERE %2$s'
                     ELSE 'SELECT h.* FROM (%3$s) m CROSS JOIN LATERAL'
                          ' (SELECT h.* FROM %1$s h WHERE h.ctid OPERATOR(pg_catalog.=) m.handle OFFSET 0) h WHERE %2$s' END,
                p_shape.history,
                concat_ws(' AND ', pgtrack._is_one_of('h.pgtrack_statement_id', CASE p_kind WHEN 'delete' THEN p_bulk.insert_ids ELSE p_bulk.other_ids END),
                          CASE WHEN p_others <> '{}' THEN format('%s OPERATOR(pg_catalog.<>) ALL (%L::pg_catalog.tid[])',
                                                                 CASE WHEN p_is_once THEN 'h.ctid' ELSE 'm.handle' END, p_others) END),
                pgtrack._first_of_sql(p_shape, p_bulk));
END;
COMMENT ON FUNCTION pgtrack._found_images_sql(pgtrack.relation_shape, pgtrack._bulk, text, boolean, tid[]) IS
  'The query for the images of rows that a revert deletes, updates or inserts, but for some others.';

-- One UPDATE has to do: no trigger tells the columns of one row from those of another, no constraint asks for an order.
CREATE OR REPLACE FUNCTION pgtrack._update_is_one(p_table regclass, p_shape pgtrack.relation_shape, p_groups pgtrack._step[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH updated AS MATERIALIZED (SELECT g.columns FROM unnest(p_groups) g WHERE g.kind = 'update'),
       changed AS MATERIALIZED (SELECT ARRAY(SELECT DISTINCT p_shape.updated[c] FROM updated u CROSS JOIN LATERAL unnest(u.columns) c) AS names)
  SELECT NOT EXISTS (SELECT FROM updated u WHERE u.columns && pgtrack._fixed_columns(p_table, p_shape.updated))
     AND (SELECT count(DISTINCT ARRAY(SELECT w.watcher FROM pgtrack._watched_columns(p_table, p_shape.updated) w
                                      WHERE w.columns && u.columns ORDER BY w.watcher)) < 2 FROM updated u)
     AND NOT EXISTS (SELECT FROM changed c CROSS JOIN LATERAL pgtrack._checked_indexes(p_table, c.names) WHERE c.names <> '{}');
END;
COMMENT ON FUNCTION pgtrack._update_is_one(regclass, pgtrack.relation_shape, pgtrack._step[]) IS
  'Whether one UPDATE, in any order, can set back the rows of a revert, by the columns in which they differ.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_steps(p_shape pgtrack.relation_shape, p_bulk pgtrack._bulk, p_groups pgtrack._step[], p_is_once boolean,
                                               p_others tid[], p_lists_inserts boolean)
RETURNS pgtrack._step[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(ROW(NULL, s.kind,
                                CASE WHEN s.kind = 'insert' THEN ARRAY(SELECT generate_subscripts(p_shape.inserted, 1)) ELSE s.columns END,
                                NULL, NULL, NULL, CASE WHEN s.are_several THEN '{}'::varbit[] END, false, false,
                                pgtrack._found_images_sql(p_shape, p_bulk, s.kind, p_is_once, p_others), s.row_count)::pgtrack._step), '{}')
  FROM (SELECT g.kind, count(DISTINCT g.columns) > 1 AS are_several,
               ARRAY(SELECT DISTINCT c FROM unnest(p_groups) x CROSS JOIN LATERAL unnest(x.columns) c WHERE x.kind = 'update' ORDER BY c) AS columns,
               sum(g.row_count)::bigint AS row_count
        FROM unnest(p_groups) g WHERE g.kind IN ('delete', 'update') OR g.kind = 'insert' AND NOT p_lists_inserts GROUP BY g.kind) s;
END;
COMMENT ON FUNCTION pgtrack._bulk_steps(pgtrack.relation_shape, pgtrack._bulk, pgtrack._step[], boolean, tid[], boolean) IS
  'The steps for rows that need not be listed: one of each kind.';

CREATE OR REPLACE FUNCTION pgtrack._bulk_work(p_table regclass, p_set pgtrack._set, p_shape pgtrack.relation_shape, p_on_conflict text,
                                              p_columns text[], OUT work pgtrack._work, OUT skipped bigint, OUT is_locked boolean)
-- To compile takes longer than most sets, and no row is looked for twice.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_memoize = off AS $_bulk_work$
DECLARE
  v_bulk   pgtrack._bulk;
  v_rows   record;
BEGIN
  is_locked := false;
  -- What a foreign key does to rows of the set is asked of lists. And where policies show more rows than they let be locked,
  -- those would be taken for gone.
  IF row_security_active(p_table) OR EXISTS (
       SELECT FROM unnest(p_set.tables) t CROSS JOIN LATERAL pgtrack._foreign_keys_to(t) c
       WHERE pgtrack._table_with(c.conrelid, ARRAY[p_table]) IS NOT NULL
             AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('n', 'd'))) THEN
    RETURN;
  END IF;
  IF p_set.point IS NOT NULL THEN
    PERFORM pgtrack._lock_rows(p_set, p_shape, false, NULL);
    is_locked := true;
  END IF;
  FOR attempt IN 1 .. 2 LOOP
    v_bulk := pgtrack._bulk_set(p_table, p_shape, p_set, p_on_conflict);
    IF v_bulk.ids IS NULL THEN
      RETURN;
    END IF;
    EXECUTE pgtrack._bulk_sql(p_shape, CASE WHEN v_bulk.has_later AND p_columns IS NOT NULL THEN pgtrack._shape(p_table) ELSE p_shape END,
                              v_bulk, p_on_conflict, CASE WHEN p_set.point IS NULL THEN 'FOR UPDATE' ELSE 'OFFSET 0' END) INTO v_rows;
    is_locked := true;
    -- Who waited for a lock has looked too early. Nobody changes the rows any more, so the second look is right.
    EXIT WHEN NOT pgtrack._is_changed_since(p_shape.relation_id, v_bulk.snapshot);
    p_set.condition := pgtrack._is_one_of('s.statement_id', v_bulk.ids);
    p_shape := pgtrack._shape(p_table, p_columns);
  END LOOP;
  IF v_rows.conflicts > 0 AND p_on_conflict = 'error'
     OR p_columns IS NOT NULL AND EXISTS (SELECT FROM unnest(v_rows.groups) g WHERE g.kind IN ('delete', 'insert'))
     OR NOT pgtrack._update_is_one(p_table, p_shape, v_rows.groups) THEN
    RETURN;
  END IF;
  work.relid := p_table;
  work.inserts := v_rows.inserts;
  work.steps := pgtrack._bulk_steps(p_shape, v_bulk, v_rows.groups, v_rows.is_once, v_rows.others, v_rows.inserts IS NOT NULL);
  skipped := (SELECT coalesce(sum(g.row_count), 0) FROM unnest(v_rows.groups) g WHERE g.kind = 'skip');
END
$_bulk_work$;
COMMENT ON FUNCTION pgtrack._bulk_work(regclass, pgtrack._set, pgtrack.relation_shape, text, text[]) IS
  'What undoing a set of changes does to a table, without a list of its rows, which are locked; null where they have to be listed.';

-- ==== undoing/passed_keys.sql ====

-- Where keys cross, rows change places under them: what is recorded then says what was under each key, and not which row went
-- where. The undo knows that. So what it has recorded becomes what it means: first the rows that went, then those that have got
-- another key, then those that came. The history of a row, and the next undo, follow the row.
CREATE OR REPLACE FUNCTION pgtrack._passed_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
    own AS MATERIALIZED (
      SELECT o.*, count(*) OVER (PARTITION BY o.key) > 1 AS is_changed_again
      FROM (SELECT h.ctid AS handle, s.statement_id, s.operation, %s AS key
            FROM %s h JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id
            WHERE h.pgtrack_statement_id > $1 AND s.xid = pg_current_xact_id()) o
    ), passed AS MATERIALIZED (
      SELECT 'D' AS meaning, o.*, NULL::jsonb AS new_key, NULL::tid AS new_handle, NULL::bigint AS new_id, NULL::"char" AS new_operation
      FROM unnest($2) AS x (key) JOIN own o ON o.key = x.key
      UNION ALL
      SELECT 'U', o.handle, o.statement_id, o.operation, o.key, o.is_changed_again, n.key, n.handle, n.statement_id, n.operation
      FROM unnest($3, $4) AS x (key, new_key) JOIN own o ON o.key = x.key JOIN own n ON n.key = x.new_key
      UNION ALL
      SELECT 'I', o.*, NULL, NULL, NULL, NULL FROM unnest($5) AS x (key) JOIN own o ON o.key = x.key
    ), rest AS MATERIALIZED (
      SELECT o.* FROM own o WHERE o.operation = 'U' AND NOT EXISTS (SELECT FROM passed p WHERE p.handle = o.handle AND p.meaning <> 'I')
    ), gone AS (
      SELECT p.key, p.operation = 'U' AS is_updated FROM passed p WHERE p.meaning <> 'I'
    ), come AS (
      SELECT coalesce(p.new_key, p.key) AS key, coalesce(p.new_operation, p.operation) = 'U' AS is_updated FROM passed p WHERE p.meaning <> 'D'
    )$$, pgtrack._row_key_sql(p_shape, p_shape.key_json), p_shape.history, p_shape.relation_id);
END;
COMMENT ON FUNCTION pgtrack._passed_sql(pgtrack.relation_shape) IS
  'The query parts for what an undo in which rows change places has recorded of them, each with what it means: D for a row that goes, U for one '
  'that gets a new key, I for one that comes where another was.';

CREATE OR REPLACE FUNCTION pgtrack._may_move_rows(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_may_move_rows$
DECLARE
  v_role  name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
BEGIN
  RETURN (
  SELECT bool_and(has_table_privilege(v_role, r.relid, 'INSERT') AND has_table_privilege(v_role, r.relid, 'DELETE')
                  AND has_column_privilege(v_role, r.relid, k.column_name, 'UPDATE'))
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k WHERE r.relation_id = p_relation);
END
$_may_move_rows$;
COMMENT ON FUNCTION pgtrack._may_move_rows(integer) IS 'Whether the session''s role may change the keys of a table, delete rows and insert them.';

CREATE OR REPLACE FUNCTION pgtrack._record_once_more(p_relation integer, p_like bigint, p_id bigint, p_operation "char", p_rows bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO pgtrack.statement
  SELECT (jsonb_populate_record(s, jsonb_build_object('statement_id', p_id, 'operation', p_operation, 'row_count', p_rows))).*
  FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = p_like AND p_rows > 0;
END;
COMMENT ON FUNCTION pgtrack._record_once_more(integer, bigint, bigint, "char", bigint) IS
  'Adds the record of a statement like another, unless it is about no row.';

-- Under a key that was updated one row has gone and another come, and under no other key both. All updates become one, as keys
-- pass from row to row at once. What cannot be told so is told as it was recorded: where triggers have changed rows once more, or
-- as somebody else.
CREATE OR REPLACE FUNCTION pgtrack._tell_of_moves(p_passed pgtrack._passed_keys) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_nestloop = off AS $_tell_of_moves$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_columns  text;
  v_rows     record;
  v_ids      bigint[];
BEGIN
  SELECT * INTO STRICT v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_passed.relation_id;
  EXECUTE format($$
    WITH %s
    SELECT array_agg(p.handle) FILTER (WHERE p.meaning = 'D') AS deleted,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'U') || ARRAY(SELECT r.handle FROM rest r) AS updated,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'I' AND p.operation = 'U') AS inserted,
           array_agg(p.handle) FILTER (WHERE p.meaning = 'I' AND p.operation = 'I') AS inserted_before,
           array_agg(p.new_handle) FILTER (WHERE p.new_operation = 'I') AS moved_to,
           array_agg(p.key) FILTER (WHERE p.meaning = 'U') AS old_keys, array_agg(p.new_key) FILTER (WHERE p.meaning = 'U') AS new_keys,
           array_agg(p.statement_id) FILTER (WHERE p.meaning <> 'I' OR p.operation = 'I') || array_agg(p.new_id) FILTER (WHERE p.new_operation = 'I')
           || ARRAY(SELECT r.statement_id FROM rest r) AS ids,
           count(*) = $6 AND NOT EXISTS (SELECT FROM own o WHERE o.is_changed_again)
           AND (SELECT count(DISTINCT to_jsonb(s) - '{statement_id,snapshot,at,operation,row_count}'::text[]) FROM pgtrack.statement s
                WHERE s.relation_id = %s AND s.statement_id IN (SELECT o.statement_id FROM own o)) = 1
           AND NOT bool_or(p.operation = CASE p.meaning WHEN 'I' THEN 'D' ELSE 'I' END OR p.new_operation IS NOT DISTINCT FROM 'D')
           AND NOT EXISTS (SELECT FROM gone g FULL JOIN come c USING (key) WHERE (g.key IS NOT NULL AND c.key IS NOT NULL)
                           <> (coalesce(g.is_updated, false) OR coalesce(c.is_updated, false)))
           AND (SELECT count(DISTINCT g.key) = count(*) FROM gone g) AND (SELECT count(DISTINCT c.key) = count(*) FROM come c) AS can_be_told
    FROM passed p$$, pgtrack._passed_sql(v_shape), p_passed.relation_id)
  INTO v_rows USING p_passed.since_id, p_passed.deleted_keys, p_passed.old_keys, p_passed.new_keys, p_passed.inserted_keys,
    coalesce(cardinality(p_passed.deleted_keys), 0) + coalesce(cardinality(p_passed.old_keys), 0) + coalesce(cardinality(p_passed.inserted_keys), 0);
  IF v_rows.can_be_told IS NOT TRUE OR NOT pgtrack._may_move_rows(p_passed.relation_id) THEN
    RETURN;
  END IF;
  v_ids := ARRAY(SELECT nextval('pgtrack.statement_id_seq') FROM generate_series(1, 3));
  SELECT string_agg(quote_ident(k.history_column), ', ') INTO v_columns FROM pgtrack._key_parts(p_passed.relation_id) k;
  EXECUTE format('INSERT INTO %1$s (pgtrack_statement_id, %2$s) SELECT $1, %2$s FROM %1$s WHERE ctid = ANY ($2)', v_shape.history, v_columns)
  USING v_ids[3], v_rows.inserted;
  EXECUTE format('DELETE FROM %s WHERE ctid = ANY ($1)', v_shape.history) USING v_rows.moved_to;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[1], v_rows.deleted;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[2], v_rows.updated;
  EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE ctid = ANY ($2)', v_shape.history) USING v_ids[3], v_rows.inserted_before;
  UPDATE pgtrack.key_change c SET statement_id = v_ids[2]
  WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_passed.relation_id AND c.change_id > p_passed.since_id;
  INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
  SELECT nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), p_passed.relation_id, x.old_key, x.new_key, v_ids[2]
  FROM unnest(v_rows.old_keys, v_rows.new_keys) AS x (old_key, new_key);
  PERFORM pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[1], 'D', cardinality(v_rows.deleted)),
          pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[2], 'U', cardinality(v_rows.updated)),
          pgtrack._record_once_more(p_passed.relation_id, v_rows.ids[1], v_ids[3], 'I',
                                    coalesce(cardinality(v_rows.inserted), 0) + coalesce(cardinality(v_rows.inserted_before), 0));
  UPDATE pgtrack.statement s SET row_count = s.row_count - x.count
  FROM (SELECT i AS id, count(*) AS count FROM unnest(v_rows.ids) i GROUP BY i) x
  WHERE s.relation_id = p_passed.relation_id AND s.statement_id = x.id;
  DELETE FROM pgtrack.statement s WHERE s.relation_id = p_passed.relation_id AND s.statement_id = ANY (v_rows.ids) AND s.row_count = 0;
END
$_tell_of_moves$;
COMMENT ON FUNCTION pgtrack._tell_of_moves(pgtrack._passed_keys) IS
  'Records an undo in which rows have changed places under their keys as deletions, key changes and insertions of rows.';

-- A row is the same that was deleted when it comes back to the key under which it was deleted, and also when it comes back to
-- one that it had before. The insertion is recorded under that key, so the row goes there right before it; or as another comes
-- to the key that it leaves.
CREATE OR REPLACE FUNCTION pgtrack._tell_of_returns(p_passed pgtrack._passed_keys) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_tell_of_returns$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT * INTO STRICT v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_passed.relation_id;
  EXECUTE format($$
    INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
    SELECT nextval('pgtrack.statement_id_seq'), pg_current_xact_id(), %1$s, p.row_key, x.new_key, coalesce(a.statement_id, i.statement_id - 1)
    FROM unnest($2, $3, $4) AS x (old_key, new_key, since_id)
    CROSS JOIN LATERAL pgtrack._path(%1$s, x.new_key, x.since_id, (SELECT pgtrack._spellings(%1$s)), false) p
    CROSS JOIN LATERAL (
      SELECT s.statement_id FROM jsonb_to_record(x.new_key) AS k(%2$s) JOIN %3$s h ON %4$s
      JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
      WHERE h.pgtrack_statement_id > $1 AND s.xid = pg_current_xact_id() AND s.operation = 'I' ORDER BY h.pgtrack_statement_id DESC LIMIT 1) i
    LEFT JOIN LATERAL (SELECT max(c.statement_id) AS statement_id FROM pgtrack._key_changes(%1$s) c
                       WHERE c.new_key = x.old_key AND c.statement_id > $1 AND c.xid = pg_current_xact_id()) a ON true
    WHERE coalesce(a.statement_id < i.statement_id, true)
      AND p.row_key = x.old_key AND p.row_key <> x.new_key AND p.until_id = coalesce(a.statement_id, 9223372036854775807)
      AND (SELECT s.operation IN ('D', 'T') FROM jsonb_to_record(x.old_key) AS k(%2$s) JOIN %3$s h ON %4$s
           JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
           ORDER BY h.pgtrack_statement_id DESC LIMIT 1)$$,
    p_passed.relation_id, v_shape.key_record, v_shape.history, v_shape.history_is_key)
  USING p_passed.since_id, p_passed.left_keys, p_passed.returned_keys, p_passed.returned_since;
END
$_tell_of_returns$;
COMMENT ON FUNCTION pgtrack._tell_of_returns(pgtrack._passed_keys) IS
  'Notes that rows which an undo has inserted are those that had these keys and were deleted under others.';

-- What rows have gone where is the word of who calls this. So it is taken from an undo alone, which is told by what
-- _begin_call() has sealed, and for what was recorded since.
CREATE OR REPLACE FUNCTION pgtrack._tell_by_rows(p_passed pgtrack._passed_keys, p_call text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_tell_by_rows$
DECLARE
  v_call  text := pgtrack._unsealed('reverts', p_call);
BEGIN
  IF v_call IS NULL THEN
    RAISE EXCEPTION 'only an undo says which rows have got which keys' USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'This call does not belong to an undo of this transaction.';
  END IF;
  p_passed.since_id := greatest(p_passed.since_id, split_part(v_call, ' ', 1)::bigint);
  PERFORM pgtrack._tell_of_moves(p_passed) WHERE p_passed.old_keys <> '{}';
  PERFORM pgtrack._tell_of_returns(p_passed) WHERE p_passed.left_keys <> '{}';
END
$_tell_by_rows$;
COMMENT ON FUNCTION pgtrack._tell_by_rows(pgtrack._passed_keys, text) IS
  'Records by rows what an undo has done that has recorded its call. SECURITY DEFINER: nobody else writes history.';

-- ==== undoing/undo_set.sql ====

-- When a row shall get a key that another row of the set has now, it is not the keys that change but what is under them:
-- a key would be taken twice for a moment, what ON UPDATE and ON DELETE CASCADE do for the row that goes would reach the
-- children of the row that comes, and PostgreSQL may fire the triggers for the one operation before those for the other.
-- Under a deferrable key rows may change places: a key may be taken twice, and no foreign key can refer to it. Under a key
-- WITHOUT OVERLAPS (PostgreSQL 18) one row may be in the way of another whose key it has not.
CREATE OR REPLACE FUNCTION pgtrack._crossing_keys_sql(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(
    'SELECT %sEXISTS (SELECT FROM (SELECT a.canonical_key AS key, a.handle, true AS comes, NOT a.is_live AS is_alone FROM r a'
    ' WHERE a.decision = ''undo'' AND a.operation <> ''I'' UNION ALL'
    ' SELECT b.live_key, b.handle, false, b.operation = ''I'' FROM r b WHERE b.decision = ''undo'' AND b.is_live) x'
    ' GROUP BY x.key HAVING bool_or(x.comes) AND NOT bool_and(x.comes) AND %s) AS keys_cross, %L::boolean AS is_by_range',
    CASE WHEN c.conexclop IS NOT NULL AND i.indimmediate
         THEN '(SELECT count(*) > 1 FROM r a WHERE a.decision = ''undo'' AND a.operation <> ''I'' AND a.is_live AND a.is_moved) OR ' END,
    CASE WHEN i.indimmediate THEN 'min(x.handle) <> max(x.handle)' ELSE 'bool_or(x.is_alone)' END, c.conexclop IS NOT NULL)
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'p'
  WHERE i.indrelid = p_table AND i.indisprimary;
END;
COMMENT ON FUNCTION pgtrack._crossing_keys_sql(regclass) IS
  'The query for whether a row of a revert is to get the key that another has, and whether rows may be in the way of others that have another key.';

-- What is under the keys changes then, but not what was not recorded of it; and the foreign keys of others would take it for
-- a change of the columns that they refer to, or go on referring to keys that are other rows' again.
CREATE OR REPLACE FUNCTION pgtrack._refuse_crossing(p_table regclass, p_set pgtrack._set) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_crossing$
DECLARE
  v_relation  pgtrack.relation;
  v_first     bigint;
  v_obstacle  text;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation r WHERE r.relid = p_table;
  EXECUTE format('SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %s AND (%s)', v_relation.relation_id, p_set.condition) INTO v_first;
  SELECT x.obstacle INTO v_obstacle FROM (
    SELECT format('column %I', c.column_name) AS obstacle
    FROM pgtrack.relation_column c
    WHERE c.relation_id = v_relation.relation_id AND c.attnum IS NOT NULL
      AND (pgtrack._recorded_since(c) >= v_first OR v_relation.options -> 'redact' ? c.column_name::text)
    UNION ALL
    SELECT format('column %I', a.attname) FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND v_relation.left_out ? a.attnum::text
    UNION ALL
    SELECT format('foreign key %I of %s', c.conname, pgtrack._name(c.conrelid))
    FROM pgtrack._foreign_keys_to(p_table) c
    JOIN pg_index i ON i.indrelid = c.confrelid AND i.indisprimary
    WHERE c.confupdtype IN ('c', 'n', 'd') AND pgtrack._table_with(c.conrelid, p_set.tables) IS NULL
      -- Of a tracked table, rows that refer to the keys themselves would have been changed by the set, too.
      AND NOT (c.confkey <@ i.indkey::smallint[]
               AND EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.conrelid AND r.tracked_until IS NULL))) x
  ORDER BY 1 LIMIT 1;
  IF v_obstacle IS NOT NULL THEN
    RAISE EXCEPTION 'keys of % that passed from one row to another cannot be set back', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = format('Rows change places under their keys then, and the %s would stay with the key.', v_obstacle),
      HINT = 'Set the keys back by UPDATEs of your own; pgtrack.changes() shows them.';
  END IF;
END
$_refuse_crossing$;
COMMENT ON FUNCTION pgtrack._refuse_crossing(regclass, pgtrack._set) IS
  'Refuses to let rows change places under their keys where something that is not recorded would not come along.';

-- Others may have given a key to another row, and the set may have changed that row then: both were under the key before it.
CREATE OR REPLACE FUNCTION pgtrack._contested_sql(p_shape pgtrack.relation_shape, p_on_conflict text, p_has_moves boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_has_moves THEN format(
    'SELECT x.key FROM ('
    'SELECT x.key FROM (SELECT w.canonical_key AS key FROM r w WHERE %1$s UNION ALL SELECT s.live_key FROM r s WHERE s.is_live AND s.newer_id IS NOT NULL AND %2$s) x'
    ' GROUP BY x.key HAVING count(*) > 1 UNION ALL'
    ' SELECT w.canonical_key FROM r w CROSS JOIN LATERAL jsonb_to_record(w.canonical_key) AS k(%3$s) JOIN %4$s t ON %5$s'
    ' WHERE %1$s AND NOT EXISTS (SELECT FROM r s WHERE s.is_live AND s.live_key = w.canonical_key)) x%6$s LIMIT 1',
    format('w.operation <> ''I'' AND (w.newer_id IS NULL OR %s)', (p_on_conflict = 'force')::text), (p_on_conflict <> 'force')::text,
    p_shape.key_record, p_shape.live_table, p_shape.live_is_key,
    -- What stands in the way first is what others have changed since.
    CASE p_on_conflict WHEN 'error' THEN ' WHERE NOT EXISTS (SELECT FROM r WHERE r.newer_id IS NOT NULL)' END) ELSE 'NULL::jsonb' END;
END;
COMMENT ON FUNCTION pgtrack._contested_sql(pgtrack.relation_shape, text, boolean) IS
  'The query for a key that two of the rows r of a revert would have, or one of them and a row of others.';

-- First the lock, then the look: nobody changes the rows between what is decided and what is done.
CREATE OR REPLACE FUNCTION pgtrack._lock_rows(p_set pgtrack._set, p_shape pgtrack.relation_shape, p_has_moves boolean, p_keys jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_lock_rows$
DECLARE
  v_is_locked  boolean;
BEGIN
  IF p_keys IS NOT NULL THEN
    EXECUTE format('SELECT FROM jsonb_to_recordset($1) AS k(%s) JOIN %s t ON %s FOR UPDATE OF t',
                   p_shape.key_record, p_shape.live_table, p_shape.live_is_key) USING p_keys;
  ELSIF p_set.point IS NOT NULL OR p_has_moves THEN
    -- Whoever has locked the table beforehand, and then looked, sees all of it.
    v_is_locked := EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.granted AND l.relation = p_shape.name::regclass
                           AND l.mode IN ('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'));
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_shape.live_table);
    -- Where the snapshot is older than the lock, rows may have come that it does not show.
    IF NOT v_is_locked AND pgtrack._snapshot_lasts() THEN
      PERFORM pgtrack._require_present_snapshot(p_shape.name::regclass);
    END IF;
  ELSE
    EXECUTE format('SELECT FROM %s t WHERE EXISTS (SELECT FROM pgtrack.statement s JOIN %s h ON h.pgtrack_statement_id = s.statement_id'
                   ' WHERE s.relation_id = %s AND (%s) AND %s) FOR UPDATE',
                   p_shape.live_table, p_shape.history, p_shape.relation_id, p_set.condition, p_shape.live_is_history);
  END IF;
END
$_lock_rows$;
COMMENT ON FUNCTION pgtrack._lock_rows(pgtrack._set, pgtrack.relation_shape, boolean, jsonb) IS
  'Locks the rows of a table that undoing a set of changes would touch, or the table.';

CREATE OR REPLACE FUNCTION pgtrack._work_sql(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_on_conflict text,
                                             p_has_moves boolean, p_columns text[], p_keys jsonb)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_work_sql$
BEGIN
  RETURN format($$
      WITH r AS (
        SELECT r.*, r.live_key IS DISTINCT FROM r.canonical_key AS is_moved,
               CASE WHEN r.newer_id IS NULL OR %1$L = 'force' THEN 'undo'
                    WHEN merged.states && '{back,difference}' THEN 'merge'
                    WHEN merged.states IS NULL OR merged.states && '{stays}' THEN 'skip' ELSE 'nothing' END AS decision
        FROM (%2$s) r %4$s
      ), crossing AS MATERIALIZED (
        %3$s
      ), d AS (
        SELECT r.*, r.decision = 'undo' AND r.operation = 'I' AS is_unborn, r.decision = 'undo' AND r.operation <> 'I' AS is_wanted,
               r.decision = 'undo' AND r.is_live AS is_present, x.*,
               -- A row whose keys are no other's keeps its own place.
               c.keys_cross AND (c.is_by_range OR x.is_key_present OR x.is_key_wanted) AS keys_cross,
               -- A row that was deleted under another key.
               r.decision = 'undo' AND r.operation <> 'I' AND NOT r.is_live AND r.live_key <> r.canonical_key AND r.newer_operation IS NULL AS returns
        FROM r CROSS JOIN crossing c CROSS JOIN LATERAL (
          SELECT c.keys_cross AND r.canonical_key IN (SELECT b.live_key FROM r b WHERE b.decision = 'undo' AND b.is_live) AS is_key_present,
                 c.keys_cross AND r.live_key IN (SELECT a.canonical_key FROM r a WHERE a.decision = 'undo' AND a.operation <> 'I') AS is_key_wanted
          OFFSET 0) x
      )
      SELECT array_agg(handle) FILTER (WHERE is_wanted AND CASE WHEN keys_cross THEN NOT is_key_present ELSE NOT is_live END) AS inserts,
             array_agg(handle) FILTER (WHERE is_wanted AND is_live AND NOT is_moved AND NOT keys_cross) AS updates,
             array_agg(handle) FILTER (WHERE is_unborn AND is_live AND NOT is_moved AND NOT keys_cross) AS deletes,
             array_agg(handle) FILTER (WHERE is_wanted AND CASE WHEN keys_cross THEN is_key_present ELSE is_live AND is_moved END) AS keyed_updates,
             array_agg(CASE WHEN keys_cross THEN canonical_key ELSE live_key END)
             FILTER (WHERE is_wanted AND CASE WHEN keys_cross THEN is_key_present ELSE is_live AND is_moved END) AS updated_keys,
             array_agg(live_key) FILTER (WHERE CASE WHEN keys_cross THEN is_present AND NOT is_key_wanted
                                                    ELSE is_unborn AND is_live AND is_moved END) AS deleted_keys,
             array_agg(live_key) FILTER (WHERE keys_cross AND is_unborn AND is_live) AS passed_deleted,
             array_agg(live_key) FILTER (WHERE keys_cross AND is_wanted AND is_live AND is_moved) AS passed_from,
             array_agg(canonical_key) FILTER (WHERE keys_cross AND is_wanted AND is_live AND is_moved) AS passed_to,
             array_agg(canonical_key) FILTER (WHERE keys_cross AND is_wanted AND NOT is_live AND is_key_present OR returns) AS passed_inserted,
             array_agg(live_key) FILTER (WHERE returns) AS returned_from,
             array_agg(canonical_key) FILTER (WHERE returns) AS returned_to,
             array_agg(statement_id) FILTER (WHERE returns) AS returned_since,
             array_agg(handle) FILTER (WHERE decision = 'merge') AS merges,
             array_agg(base) FILTER (WHERE decision = 'merge') AS merge_bases,
             array_agg(CASE WHEN is_moved THEN live_key END) FILTER (WHERE decision = 'merge') AS merge_keys,
             array_agg(targets) FILTER (WHERE decision = 'merge') AS merge_targets,
             count(*) FILTER (WHERE decision = 'skip') AS skipped,
             (array_agg(key) FILTER (WHERE decision = 'undo' AND (operation = 'I') = is_live))[1] AS whole_key,
             (array_agg(CASE operation WHEN 'I' THEN 'delete' ELSE 'insert' END)
              FILTER (WHERE decision = 'undo' AND (operation = 'I') = is_live))[1] AS whole_action,
             min(newer_id) AS newer_id, (array_agg(key ORDER BY newer_id) FILTER (WHERE newer_id IS NOT NULL))[1] AS newer_key,
             count(newer_id) AS conflicts, coalesce(bool_or(keys_cross), false) AS keys_cross, (%5$s) AS contested
      FROM d$$, p_on_conflict, pgtrack._changed_rows_sql(p_table, p_set, p_on_conflict = 'delta', p_columns, p_keys),
    CASE WHEN p_has_moves THEN pgtrack._crossing_keys_sql(p_table) ELSE 'SELECT false AS keys_cross, false AS is_by_range' END,
    pgtrack._states_sql(p_shape, p_on_conflict), pgtrack._contested_sql(p_shape, p_on_conflict, p_has_moves));
END
$_work_sql$;
COMMENT ON FUNCTION pgtrack._work_sql(regclass, pgtrack.relation_shape, pgtrack._set, text, boolean, text[], jsonb) IS
  'The query for what undoing a set of changes does to the rows of one table, and what is in its way.';

-- To compile the query takes longer than most sets.
CREATE OR REPLACE FUNCTION pgtrack._listed_work(p_table regclass, p_shape pgtrack.relation_shape, p_set pgtrack._set, p_on_conflict text,
                                                p_has_moves boolean, p_columns text[], p_keys jsonb, OUT work pgtrack._work,
                                                OUT passed pgtrack._passed_keys, OUT skipped bigint, OUT conflicts bigint, OUT newer_id bigint,
                                                OUT newer_key jsonb, OUT whole_key jsonb, OUT whole_action text, OUT keys_cross boolean, OUT contested jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_listed_work$
DECLARE
  v_rows  record;
BEGIN
  EXECUTE pgtrack._work_sql(p_table, p_shape, p_set, p_on_conflict, p_has_moves, p_columns, p_keys) INTO v_rows;
  work := ROW(p_table, v_rows.inserts, v_rows.updates, v_rows.deletes, v_rows.keyed_updates, v_rows.updated_keys, v_rows.deleted_keys,
              v_rows.merges, v_rows.merge_bases, v_rows.merge_keys, v_rows.merge_targets, NULL)::pgtrack._work;
  IF v_rows.passed_from IS NOT NULL OR v_rows.returned_from IS NOT NULL THEN
    passed := ROW(p_shape.relation_id, (SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = p_shape.relation_id),
                  v_rows.passed_deleted, v_rows.passed_from, v_rows.passed_to, v_rows.passed_inserted,
                  v_rows.returned_from, v_rows.returned_to, v_rows.returned_since)::pgtrack._passed_keys;
  END IF;
  skipped := v_rows.skipped;
  conflicts := v_rows.conflicts;
  newer_id := v_rows.newer_id;
  newer_key := v_rows.newer_key;
  whole_key := v_rows.whole_key;
  whole_action := v_rows.whole_action;
  keys_cross := v_rows.keys_cross;
  contested := v_rows.contested;
END
$_listed_work$;
COMMENT ON FUNCTION pgtrack._listed_work(regclass, pgtrack.relation_shape, pgtrack._set, text, boolean, text[], jsonb) IS
  'What undoing a set of changes does to a table, with a list of its rows, which are locked, and what is in its way.';

CREATE OR REPLACE FUNCTION pgtrack._undo_set(p_set pgtrack._set, p_on_conflict text, p_message text, p_columns text[] DEFAULT NULL,
                                             p_rows jsonb DEFAULT NULL, p_call text DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_undo_set$
DECLARE
  v_table      regclass;
  v_shape      pgtrack.relation_shape;
  v_has_moves  boolean;
  v_bulk       record;
  v_rows       record;
  v_all        pgtrack._work[] := '{}';
  v_skipped    jsonb := '{}';
  v_passed     pgtrack._passed_keys[] := '{}';
  v_conflict   text;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict), pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    v_shape := pgtrack._shape(v_table, p_columns);
    -- A row whose key has changed is not where its history says.
    v_has_moves := pgtrack._keys_changed_since(v_table, p_set.condition);
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    SELECT * INTO v_bulk FROM pgtrack._bulk_work(v_table, p_set, v_shape, p_on_conflict, p_columns)
    WHERE p_rows IS NULL AND NOT v_has_moves;
    PERFORM pgtrack._lock_rows(p_set, v_shape, v_has_moves, p_rows -> v_shape.name) WHERE v_bulk.is_locked IS NOT TRUE;
    -- Its schema may have got another name while the rows were waited for.
    v_shape := pgtrack._shape(v_table, p_columns);
    IF (v_bulk.work).relid IS NOT NULL THEN
      PERFORM pgtrack._refuse_erased(v_table, p_set.condition, p_set.label);
      v_all := v_all || v_bulk.work;
      v_skipped := v_skipped || jsonb_build_object(v_shape.name, v_bulk.skipped);
      CONTINUE;
    END IF;
    SELECT * INTO v_rows FROM pgtrack._listed_work(v_table, v_shape, p_set, p_on_conflict, v_has_moves, p_columns, p_rows -> v_shape.name);
    IF v_rows.conflicts > 0 AND p_on_conflict = 'error' THEN
      SELECT format('%s (%s) was changed by %s at %s, in transaction %s.',
                    v_shape.name, pgtrack._key_text(v_rows.newer_key), a.who, a.at, a.xid) INTO v_conflict
      FROM pgtrack.activity a WHERE a.relation_id = v_shape.relation_id AND a.statement_id = v_rows.newer_id;
      RAISE EXCEPTION 'cannot undo %: % of its rows in % changed since', p_set.label, v_rows.conflicts, v_shape.name USING
        ERRCODE = 'TK001',
        DETAIL = v_conflict,
        HINT = 'on_conflict => ''skip'' leaves such rows, ''merge'' reverts the columns that nobody changed since, ''delta'' also numbers, '
               'by the difference, ''force'' overwrites them.';
    END IF;
    PERFORM pgtrack._refuse_erased(v_table, p_set.condition, p_set.label);
    IF p_columns IS NOT NULL AND v_rows.whole_key IS NOT NULL THEN
      PERFORM pgtrack._refuse_columns(v_shape.name, v_rows.whole_key, v_rows.whole_action);
    END IF;
    PERFORM pgtrack._refuse_contested(v_shape.name, v_rows.contested) WHERE v_rows.contested IS NOT NULL;
    PERFORM pgtrack._refuse_crossing(v_table, p_set) WHERE v_rows.keys_cross;
    v_all := v_all || v_rows.work;
    v_passed := v_passed || v_rows.passed;
    v_skipped := v_skipped || jsonb_build_object(v_shape.name, v_rows.skipped);
  END LOOP;
  RETURN QUERY
    SELECT a."table", a.inserted, a.updated, a.deleted, (v_skipped -> a."table")::bigint
    FROM pgtrack._apply(v_all, p_message, p_columns) a;
  PERFORM pgtrack._tell_by_rows(p, p_call) FROM unnest(v_passed) p WHERE p.relation_id IS NOT NULL;
END
$_undo_set$;
COMMENT ON FUNCTION pgtrack._undo_set(pgtrack._set, text, text, text[], jsonb, text) IS
  'Undoes a set of statements; all rows, or by table those of some keys. p_call is what _begin_call() has returned.';

-- ==== undoing/choice.sql ====

-- A choice has the arguments of a verb by name.
CREATE OR REPLACE FUNCTION pgtrack._choice(p_choice jsonb, p_table regclass) RETURNS pgtrack._set
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_choice$
DECLARE
  v_names  text[];
  v_set    pgtrack._set;
BEGIN
  IF jsonb_typeof(p_choice) = 'object' THEN
    v_names := ARRAY(SELECT c.key FROM jsonb_each(p_choice) c WHERE c.value <> 'null' ORDER BY c.key);
  END IF;
  v_set.label := 'these changes';
  IF v_names = '{}' AND p_choice ?| '{xid,xids,statement_ids}' THEN
    RAISE EXCEPTION 'there is no such transaction: its number is null' USING
      ERRCODE = 'no_data_found', HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
  ELSIF v_names = '{xid}' THEN
    v_set.condition := pgtrack._of_transaction((p_choice ->> 'xid')::bigint);
    v_set.label := format('transaction %s', p_choice ->> 'xid');
    v_set.reverts := format('xid:%s', p_choice ->> 'xid');
  ELSIF v_names = '{xids}' THEN
    v_set.condition := pgtrack._of_transactions(ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'xids')::bigint));
    v_set.label := 'these transactions';
    v_set.reverts := 'transactions ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'xids') x);
  ELSIF v_names = '{statement_ids}' THEN
    v_set.condition := format('s.statement_id = ANY (%L::bigint[])', ARRAY(SELECT jsonb_array_elements_text(p_choice -> 'statement_ids')));
    v_set.reverts := 'changes ' || (SELECT string_agg(x, ', ') FROM jsonb_array_elements_text(p_choice -> 'statement_ids') x);
  ELSIF v_names && '{table,schema}' AND v_names <@ '{point,schema,table}' THEN
    v_set.point := p_choice ->> 'point';
    v_set.label := v_set.point;
    v_set.reverts := format('point %s', v_set.point);
    v_set.tables := CASE WHEN p_table IS NULL THEN ARRAY(SELECT pgtrack._tables_in(p_choice ->> 'schema')) ELSE ARRAY[p_table] END;
    v_set.condition := pgtrack._after_in_all(v_set.tables, v_set.point);
  ELSIF v_names <@ '{actor,application,user,from,to}' THEN
    v_set.condition := pgtrack._made_by(p_choice ->> 'actor', p_choice ->> 'application', p_choice ->> 'user',
                                        (p_choice ->> 'from')::timestamptz, (p_choice ->> 'to')::timestamptz);
    v_set.reverts := concat_ws(' ', 'where', 'actor=' || (p_choice ->> 'actor'), 'application=' || (p_choice ->> 'application'),
                               'user=' || (p_choice ->> 'user'), 'from=' || (p_choice ->> 'from')::timestamptz,
                               'to=' || (p_choice ->> 'to')::timestamptz);
  ELSE
    RAISE EXCEPTION 'it is not clear what to undo: %', coalesce(p_choice::text, 'null') USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Say {"xid": 1}, {"xids": [1, 2]}, {"statement_ids": [1, 2]}, {"table": "shop.orders", "point": "a tag or a time"}, '
             '{"schema": "shop", "point": "..."}, or some of actor, application, user, from and to.';
  END IF;
  v_set.tables := coalesce(v_set.tables, ARRAY(SELECT pgtrack._tables_of(v_set.condition, v_set.label)));
  RETURN v_set;
END
$_choice$;
COMMENT ON FUNCTION pgtrack._choice(jsonb, regclass) IS
  'The set of changes that a verb would undo, from its arguments by name; p_table is the one that they name.';

-- ==== undoing/transactions.sql ====

CREATE OR REPLACE FUNCTION pgtrack._of_transactions(p_xids bigint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(string_agg(format('(%s)', pgtrack._of_transaction(x)), ' OR '), 'false') FROM unnest(p_xids) x;
END;
COMMENT ON FUNCTION pgtrack._of_transactions(bigint[]) IS 'The condition for statements of some transactions.';

-- ==== undoing/last.sql ====

-- "My last" is what somebody did a moment ago where they are now: the same login and actor, program and address. A pool of
-- sessions, or people who share a login, look the same here: rather than guess, we refuse.
DO $types$
BEGIN
  IF pg_catalog.to_regtype('pgtrack._own_change') IS NULL THEN
    CREATE TYPE pgtrack._own_change AS (xid xid8, at timestamptz, place text, session text, application text, address inet);
  END IF;
END
$types$;
COMMENT ON TYPE pgtrack._own_change IS 'A change that the session user made.';
COMMENT ON COLUMN pgtrack._own_change.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack._own_change.at IS 'When.';
COMMENT ON COLUMN pgtrack._own_change.place IS 'The program and address, for people.';
COMMENT ON COLUMN pgtrack._own_change.session IS 'The proxy''s name for the session, if it came through one.';
COMMENT ON COLUMN pgtrack._own_change.application IS 'application_name.';
COMMENT ON COLUMN pgtrack._own_change.address IS 'The address that the server saw.';

CREATE OR REPLACE FUNCTION pgtrack._place(p_application text, p_address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('%s from %s', coalesce(quote_literal(nullif(p_application, '')), 'a program without a name'), coalesce(p_address, 'a local socket'));
END;
COMMENT ON FUNCTION pgtrack._place(text, text) IS 'The program and address that a session has, for people.';

-- Only a comment is worth reading.
CREATE OR REPLACE FUNCTION pgtrack._is_of(p_actor text, p_query text, p_person text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN coalesce(p_actor, '') OPERATOR(pg_catalog.=) '' AND pg_catalog.strpos(p_query, '*/') OPERATOR(pg_catalog.>) 0
              THEN coalesce(pgtrack._actor(p_actor, p_query), '') OPERATOR(pg_catalog.=) coalesce(p_person, '')
              ELSE coalesce(p_actor, '') OPERATOR(pg_catalog.=) coalesce(p_person, '') END;
END;
COMMENT ON FUNCTION pgtrack._is_of(text, text, text) IS 'Whether a statement was made on behalf of an actor; null or empty is of nobody but the user.';

-- One walk back through the statements, newest first, that ends as soon as enough is known. What has a higher number than a
-- transaction of this session was written after the session began, so what was written before ends the search for one.
CREATE OR REPLACE FUNCTION pgtrack._latest_changes(p_actor text, p_here text, OUT latest pgtrack._own_change, OUT other pgtrack._own_change)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $_latest_changes$
DECLARE
  v_began   timestamptz := (SELECT s.backend_start FROM pg_stat_get_activity(pg_backend_pid()) s);
  v_change  pgtrack._own_change;
BEGIN
  FOR v_change IN
    SELECT s.xid, s.at, pgtrack._place(s.application, pgtrack._client_addr(s.context, s.client_addr)), split_part(s.context, ' ', 4),
           s.application, s.client_addr
    FROM pgtrack.statement s
    WHERE s.user_name = session_user AND coalesce(s.reverts, '') = ''
      AND s.statement_id >= (SELECT coalesce(max(e.first_statement_id), 0) FROM pgtrack.epoch e)
      AND pgtrack._is_of(s.actor, s.query, p_actor)
    ORDER BY s.xid DESC
  LOOP
    IF v_change.place = p_here AND v_change.at >= v_began THEN
      latest := v_change;
      other := NULL;
      RETURN;
    ELSIF latest.xid IS NULL THEN
      latest := v_change;
    ELSIF other.xid IS NULL AND v_change.place <> latest.place AND v_change.at >= latest.at - interval '1 hour' THEN
      other := v_change;
    END IF;
    EXIT WHEN (v_change.at >= v_began) IS NOT TRUE AND (other.xid IS NOT NULL OR v_change.at < latest.at - interval '1 hour');
  END LOOP;
END
$_latest_changes$;
COMMENT ON FUNCTION pgtrack._latest_changes(text, text) IS
  'The latest change of the session user and an actor that is no undo: of this session, else from anywhere, and then the latest of '
  'the hour before it that was made elsewhere.';

CREATE OR REPLACE FUNCTION pgtrack._change_before(p_actor text, p_place text, p_before xid8) RETURNS xid8
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
BEGIN ATOMIC
  SELECT s.xid FROM pgtrack.statement s
  WHERE s.xid < p_before AND s.user_name = session_user AND coalesce(s.reverts, '') = ''
    AND s.statement_id >= (SELECT coalesce(max(e.first_statement_id), 0) FROM pgtrack.epoch e)
    AND pgtrack._is_of(s.actor, s.query, p_actor)
    AND pgtrack._place(s.application, pgtrack._client_addr(s.context, s.client_addr)) = p_place
  ORDER BY s.xid DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack._change_before(text, text, xid8) IS
  'The latest transaction of the session user and an actor, from a place, that is no undo and before another.';

CREATE OR REPLACE FUNCTION pgtrack._sessions_like(p_application text, p_address inet, p_at timestamptz) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- What may not be seen of a session may be the same.
  SELECT count(*) FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.usename = session_user AND a.pid <> pg_backend_pid()
    AND coalesce(a.backend_type, 'client backend') = 'client backend'
    AND (a.backend_start IS NULL
         OR a.backend_start <= p_at AND a.application_name = p_application AND a.client_addr IS NOT DISTINCT FROM p_address);
END;
COMMENT ON FUNCTION pgtrack._sessions_like(text, inet, timestamptz) IS
  'How many other sessions of this login and program, from an address, were there at a moment and still are.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_last(p_problem text, p_detail text, p_hint text, p_is_none boolean) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_last$
BEGIN
  RAISE EXCEPTION '%', p_problem USING
    ERRCODE = CASE WHEN p_is_none THEN 'no_data_found' ELSE 'object_not_in_prerequisite_state' END, DETAIL = p_detail, HINT = p_hint;
END
$_refuse_last$;
COMMENT ON FUNCTION pgtrack._refuse_last(text, text, text, boolean) IS 'Refuses to say which transaction is somebody''s latest.';

CREATE OR REPLACE FUNCTION pgtrack._find_last(p_actor text, p_back integer) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_find_last$
DECLARE
  c_hint CONSTANT  text := 'SELECT * FROM pgtrack.log() shows the latest transactions; pgtrack.undo_transaction(xid) undoes one of them.';
  v_person         text := session_user || coalesce(' on behalf of ' || nullif(p_actor, ''), '');
  v_session        text := split_part(pgtrack._session_context(), ' ', 4);
  v_here           text := pgtrack._place(current_setting('application_name'),
                                          pgtrack._client_addr(pgtrack._session_context(), inet_client_addr()));
  v_found          record;
  v_last           pgtrack._own_change;
  v_other          pgtrack._own_change;
  v_xid            xid8;
BEGIN
  SELECT * INTO v_found FROM pgtrack._latest_changes(p_actor, v_here);
  v_last := v_found.latest;
  v_other := v_found.other;
  IF v_last.xid IS NULL THEN
    PERFORM pgtrack._refuse_last(format('no change of %s is recorded', v_person),
      'Undos do not count, nor do changes from before a restore of this database.', c_hint, true);
  ELSIF v_last.xid = pg_current_xact_id_if_assigned() THEN
    PERFORM pgtrack._refuse_last('your latest changes are those of this transaction',
      'It has not ended.', 'ROLLBACK takes them back.', false);
  ELSIF v_other.xid IS NOT NULL THEN
    PERFORM pgtrack._refuse_last('it is not clear which transaction is your latest',
      format('As %s, %s made transaction %s at %s, and %s transaction %s at %s.',
             v_person, v_last.place, v_last.xid, v_last.at, v_other.place, v_other.xid, v_other.at), c_hint, false);
  -- A session of the proxy's has a name of its own.
  ELSIF (v_session <> '' AND v_last.session = v_session) IS NOT TRUE
        AND pgtrack._sessions_like(v_last.application, v_last.address, v_last.at) > (CASE v_last.place WHEN v_here THEN 0 ELSE 1 END) THEN
    PERFORM pgtrack._refuse_last('it is not clear which transaction is your latest',
      format('Transaction %s was made at %s as %s by %s, and more than one session like that is connected: it may be another''s.',
             v_last.xid, v_last.at, v_person, v_last.place), c_hint, false);
  END IF;
  v_xid := v_last.xid;
  FOR i IN 1 .. p_back LOOP
    v_xid := pgtrack._change_before(p_actor, v_last.place, v_xid);
  END LOOP;
  IF v_xid IS NULL THEN
    PERFORM pgtrack._refuse_last(format('%s made fewer transactions than that', v_person),
      'Those that count were made by the same program, from the same address, and are no undos.', c_hint, true);
  END IF;
  RETURN v_xid::text::bigint;
END
$_find_last$;
COMMENT ON FUNCTION pgtrack._find_last(text, integer) IS
  'The latest transaction of the session user and an actor that is no undo, or one before it; an error where that is not clear. '
  'SECURITY DEFINER: what somebody did counts where they may not read it, and a function of the proxy''s says who is here. '
  'It tells of the session user''s own transactions alone.';

CREATE OR REPLACE FUNCTION pgtrack._my_last() RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_my_last$
DECLARE
  v_xid  bigint := pgtrack._find_last(current_setting('pgtrack.actor', true), 0);
  v_log  record;
BEGIN
  SELECT max(a.at) AS at,
         coalesce((array_agg(left(regexp_replace(a.query, $r$\s+$r$, ' ', 'g'), 200) ORDER BY a.statement_id))[1],
                  string_agg(DISTINCT a.table_name, ', ')) AS what INTO v_log
  FROM pgtrack.activity a
  WHERE (a.relation_id, a.statement_id) IN (SELECT s.relation_id, s.statement_id FROM pgtrack.statement s WHERE s.xid = v_xid::text::xid8);
  RAISE NOTICE 'your latest is transaction % of %: %', v_xid, v_log.at, v_log.what;
  RETURN v_xid;
END
$_my_last$;
COMMENT ON FUNCTION pgtrack._my_last() IS 'The transaction that undo_last() undoes; says which in a notice.';

-- ==== points/after.sql ====

-- A point is a set of committed transactions. What happened after it is chosen by a condition on pgtrack.statement s;
-- the state at the point is what is left when that is undone, on paper or in fact.

CREATE OR REPLACE FUNCTION pgtrack._after_snapshot(p_snapshot pg_snapshot) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  -- Those that had not begun, and those that were running: in this form an index finds them.
  SELECT format('(s.xid >= %L::xid8 OR s.xid = ANY (%L::xid8[]))', pg_snapshot_xmax(p_snapshot), ARRAY(SELECT pg_snapshot_xip(p_snapshot)));
END;
COMMENT ON FUNCTION pgtrack._after_snapshot(pg_snapshot) IS 'The condition for statements of transactions that a snapshot does not see.';

CREATE OR REPLACE FUNCTION pgtrack._after_in_epoch(p_condition text, p_statement bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN e.first_id = 0 AND e.last_id = 9223372036854775807 THEN p_condition
              ELSE format('(s.statement_id > %s OR s.statement_id >= %s AND (%s))', e.last_id, e.first_id, p_condition) END
  FROM pgtrack._in_epoch(p_statement) e;
END;
COMMENT ON FUNCTION pgtrack._after_in_epoch(text, bigint) IS
  'The condition for statements after a point of an epoch: of that epoch those that meet a condition, and all of later epochs.';

-- In ISO style, as in others a zone's name may mean another zone when it is read.
CREATE OR REPLACE FUNCTION pgtrack._after_time(p_when timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO' AS $_after_time$
DECLARE
  v_epoch  record;
BEGIN
  IF NOT isfinite(p_when) THEN
    RAISE EXCEPTION 'the point in time must be finite' USING ERRCODE = 'invalid_parameter_value';
  ELSIF p_when > clock_timestamp() THEN
    RAISE EXCEPTION '% is in the future', p_when USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT i.* INTO v_epoch
  FROM pgtrack._in_epoch(coalesce((SELECT max(e.first_statement_id) FROM pgtrack.epoch e WHERE e.began_at <= p_when), 0)) i;
  IF v_epoch.is_here AND current_setting('track_commit_timestamp')::boolean THEN
    -- Of the transactions with changes up to then, those still running had not ended when the last of these looked.
    RETURN pgtrack._after_in_epoch(format($$(s.at > %1$L OR s.xid >= (SELECT pg_snapshot_xmin(n.snapshot) FROM pgtrack.statement n
      WHERE n.relation_id = s.relation_id AND n.at <= %1$L ORDER BY n.statement_id DESC LIMIT 1)
      AND coalesce(pg_xact_commit_timestamp(s.xid::xid), s.at) > %1$L)$$, p_when), v_epoch.first_id);
  END IF;
  -- A transaction happened when it made its last change. As a later writer of a row waits for the end of the earlier
  -- one, no transaction is before the point without those that it builds upon.
  RETURN pgtrack._after_in_epoch(
    format('s.xid IN (SELECT n.xid FROM pgtrack.statement n WHERE n.at > %L AND n.statement_id <= %s)', p_when, v_epoch.last_id), v_epoch.first_id);
END
$_after_time$;
COMMENT ON FUNCTION pgtrack._after_time(timestamptz) IS 'The condition for statements of transactions that happened after a moment.';

CREATE OR REPLACE FUNCTION pgtrack._after(p_point text, OUT which text, OUT at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_after$
DECLARE
  v_snapshot  pg_snapshot;
  v_xid       xid8;
  v_id        bigint;
BEGIN
  IF p_point IS NULL THEN
    RAISE EXCEPTION 'the point in time must not be null' USING ERRCODE = 'null_value_not_allowed';
  END IF;
  SELECT t.snapshot, t.at, t.statement_id INTO v_snapshot, at, v_id FROM pgtrack.tag t WHERE t.name = p_point;
  IF FOUND THEN
    which := pgtrack._after_in_epoch(pgtrack._after_snapshot(v_snapshot), v_id);
  ELSIF p_point = 'now' THEN
    which := 'false';
    at := clock_timestamp();
  ELSIF p_point ~ '^xid:[0-9]{1,19}$' THEN
    v_xid := substr(p_point, 5)::xid8;
    SELECT s.snapshot, s.at, s.statement_id INTO v_snapshot, at, v_id
    FROM pgtrack.statement s WHERE s.xid = v_xid ORDER BY s.statement_id DESC LIMIT 1;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'no change of transaction % is recorded', v_xid USING
        ERRCODE = 'no_data_found', HINT = 'SELECT * FROM pgtrack.log() shows the latest transactions.';
    END IF;
    -- What the transaction saw, and what it left.
    which := pgtrack._after_in_epoch(format('s.xid <> %L::xid8 AND %s', v_xid, pgtrack._after_snapshot(v_snapshot)), v_id);
  ELSE
    BEGIN
      at := p_point::timestamptz;
    EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow OR invalid_parameter_value THEN
      RAISE EXCEPTION 'there is no point "%"', p_point USING
        ERRCODE = 'undefined_object',
        DETAIL = 'It is neither a tag nor xid:N nor a timestamp.',
        HINT = 'SELECT * FROM pgtrack.tags() shows the tags, pgtrack.log() the transactions.';
    END;
    which := pgtrack._after_time(at);
  END IF;
END
$_after$;
COMMENT ON FUNCTION pgtrack._after(text) IS 'The condition for statements after a point (a tag, a timestamp, xid:N, or now), and the point''s time.';

CREATE OR REPLACE FUNCTION pgtrack._after_in(p_table regclass, p_point text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_after_in$
DECLARE
  v_point  record;
  v_since  timestamptz := (SELECT r.tracked_since FROM pgtrack.relation r WHERE r.relid = p_table);
BEGIN
  PERFORM pgtrack._require_select(p_table);
  PERFORM pgtrack._require_key(p_table);
  SELECT * INTO v_point FROM pgtrack._after(p_point);
  IF v_point.at < (SELECT r.purged_until FROM pgtrack.relation r WHERE r.relid = p_table) THEN
    PERFORM pgtrack._refuse_purged(p_table, p_point);
  ELSIF v_point.at < v_since THEN
    RAISE EXCEPTION 'the state of % at % is not known', pgtrack._name(p_table), p_point USING
      ERRCODE = 'TK002', DETAIL = format('Tracking began at %s.', v_since);
  END IF;
  PERFORM pgtrack._refuse_former_key(p_table, v_point.which);
  RETURN v_point.which;
END
$_after_in$;
COMMENT ON FUNCTION pgtrack._after_in(regclass, text) IS 'The condition for statements after a point that the history of a table reaches back to.';

-- ==== points/retaken.sql ====

-- In REPEATABLE READ a transaction keeps its snapshot, and yet takes keys that others, whom it does not see, took and left
-- since. What they did under such a key is after the point xid:N, and before what the point shows there. It is rare, so
-- it is looked for first.
CREATE OR REPLACE FUNCTION pgtrack._retaken(p_table regclass, p_which text, p_point text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_retaken$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_own    text;
  v_first  bigint;
  v_last   bigint;
  v_ids    bigint[];
  v_keys   jsonb[];
  v_left   boolean[];
BEGIN
  IF p_point IS NULL OR p_point NOT LIKE 'xid:%' THEN
    RETURN NULL;
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_own := pgtrack._of_transaction(substr(p_point, 5)::bigint);
  EXECUTE format('SELECT max(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %s AND %s', v_shape.relation_id, v_own)
  INTO v_last;
  EXECUTE format('SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %s AND s.statement_id < $1 AND (%s)',
                 v_shape.relation_id, p_which)
  INTO v_first USING v_last;
  IF v_first IS NULL THEN
    RETURN NULL;
  END IF;
  -- A key is taken by a change under it, and by a change of another key to it.
  EXECUTE format($$
    WITH own AS MATERIALIZED (
      SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND s.statement_id BETWEEN $1 AND $2 AND (%2$s)
    ), others AS MATERIALIZED (
      SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND s.statement_id BETWEEN $1 AND $2 AND (%3$s)
    ), used AS MATERIALIZED (
      SELECT c.pgtrack_statement_id, false AS pgtrack_arrives, %4$s FROM %5$s c WHERE c.pgtrack_statement_id BETWEEN $1 AND $2
      UNION ALL
      SELECT a.statement_id, true, k.* FROM pgtrack._key_changes(%1$s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%6$s)
      WHERE a.statement_id BETWEEN $1 AND $2
    )
    SELECT array_agg(u.id), array_agg(u.key), array_agg(u.is_left)
    FROM (SELECT h.pgtrack_statement_id AS id, n.key,
                 NOT first_value(l.leaves) OVER (PARTITION BY %4$s ORDER BY h.pgtrack_statement_id DESC, l.leaves) AS is_left
          FROM used h
          CROSS JOIN LATERAL (SELECT h.*) c
          JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
          CROSS JOIN LATERAL (SELECT %7$s AS key) n
          CROSS JOIN LATERAL (SELECT s.operation IN ('D', 'T') OR NOT h.pgtrack_arrives AND EXISTS (
            SELECT FROM pgtrack._key_changes(%1$s) a WHERE a.statement_id = h.pgtrack_statement_id AND a.old_key = n.key) AS leaves) l
          WHERE h.pgtrack_statement_id IN (SELECT o.statement_id FROM own o)
            AND EXISTS (SELECT FROM used c WHERE c.pgtrack_statement_id IN (SELECT o.statement_id FROM others o)
                                             AND c.pgtrack_statement_id < h.pgtrack_statement_id AND %8$s)) u$$,
    v_shape.relation_id, v_own, p_which, v_shape.change_keys, v_shape.history, v_shape.key_record,
    pgtrack._row_key_sql(v_shape, v_shape.key_json), v_shape.same_row)
  INTO v_ids, v_keys, v_left USING v_first, v_last;
  IF v_ids IS NOT NULL THEN
    -- The columns have the names of the history's.
    RETURN format('(SELECT c.pgtrack_statement_id, NULL::jsonb AS pgtrack_key, NULL::boolean AS pgtrack_is_left, %s'
                  ' FROM %s c WHERE false UNION ALL SELECT x.id, x.key, x.is_left, k.*'
                  ' FROM unnest(%L::bigint[], %L::jsonb[], %L::boolean[]) AS x (id, key, is_left) CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s)) AS h',
                  v_shape.change_keys, v_shape.history, v_ids, v_keys, v_left, v_shape.key_record);
  END IF;
  RETURN NULL;
END
$_retaken$;
COMMENT ON FUNCTION pgtrack._retaken(regclass, text, text) IS
  'The query part h, if any, for the keys that the transaction of a point took after others who come after the point, each with the statement and whether a row was left there.';

-- ==== points/tags.sql ====

CREATE OR REPLACE FUNCTION pgtrack._committed() RETURNS pg_snapshot
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_committed$
DECLARE
  v_snapshot  pg_snapshot := pg_current_snapshot();
  v_own       xid8 := pg_current_xact_id_if_assigned();
BEGIN
  -- A snapshot does not list its own transaction among those in progress.
  IF v_own IS NULL OR v_own >= pg_snapshot_xmax(v_snapshot) THEN
    RETURN v_snapshot;
  END IF;
  RETURN format('%s:%s:%s', least(v_own::text::bigint, pg_snapshot_xmin(v_snapshot)::text::bigint), pg_snapshot_xmax(v_snapshot),
                (SELECT string_agg(x::text, ',' ORDER BY x) FROM (SELECT pg_snapshot_xip(v_snapshot) UNION SELECT v_own) AS p (x)));
END
$_committed$;
COMMENT ON FUNCTION pgtrack._committed() IS 'A snapshot of what is committed, so without the present transaction.';

-- SECURITY DEFINER: nobody may write pgtrack.tag by hand, so that a tag is what its time and author say. Executable by
-- those to whom the owner grants it.
CREATE OR REPLACE FUNCTION pgtrack.tag(name text, message text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $tag$
DECLARE
  v_call  text;
BEGIN
  IF coalesce(name, '') = '' OR name = 'now' OR name LIKE 'xid:%' THEN
    RAISE EXCEPTION 'a tag cannot be named %', coalesce(quote_literal(name), 'null') USING
      ERRCODE = 'invalid_parameter_value', DETAIL = 'now and xid:N are points themselves.';
  END IF;
  PERFORM pgtrack._begin_epoch();
  v_call := pgtrack._begin_call(jsonb_build_object('name', name), message);
  INSERT INTO pgtrack.tag (name, snapshot, at, who, message, statement_id)
  VALUES (tag.name, pgtrack._committed(), clock_timestamp(), session_user, tag.message, nextval('pgtrack.statement_id_seq'));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION 'there is a tag "%" already', name USING
    ERRCODE = 'duplicate_object', HINT = format('SELECT pgtrack.untag(%L) removes it.', name);
END
$tag$;
COMMENT ON FUNCTION pgtrack.tag(text, text) IS
  'Names this moment: the state that all transactions committed by now have left. Waits for nobody, and cuts no transaction in half.';

CREATE OR REPLACE FUNCTION pgtrack.untag(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $untag$
DECLARE
  v_call  text;
BEGIN
  v_call := pgtrack._begin_call(jsonb_build_object('name', name));
  DELETE FROM pgtrack.tag t WHERE t.name = untag.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no tag "%"', name USING
      ERRCODE = 'undefined_object', HINT = 'SELECT * FROM pgtrack.tags() shows the tags.';
  END IF;
END
$untag$;
COMMENT ON FUNCTION pgtrack.untag(text) IS 'Removes a tag.';

CREATE OR REPLACE FUNCTION pgtrack.tags() RETURNS TABLE (name text, at timestamptz, who text, message text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT t.name, t.at, t.who, t.message FROM pgtrack.tag t ORDER BY t.at DESC;
END;
COMMENT ON FUNCTION pgtrack.tags() IS 'All tags, newest first.';

-- ==== points/first_changes.sql ====

CREATE OR REPLACE FUNCTION pgtrack._arrivals_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(
    -- IS TRUE, as below.
    'SELECT a.new_key, a.statement_id FROM pgtrack._key_changes(%1$s) a'
    ' WHERE (a.statement_id IN (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND (%2$s))) IS TRUE%3$s',
    s.relation_id, p_which,
    CASE WHEN p_retaken IS NOT NULL
      THEN format(' AND NOT EXISTS (SELECT FROM %s WHERE h.pgtrack_is_left AND h.pgtrack_key = a.new_key AND h.pgtrack_statement_id > a.statement_id)', p_retaken)
      ELSE '' END)
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._arrivals_sql(regclass, text, text) IS
  'The query for the keys that a set of statements gave to rows, unless they are retaken.';

-- The first change of each row by a set of statements: pgtrack_is_insert, and the columns of the history table. Rows
-- that came to their key by a change of the key are left out; they are found under their first key. So are changes under
-- a key that is retaken.
-- Which statements are in the set is asked of a hash table for each row of one scan: a join might be planned as a scan of
-- the history for each statement. IS TRUE keeps PostgreSQL from making it a join.
CREATE OR REPLACE FUNCTION pgtrack._first_changes_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
    SELECT f.* FROM (
      SELECT DISTINCT ON (%1$s)
             (c.pgtrack_statement_id IN (SELECT s.statement_id FROM pgtrack.statement s
                                         WHERE s.relation_id = %2$s AND s.operation = 'I' AND (%3$s))) IS TRUE AS pgtrack_is_insert, c.*
      FROM %4$s c
      WHERE c.pgtrack_statement_id >= (SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %2$s AND (%3$s))
        AND (c.pgtrack_statement_id IN (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %2$s AND (%3$s))) IS TRUE%5$s
      ORDER BY %1$s, c.pgtrack_statement_id, c.ctid) f$$
    || CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = s.relation_id) THEN $$
    CROSS JOIN LATERAL (SELECT f.*) h
    WHERE NOT EXISTS (SELECT FROM (%6$s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%8$s) WHERE %7$s AND a.statement_id < f.pgtrack_statement_id)$$
       ELSE '' END,
    s.change_keys, s.relation_id, p_which, s.history,
    CASE WHEN p_retaken IS NOT NULL
      THEN format(' AND NOT EXISTS (SELECT FROM %s WHERE h.pgtrack_is_left AND h.pgtrack_statement_id > c.pgtrack_statement_id AND %s)', p_retaken, s.same_row)
      ELSE '' END,
    pgtrack._arrivals_sql(p_table, p_which, p_retaken), s.history_is_key, s.key_record)
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._first_changes_sql(regclass, text, text) IS 'The query for the first change of each row by a set of statements.';

-- Live rows that were not there under their key before a set of statements, because it changed their key.
CREATE OR REPLACE FUNCTION pgtrack._arrived_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = s.relation_id)
    THEN format('EXISTS (SELECT FROM (%s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%s) WHERE %s)',
                pgtrack._arrivals_sql(p_table, p_which, p_retaken), s.key_record, s.live_is_key)
    ELSE 'false' END
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._arrived_sql(regclass, text, text) IS 'The condition for live rows whose key a set of statements has changed.';

-- ==== points/as_of.sql ====

-- A row of the table's type is a row with values of its columns' types, and a domain makes its checks. Somebody else's
-- may not run with the caller's rights, and SET ROLE would not keep them from doing so: code can set it back.
CREATE OR REPLACE FUNCTION pgtrack._refuse_foreign_code(p_table regclass) RETURNS void
-- VOLATILE, so that it sees what was made while a lock was waited for.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_foreign_code$
DECLARE
  v_columns  text := pgtrack._foreign_code_in(p_table);
BEGIN
  IF v_columns IS NOT NULL THEN
    RAISE EXCEPTION 'rows of % cannot be made', pgtrack._name(p_table) USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('To make values of the types of these columns runs code that belongs neither to a superuser nor to you: %s.',
                      v_columns),
      HINT = format('pgtrack.diff() and pgtrack.history() show the values as JSON: SELECT * FROM pgtrack.diff(%L, ''a point'').',
                    pgtrack._name(p_table));
  END IF;
END
$_refuse_foreign_code$;
COMMENT ON FUNCTION pgtrack._refuse_foreign_code(regclass) IS
  'Refuses to make rows of a table where that runs code of others than superusers and the caller.';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point text) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $as_of$
DECLARE
  v_table    regclass := (SELECT t.typrelid FROM pg_type t WHERE t.oid = pg_typeof(rowtype) AND t.typrelid <> 0);
  v_which    text;
  v_retaken  text;
  v_shape    record;
BEGIN
  IF v_table IS NULL THEN
    RAISE EXCEPTION '% is not the row type of a table', pg_typeof(rowtype) USING
      ERRCODE = 'wrong_object_type', HINT = 'Write SELECT * FROM pgtrack.as_of(NULL::schema.table, ''point'').';
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(v_table);
  v_which := pgtrack._after_in(v_table, point);
  v_retaken := pgtrack._retaken(v_table, v_which, point);
  PERFORM pgtrack._refuse_foreign_code(v_table);
  RETURN QUERY EXECUTE format($$
    WITH first AS MATERIALIZED (%s)
    SELECT t.* FROM %s t WHERE NOT EXISTS (SELECT FROM first h WHERE %s) AND NOT %s
    UNION ALL
    SELECT %s FROM first h WHERE NOT h.pgtrack_is_insert$$,
    pgtrack._first_changes_sql(v_table, v_which, v_retaken), v_shape.live_table, v_shape.live_is_history,
    pgtrack._arrived_sql(v_table, v_which, v_retaken), v_shape.row_values);
EXCEPTION WHEN check_violation OR not_null_violation THEN
  RAISE EXCEPTION 'rows of % at % cannot be made: %', pgtrack._name(v_table), point, SQLERRM USING
    ERRCODE = SQLSTATE,
    DETAIL = 'The type of a column allows less now than it did then.',
    HINT = format('pgtrack.diff() shows the values as JSON: SELECT * FROM pgtrack.diff(%L, %L).', pgtrack._name(v_table), point);
END
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, text) IS
  'The rows of a table as they were at a point: SELECT * FROM pgtrack.as_of(NULL::schema.table, ''a tag, a timestamp, or xid:N'').';

CREATE OR REPLACE FUNCTION pgtrack.as_of(rowtype anyelement, point timestamptz) RETURNS SETOF anyelement
LANGUAGE sql STABLE AS $as_of$
  -- As JSON writes it: in other styles a zone's name may mean another zone.
  SELECT a.* FROM pgtrack.as_of($1, pg_catalog.to_jsonb($2) OPERATOR(pg_catalog.#>>) '{}') a
$as_of$;
COMMENT ON FUNCTION pgtrack.as_of(anyelement, timestamptz) IS 'The rows of a table as they were at a moment.';

-- ==== points/diff.sql ====

-- What each point says of a row: its image there, or that it was not there under this key. A row of which a point says
-- nothing was there what it is now.
CREATE OR REPLACE FUNCTION pgtrack._point_sql(p_table regclass, p_which text, p_retaken text, p_name text, p_has_moves boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('SELECT %s AS key, %s AS canonical_key, %L AS point, false AS is_arrival, CASE WHEN NOT h.pgtrack_is_insert THEN %s END AS image'
                ' FROM (%s) h',
                s.key_json, CASE WHEN p_has_moves THEN format('pgtrack._canonical_key(%s, %L)', s.key_json, s.key_record) ELSE s.key_json END,
                p_name, s.image, pgtrack._first_changes_sql(p_table, p_which, p_retaken))
      || CASE WHEN p_has_moves
              THEN format(' UNION ALL SELECT a.new_key, a.new_key, %L, true, NULL FROM (%s) a',
                          p_name, pgtrack._arrivals_sql(p_table, p_which, p_retaken))
              ELSE '' END
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._point_sql(regclass, text, text, text, boolean) IS
  'The query for the rows of a table that have changed, or come to their key, since a point, with their images there.';

-- Up to now, what has not changed byte by byte looks the same, too; so images are made of the others alone. Not where a
-- column has come since or has had another type, or is computed.
CREATE OR REPLACE FUNCTION pgtrack._diff_to_now_sql(p_table regclass, p_shape pgtrack.relation_shape, p_which text, p_from text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_diff_to_now_sql$
DECLARE
  v_bulk  pgtrack._bulk;
BEGIN
  IF p_shape.compared_key IS NULL
     AND NOT EXISTS (SELECT FROM pgtrack.relation_column c WHERE c.relation_id = p_shape.relation_id AND (c.since > 0 OR c.until IS NOT NULL))
     AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND a.attgenerated <> '') THEN
    v_bulk := pgtrack._bulk_set(p_table, p_shape, ROW(ARRAY[p_table], p_which, NULL, NULL, p_from)::pgtrack._set, 'force');
  END IF;
  IF v_bulk.ids IS NULL THEN
    RETURN NULL;
  END IF;
  v_bulk.has_later := false;
  RETURN format($$
    SELECT %1$L, r.key, CASE WHEN r.is_unborn THEN 'INSERT' WHEN r.is_live THEN 'UPDATE' ELSE 'DELETE' END,
           pgtrack._changed_columns(i.before, i.after), i.before, i.after
    FROM (%2$s) r
    CROSS JOIN LATERAL (
      SELECT CASE WHEN NOT r.is_unborn THEN (SELECT %3$s FROM %4$s h WHERE h.ctid = r.handle) END AS before,
             (SELECT %5$s FROM %4$s h JOIN %6$s t ON %7$s WHERE h.ctid = r.handle) AS after OFFSET 0) i
    WHERE CASE WHEN r.is_unborn THEN r.is_live ELSE NOT r.is_live OR r.differs END AND i.before::text IS DISTINCT FROM i.after::text
    ORDER BY r.key$$,
    p_shape.name, pgtrack._bulk_rows_sql(p_shape, p_shape, v_bulk, format('%s AS differs, NULL AS version', p_shape.differs), 'OFFSET 0'),
    p_shape.image, p_shape.history, p_shape.live_image, p_shape.live_table, p_shape.live_is_history);
END
$_diff_to_now_sql$;
COMMENT ON FUNCTION pgtrack._diff_to_now_sql(regclass, pgtrack.relation_shape, text, text) IS
  'The query for the rows of a table that differ between a point and now, where they need not be looked for otherwise; else null.';

CREATE OR REPLACE FUNCTION pgtrack._diff(p_table regclass, p_from text, p_to text)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
-- To compile its queries takes longer than most differences, and no row is looked for twice.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_diff$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_from       text := pgtrack._after_in(p_table, p_from);
  v_to         text := pgtrack._after_in(p_table, p_to);
  v_has_moves  boolean;
  v_query      text;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  -- Nothing comes after now; a tag may be called that, too.
  IF v_to = 'false' THEN
    v_query := pgtrack._diff_to_now_sql(p_table, v_shape, v_from, p_from);
    IF v_query IS NOT NULL THEN
      RETURN QUERY EXECUTE v_query;
      RETURN;
    END IF;
  END IF;
  v_has_moves := EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id);
  RETURN QUERY EXECUTE format($$
    WITH state AS (
      SELECT (array_agg(p.key))[1] AS key, (array_agg(p.canonical_key))[1] AS canonical_key,
             bool_or(p.point = 'from' AND NOT p.is_arrival) AS is_in_from, bool_or(p.point = 'to' AND NOT p.is_arrival) AS is_in_to,
             bool_or(p.point = 'from' AND p.is_arrival) AS came_since_from, bool_or(p.point = 'to' AND p.is_arrival) AS came_since_to,
             (array_agg(p.image) FILTER (WHERE p.point = 'from' AND NOT p.is_arrival))[1] AS from_image,
             (array_agg(p.image) FILTER (WHERE p.point = 'to' AND NOT p.is_arrival))[1] AS to_image
      FROM (%1$s UNION ALL %2$s) p%8$s
    ), live AS MATERIALIZED (
      SELECT s.*, CASE WHEN t.ctid IS NOT NULL THEN %4$s END AS image
      FROM state s CROSS JOIN LATERAL jsonb_to_record(s.canonical_key) AS k(%3$s)
      LEFT JOIN %5$s t ON %7$s AND NOT (s.is_in_from AND s.is_in_to)
    ), change AS MATERIALIZED (
      SELECT l.key, CASE WHEN l.is_in_from THEN l.from_image WHEN NOT l.came_since_from THEN l.image END AS before,
             CASE WHEN l.is_in_to THEN l.to_image WHEN NOT l.came_since_to THEN l.image END AS after
      FROM live l
    )
    SELECT %6$L, %9$s, CASE WHEN c.before IS NULL THEN 'INSERT' WHEN c.after IS NULL THEN 'DELETE' ELSE 'UPDATE' END,
           pgtrack._changed_columns(c.before, c.after), c.before, c.after
    FROM change c WHERE c.before::text IS DISTINCT FROM c.after::text ORDER BY c.key$$,
    pgtrack._point_sql(p_table, v_from, pgtrack._retaken(p_table, v_from, p_from), 'from', v_has_moves),
    pgtrack._point_sql(p_table, v_to, pgtrack._retaken(p_table, v_to, p_to), 'to', v_has_moves),
    v_shape.key_record, v_shape.live_image, v_shape.live_table, v_shape.name, v_shape.live_is_key,
    CASE WHEN v_shape.compared_key IS NULL THEN ' GROUP BY p.canonical_key'
         ELSE format(' CROSS JOIN LATERAL jsonb_to_record(p.canonical_key) AS k(%s) GROUP BY %s', v_shape.key_record, v_shape.compared_key) END,
    -- As it is written in the row that is shown.
    CASE WHEN v_shape.compared_key IS NULL THEN 'c.key'
         ELSE format('(SELECT jsonb_object_agg(n, coalesce(c.after, c.before) -> n) FROM unnest(%L::text[]) n)', v_shape.keys) END);
END
$_diff$;
COMMENT ON FUNCTION pgtrack._diff(regclass, text, text) IS 'Does the work of pgtrack.diff().';

CREATE OR REPLACE FUNCTION pgtrack.diff("table" text, "from" text, "to" text DEFAULT 'now', schema text DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb)
LANGUAGE sql STABLE AS $diff$
  SELECT d.* FROM pgtrack._diff(pgtrack._table($1, $4), $2, $3) d
$diff$;
COMMENT ON FUNCTION pgtrack.diff(text, text, text, text) IS
  'The rows of a table that differ between two points, or between a point and now.';

-- ==== reading/blame.sql ====

CREATE OR REPLACE FUNCTION pgtrack._blame(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE ("column" text, value jsonb, ver integer, changed_at timestamptz, who text, xid bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  WITH version AS MATERIALIZED (
    SELECT h.* FROM pgtrack._history(p_table, p_key_as_given) h
  ), latest AS (
    SELECT v.ver, v.after FROM version v WHERE v.after IS NOT NULL ORDER BY v.ver DESC LIMIT 1
  )
  SELECT c.column_name, l.after -> c.column_name::text, b.ver, b.changed_at, b.who, b.xid
  FROM latest l
  CROSS JOIN pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  LEFT JOIN LATERAL (
    SELECT v.ver, v.changed_at, v.who, v.xid FROM version v
    WHERE v.ver <= l.ver AND (v.op = 'INSERT' OR c.column_name::text = ANY (v.what))
    ORDER BY v.ver DESC LIMIT 1) b ON true
  WHERE r.relid = p_table
  ORDER BY c.attnum;
END;
COMMENT ON FUNCTION pgtrack._blame(regclass, jsonb) IS 'Does the work of pgtrack.blame().';

-- ==== undoing/revert_to.sql ====

CREATE OR REPLACE FUNCTION pgtrack._tables_in(p_schema text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_tables_in$
BEGIN
  IF pgtrack._schema(p_schema) IS NULL THEN
    RAISE EXCEPTION 'schema "%" does not exist', p_schema USING ERRCODE = 'invalid_schema_name';
  END IF;
  RETURN QUERY
    SELECT r.relid FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE c.relnamespace = pgtrack._schema(p_schema) AND r.tracked_until IS NULL AND r.key_columns <> '{}' ORDER BY c.relname;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no table with a primary key is tracked in schema %', p_schema USING
      ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Start with SELECT * FROM pgtrack.track(%L).', p_schema);
  END IF;
END
$_tables_in$;
COMMENT ON FUNCTION pgtrack._tables_in(text) IS 'The tracked tables of a schema whose rows can be reverted.';

CREATE OR REPLACE FUNCTION pgtrack._after_in_all(p_tables regclass[], p_point text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
  -- The same condition for all, once each history is known to reach back that far.
  SELECT min(pgtrack._after_in(t, p_point)) FROM unnest(p_tables) t;
END;
COMMENT ON FUNCTION pgtrack._after_in_all(regclass[], text) IS 'The condition for statements after a point that the histories of some tables reach back to.';

-- ==== undoing/where.sql ====

CREATE OR REPLACE FUNCTION pgtrack._made_by(p_actor text, p_application text, p_user text, p_from timestamptz, p_to timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO' AS $_made_by$
BEGIN
  IF num_nonnulls(p_actor, p_application, p_user) = 0 THEN
    RAISE EXCEPTION 'say whose changes shall be undone' USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name an actor, an application or a user: undo_where(application => ''nightly-import'', "from" => now() - interval ''1 hour'').';
  END IF;
  RETURN concat_ws(' AND ', CASE WHEN p_actor IS NOT NULL THEN format('s.actor = %L', p_actor) END,
    CASE WHEN p_application IS NOT NULL THEN format('s.application = %L', p_application) END,
    CASE WHEN p_user IS NOT NULL THEN format('%L IN (s.user_name, s.role_name)', p_user) END,
    CASE WHEN p_from IS NOT NULL THEN format('s.at >= %L', p_from) END,
    CASE WHEN p_to IS NOT NULL THEN format('s.at < %L', p_to) END);
END
$_made_by$;
COMMENT ON FUNCTION pgtrack._made_by(text, text, text, timestamptz, timestamptz) IS 'The condition for statements of one actor, application or user, in a time.';

-- ==== undoing/outline.sql ====

-- A plan of any size, in numbers: nobody looks at a million images to decide, and conflicts are what there is to decide about.
CREATE OR REPLACE FUNCTION pgtrack._outline_set(p_set pgtrack._set, p_max integer, p_columns text[], p_on_conflict text)
RETURNS TABLE ("table" text, action text, row_count bigint, conflicts bigint, digest text, row_pk jsonb, before jsonb, after jsonb, conflict text)
-- As in _plan_set().
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_outline_set$
DECLARE
  v_table  regclass;
  v_shape  pgtrack.relation_shape;
  v_left   bigint := p_max;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict), pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    v_shape := pgtrack._shape(v_table, p_columns);
    FOR "table", action, row_count, conflicts, digest, row_pk, before, after, conflict IN EXECUTE format($$
      WITH row AS MATERIALIZED (
        SELECT r.action, r.sort_key, r.live_key, r.statement_id, r.newer_id, r.handle, r.is_live, r.version, r.states, r.targets, r.unmerged
        FROM (%1$s) r WHERE r.action <> 'nothing' OR r.is_left
      ), p AS MATERIALIZED (
        SELECT r.*, row_number() OVER (ORDER BY r.newer_id IS NULL, r.statement_id, r.sort_key) AS number,
               (SELECT %5$s FROM %6$s h WHERE h.ctid = r.handle) AS key
        FROM (SELECT r.* FROM row r ORDER BY r.newer_id IS NULL, r.statement_id, r.sort_key LIMIT %3$s) r
      )
      SELECT %2$L, r.action, count(*), count(r.newer_id),
             sum(CASE WHEN r.version IS NOT NULL AND r.newer_id IS NULL AND r.live_key IS NULL THEN r.version
                      ELSE hash_record_extended(ROW(r.handle, r.live_key, r.version, r.newer_id, r.states, r.targets), 0) END)::text,
             NULL::jsonb, NULL::jsonb, NULL::jsonb, NULL::text
      FROM row r GROUP BY r.action
      UNION ALL
      (SELECT %2$L, s.action, NULL, NULL, NULL, s.row_pk, s.before, s.after, s.conflict FROM (SELECT p.number, %4$s) s ORDER BY s.number)$$,
      pgtrack._planned_rows_sql(v_table, v_shape, p_set, p_columns, p_on_conflict), v_shape.name, v_left, pgtrack._planned_step_sql(v_shape, p_columns),
      v_shape.key_json, v_shape.history)
    LOOP
      IF row_pk IS NOT NULL THEN
        v_left := v_left - 1;
      END IF;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$_outline_set$;
COMMENT ON FUNCTION pgtrack._outline_set(pgtrack._set, integer, text[], text) IS
  'What undoing a set of statements would do, in numbers: for each table and action how many rows; and the first rows.';

CREATE OR REPLACE FUNCTION pgtrack.plan_outline(choice jsonb, max integer DEFAULT 200, columns text[] DEFAULT NULL, on_conflict text DEFAULT 'error')
RETURNS TABLE ("table" text, action text, row_count bigint, conflicts bigint, digest text, row_pk jsonb, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT o.* FROM pgtrack._outline_set(
    pgtrack._choice(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END), max, columns, on_conflict) o;
END;
COMMENT ON FUNCTION pgtrack.plan_outline(jsonb, integer, text[], text) IS
  'What an undo would do, in numbers: for each table and action how many rows, how many of them others have changed since, and a digest '
  'that is another one when the plan is. Then the first rows as the plan of the verb has them, those with conflicts before others. '
  'choice is as for plan_batches(). Rows that on_conflict would leave as they are have the action ''nothing''.';

-- ==== undoing/batches.sql ====

-- What is too much for one transaction is undone a thousand rows at a time. Each batch commits by itself, so foreign keys
-- must hold after each: a row comes back after those that it refers to, and goes before them. The choice of what is undone
-- is the same for all batches: what happens after the plan was made is no part of it, and where it is in the way, a conflict.

CREATE OR REPLACE FUNCTION pgtrack._seen_by(p_snapshot pg_snapshot) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Transaction ids of another cluster say nothing here; its history was there before.
  SELECT CASE WHEN p_snapshot IS NULL THEN 'true'
              ELSE format('(s.statement_id < %s OR pg_visible_in_snapshot(s.xid, %L))', e.first_id, p_snapshot) END
  FROM pgtrack._in_epoch(9223372036854775807) e;
END;
COMMENT ON FUNCTION pgtrack._seen_by(pg_snapshot) IS 'The condition for statements that a snapshot sees; null sees all.';

-- Deletes come before updates and those before inserts, as unique values have to be free before they are used again; but
-- what updated rows shall refer to comes back before them, and what they refer to now goes after them. Rows that may
-- refer to each other stay together.
CREATE OR REPLACE FUNCTION pgtrack._batches(p_choice jsonb, p_table regclass, p_size integer, p_on_conflict text)
RETURNS TABLE (batch bigint, rows jsonb, row_count bigint, seen pg_snapshot)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_batches$
DECLARE
  v_choice  pgtrack._set;
BEGIN
  IF p_size IS NULL OR p_size < 1 THEN
    RAISE EXCEPTION 'a batch must have at least one row' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  v_choice := pgtrack._choice(p_choice, p_table);
  -- Refused before it begins if single rows cannot be named.
  PERFORM pgtrack._changed_rows_sql(t, v_choice, p_keys => '[]') FROM unnest(v_choice.tables) t;
  seen := pg_current_snapshot();
  RETURN QUERY
    WITH RECURSIVE reference AS (
      SELECT f.child, f.parent, f.columns
      FROM (SELECT coalesce(pg_partition_root(c.conrelid), c.conrelid) AS child, coalesce(pg_partition_root(c.confrelid), c.confrelid) AS parent,
                   ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS columns
            FROM pg_constraint c WHERE c.contype = 'f') f
      WHERE f.child = ANY (v_choice.tables) AND f.parent = ANY (v_choice.tables)
    ), named AS MATERIALIZED (
      SELECT t AS relid, pgtrack._name(t) AS name, ARRAY(SELECT DISTINCT unnest(r.columns) FROM reference r WHERE r.child = t) AS columns
      FROM unnest(v_choice.tables) t
    ), planned AS MATERIALIZED (
      SELECT row_number() OVER () AS position, n.relid, p."table", p.row_pk, p.action,
             CASE p.action WHEN 'update' THEN ARRAY(SELECT c FROM unnest(n.columns) c WHERE p.before -> c IS DISTINCT FROM p.after -> c)
                           ELSE '{}' END AS moved
      FROM pgtrack._plan_set(v_choice, NULL, p_on_conflict) p
      JOIN named n ON n.name = p."table"
    ), reach AS (
      SELECT r.child, r.parent FROM reference r
      UNION SELECT a.child, r.parent FROM reach a JOIN reference r ON r.child = a.parent
    ), updated AS MATERIALIZED (
      SELECT DISTINCT p.relid, p.moved FROM planned p WHERE p.moved <> '{}'
    ), pivot AS (
      SELECT r.parent AS relid FROM reference r JOIN updated u ON u.relid = r.child AND u.moved && r.columns
      UNION SELECT a.parent FROM reference r JOIN updated u ON u.relid = r.child AND u.moved && r.columns JOIN reach a ON a.child = r.parent
    ), ranked AS MATERIALIZED (
      SELECT n.relid, n.relid IN (SELECT v.relid FROM pivot v) AS is_pivot,
             (SELECT count(DISTINCT x) FROM (SELECT n.relid AS x UNION SELECT a.parent FROM reach a WHERE a.child = n.relid) x) AS depth,
             (SELECT min(a.parent) FROM reach a JOIN reach b ON b.child = a.parent AND b.parent = n.relid WHERE a.child = n.relid) AS circle
      FROM named n
    ), ordered AS (
      SELECT p.*, k.phase, CASE WHEN p.action <> 'update' THEN r.circle END AS circle,
             row_number() OVER (ORDER BY k.phase, CASE p.action WHEN 'delete' THEN -r.depth ELSE r.depth END, r.circle, r.relid, p.position DESC) AS number
      FROM planned p JOIN ranked r ON r.relid = p.relid
      CROSS JOIN LATERAL (SELECT CASE p.action WHEN 'delete' THEN CASE WHEN r.is_pivot THEN 4 ELSE 1 END
                                               WHEN 'insert' THEN CASE WHEN r.is_pivot THEN 2 ELSE 5 END
                                               ELSE 3 END AS phase) k
    ), placed AS (
      SELECT o.*, (CASE WHEN o.circle IS NULL THEN o.number ELSE min(o.number) OVER (PARTITION BY o.phase, o.circle) END - 1) / p_size AS place
      FROM ordered o
    ), parts AS (
      SELECT p.place, p."table" AS name, jsonb_agg(p.row_pk ORDER BY p.number) AS keys, count(*) AS n FROM placed p GROUP BY p.place, p."table"
    )
    SELECT row_number() OVER (ORDER BY p.place), jsonb_object_agg(p.name, p.keys), sum(p.n)::bigint, _batches.seen
    FROM parts p GROUP BY p.place ORDER BY p.place;
END
$_batches$;
COMMENT ON FUNCTION pgtrack._batches(jsonb, regclass, integer, text) IS 'Does the work of plan_batches().';

CREATE OR REPLACE FUNCTION pgtrack.plan_batches(choice jsonb, size integer DEFAULT 1000, on_conflict text DEFAULT 'error')
RETURNS TABLE (batch bigint, rows jsonb, row_count bigint, seen pg_snapshot)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT b.* FROM pgtrack._batches(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END, size, on_conflict) b;
END;
COMMENT ON FUNCTION pgtrack.plan_batches(jsonb, integer, text) IS
  'Splits an undo into batches, in the order in which foreign keys let each commit by itself. choice has the arguments of the verb: '
  '{"xid": 1}, {"xids": [1, 2]}, {"statement_ids": [1, 2]}, {"table": "shop.orders", "point": "a tag"}, {"schema": "shop", "point": "a tag"}, '
  'or those of undo_where(). undo_batch() takes each, with the same on_conflict. Rows of tables that refer to themselves or to each other in a circle come back, and go, in one batch.';

CREATE OR REPLACE FUNCTION pgtrack._undo_batch(p_choice jsonb, p_table regclass, p_rows jsonb, p_seen pg_snapshot, p_on_conflict text, p_message text)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
-- To compile takes longer than a batch.
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off SET jit = off AS $_undo_batch$
DECLARE
  v_choice  pgtrack._set;
  v_table   record;
  v_tables  regclass[] := '{}';
  v_rows    jsonb := '{}';
  v_key     jsonb;
  v_call    text;
  v_arguments  jsonb;
BEGIN
  v_choice := pgtrack._choice(p_choice, p_table);
  IF jsonb_typeof(p_rows) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'it is not clear which rows to undo: %', coalesce(left(p_rows::text, 100), 'null') USING
      ERRCODE = 'invalid_parameter_value',
      HINT = 'Name the tables, each with the keys of its rows: {"shop.orders": [{"id": 1}, {"id": 2}]}, as plan_batches() does.';
  END IF;
  FOR v_table IN SELECT r.key AS name, to_regclass(r.key) AS relid, r.value AS keys FROM jsonb_each(p_rows) r LOOP
    IF NOT coalesce(v_table.relid = ANY (v_choice.tables), false) THEN
      RAISE EXCEPTION '% has no rows in %', v_choice.label, v_table.name USING
        ERRCODE = 'undefined_table',
        DETAIL = format('Its tables are %s.', (SELECT string_agg(pgtrack._name(t), ', ') FROM unnest(v_choice.tables) t)),
        HINT = 'Tables are named with their schema.';
    END IF;
    SELECT k INTO v_key FROM jsonb_path_query(v_table.keys, 'strict $[*]') k
    WHERE NOT k ?& (SELECT r.key_columns::text[] FROM pgtrack.relation r WHERE r.relid = v_table.relid) LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION '% is no key of %', v_key, v_table.name USING
        ERRCODE = 'invalid_parameter_value',
        DETAIL = format('Its key is (%s).', (SELECT array_to_string(r.key_columns, ', ') FROM pgtrack.relation r WHERE r.relid = v_table.relid));
    END IF;
    v_tables := v_tables || v_table.relid;
    v_rows := v_rows || jsonb_build_object(pgtrack._name(v_table.relid), v_table.keys);
  END LOOP;
  v_choice.tables := v_tables;
  v_choice.condition := format('(%s) AND %s', v_choice.condition, pgtrack._seen_by(p_seen));
  SELECT p_choice || jsonb_build_object('on_conflict', p_on_conflict, 'rows', coalesce(jsonb_object_agg(r.key, jsonb_array_length(r.value)), '{}'))
  INTO v_arguments FROM jsonb_each(v_rows) r;
  v_call := pgtrack._begin_call(v_arguments, p_message, v_choice.reverts);
  IF v_tables <> '{}' THEN
    RETURN QUERY SELECT u.* FROM pgtrack._undo_set(v_choice, p_on_conflict, p_message, p_rows => v_rows, p_call => v_call) u;
  END IF;
  PERFORM pgtrack._end_call(v_call);
END
$_undo_batch$;
COMMENT ON FUNCTION pgtrack._undo_batch(jsonb, regclass, jsonb, pg_snapshot, text, text) IS 'Does the work of undo_batch().';

CREATE OR REPLACE FUNCTION pgtrack.undo_batch(choice jsonb, rows jsonb, seen pg_snapshot DEFAULT NULL, on_conflict text DEFAULT 'error',
                                              message text DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pgtrack._note_path();
  SELECT u.* FROM pgtrack._undo_batch(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END,
                                      rows, seen, on_conflict, message) u;
END;
COMMENT ON FUNCTION pgtrack.undo_batch(jsonb, jsonb, pg_snapshot, text, text) IS
  'Undoes some rows of a choice, as plan_batches() names them: {"shop.orders": [{"id": 1}, {"id": 2}]}. What seen does not see is not '
  'undone; rows that it changed are conflicts, also where a table is reverted to a point. Done twice, it changes nothing the second time.';

-- ==== keeping/release_type.sql ====

CREATE OR REPLACE FUNCTION pgtrack.release_type(type regtype) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $release_type$
DECLARE
  v_column  record;
  v_count   integer := 0;
  v_call    text;
  v_events  text;
BEGIN
  PERFORM pgtrack._require_owner('release a type from the history of');
  v_call := pgtrack._begin_call(jsonb_build_object('type', type));
  v_events := pgtrack._silence_event_triggers();
  FOR v_column IN
    SELECT h.oid::regclass AS history, a.attname, c.column_name, format('%I.%I', r.schema_name, r.table_name) AS table_name,
           r.relid IS NOT NULL AND c.attnum IS NOT NULL AS is_used
    FROM pgtrack.relation r JOIN pgtrack.relation_column c USING (relation_id)
    JOIN pg_class h ON h.relname = r.history_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    JOIN pg_attribute a ON a.attrelid = h.oid AND a.attname = c.history_column AND NOT a.attisdropped
    WHERE a.atttypid IN (release_type.type, (SELECT t.typarray FROM pg_type t WHERE t.oid = release_type.type)) AND a.atttypid >= 16384
    ORDER BY r.relid IS NULL OR c.attnum IS NULL, 1, 2
  LOOP
    IF v_column.is_used THEN
      RAISE EXCEPTION 'the type % is in use', type USING
        ERRCODE = 'dependent_objects_still_exist',
        DETAIL = format('The column %I of %s is of it.', v_column.column_name, v_column.table_name),
        HINT = 'Drop or retype the column first; what was recorded of it stays.';
    END IF;
    PERFORM pgtrack._retype_history_column(v_column.history, v_column.attname, 'text'::regtype, 'text',
                                           format('CASE WHEN num_nulls(%1$I) = 0 THEN format(''%%s'', %1$I) END', v_column.attname));
    v_count := v_count + 1;
  END LOOP;
  PERFORM pgtrack._drop_own_names();
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN format('%s: %s columns of histories are text now', type, v_count);
END
$release_type$;
COMMENT ON FUNCTION pgtrack.release_type(regtype) IS
  'Makes text of what was recorded in columns of a type that no tracked table has any more, so that the type or its extension can be dropped.';

-- ==== keeping/definition.sql ====

-- What a table is besides its rows, as it stands in the catalogs when the rows are kept: DROP TABLE takes all of it along.

CREATE OR REPLACE FUNCTION pgtrack._columns_of(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_agg(jsonb_build_object(
           'name', a.attname,
           'type', format_type(a.atttypid, a.atttypmod)
                   || coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                                FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace JOIN pg_type t ON t.oid = a.atttypid
                                WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation), ''),
           -- A sequence that belongs to the column goes with it; an identity takes its place.
           'clause', CASE WHEN a.attgenerated = 's' THEN format('GENERATED ALWAYS AS (%s) STORED', pg_get_expr(d.adbin, d.adrelid))
                          WHEN a.attgenerated = 'v' THEN format('GENERATED ALWAYS AS (%s) VIRTUAL', pg_get_expr(d.adbin, d.adrelid))
                          WHEN a.attidentity = 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
                          WHEN pg_get_serial_sequence(p_table::text, a.attname) IS NOT NULL THEN 'GENERATED BY DEFAULT AS IDENTITY'
                          WHEN d.adbin IS NOT NULL THEN 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END
                     || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
           'stored', a.attgenerated = '')
         ORDER BY a.attnum)
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION pgtrack._columns_of(regclass) IS 'The columns of a table.';

-- The rows of the catalogs as they stand tell whether something has changed, also when the table is gone and nothing in them can
-- be shown as SQL any more.
CREATE OR REPLACE FUNCTION pgtrack._policies_state(p_table oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT md5(string_agg(p::text, ' ' ORDER BY p.oid)) FROM pg_policy p WHERE p.polrelid = p_table;
END;
COMMENT ON FUNCTION pgtrack._policies_state(oid) IS 'A digest of the policies of a table; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._code_state(p_table oid) RETURNS text
-- It goes on where the schema of histories is dropped.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_code_state$
BEGIN
  RETURN (
  SELECT md5(string_agg(x.state, ' ' ORDER BY x.state))
  FROM (
    SELECT d::text FROM pg_attrdef d WHERE d.adrelid = p_table
    UNION ALL SELECT k::text FROM pg_constraint k WHERE k.conrelid = p_table AND k.contype IN ('c', 'x')
    UNION ALL SELECT concat_ws(' ', i.indexrelid, i.indexprs, i.indpred) FROM pg_index i
              WHERE i.indrelid = p_table AND num_nulls(i.indexprs, i.indpred) < 2
    UNION ALL SELECT t.partexprs::text FROM pg_partitioned_table t WHERE t.partrelid = p_table
    UNION ALL SELECT r::text FROM pg_rewrite r WHERE r.ev_class = p_table
    UNION ALL SELECT concat_ws(' ', t.oid, t.tgenabled) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
              WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND p.pronamespace <> 'pgtrack_history'::regnamespace) AS x (state));
END
$_code_state$;
COMMENT ON FUNCTION pgtrack._code_state(oid) IS 'A digest of what runs code when a table is written or read; null for nothing.';

-- Rights of the owner's are among them: an owner may have given up some.
CREATE OR REPLACE FUNCTION pgtrack._rights_of(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'row_security', c.relrowsecurity,
    'forced', c.relforcerowsecurity,
    'state', pgtrack._policies_state(c.oid),
    'policies', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
               'name', p.policyname, 'kind', p.permissive, 'command', p.cmd, 'roles', p.roles, 'using', p.qual, 'check', p.with_check)
             ORDER BY p.policyname), '[]')
      FROM pg_policies p WHERE (p.schemaname, p.tablename) = (n.nspname, c.relname)),
    'grants', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
               'role', CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee) END,
               'right', x.privilege_type, 'column', g.column_name, 'grantable', x.is_grantable)), '[]')
      FROM (SELECT NULL::name AS column_name, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
            UNION ALL SELECT a.attname, a.attacl FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped) g
      CROSS JOIN LATERAL aclexplode(g.acl) x))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._rights_of(regclass) IS 'Row security, policies and grants of a table.';

CREATE OR REPLACE FUNCTION pgtrack._partitions_of(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'name', pgtrack._name(t.relid), 'parent', pgtrack._name(t.parentrelid), 'bound', pg_get_expr(c.relpartbound, c.oid),
           'key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END, 'options', c.reloptions,
           'owner', pg_get_userbyid(c.relowner), 'rights', pgtrack._rights_of(c.oid))
         ORDER BY t.level, t.relid), '[]')
  FROM pg_partition_tree(p_table) t JOIN pg_class c ON c.oid = t.relid
  WHERE t.relid <> p_table;
END;
COMMENT ON FUNCTION pgtrack._partitions_of(regclass) IS 'The partitions of a table, parents before children.';

-- What calls functions or concerns other tables: it may not come back, as those may be gone by then. A foreign key of
-- another owner's table is not checked when it comes back: that would plan a query of this table with that owner's rights.
CREATE OR REPLACE FUNCTION pgtrack._attached_to(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(jsonb_agg(jsonb_build_object('what', x.what, 'owner', pg_get_userbyid(x.owner), 'statements', x.statements,
                                               'table', pgtrack._name(x.other), 'identity', pgtrack._identity(x.other))
                            ORDER BY x.rank, x.what), '[]')
  FROM pg_class c CROSS JOIN LATERAL (
    SELECT 1 AS rank, format('the trigger %I', t.tgname) AS what, c.relowner AS owner,
           ARRAY[pg_get_triggerdef(t.oid)]
             || CASE t.tgenabled WHEN 'O' THEN '{}'::text[]
                     ELSE ARRAY[format('ALTER TABLE %s %s TRIGGER %I', p_table,
                                       CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                                       t.tgname)] END AS statements,
           NULL::regclass AS other
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND t.tgparentid = 0 AND p.pronamespace <> 'pgtrack_history'::regnamespace
    UNION ALL
    SELECT 2, format('the rule %I', r.rulename), c.relowner, ARRAY[pg_get_ruledef(r.oid)], NULL FROM pg_rewrite r WHERE r.ev_class = p_table
    UNION ALL
    SELECT 3, format('the foreign key %I of %s', k.conname, pgtrack._name(k.conrelid)), o.relowner,
           ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s%s', pgtrack._name(k.conrelid), k.conname, pg_get_constraintdef(k.oid),
                        CASE WHEN k.convalidated AND o.relowner <> c.relowner THEN ' NOT VALID' ELSE '' END)],
           k.conrelid
    FROM pgtrack._foreign_keys_to(p_table) k JOIN pg_class o ON o.oid = k.conrelid
    WHERE pgtrack._table_with(k.conrelid, ARRAY[p_table]) IS NULL) x
  WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._attached_to(regclass) IS 'The triggers and rules of a table, and the foreign keys of others that refer to it.';

-- Constants are written so that any session reads them as what they are.
CREATE OR REPLACE FUNCTION pgtrack._definition(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex'
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'name', pgtrack._name(p_table),
    'columns', pgtrack._columns_of(p_table),
    'constraints', (
      SELECT coalesce(jsonb_agg(format('ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid))
                                ORDER BY k.contype DESC, k.conname), '[]')
      FROM pg_constraint k WHERE k.conrelid = p_table AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conislocal),
    'indexes', (
      -- Of a partitioned table it is of its partitions, too.
      SELECT coalesce(jsonb_agg(replace(pg_get_indexdef(x.oid), format(' INDEX %I ON ONLY ', x.relname), format(' INDEX %I ON ', x.relname))
                                ORDER BY x.relname), '[]')
      FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = p_table AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)),
    'owner', pg_get_userbyid(c.relowner),
    'options', c.reloptions,
    'key', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
    'partitions', pgtrack._partitions_of(p_table),
    'rights', pgtrack._rights_of(p_table),
    'code', pgtrack._code_state(p_table),
    'attached', pgtrack._attached_to(p_table),
    'comments', (
      SELECT coalesce(jsonb_agg(format('COMMENT ON %s IS %L', CASE d.objsubid WHEN 0 THEN 'TABLE ' || p_table
                                       ELSE format('COLUMN %s.%I', p_table, a.attname) END, d.description)), '[]')
      FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = d.objsubid
      WHERE d.classoid = 'pg_class'::regclass AND d.objoid = p_table))
  FROM pg_class c WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._definition(regclass) IS
  'What it takes to create a table again: columns, constraints, indexes, partitions, owner, rights, comments, and what is attached to it.';

CREATE OR REPLACE FUNCTION pgtrack._not_kept(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(x.what, ', ')
  FROM (
    SELECT format('the view %s', pgtrack._name(v.oid)) AS what
    FROM pg_class v
    WHERE v.relkind IN ('v', 'm') AND v.oid <> p_table AND EXISTS (
      SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      WHERE r.ev_class = v.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)
    UNION ALL SELECT format('the statistics %I', s.stxname) FROM pg_statistic_ext s WHERE s.stxrelid = p_table
    UNION ALL SELECT format('the publication %I', b.pubname) FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid
              WHERE r.prrelid = p_table
    UNION ALL SELECT format('inheritance from %s', pgtrack._name(i.inhparent)) FROM pg_inherits i WHERE i.inhrelid = p_table
    UNION ALL SELECT format('the child %s', pgtrack._name(i.inhrelid)) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
              WHERE i.inhparent = p_table AND c.relkind = 'r'
    UNION ALL SELECT format('being a table of type %s', c.reloftype::regtype) FROM pg_class c WHERE c.oid = p_table AND c.reloftype <> 0
    UNION ALL SELECT 'UNLOGGED' FROM pg_class c WHERE c.oid = p_table AND c.relpersistence = 'u'
    UNION ALL SELECT 'the replica identity' FROM pg_class c WHERE c.oid = p_table AND c.relreplident <> 'd'
    UNION ALL SELECT 'the tablespace' FROM pg_class c WHERE c.oid = p_table AND c.reltablespace <> 0
    UNION ALL SELECT format('the %s of the partition %s alone', l.what, pgtrack._name(t.relid))
              FROM pg_partition_tree(p_table) t
              CROSS JOIN LATERAL (
                SELECT 'index ' || i.indexrelid::regclass AS what FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = t.relid AND NOT x.relispartition
                UNION ALL SELECT format('trigger %I', g.tgname) FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid
                WHERE g.tgrelid = t.relid AND NOT g.tgisinternal AND g.tgparentid = 0 AND p.pronamespace <> 'pgtrack_history'::regnamespace
                UNION ALL SELECT format('constraint %I', k.conname) FROM pg_constraint k
                WHERE k.conrelid = t.relid AND k.conislocal AND k.contype IN ('c', 'f') AND k.conparentid = 0) l
              WHERE t.relid <> p_table) x;
END;
COMMENT ON FUNCTION pgtrack._not_kept(regclass) IS 'What of a table pgtrack.recover() will not bring back; null for nothing.';

-- A role that is dropped leaves its name to whoever comes.
CREATE OR REPLACE FUNCTION pgtrack._with_roles(p_definition jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_definition || jsonb_build_object('roles', coalesce(jsonb_object_agg(r.rolname, pgtrack._identity(r.oid)), '{}'))
  FROM pg_roles r
  WHERE r.rolname IN (
    SELECT x #>> '{}' FROM unnest('{$.**.owner,$.**.role,$.**.roles[*]}'::jsonpath[]) p CROSS JOIN LATERAL jsonb_path_query(p_definition, p) x);
END;
COMMENT ON FUNCTION pgtrack._with_roles(jsonb) IS 'The definition of a table, with what tells the roles that it names from later ones of the same names.';

-- ==== keeping/keep.sql ====

-- The newest values of a row are in its table alone: DROP TABLE takes them along. A copy, made before, does not follow
-- later changes.
CREATE OR REPLACE FUNCTION pgtrack._kept_values(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(string_agg(CASE WHEN t.typtype = 'd' AND pgtrack._foreign_kind(t.oid) IS NULL
                                  THEN format(CASE WHEN b.type < 16384 THEN 't.%1$I::%2$s AS %1$I' ELSE 'coalesce(t.%1$I, NULL) AS %1$I' END,
                                              a.attname, pgtrack._stored_type(a.atttypid, a.atttypmod))
                                  ELSE format('%s AS %I', pgtrack._output_sql(format('t.%I', a.attname), a.atttypid), a.attname) END,
                             ', ' ORDER BY a.attnum), '')
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid CROSS JOIN LATERAL pgtrack._base_type(t.oid, -1) b
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION pgtrack._kept_values(regclass) IS 'The columns of a copy: like history, it depends on no type of the application.';

CREATE OR REPLACE FUNCTION pgtrack._close_copy(p_kept name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_close_copy$
DECLARE
  v_copy  regclass := to_regclass(format('pgtrack_history.%I', p_kept));
BEGIN
  -- In a publication, rows can only be erased from a table that has an identity.
  EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY', v_copy);
  PERFORM pgtrack._set_policy(v_copy, 'readers', 'SELECT', format('(SELECT pgtrack._is_granted(%L, ''SELECT''))', v_copy::text));
END
$_close_copy$;
COMMENT ON FUNCTION pgtrack._close_copy(name) IS 'Shows a copy to those alone who were granted it.';

CREATE OR REPLACE FUNCTION pgtrack._keep(p_table regclass) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET default_tablespace = '' SET row_security = off AS $_keep$
DECLARE
  v_shape  record;
  v_name   name;
  v_rows   bigint;
  v_lost   text := pgtrack._not_kept(p_table);
  v_call   text;
  v_events text;
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  PERFORM pgtrack._prepare_to_read(p_table);
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_name := pgtrack._free_name(
    left((SELECT c.relname::text FROM pg_class c WHERE c.oid = p_table), 40) || to_char(clock_timestamp(), '"_kept_"YYYYMMDD_HH24MISS'),
    (SELECT array_agg(c.relname) FROM pg_class c WHERE c.relnamespace = 'pgtrack_history'::regnamespace));
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_shape.name));
  v_events := pgtrack._silence_event_triggers();
  EXECUTE format('CREATE TABLE pgtrack_history.%I USING heap AS SELECT %s FROM %s t', v_name, pgtrack._kept_values(p_table), v_shape.live_table);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  EXECUTE format('COMMENT ON TABLE pgtrack_history.%I IS %L', v_name, format('The rows of %s at %s.', v_shape.name, clock_timestamp()));
  PERFORM pgtrack._close_copy(v_name);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  INSERT INTO pgtrack.kept (relation_id, kept_table, definition, row_count, at, who, statement_id)
  VALUES (v_shape.relation_id, v_name, pgtrack._with_roles(pgtrack._definition(p_table)), v_rows, clock_timestamp(), session_user,
          nextval('pgtrack.statement_id_seq'));
  RETURN format('%s: %s rows kept in pgtrack_history.%I%s', v_shape.name, v_rows, v_name,
                '; pgtrack.recover() does not bring back ' || v_lost);
END
$_keep$;
COMMENT ON FUNCTION pgtrack._keep(regclass) IS
  'Does the work of pgtrack.keep(). SECURITY DEFINER: whoever was granted it may add copies to the protected schema. '
  'A copy is of all rows, or of none.';

CREATE OR REPLACE FUNCTION pgtrack.keep("table" text, schema text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE AS $keep$
  SELECT pgtrack._require_select(pgtrack._table($1, $2));
  SELECT pgtrack._keep(pgtrack._table($1, $2))
$keep$;
COMMENT ON FUNCTION pgtrack.keep(text, text) IS
  'Copies all present rows of a table, so that it, or one of its columns, can be dropped and brought back with pgtrack.recover(). '
  'Says what else of the table would not come back.';

-- ==== keeping/recover_roles.sql ====

-- The roles of a definition, as they are now: a role that was renamed has its new name, and one that is gone none. Whoever made
-- a role of the same name since gets nothing. A database that was restored from a dump has other OIDs: there names have to do,
-- as in a copy that an older version made.

CREATE OR REPLACE FUNCTION pgtrack._renamed_roles(p_roles jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(x.name, r.rolname)
  FROM (SELECT k.key AS name, split_part(k.value, '/', 1) AS cluster, split_part(k.value, '/', 2)::oid AS role
        FROM jsonb_each_text(p_roles) k) x
  LEFT JOIN pg_roles r ON r.oid = x.role
  WHERE r.rolname IS DISTINCT FROM x.name AND x.cluster = split_part(pgtrack._identity('pgtrack.kept'::regclass), '/', 1);
END;
COMMENT ON FUNCTION pgtrack._renamed_roles(jsonb) IS
  'Of the roles of a definition, those that have another name now, with that, or null if they are gone; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._rename_roles(p_value jsonb, p_names jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_rename_roles$
BEGIN
  RETURN CASE jsonb_typeof(p_value)
    WHEN 'object' THEN (
      SELECT coalesce(jsonb_object_agg(e.key, CASE
               WHEN e.key IN ('owner', 'role') THEN coalesce(p_names -> (e.value #>> '{}'), e.value)
               WHEN e.key = 'roles' AND jsonb_typeof(e.value) = 'array' THEN (
                 SELECT jsonb_agg(coalesce(p_names -> r.name, to_jsonb(r.name))) FROM jsonb_array_elements_text(e.value) AS r (name))
               ELSE pgtrack._rename_roles(e.value, p_names) END), '{}')
      FROM jsonb_each(p_value) e)
    WHEN 'array' THEN (
      SELECT coalesce(jsonb_agg(pgtrack._rename_roles(e.value, p_names) ORDER BY e.n), '[]')
      FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, n))
    ELSE p_value END;
END
$_rename_roles$;
COMMENT ON FUNCTION pgtrack._rename_roles(jsonb, jsonb) IS 'A definition with other names of roles.';

CREATE OR REPLACE FUNCTION pgtrack._with_present_roles(p_definition jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_with_present_roles$
DECLARE
  v_names  jsonb := pgtrack._renamed_roles(p_definition -> 'roles');
BEGIN
  RETURN CASE WHEN v_names IS NULL THEN p_definition ELSE pgtrack._rename_roles(p_definition, v_names) END;
END
$_with_present_roles$;
COMMENT ON FUNCTION pgtrack._with_present_roles(jsonb) IS 'The definition of a table, with its roles as they are now.';

CREATE OR REPLACE FUNCTION pgtrack._require_roles(p_definition jsonb, p_owner text, p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_require_roles$
DECLARE
  v_gone  text := (SELECT string_agg(n.key, ', ') FROM jsonb_each_text(pgtrack._renamed_roles(p_definition -> 'roles')) n
                   WHERE n.value IS NULL);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_owner) THEN
    RAISE EXCEPTION '% belonged to %, and that role is gone', p_name, p_definition ->> 'owner' USING
      ERRCODE = 'undefined_object',
      DETAIL = 'A table comes back as its owner''s. A role that has the name now is another one.',
      HINT = 'The copy stays in schema pgtrack_history; pgtrack.kept names it.';
  ELSIF v_gone IS NOT NULL THEN
    RAISE WARNING 'what % had of % is not recovered: there are no such roles', v_gone, p_name USING
      DETAIL = 'Roles that have these names now are other ones.';
  END IF;
END
$_require_roles$;
COMMENT ON FUNCTION pgtrack._require_roles(jsonb, text, text) IS
  'Refuses to bring back a table whose owner is gone; warns of other roles of its definition that are.';

-- ==== keeping/last_rights.sql ====

-- Who owned a table, and who might read it, when it was dropped: they may read its history, which goes on from the copy to the
-- drop. A copy knows who it was before.

-- A row of the catalogs that the command has deleted, and nobody changed before it had its lock, is deleted by this transaction.
CREATE OR REPLACE FUNCTION pgtrack._is_own_deletion(p_xmax xid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.transactionid = p_xmax
                                          AND l.pid = pg_backend_pid() AND l.mode = 'ExclusiveLock' AND l.granted);
END;
COMMENT ON FUNCTION pgtrack._is_own_deletion(xid) IS 'Whether a number is this transaction''s, or that of a part of it.';

-- At REPEATABLE READ, policies and code of others may have come unseen; not so what stands in the deleted row itself.
CREATE OR REPLACE FUNCTION pgtrack._rights_at_drop(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT (r.rights - 'policies')
         || CASE WHEN pgtrack._snapshot_lasts() AND (r.rights ->> 'row_security')::boolean THEN '{"state": "not sure"}' ELSE '{}' END::jsonb
  FROM (SELECT pgtrack._rights_of(p_table)) AS r (rights);
END;
COMMENT ON FUNCTION pgtrack._rights_at_drop(regclass) IS 'In an event trigger: row security and grants of a table that is dropped.';

-- STABLE: in the event trigger it sees what the command saw, so the tables are still there (_on_drop).
CREATE OR REPLACE FUNCTION pgtrack._last_rights(p_dropped oid[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_last_rights$
BEGIN
  RETURN (
    SELECT jsonb_object_agg(r.relation_id, pgtrack._with_roles(jsonb_build_object(
             'owner', pg_get_userbyid(c.relowner), 'rights', pgtrack._rights_at_drop(c.oid),
             'code', CASE WHEN pgtrack._snapshot_lasts() THEN 'not sure' ELSE pgtrack._code_state(c.oid) END,
             'partitions', (
               SELECT jsonb_object_agg(format('%I.%I', n.nspname, p.relname), jsonb_build_object(
                        'owner', pg_get_userbyid(p.relowner), 'rights', pgtrack._rights_at_drop(p.oid)))
               FROM pg_class p JOIN pg_namespace n ON n.oid = p.relnamespace
               WHERE c.relkind = 'p' AND p.relispartition AND p.relkind IN ('r', 'p') AND p.oid = ANY (p_dropped)
                 AND pgtrack._is_own_deletion(p.xmax)))))
    FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.relid = ANY (p_dropped) AND pgtrack._is_own_deletion(c.xmax)
      AND EXISTS (SELECT FROM pgtrack.kept k WHERE k.relation_id = r.relation_id));
END
$_last_rights$;
COMMENT ON FUNCTION pgtrack._last_rights(oid[]) IS
  'In an event trigger: who owned dropped tables of which there are copies, and had rights on them; without those where it is not sure.';

CREATE OR REPLACE FUNCTION pgtrack._lesser_rights(p_copy jsonb, p_last jsonb, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_last IS NULL THEN p_copy - 'grants' ELSE p_copy || jsonb_build_object(
    'row_security', (p_copy ->> 'row_security')::boolean OR (p_last ->> 'row_security')::boolean,
    'forced', (p_copy ->> 'forced')::boolean OR (p_last ->> 'forced')::boolean,
    'policies', CASE WHEN p_copy ->> 'state' IS NOT DISTINCT FROM p_last ->> 'state' THEN p_copy -> 'policies' ELSE '[]' END,
    'grants', (
      SELECT coalesce(jsonb_agg(g), '[]') FROM jsonb_array_elements(p_last -> 'grants') g
      WHERE g ->> 'role' = p_owner
         OR EXISTS (SELECT FROM jsonb_array_elements(p_copy -> 'grants') c WHERE g IN (c, c || '{"grantable": false}')))) END;
END;
COMMENT ON FUNCTION pgtrack._lesser_rights(jsonb, jsonb, text) IS
  'What others than the owner might do with a table both when it was copied and when it was dropped, and the owner at last.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_other_code(p_name text, p_former text, p_owner text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other_code$
BEGIN
  RAISE EXCEPTION '% belonged to % when its rows were kept, and to % when it was dropped', p_name, p_former, p_owner USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = format('It would come back as %s''s, and its defaults, checks, indexes or triggers were changed since, or may '
                    'have been: %1$s would run code of %s that was gone.', p_owner, p_former),
    HINT = 'The copy stays in schema pgtrack_history; pgtrack.kept names it. Keep a table again when its owner has changed.';
END
$_refuse_other_code$;
COMMENT ON FUNCTION pgtrack._refuse_other_code(text, text, text) IS
  'Refuses to make a table for another owner than it had when it was copied, with code that it did not have any more.';

-- A partition that has changed hands is the table's owner's.
CREATE OR REPLACE FUNCTION pgtrack._partition_at_last(p_part jsonb, p_last jsonb, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_part || jsonb_build_object('owner', o.owner, 'rights', pgtrack._lesser_rights(
    p_part -> 'rights', CASE WHEN p_last ->> 'owner' = o.owner THEN p_last -> 'rights' END, o.owner))
  FROM (SELECT CASE WHEN p_last ->> 'owner' = p_part ->> 'owner' THEN p_part ->> 'owner' ELSE p_owner END) AS o (owner);
END;
COMMENT ON FUNCTION pgtrack._partition_at_last(jsonb, jsonb, text) IS 'The definition of a partition in a copy, for who had it last.';

-- A trigger or rule is made by whoever has the table; the foreign key of another owner's table is not checked (_attached_to).
CREATE OR REPLACE FUNCTION pgtrack._attached_at_last(p_part jsonb, p_former text, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_former = p_owner OR p_part ->> 'owner' IS DISTINCT FROM p_former THEN p_part
              WHEN p_part ->> 'table' IS NULL THEN p_part || jsonb_build_object('owner', p_owner)
              ELSE p_part || jsonb_build_object('statements', (
                SELECT jsonb_agg(regexp_replace(s, '( NOT VALID)?$', ' NOT VALID'))
                FROM jsonb_array_elements_text(p_part -> 'statements') s)) END;
END;
COMMENT ON FUNCTION pgtrack._attached_at_last(jsonb, text, text) IS 'What was attached to a table, for who had it last.';

-- Where nobody noted who had the table last, the definition is for who had it when it was copied.
CREATE OR REPLACE FUNCTION pgtrack._definition_at_last(p_definition jsonb, p_name text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_definition_at_last$
DECLARE
  v_copy    jsonb := pgtrack._with_present_roles(p_definition - 'last');
  v_last    jsonb := pgtrack._with_present_roles(p_definition -> 'last');
  v_former  text := v_copy ->> 'owner';
  v_owner   text := coalesce(v_last, v_copy) ->> 'owner';
BEGIN
  PERFORM pgtrack._require_roles(coalesce(p_definition -> 'last', p_definition), v_owner, p_name);
  IF v_last IS NULL THEN
    RETURN v_copy;
  ELSIF v_owner IS DISTINCT FROM v_former AND (NOT v_copy ? 'code' OR v_copy ->> 'code' IS DISTINCT FROM v_last ->> 'code') THEN
    PERFORM pgtrack._refuse_other_code(p_name, p_definition ->> 'owner', v_owner);
  END IF;
  IF v_copy -> 'rights' ->> 'state' IS DISTINCT FROM v_last -> 'rights' ->> 'state' THEN
    RAISE WARNING 'the policies of % are not recovered', p_name USING
      DETAIL = 'They were changed after the copy, or may have been. Where row security is on, nobody whom it holds for sees a row.';
  END IF;
  RETURN v_copy || CASE WHEN v_copy ? 'rights'
                        THEN jsonb_build_object('rights', pgtrack._lesser_rights(v_copy -> 'rights', v_last -> 'rights', v_owner))
                        ELSE '{}' END || jsonb_build_object(
    'owner', v_owner,
    'partitions', (
      SELECT coalesce(jsonb_agg(pgtrack._partition_at_last(t.part, v_last -> 'partitions' -> (t.part ->> 'name'), v_owner)
                                ORDER BY t.n), '[]')
      FROM jsonb_array_elements(v_copy -> 'partitions') WITH ORDINALITY AS t (part, n)),
    'attached', (
      SELECT coalesce(jsonb_agg(pgtrack._attached_at_last(t.part, v_former, v_owner) ORDER BY t.n), '[]')
      FROM jsonb_array_elements(v_copy -> 'attached') WITH ORDINALITY AS t (part, n)));
END
$_definition_at_last$;
COMMENT ON FUNCTION pgtrack._definition_at_last(jsonb, text) IS
  'The definition of a copy, for the roles that had rights on the table last, whatever they are called now.';

-- What its roles have lost since the copy was made they do not get back by it another time. Whether all of its code came back is
-- not known, so that is not compared again.
CREATE OR REPLACE FUNCTION pgtrack._as_made(p_definition jsonb, p_made regclass[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._with_roles((p_definition - 'code')
    || CASE WHEN p_definition ? 'rights'
            THEN jsonb_build_object('rights', (p_definition -> 'rights') || jsonb_build_object('state', pgtrack._policies_state(p_made[1])))
            ELSE '{}' END
    || jsonb_build_object('partitions', (
         SELECT coalesce(jsonb_agg(t.part || CASE WHEN jsonb_typeof(t.part -> 'rights') = 'object' THEN jsonb_build_object(
                           'rights', (t.part -> 'rights') || jsonb_build_object('state', pgtrack._policies_state(p_made[t.n + 1])))
                                                  ELSE '{}' END ORDER BY t.n), '[]')
         FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n))));
END;
COMMENT ON FUNCTION pgtrack._as_made(jsonb, regclass[]) IS 'The definition of a copy after a table was created again by it.';

CREATE OR REPLACE FUNCTION pgtrack._are_owners(p_definition jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(bool_and(coalesce(pg_has_role(r.oid, n.nspowner, 'USAGE'), false)), false)
  FROM (SELECT p_definition ->> 'owner'
        UNION ALL SELECT g ->> 'role' FROM jsonb_array_elements(p_definition -> 'rights' -> 'grants') g) AS x (role)
  JOIN pg_namespace n ON n.nspname = 'pgtrack'
  LEFT JOIN pg_roles r ON r.rolname = x.role;
END;
COMMENT ON FUNCTION pgtrack._are_owners(jsonb) IS 'Whether all who get rights by a definition may do what the owner of pg_track may.';

-- What came after the copy is not for everybody who had the table then.
CREATE OR REPLACE FUNCTION pgtrack._history_goes_on(p_kept pgtrack.kept, p_definition jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_history_goes_on$
BEGIN
  IF p_kept.definition ? 'last' OR pgtrack._are_owners(p_definition) OR NOT EXISTS (
       SELECT FROM pgtrack.statement s WHERE s.relation_id = p_kept.relation_id AND s.statement_id > p_kept.statement_id) THEN
    RETURN true;
  END IF;
  RAISE WARNING 'the history of % begins anew', p_kept.definition ->> 'name' USING
    DETAIL = 'It goes on after the copy, and it is not known who might read it when the table was dropped: that happened without '
             'event triggers, before an upgrade, or while somebody changed the rights on it.',
    HINT = 'The former history stays, under its number in pgtrack.relation, for the owner of pg_track.';
  RETURN false;
END
$_history_goes_on$;
COMMENT ON FUNCTION pgtrack._history_goes_on(pgtrack.kept, jsonb) IS
  'Whether a table that comes back from a copy, by a definition, may have the history that it had: whoever may read it then might before.';

-- ==== keeping/recover_rights.sql ====

-- Who may do what with a table that comes back. Default privileges may have given rights on it that it did not have before,
-- so what it has now is taken away first. A policy that cannot be made again is replaced by one that shows nothing.

-- What was made, and the name it was given, can come apart: code of the owner's runs when rows are written. So tables are known
-- by their OIDs, and looked at before anything is done to them with rights that their owner does not have.

CREATE OR REPLACE FUNCTION pgtrack._refuse_other(p_name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other$
BEGIN
  RAISE EXCEPTION '% is not what was created again', p_name USING
    ERRCODE = 'insufficient_privilege',
    DETAIL = 'Code that ran meanwhile, such as a check, a default or the function of an index, has altered it or put something else in its place. '
             'Nothing has been changed.',
    HINT = 'Look at the functions in the definition of the table; the copy of its rows stays.';
END
$_refuse_other$;
COMMENT ON FUNCTION pgtrack._refuse_other(text) IS 'Reports that a table is not the one that was created again under its name.';

CREATE OR REPLACE FUNCTION pgtrack._require_made(p_table regclass, p_name text, p_parent regclass, p_owner name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_require_made$
BEGIN
  IF NOT EXISTS (
       SELECT FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
       WHERE c.oid = p_table AND c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) = p_owner
         AND i.inhparent IS NOT DISTINCT FROM p_parent)
     OR pgtrack._name(p_table) IS DISTINCT FROM p_name THEN
    PERFORM pgtrack._refuse_other(p_name);
  END IF;
END
$_require_made$;
COMMENT ON FUNCTION pgtrack._require_made(regclass, text, regclass, name) IS
  'Refuses what is not a table of that name, parent and owner.';

-- With rules, triggers or indexes of its own, a table would lend its new owner's rights to whoever made them.
CREATE OR REPLACE FUNCTION pgtrack._give_to(p_table regclass, p_owner name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_give_to$
DECLARE
  v_name    text := pgtrack._name(p_table);
  v_events  text;
BEGIN
  IF EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = p_table)
     OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = p_table)
     OR EXISTS (SELECT FROM pg_statistic_ext s WHERE s.stxrelid = p_table)
     OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_table AND NOT t.tgisinternal AND t.tgparentid = 0)
     OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = p_table AND k.contype <> 'n' AND k.conislocal)
     OR EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = p_table AND NOT x.relispartition) THEN
    PERFORM pgtrack._refuse_other(v_name);
  END IF;
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('ALTER TABLE %s OWNER TO %I', v_name, p_owner));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  IF pgtrack._owner_of(p_table) IS DISTINCT FROM p_owner THEN
    PERFORM pgtrack._refuse_other(v_name);
  END IF;
END
$_give_to$;
COMMENT ON FUNCTION pgtrack._give_to(regclass, name) IS 'Gives a partition that was created again to its owner, if it has nothing but what its parent gave it.';

CREATE OR REPLACE FUNCTION pgtrack._try_as_role(p_role name, p_what text, p_statements text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_try_as_role$
BEGIN
  PERFORM pgtrack._as_role(p_role, p_statements, NULL, pgtrack._noted_path());
  RETURN true;
EXCEPTION
  -- All of these classes: what is missing or not allowed, rows that do not meet a constraint, what cannot be done with the table.
  WHEN syntax_error_or_access_rule_violation OR integrity_constraint_violation OR object_not_in_prerequisite_state
    OR feature_not_supported THEN
    RAISE WARNING '% is not recovered: %', p_what, SQLERRM USING DETAIL = format('It was: %s', array_to_string(p_statements, '; '));
    RETURN false;
END
$_try_as_role$;
COMMENT ON FUNCTION pgtrack._try_as_role(name, text, text[]) IS
  'Executes statements with the rights of a role, or says in a warning why that cannot be done.';

CREATE OR REPLACE FUNCTION pgtrack._role_sql(p_role text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- No role can have this name.
  SELECT CASE p_role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p_role) END;
END;
COMMENT ON FUNCTION pgtrack._role_sql(text) IS 'A role as it stands in GRANT and CREATE POLICY.';

CREATE OR REPLACE FUNCTION pgtrack._is_role(p_role text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_role = 'public' OR to_regrole(quote_ident(p_role)) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._is_role(text) IS 'Whether there is such a role, or it is everybody.';

CREATE OR REPLACE FUNCTION pgtrack._grants_sql(p_table regclass, p_grants jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ARRAY(
    SELECT DISTINCT format('REVOKE ALL ON TABLE %s FROM %s', p_table,
                           CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
    FROM pg_class c
    CROSS JOIN LATERAL (SELECT coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
                        UNION ALL SELECT a.attacl FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) g
    CROSS JOIN LATERAL aclexplode(g.acl) x
    WHERE c.oid = p_table AND (p_grants IS NOT NULL OR x.grantee <> c.relowner))
  || ARRAY(
    SELECT format('GRANT %s%s ON TABLE %s TO %s%s', g."right", ' (' || quote_ident(g."column") || ')', p_table, pgtrack._role_sql(g.role),
                  CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM jsonb_to_recordset(p_grants) AS g (role text, "right" text, "column" text, grantable boolean)
    WHERE pgtrack._is_role(g.role));
END;
COMMENT ON FUNCTION pgtrack._grants_sql(regclass, jsonb) IS
  'The statements that give a table these grants and no others; where they are not known, to nobody but the owner.';

CREATE OR REPLACE FUNCTION pgtrack._policy_sql(p_table regclass, p_policy jsonb, p_is_closed boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat(format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p_policy ->> 'name', p_table, p_policy ->> 'kind', p_policy ->> 'command',
                       string_agg(pgtrack._role_sql(r.role), ', ')),
                ' USING (' || CASE WHEN p_is_closed AND p_policy ->> 'using' IS NOT NULL THEN 'false' ELSE p_policy ->> 'using' END || ')',
                ' WITH CHECK (' || CASE WHEN p_is_closed AND p_policy ->> 'check' IS NOT NULL THEN 'false' ELSE p_policy ->> 'check' END || ')')
  FROM jsonb_array_elements_text(p_policy -> 'roles') AS r (role)
  WHERE pgtrack._is_role(r.role)
  HAVING count(*) > 0;
END;
COMMENT ON FUNCTION pgtrack._policy_sql(regclass, jsonb, boolean) IS
  'The statement that makes a policy again, or one in its place that shows and admits nothing; null if its roles are gone.';

CREATE OR REPLACE FUNCTION pgtrack._recover_rights(p_table regclass, p_owner name, p_rights jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_rights$
DECLARE
  v_policy  jsonb;
  v_made    text;
  v_gone    text;
BEGIN
  SELECT string_agg(DISTINCT x.role, ', ') INTO v_gone
  FROM (SELECT g ->> 'role' AS role FROM jsonb_array_elements(p_rights -> 'grants') g
        UNION SELECT jsonb_array_elements_text(p -> 'roles') FROM jsonb_array_elements(p_rights -> 'policies') p) x
  WHERE NOT pgtrack._is_role(x.role);
  IF v_gone IS NOT NULL THEN
    RAISE WARNING 'grants and policies of % for % are not recovered: there are no such roles', pgtrack._name(p_table), v_gone;
  ELSIF p_rights IS NULL THEN
    RAISE WARNING 'nobody but % has rights on %', p_owner, pgtrack._name(p_table) USING
      DETAIL = 'An older version made the copy, without grants, policies, triggers and comments.';
  END IF;
  FOREACH v_policy IN ARRAY ARRAY(SELECT p FROM jsonb_array_elements(p_rights -> 'policies') p) LOOP
    v_made := pgtrack._policy_sql(p_table, v_policy, false);
    CONTINUE WHEN v_made IS NULL OR pgtrack._try_as_role(p_owner, format('the policy %I', v_policy ->> 'name'), ARRAY[v_made]);
    PERFORM pgtrack._as_role(p_owner, ARRAY[pgtrack._policy_sql(p_table, v_policy, true)], NULL, pgtrack._noted_path());
  END LOOP;
  PERFORM pgtrack._as_role(p_owner, pgtrack._grants_sql(p_table, p_rights -> 'grants')
    || ARRAY(SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY', p_table, x.clause)
             FROM (VALUES ('ENABLE', 'row_security'), ('FORCE', 'forced')) AS x (clause, name) WHERE (p_rights ->> x.name)::boolean),
    NULL, pgtrack._noted_path());
  -- Names can change their meaning at any moment: what was done to another table is not done.
  IF NOT pgtrack._rights_of(p_table) -> 'grants' @> (
       SELECT coalesce(jsonb_agg(g - 'grantable'), '[]') FROM jsonb_array_elements(p_rights -> 'grants') g
       WHERE pgtrack._is_role(g ->> 'role')) THEN
    PERFORM pgtrack._refuse_other(pgtrack._name(p_table));
  END IF;
END
$_recover_rights$;
COMMENT ON FUNCTION pgtrack._recover_rights(regclass, name, jsonb) IS
  'Gives a table that was created again its policies and grants, and no others.';

CREATE OR REPLACE FUNCTION pgtrack._recover_owners(p_made regclass[], p_name text, p_definition jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_owners$
DECLARE
  v_owner  name := p_definition ->> 'owner';
  v_parts  jsonb[] := p_definition || ARRAY(SELECT t.part FROM jsonb_array_elements(p_definition -> 'partitions')
                                            WITH ORDINALITY AS t (part, n) ORDER BY t.n);
  v_names  text[] := p_name || ARRAY(SELECT p ->> 'name' FROM unnest(v_parts[2:]) p);
  -- What belonged to a role that is gone stays with the table's owner.
  v_owners name[] := ARRAY(SELECT CASE WHEN r.rolname IS NULL THEN v_owner ELSE r.rolname END
                           FROM unnest(v_parts) WITH ORDINALITY AS p (part, n) LEFT JOIN pg_roles r ON r.rolname = p.part ->> 'owner'
                           ORDER BY p.n);
BEGIN
  -- Each is looked at, and given away, before anything else is done.
  FOR n IN 2 .. cardinality(p_made) LOOP
    PERFORM pgtrack._require_made(p_made[n], v_names[n], p_made[array_position(v_names, v_parts[n] ->> 'parent')], v_owner);
    PERFORM pgtrack._give_to(p_made[n], v_owners[n]) WHERE v_owners[n] <> v_owner;
  END LOOP;
  FOR n IN 1 .. cardinality(p_made) LOOP
    PERFORM pgtrack._recover_rights(p_made[n], v_owners[n], CASE WHEN v_owners[n] = v_parts[n] ->> 'owner' THEN v_parts[n] -> 'rights'
                                                                 ELSE (v_parts[n] -> 'rights') - 'grants' END);
  END LOOP;
END
$_recover_owners$;
COMMENT ON FUNCTION pgtrack._recover_owners(regclass[], text, jsonb) IS
  'Gives a table that was created again, and its partitions, the owners, grants and policies that they had.';

-- A database that was restored from a dump has other OIDs: there the name has to do.
CREATE OR REPLACE FUNCTION pgtrack._same_table(p_name text, p_identity text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.relid FROM (SELECT to_regclass(p_name) AS relid) t CROSS JOIN LATERAL (SELECT pgtrack._identity(t.relid) AS identity) i
  WHERE t.relid IS NOT NULL AND (i.identity = p_identity OR split_part(i.identity, '/', 1) <> split_part(p_identity, '/', 1));
END;
COMMENT ON FUNCTION pgtrack._same_table(text, text) IS 'The table of a name, if it is the one that had it.';

-- A foreign key is made as the owner of the other table, who may have more rights: it is added to that very table, or not at all.
CREATE OR REPLACE FUNCTION pgtrack._recover_attached(p_table regclass, p_owner name, p_part jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_attached$
DECLARE
  v_is_others CONSTANT  boolean := p_part ->> 'owner' IS DISTINCT FROM p_owner;
  v_is_made             boolean;
  v_other               regclass;
BEGIN
  IF v_is_others THEN
    v_other := pgtrack._same_table(p_part ->> 'table', p_part ->> 'identity');
    IF v_other IS NULL OR pgtrack._owner_of(v_other) IS DISTINCT FROM p_part ->> 'owner' THEN
      RAISE WARNING '% is not recovered: that table is gone, or another''s', p_part ->> 'what' USING
        DETAIL = format('It was: %s', array_to_string(ARRAY(SELECT jsonb_array_elements_text(p_part -> 'statements')), '; '));
      RETURN;
    END IF;
  END IF;
  v_is_made := pgtrack._try_as_role((p_part ->> 'owner')::name, p_part ->> 'what',
                                    ARRAY(SELECT jsonb_array_elements_text(p_part -> 'statements')));
  IF v_is_made AND v_is_others AND NOT EXISTS (
       SELECT FROM pgtrack._foreign_keys_to(p_table) k WHERE k.conrelid = v_other) THEN
    PERFORM pgtrack._refuse_other(pgtrack._name(p_table));
  END IF;
END
$_recover_attached$;
COMMENT ON FUNCTION pgtrack._recover_attached(regclass, name, jsonb) IS
  'Makes again what was attached to a table: a trigger, a rule, a foreign key of another table.';

-- ==== keeping/recover.sql ====

CREATE OR REPLACE FUNCTION pgtrack._latest_kept(p_table text, p_schema text) RETURNS pgtrack.kept
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_latest_kept$
DECLARE
  v_name    text[] := parse_ident(p_table);
  v_schema  text := CASE cardinality(v_name) WHEN 2 THEN v_name[1] ELSE p_schema END;
  v_kept    pgtrack.kept;
BEGIN
  SELECT k.* INTO v_kept FROM pgtrack.kept k JOIN pgtrack.relation r USING (relation_id)
  WHERE r.schema_name = v_schema AND r.table_name = v_name[cardinality(v_name)]
  ORDER BY k.at DESC LIMIT 1;
  IF v_kept.kept_id IS NULL THEN
    RAISE EXCEPTION 'no rows of table "%" were kept', p_table USING
      ERRCODE = 'no_data_found',
      DETAIL = 'A dropped table can be brought back if pgtrack.keep() copied it before.',
      HINT = 'What was changed or deleted before the drop is still in its table in schema pgtrack_history.';
  END IF;
  RETURN v_kept;
END
$_latest_kept$;
COMMENT ON FUNCTION pgtrack._latest_kept(text, text) IS 'The latest copy of a table that may no longer exist.';

-- Another table may have had the name before, with values that are not for the owner of this one.
CREATE OR REPLACE FUNCTION pgtrack._latest_kept_of(p_table regclass) RETURNS pgtrack.kept
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_latest_kept_of$
DECLARE
  v_kept  pgtrack.kept;
BEGIN
  SELECT k.* INTO v_kept FROM pgtrack.kept k JOIN pgtrack.relation r USING (relation_id)
  WHERE r.relid = p_table ORDER BY k.at DESC LIMIT 1;
  IF v_kept.kept_id IS NULL THEN
    RAISE EXCEPTION 'no rows of table "%" were kept', pgtrack._name(p_table) USING
      ERRCODE = 'no_data_found',
      DETAIL = 'A dropped column can be brought back if pgtrack.keep() copied this table before. '
               'Copies of another one that had the name are not taken.',
      HINT = 'What was changed or deleted before the drop is still in its table in schema pgtrack_history.';
  END IF;
  RETURN v_kept;
END
$_latest_kept_of$;
COMMENT ON FUNCTION pgtrack._latest_kept_of(regclass) IS 'The latest copy of a table that is there.';

-- Values of foreign types are kept as text, and domains as what they are based on.
CREATE OR REPLACE FUNCTION pgtrack._kept_value_sql(p_kept name, p_table regclass, p_column name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._foreign_kind(a.atttypid) IS NOT NULL AND k.atttypid = 'text'::regtype
              THEN pgtrack._input_sql(format('k.%I', p_column), a.atttypid, format('%I of %s', p_column, pgtrack._name(p_table)))
              ELSE format('k.%I', p_column) END
  FROM pg_attribute a
  JOIN pg_attribute k ON k.attrelid = format('pgtrack_history.%I', p_kept)::regclass AND k.attname = a.attname
  WHERE a.attrelid = p_table AND a.attname = p_column;
END;
COMMENT ON FUNCTION pgtrack._kept_value_sql(name, regclass, name) IS
  'The expression for what the copy k has of a column, as a value that can be written.';

-- Triggers, defaults and checks of the owner's run meanwhile: they see what is brought back, and no more of the copy.
CREATE OR REPLACE FUNCTION pgtrack._show_copy(p_kept name, p_columns text[], p_owner name) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_show_copy$
DECLARE
  v_view    text := format('pgtrack_history.%I', 'shown_' || gen_random_uuid());
  v_events  text := pgtrack._silence_event_triggers();
BEGIN
  PERFORM pgtrack._execute(format('CREATE VIEW %s WITH (security_barrier = true) AS SELECT %s FROM pgtrack_history.%I', v_view,
                                  (SELECT string_agg(DISTINCT quote_ident(c), ', ') FROM unnest(p_columns) c), p_kept));
  PERFORM pgtrack._execute(format('GRANT SELECT ON %s TO %I', v_view, p_owner));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_view;
END
$_show_copy$;
COMMENT ON FUNCTION pgtrack._show_copy(name, text[], name) IS 'Makes a view of columns of a copy that a table''s owner may read, until _as_owner() has used it.';

CREATE OR REPLACE FUNCTION pgtrack._as_owner(p_owner name, p_view text, p_statements text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_as_owner$
DECLARE
  v_rows    bigint;
  v_events  text;
BEGIN
  v_rows := (SELECT (r ->> 'rows')::bigint FROM pgtrack._as_role(p_owner, p_statements, NULL, pgtrack._noted_path()) r);
  v_events := pgtrack._silence_event_triggers();
  PERFORM pgtrack._execute(format('DROP VIEW %s', p_view));
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN v_rows;
END
$_as_owner$;
COMMENT ON FUNCTION pgtrack._as_owner(name, text, text[]) IS 'Executes statements that read a view of a copy with the rights of a table''s owner, and drops the view.';

CREATE OR REPLACE FUNCTION pgtrack._recover_rows(p_kept pgtrack.kept, p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recover_rows$
DECLARE
  c_check CONSTANT      text := '^ADD CONSTRAINT ("([^"]|"")+"|[^ ]+) CHECK ';
  c_reference CONSTANT  text := '^ADD CONSTRAINT ("([^"]|"")+"|[^ ]+) FOREIGN KEY ';
  v_owner    name := p_kept.definition ->> 'owner';
  v_name     text := pgtrack._name(p_table);
  v_columns  text;
  v_values   text;
  v_part     text;
  v_view     text := pgtrack._show_copy(p_kept.kept_table, ARRAY(SELECT c ->> 'name' FROM jsonb_array_elements(p_kept.definition -> 'columns') c), v_owner);
BEGIN
  SELECT string_agg(quote_ident(c ->> 'name'), ', '),
         string_agg(pgtrack._kept_value_sql(p_kept.kept_table, p_table, (c ->> 'name')::name), ', ')
  INTO v_columns, v_values
  FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE (c ->> 'stored')::boolean;
  PERFORM pgtrack._as_owner(v_owner, v_view,
    format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s k', v_name, v_columns, v_values, v_view)
    || ARRAY(SELECT format('ALTER TABLE %s %s', v_name, c) FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c
             WHERE c ~ c_check)
    || ARRAY(SELECT format('ALTER TABLE %s %s', v_name, c) FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c
             WHERE c !~ c_check AND c !~ c_reference)
    || ARRAY(SELECT jsonb_array_elements_text(p_kept.definition -> 'indexes')));
  -- PostgreSQL looks for references by a query, and plans it with the other table's indexes.
  FOREACH v_part IN ARRAY ARRAY(SELECT c FROM jsonb_array_elements_text(p_kept.definition -> 'constraints') c WHERE c ~ c_reference) LOOP
    BEGIN
      PERFORM pgtrack._as_role(v_owner, ARRAY[format('ALTER TABLE %s %s', v_name, v_part)], NULL, pgtrack._noted_path());
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'a foreign key of % is not recovered: %', v_name, SQLERRM USING
        DETAIL = format('It was: %s.', v_part), HINT = 'Its owner may add it with REFERENCES on the other table.';
    END;
  END LOOP;
  PERFORM pgtrack._as_role(v_owner, ARRAY[
            format('SELECT pg_catalog.setval(%L, pg_catalog.max(%I)) FROM %s HAVING pg_catalog.max(%2$I) IS NOT NULL',
                   pg_get_serial_sequence(v_name, a.attname), a.attname, v_name)],
            NULL, pgtrack._noted_path())
  FROM pg_attribute a WHERE a.attrelid = p_table AND a.attidentity <> '';
END
$_recover_rows$;
COMMENT ON FUNCTION pgtrack._recover_rows(pgtrack.kept, regclass) IS
  'Fills a table that was created again from a copy, and gives it its constraints and indexes.';

CREATE OR REPLACE FUNCTION pgtrack._create_sql(p_name text, p_definition jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT array_agg(format('CREATE TABLE %s %s%s%s', x.name, x.body, ' PARTITION BY ' || (x.definition ->> 'key'), ' WITH (' || o.options || ')')
                   ORDER BY x.n)
  FROM (
    SELECT 0 AS n, p_name AS name, p_definition AS definition,
           format('(%s)', (SELECT string_agg(format('%I %s %s', c ->> 'name', c ->> 'type', c ->> 'clause'), ', ')
                           FROM jsonb_array_elements(p_definition -> 'columns') c)) AS body
    UNION ALL
    SELECT t.n, t.part ->> 'name', t.part, format('PARTITION OF %s %s', t.part ->> 'parent', t.part ->> 'bound')
    FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n)) x
  CROSS JOIN LATERAL (SELECT string_agg(v.value, ', ') AS options
                      FROM jsonb_array_elements_text(nullif(x.definition -> 'options', 'null')) v) o;
END;
COMMENT ON FUNCTION pgtrack._create_sql(text, jsonb) IS 'The statements that create a table and its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._rename_sql(p_name text, p_schema name, p_table name) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Neither the one nor the other name need be free in the schema of the other.
  SELECT ARRAY[format('ALTER TABLE %s RENAME TO %I', p_name, x.name), format('ALTER TABLE %I.%I SET SCHEMA %I', i.parts[1], x.name, p_schema),
               format('ALTER TABLE %I.%I RENAME TO %I', p_schema, x.name, p_table)]
  FROM (SELECT parse_ident(p_name) AS parts) i CROSS JOIN (SELECT 'pgtrack_' || gen_random_uuid() AS name) x;
END;
COMMENT ON FUNCTION pgtrack._rename_sql(text, name, name) IS 'The statements that give a table another name and schema.';

CREATE OR REPLACE FUNCTION pgtrack._create_again(p_name text, p_definition jsonb) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_create_again$
DECLARE
  v_owner   name := p_definition ->> 'owner';
  v_schema  name := (parse_ident(p_name))[1];
  v_names   text[] := p_name || ARRAY(SELECT t.part ->> 'name' FROM jsonb_array_elements(p_definition -> 'partitions')
                                      WITH ORDINALITY AS t (part, n) ORDER BY t.n);
  v_made    regclass[];
BEGIN
  -- All of it is made as the owner: it may call what is in defaults, checks and indexes.
  IF NOT has_schema_privilege(v_owner, v_schema, 'USAGE') OR NOT has_schema_privilege(v_owner, v_schema, 'CREATE') THEN
    RAISE EXCEPTION '% may not create tables in schema %', v_owner, v_schema USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = 'The table comes back as its owner makes it: defaults, checks and indexes of it must not run with your rights.',
      HINT = format('GRANT USAGE, CREATE ON SCHEMA %I TO %I, and take it back afterwards.', v_schema, v_owner);
  END IF;
  PERFORM pgtrack._as_role(v_owner, pgtrack._create_sql(p_name, p_definition), NULL, pgtrack._noted_path());
  v_made := ARRAY(SELECT to_regclass(u.name) FROM unnest(v_names) WITH ORDINALITY AS u (name, n) ORDER BY u.n);
  -- The bounds of partitions may have called something.
  PERFORM pgtrack._require_made(v_made[1], p_name, NULL, v_owner);
  PERFORM pgtrack._require_made(v_made[t.n + 1], t.part ->> 'name', v_made[array_position(v_names, t.part ->> 'parent')], v_owner)
  FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n);
  RETURN v_made;
END
$_create_again$;
COMMENT ON FUNCTION pgtrack._create_again(text, jsonb) IS
  'Creates a table and its partitions again, as its owner; returns them, the partitions in the order of the definition.';

CREATE OR REPLACE FUNCTION pgtrack._recover_table(p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_table$
DECLARE
  v_relation    pgtrack.relation;
  v_owner       name;
  v_name        text;
  -- What its definition calls it: it may have been renamed later.
  v_former      text;
  v_made        regclass[];
  v_definition  jsonb;
  -- If it has not begun anew already, as under another key.
  v_goes_on     boolean;
  v_call        text;
BEGIN
  PERFORM pgtrack._require_owner('recover');
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_kept.relation_id;
  v_name := format('%I.%I', v_relation.schema_name, v_relation.table_name);
  v_former := coalesce(p_kept.definition ->> 'name', v_name);
  IF to_regclass(v_name) IS NOT NULL OR to_regclass(v_former) IS NOT NULL THEN
    RAISE EXCEPTION 'table % exists', CASE WHEN to_regclass(v_name) IS NULL THEN v_former ELSE v_name END USING
      ERRCODE = 'duplicate_table',
      DETAIL = CASE WHEN v_name <> v_former THEN format('%s was called %s when its rows were kept, and is made again under that name first.', v_name, v_former)
                    ELSE 'A dropped table comes back as a whole.' END,
      HINT = 'To bring back a dropped column, name it: pgtrack.recover(''table'', ''column'').';
  END IF;
  v_definition := pgtrack._definition_at_last(p_kept.definition, v_name);
  v_goes_on := pgtrack._history_goes_on(p_kept, v_definition);
  p_kept.definition := v_definition;
  v_owner := p_kept.definition ->> 'owner';
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name));
  -- In a tracked schema it is no new table (_new_tables).
  UPDATE pgtrack.relation SET tracked_until = 'infinity' WHERE relation_id = v_relation.relation_id;
  v_made := pgtrack._create_again(v_former, p_kept.definition);
  PERFORM pgtrack._recover_rows(p_kept, v_made[1]);
  PERFORM pgtrack._recover_owners(v_made, v_former, p_kept.definition);
  PERFORM pgtrack._try_as_role(v_owner, 'the comment', ARRAY[c]) FROM jsonb_array_elements_text(p_kept.definition -> 'comments') c;
  PERFORM pgtrack._recover_attached(v_made[1], v_owner, a.part) FROM jsonb_array_elements(p_kept.definition -> 'attached') AS a (part);
  PERFORM pgtrack._as_role(v_owner, pgtrack._rename_sql(v_former, v_relation.schema_name, v_relation.table_name), NULL, pgtrack._noted_path())
  WHERE v_former <> v_name;
  PERFORM pgtrack._require_made(v_made[1], v_name, NULL, v_owner);
  UPDATE pgtrack.kept k
  SET definition = CASE k.kept_id WHEN p_kept.kept_id THEN pgtrack._as_made(p_kept.definition, v_made) ELSE k.definition - 'last' END
  WHERE k.relation_id = v_relation.relation_id;
  UPDATE pgtrack.relation r
  SET relid = CASE WHEN v_goes_on THEN v_made[1] END, identity = CASE WHEN v_goes_on THEN '' ELSE r.identity END,
      tracked_until = CASE WHEN v_goes_on THEN r.tracked_until ELSE coalesce(v_relation.tracked_until, clock_timestamp()) END
  WHERE r.relation_id = v_relation.relation_id;
  PERFORM pgtrack._track_patiently(v_made[1], v_relation.options, true);
  RETURN format('%s: created again for %s with %s rows, as of %s, and tracked%s', v_name, v_owner, p_kept.row_count, p_kept.at,
                CASE WHEN NOT v_goes_on THEN '; its history begins anew' END);
END
$_recover_table$;
COMMENT ON FUNCTION pgtrack._recover_table(pgtrack.kept) IS 'Creates a dropped table again from a copy.';

CREATE OR REPLACE FUNCTION pgtrack._recover_column(p_table regclass, p_column name, p_kept pgtrack.kept) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_recover_column$
DECLARE
  v_name    text := pgtrack._name(p_table);
  v_owner   name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = p_table);
  v_column  jsonb := (SELECT c FROM jsonb_array_elements(p_kept.definition -> 'columns') c WHERE c ->> 'name' = p_column);
  v_type    text := v_column ->> 'type';
  v_domain  text;
  v_key     name[];
  v_same    text;
  v_view    text;
  v_rows    bigint := 0;
  v_call    text;
BEGIN
  SELECT string_agg(pgtrack._live_is_sql(format('t.%I', k.column_name), k.type, format('k.%I', k.column_name), k.operator, k.equality),
                    ' AND '), array_agg(k.column_name)
  INTO v_same, v_key
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k WHERE r.relid = p_table;
  IF v_column IS NULL OR v_same IS NULL THEN
    RAISE EXCEPTION 'column "%" of % cannot be recovered', p_column, v_name USING
      ERRCODE = 'undefined_column',
      DETAIL = CASE WHEN v_column IS NULL THEN format('The copy of %s does not have it.', p_kept.at) ELSE 'The table has no primary key.' END;
  END IF;
  PERFORM pgtrack._hold_table(p_table);
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_name, 'column', p_column));
  -- A domain may not take the null that a new column begins with.
  SELECT v_type, format_type(b.type, b.typmod) INTO v_domain, v_type
  FROM pg_type t CROSS JOIN LATERAL pgtrack._base_type(t.oid, -1) b
  WHERE t.oid = to_regtype(regexp_replace(v_type, $r$ COLLATE ("([^"]|"")+"|[^ ."]+)\.("([^"]|"")+"|[^ ."]+)$$r$, '')) AND t.typtype = 'd';
  v_type := coalesce(v_type, v_column ->> 'type');
  PERFORM pgtrack._as_role(v_owner, ARRAY[
    format('ALTER TABLE %s ADD COLUMN %I %s %s', v_name, p_column, v_type, replace(v_column ->> 'clause', ' NOT NULL', ''))],
    NULL, pgtrack._noted_path());
  IF (v_column ->> 'stored')::boolean THEN
    v_view := pgtrack._show_copy(p_kept.kept_table, v_key || p_column, v_owner);
    v_rows := pgtrack._as_owner(v_owner, v_view, ARRAY[
      format('UPDATE %s t SET %I = %s FROM %s k WHERE %s', v_name, p_column,
             pgtrack._kept_value_sql(p_kept.kept_table, p_table, p_column), v_view, v_same)]);
  END IF;
  IF v_domain IS NOT NULL THEN
    PERFORM pgtrack._as_role(v_owner, ARRAY[format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', v_name, p_column, v_domain)],
                             NULL, pgtrack._noted_path());
  END IF;
  RETURN format('%s: column %I added again, with the values of %s in %s rows%s', v_name, p_column, p_kept.at, v_rows,
                CASE WHEN v_column ->> 'clause' LIKE '% NOT NULL' THEN '; it was NOT NULL' ELSE '' END);
END
$_recover_column$;
COMMENT ON FUNCTION pgtrack._recover_column(regclass, name, pgtrack.kept) IS 'Adds a dropped column again, with its values from a copy.';

CREATE OR REPLACE FUNCTION pgtrack.recover("table" text, "column" text DEFAULT NULL, schema text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE AS $recover$
BEGIN
  PERFORM pgtrack._note_path();
  IF $2 IS NULL THEN
    RETURN pgtrack._recover_table(pgtrack._latest_kept($1, coalesce($3, pg_catalog.current_schema())));
  END IF;
  RETURN pgtrack._recover_column(pgtrack._table($1, $3), $2, pgtrack._latest_kept_of(pgtrack._table($1, $3)));
END
$recover$;
COMMENT ON FUNCTION pgtrack.recover(text, text, text) IS
  'Brings back a dropped table, with its history, or a dropped column, from the latest copy made by pgtrack.keep().';

-- ==== keeping/purge.sql ====

-- What is purged is whole transactions, all of them before every point that is still offered: those that no remaining
-- statement or later tag may have seen unfinished.
CREATE OR REPLACE FUNCTION pgtrack._purgeable(p_until timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purgeable$
DECLARE
  v_first  bigint := (SELECT max(e.first_statement_id) FROM pgtrack.epoch e);
  v_xmin   xid8;
BEGIN
  SELECT min(p.xmin::text::bigint)::text::xid8 INTO v_xmin
  FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin
        UNION ALL SELECT pg_snapshot_xmin(s.snapshot) FROM pgtrack.statement s WHERE s.at >= p_until AND s.statement_id >= v_first
        UNION ALL SELECT pg_snapshot_xmin(t.snapshot) FROM pgtrack.tag t WHERE t.at >= p_until AND t.statement_id >= v_first) p;
  RETURN format('NOT (%s) AND (s.statement_id < %s OR s.xid < %L::xid8)', pgtrack._after_time(p_until), v_first, v_xmin);
END
$_purgeable$;
COMMENT ON FUNCTION pgtrack._purgeable(timestamptz) IS 'The condition for statements that purging what is older than a moment removes.';

-- Of the table itself nothing is asked: what DDL made of it may not have been followed yet. When it is, what is noted here
-- follows with the other recorded keys.
CREATE OR REPLACE FUNCTION pgtrack._count_purged_versions(p_relation integer, p_which text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_count_purged_versions$
DECLARE
  v_add    text;
  v_moves  record;
  v_moved  pgtrack.purged_version[];
  v_after  bigint := (SELECT r.key_since - 1 FROM pgtrack.relation r WHERE r.relation_id = p_relation);
BEGIN
  SELECT format($$
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT %1$s, pgtrack._purged_key(%1$s, pgtrack._canonical_key(x.key, %2$L)), sum(x.versions)
    FROM (SELECT jsonb_build_object(%3$s) AS key, count(*) AS versions
          FROM pgtrack.statement s JOIN %4$s h ON h.pgtrack_statement_id = s.statement_id
          WHERE s.relation_id = %1$s AND (%5$s) AND s.statement_id > $1 AND s.statement_id <= $2 GROUP BY 1) x
    GROUP BY 2
    ON CONFLICT (relation_id, row_key) DO UPDATE SET versions = purged_version.versions + excluded.versions$$,
    p_relation, string_agg(format('%I %s', k.name, pgtrack._type_sql(h.atttypid, h.atttypmod)), ', ' ORDER BY k.position),
    string_agg(format('%L, h.%I', k.name, h.attname), ', ' ORDER BY k.position), min(format('pgtrack_history.%I', r.history_table)), p_which)
  INTO v_add
  FROM pgtrack.relation r
  CROSS JOIN LATERAL unnest(r.key_columns) WITH ORDINALITY AS k (name, position)
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.column_name = k.name AND c.attnum IS NOT NULL
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
  WHERE r.relation_id = p_relation
  HAVING count(*) > 0;
  IF v_add IS NULL THEN
    RETURN;
  END IF;
  -- A row whose key was changed takes its number of versions along; all rows of a statement at once, as they may swap.
  FOR v_moves IN EXECUTE format($$
    SELECT k.statement_id, array_agg(pgtrack._purged_key(%1$s, k.old_key)) AS old_keys, array_agg(pgtrack._purged_key(%1$s, k.new_key)) AS new_keys
    FROM pgtrack._key_changes(%1$s) k JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = k.statement_id
    WHERE %2$s GROUP BY k.statement_id ORDER BY k.statement_id$$, p_relation, p_which)
  LOOP
    EXECUTE v_add USING v_after, v_moves.statement_id;
    v_after := v_moves.statement_id;
    v_moved := ARRAY(
      SELECT ROW(p.relation_id, m.new_key, p.versions)::pgtrack.purged_version
      FROM unnest(v_moves.old_keys, v_moves.new_keys) AS m (old_key, new_key)
      JOIN pgtrack.purged_version p ON p.relation_id = p_relation AND p.row_key = m.old_key);
    DELETE FROM pgtrack.purged_version p
    WHERE p.relation_id = p_relation AND p.row_key = ANY (v_moves.old_keys || v_moves.new_keys);
    -- Under a key whose check is deferred two may have come together.
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT p_relation, m.row_key, sum(m.versions) FROM unnest(v_moved) m GROUP BY m.row_key;
  END LOOP;
  EXECUTE v_add USING v_after, 9223372036854775807;
END
$_count_purged_versions$;
COMMENT ON FUNCTION pgtrack._count_purged_versions(integer, text) IS 'Notes how many versions of each row are about to be purged.';

CREATE OR REPLACE FUNCTION pgtrack._purge_relation(p_relation pgtrack.relation, p_until timestamptz, p_which text,
                                                   OUT statements bigint, OUT changes bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_purge_relation$
BEGIN
  IF p_relation.relid IS NOT NULL THEN
    PERFORM pgtrack._count_purged_versions(p_relation.relation_id, p_which);
  END IF;
  EXECUTE format('DELETE FROM pgtrack_history.%I h USING pgtrack.statement s'
                 ' WHERE s.relation_id = %s AND h.pgtrack_statement_id = s.statement_id AND (%s)',
                 p_relation.history_table, p_relation.relation_id, p_which);
  GET DIAGNOSTICS changes = ROW_COUNT;
  EXECUTE format('DELETE FROM pgtrack.key_change k USING pgtrack._noted_key_changes(%1$s) c, pgtrack.statement s'
                 ' WHERE k.relation_id = %1$s AND k.xid = c.xid AND k.old_key = c.old_key AND k.new_key = c.new_key'
                 ' AND s.relation_id = %1$s AND s.statement_id = c.statement_id AND (%2$s)', p_relation.relation_id, p_which);
  EXECUTE format('DELETE FROM pgtrack.statement s WHERE s.relation_id = %s AND (%s)', p_relation.relation_id, p_which);
  GET DIAGNOSTICS statements = ROW_COUNT;
  IF statements > 0 THEN
    UPDATE pgtrack.relation SET purged_until = p_until WHERE relation_id = p_relation.relation_id;
  END IF;
END
$_purge_relation$;
COMMENT ON FUNCTION pgtrack._purge_relation(pgtrack.relation, timestamptz, text) IS
  'Forgets the statements of one table that meet a condition.';

CREATE OR REPLACE FUNCTION pgtrack._purge(p_until timestamptz, p_which text, p_arguments jsonb) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_purge$
DECLARE
  v_relation  pgtrack.relation;
  v_call      text;
BEGIN
  PERFORM pgtrack._require_owner('purge the history of');
  v_call := pgtrack._begin_call(p_arguments);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r ORDER BY r.relation_id LOOP
    "table" := format('%I.%I', v_relation.schema_name, v_relation.table_name);
    BEGIN
      SELECT p.statements, p.changes INTO statements, changes FROM pgtrack._purge_relation(v_relation, p_until, p_which) p;
    -- One whose history is locked, damaged or of types that are gone is no reason to keep the others.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR data_exception
                   OR object_not_in_prerequisite_state OR feature_not_supported OR integrity_constraint_violation OR program_limit_exceeded THEN
      RAISE WARNING 'the history of % could not be purged: %', "table", SQLERRM USING
        HINT = 'The others are purged. SELECT * FROM pgtrack.follow_ddl() follows what was altered; then purge again.';
      CONTINUE;
    END;
    IF statements > 0 THEN
      RETURN NEXT;
    END IF;
  END LOOP;
END
$_purge$;
COMMENT ON FUNCTION pgtrack._purge(timestamptz, text, jsonb) IS
  'Forgets the statements that meet a condition, made by pgtrack._purgeable() for the same moment, and records that, with arguments. '
  'Copies of dropped tables stay.';

CREATE OR REPLACE FUNCTION pgtrack._purge_copies(p_until timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_purge_copies$
DECLARE
  v_kept    name;
  v_events  text := pgtrack._silence_event_triggers();
BEGIN
  FOR v_kept IN SELECT k.kept_table FROM pgtrack.kept k WHERE k.at < p_until LOOP
    BEGIN
      -- The owner may read it while it is recovered, and make a view of it.
      EXECUTE format('DROP TABLE pgtrack_history.%I CASCADE', v_kept);
      DELETE FROM pgtrack.kept k WHERE k.kept_table = v_kept;
    -- What stands on it may be in a table that is protected from drops.
    EXCEPTION WHEN lock_not_available OR deadlock_detected OR syntax_error_or_access_rule_violation OR object_not_in_prerequisite_state THEN
      RAISE WARNING 'the copy pgtrack_history.% could not be dropped: %', quote_ident(v_kept), SQLERRM USING
        HINT = 'Purge again when that is over.';
    END;
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
END
$_purge_copies$;
COMMENT ON FUNCTION pgtrack._purge_copies(timestamptz) IS 'Drops the copies that keep() made before a moment.';

CREATE OR REPLACE FUNCTION pgtrack.purge(older_than interval) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $purge$
DECLARE
  v_until  timestamptz := clock_timestamp() - older_than;
  v_which  text;
BEGIN
  PERFORM pgtrack._require_owner('purge the history of');
  IF older_than IS NULL OR older_than < interval '0' THEN
    RAISE EXCEPTION 'older_than must not be null or negative' USING
      ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM pgtrack.purge(interval ''90 days'') keeps the last 90 days.';
  END IF;
  PERFORM pgtrack._lock_installation();
  v_which := pgtrack._purgeable(v_until);
  PERFORM pgtrack._purge_copies(v_until);
  RETURN QUERY SELECT * FROM pgtrack._purge(v_until, v_which, jsonb_build_object('older_than', older_than));
END
$purge$;
COMMENT ON FUNCTION pgtrack.purge(interval) IS
  'Forgets what was changed longer ago than this. Versions keep their numbers; points in time before it are refused. '
  'A table whose history cannot be purged now is named in a warning.';

CREATE OR REPLACE FUNCTION pgtrack.plan_purge(older_than interval) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $plan_purge$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT format(''%%I.%%I'', r.schema_name, r.table_name), count(*), sum(s.row_count)::bigint'
    ' FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id) WHERE %s GROUP BY r.relation_id ORDER BY r.relation_id',
    pgtrack._purgeable(clock_timestamp() - older_than));
END
$plan_purge$;
COMMENT ON FUNCTION pgtrack.plan_purge(interval) IS 'What purge() would remove, without doing it.';

-- ==== keeping/erase.sql ====

-- The proxy records a message as an argument, by name or position.
CREATE OR REPLACE FUNCTION pgtrack._without_message(p_verb text, p_arguments jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_arguments - array_append(ARRAY(
    SELECT array_position(p.proargnames, 'message')::text FROM pg_proc p
    WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname = p_verb), 'message');
END;
COMMENT ON FUNCTION pgtrack._without_message(text, jsonb) IS 'The recorded arguments of a call, but for its message.';

-- What is erased with a row's images: what quotes its values elsewhere. Of each transaction that changed the row go the
-- texts of the query that did it and the reasons given; of calls on the row the statement, the reason and the key. Calls
-- with parameters have one text, whatever they are about: of those elsewhere only the text goes.
CREATE OR REPLACE FUNCTION pgtrack._erase_texts(p_shape pgtrack.relation_shape, p_key jsonb, p_after bigint, p_until bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_texts$
DECLARE
  v_change  record;
BEGIN
  FOR v_change IN EXECUTE format(
    'SELECT s.xid, bool_or(s.query IS NULL) AS is_any, array_agg(DISTINCT s.query) AS queries'
    ' FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s'
    ' JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id'
    ' WHERE h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3 GROUP BY s.xid',
    p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id)
  USING p_key, p_after, p_until
  LOOP
    -- Where this table's record has no text, another table's may.
    UPDATE pgtrack.statement s
    SET message = NULL, query = CASE WHEN v_change.is_any OR s.query = ANY (v_change.queries) THEN NULL ELSE s.query END
    WHERE s.xid = v_change.xid;
    UPDATE pgtrack.audit_entry e SET statement = NULL, message = NULL, arguments = pgtrack._without_message(e.verb, e.arguments)
    WHERE e.xid = v_change.xid OR e.entry_id IN (
      SELECT pgtrack._proxy_record(d.entry_id, d.session, d.verb, d.at) FROM pgtrack.audit_entry d
      WHERE d.xid = v_change.xid AND d.session IS NOT NULL);
    UPDATE pgtrack.audit_entry e SET statement = NULL WHERE e.statement = ANY (v_change.queries);
  END LOOP;
END
$_erase_texts$;
COMMENT ON FUNCTION pgtrack._erase_texts(pgtrack.relation_shape, jsonb, bigint, bigint) IS
  'Erases the texts and messages that went with the changes of a row under one of its keys.';

-- The functions record arguments by name; the proxy by name or position, as they were written.
CREATE OR REPLACE FUNCTION pgtrack._is_call_on(p_arguments jsonb, p_shape pgtrack.relation_shape, p_key jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_call_on$
DECLARE
  v_name  text[];
  v_key   jsonb := coalesce(p_arguments -> 'key', p_arguments -> '2');
BEGIN
  v_name := parse_ident(coalesce(p_arguments ->> 'table', p_arguments ->> '1'));
  IF v_key IS NULL OR NOT EXISTS (
       SELECT FROM pgtrack.relation r
       WHERE r.relation_id = p_shape.relation_id AND r.table_name = v_name[cardinality(v_name)]
         AND (cardinality(v_name) = 1 OR r.schema_name = v_name[1])) THEN
    RETURN false;
  ELSIF v_key = p_key OR cardinality(p_shape.keys) = 1 AND v_key #>> '{}' = p_key ->> p_shape.keys[1]::text THEN
    RETURN true;
  END IF;
  BEGIN
    IF pgtrack._is_same_key(p_shape.relation_id, pgtrack._key(p_shape, v_key), p_key) THEN
      RETURN true;
    END IF;
  -- It named no row.
  EXCEPTION WHEN invalid_parameter_value THEN
    NULL;
  END;
  RETURN pgtrack._same_key((v_key #>> '{}')::jsonb, p_key);
-- Anybody may have called with anything.
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN false;
END
$_is_call_on$;
COMMENT ON FUNCTION pgtrack._is_call_on(jsonb, pgtrack.relation_shape, jsonb) IS 'Whether a recorded call of a verb named this row.';

CREATE OR REPLACE FUNCTION pgtrack._erase_calls(p_shape pgtrack.relation_shape, p_key jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_calls$
BEGIN
  UPDATE pgtrack.audit_entry e
  SET statement = NULL, message = NULL,
      arguments = pgtrack._without_message(e.verb, e.arguments)
                  || jsonb_build_object(CASE WHEN e.arguments ? 'key' THEN 'key' ELSE '2' END, '[erased]')
  WHERE e.verb ~ '^(plan_)?(undo|revert|rollback_to|restore|erase)(_pk)?$'
    AND pgtrack._is_call_on(e.arguments, p_shape, p_key);
END
$_erase_calls$;
COMMENT ON FUNCTION pgtrack._erase_calls(pgtrack.relation_shape, jsonb) IS 'Erases what the records of calls on a row say of it.';

-- An empty row would come back as one, with nulls where the table has none, so the row is removed. In a copy from when
-- another row may have had the key, or was told by another primary key, it cannot be told.
CREATE OR REPLACE FUNCTION pgtrack._erase_copies(p_shape pgtrack.relation_shape, p_key jsonb, p_after bigint, p_until bigint) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_erase_copies$
DECLARE
  v_copy  record;
  v_rows  bigint;
  v_left  text[] := '{}';
BEGIN
  FOR v_copy IN
    SELECT k.kept_id, h.oid::regclass AS name, k.statement_id > p_after AND k.statement_id <= p_until OR k.statement_id = 0 AS is_of_row,
           CASE WHEN k.statement_id >= r.key_since AND c.count = cardinality(p_shape.keys) THEN c.is_key END AS is_key
    FROM pgtrack.kept k
    JOIN pgtrack.relation r USING (relation_id)
    JOIN pg_class h ON h.relname = k.kept_table AND h.relnamespace = 'pgtrack_history'::regnamespace
    CROSS JOIN LATERAL (
      -- Values of foreign types are text in a copy, but for one from before they were. And a key may have got another type.
      SELECT count(*), string_agg(
        CASE WHEN e.atttypid = p.type THEN pgtrack._live_is_sql(x.t, p.type, x.k, p.operator, p.equality)
             ELSE pgtrack._stored_is_sql(p.kind, p.operator, p.equality,
                    CASE WHEN e.atttypid = p.stored THEN x.t ELSE pgtrack._converted_sql(x.t, e.atttypid, p.stored_type) END, x.k) END, ' AND ') AS is_key
      FROM pgtrack._key_parts(r.relation_id) p
      JOIN pg_attribute e ON e.attrelid = h.oid AND e.attname = p.column_name
      CROSS JOIN LATERAL (SELECT format('t.%I', p.column_name) AS t, format('k.%I', p.column_name) AS k) x) c
    WHERE k.relation_id = p_shape.relation_id
    ORDER BY k.kept_id
  LOOP
    BEGIN
      EXECUTE format(CASE WHEN v_copy.is_of_row THEN 'DELETE FROM %s t USING' ELSE 'SELECT FROM %s t CROSS JOIN' END
                     || ' jsonb_to_record($1) AS k(%s) WHERE %s', v_copy.name, p_shape.key_record, coalesce(v_copy.is_key, 'false')) USING p_key;
      GET DIAGNOSTICS v_rows = ROW_COUNT;
    EXCEPTION WHEN data_exception THEN
      v_copy.is_key := NULL;
    END;
    IF v_copy.is_key IS NULL OR v_rows > 0 AND NOT v_copy.is_of_row THEN
      v_left := v_left || v_copy.name::text;
    ELSIF v_rows > 0 THEN
      UPDATE pgtrack.kept SET row_count = row_count - v_rows WHERE kept_id = v_copy.kept_id;
    END IF;
  END LOOP;
  RETURN v_left;
END
$_erase_copies$;
COMMENT ON FUNCTION pgtrack._erase_copies(pgtrack.relation_shape, jsonb, bigint, bigint) IS
  'Removes a row, under one of its keys, from the copies of its table that pgtrack.keep() made; returns those in which it cannot be told.';

-- What is recorded already, but not committed, is to be seen first, and nothing is recorded meanwhile. A statement changes
-- rows before it records them; but whoever erases may have no right to lock the table, and all may lock its history. New
-- writers wait behind the attempt, so it gives way and tries again, unless the caller has said how long it may wait.
CREATE OR REPLACE FUNCTION pgtrack._wait_for_writers(p_shape pgtrack.relation_shape) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_wait_for_writers$
DECLARE
  v_is_unlimited CONSTANT  boolean := current_setting('lock_timeout') = '0';
BEGIN
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      PERFORM set_config('lock_timeout', '1s', true) WHERE v_is_unlimited;
      IF has_table_privilege(p_shape.name::regclass, 'UPDATE, DELETE, TRUNCATE') THEN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_shape.live_table);
      END IF;
      EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', p_shape.history);
      PERFORM set_config('lock_timeout', '0', true) WHERE v_is_unlimited;
      EXIT;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 5 OR NOT v_is_unlimited THEN
        RAISE EXCEPTION 'could not lock % to erase what is recorded of it', p_shape.name USING
          ERRCODE = 'lock_not_available',
          DETAIL = 'Transactions that have changed it did not end in time; what they record would not be erased.',
          HINT = 'Try again when they have ended; pg_stat_activity shows them. With a lock_timeout it waits as long as that says, and whoever changes the table waits, too.';
      END IF;
      PERFORM pg_sleep(0.2 * attempt);
    END;
  END LOOP;
  IF pgtrack._snapshot_lasts() THEN
    PERFORM pgtrack._require_present_snapshot(p_shape.name::regclass);
  END IF;
END
$_wait_for_writers$;
COMMENT ON FUNCTION pgtrack._wait_for_writers(pgtrack.relation_shape) IS
  'Waits for the transactions that have changed a table, and keeps others from it; refuses where they would not be seen.';

CREATE OR REPLACE FUNCTION pgtrack._not_erased(p_shape pgtrack.relation_shape, p_keys jsonb[], p_erased bigint, p_copies text[]) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_not_erased$
DECLARE
  v_since   bigint := (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id);
  v_under   bigint;
  v_former  bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT DISTINCT u.key FROM unnest($1) u (key)) d CROSS JOIN LATERAL jsonb_to_record(d.key) AS k(%s)'
                 ' JOIN %s h ON %s WHERE h.pgtrack_statement_id >= %s', p_shape.key_record, p_shape.history, p_shape.history_is_key, v_since)
  INTO v_under USING p_keys;
  EXECUTE format('SELECT count(*) FROM %s h WHERE h.pgtrack_statement_id < %s', p_shape.history, v_since) INTO v_former;
  RETURN concat_ws('; ',
    CASE WHEN v_under > p_erased THEN format('%s changes of other rows under the same key', v_under - p_erased) END,
    CASE WHEN v_former > 0 THEN format('%s changes of rows that were told by another primary key', v_former) END,
    'copies of such rows in ' || (SELECT string_agg(DISTINCT c, ', ') FROM unnest(p_copies) c));
END
$_not_erased$;
COMMENT ON FUNCTION pgtrack._not_erased(pgtrack.relation_shape, jsonb[], bigint, text[]) IS
  'What may be of the same person, but is not of the row that was erased, as far as it can be told; empty for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._erase(p_table regclass, p_key jsonb, p_reason text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_erase$
DECLARE
  v_shape   pgtrack.relation_shape;
  v_values  text;
  v_part    record;
  v_rows    bigint;
  v_erased  bigint := 0;
  v_keys    jsonb[] := '{}';
  v_copies  text[] := '{}';
  v_call    text;
BEGIN
  PERFORM pgtrack._require_owner('erase the past of rows of');
  -- The texts of other tables' statements are erased, too, in whatever order: so nobody else purges or erases meanwhile.
  PERFORM pgtrack._lock_installation();
  v_shape := pgtrack._shape(p_table);
  IF coalesce(p_reason, '') = '' THEN
    RAISE EXCEPTION 'say why the past of % (%) is to be erased', v_shape.name, pgtrack._key_text(p_key) USING
      ERRCODE = 'invalid_parameter_value', DETAIL = 'The reason is kept, with who did it and when.';
  END IF;
  PERFORM pgtrack._wait_for_writers(v_shape);
  SELECT string_agg(format('%I = NULL', c.history_column), ', ') INTO v_values
  FROM pgtrack.relation_column c
  WHERE c.relation_id = v_shape.relation_id AND NOT (c.attnum IS NOT NULL AND c.column_name = ANY (v_shape.keys));
  FOR v_part IN SELECT l.* FROM pgtrack._lineage(p_table, p_key) l LOOP
    v_keys := v_keys || v_part.row_key;
    PERFORM pgtrack._erase_texts(v_shape, v_part.row_key, v_part.after_id, v_part.until_id);
    PERFORM pgtrack._erase_calls(v_shape, v_part.row_key);
    v_copies := v_copies || pgtrack._erase_copies(v_shape, v_part.row_key, v_part.after_id, v_part.until_id);
    EXECUTE format('UPDATE %s h SET %s FROM jsonb_to_record($1) AS k(%s)'
                   ' WHERE %s AND h.pgtrack_statement_id > $2 AND h.pgtrack_statement_id <= $3',
                   v_shape.history, coalesce(v_values, 'pgtrack_statement_id = h.pgtrack_statement_id'),
                   v_shape.key_record, v_shape.history_is_key)
    USING v_part.row_key, v_part.after_id, v_part.until_id;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_erased := v_erased + v_rows;
    INSERT INTO pgtrack.erasure (relation_id, row_key, until_id, at, who, reason)
    VALUES (v_shape.relation_id, v_part.row_key, nextval('pgtrack.statement_id_seq'), clock_timestamp(), session_user, p_reason);
  END LOOP;
  -- This call's own record says which row it was, as pgtrack.erasure does.
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_shape.name, 'key', p_key), p_reason);
  RETURN concat_ws('; not reached: ',
    format('%s (%s): the values of %s recorded changes erased', v_shape.name, pgtrack._key_text(p_key), v_erased),
    nullif(pgtrack._not_erased(v_shape, v_keys, v_erased, v_copies), ''));
END
$_erase$;
COMMENT ON FUNCTION pgtrack._erase(regclass, jsonb, text) IS 'Does the work of pgtrack.erase().';

-- ==== keeping/verify.sql ====

-- It reads rows, in the plan that is best for them, whoever asks.
CREATE OR REPLACE FUNCTION pgtrack._gaps(p_table regclass, p_latest integer DEFAULT NULL) RETURNS TABLE (row_pk jsonb, is_missing boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET constraint_exclusion = off
SET enable_seqscan = on SET enable_hashjoin = on SET enable_mergejoin = on SET join_collapse_limit = 8 AS $_gaps$
DECLARE
  v_history  name := (SELECT r.history_table FROM pgtrack.relation r WHERE r.relid = p_table AND r.key_columns <> '{}');
  v_is_used  boolean := false;
  v_shape    record;
  v_latest   text;
  v_moved    text := '';
BEGIN
  -- Planning what follows takes longer than this.
  IF v_history IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM pgtrack_history.%I)', v_history) INTO v_is_used;
  END IF;
  IF NOT v_is_used THEN
    RETURN;
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_latest := format('(SELECT c.ctid, c.* FROM %s c WHERE c.pgtrack_statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %s)%s)',
                     v_shape.history, v_shape.relation_id, ' ORDER BY c.pgtrack_statement_id DESC LIMIT ' || p_latest);
  IF EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = v_shape.relation_id) THEN
    -- A row that moved to or from the key is somewhere else.
    v_moved := format($$
      AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%s) a CROSS JOIN LATERAL (VALUES (a.old_key), (a.new_key)) x (key)
                      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) WHERE a.statement_id >= h.pgtrack_statement_id AND %s)$$,
      v_shape.relation_id, v_shape.key_record, v_shape.history_is_key);
  END IF;
  -- LEFT JOIN, coalesce: statistics of statements that are older than the mistake would let the planner expect one row.
  RETURN QUERY EXECUTE format($$
    SELECT %1$s, s.operation NOT IN ('D', 'T')
    FROM (SELECT DISTINCT ON (%2$s) c.* FROM %3$s c ORDER BY %2$s, c.pgtrack_statement_id DESC, c.ctid DESC) h
    LEFT JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = h.pgtrack_statement_id
    WHERE coalesce(EXISTS (SELECT FROM %5$s t WHERE %6$s) = (s.operation IN ('D', 'T')), false)%7$s$$,
    v_shape.key_json, v_shape.change_keys, v_latest, v_shape.relation_id, v_shape.live_table, v_shape.live_is_history, v_moved);
END
$_gaps$;
COMMENT ON FUNCTION pgtrack._gaps(regclass, integer) IS
  'Rows that are missing, or there, other than their latest recorded change left them; only among the latest changes if a number is given.';

-- VOLATILE, so that it sees what was made while the lock was waited for. To look into a table may run code of its owner, which
-- verify() says; at REPEATABLE READ such code may have come unseen.
CREATE OR REPLACE FUNCTION pgtrack._may_look_into(p_table regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_may_look_into$
BEGIN
  -- Who has few rights has little to lose.
  IF NOT pgtrack._hold_definition(p_table) AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    RETURN false;
  END IF;
  RETURN pgtrack._foreign_expression(p_table) IS NULL
     AND (NOT pgtrack._snapshot_lasts() OR pgtrack._owner_of(p_table) = current_user
          OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = pgtrack._owner_of(p_table)));
END
$_may_look_into$;
COMMENT ON FUNCTION pgtrack._may_look_into(regclass) IS 'Whether reading a table runs no code but the current user''s and superusers''; keeps it what it is.';

CREATE OR REPLACE FUNCTION pgtrack._problems_of(p_relation pgtrack.relation, p_repair text) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_problems_of$
BEGIN
  RETURN QUERY
    SELECT CASE WHEN t.enabled IS NULL THEN format('the trigger %s is missing on %s', t.name, t.relid)
                ELSE format('the trigger %s on %s is %s', t.name, t.relid,
                            CASE WHEN NOT t.is_current THEN 'out of date'
                                 WHEN t.enabled = 'D' THEN 'disabled' ELSE 'enabled for other sessions only' END) END,
           p_repair
    FROM pgtrack._triggers(p_relation.relation_id) t
    WHERE t.event IS NOT NULL AND (NOT t.is_current OR t.enabled <> CASE WHEN t.is_always THEN 'A' ELSE 'O' END);
  RETURN QUERY
    SELECT 'triggers of other tables may write it: what they change may be shown before its cause', p_repair
    WHERE pgtrack._is_in_trigger_words(p_relation.relid) AND NOT pgtrack._may_nest(p_relation.relid);
  RETURN QUERY
    SELECT format('the owner of pg_track may not read %s: TRUNCATE fails', p_relation.relid), c.command || ';'
    FROM pgtrack._rights_to_read(p_relation.relid) c;
  RETURN QUERY
    SELECT format('its indexes, statistics or partition key need %s, whose code might run with the rights of the owner of pg_track: TRUNCATE fails', f),
           'Let a superuser own that, or use DELETE.'
    FROM pgtrack._foreign_expression(p_relation.relid) f WHERE f IS NOT NULL;
END
$_problems_of$;
COMMENT ON FUNCTION pgtrack._problems_of(pgtrack.relation, text) IS
  'What is wrong with the triggers of a tracked table, and with what the owner of pg_track may read of it.';

CREATE OR REPLACE FUNCTION pgtrack._unrecorded(p_table regclass) RETURNS TABLE (problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_unrecorded$
BEGIN
  IF NOT pgtrack._may_look_into(p_table) THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT format('%s rows were changed while nothing was recorded, for example: %s', count(*),
                  min(format('%s %s', pgtrack._key_text(g.row_pk),
                             CASE WHEN g.is_missing THEN 'is missing, but its deletion is not recorded' ELSE 'exists, but its insertion is not recorded' END))),
           'Triggers were disabled, or session_replication_role was "replica". Versions before that are to be taken with care.'
    FROM pgtrack._gaps(p_table) g HAVING count(*) > 0;
-- Somebody alters it, for who knows how long, and the other tables are to be looked at all the same.
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RETURN QUERY SELECT 'its rows were not looked at, as it is locked', 'Try again when that transaction has ended; pg_stat_activity shows it.';
WHEN data_exception THEN
  RETURN QUERY SELECT format('its rows were not looked at: %s', SQLERRM), 'A type of its key may take fewer values than it did.';
WHEN insufficient_privilege THEN
  RETURN QUERY SELECT 'its rows were not looked at, as you may not read them', 'Whoever may read the table can verify it.';
-- It was dropped while its lock was waited for. PostgreSQL's cache knows that, whatever the snapshot shows.
WHEN internal_error THEN
  IF has_table_privilege(p_table, 'SELECT') IS NOT NULL THEN
    RAISE;
  END IF;
END
$_unrecorded$;
COMMENT ON FUNCTION pgtrack._unrecorded(regclass) IS 'The rows of a table that changed while nothing was recorded, as a problem; nothing for none.';

CREATE OR REPLACE FUNCTION pgtrack._untracked() RETURNS TABLE ("table" text, problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_untracked$
BEGIN
  RETURN QUERY
    SELECT pgtrack._name(c.oid), coalesce('it cannot be tracked, as its schema is: ' || w.reason, 'it is not tracked, but its schema is'),
           CASE WHEN w.reason IS NULL THEN format('SELECT * FROM pgtrack.track(%L) tracks it.', pgtrack._name(c.oid)) END
    FROM pgtrack.tracked_schema s JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid AND r.tracked_until IS NULL)
    CROSS JOIN LATERAL (SELECT pgtrack._reason_not_to_track(c.oid)) w (reason)
    -- One that was untracked by itself is meant to be so.
    WHERE w.reason IS NOT NULL OR NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid)
    ORDER BY 1;
END
$_untracked$;
COMMENT ON FUNCTION pgtrack._untracked() IS 'The tables of tracked schemas that are not tracked, as problems.';

CREATE OR REPLACE FUNCTION pgtrack.verify(gaps boolean DEFAULT true) RETURNS TABLE ("table" text, problem text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_indexscan = on SET join_collapse_limit = 1
SET plan_cache_mode = force_generic_plan AS $verify$
DECLARE
  v_relation  pgtrack.relation;
  v_kind      "char";
BEGIN
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.schema_name, r.table_name LOOP
    "table" := format('%I.%I', v_relation.schema_name, v_relation.table_name);
    hint := format('SELECT * FROM pgtrack.track(%L, %L) repairs it.', "table", v_relation.options);
    v_kind := (SELECT c.relkind FROM pg_class c WHERE c.oid = v_relation.relid);
    -- It has been dropped meanwhile.
    CONTINUE WHEN v_kind IS NOT NULL AND has_table_privilege(v_relation.relid, 'SELECT') IS NULL;
    IF v_kind IS NULL THEN
      problem := 'the table was dropped unnoticed';
      hint := 'Its history stays, under its number in pgtrack.relation.';
      RETURN NEXT;
      CONTINUE;
    ELSIF v_kind NOT IN ('r', 'p') THEN
      problem := 'it is no table any more';
      hint := format('Its history stays. SELECT * FROM pgtrack.untrack(%L) ends the tracking.', "table");
      RETURN NEXT;
      CONTINUE;
    END IF;
    RETURN QUERY SELECT verify."table", p.* FROM pgtrack._problems_of(v_relation, verify.hint) p;
    IF NOT EXISTS (SELECT FROM pgtrack.generated g WHERE g.function_name = format('record_update_%s', v_relation.relation_id)
                   AND g.fingerprint = pgtrack._fingerprint(v_relation.relid)) THEN
      problem := 'the table has changed its shape unnoticed';
      RETURN NEXT;
    ELSIF gaps THEN
      RETURN QUERY SELECT verify."table", u.* FROM pgtrack._unrecorded(v_relation.relid) u;
    END IF;
  END LOOP;
  RETURN QUERY SELECT * FROM pgtrack._untracked();
  -- So it is after a restore where the roles were missing.
  RETURN QUERY
    SELECT NULL, 'pg_track belongs to a superuser',
           'Its functions run with that role''s rights, and its views show everything. pgtrack install gives it to pgtrack_owner.'
    WHERE EXISTS (SELECT FROM pg_roles o
                  WHERE o.rolsuper AND o.oid IN ((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack'),
                                                 (SELECT c.relowner FROM pg_class c WHERE c.oid = 'pgtrack.activity'::regclass)));
  RETURN QUERY
    SELECT NULL, 'DDL on tracked tables is not followed at once',
           'Event triggers need a superuser: install pg_track again as one. Until then, shapes are followed at the next write, and all else by pgtrack.follow_ddl().'
    WHERE NOT EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D');
END
$verify$;
COMMENT ON FUNCTION pgtrack.verify(boolean) IS
  'What is wrong with the tracking: triggers missing or disabled, shapes out of step, rows changed unrecorded (gaps => false skips these, they take a scan). No row: all is well.';

-- ==== undoing/verbs.sql ====

-- The verbs, and their twins that only plan, from one list. Each verb is two functions. The one for people resolves the
-- table's name, so the caller's own search_path has to be in force, and it calls nothing by a name or operator that this
-- could change. The other, with _ before its name, records the call in its own name and does the work.
-- What is about one row comes in three forms: with the key as a value of any type, as an untyped literal, and, with _pk
-- after the name, as jsonb.
DO $verbs$
DECLARE
  c_history CONSTANT   text := 'TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb, '
                               'xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)';
  c_blame CONSTANT     text := 'TABLE ("column" text, value jsonb, ver integer, changed_at timestamptz, who text, xid bigint)';
  c_step CONSTANT      text := '"table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text';
  c_outcome CONSTANT   text := 'TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)';
  c_conflict CONSTANT  text := ', on_conflict text DEFAULT ''error''';
  c_columns CONSTANT   text := ', columns text[] DEFAULT NULL';
  -- A key of a collation of its own gives it to all that is text.
  c_text CONSTANT      text := ' COLLATE pg_catalog."default"';
  c_table CONSTANT     text := format('pgtrack._table("table"%1$s, schema%1$s)', c_text);
  c_pinned CONSTANT    text := 'plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off';
  c_on_row CONSTANT    text := $worker$
DECLARE
  v_decision  pgtrack._decision;
  v_call      text;
BEGIN
  v_decision := pgtrack._decide(p_table, p_key, %s, %L, p_on_conflict, p_columns);
  IF v_decision.has_work THEN
    v_call := pgtrack._begin_call(v_decision.arguments, p_message, v_decision.reverts);
    PERFORM pgtrack._apply(ARRAY[v_decision.work], p_message, p_columns);
    PERFORM pgtrack._end_call(v_call);
  END IF;
  RETURN v_decision.answer;
END
$worker$;
  c_on_set CONSTANT    text := $worker$
DECLARE
  v_set   pgtrack._set := pgtrack._choice(p_choice, p_table);
  v_call  text;
BEGIN
  v_call := pgtrack._begin_call(p_choice || jsonb_build_object('on_conflict', p_on_conflict) || pgtrack._columns_argument(p_columns),
                                p_message, v_set.reverts);
  -- What has changed since a point is what shall go, so there are no conflicts.
  RETURN QUERY
    SELECT u.* FROM pgtrack._undo_set(v_set, CASE WHEN v_set.point IS NULL THEN p_on_conflict ELSE 'force' END, p_message, p_columns, p_call => v_call) u;
  PERFORM pgtrack._end_call(v_call);
END
$worker$;
  v_function           record;
BEGIN
  FOR v_function IN
    WITH row_verb (name, argument, type, options, columns, version, comment) AS (
      -- version is what the row shall be as after: %1$s is the table, %2$s the key, %3$s the verb's own argument.
      VALUES
        ('undo', '', '', c_conflict, c_columns, 'NULL',
         'Undoes the last change of one row: an INSERT is deleted, an UPDATE set back, a DELETE inserted again. '
         'Undone twice, it is done again. columns names those to set back; null is all.'),
        ('revert', ', version', ' integer', c_conflict, c_columns, '%3$s',
         'Makes one row what it was right after a version of its history; version 0 is the row before its first recorded change. '
         'columns names those to set back; null is all.'),
        ('rollback_to', ', "when"', ' timestamptz', c_conflict, c_columns, 'pgtrack._version_at(%1$s, %2$s, %3$s)',
         'Makes one row what it was at a moment. columns names those to set back; null is all.'),
        ('restore', '', '', c_conflict, '', 'NULL',
         'Inserts a deleted row again, as it was right before its latest deletion.')
    ), set_verb (name, arguments, options, columns, choice, relation, comment) AS (
      VALUES
        ('undo_transaction', 'xid bigint', c_conflict, c_columns, '''xid'', xid', 'NULL',
         'Undoes everything a transaction did to tracked tables, in one step. Rows that changed since are an error, '
         'or on_conflict => ''skip'', ''merge'', ''delta'' or ''force''. columns names those to set back where rows were only updated; null is all.'),
        ('undo_last', '', c_conflict, c_columns, '''xid'', pgtrack._my_last()', 'NULL',
         'Undoes your latest transaction that is no undo itself, in one step: that of this login and actor, as this program from this address. '
         'A notice says which it is. Refused where another may be meant: sessions that look the same, or, unless this session made it, '
         'changes of yours from elsewhere in the hour before it.'),
        ('undo_transactions', 'xids bigint[]', c_conflict, c_columns, '''xids'', xids', 'NULL',
         'Undoes everything that some transactions did to tracked tables, in one step, as if they had been one.'),
        ('undo_statements', 'statement_ids bigint[]', c_conflict, c_columns, '''statement_ids'', statement_ids', 'NULL',
         'Undoes what some statements did to tracked tables, in one step, as if they had been one.'),
        ('undo_where', 'actor text DEFAULT NULL, application text DEFAULT NULL, "user" text DEFAULT NULL, '
                       '"from" timestamptz DEFAULT NULL, "to" timestamptz DEFAULT NULL', c_conflict, c_columns,
         '''actor'', actor, ''application'', application, ''user'', "user", ''from'', "from", ''to'', "to"', 'NULL',
         'Undoes everything that an actor, an application or a user did, in a time if given, in one step.'),
        ('revert_table', '"table" text, point text, schema text DEFAULT NULL', '', '',
         format('''table'', pgtrack._name(%s), ''point'', point', c_table), c_table,
         'Makes a table what it was at a point: a tag, a timestamp, or xid:N. Writers wait until it is done.'),
        ('revert_schema', 'schema text, point text', '', '', '''schema'', schema, ''point'', point', 'NULL',
         'Makes all tracked tables of a schema what they were at a point, in one step.')
    ), row_function (name, arguments, options, result, volatility, body, comment) AS (
      VALUES
        ('history', '', '', c_history, 'STABLE', 'SELECT x.* FROM pgtrack._history_of_key(%1$s, %3$s) x',
         'Every recorded change of one row, oldest first, with the row before and after it. Before them, with no number, those of '
         'other rows that had the key earlier.'),
        ('blame', '', '', c_blame, 'STABLE', 'SELECT x.* FROM pgtrack._blame(%1$s, %3$s) x',
         'Who last changed each column of one row, and when; nobody where that was before tracking began.'),
        ('erase', ', reason text', '', 'text', 'VOLATILE', 'SELECT pgtrack._erase(%1$s, %2$s, reason COLLATE pg_catalog."default")',
         'Erases the recorded values of one row''s past, for privacy; that it happened stays on record. The row itself is not touched.')
      UNION ALL
      SELECT v.name, v.argument || v.type, v.options || ', message text DEFAULT NULL' || v.columns, 'text', 'VOLATILE',
             format('SELECT pgtrack._note_path(); SELECT pgtrack._%s(%%1$s, %%2$s%s, on_conflict%4$s, message%4$s, %3$s)', v.name, v.argument,
                    CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' || c_text END, c_text),
             v.comment
      FROM row_verb v
      UNION ALL
      SELECT 'plan_' || v.name, v.argument || v.type, v.columns || v.options,
             format('TABLE (%s, version integer, statement_id bigint)', c_step), 'VOLATILE',
             format('SELECT x.* FROM pgtrack._plan(%%1$s, %%2$s, %s, %L, %s, on_conflict%s) x',
                    format(v.version, '%1$s', '%2$s', substr(v.argument, 3)), v.name,
                    CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' || c_text END, c_text),
             format('What %s() would do, without doing it.', v.name)
      FROM row_verb v
    ), form (suffix, key_type, key, comment) AS (
      VALUES ('', 'anyelement', 'pgtrack._key_value(key)', ''),
             ('', 'text', 'pg_catalog.to_jsonb(key)', ''),
             ('_pk', 'jsonb', 'key', ' The key is jsonb: {"order_id": 1, "product_id": 100}.')
    )
    SELECT '_' || v.name AS name, format('p_table regclass, p_key jsonb%s, p_on_conflict text, p_message text, p_columns text[]',
                                         CASE v.type WHEN '' THEN '' ELSE ', p_argument' || v.type END) AS arguments,
           'text' AS result, c_pinned AS language, format(c_on_row, format(v.version, 'p_table', 'p_key', 'p_argument'), v.name) AS body,
           format('Does the work of %s(), and records the call.', v.name) AS comment
    FROM row_verb v
    UNION ALL
    SELECT '_' || v.name, 'p_choice jsonb, p_table regclass, p_on_conflict text, p_message text, p_columns text[]',
           c_outcome, c_pinned, c_on_set, format('Does the work of %s(), and records the call.', v.name)
    FROM set_verb v
    UNION ALL
    SELECT r.name || f.suffix, format('"table" text, key %s%s, schema text DEFAULT NULL%s', f.key_type, r.arguments, r.options), r.result,
           'sql ' || r.volatility, format(r.body, c_table, format('pgtrack._key(%s, %s)', c_table, f.key), f.key), r.comment || f.comment
    FROM row_function r CROSS JOIN form f
    UNION ALL
    SELECT v.name, ltrim(v.arguments || v.options || ', message text DEFAULT NULL' || v.columns, ', '), c_outcome, 'sql VOLATILE',
           format('SELECT pgtrack._note_path(); SELECT x.* FROM pgtrack._%s(pg_catalog.jsonb_build_object(%s), %s, %s, message, %s) x', v.name, v.choice, v.relation,
                  CASE v.options WHEN '' THEN 'NULL' ELSE 'on_conflict' END, CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' END),
           v.comment
    FROM set_verb v
    UNION ALL
    SELECT 'plan_' || v.name, ltrim(v.arguments || v.columns || v.options, ', '), format('TABLE (%s)', c_step), 'sql STABLE',
           format('SELECT x.* FROM pgtrack._plan_set(pgtrack._choice(pg_catalog.jsonb_build_object(%s), %s), %s, %s) x', v.choice, v.relation,
                  CASE v.columns WHEN '' THEN 'NULL' ELSE 'columns' END, CASE v.options WHEN '' THEN '''error''' ELSE 'on_conflict' END),
           format('What %s() would do, row by row, without doing it.', v.name)
           || CASE v.options WHEN '' THEN '' ELSE ' Of rows that changed since it says what on_conflict does to them.' END
    FROM set_verb v
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION pgtrack.%I(%s) RETURNS %s LANGUAGE %s AS %L',
                   v_function.name, v_function.arguments, v_function.result, v_function.language, v_function.body);
    EXECUTE format('COMMENT ON FUNCTION pgtrack.%I(%s) IS %L',
                   v_function.name, regexp_replace(v_function.arguments, ' DEFAULT [^,]+', '', 'g'), v_function.comment);
  END LOOP;
END
$verbs$;

-- ==== capture/attribution.sql ====

-- What clients say is bounded, or one of them could fill the pages and the memory of everybody who reads it.
CREATE OR REPLACE FUNCTION pgtrack._bounded(p_name text, p_text text, p_most integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_bounded$
BEGIN
  IF length(p_text) > p_most THEN
    RAISE EXCEPTION 'the % is too long', p_name USING
      ERRCODE = 'string_data_right_truncation',
      DETAIL = format('It has %s characters; %s is the most.', length(p_text), p_most),
      HINT = 'Name what says more, such as a ticket.';
  END IF;
  RETURN coalesce(p_text, '');
END
$_bounded$;
COMMENT ON FUNCTION pgtrack._bounded(text, text, integer) IS 'A text that is not too long, or an error.';

CREATE OR REPLACE FUNCTION pgtrack.set_actor(actor text, is_local boolean DEFAULT false) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.actor', pgtrack._bounded('actor', actor, 256), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_actor(text, boolean) IS
  'Names the person on whose behalf this session, or with is_local this transaction, makes changes, in at most 256 characters. '
  'Null takes it back.';

CREATE OR REPLACE FUNCTION pgtrack.set_message(message text, is_local boolean DEFAULT true) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT pg_catalog.set_config('pgtrack.message', pgtrack._bounded('message', message, 1000), is_local);
END;
COMMENT ON FUNCTION pgtrack.set_message(text, boolean) IS
  'Says why this transaction, or without is_local this session, makes changes: a commit message, of at most 1,000 characters. '
  'Null takes it back.';

-- ==== upgrade/foreign_columns.sql ====

-- History of before foreign types were stored as text. What is stored is what the type's output function makes of it; keys
-- that were noted as JSON of composites, ranges and arrays get the same form, where that runs nobody's code.
CREATE OR REPLACE FUNCTION pgtrack._convert_columns(p_table name) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_convert_columns$
DECLARE
  v_columns  record;
  v_policy   name;
BEGIN
  SELECT array_agg(a.attname) AS names, array_agg(pgtrack._stored_type_of(t.oid)) AS types, array_agg(y.type) AS type_names,
         array_agg(CASE WHEN pgtrack._foreign_kind(t.oid) IS NOT NULL THEN pgtrack._output_sql(quote_ident(a.attname), t.oid, true)
                        WHEN pgtrack._stored_type_of(t.oid) >= 16384 THEN format('coalesce(%I, NULL)', a.attname)
                        ELSE format('%I::%s', a.attname, y.type) END) AS values
  INTO v_columns
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (SELECT pgtrack._stored_type(t.oid, a.atttypmod) AS type) y
  WHERE a.attrelid = to_regclass(format('pgtrack_history.%I', p_table)) AND a.attnum > 0 AND NOT a.attisdropped
    AND (pgtrack._foreign_kind(t.oid) IS NOT NULL OR t.typtype = 'd')
    -- One that is left to what stands on it.
    AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.history_table = p_table AND NOT EXISTS (
      SELECT FROM pgtrack.relation_column c WHERE c.relation_id = r.relation_id AND c.history_column = a.attname));
  IF v_columns.names IS NULL THEN
    RETURN false;
  END IF;
  -- A policy that names the column would be in the way.
  FOR v_policy IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = format('pgtrack_history.%I', p_table)::regclass LOOP
    EXECUTE format('DROP POLICY %I ON pgtrack_history.%I', v_policy, p_table);
  END LOOP;
  BEGIN
    EXECUTE (SELECT format('ALTER TABLE pgtrack_history.%I %s', p_table, string_agg(format('ALTER COLUMN %I TYPE %s USING %s', c.name, c.type_name, c.value), ', '))
             FROM unnest(v_columns.names, v_columns.types, v_columns.type_names, v_columns.values) AS c (name, type, type_name, value)
             HAVING bool_and(c.type < 16384));
  -- Or there is nothing to execute: a type is named that is not PostgreSQL's.
  EXCEPTION WHEN feature_not_supported OR null_value_not_allowed THEN
    PERFORM pgtrack._retype_history_column(format('pgtrack_history.%I', p_table)::regclass, c.name, c.type, c.type_name, c.value)
    FROM unnest(v_columns.names, v_columns.types, v_columns.type_names, v_columns.values) AS c (name, type, type_name, value);
  END;
  RETURN true;
END
$_convert_columns$;
COMMENT ON FUNCTION pgtrack._convert_columns(name) IS
  'Stores as text what a history table or copy has of foreign types, and what it has of domains as what they are based on; '
  'whether there was any.';

CREATE OR REPLACE FUNCTION pgtrack._convert_keys(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex' AS $_convert_keys$
DECLARE
  v_part  record;
BEGIN
  PERFORM pgtrack._make_own_type(p_relation, b.type)
  FROM pgtrack._key_parts(p_relation) k CROSS JOIN LATERAL pgtrack._base_type(k.type, -1) b WHERE k.kind NOT IN ('enum', 'base');
  FOR v_part IN
    SELECT format('UPDATE pgtrack.%I SET %2$I = %2$I || (SELECT jsonb_build_object(%3$L, %4$s) FROM jsonb_to_record(%2$I) AS x (%5$I %6$s))'
                  ' WHERE relation_id = $1 AND %2$I ? %3$L',
                  n.table_name, n.column_name, k.column_name, pgtrack._output_sql(format('x.%I', k.column_name), b.type, true),
                  k.column_name, pgtrack._own_type(b.type)) AS statement
    FROM pgtrack._key_parts(p_relation) k
    CROSS JOIN LATERAL pgtrack._base_type(k.type, -1) b
    CROSS JOIN (VALUES ('key_change', 'old_key'), ('key_change', 'new_key'), ('purged_version', 'row_key'), ('erasure', 'row_key'))
      AS n (table_name, column_name)
    WHERE k.kind NOT IN ('enum', 'base') AND NOT pgtrack._runs_foreign_code(k.type)
  LOOP
    EXECUTE v_part.statement USING p_relation;
  END LOOP;
  PERFORM pgtrack._drop_own_names();
END
$_convert_keys$;
COMMENT ON FUNCTION pgtrack._convert_keys(integer) IS 'Brings the noted keys of a table into the form in which they are stored now.';

CREATE OR REPLACE FUNCTION pgtrack._convert_foreign_columns(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_convert_foreign_columns$
BEGIN
  PERFORM pgtrack._convert_columns(k.kept_table) FROM pgtrack.kept k WHERE k.relation_id = p_relation;
  IF pgtrack._convert_columns((SELECT r.history_table FROM pgtrack.relation r WHERE r.relation_id = p_relation)) THEN
    PERFORM pgtrack._convert_keys(p_relation), pgtrack._generate_policy(p_relation);
  END IF;
END
$_convert_foreign_columns$;
COMMENT ON FUNCTION pgtrack._convert_foreign_columns(integer) IS
  'Stores as text what the history and the copies of a table have of types that an ordinary role can create.';

-- ==== upgrade/open.sql ====

-- Before revision 3 one function noted the statements on all tables. Triggers that call it are replaced where that keeps no
-- writer waiting and the installing role may; the others go on with it until DDL on their table renews them. Whoever restores
-- a dump from then makes such triggers, too.
CREATE OR REPLACE FUNCTION pgtrack_history.open() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $open$
BEGIN
  PERFORM pgtrack._note_open(pgtrack._open() || concat(TG_ARGV[0], ':', pg_trigger_depth(), left(TG_OP, 1)));
  RETURN NULL;
END
$open$;
COMMENT ON FUNCTION pgtrack_history.open() IS
  'Notes that a statement has begun, for triggers of an earlier revision. SECURITY DEFINER: whoever writes the table cannot seal the note.';

CREATE OR REPLACE FUNCTION pgtrack._renew_open(p_relation integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_renew_open$
BEGIN
  IF (SELECT count(*) FILTER (WHERE c.name = 'pgtrack_open') = 0 OR count(*) FILTER (WHERE c.name NOT IN ('pgtrack_open', 'pgtrack_update_key')) > 0
      FROM pgtrack._trigger_changes(p_relation) c) THEN
    RETURN false;
  END IF;
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      PERFORM pgtrack._generate_triggers(p_relation, false);
      RETURN true;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05 + random() * 0.1);
    WHEN insufficient_privilege THEN
      RETURN true;
    END;
  END LOOP;
  RETURN true;
END
$_renew_open$;
COMMENT ON FUNCTION pgtrack._renew_open(integer) IS
  'Lets the triggers of a table call its own function, not open(), or leaves them; false if other triggers of it have to be mended, too.';

-- ==== about.sql ====

CREATE OR REPLACE FUNCTION pgtrack.version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT v.version FROM pgtrack.installed_version v ORDER BY v.installed_at DESC LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack.version() IS 'The installed version of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._functions() RETURNS TABLE (verb text, call text, description text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Two forms of a verb differ only in the key's type; one line for both.
  SELECT DISTINCT ON (f.verb, f.call) f.verb, f.call, f.description
  FROM (SELECT regexp_replace(coalesce((SELECT o.proname FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND 'plan_' || o.proname = p.proname LIMIT 1),
                                       p.proname), '_pk$', '') AS verb,
               format('pgtrack.%s(%s)', p.proname,
                      regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), $r$\mkey (anyelement|text)$r$, 'key'), $r$::[a-z ]+(\[\])?$r$, '', 'g')) AS call,
               obj_description(p.oid, 'pg_proc') AS description
        FROM pg_proc p
        WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname NOT LIKE $r$\_%$r$) f
  ORDER BY f.verb, f.call;
END;
COMMENT ON FUNCTION pgtrack._functions() IS
  'Every function for people. Of one verb are also its twin that only plans, and its form for a key of several columns.';

CREATE OR REPLACE FUNCTION pgtrack._wrapped(p_text text, p_width integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT rtrim(regexp_replace(p_text, format($r$(.{1,%s})(\s+|$)$r$, p_width), E'\\1\n', 'g'), E'\n');
END;
COMMENT ON FUNCTION pgtrack._wrapped(text, integer) IS 'A text in lines of a width.';

CREATE OR REPLACE FUNCTION pgtrack.help(verb text DEFAULT NULL) RETURNS TABLE (call text, description text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $help$
DECLARE
  c_first CONSTANT  text[] := '{track,untrack,log,show,changes,history,blame,deleted,undo_last,undo,undo_transaction,restore,revert,rollback_to}';
  v_verb            text := regexp_replace(lower(help.verb), $r$^pgtrack\.|\(.*$$r$, '', 'g');
BEGIN
  IF v_verb IS NULL THEN
    RETURN QUERY
      SELECT f.verb, CASE WHEN length(f.line) <= 76 THEN f.line ELSE regexp_replace(left(f.line, 73), $r$\s+\S*$$r$, '') || ' ...' END
      FROM (SELECT DISTINCT ON (a.verb) a.verb, rtrim(split_part(regexp_replace(a.description, '[:;.] ', E'\n'), E'\n', 1), '.') AS line
            FROM pgtrack._functions() a ORDER BY a.verb, a.call LIKE $r$pgtrack.plan\_%$r$) f
      ORDER BY array_position(c_first, f.verb), f.verb;
    RETURN;
  END IF;
  RETURN QUERY
    SELECT pgtrack._wrapped(f.call, 46), pgtrack._wrapped(f.description, 46)
    FROM pgtrack._functions() f WHERE v_verb IN (f.verb, substring(f.call, $r$pgtrack\.([a-z_]+)$r$)) ORDER BY f.call LIKE $r$pgtrack.plan\_%$r$, f.call;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no function "%"', help.verb USING
      ERRCODE = 'undefined_function', HINT = 'SELECT * FROM pgtrack.help() lists them.';
  END IF;
END
$help$;
COMMENT ON FUNCTION pgtrack.help(text) IS 'Every function in one line; all about one of them, named without pgtrack, such as help(''undo'').';

CREATE OR REPLACE FUNCTION pgtrack.info() RETURNS TABLE (property text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT i.property, i.value FROM (VALUES
    ('version', pgtrack.version()),
    ('owner', (SELECT pg_get_userbyid(n.nspowner) || CASE WHEN n.nspowner = to_regrole('pgtrack_owner') THEN ''
                      ELSE ', not pgtrack_owner: install as a superuser, or as a role that may create roles' END
               FROM pg_namespace n WHERE n.nspname = 'pgtrack')),
    ('tracked tables', (SELECT count(*)::text FROM pgtrack.relation r WHERE r.tracked_until IS NULL)),
    ('tracked schemas', (SELECT coalesce(string_agg(t.schema_name, ', ' ORDER BY t.schema_name), 'none') FROM pgtrack.tracked_schema t)),
    ('recorded statements', (SELECT format('about %s', greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint) FROM pg_class c
                             WHERE c.oid = 'pgtrack.statement'::regclass)),
    ('recorded row changes', (SELECT format('about %s', coalesce(sum(t.estimated_changes), 0)) FROM pgtrack.tracked_table t)),
    ('size of the history', (SELECT pg_size_pretty(coalesce(sum(t.history_bytes), 0) + pg_total_relation_size('pgtrack.statement'))
                             FROM pgtrack.tracked_table t)),
    ('oldest change', (SELECT min(s.at)::text FROM pgtrack.statement s
                       WHERE s.xid = (SELECT x.xid FROM pgtrack.statement x ORDER BY x.xid LIMIT 1))),
    ('DDL on tracked tables', CASE WHEN EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtname = 'pgtrack_ddl' AND e.evtenabled <> 'D')
                                   THEN 'followed' ELSE 'shapes are followed at the next write, all else by pgtrack.follow_ddl()' END)
  ) AS i (property, value);
END;
COMMENT ON FUNCTION pgtrack.info() IS 'The state of pg_track in this database. Counts are what the statistics say.';

-- ==== install/closed.sql ====

-- Members of pg_read_all_data and pg_write_all_data have rights on every table, on ours too. Row security, which they do not
-- get round, hides what is not for everybody, and lets only the owner write. The other tables everybody reads, with row
-- security turned off, too, so a trigger of theirs refuses who writes. Keys of seals have both.
CREATE OR REPLACE FUNCTION pgtrack._refuse_others() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_others$
BEGIN
  IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'permission denied for table %', TG_TABLE_NAME USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'Only functions of pg_track write its tables.';
  END IF;
  RETURN NULL;
END
$_refuse_others$;
COMMENT ON FUNCTION pgtrack._refuse_others() IS 'Refuses who writes a table of pg_track and does not own it, whatever rights they have.';

DO $closed$
DECLARE
  c_keys CONSTANT  regclass[] := '{pgtrack.secret,pgtrack.proxy_key}';
  v_table          regclass;
BEGIN
  PERFORM pgtrack._set_policy('pgtrack.proxy_key', 'readers', 'SELECT', '(SELECT pgtrack._is_granted(''pgtrack.proxy_key'', ''SELECT''))');
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE NOT c.relrowsecurity AND c.relkind = 'r'
      -- Those for rows that move, of an earlier installation.
      AND (c.oid = ANY (c_keys) OR c.relnamespace = 'pgtrack_history'::regnamespace AND c.relpersistence = 'u')
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  END LOOP;
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'r' AND (c.oid = ANY (c_keys) OR NOT c.relrowsecurity)
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'pgtrack_closed')
  LOOP
    -- Nearly always the condition says it, which costs less than the function.
    EXECUTE format('CREATE TRIGGER pgtrack_closed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
                   ' FOR EACH STATEMENT WHEN (CURRENT_USER <> ''pgtrack_owner'') EXECUTE FUNCTION pgtrack._refuse_others()', v_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER pgtrack_closed', v_table);
    EXECUTE format('COMMENT ON TRIGGER pgtrack_closed ON %s IS %L', v_table, 'Only the owner writes the table.');
  END LOOP;
  -- In a publication of all tables, what has no identity can be neither changed nor deleted.
  FOR v_table IN
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
  LOOP
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_table);
  END LOOP;
END
$closed$;

-- ==== install/rights.sql ====

-- Who may do what. Functions act with the caller's own rights; what runs with the owner's is closed but for a few that
-- everybody may call, each of which checks for itself what it does for whom.

GRANT USAGE ON SCHEMA pgtrack, pgtrack_history TO PUBLIC;
GRANT SELECT ON pgtrack.installed_version, pgtrack.relation, pgtrack.relation_column, pgtrack.key_change, pgtrack.tag, pgtrack.epoch, pgtrack.relation_shape,
                pgtrack.kept, pgtrack.tracked_schema, pgtrack.purged_version, pgtrack.erasure, pgtrack.audit_entry, pgtrack.generated, pgtrack.trigger_word,
                pgtrack.tracked_table, pgtrack.audit TO PUBLIC;
-- Texts are read through the view.
DO $texts$
BEGIN
  REVOKE SELECT ON pgtrack.statement FROM PUBLIC;
  EXECUTE (SELECT format('GRANT SELECT (%s) ON pgtrack.statement TO PUBLIC', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
           FROM pg_attribute a
           WHERE a.attrelid = 'pgtrack.statement'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('query', 'message'));
END
$texts$;
-- An older installation let everybody add entries.
REVOKE INSERT (verb, arguments, statement, message) ON pgtrack.audit_entry FROM PUBLIC;

DO $definers$
DECLARE
  c_public CONSTANT  text[] := '{_begin_call,_command_id,_concerns_hidden,_end_call,_entry,_find_last,_has_erasures,_is_as_myself,_is_erased,_permit_as_myself,_purged_versions_of,_require_present_snapshot,_tell_by_rows}';
  c_owner CONSTANT   text[] := '{_session_context,_sealed,_unsealed,_open,_note_open,_statement_id}';
  v_function         record;
BEGIN
  FOR v_function IN
    SELECT p.oid::regprocedure AS signature, p.proname FROM pg_proc p
    WHERE p.pronamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace) AND (p.prosecdef OR p.proname = ANY (c_owner))
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function.signature);
    IF v_function.proname = ANY (c_public) THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', v_function.signature);
    END IF;
  END LOOP;
END
$definers$;

-- ==== install/service_role.sql ====

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

-- ==== install/dump.sql ====

-- An extension's tables are dumped empty unless it says otherwise.
DO $dump$
DECLARE
  v_table  regclass;
BEGIN
  IF EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
             WHERE d.classid = 'pg_namespace'::regclass AND d.objid = 'pgtrack'::regnamespace AND e.extname = 'pg_track') THEN
    FOREACH v_table IN ARRAY '{pgtrack.relation,pgtrack.relation_relation_id_seq,pgtrack.relation_column,pgtrack.statement_id_seq,'
                             'pgtrack.statement,pgtrack.key_change,pgtrack.tag,pgtrack.epoch,pgtrack.purged_version,'
                             'pgtrack.erasure,pgtrack.audit_entry,pgtrack.audit_entry_entry_id_seq,pgtrack.tracked_schema,'
                             'pgtrack.kept,pgtrack.kept_kept_id_seq,pgtrack.generated,pgtrack.trigger_word}'::regclass[]
    LOOP
      PERFORM pg_extension_config_dump(v_table, '');
    END LOOP;
  END IF;
END
$dump$;

-- ==== tracking/event_triggers.sql ====

-- Which commands are followed (on_ddl.sql, drops.sql). Last, so that they do not fire for what the script itself defines.
DO $event_triggers$
DECLARE
  c_tags CONSTANT   text[] := ARRAY['ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE FOREIGN TABLE', 'CREATE TRIGGER',
                                    'ALTER TRIGGER', 'CREATE INDEX', 'ALTER INDEX', 'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE PROCEDURE',
                                    'ALTER PROCEDURE', 'ALTER ROUTINE', 'CREATE SCHEMA', 'ALTER SCHEMA',
                                    'ALTER TYPE', 'CREATE EXTENSION', 'ALTER EXTENSION'];
  -- What can take columns, defaults, keys or triggers of a table along.
  c_drops CONSTANT  text[] := ARRAY['DROP TYPE', 'DROP DOMAIN', 'DROP FUNCTION', 'DROP ROUTINE', 'DROP SEQUENCE', 'DROP COLLATION', 'DROP TABLE',
                                    'DROP FOREIGN TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW', 'DROP SCHEMA', 'DROP EXTENSION', 'DROP OWNED', 'DROP TRIGGER',
                                    'DROP OPERATOR', 'DROP OPERATOR CLASS', 'DROP OPERATOR FAMILY'];
  v_trigger         record;
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  -- Only superusers may create event triggers. Without them, pgtrack.follow_ddl() finds what they would have told.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) THEN
    FOR v_trigger IN
      SELECT * FROM (VALUES
        ('pgtrack_before_ddl', 'ddl_command_start', ARRAY['ALTER TABLE', 'ALTER TYPE'], '_before_ddl', 'Takes the triggers for key changes out of the way of ALTER TABLE.'),
        ('pgtrack_ddl', 'ddl_command_end', c_tags || ARRAY['GRANT', 'REVOKE', 'DROP OWNED'], '_on_ddl', 'Follows DDL on tracked tables.'),
        ('pgtrack_ddl_triggers', 'ddl_command_end', c_tags || c_drops, '_on_ddl_triggers', 'Brings triggers in step with tracked tables.'),
        ('pgtrack_ddl_triggers_made', 'ddl_command_end', c_tags || c_drops, '_on_ddl_triggers_made', 'Takes back the right to make triggers.'),
        ('pgtrack_drop', 'sql_drop', NULL, '_on_drop', 'Notes dropped tables.')
      ) AS t (name, event, tags, function, comment)
    LOOP
      EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I', v_trigger.name);
      EXECUTE format('CREATE EVENT TRIGGER %I ON %s %s EXECUTE FUNCTION pgtrack.%I()', v_trigger.name, v_trigger.event,
                     'WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(v_trigger.tags) t) || ')', v_trigger.function);
      EXECUTE format('COMMENT ON EVENT TRIGGER %I IS %L', v_trigger.name, v_trigger.comment);
    END LOOP;
  END IF;
  IF current_setting('pgtrack.owner') <> current_user THEN
    PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  END IF;
END
$event_triggers$;

-- ==== install/existing.sql ====

-- What is there already, from an earlier installation

INSERT INTO pgtrack.epoch (first_statement_id, system_identifier)
SELECT 0, c.system_identifier FROM pg_control_system() c WHERE NOT EXISTS (SELECT FROM pgtrack.epoch);

INSERT INTO pgtrack.secret (inner_key, outer_key)
SELECT (SELECT decode(string_agg(lpad(to_hex(get_byte(k.key, i) # 54), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 63) i),
       (SELECT decode(string_agg(lpad(to_hex(get_byte(k.key, i) # 92), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 63) i)
-- A key of 32 random bytes, padded with zeros to the block of SHA-256.
FROM (SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || decode(repeat('00', 32), 'hex') AS key) k
WHERE NOT EXISTS (SELECT FROM pgtrack.secret);

-- Revision 1 recorded signatures of the proxy where others could read them: what was signed with its key counts no more.
DELETE FROM pgtrack.proxy_key
WHERE (SELECT v.revision FROM pgtrack.installed_version v ORDER BY v.installed_at DESC LIMIT 1) < 2;

INSERT INTO pgtrack.proxy_key (key)
SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) WHERE NOT EXISTS (SELECT FROM pgtrack.proxy_key);

DO $upgrade$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r JOIN pg_class c ON c.oid = to_regclass(format('pgtrack_history.%I', r.history_table))
                    WHERE c.relreplident <> 'f' LOOP
    EXECUTE format('ALTER TABLE pgtrack_history.%I REPLICA IDENTITY FULL', v_relation.history_table);
  END LOOP;
  PERFORM pgtrack._convert_foreign_columns(r.relation_id) FROM pgtrack.relation r;
  PERFORM pgtrack._close_copy(k.kept_table)
  FROM pgtrack.kept k JOIN pg_class c ON c.oid = to_regclass(format('pgtrack_history.%I', k.kept_table)) WHERE NOT c.relrowsecurity;
  PERFORM pgtrack._follow_trigger_functions(true);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
    UPDATE pgtrack.relation SET options = pgtrack._options(options) WHERE relation_id = v_relation.relation_id AND options <> pgtrack._options(options);
    PERFORM pgtrack._mark_if_written(v_relation.relation_id), pgtrack._sync(v_relation.relation_id);
  END LOOP;
  -- Those that are not tracked any more are still read; an earlier version named types of extensions in what that takes.
  FOR v_relation IN
    SELECT r.* FROM pgtrack.relation r JOIN pgtrack.relation_shape s USING (relation_id)
    WHERE r.tracked_until IS NOT NULL AND s.type_names IS NOT NULL AND s.fingerprint = pgtrack._fingerprint(r.relid)
  LOOP
    PERFORM pgtrack._make_own_names(v_relation.relation_id);
    DELETE FROM pgtrack.relation_shape WHERE relation_id = v_relation.relation_id;
    INSERT INTO pgtrack.relation_shape SELECT m.* FROM pgtrack._make_shape(v_relation.relid) m;
  END LOOP;
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE to_regclass(format('pgtrack_history.%I', r.history_table)) IS NOT NULL LOOP
    PERFORM pgtrack._generate_policy(v_relation.relation_id);
    PERFORM pgtrack._sync_rights(v_relation.relation_id);
  END LOOP;
  -- The policies of an earlier version stood on the one; the other had no argument then.
  PERFORM pgtrack._drop_function(f.signature::regprocedure)
  FROM unnest('{"pgtrack._sees_row(integer, jsonb)",pgtrack.help(),"pgtrack._statement_id(integer, text, integer, boolean)",
       "pgtrack._path(integer, jsonb, bigint, jsonb)"}'::text[]) AS f (signature)
  WHERE to_regprocedure(f.signature) IS NOT NULL;
END
$upgrade$;

INSERT INTO pgtrack.installed_version (version, revision) VALUES ('1.0', 5)
ON CONFLICT (version) DO UPDATE SET revision = excluded.revision, installed_at = excluded.installed_at, installed_by = excluded.installed_by;

-- What belongs to the tables is done with the rights of whoever installs.
DO $triggers$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r WHERE r.tracked_until IS NULL ORDER BY r.relation_id LOOP
    PERFORM pgtrack._let_owner_read(v_relation.relid);
    PERFORM pgtrack._generate_triggers(v_relation.relation_id, false) WHERE NOT pgtrack._renew_open(v_relation.relation_id);
  END LOOP;
  PERFORM set_config('role', current_setting('pgtrack.owner'), true);
  PERFORM pgtrack._unmark_unfinished(ARRAY(SELECT r.relation_id FROM pgtrack.relation r WHERE r.is_written_nested));
  -- CREATE EXTENSION does not end the transaction.
  PERFORM set_config('role', current_setting('pgtrack.installer'), true);
END
$triggers$;

\echo 'pg_track 1.0 is installed. Next: SELECT * FROM pgtrack.track(''a schema or table'');' \\ COMMIT;
