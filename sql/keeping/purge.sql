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

CREATE OR REPLACE FUNCTION pgtrack._count_purged_versions(p_table regclass, p_which text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_count_purged_versions$
DECLARE
  v_shape  record;
  v_move   record;
BEGIN
  SELECT * INTO v_shape FROM pgtrack._known_shape(p_table);
  IF v_shape.keys = '{}' THEN
    RETURN;
  END IF;
  EXECUTE format($$
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT %1$s, pgtrack._canonical_key(x.key, %2$L), sum(x.versions)
    FROM (SELECT %3$s AS key, count(*) AS versions
          FROM pgtrack.statement s JOIN %4$s c ON c.pgtrack_statement_id = s.statement_id CROSS JOIN LATERAL (SELECT c.*) h
          WHERE s.relation_id = %1$s AND (%5$s)
            AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = %1$s) GROUP BY 1) x
    GROUP BY 2
    ON CONFLICT (relation_id, row_key) DO UPDATE SET versions = purged_version.versions + excluded.versions$$,
    v_shape.relation_id, v_shape.key_record, v_shape.key_json, v_shape.history, p_which);
  -- A row whose key was changed takes its number of versions along.
  FOR v_move IN EXECUTE format(
    'SELECT k.old_key, k.new_key FROM pgtrack._key_changes(%1$s) k JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = k.statement_id'
    ' WHERE %2$s ORDER BY k.statement_id', v_shape.relation_id, p_which)
  LOOP
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT p.relation_id, v_move.new_key, p.versions FROM pgtrack.purged_version p
    WHERE p.relation_id = v_shape.relation_id AND p.row_key = v_move.old_key
    ON CONFLICT (relation_id, row_key) DO UPDATE SET versions = excluded.versions;
    DELETE FROM pgtrack.purged_version p WHERE p.relation_id = v_shape.relation_id AND p.row_key = v_move.old_key;
  END LOOP;
END
$_count_purged_versions$;
COMMENT ON FUNCTION pgtrack._count_purged_versions(regclass, text) IS 'Notes how many versions of each row are about to be purged.';

CREATE OR REPLACE FUNCTION pgtrack._purge(p_until timestamptz, p_which text, p_arguments jsonb) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_purge$
DECLARE
  v_relation  pgtrack.relation;
  v_call      text;
BEGIN
  PERFORM pgtrack._require_owner('purge the history of');
  v_call := pgtrack._begin_call(p_arguments);
  FOR v_relation IN SELECT r.* FROM pgtrack.relation r ORDER BY r.relation_id LOOP
    IF v_relation.relid IS NOT NULL THEN
      PERFORM pgtrack._count_purged_versions(v_relation.relid, p_which);
    END IF;
    EXECUTE format('DELETE FROM pgtrack_history.%I h USING pgtrack.statement s'
                   ' WHERE s.relation_id = %s AND h.pgtrack_statement_id = s.statement_id AND (%s)',
                   v_relation.history_table, v_relation.relation_id, p_which);
    GET DIAGNOSTICS changes = ROW_COUNT;
    EXECUTE format('DELETE FROM pgtrack.key_change k USING pgtrack._key_changes(%1$s) c, pgtrack.statement s'
                   ' WHERE k.relation_id = %1$s AND k.xid = c.xid AND k.old_key = c.old_key AND k.new_key = c.new_key'
                   ' AND s.relation_id = %1$s AND s.statement_id = c.statement_id AND (%2$s)', v_relation.relation_id, p_which);
    EXECUTE format('DELETE FROM pgtrack.statement s WHERE s.relation_id = %s AND (%s)', v_relation.relation_id, p_which);
    GET DIAGNOSTICS statements = ROW_COUNT;
    IF statements > 0 THEN
      UPDATE pgtrack.relation SET purged_until = p_until WHERE relation_id = v_relation.relation_id;
      "table" := format('%I.%I', v_relation.schema_name, v_relation.table_name);
      RETURN NEXT;
    END IF;
  END LOOP;
END
$_purge$;
COMMENT ON FUNCTION pgtrack._purge(timestamptz, text, jsonb) IS
  'Forgets the statements that meet a condition, made by pgtrack._purgeable() for the same moment, and records that, with arguments. '
  'Copies of dropped tables stay.';

CREATE OR REPLACE FUNCTION pgtrack.purge(older_than interval) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $purge$
DECLARE
  v_until     timestamptz := clock_timestamp() - older_than;
  v_which     text;
  v_kept      name;
  v_events    text;
BEGIN
  PERFORM pgtrack._require_owner('purge the history of');
  IF older_than IS NULL OR older_than < interval '0' THEN
    RAISE EXCEPTION 'older_than must not be null or negative' USING
      ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM pgtrack.purge(interval ''90 days'') keeps the last 90 days.';
  END IF;
  PERFORM pgtrack._lock_installation();
  v_which := pgtrack._purgeable(v_until);
  v_events := pgtrack._silence_event_triggers();
  FOR v_kept IN DELETE FROM pgtrack.kept k WHERE k.at < v_until RETURNING k.kept_table LOOP
    -- The owner may read it while it is recovered, and make a view of it.
    EXECUTE format('DROP TABLE pgtrack_history.%I CASCADE', v_kept);
  END LOOP;
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  RETURN QUERY SELECT * FROM pgtrack._purge(v_until, v_which, jsonb_build_object('older_than', older_than));
END
$purge$;
COMMENT ON FUNCTION pgtrack.purge(interval) IS
  'Forgets what was changed longer ago than this. Versions keep their numbers; points in time before it are refused.';

CREATE OR REPLACE FUNCTION pgtrack.plan_purge(older_than interval) RETURNS TABLE ("table" text, statements bigint, changes bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $plan_purge$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT format(''%%I.%%I'', r.schema_name, r.table_name), count(*), sum(s.row_count)::bigint'
    ' FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id) WHERE %s GROUP BY r.relation_id ORDER BY r.relation_id',
    pgtrack._purgeable(clock_timestamp() - older_than));
END
$plan_purge$;
COMMENT ON FUNCTION pgtrack.plan_purge(interval) IS 'What purge() would remove, without doing it.';
