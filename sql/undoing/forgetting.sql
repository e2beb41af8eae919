-- Rows that follow a key by ON UPDATE CASCADE may have a key by that, of which others are made to forget.
CREATE OR REPLACE FUNCTION pgtrack._refuse_forgetting(p_key pg_constraint, p_acted_on text, p_writer name, p_tables regclass[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_forgetting$
DECLARE
  -- All that the query looks into.
  v_tables   regclass[] := p_tables || p_key.conrelid::regclass;
  v_depth    integer := cardinality(v_tables);
  v_readers  name[];
  v_query    text;
  v_count    bigint;
BEGIN
  v_query := format('%s, p%s AS (SELECT t.* FROM %s t JOIN %s p ON %s)', p_acted_on, v_depth, p_key.conrelid::regclass,
                    CASE v_depth WHEN 1 THEN 'p' ELSE format('p%s', v_depth - 1) END, pgtrack._live_refers_sql(p_key));
  -- One that has gone round to itself ends somewhere.
  PERFORM pgtrack._refuse_forgetting(f, v_query, p_writer, v_tables) FROM pgtrack._followers(p_key) f WHERE f.confupdtype = 'c' AND v_depth < 5;
  SELECT format('%s SELECT %s AS count', v_query, string_agg(format('(SELECT count(*) FROM %s t JOIN p%s p ON %s)', f.conrelid::regclass, v_depth,
                                                                    pgtrack._live_refers_sql(f)), ' + ')),
         v_tables || array_agg(f.conrelid::regclass)
  INTO v_query, v_tables
  FROM pgtrack._followers(p_key) f WHERE f.confupdtype IN ('n', 'd') HAVING count(*) > 0;
  IF v_query IS NULL THEN
    RETURN;
  END IF;
  v_readers := ARRAY(SELECT pgtrack._reader_of_referrer(x.relid, p_writer) FROM (SELECT DISTINCT t FROM unnest(v_tables) t) AS x (relid));
  IF current_user = ALL (v_readers) THEN
    EXECUTE v_query INTO v_count;
  ELSIF p_writer = ALL (v_readers) THEN
    SELECT (r ->> 'count')::bigint INTO v_count FROM pgtrack._as_role(p_writer, '{}', v_query) r;
  END IF;
  IF v_count = 0 THEN
    RETURN;
  END IF;
  RAISE EXCEPTION 'rows may be made to forget rows of % whose keys this would change', p_key.conrelid::regclass USING
    ERRCODE = 'foreign_key_violation',
    DETAIL = format('These follow another key, by %I, and %s by ON UPDATE SET NULL or SET DEFAULT.', p_key.conname,
                    coalesce(v_count || ' rows refer to them', 'whether others refer to them, in tables of several owners, is not looked for')),
    HINT = 'Let those rows refer to others first, or undo what made them.';
END
$_refuse_forgetting$;
COMMENT ON FUNCTION pgtrack._refuse_forgetting(pg_constraint, text, name, regclass[]) IS
  'Refuses a revert that changes keys of rows p where rows that follow them, by a foreign key and through some tables, have others forget them.';
