CREATE TABLE IF NOT EXISTS pgtrack.erasure (
  relation_id  integer      NOT NULL,
  row_key      jsonb        NOT NULL,
  until_id     bigint       NOT NULL,
  at           timestamptz  NOT NULL,
  who          text         NOT NULL,
  reason       text         NOT NULL,
  PRIMARY KEY (relation_id, row_key, until_id)
);
COMMENT ON TABLE pgtrack.erasure IS 'Rows whose recorded values were erased.';
COMMENT ON COLUMN pgtrack.erasure.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.erasure.row_key IS 'A key under which the row was recorded, in canonical form.';
COMMENT ON COLUMN pgtrack.erasure.until_id IS 'Images recorded by statements up to this one are empty.';
COMMENT ON COLUMN pgtrack.erasure.at IS 'When they were erased.';
COMMENT ON COLUMN pgtrack.erasure.who IS 'The session user who did it.';
COMMENT ON COLUMN pgtrack.erasure.reason IS 'Why.';
