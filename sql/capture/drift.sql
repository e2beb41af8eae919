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
