-- The queries of foreign keys that act (CASCADE, SET NULL, SET DEFAULT) belong to the statement that they act for. So one
-- statement can change a row more than once, and PostgreSQL shows all its updates of a table to the trigger at once, in
-- the order in which they happened. Each update of a row after its first gets a number of its own then. Deletions are
-- shown apart, maybe before updates that preceded them.
CREATE OR REPLACE FUNCTION pgtrack._may_repeat(p_table regclass) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    JOIN pg_catalog.pg_constraint c ON c.conrelid = m.relid AND c.contype = 'f'
    WHERE c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('n', 'd'));
END;
COMMENT ON FUNCTION pgtrack._may_repeat(regclass) IS 'Whether a foreign key may update rows of a table, maybe such as the statement has updated itself.';

-- Nearly always no row is there twice, which one look at the keys says.
CREATE OR REPLACE FUNCTION pgtrack._order_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
          IF pgtrack.rows OPERATOR(pg_catalog.>) 1 THEN
            IF EXISTS (SELECT FROM pgtrack_old AS r GROUP BY %2$s HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1)
               OR pgtrack._may_be_out_of_order(%1$s, pgtrack.id) THEN
              <<pgtrack_order>>
              DECLARE
                keys     pg_catalog.jsonb[] := ARRAY(SELECT pgtrack_history.key_%1$s(%2$s) FROM pgtrack_old AS r);
                ids      pg_catalog.int8[];
                present  pg_catalog.jsonb[];
                next_id  pg_catalog.int8;
                updates  pg_catalog.int8;
              BEGIN
                SELECT o.ids, o.present INTO pgtrack_order.ids, pgtrack_order.present FROM pgtrack._in_order(%1$s, pgtrack.id, pgtrack_order.keys) AS o
                WHERE pgtrack.rows OPERATOR(pg_catalog.=) pg_catalog.cardinality(pgtrack_order.keys);
                IF pgtrack_order.ids IS NOT NULL THEN
                  DELETE FROM pgtrack_history.%3$I AS h WHERE h.pgtrack_statement_id OPERATOR(pg_catalog.=) pgtrack.id;
                  %4$s;
                  FOR next_id, updates IN SELECT x.id, pg_catalog.count(*) FROM pg_catalog.unnest(pgtrack_order.ids) AS x (id) GROUP BY x.id ORDER BY x.id LOOP
                    IF pgtrack_order.next_id OPERATOR(pg_catalog.=) pgtrack.id THEN
                      rows := pgtrack_order.updates;
                    ELSE%5$s
                    END IF;
                  END LOOP;
                END IF;
                PERFORM pgtrack._delete_after_updates(%1$s, pgtrack_order.present);
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

-- Statements of one command are recorded after it began. Numbers and times rise together, so the look back ends soon.
CREATE OR REPLACE FUNCTION pgtrack._deletions_before(p_relation integer) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_deletions_before$
DECLARE
  v_statement  record;
  v_deletions  bigint[] := '{}';
BEGIN
  FOR v_statement IN
    SELECT s.statement_id, s.operation, s.at, s.xid FROM pgtrack.statement s WHERE s.relation_id = p_relation ORDER BY s.statement_id DESC
  LOOP
    EXIT WHEN v_statement.at < statement_timestamp();
    CONTINUE WHEN v_statement.xid <> pg_current_xact_id();
    EXIT WHEN v_statement.operation = 'U';
    IF v_statement.operation = 'D' THEN
      v_deletions := v_deletions || v_statement.statement_id;
    END IF;
  END LOOP;
  RETURN v_deletions;
END
$_deletions_before$;
COMMENT ON FUNCTION pgtrack._deletions_before(integer) IS 'The deletions from a table that this command may have made, recorded since its updates of it were recorded last.';

CREATE OR REPLACE FUNCTION pgtrack._key_changes_of(p_relation integer, p_statement bigint) RETURNS SETOF pgtrack.key_change
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT c.* FROM pgtrack.key_change c
  WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation
    AND (c.statement_id = p_statement
         OR c.statement_id IS NULL AND c.change_id > coalesce((SELECT max(s.statement_id) FROM pgtrack.statement s
                                                               WHERE s.xid = pg_current_xact_id() AND s.relation_id = p_relation AND s.operation = 'U'), 0));
END;
COMMENT ON FUNCTION pgtrack._key_changes_of(integer, bigint) IS 'The key changes by an UPDATE that is just being recorded.';

CREATE OR REPLACE FUNCTION pgtrack._may_be_out_of_order(p_relation integer, p_statement bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_may_be_out_of_order$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.key_change c
                 WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation AND (c.statement_id IS NULL OR c.statement_id = p_statement))
      OR pgtrack._deletions_before(p_relation) <> '{}';
