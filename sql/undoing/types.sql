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
      merge_bases    tid[],
      merge_keys     jsonb[],
      merge_targets  jsonb[]
    );
  ELSIF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'pgtrack._work'::regclass AND a.attname = 'merge_targets') THEN
    ALTER TYPE pgtrack._work ADD ATTRIBUTE merge_keys jsonb[], ADD ATTRIBUTE merge_targets jsonb[];
  END IF;
  IF pg_catalog.to_regtype('pgtrack._step') IS NULL THEN
    CREATE TYPE pgtrack._step AS (
      number      integer,
      kind        text,
      columns     integer[],
      places      tid[],
      leaves      oid[],
      handles     tid[],
      masks       varbit[],
      is_moved    boolean,
      is_ordered  boolean
    );
  END IF;
  IF pg_catalog.to_regtype('pgtrack._set') IS NULL THEN
    CREATE TYPE pgtrack._set AS (
      tables     regclass[],
      condition  text,
      label      text,
      reverts    text,
      point      text
    );
    CREATE TYPE pgtrack._target AS (
      version       integer,
      versions      integer,
      is_gone       boolean,
      is_gone_now   boolean,
      statement_id  bigint,
      handle        tid,
      row_key       jsonb,
      is_unborn     boolean
    );
    CREATE TYPE pgtrack._decision AS (
      answer     text,
      has_work   boolean,
      work       pgtrack._work,
      reverts    text,
      arguments  jsonb
    );
  END IF;
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'pgtrack._step'::regclass AND a.attname = 'images') THEN
    ALTER TYPE pgtrack._step ADD ATTRIBUTE images text, ADD ATTRIBUTE row_count bigint;
    ALTER TYPE pgtrack._work ADD ATTRIBUTE steps pgtrack._step[];
    CREATE TYPE pgtrack._bulk AS (
      ids            bigint[],
      insert_ids     bigint[],
      other_ids      bigint[],
      snapshot       pg_snapshot,
      has_later      boolean,
      are_later_few  boolean,
      is_once        boolean
    );
  END IF;
  IF pg_catalog.to_regtype('pgtrack._passed_keys') IS NULL THEN
    CREATE TYPE pgtrack._passed_keys AS (
      relation_id    integer,
      since_id       bigint,
      deleted_keys   jsonb[],
      old_keys       jsonb[],
      new_keys       jsonb[],
      inserted_keys  jsonb[],
      left_keys      jsonb[],
      returned_keys  jsonb[],
      returned_since bigint[]
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
COMMENT ON COLUMN pgtrack._work.merge_keys IS 'The present keys of those that others gave another, in the same order; null for the rest.';
COMMENT ON COLUMN pgtrack._work.merge_targets IS 'What columns of those become by the difference, in the same order; false where that is what they are.';
COMMENT ON COLUMN pgtrack._work.steps IS 'Steps for rows that need not be listed.';
COMMENT ON TYPE pgtrack._step IS 'Rows of a table to which a revert does the same: one part of its statement.';
COMMENT ON COLUMN pgtrack._step.number IS 'Which table of the work.';
COMMENT ON COLUMN pgtrack._step.kind IS 'delete, update, insert; or exchange: deleted and inserted again.';
COMMENT ON COLUMN pgtrack._step.columns IS 'The columns that are given values, by their numbers in the shape.';
COMMENT ON COLUMN pgtrack._step.places IS 'Where the rows are (ctid).';
COMMENT ON COLUMN pgtrack._step.leaves IS 'In which partitions, in the same order; null where there are none.';
COMMENT ON COLUMN pgtrack._step.handles IS 'The images that they are made from, or that have their keys, in the same order; null where a key alone is known.';
COMMENT ON COLUMN pgtrack._step.masks IS 'Which of the columns each row is given, bit by number; null: all of them.';
COMMENT ON COLUMN pgtrack._step.is_moved IS 'Whether the rows have other keys than their images.';
COMMENT ON COLUMN pgtrack._step.is_ordered IS 'Whether the rows have to be taken in this order, after those of the step before.';
COMMENT ON COLUMN pgtrack._step.images IS 'The query for the images h, where places and handles are not listed; masks, if not null, are told by the values then.';
COMMENT ON COLUMN pgtrack._step.row_count IS 'How many rows that are.';
COMMENT ON TYPE pgtrack._bulk IS 'The statements that a set has in a table.';
COMMENT ON COLUMN pgtrack._bulk.ids IS 'Their numbers.';
COMMENT ON COLUMN pgtrack._bulk.insert_ids IS 'Those of the INSERTs among them.';
COMMENT ON COLUMN pgtrack._bulk.other_ids IS 'Those of the others.';
COMMENT ON COLUMN pgtrack._bulk.snapshot IS 'The snapshot that they were found in.';
COMMENT ON COLUMN pgtrack._bulk.has_later IS 'Whether others have changed the table since the first of them.';
COMMENT ON COLUMN pgtrack._bulk.are_later_few IS 'Whether they have changed few rows.';
COMMENT ON COLUMN pgtrack._bulk.is_once IS 'Whether they are known to have changed each row once.';
COMMENT ON TYPE pgtrack._set IS 'A set of changes that can be undone: statements of some tables, chosen by a condition.';
COMMENT ON COLUMN pgtrack._set.tables IS 'The tables.';
COMMENT ON COLUMN pgtrack._set.condition IS 'The condition on pgtrack.statement s.';
COMMENT ON COLUMN pgtrack._set.label IS 'What it is called in errors.';
COMMENT ON COLUMN pgtrack._set.reverts IS 'What is recorded as reverted by those who undo it.';
COMMENT ON COLUMN pgtrack._set.point IS 'The point that it is everything after, if it is that.';
COMMENT ON TYPE pgtrack._decision IS 'What a verb for one row is going to do.';
COMMENT ON COLUMN pgtrack._decision.answer IS 'What it says when that is done.';
COMMENT ON COLUMN pgtrack._decision.has_work IS 'Whether there is anything to do.';
COMMENT ON COLUMN pgtrack._decision.work IS 'What it does to the table.';
COMMENT ON COLUMN pgtrack._decision.reverts IS 'What is recorded as reverted.';
COMMENT ON COLUMN pgtrack._decision.arguments IS 'The arguments of the call, for its record.';
COMMENT ON TYPE pgtrack._target IS 'A version of a row that it shall be as after.';
COMMENT ON COLUMN pgtrack._target.version IS 'The version; 0 is before the first.';
COMMENT ON COLUMN pgtrack._target.versions IS 'How many there are.';
COMMENT ON COLUMN pgtrack._target.is_gone IS 'Whether it was a deletion; null for 0.';
COMMENT ON COLUMN pgtrack._target.is_gone_now IS 'Whether the last one was.';
COMMENT ON COLUMN pgtrack._target.statement_id IS 'The statement that changed the row next, if one did.';
COMMENT ON COLUMN pgtrack._target.handle IS 'The image that this has recorded.';
COMMENT ON COLUMN pgtrack._target.row_key IS 'The key that it found the row under.';
COMMENT ON COLUMN pgtrack._target.is_unborn IS 'Whether it inserted the row.';
COMMENT ON TYPE pgtrack._passed_keys IS 'Rows of a table that change places under their keys, or come back under others, in an undo.';
COMMENT ON COLUMN pgtrack._passed_keys.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack._passed_keys.since_id IS 'The last statement before that.';
COMMENT ON COLUMN pgtrack._passed_keys.deleted_keys IS 'The keys of rows that go.';
COMMENT ON COLUMN pgtrack._passed_keys.old_keys IS 'The keys of rows that get others.';
COMMENT ON COLUMN pgtrack._passed_keys.new_keys IS 'The keys that those get, in the same order.';
COMMENT ON COLUMN pgtrack._passed_keys.inserted_keys IS 'The keys of rows that come.';
COMMENT ON COLUMN pgtrack._passed_keys.left_keys IS 'The keys under which rows were deleted that come back under others.';
COMMENT ON COLUMN pgtrack._passed_keys.returned_keys IS 'The keys that those get, in the same order.';
COMMENT ON COLUMN pgtrack._passed_keys.returned_since IS 'A statement that found each of them there, in the same order.';
