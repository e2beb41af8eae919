CREATE OR REPLACE FUNCTION pgtrack._log(p_max integer, p_table regclass, p_who text, p_application text,
                                        p_since timestamptz, p_until timestamptz)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_log$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table);
  v_xid       xid8 := '18446744073709551615';
  v_xids      xid8[];
  v_first     bigint;
  v_last      bigint;
  v_count     bigint;
  v_found     bigint := 0;
BEGIN
  IF p_table IS NOT NULL THEN
    PERFORM pgtrack._shape(p_table);
  END IF;
  SELECT max(e.first_statement_id), 9223372036854775807 INTO v_first, v_last FROM pgtrack.epoch e;
  WHILE v_found < p_max LOOP
    -- From one transaction to the next lower one, without reading all the statements of each.
    WITH RECURSIVE step AS (
      (SELECT s.xid, 1 AS n FROM pgtrack.statement s
       WHERE s.xid < v_xid AND s.statement_id BETWEEN v_first AND v_last ORDER BY s.xid DESC LIMIT 1)
      UNION ALL
      SELECT (SELECT s.xid FROM pgtrack.statement s
              WHERE s.xid < t.xid AND s.statement_id BETWEEN v_first AND v_last ORDER BY s.xid DESC LIMIT 1), t.n + 1
      FROM step t WHERE t.xid IS NOT NULL AND t.n < p_max
    )
    SELECT array_agg(t.xid ORDER BY t.xid DESC) INTO v_xids FROM step t WHERE t.xid IS NOT NULL;
    IF v_xids IS NULL THEN
      EXIT WHEN v_first = 0;
      SELECT max(e.first_statement_id), v_first - 1 INTO v_first, v_last FROM pgtrack.epoch e WHERE e.first_statement_id < v_first;
      v_xid := '18446744073709551615';
      CONTINUE;
    END IF;
    v_xid := v_xids[cardinality(v_xids)];
    RETURN QUERY
      SELECT a.xid, max(a.at), min(a.who), min(a.application), min(a.client_addr), min(a.actor), max(a.message),
             array_agg(DISTINCT a.table_name), sum(a.row_count)::bigint,
             -- Looked up, as a transaction may have more texts than memory takes.
             (SELECT f.query FROM pgtrack.activity f
              WHERE f.relation_id = (array_agg(a.relation_id ORDER BY a.statement_id))[1] AND f.statement_id = min(a.statement_id))
      FROM pgtrack.activity a
      WHERE (a.relation_id, a.statement_id) IN (SELECT s.relation_id, s.statement_id FROM pgtrack.statement s
                                                WHERE s.xid = ANY (v_xids) AND s.statement_id BETWEEN v_first AND v_last)
      GROUP BY a.xid
      HAVING (p_table IS NULL OR bool_or(a.relation_id = v_relation))
         AND (p_who IS NULL OR bool_or(p_who IN (a.actor, a.user_name, a.role_name)))
         AND (p_application IS NULL OR bool_or(a.application = p_application))
         AND (p_since IS NULL OR max(a.at) >= p_since)
         AND (p_until IS NULL OR max(a.at) < p_until)
      ORDER BY a.xid DESC LIMIT p_max - v_found;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_found := v_found + v_count;
  END LOOP;
END
$_log$;
COMMENT ON FUNCTION pgtrack._log(integer, regclass, text, text, timestamptz, timestamptz) IS 'Does the work of pgtrack.log().';

CREATE OR REPLACE FUNCTION pgtrack.log(max integer DEFAULT 20, on_table text DEFAULT NULL, by_who text DEFAULT NULL,
                                       by_application text DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE AS $log$
BEGIN
  RETURN QUERY SELECT l.* FROM pgtrack._log($1, CASE WHEN $2 IS NOT NULL THEN pgtrack._table($2, NULL) END, $3, $4, $5, $6) l;
END
$log$;
COMMENT ON FUNCTION pgtrack.log(integer, text, text, text, timestamptz, timestamptz) IS
  'The latest transactions, newest first; only those of one table, person, application or time if asked.';

-- A number that a driver sends without its type comes here, too. A table's name that is a number would stand in quotes.
CREATE OR REPLACE FUNCTION pgtrack.log("table" text, max integer DEFAULT 20, by_who text DEFAULT NULL, by_application text DEFAULT NULL,
                                       since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (xid bigint, at timestamptz, who text, application text, client_addr text, actor text, message text,
               tables text[], row_count bigint, query text)
LANGUAGE plpgsql STABLE AS $log$
BEGIN
  IF $1 OPERATOR(pg_catalog.~) '^[0-9]+$' THEN
    RETURN QUERY SELECT l.* FROM pgtrack._log($1::pg_catalog.int4, NULL, $3, $4, $5, $6) l;
  ELSE
    RETURN QUERY SELECT l.* FROM pgtrack._log($2, CASE WHEN $1 IS NOT NULL THEN pgtrack._table($1, NULL) END, $3, $4, $5, $6) l;
  END IF;
END
$log$;
COMMENT ON FUNCTION pgtrack.log(text, integer, text, text, timestamptz, timestamptz) IS
  'The latest transactions that changed a table, newest first; only those of one person, application or time if asked.';
