-- Asked in every call that reads, so it hashes, and uses the indexes of catalogs that are small enough to be read whole.
CREATE OR REPLACE FUNCTION pgtrack._fingerprint(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_fingerprint$
BEGIN
  RETURN concat(
    (SELECT bit_xor(hash_record_extended(ROW(a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated), 0))
     FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped), '/',
    (SELECT bit_xor(hash_record_extended(ROW(d.adnum, d.oid), 0)) FROM pg_attrdef d WHERE d.adrelid = p_table), '/',
    (SELECT i.indkey::text FROM pg_index i WHERE i.indrelid = p_table AND i.indisprimary));
END
$_fingerprint$;
COMMENT ON FUNCTION pgtrack._fingerprint(regclass) IS 'A table''s columns, defaults and key, as a short text to compare.';
