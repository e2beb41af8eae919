-- With on_conflict => 'delta' a number is not set back to what it was. What the undone changes did to it is taken from what
-- it is, so that what others have added or taken away since stays: undone in any order, additions sum to the same. A number
-- that names something (of a key, of a reference, an identity) is no amount; it is set back as other values are.
CREATE OR REPLACE FUNCTION pgtrack._decimal(p_value anyelement) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $_decimal$
BEGIN
  RETURN p_value::text::numeric;
END
$_decimal$;
COMMENT ON FUNCTION pgtrack._decimal(anyelement) IS
  'A floating-point number as people write it, so that what is taken from it leaves no rest; a cast would round it to 15 digits.';

CREATE OR REPLACE FUNCTION pgtrack._amounts(p_relation integer, p_table regclass, p_columns text[])
RETURNS TABLE (column_name name, since bigint, type regtype, typmod integer, recorded text, live text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.column_name, p.since, k.type, b.typmod, format(k.counted, p.old), format(k.counted, p.compared)
  FROM pgtrack.relation r
  CROSS JOIN LATERAL pgtrack._column_parts(p_relation, p_table, p_columns) p
  JOIN (VALUES ('smallint'::regtype, '(%s)::numeric'), ('integer'::regtype, '(%s)::numeric'), ('bigint'::regtype, '(%s)::numeric'),
               ('numeric'::regtype, '(%s)::numeric'), ('money'::regtype, '(%s)::numeric'), ('real'::regtype, 'pgtrack._decimal(%s)'),
               ('double precision'::regtype, 'pgtrack._decimal(%s)'), ('interval'::regtype, '(%s)::interval')) AS k (type, counted) ON k.type = p.stored
  JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = p.attnum
  CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, a.atttypmod) b
  WHERE r.relation_id = p_relation AND p.can_update AND a.attidentity = '' AND p.column_name <> ALL (r.key_columns)
    AND NOT EXISTS (SELECT FROM pgtrack._members(p_table) m
                    JOIN pg_attribute l ON l.attrelid = m.relid AND l.attname = a.attname
                    JOIN pg_constraint f ON f.contype = 'f' AND (f.conrelid = m.relid AND l.attnum = ANY (f.conkey)
                                                                 OR f.confrelid = m.relid AND l.attnum = ANY (f.confkey)));
END;
COMMENT ON FUNCTION pgtrack._amounts(integer, regclass, text[]) IS
  'The columns of a table that can be set back by the difference: their types, and their values in the image h and the row t, as they are counted.';

