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
