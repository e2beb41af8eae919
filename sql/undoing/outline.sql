-- A plan of any size, in numbers: nobody looks at a million images to decide, and conflicts are what there is to decide about.
CREATE OR REPLACE FUNCTION pgtrack._outline_set(p_set pgtrack._set, p_max integer, p_columns text[], p_on_conflict text)
RETURNS TABLE ("table" text, action text, row_count bigint, conflicts bigint, digest text, row_pk jsonb, before jsonb, after jsonb, conflict text)
-- As in _plan_set().
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
SET jit = off SET enable_memoize = off AS $_outline_set$
DECLARE
  v_table  regclass;
  v_shape  pgtrack.relation_shape;
  v_left   bigint := p_max;
BEGIN
  PERFORM pgtrack._check_on_conflict(p_on_conflict), pgtrack._check_columns(p_set.tables, p_columns);
  FOREACH v_table IN ARRAY p_set.tables LOOP
    PERFORM pgtrack._refuse_moves(v_table, p_set.condition, p_columns);
    v_shape := pgtrack._shape(v_table, p_columns);
    FOR "table", action, row_count, conflicts, digest, row_pk, before, after, conflict IN EXECUTE format($$
      WITH row AS MATERIALIZED (
        SELECT r.action, r.sort_key, r.live_key, r.statement_id, r.newer_id, r.handle, r.is_live, r.version, r.states, r.targets, r.unmerged
        FROM (%1$s) r WHERE r.action <> 'nothing' OR r.is_left
      ), p AS MATERIALIZED (
        SELECT r.*, row_number() OVER (ORDER BY r.newer_id IS NULL, r.statement_id, r.sort_key) AS number,
               (SELECT %5$s FROM %6$s h WHERE h.ctid = r.handle) AS key
        FROM (SELECT r.* FROM row r ORDER BY r.newer_id IS NULL, r.statement_id, r.sort_key LIMIT %3$s) r
      )
      SELECT %2$L, r.action, count(*), count(r.newer_id),
             sum(CASE WHEN r.version IS NOT NULL AND r.newer_id IS NULL AND r.live_key IS NULL THEN r.version
                      ELSE hash_record_extended(ROW(r.handle, r.live_key, r.version, r.newer_id, r.states, r.targets), 0) END)::text,
             NULL::jsonb, NULL::jsonb, NULL::jsonb, NULL::text
      FROM row r GROUP BY r.action
      UNION ALL
      (SELECT %2$L, s.action, NULL, NULL, NULL, s.row_pk, s.before, s.after, s.conflict FROM (SELECT p.number, %4$s) s ORDER BY s.number)$$,
      pgtrack._planned_rows_sql(v_table, v_shape, p_set, p_columns, p_on_conflict), v_shape.name, v_left, pgtrack._planned_step_sql(v_shape, p_columns),
      v_shape.key_json, v_shape.history)
    LOOP
      IF row_pk IS NOT NULL THEN
        v_left := v_left - 1;
      END IF;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END
$_outline_set$;
COMMENT ON FUNCTION pgtrack._outline_set(pgtrack._set, integer, text[], text) IS
  'What undoing a set of statements would do, in numbers: for each table and action how many rows; and the first rows.';

CREATE OR REPLACE FUNCTION pgtrack.plan_outline(choice jsonb, max integer DEFAULT 200, columns text[] DEFAULT NULL, on_conflict text DEFAULT 'error')
RETURNS TABLE ("table" text, action text, row_count bigint, conflicts bigint, digest text, row_pk jsonb, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT o.* FROM pgtrack._outline_set(
    pgtrack._choice(choice, CASE WHEN choice ? 'table' THEN pgtrack._table(choice ->> 'table', choice ->> 'schema') END), max, columns, on_conflict) o;
END;
COMMENT ON FUNCTION pgtrack.plan_outline(jsonb, integer, text[], text) IS
  'What an undo would do, in numbers: for each table and action how many rows, how many of them others have changed since, and a digest '
  'that is another one when the plan is. Then the first rows as the plan of the verb has them, those with conflicts before others. '
  'choice is as for plan_batches(). Rows that on_conflict would leave as they are have the action ''nothing''.';
