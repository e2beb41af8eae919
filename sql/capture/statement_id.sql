CREATE OR REPLACE FUNCTION pgtrack_history.open() RETURNS trigger
LANGUAGE plpgsql AS $open$
BEGIN
  PERFORM pg_catalog.set_config(
    pg_catalog.concat('pgtrack.open_', TG_ARGV[0]),
    pg_catalog.concat_ws(' ', pg_catalog.current_setting(pg_catalog.concat('pgtrack.open_', TG_ARGV[0]), true),
                         pg_catalog.concat(pg_catalog.pg_trigger_depth(), pg_catalog.left(TG_OP, 1))), true);
  RETURN NULL;
END
$open$;
COMMENT ON FUNCTION pgtrack_history.open() IS
  'Notes that a statement on a table has begun, in a setting of the transaction, as its trigger depth and operation: 1U.';

-- The entries of that setting, such as "1I:4711 2U", are a stack; a number after the colon has been given already.
CREATE OR REPLACE FUNCTION pgtrack._statement_id(p_relation integer, p_operation text, p_depth integer, p_is_over boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_statement_id$
DECLARE
  c_setting CONSTANT  text := format('pgtrack.open_%s', p_relation);
  v_open              text[] := string_to_array(nullif(current_setting(c_setting, true), ''), ' ');
  v_own               integer;
  v_id                bigint;
BEGIN
  FOR i IN 1 .. coalesce(cardinality(v_open), 0) LOOP
    IF split_part(v_open[i], ':', 1) = p_depth || p_operation THEN
      v_own := i;
    ELSIF substring(v_open[i] FROM '^\d+')::integer >= p_depth THEN
      CONTINUE;
    END IF;
    IF v_open[i] NOT LIKE '%:%' THEN
      v_open[i] := v_open[i] || ':' || nextval('pgtrack.statement_id_seq');
    END IF;
  END LOOP;
  IF v_own IS NULL THEN
    RETURN nextval('pgtrack.statement_id_seq');
  END IF;
  v_id := split_part(v_open[v_own], ':', 2);
  IF p_is_over THEN
    v_open := v_open[:v_own - 1] || v_open[v_own + 1:];
  END IF;
  PERFORM set_config(c_setting, array_to_string(v_open, ' '), true);
  RETURN v_id;
END
$_statement_id$;
COMMENT ON FUNCTION pgtrack._statement_id(integer, text, integer, boolean) IS
  'The number of a statement that has begun at a trigger depth, after all those around it have theirs; p_is_over takes it off the stack.';
