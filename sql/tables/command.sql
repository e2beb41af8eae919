CREATE UNLOGGED TABLE IF NOT EXISTS pgtrack.command (
  is_mark  boolean  NOT NULL
);
COMMENT ON TABLE pgtrack.command IS 'Empty: what is written and deleted here tells the number of a command (_command_id).';
COMMENT ON COLUMN pgtrack.command.is_mark IS 'Always true.';
