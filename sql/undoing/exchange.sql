-- Some rows cannot be set back by an UPDATE: an identity column that is GENERATED ALWAYS, or values that go round in a
-- circle. They are deleted and inserted again within the one statement, if that means nothing else: no trigger takes
-- it for another row, no foreign key acts on those that refer to it.
CREATE OR REPLACE FUNCTION pgtrack._exchange_obstacle(p_table regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT x.obstacle
  FROM (SELECT format('trigger %I', t.tgname) AS obstacle
        FROM pgtrack._members(p_table) m JOIN pg_trigger t ON t.tgrelid = m.relid JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND p.pronamespace NOT IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace)
        UNION ALL
        SELECT format('foreign key %I of %s', c.conname, c.conrelid::regclass)
        FROM pgtrack._members(p_table) m JOIN pg_constraint c ON c.confrelid = m.relid AND c.contype = 'f' AND c.confdeltype <> 'a') x
  ORDER BY x.obstacle LIMIT 1;
END;
COMMENT ON FUNCTION pgtrack._exchange_obstacle(regclass) IS
  'What makes a row that is deleted and inserted again mean something else; null for nothing.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_fixed(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_steps pgtrack._step[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_fixed$
DECLARE
  v_obstacle  text := pgtrack._exchange_obstacle(p_work.relid);
  v_columns   text;
BEGIN
  SELECT string_agg(DISTINCT p_shape.updated[c], ', ') INTO v_columns
  FROM unnest(p_steps) s CROSS JOIN LATERAL unnest(s.columns) c
  WHERE s.kind = 'exchange' AND c = ANY (pgtrack._fixed_columns(p_work.relid, p_shape.updated));
  IF v_columns IS NOT NULL AND v_obstacle IS NOT NULL THEN
    RAISE EXCEPTION 'cannot set back % of %, which is GENERATED ALWAYS AS IDENTITY', v_columns, p_shape.name USING
      ERRCODE = 'generated_always',
      DETAIL = format('No UPDATE can set it, and a row that is deleted and inserted again would mean something else to the %s.', v_obstacle),
      HINT = 'Name in columns => those that shall be set back, without this one.';
  END IF;
END
$_refuse_fixed$;
COMMENT ON FUNCTION pgtrack._refuse_fixed(pgtrack._work, pgtrack.relation_shape, pgtrack._step[]) IS
  'Refuses to set back identity columns where their rows cannot be exchanged.';
