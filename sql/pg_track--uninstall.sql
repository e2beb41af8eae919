\echo removing pg_track, with everything it recorded \\ BEGIN;
-- Takes pg_track out of a database: its triggers, its functions and the whole history. Tracked tables stay as they are.
-- If it was installed with CREATE EXTENSION, DROP EXTENSION pg_track CASCADE comes first.

SET LOCAL client_min_messages = warning;
DROP EVENT TRIGGER IF EXISTS pgtrack_before_ddl;
DROP EVENT TRIGGER IF EXISTS pgtrack_ddl;
DROP EVENT TRIGGER IF EXISTS pgtrack_drop;
-- The triggers on tracked tables go with their functions.
DROP SCHEMA IF EXISTS pgtrack_history CASCADE;
DROP SCHEMA IF EXISTS pgtrack CASCADE;

\echo pg_track is removed. \\ COMMIT;
