CREATE TABLE IF NOT EXISTS pgtrack.tag (
  name      text         NOT NULL PRIMARY KEY,
  snapshot  pg_snapshot  NOT NULL,
  at        timestamptz  NOT NULL,
  who       text         NOT NULL,
  message   text,
  statement_id bigint    NOT NULL DEFAULT 0
);
COMMENT ON TABLE pgtrack.tag IS 'Named points in time.';
COMMENT ON COLUMN pgtrack.tag.name IS 'The name.';
COMMENT ON COLUMN pgtrack.tag.snapshot IS 'The point: the transactions that this snapshot sees are before it.';
COMMENT ON COLUMN pgtrack.tag.at IS 'When the tag was made.';
COMMENT ON COLUMN pgtrack.tag.who IS 'The session user who made it.';
COMMENT ON COLUMN pgtrack.tag.message IS 'Why.';
COMMENT ON COLUMN pgtrack.tag.statement_id IS 'A number of its own among the statements'', which tells its epoch.';
