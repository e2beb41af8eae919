-- What the recorders of a partitioned table do about rows that move. In MERGE these are in the transition tables of DELETE and
-- INSERT, if it has such actions, but they are the UPDATE's. The triggers fire in the order DELETE, UPDATE, INSERT
-- (fireASTriggers in src/backend/executor/nodeModifyTable.c): a row that left is told by its note, one that came by the change
-- of its key, which is recorded by then. Without a primary key nothing tells it, and its deletion and insertion are recorded as such.

CREATE OR REPLACE FUNCTION pgtrack._moving_sql(p_relation integer, p_operation text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(E'\n  moving  pg_catalog.bool := %s;', pgtrack._may_move_sql(p_relation))
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND (p_operation <> 'insert' OR r.key_columns <> '{}');
END;
COMMENT ON FUNCTION pgtrack._moving_sql(integer, text) IS 'The declaration, in a recorder of a partitioned table, that says whether rows may move.';

-- Functions of their own: the plans are made for tables that are thought to be empty, which they are not while rows move.
CREATE OR REPLACE FUNCTION pgtrack._generate_are_moving(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_are_moving$
BEGIN
  PERFORM pgtrack._create_function(p_relation, format('are_moving_%s(text, integer)', p_relation),
    'RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off', format($$
BEGIN
  RETURN CASE $1
    WHEN 'insert' THEN EXISTS (SELECT FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id_if_assigned() AND c.relation_id = %1$s)
    WHEN 'update' THEN EXISTS (SELECT FROM %2$s m WHERE m.xid = pg_current_xact_id_if_assigned() AND m.claimed = $2)
    ELSE EXISTS (SELECT FROM %2$s m WHERE m.xid = pg_current_xact_id_if_assigned() AND m.claimed IS NULL AND m.departs) END;
END
$$, p_relation, format('pgtrack_history.%I', format('moves_%s', p_relation))), 'Whether a statement on @ concerns rows that have moved.', NULL);
END
$_generate_are_moving$;
COMMENT ON FUNCTION pgtrack._generate_are_moving(integer) IS 'Writes the function that says whether a statement concerns rows that have moved.';

CREATE OR REPLACE FUNCTION pgtrack._are_moving_sql(p_relation integer, p_operation text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(E'IF pgtrack.moving THEN\n    moving := pgtrack_history.%I(%L, pg_catalog.pg_trigger_depth());\n  END IF;\n  ',
                format('are_moving_%s', p_relation), p_operation)
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND (p_operation <> 'insert' OR r.key_columns <> '{}');
END;
COMMENT ON FUNCTION pgtrack._are_moving_sql(integer, text) IS 'The part of a recorder of a partitioned table that finds out whether rows move.';

-- A statement of its own: with a condition that is mostly empty, PostgreSQL would plan the usual one anew each time.
CREATE OR REPLACE FUNCTION pgtrack._unmoved_sql(p_relation integer, p_operation text, p_from text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(E'IF pgtrack.moving THEN\n    %s;\n  ELS', pgtrack._images_sql(p_relation, p_operation, 'pgtrack.id', 'r', p_from || format(CASE p_operation
      WHEN 'insert' THEN ' WHERE NOT pgtrack_history.%1$I(%2$s)'
      ELSE ' WHERE NOT %2$s OPERATOR(pg_catalog.=) ANY (SELECT m.old_key FROM pgtrack_history.%3$I AS m '
           'WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.claimed IS NULL AND m.departs)' END,
    format('has_arrived_%s', p_relation), pgtrack._live_key_sql(p_relation, 'r'), format('moves_%s', p_relation))))
  FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.key_columns <> '{}' AND p_operation <> 'update';
END;
COMMENT ON FUNCTION pgtrack._unmoved_sql(integer, text, text) IS
  'The branch of a recorder of a partitioned table, while rows move, that records those which do not belong to the UPDATE of a MERGE.';

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

CREATE OR REPLACE FUNCTION pgtrack._moved_sql(p_relation integer, p_operation text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE p_operation WHEN 'update' THEN format($$
  IF pgtrack.moving THEN
    -- A plain UPDATE has the rows that it moves in its transition table.
    rows := pgtrack.rows OPERATOR(pg_catalog.+) pgtrack_history.%2$I(pgtrack.id, EXISTS (
      SELECT FROM pgtrack_old AS r CROSS JOIN (
        SELECT m.* FROM pgtrack_history.%1$I AS m
        WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.claimed OPERATOR(pg_catalog.=) pg_catalog.pg_trigger_depth() AND m.departs
        ORDER BY m.move_id LIMIT 1) AS m
      WHERE %3$s), pg_catalog.pg_trigger_depth());
  END IF;$$, format('moves_%s', p_relation), format('record_moves_%s', p_relation), pgtrack._is_note_sql(p_relation))
  WHEN 'delete' THEN (SELECT format($$
  IF pgtrack.moving THEN
    DELETE FROM pgtrack_history.%1$I AS m
    WHERE m.xid OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND m.claimed IS NULL;
  END IF;$$, format('moves_%s', p_relation)) FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.key_columns = '{}') END;
END;
COMMENT ON FUNCTION pgtrack._moved_sql(integer, text) IS 'The part of a recorder of a partitioned table that deals with the rows that have moved.';

-- Nobody can insert a row under a key that another has come to and not left. So one that was inserted there is that other.
CREATE OR REPLACE FUNCTION pgtrack._generate_has_arrived(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_has_arrived$
BEGIN
  PERFORM pgtrack._create_function(p_relation, format('has_arrived_%s(jsonb)', p_relation),
    'RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp', format($$
BEGIN
  RETURN EXISTS (
    SELECT FROM pgtrack.key_change c
    WHERE c.relation_id = %1$s AND c.new_key = $1 AND c.xid = pg_current_xact_id() AND c.statement_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM pgtrack._key_changes(%1$s) d WHERE d.old_key = $1 AND d.xid = c.xid AND d.statement_id > c.statement_id)
      AND NOT EXISTS (
        SELECT FROM jsonb_to_record($1) AS k(%2$s) JOIN pgtrack_history.%3$I h ON %4$s
        JOIN pgtrack.statement s ON s.relation_id = %1$s AND s.statement_id = h.pgtrack_statement_id
        WHERE h.pgtrack_statement_id > c.statement_id AND s.operation IN ('D', 'T')));
END
$$, p_relation, string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position), r.history_table,
      string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('h.%I', k.history_column), format('k.%I', k.column_name)), ' AND ' ORDER BY k.position)),
    'Whether a row of @ has come under a key in this transaction, and is there.', NULL)
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._key_parts(p_relation) k
  WHERE r.relation_id = p_relation GROUP BY r.history_table;
END
$_generate_has_arrived$;
COMMENT ON FUNCTION pgtrack._generate_has_arrived(integer) IS 'Writes the function that tells a row that a MERGE has moved from one that it has inserted.';
