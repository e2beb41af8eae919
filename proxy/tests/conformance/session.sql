-- What psql can do. Prints the same wherever it is connected to, but for process ids.
\set ON_ERROR_STOP off
\set VERBOSITY verbose
\pset pager off
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS c CASCADE;
RESET client_min_messages;
CREATE SCHEMA c;
SET search_path = c;

\echo --- simple queries
SELECT 1 AS one, NULL AS nothing, 'ünï' AS text, ARRAY[1, NULL, 3] AS list, '{"a": [1]}'::jsonb AS json;
SELECT 1 \; SELECT 2 \; SELECT 3;
SELECT 1 \; SELECT 1/0 \; SELECT 3;
;
SELECT;
SELECT repeat('x', 200000) AS wide \gset
SELECT length(:'wide');
SELECT g, repeat('y', 10) FROM generate_series(1, 5) g \gdesc
SELECT 1 AS a, 2 AS b \gx
SELECT format('SELECT %s', g) FROM generate_series(1, 3) g \gexec
VALUES (1, 'a'), (2, 'b') \crosstabview
TABLE pg_catalog.nowhere;
\errverbose
SELECT 'unterminated;
';

\echo --- definitions and changes
CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, data bytea);
INSERT INTO item SELECT g, 'item ' || g, decode(repeat(to_hex(g % 256), 20), 'escape') FROM generate_series(1, 100) g;
INSERT INTO item VALUES (1, 'again');
INSERT INTO item VALUES (0, NULL);
UPDATE item SET name = upper(name) WHERE id < 4 RETURNING *;
DELETE FROM item WHERE id > 90;
TRUNCATE item;
MERGE INTO item USING (VALUES (1, 'merged')) AS new (id, name) ON item.id = new.id
    WHEN NOT MATCHED THEN INSERT VALUES (new.id, new.name, NULL);
EXPLAIN (COSTS off) SELECT * FROM item WHERE id = 1;
\d item

\echo --- transactions
BEGIN ISOLATION LEVEL SERIALIZABLE;
SAVEPOINT s;
SELECT 1/0;
SELECT 'skipped';
ROLLBACK TO s;
SELECT 'goes on';
COMMIT;
BEGIN READ ONLY;
DELETE FROM item;
COMMIT;
PREPARE TRANSACTION 'x';

\echo --- prepared statements, cursors
PREPARE p (int) AS SELECT $1 + 1;
EXECUTE p (1);
DEALLOCATE p;
BEGIN;
DECLARE cursor SCROLL CURSOR FOR SELECT * FROM generate_series(1, 100);
FETCH 3 FROM cursor;
FETCH BACKWARD 2 FROM cursor;
MOVE ABSOLUTE 50 IN cursor;
FETCH NEXT FROM cursor;
COMMIT;
\set FETCH_COUNT 10
SELECT sum(g) OVER (ORDER BY g) FROM generate_series(1, 35) g;
\unset FETCH_COUNT

\echo --- copy
COPY item (id, name) FROM STDIN;
10	ten
11	\\eleven\n
\.
COPY item (id, name) FROM STDIN;
12	good
13	bad	extra
\.
COPY item (id, name) FROM STDIN (FORMAT csv);
14,"quoted, ""text"""
\.
COPY item TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT g, repeat('z', 100) FROM generate_series(1, 3000) g) TO STDOUT;
\copy (SELECT * FROM item ORDER BY id) TO PROGRAM 'cksum'
\copy item (id, name) FROM PROGRAM 'seq -f "%.0f	copied" 100 2100'
SELECT count(*) FROM item;

\echo --- large objects, by function calls
\lo_import :file 'a large object'
\set id :LASTOID
SELECT length(lo_get(:id)) > 1000 AS imported;
\lo_export :id :copy
\lo_unlink :id

\echo --- what the server says by itself
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning' USING DETAIL = 'd', HINT = 'h', ERRCODE = '01234'; END $$;
LISTEN news;
NOTIFY news, 'hello';
SELECT pg_notify('news', repeat('n', 5000)) IS NULL;
UNLISTEN *;
SET application_name = 'renamed';
SET client_encoding = 'LATIN1';
SELECT 'é' AS two_bytes_of_latin1;
RESET client_encoding;
SET statement_timeout = 50;
SELECT pg_sleep(10);
RESET statement_timeout;
SET standard_conforming_strings = off;
SELECT 'a\tb';
RESET standard_conforming_strings;
DISCARD ALL;
SET ROLE nobody_of_this_name;

\echo --- another session
\c
SELECT current_setting('application_name');
SELECT pg_terminate_backend(pg_backend_pid());
SELECT 'never';
