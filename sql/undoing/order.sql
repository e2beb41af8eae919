-- Rows in an order in which each comes after those that it waits for. Whoever is in a circle waits for ever: one row of
-- each circle is taken out, to be deleted before all others and inserted after them. Of the rows that may come next, one
-- of the same step is taken as long as there is one.
CREATE OR REPLACE FUNCTION pgtrack._in_turn(p_steps integer[], p_followers integer[], p_leaders integer[],
                                            OUT turns integer[], OUT runs integer[], OUT exchanged integer[], OUT circles integer[])
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_in_turn$
DECLARE
  v_rows     integer := cardinality(p_steps);
  v_edges    integer := cardinality(p_leaders);
  -- The edges of each row, as lists: those to rows that wait for it, and to rows that it waits for.
  v_first    integer[] := array_fill(0, ARRAY[v_rows]);
  v_next     integer[] := array_fill(0, ARRAY[v_edges]);
  v_waits    integer[] := array_fill(0, ARRAY[v_rows]);
  v_back     integer[] := array_fill(0, ARRAY[v_rows]);
  v_further  integer[] := array_fill(0, ARRAY[v_edges]);
  v_state    integer[] := array_fill(-1, ARRAY[v_rows]);
  v_ready    integer[] := array_fill(0, ARRAY[(SELECT max(s) FROM unnest(p_steps) s)]);
  v_below    integer[] := array_fill(0, ARRAY[v_rows]);
  v_step     integer := 1;
  v_run      integer := 0;
  v_row      integer;
  v_edge     integer;
  v_seek     integer := 1;
  v_walk     integer := 0;
BEGIN
  turns := '{}';
  runs := '{}';
  exchanged := '{}';
  circles := '{}';
  -- State: -1 in no edge, 0 waiting, -2 done, more than 0 the walk that came by last.
  FOR e IN 1 .. v_edges LOOP
    v_next[e] := v_first[p_leaders[e]];
    v_first[p_leaders[e]] := e;
    v_further[e] := v_back[p_followers[e]];
    v_back[p_followers[e]] := e;
    v_waits[p_followers[e]] := v_waits[p_followers[e]] + 1;
    v_state[p_followers[e]] := 0;
    v_state[p_leaders[e]] := 0;
  END LOOP;
  FOR r IN REVERSE v_rows .. 1 LOOP
    IF v_state[r] = 0 AND v_waits[r] = 0 THEN
      v_below[r] := v_ready[p_steps[r]];
      v_ready[p_steps[r]] := r;
    END IF;
  END LOOP;
  LOOP
    IF v_run = 0 OR v_ready[v_step] = 0 THEN
      SELECT s INTO v_step FROM generate_subscripts(v_ready, 1) s WHERE v_ready[s] > 0 LIMIT 1;
      v_run := v_run + 1;
    END IF;
    IF v_step IS NOT NULL THEN
      v_row := v_ready[v_step];
      v_ready[v_step] := v_below[v_row];
      turns := turns || v_row;
      runs := runs || v_run;
    ELSE
      v_step := 1;
      WHILE v_seek <= v_rows AND v_state[v_seek] < 0 LOOP
        v_seek := v_seek + 1;
      END LOOP;
      EXIT WHEN v_seek > v_rows;
      v_walk := v_walk + 1;
      v_row := v_seek;
      WHILE v_state[v_row] <> v_walk LOOP
        v_state[v_row] := v_walk;
        WHILE v_state[p_leaders[v_back[v_row]]] = -2 LOOP
          v_back[v_row] := v_further[v_back[v_row]];
        END LOOP;
        v_row := p_leaders[v_back[v_row]];
      END LOOP;
      exchanged := exchanged || v_row;
      circles := circles || v_back[v_row];
    END IF;
    v_state[v_row] := -2;
    v_edge := v_first[v_row];
    WHILE v_edge > 0 LOOP
      v_waits[p_followers[v_edge]] := v_waits[p_followers[v_edge]] - 1;
      IF v_waits[p_followers[v_edge]] = 0 AND v_state[p_followers[v_edge]] >= 0 THEN
        v_below[p_followers[v_edge]] := v_ready[p_steps[p_followers[v_edge]]];
        v_ready[p_steps[p_followers[v_edge]]] := p_followers[v_edge];
      END IF;
      v_edge := v_next[v_edge];
    END LOOP;
  END LOOP;
