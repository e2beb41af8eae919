CREATE TABLE IF NOT EXISTS pgtrack.generated (
  function_name  name     NOT NULL PRIMARY KEY,
  relation_id    integer  NOT NULL,
  leaf           regclass,
  fingerprint    text     NOT NULL
);
COMMENT ON TABLE pgtrack.generated IS 'The functions in schema pgtrack_history that were written for tracked tables.';
COMMENT ON COLUMN pgtrack.generated.function_name IS 'The function.';
COMMENT ON COLUMN pgtrack.generated.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.generated.leaf IS 'The one partition that it is for, if any.';
COMMENT ON COLUMN pgtrack.generated.fingerprint IS 'The shape of the table that it was written for.';
