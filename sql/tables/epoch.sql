CREATE TABLE IF NOT EXISTS pgtrack.epoch (
  first_statement_id  bigint       NOT NULL PRIMARY KEY,
  system_identifier   bigint       NOT NULL,
  began_at            timestamptz  NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgtrack.epoch IS
  'The clusters that this history was written in. Transaction numbers and snapshots of different clusters are never compared.';
COMMENT ON COLUMN pgtrack.epoch.first_statement_id IS 'Statements from this one on were recorded in the cluster.';
COMMENT ON COLUMN pgtrack.epoch.system_identifier IS 'The cluster, as in pg_control_system().';
COMMENT ON COLUMN pgtrack.epoch.began_at IS 'When the first change was recorded there.';