END
$_may_be_out_of_order$;
COMMENT ON FUNCTION pgtrack._may_be_out_of_order(integer, bigint) IS 'Whether rows of an UPDATE without two changes under one key may have been changed twice, or deleted, all the same.';

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
-- the next row comes there: so they are found from the end.
CREATE OR REPLACE FUNCTION pgtrack._in_order(p_relation integer, p_statement bigint, p_keys jsonb[], OUT ids bigint[], OUT present jsonb[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_in_order$
DECLARE
  v_after    jsonb[] := p_keys;
  v_changes  bigint[];
  v_places   integer[];
  v_old      jsonb[];
  v_new      jsonb[];
  v_next     integer;
  v_rounds   integer[];
  v_numbers  bigint[];
BEGIN
  SELECT array_agg(c.change_id ORDER BY c.change_id), array_agg(c.old_key ORDER BY c.change_id), array_agg(c.new_key ORDER BY c.change_id)
  INTO v_changes, v_old, v_new FROM pgtrack._key_changes_of(p_relation, p_statement) c;
  v_next := coalesce(cardinality(v_changes), 0);
  v_places := array_fill(NULL::integer, ARRAY[v_next]);
  FOR i IN REVERSE cardinality(p_keys) .. 1 LOOP
    EXIT WHEN v_next = 0;
    IF p_keys[i] = v_old[v_next] THEN
      v_after[i] := v_new[v_next];
      v_places[v_next] := i;
      v_next := v_next - 1;
    END IF;
  END LOOP;
  present := ARRAY(SELECT DISTINCT a FROM unnest(v_after) a);
  v_rounds := pgtrack._rounds(p_keys, v_after, (SELECT pgtrack._has_deferrable_key(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation));
  v_numbers := p_statement || ARRAY(SELECT nextval('pgtrack.statement_id_seq') FROM generate_series(2, (SELECT max(x) FROM unnest(v_rounds) x)));
  IF cardinality(v_numbers) > 1 THEN
    ids := ARRAY(SELECT v_numbers[x.round] FROM unnest(v_rounds) WITH ORDINALITY AS x (round, position) ORDER BY x.position);
    UPDATE pgtrack.key_change c SET statement_id = ids[x.place]
    FROM unnest(v_changes, v_places) AS x (change_id, place) WHERE c.change_id = x.change_id AND x.place IS NOT NULL;
  END IF;
END
$_in_order$;
COMMENT ON FUNCTION pgtrack._in_order(integer, bigint, jsonb[]) IS
  'Of the updates in a transition table, with the keys that their rows had, the statement numbers, if they need more than one; and the keys at which rows were then.';

-- A row that an update has found was there. If it is not now, the deletion that is recorded came later; if there is one, it
-- is another.
CREATE OR REPLACE FUNCTION pgtrack._delete_after_updates(p_relation integer, p_keys jsonb[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_delete_after_updates$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_table      regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_statement  bigint;
  v_later      bigint;
  v_rows       bigint;
BEGIN
  FOREACH v_statement IN ARRAY pgtrack._deletions_before(p_relation) LOOP
    -- The conditions of _prepare_to_read(), but nothing is refused.
    PERFORM FROM pgtrack.relation r WHERE r.relation_id = p_relation FOR KEY SHARE;
    CONTINUE WHEN row_security_active(v_table) OR NOT has_table_privilege(v_table, 'SELECT') OR pgtrack._foreign_expression(v_table) IS NOT NULL;
    v_shape := pgtrack._shape(v_table);
    v_later := nextval('pgtrack.statement_id_seq');
    EXECUTE format('UPDATE %s h SET pgtrack_statement_id = $1 FROM unnest($2) AS x (key) CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s)'
                   ' WHERE h.pgtrack_statement_id = $3 AND %s AND NOT EXISTS (SELECT FROM %s t WHERE %s)',
                   v_shape.history, v_shape.key_record, v_shape.history_is_key, v_shape.live_table, v_shape.live_is_key)
    USING v_later, p_keys, v_statement;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    CONTINUE WHEN v_rows = 0;
    INSERT INTO pgtrack.statement
    SELECT m.* FROM pgtrack.statement s
    CROSS JOIN LATERAL jsonb_populate_record(s, jsonb_build_object('statement_id', v_later, 'row_count', v_rows)) m
    WHERE s.relation_id = p_relation AND s.statement_id = v_statement;
    UPDATE pgtrack.statement s SET row_count = s.row_count - v_rows WHERE s.relation_id = p_relation AND s.statement_id = v_statement;
    DELETE FROM pgtrack.statement s WHERE s.relation_id = p_relation AND s.statement_id = v_statement AND s.row_count = 0;
  END LOOP;
END
$_delete_after_updates$;
COMMENT ON FUNCTION pgtrack._delete_after_updates(integer, jsonb[]) IS
  'Gives deletions by the present command of rows that it had updated before a number after those of the updates.';
