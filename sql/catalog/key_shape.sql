-- Equality is strategy 3 of a btree operator class. A key WITHOUT OVERLAPS (PostgreSQL 18) has another index; its last column
-- is a range, and equal to another where it is the same.
CREATE OR REPLACE FUNCTION pgtrack._overlap_operator(p_index oid, p_attnum smallint, p_position bigint) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_overlap_operator$
BEGIN
  RETURN (
  SELECT CASE WHEN p_position < i.indnkeyatts THEN n.conexclop[p_position]
              ELSE CASE t.typtype WHEN 'r' THEN 'pg_catalog.=(anyrange,anyrange)'::regoperator
                                  ELSE 'pg_catalog.=(anymultirange,anymultirange)'::regoperator END::oid END
  FROM pg_index i
  LEFT JOIN pg_constraint n ON n.conindid = i.indexrelid AND n.contype = 'p'
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p_attnum
  CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, -1) b
  JOIN pg_type t ON t.oid = b.type
  WHERE i.indexrelid = p_index);
END
$_overlap_operator$;
COMMENT ON FUNCTION pgtrack._overlap_operator(oid, smallint, bigint) IS 'The operator that compares a column of a primary key WITHOUT OVERLAPS.';

-- JSON shows a value of hstore, say, by the cast, and it is not read again from that.
CREATE OR REPLACE FUNCTION pgtrack._is_cast_to_json(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_cast_to_json$
BEGIN
  RETURN (
  SELECT pgtrack._foreign_kind(p_type) IS NULL AND EXISTS (
    SELECT FROM pg_type t JOIN pg_cast c ON c.castsource IN (t.oid, t.typelem) AND c.casttarget = 'json'::regtype AND c.castmethod = 'f'
    WHERE t.oid = b.type AND t.oid >= 16384)
  FROM pgtrack._base_type(p_type, -1) b);
END
$_is_cast_to_json$;
COMMENT ON FUNCTION pgtrack._is_cast_to_json(oid) IS 'Whether values of a type of an extension, as history has them, become JSON by a cast of their own.';

CREATE OR REPLACE FUNCTION pgtrack._key_operators(p_table regclass) RETURNS TABLE ("position" bigint, attnum smallint, operator oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_operators$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.position, k.attnum,
         -- 403: btree (src/include/catalog/pg_am.dat).
         CASE c.opcmethod WHEN 403 THEN (SELECT p.amopopr FROM pg_amop p WHERE p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype
                                         AND p.amoprighttype = c.opcintype AND p.amopstrategy = 3)
              ELSE pgtrack._overlap_operator(i.indexrelid, k.attnum, k.position) END
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey::smallint[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, position)
  JOIN pg_opclass c ON c.oid = k.opclass
  WHERE i.indrelid = p_table AND i.indisprimary AND k.position <= i.indnkeyatts
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum = ANY (i.indkey) AND a.atttypid >= 16384
                      AND pgtrack._is_cast_to_json(a.atttypid));
END
$_key_operators$;
COMMENT ON FUNCTION pgtrack._key_operators(regclass) IS
  'The columns of a table''s primary key, each with the operator that compares it; none for a key that cannot be read again from JSON.';

CREATE OR REPLACE FUNCTION pgtrack._has_digest(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_digest$
BEGIN
  RETURN EXISTS (
    SELECT FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'hash'
    JOIN pg_amproc f ON f.amprocfamily = c.opcfamily AND f.amproclefttype = c.opcintype AND f.amprocnum = 2
    JOIN pg_type t ON t.oid = p_type
    WHERE c.opcdefault AND c.opcintype IN (t.oid, t.typelem));
END
$_has_digest$;
COMMENT ON FUNCTION pgtrack._has_digest(oid) IS 'Whether values of a type, or of an array''s elements, have a number that all that equal them have.';

CREATE OR REPLACE FUNCTION pgtrack._key_parts(p_relation integer)
RETURNS TABLE ("position" bigint, column_name name, history_column name, type oid, typmod integer, kind text, stored oid, stored_type text,
               operator oid, equality text, is_loose boolean, has_digest boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_key_parts$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.position, k.name, c.history_column, a.atttypid, a.atttypmod, pgtrack._foreign_kind(a.atttypid),
         h.atttypid, pgtrack._type_sql(h.atttypid, h.atttypmod), o.operator, k.equality,
         -- What JSON calls equal is what these types do, but for types of extensions.
         h.atttypid >= 16384
           OR h.atttypid = ANY ('{interval,interval[],numrange,numrange[],nummultirange,nummultirange[]}'::regtype[])
           OR h.atttypid = ANY ('{bpchar,bpchar[]}'::regtype[]) AND h.atttypmod < 0
           OR EXISTS (SELECT FROM pg_collation l WHERE l.oid = h.attcollation AND NOT l.collisdeterministic),
         h.atttypid < 16384 OR pgtrack._has_digest(h.atttypid)
  FROM pgtrack.relation r
  CROSS JOIN LATERAL unnest(r.key_columns, r.key_equality) WITH ORDINALITY AS k (name, equality, position)
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.column_name = k.name AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = k.name
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attname = c.history_column
  LEFT JOIN pgtrack._key_operators(r.relid) o ON o.attnum = a.attnum
  WHERE r.relation_id = p_relation;
END
$_key_parts$;
COMMENT ON FUNCTION pgtrack._key_parts(integer) IS
  'The columns of a table''s key, each with where and as what it is recorded, the operator that compares it in the table, '
  'whether values that differ as JSON may be equal, and whether such values have a digest.';

CREATE OR REPLACE FUNCTION pgtrack._is_rounded(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT t.oid IN ('real'::regtype, 'double precision'::regtype) OR t.typcategory IN ('A', 'G', 'R') OR t.typcategory = 'U' AND t.oid >= 16384
  FROM pg_type t WHERE t.oid = p_type;
END;
COMMENT ON FUNCTION pgtrack._is_rounded(oid) IS 'Whether JSON may have less of a value of a type than the value itself, by the settings of a session.';

-- The same pieces of pgtrack.relation_shape for all rows.
CREATE OR REPLACE FUNCTION pgtrack._make_key_shape(INOUT p_shape pgtrack.relation_shape)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_make_key_shape$
BEGIN
  SELECT string_agg(format('%I %s', k.column_name, k.stored_type), ', ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.k, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, x.h, x.k), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.h, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._live_is_sql(x.t, k.type, x.c, k.operator, k.equality), ' AND ' ORDER BY k.position),
         string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, x.h, x.c), ' AND ' ORDER BY k.position),
         CASE WHEN bool_or(pgtrack._is_rounded(k.stored))
              THEN format('(SELECT pgtrack._exact_json(x.*) FROM (SELECT %s) AS x)', string_agg(format('%s AS %I', x.h, k.column_name), ', ' ORDER BY k.position))
              ELSE format('jsonb_build_object(%s)', string_agg(format('%L, %s', k.column_name, x.h), ', ' ORDER BY k.position)) END,
         string_agg(x.c, ', ' ORDER BY k.position),
         bool_and(k.stored = ANY ('{smallint,integer,bigint,numeric,text,varchar,bpchar,uuid,boolean}'::regtype[])),
         -- An enum has one way to write a label.
         CASE WHEN bool_or(k.kind NOT IN ('enum', 'base')) THEN format('jsonb_build_object(%s)', string_agg(
           format('%L, %s', k.column_name, CASE WHEN k.kind NOT IN ('enum', 'base') THEN format('coalesce(%s, %s)',
             pgtrack._output_sql(pgtrack._input_sql(x.k, k.type, NULL), k.type), x.k) ELSE x.k END), ', ' ORDER BY k.position)) END,
         -- The history's column knows the collation.
         CASE WHEN bool_or(k.is_loose) THEN string_agg(format('coalesce(%s, (NULL::%s).%I)', x.k, p_shape.history, k.history_column),
                                                       ', ' ORDER BY k.position) END,
         bool_or(k.is_loose) AND bool_and(k.has_digest)
  INTO p_shape.key_record, p_shape.live_is_key, p_shape.history_is_key, p_shape.live_is_history, p_shape.live_is_change, p_shape.same_row,
       p_shape.key_json, p_shape.change_keys, p_shape.key_is_plain, p_shape.key_entered, p_shape.compared_key, p_shape.key_has_digest
  FROM pgtrack._key_parts(p_shape.relation_id) k
  CROSS JOIN LATERAL (SELECT format('t.%I', k.column_name) AS t, format('k.%I', k.column_name) AS k,
                             format('h.%I', k.history_column) AS h, format('c.%I', k.history_column) AS c) x;
END
$_make_key_shape$;
COMMENT ON FUNCTION pgtrack._make_key_shape(pgtrack.relation_shape) IS 'Makes the pieces that have to do with the key.';
