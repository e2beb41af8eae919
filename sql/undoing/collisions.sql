-- Unique indexes and exclusion constraints that are not deferrable are checked for each row at once, so a row can get a
-- value only after the row that has it. Which rows wait for which is asked of the values beforehand, not found out by
-- trying: what triggers do outside of the transaction would be done twice. The values are looked at as the role that
-- writes: expressions, predicates and operators may be code of the table's owner.
CREATE OR REPLACE FUNCTION pgtrack._checked_indexes(p_table regclass, p_changed text[])
RETURNS TABLE (relid regclass, index oid, name name, is_exclusion boolean, same_nulls boolean, columns name[], predicate text,
               keys text[], operators oid[], leaf oid, bounds text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off SET TimeZone = 'UTC' SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
SET bytea_output = 'hex'
BEGIN ATOMIC
  SELECT m.relid::regclass, i.indexrelid, k.relname, i.indisexclusion, i.indnullsnotdistinct, u.columns, pg_get_expr(i.indpred, i.indrelid),
         e.keys, e.operators, CASE WHEN m.relid <> p_table THEN m.relid END,
         CASE WHEN m.relid <> p_table THEN pg_get_partition_constraintdef(m.relid) END
  FROM pgtrack._members(p_table) m
  JOIN pg_index i ON i.indrelid = m.relid AND (i.indisunique OR i.indisexclusion) AND i.indimmediate AND i.indisready
  JOIN pg_class k ON k.oid = i.indexrelid
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.conexclop IS NOT NULL
  CROSS JOIN LATERAL (
    SELECT array_agg(a.attname ORDER BY a.attnum) AS columns, bool_or(a.attgenerated <> '' OR quote_ident(a.attname) = ANY (p_changed)) AS is_changed
    FROM pg_attribute a
    -- A row that comes from another partition is told by columns that are not in the index.
    WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
      AND (m.relid <> p_table OR a.attnum = ANY ((i.indkey::smallint[])[:i.indnkeyatts - 1])
           OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))) u
  CROSS JOIN LATERAL (
    SELECT array_agg(format('(%s)%s', pg_get_indexdef(i.indexrelid, p.n, false),
                            (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                             WHERE l.oid = (i.indcollation::oid[])[p.n - 1])) ORDER BY p.n) AS keys,
           array_agg(coalesce(c.conexclop[p.n], (
             SELECT o.amopopr FROM pg_opclass s JOIN pg_amop o ON o.amopfamily = s.opcfamily AND o.amoplefttype = s.opcintype
             AND o.amoprighttype = s.opcintype AND o.amopstrategy = 3 WHERE s.oid = (i.indclass::oid[])[p.n - 1])) ORDER BY p.n) AS operators
    FROM generate_series(1, i.indnkeyatts::integer) AS p (n)) e
  -- A primary key is changed apart; an index of a partition that is one of the whole table's is checked as that.
  WHERE u.is_changed AND NOT i.indisprimary
    AND (m.relid = p_table OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
    -- A row as a whole cannot be made of some columns.
    AND strpos(concat(e.keys::text, pg_get_expr(i.indpred, i.indrelid)), format('%I.*', (SELECT r.relname FROM pg_class r WHERE r.oid = m.relid))) = 0;
END;
COMMENT ON FUNCTION pgtrack._checked_indexes(regclass, text[]) IS
  'The unique indexes and exclusion constraints of a table that are checked row by row and have one of some columns in them.';

-- Of a generated column the image says what it was.
CREATE OR REPLACE FUNCTION pgtrack._row_of_columns(p_step pgtrack._step, p_shape pgtrack.relation_shape, p_table regclass, p_columns name[],
                                                   OUT present text, OUT wanted text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(format('t.%I', a.attname), ', '),
         string_agg(format('(%s)::%s AS %I', CASE
           WHEN u.number = ANY (p_step.columns) THEN pgtrack._new_value(p_step, p_shape, u.number::integer)
           WHEN a.attgenerated <> '' THEN coalesce(
             (SELECT p.old FROM pgtrack._column_parts(p_shape.relation_id, p_table, NULL) p WHERE p.column_name = a.attname), format('t.%I', a.attname))
           ELSE format('t.%I', a.attname) END, format_type(a.atttypid, a.atttypmod), a.attname), ', ')
  FROM unnest(p_columns) c
  JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = c
  LEFT JOIN unnest(p_shape.updated) WITH ORDINALITY AS u (name, number) ON u.name = quote_ident(a.attname);
END;
COMMENT ON FUNCTION pgtrack._row_of_columns(pgtrack._step, pgtrack.relation_shape, regclass, name[]) IS
  'Columns of a row as they are, and as a step makes them.';

-- The rows are numbered through all steps that have something to do with an index; p_rows is all of them as one step.
CREATE OR REPLACE FUNCTION pgtrack._collisions_sql(p_rows pgtrack._step, p_shape pgtrack.relation_shape, p_table regclass, p_changed text[])
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('WITH h AS MATERIALIZED (SELECT h.* FROM %s) SELECT'
                ' coalesce(array_agg(c.index), ''{}'') AS indexes, coalesce(array_agg(c.follower), ''{}'') AS followers,'
                ' coalesce(array_agg(c.leader), ''{}'') AS leaders FROM (%s) c', min(s.source), string_agg(format(
    'SELECT %s::oid AS index, w.number AS follower, p.number AS leader FROM'
    ' (SELECT h.pgtrack_number::integer AS number, e.* FROM h JOIN %s t ON %s CROSS JOIN LATERAL (SELECT %s FROM (SELECT %s) %I%s OFFSET 0) e) w JOIN'
    ' (SELECT h.pgtrack_number::integer AS number, e.* FROM h JOIN %2$s t ON %12$s%8$s CROSS JOIN LATERAL (SELECT %4$s FROM (SELECT %9$s) %6$I%10$s OFFSET 0) e) p'
    ' ON w.number <> p.number AND %11$s',
    x.index::text, p_shape.live_table, concat(s.is_place, CASE WHEN x.bounds IS NULL THEN f.is_in_leaf END), k.list, r.wanted, n.relname,
    ' WHERE ' || nullif(concat_ws(' AND ', x.bounds, x.predicate), ''), f.is_in_leaf, r.present, ' WHERE ' || x.predicate, k.equal, s.is_place),
    ' UNION ALL '))
  FROM pgtrack._checked_indexes(p_table, p_changed) x
  JOIN pg_class n ON n.oid = x.relid
  CROSS JOIN LATERAL pgtrack._step_source(p_rows, p_shape) s
  CROSS JOIN LATERAL (SELECT ' AND t.tableoid = ' || x.leaf AS is_in_leaf) f
  CROSS JOIN LATERAL pgtrack._row_of_columns(p_rows, p_shape, p_table, x.columns) r
  CROSS JOIN LATERAL (
    SELECT string_agg(format('%s AS e%s', u.key, u.n), ', ' ORDER BY u.n) AS list,
           CASE WHEN x.same_nulls AND NOT x.is_exclusion
             THEN format('ROW(%s)::record OPERATOR(pg_catalog.=) ROW(%s)::record',
                         string_agg(format('w.e%s', u.n), ', ' ORDER BY u.n), string_agg(format('p.e%s', u.n), ', ' ORDER BY u.n))
             ELSE string_agg(pgtrack._equal_sql(u.operator, 'pg_catalog.=', format('w.e%s', u.n), format('p.e%s', u.n)), ' AND ' ORDER BY u.n) END AS equal
    FROM unnest(x.keys, x.operators) WITH ORDINALITY AS u (key, operator, n)) k;
END;
COMMENT ON FUNCTION pgtrack._collisions_sql(pgtrack._step, pgtrack.relation_shape, regclass, text[]) IS
  'The query for which rows of a revert get a value that another one has, which it has to give up before; null where no index is concerned.';
