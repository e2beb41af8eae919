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
