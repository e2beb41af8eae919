-- The newest values of a row are in its table alone: DROP TABLE takes them along. A copy, made before, does not follow
-- later changes.
CREATE OR REPLACE FUNCTION pgtrack._kept_values(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(string_agg(CASE WHEN t.typtype = 'd' AND pgtrack._foreign_kind(t.oid) IS NULL
                                  THEN format(CASE WHEN b.type < 16384 THEN 't.%1$I::%2$s AS %1$I' ELSE 'coalesce(t.%1$I, NULL) AS %1$I' END,
                                              a.attname, pgtrack._stored_type(a.atttypid, a.atttypmod))
                                  ELSE format('%s AS %I', pgtrack._output_sql(format('t.%I', a.attname), a.atttypid), a.attname) END,
                             ', ' ORDER BY a.attnum), '')
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid CROSS JOIN LATERAL pgtrack._base_type(t.oid, -1) b
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION pgtrack._kept_values(regclass) IS 'The columns of a copy: like history, it depends on no type of the application.';

CREATE OR REPLACE FUNCTION pgtrack._close_copy(p_kept name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_close_copy$
DECLARE
  v_copy  regclass := to_regclass(format('pgtrack_history.%I', p_kept));
BEGIN
  -- In a publication, rows can only be erased from a table that has an identity.
  EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY', v_copy);
  PERFORM pgtrack._set_policy(v_copy, 'readers', 'SELECT', format('(SELECT pgtrack._is_granted(%L, ''SELECT''))', v_copy::text));
END
$_close_copy$;
COMMENT ON FUNCTION pgtrack._close_copy(name) IS 'Shows a copy to those alone who were granted it.';

CREATE OR REPLACE FUNCTION pgtrack._keep(p_table regclass) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET default_tablespace = '' SET row_security = off AS $_keep$
DECLARE
  v_shape  record;
  v_name   name;
  v_rows   bigint;
  v_lost   text := pgtrack._not_kept(p_table);
  v_call   text;
  v_events text;
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  PERFORM pgtrack._prepare_to_read(p_table);
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_name := pgtrack._free_name(
    left((SELECT c.relname::text FROM pg_class c WHERE c.oid = p_table), 40) || to_char(clock_timestamp(), '"_kept_"YYYYMMDD_HH24MISS'),
    (SELECT array_agg(c.relname) FROM pg_class c WHERE c.relnamespace = 'pgtrack_history'::regnamespace));
  v_call := pgtrack._begin_call(jsonb_build_object('table', v_shape.name));
  v_events := pgtrack._silence_event_triggers();
  EXECUTE format('CREATE TABLE pgtrack_history.%I USING heap AS SELECT %s FROM %s t', v_name, pgtrack._kept_values(p_table), v_shape.live_table);
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  EXECUTE format('COMMENT ON TABLE pgtrack_history.%I IS %L', v_name, format('The rows of %s at %s.', v_shape.name, clock_timestamp()));
  PERFORM pgtrack._close_copy(v_name);
  PERFORM pgtrack._let_event_triggers_fire(v_events);
  INSERT INTO pgtrack.kept (relation_id, kept_table, definition, row_count, at, who, statement_id)
  VALUES (v_shape.relation_id, v_name, pgtrack._with_roles(pgtrack._definition(p_table)), v_rows, clock_timestamp(), session_user,
          nextval('pgtrack.statement_id_seq'));
  RETURN format('%s: %s rows kept in pgtrack_history.%I%s', v_shape.name, v_rows, v_name,
                '; pgtrack.recover() does not bring back ' || v_lost);
END
$_keep$;
COMMENT ON FUNCTION pgtrack._keep(regclass) IS
  'Does the work of pgtrack.keep(). SECURITY DEFINER: whoever was granted it may add copies to the protected schema. '
  'A copy is of all rows, or of none.';

CREATE OR REPLACE FUNCTION pgtrack.keep("table" text, schema text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE AS $keep$
  SELECT pgtrack._require_select(pgtrack._table($1, $2));
  SELECT pgtrack._keep(pgtrack._table($1, $2))
$keep$;
COMMENT ON FUNCTION pgtrack.keep(text, text) IS
  'Copies all present rows of a table, so that it, or one of its columns, can be dropped and brought back with pgtrack.recover(). '
  'Says what else of the table would not come back.';
