-- Which foreign keys refer to what: a key may be to a partition, or be of one, alone. Those that PostgreSQL makes for each
-- partition from a table's own are left out.
CREATE OR REPLACE FUNCTION pgtrack._foreign_keys_to(p_table regclass) RETURNS SETOF pg_constraint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_foreign_keys_to$
BEGIN
  RETURN QUERY
    SELECT c.* FROM pg_constraint c
    WHERE c.contype = 'f' AND c.conparentid = 0
      AND c.confrelid = ANY (ARRAY(SELECT m.relid::oid FROM pgtrack._members(p_table) m UNION SELECT a.relid FROM pg_partition_ancestors(p_table) a));
END
$_foreign_keys_to$;
COMMENT ON FUNCTION pgtrack._foreign_keys_to(regclass) IS
  'The foreign keys that rows of a table may be referred to by: those to it, to one of its partitions, or to what it is a partition of.';

CREATE OR REPLACE FUNCTION pgtrack._table_with(p_member regclass, p_tables regclass[]) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_table_with$
BEGIN
  RETURN (SELECT t FROM unnest(p_tables) t WHERE t = p_member OR t IN (SELECT a.relid FROM pg_partition_ancestors(p_member) a) LIMIT 1);
END
$_table_with$;
COMMENT ON FUNCTION pgtrack._table_with(regclass, regclass[]) IS 'Which of some tables a table is, or is a partition of; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._followers(p_key pg_constraint) RETURNS SETOF pg_constraint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT f.* FROM pgtrack._foreign_keys_to(p_key.conrelid) f
  WHERE EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute b ON b.attname = a.attname
                WHERE a.attrelid = p_key.conrelid AND a.attnum = ANY (p_key.conkey) AND b.attrelid = f.confrelid AND b.attnum = ANY (f.confkey));
END;
COMMENT ON FUNCTION pgtrack._followers(pg_constraint) IS 'The foreign keys that refer to columns of another foreign key.';