-- Whoever undoes something twice means it once. An undo says what it is of, in the forms that _choice() and _decide() give
-- it; where it was chosen by who did it, or went back to a point, that does not tell of which changes.
CREATE OR REPLACE FUNCTION pgtrack._is_undo_of(p_reverts text, p_statement bigint, p_xid text, p_label text, p_ids bigint[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_reverts ~ '^xid:' THEN p_reverts = 'xid:' || p_xid
              -- What triggers do because of an undo is of other rows.
              WHEN p_reverts ~ '^[0-9]{1,18}$'
                THEN p_statement >= p_reverts::bigint AND (p_reverts::bigint < p_ids[1] OR p_reverts::bigint = ANY (p_ids))
              WHEN p_reverts ~ '^transactions ' THEN p_xid = ANY (string_to_array(substr(p_reverts, 14), ', '))
              WHEN p_reverts ~ '^changes ' THEN p_statement::text = ANY (string_to_array(substr(p_reverts, 9), ', '))
              WHEN p_reverts = p_label THEN true END;
END;
COMMENT ON FUNCTION pgtrack._is_undo_of(text, bigint, text, text, bigint[]) IS
  'Whether an undo was one of a change, which belongs to what is called p_label if that is given; null where nobody can tell. '
  'p_ids: the statements that changed the row.';

-- The changes are gone through as they came. What an undo took away comes back when that is undone, unless it is undone
-- with it.
CREATE OR REPLACE FUNCTION pgtrack._in_force(p_changed boolean[], p_ids bigint[], p_xids text[], p_chosen boolean[], p_reverts text[], p_label text)
RETURNS boolean[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_in_force$
DECLARE
  v_changes  integer := cardinality(p_ids);
  v_by       integer[] := array_fill(0, ARRAY[v_changes]);
  v_is_of    boolean[];
  v_counts   boolean[] := p_chosen;
BEGIN
  FOR u IN 2 .. v_changes LOOP
    CONTINUE WHEN coalesce(p_reverts[u], '') = '' OR NOT p_changed[u];
    v_is_of := array_fill(false, ARRAY[v_changes]);
    FOR n IN 1 .. u - 1 LOOP
      CONTINUE WHEN NOT p_changed[n] OR NOT p_chosen[n] AND coalesce(p_reverts[n], '') = '';
      v_is_of[n] := pgtrack._is_undo_of(p_reverts[u], p_ids[n], p_xids[n], CASE WHEN p_chosen[n] THEN p_label END, p_ids);
      IF v_is_of[n] IS NULL AND v_by[n] = 0 AND NOT (p_chosen[u] AND p_chosen[n]) THEN
        RETURN NULL;
      END IF;
    END LOOP;
    FOR n IN 1 .. u - 1 LOOP
      CONTINUE WHEN v_is_of[n] IS NOT TRUE OR v_by[n] > 0;
      v_by := ARRAY(SELECT CASE WHEN h.holder = n AND v_is_of[h.i] IS NOT TRUE THEN 0 ELSE h.holder END
                    FROM unnest(v_by) WITH ORDINALITY AS h (holder, i) ORDER BY h.i);
      v_by[n] := u;
    END LOOP;
  END LOOP;
  FOR n IN REVERSE v_changes .. 1 LOOP
    v_counts[n] := p_chosen[n] AND (v_by[n] = 0 OR v_counts[v_by[n]]);
  END LOOP;
  RETURN v_counts;
END
$_in_force$;
COMMENT ON FUNCTION pgtrack._in_force(boolean[], bigint[], text[], boolean[], text[], text) IS
  'Which of the changes of a column that are chosen to be undone have not been undone since; null where nobody can tell. '
  'p_changed: which of the row''s changes changed it.';

-- By calls: a cast names its type, and these are for each value of many rows.
CREATE OR REPLACE FUNCTION pgtrack._as_json(p_amount text, p_type regtype, p_typmod integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_as_json$
BEGIN
  RETURN CASE p_type
    WHEN 'smallint'::regtype THEN to_jsonb(p_amount::smallint)
    WHEN 'integer'::regtype THEN to_jsonb(p_amount::integer)
    WHEN 'bigint'::regtype THEN to_jsonb(p_amount::bigint)
    WHEN 'numeric'::regtype THEN to_jsonb("numeric"(p_amount::numeric, p_typmod))
    WHEN 'money'::regtype THEN to_jsonb(p_amount::numeric::money)
    WHEN 'real'::regtype THEN to_jsonb(p_amount::real)
    WHEN 'double precision'::regtype THEN to_jsonb(p_amount::double precision)
    WHEN 'interval'::regtype THEN to_jsonb("interval"(p_amount::interval, p_typmod)) END;
END
$_as_json$;
COMMENT ON FUNCTION pgtrack._as_json(text, regtype, integer) IS 'An amount as a value of a type, as JSON.';

-- Null: no difference exists, of nothing, or of what is no number. What is as after the changes is set to what it was
-- before them, exactly.
CREATE OR REPLACE FUNCTION pgtrack._by_difference(p_values anyarray, p_live anyelement, p_ids bigint[], p_xids text[], p_chosen boolean[],
                                                  p_reverts text[], p_label text, p_since bigint, p_type regtype, p_typmod integer, p_column text)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET IntervalStyle = 'postgres' AS $_by_difference$
DECLARE
  c_no_number CONSTANT  text := 'NaN|[Ii]nfinity';
  v_counts    boolean[] := p_chosen;
  v_after     p_live%TYPE;
  v_sum       p_live%TYPE;
  v_last      p_live%TYPE;
  v_others    boolean := false;
  v_is_alone  boolean;
  v_target    jsonb;
BEGIN
  IF array_to_string(p_reverts, '') <> '' THEN
    v_counts := pgtrack._in_force(ARRAY(SELECT v.before::text IS DISTINCT FROM v.after::text
                                        FROM unnest(p_values, array_append(p_values[2:], p_live)) WITH ORDINALITY AS v (before, after, n) ORDER BY v.n),
                                  p_ids, p_xids, p_chosen, p_reverts, p_label);
    IF v_counts IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
  FOR n IN 1 .. cardinality(p_ids) LOOP
    v_after := CASE WHEN n < cardinality(p_ids) THEN p_values[n + 1] ELSE p_live END;
    CONTINUE WHEN p_ids[n] <= p_since OR p_values[n]::text IS NOT DISTINCT FROM v_after::text;
    IF NOT v_counts[n] THEN
      v_others := true;
      CONTINUE;
    ELSIF (p_values[n]::text || v_after::text || p_live::text ~ c_no_number) IS NOT FALSE THEN
      RETURN NULL;
    END IF;
    v_sum := coalesce(v_sum + (p_values[n] - v_after), p_values[n] - v_after);
    v_last := v_after;
    v_is_alone := NOT v_others;
  END LOOP;
  IF v_sum IS NULL THEN
    RETURN 'false';
  END IF;
  v_sum := CASE WHEN v_is_alone AND p_live::text = v_last::text THEN p_values[1] ELSE p_live + v_sum END;
  v_target := pgtrack._as_json(v_sum::text, p_type, p_typmod);
  RETURN CASE WHEN v_target = pgtrack._as_json(p_live::text, p_type, p_typmod) THEN 'false' ELSE v_target END;
EXCEPTION WHEN numeric_value_out_of_range OR datetime_field_overflow OR interval_field_overflow THEN
  RAISE EXCEPTION 'column % cannot be set back by the difference: it would be out of range', p_column USING
    ERRCODE = 'numeric_value_out_of_range',
    DETAIL = format('It is %s now, and of type %s: %s.', p_live, format_type(p_type, p_typmod), SQLERRM),
    HINT = 'Undo it without that column, or with another on_conflict.';
END
$_by_difference$;
COMMENT ON FUNCTION pgtrack._by_difference(anyarray, anyelement, bigint[], text[], boolean[], text[], text, bigint, regtype, integer, text) IS
  'What a column becomes when the changes of a row that are chosen are taken from it, as JSON; false if that is what it is. '
  'p_values: what it was before each change of the row, oldest first.';

-- Of a row that was deleted or inserted since, the changes are not those of one row.
CREATE OR REPLACE FUNCTION pgtrack._targets_sql(p_table regclass, p_shape pgtrack.relation_shape, p_has_moves boolean, p_label text, p_columns text[])
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_targets_sql$
DECLARE
  v_amounts  record;
BEGIN
  SELECT string_agg(format('%s AS v%s', a.recorded, a.n), ', ') AS values, string_agg(format('array_agg(x.v%1$s) AS v%1$s', a.n), ', ') AS arrays,
         string_agg(format('pgtrack._by_difference(y.v%s, %s, y.ids, y.xids, y.chosen, y.reverts, %L, %s, %s, %s, %L) AS %I', a.n, a.live, p_label, a.since,
                           a.type::oid, a.typmod, format('%I of %s', a.column_name, p_shape.name), a.column_name), ', ') AS targets
  INTO v_amounts
  FROM pgtrack._amounts(p_shape.relation_id, p_table, p_columns) WITH ORDINALITY AS a (column_name, since, type, typmod, recorded, live, n);
  IF v_amounts.values IS NULL THEN
    RETURN 'CROSS JOIN (SELECT NULL::jsonb AS targets) d';
  END IF;
  RETURN format($$CROSS JOIN LATERAL (SELECT CASE WHEN base.handle IS NOT NULL AND t.ctid IS NOT NULL THEN (
      SELECT CASE WHEN y.are_updates THEN (SELECT jsonb_strip_nulls(to_jsonb(pgtrack_row.*)) FROM (SELECT %s) pgtrack_row) END FROM (
        SELECT array_agg(x.id) AS ids, array_agg(x.xid) AS xids, array_agg(x.reverts) AS reverts, array_agg(x.is_chosen) AS chosen,
               bool_and(x.is_update) AS are_updates, %s
        FROM (SELECT h.pgtrack_statement_id AS id, s.xid::text AS xid, s.reverts, coalesce(s.operation = 'U', false) AS is_update,
                     EXISTS (SELECT FROM chosen x WHERE x.statement_id = h.pgtrack_statement_id) AS is_chosen, %s
              FROM %s LEFT JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = h.pgtrack_statement_id
              WHERE h.pgtrack_statement_id >= m.statement_id ORDER BY h.pgtrack_statement_id, h.ctid) x) y) END AS targets OFFSET 0) d$$,
    v_amounts.targets, v_amounts.arrays, v_amounts.values, pgtrack._images_sql(p_shape, p_has_moves), p_shape.relation_id);
END
$_targets_sql$;
COMMENT ON FUNCTION pgtrack._targets_sql(regclass, pgtrack.relation_shape, boolean, text, text[]) IS
  'The part for what columns of a row m become by the difference, as JSON: false where that is what they are; those of which none exists are not in it.';

CREATE OR REPLACE FUNCTION pgtrack._with_targets(p_shape pgtrack.relation_shape, p_work pgtrack._work, p_columns text[]) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_with_targets$
BEGIN
  IF EXISTS (SELECT FROM unnest(p_work.merge_targets) t WHERE t IS NOT NULL) THEN
    p_shape.updated_values := ARRAY(
      SELECT CASE WHEN m.targets IS NULL THEN u.value
                  ELSE format('coalesce((%L::pg_catalog.jsonb OPERATOR(pg_catalog.->>) h.pgtrack_handle::pg_catalog.text)::%s, %s)',
                              m.targets, concat(CASE a.type WHEN 'money'::regtype THEN 'pg_catalog.' END, format_type(a.type, a.typmod)), u.value) END
      FROM unnest(p_shape.updated, p_shape.updated_values) WITH ORDINALITY AS u (name, value, number)
      LEFT JOIN pgtrack._amounts(p_shape.relation_id, p_work.relid, p_columns) a ON quote_ident(a.column_name) = u.name
      LEFT JOIN LATERAL (SELECT jsonb_object_agg(x.handle, x.targets -> a.column_name::text) AS targets
                         FROM unnest(p_work.merges, p_work.merge_targets) AS x (handle, targets)
                         WHERE x.targets -> a.column_name::text <> 'false') m ON true
      ORDER BY u.number);
  END IF;
  RETURN p_shape;
END
$_with_targets$;
COMMENT ON FUNCTION pgtrack._with_targets(pgtrack.relation_shape, pgtrack._work, text[]) IS
  'The pieces for a table where rows are set back by the difference: what a column becomes is looked up by the row''s image.';
