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
