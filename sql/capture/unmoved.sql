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

