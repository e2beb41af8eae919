-- The dashboard's own tables: who may sign in, who is signed in, and who did what. Safe to run again.

DO $guard$
BEGIN
  -- A schema that somebody else prepared could hold anything, such as triggers that run with our rights.
  IF EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
             WHERE n.nspname = 'pgtrack_dashboard' AND r.rolname <> current_user
               AND NOT (r.rolsuper AND pg_has_role(r.oid, 'USAGE'))) THEN
    RAISE EXCEPTION 'schema pgtrack_dashboard belongs to somebody else' USING
      ERRCODE = 'insufficient_privilege',
      HINT = 'Drop it, let the dashboard connect as its owner, or let a superuser give it to this role with pgtrack.grant_service().';
  END IF;
  -- CREATE SCHEMA IF NOT EXISTS asks for the right to create one where it exists, too.
  IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'pgtrack_dashboard') THEN
    CREATE SCHEMA pgtrack_dashboard;
  END IF;
END
$guard$;

COMMENT ON SCHEMA pgtrack_dashboard IS 'The accounts, sessions and audit log of the pg_track dashboard.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.account (
  account_id     bigint       NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name           text         NOT NULL,
  role           text         NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
  password_hash  text         NOT NULL,
  created_at     timestamptz  NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS account_name_idx ON pgtrack_dashboard.account (lower(name));
