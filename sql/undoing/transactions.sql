CREATE OR REPLACE FUNCTION pgtrack._of_transactions(p_xids bigint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(string_agg(format('(%s)', pgtrack._of_transaction(x)), ' OR '), 'false') FROM unnest(p_xids) x;
END;
COMMENT ON FUNCTION pgtrack._of_transactions(bigint[]) IS 'The condition for statements of some transactions.';
