-- Where others have changed a row since, on_conflict => 'merge' and 'delta' set back what can be without taking away what
-- they did, and a plan says what that is.

-- Rows r, as _changed_rows_sql() has them. A row that others gave another key is followed; what the set itself did to the
-- key would bring it where others may have gone since.
CREATE OR REPLACE FUNCTION pgtrack._unmerged_sql(p_on_conflict text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_on_conflict IN ('merge', 'delta') THEN
    'CASE WHEN r.newer_id IS NULL THEN NULL WHEN r.operation = ''I'' THEN ''what is undone inserted it'''
    ' WHEN NOT r.is_live THEN ''it has been deleted since'' WHEN r.newer_operation = ''I'' THEN ''it has been inserted again since'''
    ' WHEN r.live_key IS DISTINCT FROM r.canonical_key AND r.newer_key IS DISTINCT FROM r.canonical_key THEN ''what is undone gave it another key'' END'
    ELSE 'NULL::text' END;
END;
COMMENT ON FUNCTION pgtrack._unmerged_sql(text) IS 'The expression for why a row r that others have changed since cannot be merged.';

CREATE OR REPLACE FUNCTION pgtrack._states_sql(p_shape pgtrack.relation_shape, p_on_conflict text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_on_conflict IN ('merge', 'delta') AND p_shape.updated <> '{}' THEN
    format('LEFT JOIN LATERAL (SELECT ARRAY[%s] AS states'
           ' FROM jsonb_to_record(coalesce(r.live_key, r.key)) AS k(%s) JOIN %s t ON %s JOIN %6$s h ON h.ctid = r.handle JOIN %6$s c ON c.ctid = r.base'
           ' WHERE r.newer_id IS NOT NULL AND (%5$s) IS NULL OFFSET 0) merged ON true',
           (SELECT string_agg(format('CASE WHEN r.targets ? %1$L THEN CASE WHEN r.targets -> %1$L <> ''false'' THEN ''difference'' END'
                                     ' WHEN %2$s THEN CASE WHEN %3$s THEN ''back'' WHEN r.is_mixed OR ROW(%4$s)::record *<> ROW(%5$s)::record THEN ''stays'' END END',
                                     p.column_name, u.differs, u.stayed, p.old, p.base), ', ' ORDER BY u.number)
            FROM unnest(p_shape.updated, p_shape.updated_differ, p_shape.updated_stayed) WITH ORDINALITY AS u (name, differs, stayed, number)
            JOIN pgtrack._column_parts(p_shape.relation_id, p_shape.name::regclass, NULL) p ON quote_ident(p.column_name) = u.name),
           p_shape.key_record, p_shape.live_table, p_shape.live_is_key, pgtrack._unmerged_sql(p_on_conflict), p_shape.history)
    ELSE 'CROSS JOIN (SELECT NULL::text[] AS states) merged' END;
END;
COMMENT ON FUNCTION pgtrack._states_sql(pgtrack.relation_shape, text) IS
  'The part for what a merge does to each column of a row r that can be set back: back, difference, or that it stays; null where there is nothing to do.';

CREATE OR REPLACE FUNCTION pgtrack._columns_in(p_updated text[], p_states text[], p_state text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg((parse_ident(u.name))[1] ORDER BY u.number), '{}')
  FROM unnest(p_updated, p_states) WITH ORDINALITY AS u (name, state, number) WHERE u.state = p_state;
END;
COMMENT ON FUNCTION pgtrack._columns_in(text[], text[], text) IS 'The names of the columns that a merge does one thing to.';

CREATE OR REPLACE FUNCTION pgtrack._merge_text(p_unmerged text, p_updated text[], p_states text[], p_action text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT concat_ws('; ', 'the row stays as it is, ' || p_unmerged,
                   'by the difference: ' || nullif(array_to_string(pgtrack._columns_in(p_updated, p_states, 'difference'), ', '), ''),
                   'stays as it is: ' || nullif(array_to_string(pgtrack._columns_in(p_updated, p_states, 'stays'), ', '), ''),
                   CASE WHEN p_states IS NOT NULL AND p_action = 'nothing' THEN 'nothing is left to set back' END);
END;
COMMENT ON FUNCTION pgtrack._merge_text(text, text[], text[], text) IS 'What a merge does to a row, for people.';
