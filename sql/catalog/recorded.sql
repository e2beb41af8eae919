-- Assigned as an UPDATE would do it, or by its text, as a change of type with USING may have done.
CREATE OR REPLACE FUNCTION pgtrack._retyped(p_value anyelement, p_type anycompatible, p_column text) RETURNS anycompatible
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_retyped$
DECLARE
  v_value  p_type%TYPE;
BEGIN
  v_value := p_value;
  RETURN v_value;
EXCEPTION WHEN data_exception OR cannot_coerce THEN
  RAISE EXCEPTION 'column % cannot be % again', p_column, quote_literal(p_value) USING
    ERRCODE = 'datatype_mismatch',
    DETAIL = format('The column was of type %s then and is of type %s now: %s.', pg_typeof(p_value), pg_typeof(p_type), sqlerrm),
    HINT = 'pgtrack.history() shows the row as it was.';
END
$_retyped$;
COMMENT ON FUNCTION pgtrack._retyped(anyelement, anycompatible, text) IS 'A recorded value of a column that has another type now.';

CREATE OR REPLACE FUNCTION pgtrack._recorded(p_column pgtrack.relation_column, p_image text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorded$
BEGIN
  RETURN (
  SELECT coalesce(
    'CASE ' || string_agg(format('WHEN %1$s.pgtrack_statement_id <= %2$s THEN pgtrack._retyped(%1$s.%3$I, (NULL::pgtrack_history.%4$I).%5$I, %6$L)',
                                 p_image, g.until, g.history_column, r.history_table, p_column.history_column,
                                 format('%I of %s', p_column.column_name, pgtrack._name(r.relid))), ' ' ORDER BY g.until)
      || format(' ELSE %s.%I END', p_image, p_column.history_column),
    format('%s.%I', p_image, p_column.history_column))
  FROM pgtrack.relation_column g
  JOIN pgtrack.relation r ON r.relation_id = g.relation_id
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND a.attname = p_column.history_column
  WHERE g.relation_id = p_column.relation_id AND g.successor = p_column.attnum);
END
$_recorded$;
COMMENT ON FUNCTION pgtrack._recorded(pgtrack.relation_column, text) IS
  'The expression for what an image says of a column, recorded before its type was changed or after that.';

CREATE OR REPLACE FUNCTION pgtrack._recorded_since(p_column pgtrack.relation_column) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_recorded_since$
BEGIN
  RETURN (
  SELECT least(min(g.since), p_column.since)
  FROM pgtrack.relation_column g WHERE g.relation_id = p_column.relation_id AND g.successor = p_column.attnum);
END
$_recorded_since$;
COMMENT ON FUNCTION pgtrack._recorded_since(pgtrack.relation_column) IS 'Images recorded by statements up to this one do not have the column in any type.';
