CREATE TABLE IF NOT EXISTS pgtrack.secret (
  inner_key  bytea  NOT NULL,
  outer_key  bytea  NOT NULL
);
COMMENT ON TABLE pgtrack.secret IS
  'One row: what settings of ours are sealed with, so that a client cannot make them up. Only the owner of pg_track can read it.';
COMMENT ON COLUMN pgtrack.secret.inner_key IS 'The key as HMAC (RFC 2104) pads it for the inner hash.';
COMMENT ON COLUMN pgtrack.secret.outer_key IS 'The key as HMAC pads it for the outer hash.';

-- Numbers the states of pgtrack.open, so that an older state cannot be put back. Only its value in this session counts.
CREATE SEQUENCE IF NOT EXISTS pgtrack.open_seq AS bigint CACHE 100 CYCLE;
COMMENT ON SEQUENCE pgtrack.open_seq IS 'Numbers the notes of statements that have begun; a session compares them with its own alone.';
