CREATE TABLE IF NOT EXISTS pgtrack.key_change (
  change_id    bigint   NOT NULL PRIMARY KEY,
  xid          xid8     NOT NULL,
  relation_id  integer  NOT NULL,
  old_key      jsonb    NOT NULL,
  new_key      jsonb    NOT NULL,
  statement_id bigint
);
COMMENT ON TABLE pgtrack.key_change IS 'Rows whose primary key was changed: their history goes on under the new key.';
COMMENT ON COLUMN pgtrack.key_change.change_id IS 'From the same sequence as statement_id.';
COMMENT ON COLUMN pgtrack.key_change.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.key_change.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.key_change.old_key IS 'The key before, in canonical form.';
COMMENT ON COLUMN pgtrack.key_change.new_key IS 'The key after, in canonical form.';
COMMENT ON COLUMN pgtrack.key_change.statement_id IS 'The statement that made the change; where null, the next one after change_id.';
