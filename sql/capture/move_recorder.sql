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