END
$_in_turn$;
COMMENT ON FUNCTION pgtrack._in_turn(integer[], integer[], integer[]) IS
  'Orders the rows that have edges: their turns, in runs of one step each; which rows have to be exchanged, and by which edge each is in a circle.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_circle(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_obstacle text, p_index oid, p_rows tid[])
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_circle$
DECLARE
  v_keys          text;
  v_is_exclusion  boolean := (SELECT i.indisexclusion FROM pg_index i WHERE i.indexrelid = p_index);
  v_name          name := (SELECT c.relname FROM pg_class c WHERE c.oid = p_index);
BEGIN
  EXECUTE format('SELECT string_agg(format(''(%%s)'', pgtrack._key_text(%s)), '' and '' ORDER BY h.ctid) FROM %s h WHERE h.ctid = ANY ($1)',
                 p_shape.key_json, p_shape.history)
  INTO v_keys USING p_rows;
  RAISE EXCEPTION 'rows of % cannot be set back one after the other', p_shape.name USING
    ERRCODE = CASE WHEN v_is_exclusion THEN '23P01' ELSE '23505' END,
    DETAIL = format('%s are in each other''s way by %I, and a row that is deleted and inserted again would mean something else to the %s.',
                    v_keys, v_name, p_obstacle),
    HINT = 'Give one of the rows another value and undo with on_conflict => ''force''; or make the constraint DEFERRABLE.',
    CONSTRAINT = v_name, TABLE = p_work.relid::regclass::text;
END
$_refuse_circle$;
COMMENT ON FUNCTION pgtrack._refuse_circle(pgtrack._work, pgtrack.relation_shape, text, oid, tid[]) IS
  'Refuses rows whose values go round in a circle and that cannot be exchanged.';

