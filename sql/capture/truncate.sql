-- TRUNCATE shows no rows to its triggers, so they are read from the table, as the owner of pg_track. That is the one moment
-- when it reads what somebody else may have prepared. So the table's name is looked up when it is needed, under a lock
-- that keeps its schema from being renamed, and expressions that the planner may evaluate are of nobody but superusers.

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

CREATE OR REPLACE FUNCTION pgtrack._generate_truncate_functions(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_truncate_functions$
DECLARE
  v_root  regclass := (SELECT r.relid FROM pgtrack.relation r WHERE r.relation_id = p_relation);
  v_leaf  regclass;
BEGIN
  FOR v_leaf IN SELECT m.relid FROM pgtrack._members(v_root) m WHERE m.is_leaf LOOP
    PERFORM pgtrack._create_recorder(p_relation, pgtrack._truncate_recorder(p_relation, v_leaf),
      E'id    pg_catalog.int8;\n  rows  pg_catalog.int8;', 'SET search_path = pg_catalog, pg_temp ' || pgtrack._recorder_settings(p_relation),
      format($body$IF %1$s THEN
    PERFORM pgtrack._follow(%2$s, TG_RELID);
  END IF;
  PERFORM pgtrack._prepare_to_read(TG_RELID);
  id := nextval('pgtrack.statement_id_seq');
  EXECUTE pgtrack._images_sql(%2$s, 'truncate', '$1', 'r', format(' FROM ONLY %%s AS r', TG_RELID::regclass)) USING pgtrack.id;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pgtrack.rows > 0 THEN%3$s
  END IF;$body$,
        pgtrack._is_stale_sql(p_relation), p_relation, pgtrack._statement_sql(p_relation, 'T', 'pgtrack.id', 'pgtrack.rows')),
      'Records each TRUNCATE on @.', CASE WHEN v_leaf <> v_root THEN v_leaf END);
  END LOOP;
END
$_generate_truncate_functions$;
COMMENT ON FUNCTION pgtrack._generate_truncate_functions(integer) IS
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
      DETAIL = format('An index, statistics or a partition key needs %s, which belongs to no superuser; its code might run with the rights of %s.',
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
  SELECT min(CASE WHEN t.oid IS NULL THEN p.oid::regprocedure::text ELSE 'the type ' || t.oid::regtype END)
  FROM pgtrack._members(p_table) m
  CROSS JOIN LATERAL (
    SELECT 'pg_class'::regclass AS class, i.indexrelid AS object FROM pg_index i
    WHERE i.indrelid = m.relid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    UNION ALL SELECT 'pg_class'::regclass, k.partrelid FROM pg_partitioned_table k WHERE k.partrelid = m.relid
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE s.stxrelid = m.relid AND s.stxexprs IS NOT NULL) x
  JOIN pg_depend d ON d.classid = x.class AND d.objid = x.object AND d.objsubid = 0
  LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
  LEFT JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
  -- A function of a superuser may make values of any type, and with them run a domain's checks.
  LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND t.oid >= 16384
  JOIN pg_roles r ON r.oid IN (p.proowner, o.oprowner, t.typowner)
  WHERE NOT r.rolsuper AND r.rolname <> current_user OR pgtrack._runs_foreign_code(t.oid));
END
$_foreign_expression$;
COMMENT ON FUNCTION pgtrack._foreign_expression(oid) IS
  'A function or type in an expression that is planned with each query of a table, which belongs neither to a superuser nor to the current user; null for none.';
