-- All changing verbs run with the caller's privileges. They work out which old images must live again and which rows
-- must go, as handles (ctids) of history rows, and have _apply() make it so in one SQL statement. PostgreSQL checks
-- foreign keys at a statement's end, so the order of tables and rows does not matter, not even in a cycle.

DO $types$
BEGIN
  IF pg_catalog.to_regtype('pgtrack._work') IS NULL THEN
    CREATE TYPE pgtrack._work AS (
      relid          regclass,
      inserts        tid[],
      updates        tid[],
      deletes        tid[],
      keyed_updates  tid[],
      updated_keys   jsonb[],
      deleted_keys   jsonb[],
      merges         tid[],
      merge_bases    tid[]
    );
  END IF;
END
$types$;
COMMENT ON TYPE pgtrack._work IS 'What a revert does to one table; a null or empty array does nothing.';
COMMENT ON COLUMN pgtrack._work.relid IS 'The table.';
COMMENT ON COLUMN pgtrack._work.inserts IS 'Images of rows to insert.';
COMMENT ON COLUMN pgtrack._work.updates IS 'Images to update the row of the same key to.';
COMMENT ON COLUMN pgtrack._work.deletes IS 'Images whose key names a row to delete.';
COMMENT ON COLUMN pgtrack._work.keyed_updates IS 'Images to update a row to that now has another key.';
COMMENT ON COLUMN pgtrack._work.updated_keys IS 'The present keys of those rows, in the same order.';
COMMENT ON COLUMN pgtrack._work.deleted_keys IS 'Keys of rows to delete.';
COMMENT ON COLUMN pgtrack._work.merges IS 'Images to restore only in the columns that nobody changed since.';
COMMENT ON COLUMN pgtrack._work.merge_bases IS 'The same rows right after the change that is undone, in the same order.';
