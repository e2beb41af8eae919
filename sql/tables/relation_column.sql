CREATE TABLE IF NOT EXISTS pgtrack.relation_column (
  relation_id     integer   NOT NULL REFERENCES pgtrack.relation ON DELETE CASCADE,
  history_column  name      NOT NULL,
  column_name     name      NOT NULL,
  attnum          smallint,
  since           bigint    NOT NULL,
  until           bigint,
  successor       smallint,
  type            oid,
  PRIMARY KEY (relation_id, history_column),
  UNIQUE (relation_id, attnum)
);
COMMENT ON TABLE pgtrack.relation_column IS
  'Which column of a history table holds which column of its tracked table. Renamed columns keep theirs; dropped and retyped ones leave theirs behind.';
COMMENT ON COLUMN pgtrack.relation_column.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.relation_column.history_column IS 'The column of the history table.';
COMMENT ON COLUMN pgtrack.relation_column.column_name IS 'The column''s name in the tracked table, or its last one.';
COMMENT ON COLUMN pgtrack.relation_column.attnum IS 'The column''s number in the tracked table; null once it was dropped or retyped.';
COMMENT ON COLUMN pgtrack.relation_column.since IS 'Images recorded by statements up to this one do not have the column.';
COMMENT ON COLUMN pgtrack.relation_column.until IS
  'Images recorded by statements after this one do not have the column; null while the table has it, and for one that was excluded.';
COMMENT ON COLUMN pgtrack.relation_column.successor IS 'The number of the column that it became by a change of type; null for others.';
COMMENT ON COLUMN pgtrack.relation_column.type IS 'The column''s type in the tracked table, when that was followed last; null once it was dropped or retyped.';
