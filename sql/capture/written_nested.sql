-- A trigger of another table may write a table that the same statement has changed already: then, too, that statement has
-- begun earlier and is recorded later (_may_nest). Which tables that can happen to is told from the sources of trigger
-- functions, and of the functions that they call: a table whose name stands there, or the name of a view, a parent, a
-- partition or a table that a foreign key acts from, by which what is written there gets to it. There may be many tables
-- and functions, so the words of the sources are kept (trigger_word), and of each table what came of it (is_written_nested).

-- What is no separator here may be part of a name. What stands between double quotes may be a name, whichever of them belong together.
CREATE OR REPLACE FUNCTION pgtrack._words(p_source text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_words$
DECLARE
  c_between CONSTANT  text := $r$[\u0001-\u0023\u0025-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]+$r$;
  v_words             text[] := ARRAY(SELECT DISTINCT w COLLATE "C" FROM unnest(regexp_split_to_array(p_source, c_between)) w);
BEGIN
  RETURN QUERY
  SELECT DISTINCT w.word COLLATE "C"
  FROM (SELECT unnest(v_words) UNION ALL SELECT lower(unnest(v_words) COLLATE "C") UNION ALL SELECT unnest(string_to_array(p_source, '"'))
        -- A name at the end of what stands between dollars.
        UNION ALL
        SELECT w FROM unnest(v_words) v CROSS JOIN LATERAL unnest(string_to_array(v, '$') || string_to_array(lower(v COLLATE "C"), '$')) w
        WHERE strpos(v, '$') > 0) AS w (word)
  WHERE w.word <> '' AND octet_length(w.word) < 64;
END
$_words$;
COMMENT ON FUNCTION pgtrack._words(text) IS 'The words of a function''s source that may be names.';

-- Of a body that is parsed, what it depends on.
CREATE OR REPLACE FUNCTION pgtrack._source(p_function oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_source$
BEGIN
  RETURN (
  SELECT CASE WHEN p.prosqlbody IS NULL THEN left(p.prosrc, 1000000)
              ELSE concat('update ', (
                SELECT string_agg(coalesce(
                  (SELECT format('"%s"', c.relname) FROM pg_class c WHERE d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid),
                  (SELECT format('%s(', f.proname) FROM pg_proc f WHERE d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid)), ' ')
                FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid)) END
  FROM pg_proc p WHERE p.oid = p_function);
END
$_source$;
COMMENT ON FUNCTION pgtrack._source(oid) IS 'The source of a function, its first million characters, or the names in it.';

CREATE OR REPLACE FUNCTION pgtrack._words_of_functions(p_functions oid[], p_arguments text)
RETURNS TABLE (word text, may_be_written boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_words_of_functions$
DECLARE
  c_call CONSTANT  text := $r$(?:"([^"]+)"|([^\u0001-\u0023\u0025-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]+))\s*\($r$;
BEGIN
  RETURN QUERY
  WITH RECURSIVE called (oid, source) AS (
    SELECT f.oid, pgtrack._source(f.oid) FROM unnest(p_functions) AS f (oid)
    UNION
    SELECT f.oid, pgtrack._source(f.oid)
    FROM called c
    CROSS JOIN LATERAL (SELECT DISTINCT coalesce(m[1], m[2]) AS name FROM regexp_matches(c.source, c_call, 'g') m) x
    CROSS JOIN LATERAL (
      SELECT p.oid FROM pg_proc p
      WHERE p.proname IN (x.name, lower(x.name))
        AND p.pronamespace <> ALL ('{pg_catalog,information_schema,pgtrack,pgtrack_history}'::regnamespace[])
      OFFSET 0) f)
  SELECT w.w, bool_or(w.writes)
  FROM (SELECT s.w, c.writes
        FROM (SELECT c.source, c.source ~* $r$\m(insert|update|delete|merge|copy|execute)\M$r$ AS writes FROM called c OFFSET 0) c
        CROSS JOIN LATERAL pgtrack._words(c.source) AS s (w)
        UNION ALL SELECT s.w, true FROM pgtrack._words(p_arguments) AS s (w)) w
  GROUP BY w.w;
END
$_words_of_functions$;
COMMENT ON FUNCTION pgtrack._words_of_functions(oid[], text) IS
  'The words in the sources of functions and of those that they call, and in the arguments of triggers.';

CREATE OR REPLACE FUNCTION pgtrack._written_through(p_relations oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $_written_through$
BEGIN
  RETURN ARRAY(
    WITH RECURSIVE reached (relid) AS (
      SELECT unnest(p_relations)
      UNION
      SELECT x.relid FROM reached r CROSS JOIN LATERAL (
        SELECT d.refobjid FROM pg_rewrite w
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
        WHERE w.ev_class = r.relid
        UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.relid
        UNION ALL SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.relid
        UNION ALL SELECT c.conrelid FROM pg_depend d JOIN pg_constraint c ON c.oid = d.objid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relid AND d.classid = 'pg_constraint'::regclass
          AND c.contype = 'f' AND c.confrelid = r.relid AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
        OFFSET 0) AS x (relid))
    SELECT r.relid FROM reached r);
END
$_written_through$;
COMMENT ON FUNCTION pgtrack._written_through(oid[]) IS
  'Relations, and those that what is written to them gets to: through views, partitions and foreign keys that act.';

CREATE OR REPLACE FUNCTION pgtrack._is_in_trigger_words(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $_is_in_trigger_words$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.trigger_word) AND EXISTS (
    WITH RECURSIVE reaching (relid) AS (
      SELECT p_table::oid
      UNION
      SELECT x.relid FROM reaching r CROSS JOIN LATERAL (
        SELECT w.ev_class FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relid
        UNION ALL SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.relid
        UNION ALL SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = r.relid
        UNION ALL SELECT c.confrelid FROM pg_constraint c
        WHERE c.conrelid = r.relid AND c.contype = 'f' AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
        OFFSET 0) AS x (relid))
    SELECT FROM reaching r CROSS JOIN LATERAL (
      SELECT FROM pgtrack.trigger_word w
      WHERE w.word = (SELECT c.relname::text FROM pg_class c WHERE c.oid = r.relid) AND w.may_be_written OFFSET 0) w);
END
$_is_in_trigger_words$;
COMMENT ON FUNCTION pgtrack._is_in_trigger_words(regclass) IS
  'Whether a table is named in the source of a trigger function that may write it, or one by which that gets to it.';

CREATE OR REPLACE FUNCTION pgtrack._mark_if_written(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_mark_if_written$
BEGIN
  UPDATE pgtrack.relation r SET is_written_nested = true
  WHERE r.relation_id = p_relation AND NOT r.is_written_nested AND pgtrack._is_in_trigger_words(r.relid);
END
$_mark_if_written$;
COMMENT ON FUNCTION pgtrack._mark_if_written(integer) IS 'Notes of a table that triggers of others may write it, if they may.';

-- One whose row somebody else has is left to follow_ddl().
CREATE OR REPLACE FUNCTION pgtrack._mark_written_nested(p_tables oid[], p_is_written boolean) RETURNS regclass[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_mark_written_nested$
DECLARE
  v_marked  regclass[];
BEGIN
  WITH free AS (
    SELECT r.relation_id FROM pgtrack.relation r
    WHERE r.relid = ANY (p_tables) AND r.tracked_until IS NULL AND r.is_written_nested <> p_is_written
    ORDER BY r.relation_id FOR NO KEY UPDATE SKIP LOCKED),
  marked AS (
    UPDATE pgtrack.relation r SET is_written_nested = p_is_written FROM free f WHERE r.relation_id = f.relation_id RETURNING r.relid)
  SELECT array_agg(m.relid) INTO v_marked FROM marked m;
  RETURN coalesce(v_marked, '{}');
-- In a transaction that sees no later changes of it.
EXCEPTION WHEN serialization_failure THEN
  RAISE DEBUG '%', SQLERRM;
  RETURN '{}';
END
$_mark_written_nested$;
COMMENT ON FUNCTION pgtrack._mark_written_nested(oid[], boolean) IS
  'Notes of tables whether triggers of others may write them, and returns those where that is new.';

CREATE OR REPLACE FUNCTION pgtrack._note_trigger_words(p_functions oid[], p_arguments text, p_are_all boolean) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_trigger_words$
DECLARE
  v_words    text[];
  v_written  boolean[];
BEGIN
  SELECT array_agg(w.word), array_agg(w.may_be_written) INTO v_words, v_written
  FROM pgtrack._words_of_functions(p_functions, p_arguments) w;
  INSERT INTO pgtrack.trigger_word (word, may_be_written)
  SELECT w.word, w.may_be_written FROM unnest(v_words, v_written) AS w (word, may_be_written)
  WHERE NOT EXISTS (SELECT FROM pgtrack.trigger_word o WHERE o.word = w.word AND (o.may_be_written OR NOT w.may_be_written));
  IF p_are_all THEN
    DELETE FROM pgtrack.trigger_word o
    WHERE NOT EXISTS (SELECT FROM unnest(v_words, v_written) AS w (word, may_be_written)
                      WHERE w.word = o.word AND w.may_be_written = o.may_be_written);
  END IF;
  RETURN ARRAY(SELECT w.word FROM unnest(v_words, v_written) AS w (word, may_be_written) WHERE w.may_be_written);
END
$_note_trigger_words$;
COMMENT ON FUNCTION pgtrack._note_trigger_words(oid[], text, boolean) IS
  'Keeps the words of trigger functions, which may be all of them, and returns those that may be names of tables that they write.';