COMMENT ON TABLE pgtrack_dashboard.account IS 'The people who may sign in to the dashboard.';
COMMENT ON COLUMN pgtrack_dashboard.account.account_id IS 'Number.';
COMMENT ON COLUMN pgtrack_dashboard.account.name IS 'The name they sign in with, in any case.';
COMMENT ON COLUMN pgtrack_dashboard.account.role IS 'viewer: reads. operator: also reverts. admin: also manages.';
COMMENT ON COLUMN pgtrack_dashboard.account.password_hash IS 'An Argon2id hash as a PHC string.';
COMMENT ON COLUMN pgtrack_dashboard.account.created_at IS 'When the account was created.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.session (
  token_hash   bytea        NOT NULL PRIMARY KEY,
  account_id   bigint       NOT NULL REFERENCES pgtrack_dashboard.account ON DELETE CASCADE,
  created_at   timestamptz  NOT NULL DEFAULT now(),
  seen_at      timestamptz  NOT NULL DEFAULT now(),
  client_addr  text
);
COMMENT ON TABLE pgtrack_dashboard.session IS 'Browsers that are signed in.';
COMMENT ON COLUMN pgtrack_dashboard.session.token_hash IS 'SHA-256 of the cookie; the cookie itself is not kept.';
COMMENT ON COLUMN pgtrack_dashboard.session.account_id IS 'Who signed in.';
COMMENT ON COLUMN pgtrack_dashboard.session.created_at IS 'When they signed in; the session ends 7 days later.';
COMMENT ON COLUMN pgtrack_dashboard.session.seen_at IS 'Their latest request, to the minute; the session ends 8 hours later.';
COMMENT ON COLUMN pgtrack_dashboard.session.client_addr IS 'The address they signed in from.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.known_address (
  account_id  bigint       NOT NULL REFERENCES pgtrack_dashboard.account ON DELETE CASCADE,
  origin      text         NOT NULL,
  seen_at     timestamptz  NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, origin)
);
COMMENT ON TABLE pgtrack_dashboard.known_address IS 'Where people have signed in from lately: there, guesses of others do not lock them out.';
COMMENT ON COLUMN pgtrack_dashboard.known_address.account_id IS 'Who signed in.';
COMMENT ON COLUMN pgtrack_dashboard.known_address.origin IS 'The IPv4 address, or the IPv6 network of 64 bits.';
COMMENT ON COLUMN pgtrack_dashboard.known_address.seen_at IS 'When they signed in there the last time; 30 days later it is forgotten.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.audit (
  audit_id     bigint       NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at           timestamptz  NOT NULL DEFAULT clock_timestamp(),
  action       text         NOT NULL,
  name         text         NOT NULL,
  client_addr  text,
  subject      text,
  outcome      text,
  submission   text,
  xid          bigint
);
ALTER TABLE pgtrack_dashboard.audit ADD COLUMN IF NOT EXISTS connection text;
CREATE INDEX IF NOT EXISTS audit_submission_idx ON pgtrack_dashboard.audit (submission) WHERE submission IS NOT NULL;
COMMENT ON TABLE pgtrack_dashboard.audit IS 'What was done through the dashboard, and what was refused. Only ever added to.';
COMMENT ON COLUMN pgtrack_dashboard.audit.audit_id IS 'Number.';
COMMENT ON COLUMN pgtrack_dashboard.audit.at IS 'When.';
COMMENT ON COLUMN pgtrack_dashboard.audit.action IS 'What was done, in words: login ok, login failed, revert applied, connection added and so on.';
COMMENT ON COLUMN pgtrack_dashboard.audit.name IS 'The account''s name; for a failed login the name that was tried.';
COMMENT ON COLUMN pgtrack_dashboard.audit.client_addr IS 'The browser''s address.';
COMMENT ON COLUMN pgtrack_dashboard.audit.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.audit.subject IS 'What was to be reverted, as the dashboard''s URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.audit.outcome IS 'Why it was refused.';
COMMENT ON COLUMN pgtrack_dashboard.audit.submission IS 'The form that was sent: a form that is sent twice is applied once.';
COMMENT ON COLUMN pgtrack_dashboard.audit.xid IS 'The transaction that reverted.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.saved_view (
  account_id  bigint  NOT NULL REFERENCES pgtrack_dashboard.account ON DELETE CASCADE,
  connection  text    NOT NULL,
  name        text    NOT NULL,
  query       text    NOT NULL,
  PRIMARY KEY (account_id, connection, name)
);
COMMENT ON TABLE pgtrack_dashboard.saved_view IS 'Searches that people have saved under a name.';
COMMENT ON COLUMN pgtrack_dashboard.saved_view.account_id IS 'Whose it is.';
COMMENT ON COLUMN pgtrack_dashboard.saved_view.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.saved_view.name IS 'Its name.';
COMMENT ON COLUMN pgtrack_dashboard.saved_view.query IS 'The query string.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.connection (
  connection_id    bigint       NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  version          integer      NOT NULL DEFAULT 1,
  slug             text         NOT NULL UNIQUE,
  label            text         NOT NULL,
  environment      text         NOT NULL,
  is_read_only     boolean      NOT NULL,
  host             text         NOT NULL,
  port             integer      NOT NULL CHECK (port BETWEEN 1 AND 65535),
  database_name    text         NOT NULL,
  role_name        text         NOT NULL,
  tls              text         NOT NULL,
  sealed_password  text,
  created_at       timestamptz  NOT NULL DEFAULT now()
);
COMMENT ON TABLE pgtrack_dashboard.connection IS 'The databases that admins have added to the dashboard.';
COMMENT ON COLUMN pgtrack_dashboard.connection.connection_id IS 'Number; sealed passwords are bound to it.';
COMMENT ON COLUMN pgtrack_dashboard.connection.version IS 'Counts its changes.';
COMMENT ON COLUMN pgtrack_dashboard.connection.slug IS 'Its name in URLs.';
COMMENT ON COLUMN pgtrack_dashboard.connection.label IS 'Its name for people.';
COMMENT ON COLUMN pgtrack_dashboard.connection.environment IS 'none, development, staging or production.';
COMMENT ON COLUMN pgtrack_dashboard.connection.is_read_only IS 'Nothing is changed there through the dashboard.';
COMMENT ON COLUMN pgtrack_dashboard.connection.host IS 'The server''s name or address.';
COMMENT ON COLUMN pgtrack_dashboard.connection.port IS 'The server''s port.';
COMMENT ON COLUMN pgtrack_dashboard.connection.database_name IS 'The database.';
COMMENT ON COLUMN pgtrack_dashboard.connection.role_name IS 'The role to log in as.';
COMMENT ON COLUMN pgtrack_dashboard.connection.tls IS 'verify-full, require or disable.';
COMMENT ON COLUMN pgtrack_dashboard.connection.sealed_password IS 'The password under AES-256-GCM; null if it is asked every time.';
COMMENT ON COLUMN pgtrack_dashboard.connection.created_at IS 'When it was added.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.connection_grant (
  account_id  bigint  NOT NULL REFERENCES pgtrack_dashboard.account ON DELETE CASCADE,
  connection  text    NOT NULL,
  access      text    NOT NULL CHECK (access IN ('none', 'viewer', 'operator', 'admin')),
  PRIMARY KEY (account_id, connection)
);
COMMENT ON TABLE pgtrack_dashboard.connection_grant IS 'What accounts may do in single connections, where that is not their role.';
COMMENT ON COLUMN pgtrack_dashboard.connection_grant.account_id IS 'Whose it is.';
COMMENT ON COLUMN pgtrack_dashboard.connection_grant.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.connection_grant.access IS 'The role there; none: it is not shown.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.column_rule (
  connection  text  NOT NULL,
  purpose     text  NOT NULL,
  pattern     text  NOT NULL,
  PRIMARY KEY (connection, purpose, pattern)
);
COMMENT ON TABLE pgtrack_dashboard.column_rule IS 'Columns whose changes alone are not shown in lists, and those whose values some roles do not see.';
COMMENT ON COLUMN pgtrack_dashboard.column_rule.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.column_rule.purpose IS 'ignore, hide from viewers, or hide from operators: from viewers, too.';
COMMENT ON COLUMN pgtrack_dashboard.column_rule.pattern IS 'column, table.column or schema.table.column, with * for any text.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.digest (
  digest_id         text         NOT NULL PRIMARY KEY,
  connection        text         NOT NULL,
  name              text         NOT NULL,
  format            text         NOT NULL,
  sealed_url        text         NOT NULL,
  shown_url         text         NOT NULL,
  sealed_secret     text,
  every             text         NOT NULL,
  hour              smallint     NOT NULL,
  zone              text         NOT NULL,
  query             text         NOT NULL,
  sends_empty       boolean      NOT NULL,
  is_paused         boolean      NOT NULL DEFAULT false,
  pause_reason      text,
  bookmark          text         NOT NULL,
  covered_until     timestamptz  NOT NULL,
  due_at            timestamptz  NOT NULL,
  claimed_until     timestamptz,
  failures          integer      NOT NULL DEFAULT 0,
  pending           text,
  pending_bookmark  text,
  pending_until     timestamptz,
  last_at           timestamptz,
  last_worked       boolean,
  last_outcome      text
);
COMMENT ON TABLE pgtrack_dashboard.digest IS 'What was changed in a while, told elsewhere.';
COMMENT ON COLUMN pgtrack_dashboard.digest.digest_id IS 'Random; what is sealed is bound to it.';
COMMENT ON COLUMN pgtrack_dashboard.digest.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.digest.name IS 'Its name.';
COMMENT ON COLUMN pgtrack_dashboard.digest.format IS 'json or slack.';
COMMENT ON COLUMN pgtrack_dashboard.digest.sealed_url IS 'Where it is sent, under AES-256-GCM.';
COMMENT ON COLUMN pgtrack_dashboard.digest.shown_url IS 'The same without what lets one write there.';
COMMENT ON COLUMN pgtrack_dashboard.digest.sealed_secret IS 'What JSON is signed with, under AES-256-GCM.';
COMMENT ON COLUMN pgtrack_dashboard.digest.every IS '5 minutes, 15 minutes, hour or day.';
COMMENT ON COLUMN pgtrack_dashboard.digest.hour IS 'The hour of a daily one.';
COMMENT ON COLUMN pgtrack_dashboard.digest.zone IS 'The time zone of that hour.';
COMMENT ON COLUMN pgtrack_dashboard.digest.query IS 'Which changes: a filter as the activity''s query string.';
COMMENT ON COLUMN pgtrack_dashboard.digest.sends_empty IS 'It is sent also when there is nothing to tell.';
COMMENT ON COLUMN pgtrack_dashboard.digest.is_paused IS 'It is not sent for now; what comes in the meantime is told later.';
COMMENT ON COLUMN pgtrack_dashboard.digest.pause_reason IS 'Why it was paused; null if a person did it.';
COMMENT ON COLUMN pgtrack_dashboard.digest.bookmark IS 'Everything that this snapshot sees has been told.';
COMMENT ON COLUMN pgtrack_dashboard.digest.covered_until IS 'The clock of the shown database then.';
COMMENT ON COLUMN pgtrack_dashboard.digest.due_at IS 'When something is to be done next.';
COMMENT ON COLUMN pgtrack_dashboard.digest.claimed_until IS 'Until then a dashboard is at it; null: none is.';
COMMENT ON COLUMN pgtrack_dashboard.digest.failures IS 'Attempts in a row that did not work.';
COMMENT ON COLUMN pgtrack_dashboard.digest.pending IS 'What is being delivered, as JSON; null: nothing.';
COMMENT ON COLUMN pgtrack_dashboard.digest.pending_bookmark IS 'What will have been told once that is delivered.';
COMMENT ON COLUMN pgtrack_dashboard.digest.pending_until IS 'The clock of the shown database then.';
COMMENT ON COLUMN pgtrack_dashboard.digest.last_at IS 'The latest attempt.';
COMMENT ON COLUMN pgtrack_dashboard.digest.last_worked IS 'Whether it worked.';
COMMENT ON COLUMN pgtrack_dashboard.digest.last_outcome IS 'How it went, in words.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.job (
  job_id        bigint       NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  connection    text         NOT NULL,
  name          text         NOT NULL,
  client_addr   text,
  subject       text         NOT NULL,
  reason        text,
  submission    text         NOT NULL,
  state         text         NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'stopped', 'failed', 'interrupted')),
  row_count     bigint       NOT NULL,
  batches       bigint       NOT NULL,
  rows_done     bigint       NOT NULL DEFAULT 0,
  batches_done  bigint       NOT NULL DEFAULT 0,
  xids          bigint[]     NOT NULL DEFAULT '{}',
  is_stopping   boolean      NOT NULL DEFAULT false,
  problem       jsonb,
  started_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
  ended_at      timestamptz,
  UNIQUE (name, submission)
);
COMMENT ON TABLE pgtrack_dashboard.job IS 'Undoes in batches, and how far they are.';
COMMENT ON COLUMN pgtrack_dashboard.job.job_id IS 'Number.';
COMMENT ON COLUMN pgtrack_dashboard.job.connection IS 'The connection, as URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.job.name IS 'The account''s name.';
COMMENT ON COLUMN pgtrack_dashboard.job.client_addr IS 'The browser''s address.';
COMMENT ON COLUMN pgtrack_dashboard.job.subject IS 'What is undone, as the dashboard''s URLs name it.';
COMMENT ON COLUMN pgtrack_dashboard.job.reason IS 'Why.';
COMMENT ON COLUMN pgtrack_dashboard.job.submission IS 'The form that was sent: a form that is sent twice begins one job.';
COMMENT ON COLUMN pgtrack_dashboard.job.state IS 'running, done, stopped, failed or interrupted. One that is running, and whose lock nobody holds, was interrupted.';
COMMENT ON COLUMN pgtrack_dashboard.job.row_count IS 'How many rows it is about; 0 until that is known.';
COMMENT ON COLUMN pgtrack_dashboard.job.batches IS 'In how many batches; 0 until that is known.';
COMMENT ON COLUMN pgtrack_dashboard.job.rows_done IS 'How many rows the batches were about that are done.';
COMMENT ON COLUMN pgtrack_dashboard.job.batches_done IS 'How many batches are done.';
COMMENT ON COLUMN pgtrack_dashboard.job.xids IS 'The transactions that did them.';
COMMENT ON COLUMN pgtrack_dashboard.job.is_stopping IS 'Whether it shall stop after the present batch.';
COMMENT ON COLUMN pgtrack_dashboard.job.problem IS 'Why it failed: text, detail, hint, and whether these are the database''s own words.';
COMMENT ON COLUMN pgtrack_dashboard.job.started_at IS 'When it began.';
COMMENT ON COLUMN pgtrack_dashboard.job.ended_at IS 'When it ended.';

CREATE TABLE IF NOT EXISTS pgtrack_dashboard.secret (
  purpose  text   NOT NULL PRIMARY KEY,
  value    bytea  NOT NULL
);
COMMENT ON TABLE pgtrack_dashboard.secret IS 'Random keys that all dashboards of this database share.';
COMMENT ON COLUMN pgtrack_dashboard.secret.purpose IS 'plan: what stands for a plan in a form says nothing of the values in it.';
COMMENT ON COLUMN pgtrack_dashboard.secret.value IS 'The key.';
INSERT INTO pgtrack_dashboard.secret (purpose, value)
VALUES ('plan', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))) ON CONFLICT DO NOTHING;

-- Members of pg_read_all_data and pg_write_all_data have rights here, too; row security keeps out who does not own the tables.
DO $closed$
DECLARE
  v_table  regclass;
BEGIN
  FOR v_table IN
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'pgtrack_dashboard'::regnamespace AND c.relkind = 'r' AND NOT c.relrowsecurity
  LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  END LOOP;
END
$closed$;