-- All rows of a table that are updated, as one step whose columns are those of any.
CREATE OR REPLACE FUNCTION pgtrack._as_one_step(p_steps pgtrack._step[], p_length integer, OUT step pgtrack._step, OUT origins integer[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT ROW(min(s.number), 'update', (SELECT array_agg(DISTINCT c ORDER BY c) FROM unnest(p_steps) u CROSS JOIN LATERAL unnest(u.columns) c WHERE u.kind = 'update'),
             array_agg(x.place ORDER BY s.step, x.n), array_agg(x.leaf ORDER BY s.step, x.n) FILTER (WHERE x.leaf IS NOT NULL),
             array_agg(x.handle ORDER BY s.step, x.n), array_agg(coalesce(x.mask, s.whole) ORDER BY s.step, x.n), true, true, NULL, NULL)::pgtrack._step,
         array_agg(s.step::integer ORDER BY s.step, x.n)
  FROM (SELECT s.*, pgtrack._mask(s.columns, p_length) AS whole
        FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
        WHERE s.kind = 'update') s
  CROSS JOIN LATERAL ROWS FROM (unnest(s.places), unnest(s.leaves), unnest(s.handles), unnest(s.masks)) WITH ORDINALITY AS x (place, leaf, handle, mask, n);
END;
COMMENT ON FUNCTION pgtrack._as_one_step(pgtrack._step[], integer) IS 'The rows that steps update as one step, and of which step each is.';

CREATE OR REPLACE FUNCTION pgtrack._reordered(p_steps pgtrack._step[], p_all pgtrack._step, p_origins integer[], p_turns integer[], p_runs integer[],
                                              p_exchanged integer[])
RETURNS pgtrack._step[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH row AS MATERIALIZED (
    SELECT x.*, t.turn, t.run, e.number IS NOT NULL AS is_exchanged
    FROM ROWS FROM (unnest(p_all.places), unnest(p_all.leaves), unnest(p_all.handles), unnest(p_all.masks), unnest(p_origins))
      WITH ORDINALITY AS x (place, leaf, handle, mask, origin, number)
    LEFT JOIN unnest(p_turns, p_runs) WITH ORDINALITY AS t (number, run, turn) ON t.number = x.number
    LEFT JOIN unnest(p_exchanged) AS e (number) ON e.number = x.number
  ), step AS (
    SELECT r.origin, r.run, r.is_exchanged, array_agg(r.place ORDER BY r.turn, r.number) AS places,
           array_agg(r.leaf ORDER BY r.turn, r.number) FILTER (WHERE r.leaf IS NOT NULL) AS leaves,
           array_agg(r.handle ORDER BY r.turn, r.number) AS handles, array_agg(r.mask ORDER BY r.turn, r.number) AS masks
    FROM row r GROUP BY r.origin, r.run, r.is_exchanged
  )
  SELECT ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.kind <> 'update')
      || ARRAY(SELECT ROW(o.number, CASE WHEN s.is_exchanged THEN 'exchange' ELSE 'update' END, o.columns, s.places, s.leaves, s.handles,
                          CASE WHEN o.masks IS NOT NULL OR s.is_exchanged THEN s.masks END, o.is_moved, s.run IS NOT NULL, NULL, NULL)::pgtrack._step
               FROM step s
               CROSS JOIN LATERAL (SELECT p_steps[s.origin] AS step) p
               CROSS JOIN LATERAL (SELECT (p.step).number, (p.step).columns, (p.step).masks, (p.step).is_moved) o
               ORDER BY s.run NULLS FIRST);
END;
COMMENT ON FUNCTION pgtrack._reordered(pgtrack._step[], pgtrack._step, integer[], integer[], integer[], integer[]) IS
  'Steps with those rows in turn that wait for each other.';

CREATE OR REPLACE FUNCTION pgtrack._in_order(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[], p_writer name)
RETURNS pgtrack._step[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_in_order$
DECLARE
  v_changed     text[] := ARRAY(SELECT DISTINCT p_shape.updated[c] FROM unnest(p_steps) s CROSS JOIN LATERAL unnest(s.columns) c WHERE s.kind = 'update');
  v_all         record;
  v_query       text;
  v_collisions  record;
  v_turns       record;
  v_obstacle    text;
BEGIN
  IF v_changed = '{}' OR NOT EXISTS (SELECT FROM pgtrack._checked_indexes(p_work.relid, v_changed)) THEN
    RETURN p_steps;
  END IF;
  SELECT * INTO v_all FROM pgtrack._as_one_step(p_steps, cardinality(p_shape.updated));
  v_query := pgtrack._collisions_sql(v_all.step, p_shape, p_work.relid, v_changed);
  IF p_writer <> current_user THEN
    v_query := format('SELECT r.* FROM pgtrack._as_role(%L, ''{}'', %L) j CROSS JOIN LATERAL jsonb_to_record(j)'
                      ' AS r (indexes oid[], followers integer[], leaders integer[])', p_writer, v_query);
  END IF;
  EXECUTE v_query INTO v_collisions;
  IF v_collisions.leaders = '{}' THEN
    RETURN p_steps;
  END IF;
  SELECT * INTO v_turns FROM pgtrack._in_turn(v_all.origins, v_collisions.followers, v_collisions.leaders);
  IF v_turns.exchanged <> '{}' THEN
    v_obstacle := pgtrack._exchange_obstacle(p_work.relid);
    IF v_obstacle IS NOT NULL THEN
      PERFORM pgtrack._refuse_circle(p_work, p_shape, v_obstacle, v_collisions.indexes[v_turns.circles[1]],
                                     ARRAY[(v_all.step).handles[v_turns.exchanged[1]],
                                           (v_all.step).handles[v_collisions.leaders[v_turns.circles[1]]]]);
    END IF;
  END IF;
  RETURN pgtrack._reordered(p_steps, v_all.step, v_all.origins, v_turns.turns, v_turns.runs, v_turns.exchanged);
END
$_in_order$;
COMMENT ON FUNCTION pgtrack._in_order(pgtrack._work, pgtrack.relation_shape, pgtrack._step[], name) IS
  'The steps of a revert in an order that unique indexes and exclusion constraints allow.';
