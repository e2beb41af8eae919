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
