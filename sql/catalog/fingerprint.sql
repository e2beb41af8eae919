-- Asked in every call that reads, so it hashes, and uses the indexes of catalogs that are small enough to be read whole.
CREATE OR REPLACE FUNCTION pgtrack._fingerprint(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_fingerprint$
BEGIN
  RETURN concat(
    (SELECT concat(bit_xor(hash_record_extended(ROW(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated), 0)),
                   bit_xor(hash_record_extended(ROW(a.attnum, a.attcollation), 0)) FILTER (WHERE a.attcollation >= 16384))
     FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped), '/',
    (SELECT bit_xor(hash_record_extended(ROW(d.adnum, d.oid), 0)) FROM pg_attrdef d WHERE d.adrelid = p_table), '/',
    (SELECT i.indkey::text FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary),
    -- Foreign keys that may update the table's rows (_may_repeat), or at least delete them (_has_acting_key).
    (SELECT CASE WHEN bool_or(c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('n', 'd')) THEN '/f' WHEN bool_or(c.confdeltype = 'c') THEN '/d' END
     FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype = 'f'));
END
$_fingerprint$;
COMMENT ON FUNCTION pgtrack._fingerprint(regclass) IS 'A table''s columns, defaults, key and what foreign keys do to it, as a short text to compare.';

-- From PostgreSQL's cache, whatever the age of the snapshot. What it calls a column that is gone is in heap.c (RemoveAttributeById).
CREATE OR REPLACE FUNCTION pgtrack._column_name(p_table regclass, p_attnum smallint) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_column_name$
BEGIN
  RETURN (
  SELECT nullif((pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::regclass, p_table, p_attnum)).object_names[3],
                pg_catalog.format('........pg.dropped.%s........', p_attnum))::name);
END
$_column_name$;
COMMENT ON FUNCTION pgtrack._column_name(regclass, smallint) IS 'What a column is called now; null if it was dropped.';

CREATE OR REPLACE FUNCTION pgtrack._identity(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_identity$
BEGIN
  RETURN (
  SELECT pg_catalog.format('%s/%s', c.system_identifier, p_table::oid) FROM pg_catalog.pg_control_system() c);
END
$_identity$;
COMMENT ON FUNCTION pgtrack._identity(regclass) IS 'The cluster and the OID of a table, or of a schema; a dump that is restored has others.';

CREATE OR REPLACE FUNCTION pgtrack._require_member(p_relation integer, p_table oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_member$
BEGIN
  -- From PostgreSQL's caches, whatever the age of the snapshot.
  IF NOT EXISTS (SELECT FROM pgtrack.relation r
                 WHERE r.relation_id = p_relation
                   AND (r.relid = p_table OR r.relid IN (SELECT a.relid FROM pg_partition_ancestors(p_table) a))) THEN
    RAISE EXCEPTION 'this function does not record the changes of %', p_table::regclass USING
      ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'It was written for another table; only pgtrack.track() makes triggers with it.',
      HINT = format('Drop the trigger on %s that calls it.', p_table::regclass);
  END IF;
END
$_require_member$;
COMMENT ON FUNCTION pgtrack._require_member(integer, oid) IS 'Refuses to record the changes of a table under the name of another.';
