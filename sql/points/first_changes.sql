CREATE OR REPLACE FUNCTION pgtrack._arrivals_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(
    -- IS TRUE, as below.
    'SELECT a.new_key, a.statement_id FROM pgtrack._key_changes(%1$s) a'
    ' WHERE (a.statement_id IN (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %1$s AND (%2$s))) IS TRUE%3$s',
    s.relation_id, p_which,
    CASE WHEN p_retaken IS NOT NULL
      THEN format(' AND NOT EXISTS (SELECT FROM %s WHERE h.pgtrack_is_left AND h.pgtrack_key = a.new_key AND h.pgtrack_statement_id > a.statement_id)', p_retaken)
      ELSE '' END)
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._arrivals_sql(regclass, text, text) IS
  'The query for the keys that a set of statements gave to rows, unless they are retaken.';

-- The first change of each row by a set of statements: pgtrack_is_insert, and the columns of the history table. Rows
-- that came to their key by a change of the key are left out; they are found under their first key. So are changes under
-- a key that is retaken.
-- Which statements are in the set is asked of a hash table for each row of one scan: a join might be planned as a scan of
-- the history for each statement. IS TRUE keeps PostgreSQL from making it a join.
CREATE OR REPLACE FUNCTION pgtrack._first_changes_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
    SELECT f.* FROM (
      SELECT DISTINCT ON (%1$s)
             (c.pgtrack_statement_id IN (SELECT s.statement_id FROM pgtrack.statement s
                                         WHERE s.relation_id = %2$s AND s.operation = 'I' AND (%3$s))) IS TRUE AS pgtrack_is_insert, c.*
      FROM %4$s c
      WHERE c.pgtrack_statement_id >= (SELECT min(s.statement_id) FROM pgtrack.statement s WHERE s.relation_id = %2$s AND (%3$s))
        AND (c.pgtrack_statement_id IN (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = %2$s AND (%3$s))) IS TRUE%5$s
      ORDER BY %1$s, c.pgtrack_statement_id, c.ctid) f$$
    || CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = s.relation_id) THEN $$
    CROSS JOIN LATERAL (SELECT f.*) h
    WHERE NOT EXISTS (SELECT FROM (%6$s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%8$s) WHERE %7$s AND a.statement_id < f.pgtrack_statement_id)$$
       ELSE '' END,
    s.change_keys, s.relation_id, p_which, s.history,
    CASE WHEN p_retaken IS NOT NULL
      THEN format(' AND NOT EXISTS (SELECT FROM %s WHERE h.pgtrack_is_left AND h.pgtrack_statement_id > c.pgtrack_statement_id AND %s)', p_retaken, s.same_row)
      ELSE '' END,
    pgtrack._arrivals_sql(p_table, p_which, p_retaken), s.history_is_key, s.key_record)
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._first_changes_sql(regclass, text, text) IS 'The query for the first change of each row by a set of statements.';

-- Live rows that were not there under their key before a set of statements, because it changed their key.
CREATE OR REPLACE FUNCTION pgtrack._arrived_sql(p_table regclass, p_which text, p_retaken text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = s.relation_id)
    THEN format('EXISTS (SELECT FROM (%s) a CROSS JOIN LATERAL jsonb_to_record(a.new_key) AS k(%s) WHERE %s)',
                pgtrack._arrivals_sql(p_table, p_which, p_retaken), s.key_record, s.live_is_key)
    ELSE 'false' END
  FROM pgtrack._shape(p_table) s;
END;
COMMENT ON FUNCTION pgtrack._arrived_sql(regclass, text, text) IS 'The condition for live rows whose key a set of statements has changed.';
