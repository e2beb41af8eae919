CREATE TABLE IF NOT EXISTS pgtrack.purged_version (
  relation_id  integer  NOT NULL,
  row_key      jsonb    NOT NULL,
  versions     bigint   NOT NULL,
  PRIMARY KEY (relation_id, row_key)
);
COMMENT ON TABLE pgtrack.purged_version IS 'How many versions of each row were purged, so that the others keep their numbers.';
COMMENT ON COLUMN pgtrack.purged_version.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.purged_version.row_key IS 'The row''s key after the last purged change, in canonical form.';
COMMENT ON COLUMN pgtrack.purged_version.versions IS 'How many versions.';
