CREATE TABLE IF NOT EXISTS pgtrack.installed_version (
  version       text         NOT NULL PRIMARY KEY,
  installed_at  timestamptz  NOT NULL DEFAULT pg_catalog.now(),
  installed_by  text         NOT NULL DEFAULT session_user,
  revision      integer      NOT NULL DEFAULT 1
);
COMMENT ON TABLE pgtrack.installed_version IS 'The versions of pg_track that were installed here; the newest counts.';
COMMENT ON COLUMN pgtrack.installed_version.version IS 'Version, such as 1.0; versions with the same first number are compatible.';
COMMENT ON COLUMN pgtrack.installed_version.installed_at IS 'When it was installed, or installed again.';
COMMENT ON COLUMN pgtrack.installed_version.installed_by IS 'The session user who installed it.';
COMMENT ON COLUMN pgtrack.installed_version.revision IS 'What of that version: a script with a higher revision brings more, and is run again.';
