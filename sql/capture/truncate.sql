-- TRUNCATE shows no rows to its triggers, so they are read from the table, as the owner of pg_track. That is the one moment
-- when it reads what somebody else may have prepared. So the table's name is looked up when it is needed, under a lock
-- that keeps its schema from being renamed, and expressions that the planner may evaluate run nobody's code but superusers'.

CREATE OR REPLACE FUNCTION pgtrack._truncate_recorder(p_relation integer, p_leaf regclass) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_truncate_recorder$
BEGIN
  RETURN (
  SELECT CASE r.relid WHEN p_leaf THEN pg_catalog.format('record_truncate_%s', p_relation)
                      ELSE pg_catalog.format('record_truncate_%s_%s', p_relation, p_leaf::oid) END
  FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END
$_truncate_recorder$;
COMMENT ON FUNCTION pgtrack._truncate_recorder(integer, regclass) IS 'The name of the function that records TRUNCATE of a table or of one of its partitions.';

CREATE OR REPLACE FUNCTION pgtrack._generate_truncate_functions(p_relation integer, p_stale text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_truncate_functions$
DECLARE
  v_root      regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_settings  text := 'SET search_path = pg_catalog, pg_temp ' || pgtrack._recorder_settings(p_relation);
  v_record    text := pgtrack._statement_sql(p_relation, 'T', 'pgtrack.id', 'pgtrack.rows');
  v_leaf      regclass;
BEGIN
  FOR v_leaf IN SELECT m.relid FROM pgtrack._members(v_root) m WHERE m.is_leaf LOOP
    PERFORM pgtrack._create_recorder(p_relation, pgtrack._truncate_recorder(p_relation, v_leaf),
      E'id    pg_catalog.int8;\n  rows  pg_catalog.int8;', v_settings,
      format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);
  END IF;
  PERFORM pgtrack._prepare_to_read(TG_RELID);
  id := nextval('pgtrack.statement_id_seq');
  EXECUTE pgtrack._images_sql(%2$s, 'truncate', '$1', 'r', format(' FROM ONLY %%s AS r', TG_RELID::regclass)) USING pgtrack.id;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pgtrack.rows > 0 THEN%3$s
  END IF;$body$,
        p_stale, p_relation, v_record),
      'Records each TRUNCATE on @.', CASE WHEN v_leaf <> v_root THEN v_leaf END);
  END LOOP;
END
$_generate_truncate_functions$;
COMMENT ON FUNCTION pgtrack._generate_truncate_functions(integer, text) IS
  'Writes the functions that record TRUNCATE: one for a table, or for each of its partitions that holds rows.';

-- The row lock conflicts with the one that a renaming of the schema takes (_on_ddl), so names stay what they are until
-- the end of the transaction; a table is locked by whoever truncates it, or copies it.
CREATE OR REPLACE FUNCTION pgtrack._prepare_to_read(p_table oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_prepare_to_read$
DECLARE
  v_function  text;
BEGIN
  IF row_security_active(p_table) THEN
    RAISE EXCEPTION 'cannot read the rows of % to record them', p_table::regclass USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('Its row security hides rows from %s, who owns pg_track, so they would be lost.', current_user),
      HINT = format('For TRUNCATE use DELETE, or let a superuser say: ALTER ROLE %I BYPASSRLS.', current_user);
  END IF;
  PERFORM pgtrack._hold_name(p_table);
  v_function := pgtrack._foreign_expression(p_table);
  IF v_function IS NOT NULL THEN
    RAISE EXCEPTION 'cannot read the rows of % to record them', p_table::regclass USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('An index, statistics or a partition key needs %s, which might run code of others with the rights of %s.',
                      v_function, current_user),
      HINT = 'For TRUNCATE use DELETE, or let a superuser own that.';
  END IF;
  IF pgtrack._snapshot_lasts() THEN
    PERFORM pgtrack._require_present_snapshot(p_table);
  END IF;
END
$_prepare_to_read$;
COMMENT ON FUNCTION pgtrack._prepare_to_read(oid) IS
  'Makes sure, before the owner of pg_track reads a table, that it sees all rows and runs no code of others.';

-- PostgreSQL folds expressions of a table's indexes, statistics and partition key in each query of the table
-- (eval_const_expressions in src/backend/utils/cache/relcache.c), with the rights of whoever plans it.
CREATE OR REPLACE FUNCTION pgtrack._foreign_expression(p_table oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_expression$
BEGIN
  RETURN (
  SELECT min(coalesce(pgtrack._foreign_call(x.expression, x.owner),
                      (SELECT min('the type ' || t.oid::regtype)
                       FROM pgtrack._types_in(x.expression) AS y (type) JOIN pg_type t ON t.oid = y.type AND t.oid >= 16384
                       -- A function of a superuser may make values of any type, and with them run a domain's checks.
                       WHERE NOT pgtrack._is_trusted(t.typowner) OR pgtrack._runs_foreign_code(t.oid))))
  FROM pgtrack._members(p_table) m
  JOIN pg_class k ON k.oid = m.relid
  CROSS JOIN LATERAL (
    SELECT k.relowner AS owner, concat(i.indexprs::text, i.indpred::text) AS expression FROM pg_index i
    WHERE i.indrelid = m.relid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    UNION ALL SELECT k.relowner, p.partexprs::text FROM pg_partitioned_table p WHERE p.partrelid = m.relid AND p.partexprs IS NOT NULL
    UNION ALL SELECT s.stxowner, s.stxexprs::text FROM pg_statistic_ext s WHERE s.stxrelid = m.relid AND s.stxexprs IS NOT NULL
    -- Virtual ones of PostgreSQL 18 are computed by who reads.
    UNION ALL SELECT k.relowner, d.adbin::text FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              WHERE a.attrelid = m.relid AND a.attgenerated = 'v') x);
END
$_foreign_expression$;
COMMENT ON FUNCTION pgtrack._foreign_expression(oid) IS
  'What in an expression that is planned with each query of a table might run code of others than superusers and the current user; '
  'null for nothing.';
