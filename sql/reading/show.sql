CREATE OR REPLACE FUNCTION pgtrack.show(xid bigint, max bigint DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb, ver integer, statement_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $show$
DECLARE
  v_relation  record;
BEGIN
  FOR v_relation IN EXECUTE format($$
    SELECT r.relid, sum(s.row_count)::bigint AS row_count
    FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id)
    WHERE %s AND r.relid IS NOT NULL
    GROUP BY r.relid ORDER BY min(s.statement_id)$$, pgtrack._of_transaction(show.xid))
  LOOP
    RETURN QUERY
      SELECT pgtrack._name(v_relation.relid), c.row_pk, c.op, c.what, c.before, c.after, c.ver, c.statement_id
      FROM pgtrack._changes(v_relation.relid, least(v_relation.row_count, show.max), pgtrack._of_transaction(show.xid)) c
      ORDER BY c.statement_id, c.row_pk;
  END LOOP;
END
$show$;
COMMENT ON FUNCTION pgtrack.show(bigint, bigint) IS
  'The row changes of one transaction, table by table, in the order in which they were made; of each table at most the last max.';

CREATE OR REPLACE FUNCTION pgtrack.show_statement(statement_id bigint, max bigint DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, op text, what text[], before jsonb, after jsonb, ver integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off
BEGIN ATOMIC
  SELECT pgtrack._name(r.relid), c.row_pk, c.op, c.what, c.before, c.after, c.ver
  FROM pgtrack.relation r
  JOIN pgtrack.statement s ON s.relation_id = r.relation_id AND s.statement_id = show_statement.statement_id
  CROSS JOIN LATERAL pgtrack._changes(r.relid, least(s.row_count, show_statement.max), format('s.statement_id = %s', s.statement_id)) c
  WHERE r.relid IS NOT NULL
  ORDER BY c.row_pk;
END;
COMMENT ON FUNCTION pgtrack.show_statement(bigint, bigint) IS 'The row changes of one statement, at most max of them.';
