CREATE SEQUENCE IF NOT EXISTS pgtrack.statement_id_seq AS bigint CACHE 1;
COMMENT ON SEQUENCE pgtrack.statement_id_seq IS
  'Numbers statements. Never cached by a session: of two statements that change a row, the later must get the higher number.';

CREATE TABLE IF NOT EXISTS pgtrack.statement (
  statement_id  bigint       NOT NULL,
  xid           xid8         NOT NULL,
  snapshot      pg_snapshot  NOT NULL,
  at            timestamptz  NOT NULL,
  relation_id   integer      NOT NULL,
  operation     "char"       NOT NULL,
  row_count     bigint       NOT NULL,
  user_name     text         NOT NULL,
  role_name     text,
  application   text,
  client_addr   inet,
  context       text,
  actor         text,
  message       text,
  reverts       text,
  query         text,
  -- What was deleted is found among all statements on a table without reading them: one more index would cost each statement more.
  PRIMARY KEY (relation_id, statement_id) INCLUDE (operation)
);
COMMENT ON TABLE pgtrack.statement IS
  'One row for each statement and tracked table that it changed. Written raw and fast; pgtrack.activity reads it for people.';
COMMENT ON COLUMN pgtrack.statement.statement_id IS 'Number; later changes of the same row have higher ones.';
COMMENT ON COLUMN pgtrack.statement.xid IS 'The transaction.';
COMMENT ON COLUMN pgtrack.statement.snapshot IS 'What the transaction saw: transactions visible in this snapshot had been committed.';
COMMENT ON COLUMN pgtrack.statement.at IS 'The clock when the statement had made its changes.';
COMMENT ON COLUMN pgtrack.statement.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.statement.operation IS 'I, U, D or T: INSERT, UPDATE, DELETE, TRUNCATE.';
COMMENT ON COLUMN pgtrack.statement.row_count IS 'How many rows it changed.';
COMMENT ON COLUMN pgtrack.statement.user_name IS 'The session user, who logged in.';
COMMENT ON COLUMN pgtrack.statement.role_name IS 'The role set with SET ROLE, or none.';
COMMENT ON COLUMN pgtrack.statement.application IS 'application_name.';
COMMENT ON COLUMN pgtrack.statement.client_addr IS 'The address the server saw; null for a unix socket.';
COMMENT ON COLUMN pgtrack.statement.context IS 'What the proxy said about the client when the session started: version, address, port, session.';
COMMENT ON COLUMN pgtrack.statement.actor IS 'The person the application named with pgtrack.set_actor().';
COMMENT ON COLUMN pgtrack.statement.message IS 'The reason given with pgtrack.set_message().';
COMMENT ON COLUMN pgtrack.statement.reverts IS 'For a revert: the statement it undoes, or xid:N for a whole transaction.';
COMMENT ON COLUMN pgtrack.statement.query IS 'The beginning of the query text.';
