-- Rows that move to another partition. PostgreSQL deletes such a row and inserts it again, and no row trigger for UPDATE fires
-- after that; in MERGE not even the transition tables of UPDATE hold it, but those of DELETE and INSERT, whose statement
-- triggers may not fire at all. So a BEFORE trigger on the leaf, the last one, notes a row whose partition key changes in the
-- table moves_N: with what it was, so that MERGE loses nothing, and with its keys. The note is gone when the row turns out
-- to have stayed (record_key_N), and when the UPDATE is recorded. Settings could carry such notes, but a client can clear them.

-- Nearly always no row has moved. A session's own count of the notes that it has written, which no client can change, says so
-- without a query; it may still have those of transactions before.
CREATE OR REPLACE FUNCTION pgtrack._may_move_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('pg_catalog.pg_stat_get_xact_tuples_inserted(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>) 0', format('pgtrack_history.moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._may_move_sql(integer) IS 'The condition that rows of a partitioned table may have moved in this transaction.';

-- A superuser can stop PostgreSQL from counting. INSERT and DELETE, which pay for each look, need not know: see _record_moves_sql.
CREATE OR REPLACE FUNCTION pgtrack._may_move_uncounted_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._may_move_sql(p_relation) || ' OR pg_catalog.current_setting(''track_counts'') OPERATOR(pg_catalog.=) ''off''';
END;
COMMENT ON FUNCTION pgtrack._may_move_uncounted_sql(integer) IS 'The same, and true also where PostgreSQL does not count.';

-- The INSERT of a MERGE is recorded after its UPDATE, and asks which that was. And notes that are gone stand in the table's
-- indexes until the transaction ends: a later search leaves them out, or many moves, one by one, would take forever.
CREATE OR REPLACE FUNCTION pgtrack._note_moves(p_name text, p_value jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_moves$
BEGIN
  PERFORM set_config('pgtrack.moves', pgtrack._sealed('moves', jsonb_set(coalesce(
    pgtrack._unsealed('moves', current_setting('pgtrack.moves', true))::jsonb, '{}'), ARRAY[p_name], p_value)::text), true);
END
$_note_moves$;
COMMENT ON FUNCTION pgtrack._note_moves(text, jsonb) IS 'Notes something about moving rows for the rest of the transaction.';

CREATE OR REPLACE FUNCTION pgtrack._noted_moves(p_name text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_noted_moves$
BEGIN
  RETURN nullif(pgtrack._unsealed('moves', current_setting('pgtrack.moves', true))::jsonb -> p_name, 'null');
END
$_noted_moves$;
COMMENT ON FUNCTION pgtrack._noted_moves(text) IS 'What _note_moves() has noted.';

CREATE OR REPLACE FUNCTION pgtrack._many_moves_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('pg_catalog.pg_stat_get_xact_tuples_inserted(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>) 100', format('pgtrack_history.moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._many_moves_sql(integer) IS 'The condition that it is worth while to leave out notes that are gone.';

CREATE OR REPLACE FUNCTION pgtrack._moves_since_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('CASE WHEN %s THEN coalesce(pgtrack._noted_moves(''%s'')::pg_catalog.int8, 0) ELSE 0 END', pgtrack._many_moves_sql(p_relation), p_relation);
END;
COMMENT ON FUNCTION pgtrack._moves_since_sql(integer) IS 'The expression for the number of a note such that all up to it are gone.';

CREATE OR REPLACE FUNCTION pgtrack._stayed_sql(p_relation integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
  IF %s THEN
    DELETE FROM pgtrack_history.%I WHERE xid = pg_current_xact_id() AND leaf = TG_RELID AND place = OLD.ctid;
  END IF;$$, pgtrack._may_move_uncounted_sql(p_relation), format('moves_%s', p_relation));
END;
COMMENT ON FUNCTION pgtrack._stayed_sql(integer) IS 'The part of the recorder of keys that takes back the note of a row that has not moved.';

CREATE OR REPLACE FUNCTION pgtrack._partition_columns(p_leaf regclass) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Columns of a partition key, in expressions too, depend on their table as a whole (StorePartitionKey in src/backend/catalog/heap.c).
  SELECT array_agg(DISTINCT a.attname ORDER BY a.attname)
  FROM pg_partition_ancestors(p_leaf) p
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.relid AND d.objsubid > 0
                  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relid AND d.refobjsubid = 0 AND d.deptype = 'i'
  JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid;
END;
COMMENT ON FUNCTION pgtrack._partition_columns(regclass) IS 'The columns that decide in which partition a row of a leaf is.';

CREATE OR REPLACE FUNCTION pgtrack._has_before_trigger(p_table regclass, p_event integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- tgtype: bit 0 row, bit 1 before (src/include/catalog/pg_trigger.h).
  SELECT EXISTS (SELECT FROM pgtrack._members(p_table) m
                 CROSS JOIN LATERAL (SELECT t.tgfoid FROM pg_trigger t WHERE t.tgrelid = m.relid AND NOT t.tgisinternal
                                                                         AND t.tgtype & 3 = 3 AND t.tgtype & p_event <> 0 OFFSET 0) t
                 JOIN pg_proc p ON p.oid = t.tgfoid
                 WHERE m.is_leaf
                   AND p.pronamespace <> 'pgtrack_history'::regnamespace);
END;
COMMENT ON FUNCTION pgtrack._has_before_trigger(regclass, integer) IS
  'Whether an application''s BEFORE ROW trigger on a table, or a leaf of it, is for an event: 4 INSERT, 8 DELETE, 16 UPDATE.';

CREATE OR REPLACE FUNCTION pgtrack._generated_keys(p_relation integer) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT array_agg(a.attname::text ORDER BY a.attnum)
  FROM pgtrack.relation r JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = ANY (r.key_columns) AND a.attgenerated = 's'
  WHERE r.relation_id = p_relation;
END;
COMMENT ON FUNCTION pgtrack._generated_keys(integer) IS 'The generated columns of a table''s key; null where there are none.';

CREATE OR REPLACE FUNCTION pgtrack._move_triggers(p_relation integer, p_is_always boolean)
RETURNS TABLE (relid regclass, name name, event text, action text, is_always boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH root AS MATERIALIZED (
    SELECT r.relid, pgtrack._has_before_trigger(r.relid, 4) AS may_vanish FROM pgtrack.relation r WHERE r.relation_id = p_relation
  ), leaf AS MATERIALIZED (
    SELECT m.relid, x.columns, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(x.columns) c) AS list,
           pgtrack._has_before_trigger(m.relid, 16) AS rewrites, pgtrack._has_before_trigger(m.relid, 8) AS may_stay,
           r.may_vanish,
           coalesce(pgtrack._same_key_sql(p_relation, x.columns), (
             SELECT string_agg(format('ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record', c), ' AND ')
             FROM unnest(x.columns) c)) AS same_place
    FROM root r CROSS JOIN LATERAL pgtrack._members(r.relid) m
    CROSS JOIN LATERAL (SELECT pgtrack._partition_columns(m.relid) AS columns) x
    WHERE m.is_leaf AND x.columns IS NOT NULL)
  -- The tilde sorts last.
  SELECT l.relid, '~pgtrack_move'::name, concat('BEFORE UPDATE', CASE WHEN NOT l.rewrites THEN ' OF ' || l.list END),
         format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I(%L, %L)', l.same_place, format('note_move_%s', p_relation),
                NOT l.may_stay, NOT l.may_vanish), p_is_always
  FROM leaf l
  -- Whether it has stayed.
  UNION ALL
  SELECT l.relid, 'pgtrack_key'::name,
         concat('AFTER UPDATE', CASE WHEN NOT l.rewrites THEN ' OF ' || coalesce(
           (SELECT string_agg(quote_ident(k), ', ') FROM pgtrack.relation r CROSS JOIN LATERAL unnest(r.key_columns) k WHERE r.relation_id = p_relation), l.list) END),
         format('FOR EACH ROW WHEN (NOT (%s)) EXECUTE FUNCTION pgtrack_history.%I()',
                coalesce(pgtrack._same_key_sql(p_relation, NULL), l.same_place), format('record_key_%s', p_relation)), p_is_always
  FROM leaf l
  UNION ALL
  SELECT l.relid, '~pgtrack_leave'::name, 'BEFORE DELETE',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I()', format('leave_%s', p_relation)), p_is_always
  FROM leaf l WHERE l.may_stay
  -- The first and the last of the destination's: what comes through both has arrived.
  UNION ALL
  SELECT l.relid, x.name::name, 'BEFORE INSERT',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I(%L)', format('enter_%s', p_relation), x.event), p_is_always
  FROM leaf l CROSS JOIN (VALUES ('!pgtrack_enter', 'enters'), ('~pgtrack_enter', 'has entered')) AS x (name, event) WHERE l.may_vanish
  UNION ALL
  SELECT l.relid, 'pgtrack_arrive'::name, 'AFTER INSERT',
         format('FOR EACH ROW EXECUTE FUNCTION pgtrack_history.%I(%L)', format('enter_%s', p_relation), 'is computed'), p_is_always
  FROM leaf l WHERE pgtrack._generated_keys(p_relation) IS NOT NULL
  UNION ALL
  SELECT m.relid, 'pgtrack_moves'::name, 'AFTER UPDATE',
         format('FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.%I()', format('claim_moves_%s', p_relation)), p_is_always
  FROM pgtrack.relation r CROSS JOIN LATERAL pgtrack._members(r.relid) m WHERE r.relation_id = p_relation AND NOT m.is_leaf;
END;
COMMENT ON FUNCTION pgtrack._move_triggers(integer, boolean) IS 'The triggers of a partitioned table that tell which rows move, and which keys change.';

CREATE OR REPLACE FUNCTION pgtrack._drop_moves(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $_drop_moves$
BEGIN
  PERFORM pgtrack._drop_function(p.oid) FROM pg_proc p
  WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname = format('first_move_%s', p_relation);
  -- An earlier installation called the history of a table "moves" so.
  IF NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_relation AND r.history_table = format('moves_%s', p_relation)) THEN
    EXECUTE format('DROP TABLE IF EXISTS pgtrack_history.%I', format('moves_%s', p_relation));
  END IF;
  DELETE FROM pgtrack.generated g WHERE g.function_name = format('first_move_%s', p_relation);
END
$_drop_moves$;
COMMENT ON FUNCTION pgtrack._drop_moves(integer) IS 'Drops the table of the notes of moving rows: it holds on to types that the table had.';

-- Columns are numbered as in the history, of whose present columns the table is a shadow; it is made anew when these have changed.
CREATE OR REPLACE FUNCTION pgtrack._generate_moves(p_relation integer, p_mode text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET default_tablespace = '' AS $_generate_moves$
DECLARE
  v_table    text := format('pgtrack_history.moves_%s', p_relation);
  v_columns  text;
BEGIN
  -- Partitions may be other ones now.
  PERFORM set_config('pgtrack.moves', '', true);
  SELECT string_agg(format('image_%s %s', a.attnum, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) INTO v_columns
  FROM pgtrack.relation r
  JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND c.attnum IS NOT NULL
  JOIN pg_attribute a ON a.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND a.attname = c.history_column
  WHERE r.relation_id = p_relation AND p_mode = 'tree';
  IF to_regclass(v_table) IS NOT NULL AND v_columns IS NOT DISTINCT FROM (
       SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
       FROM pg_attribute a WHERE a.attrelid = to_regclass(v_table) AND a.attname LIKE $r$image\_%$r$ AND NOT a.attisdropped) THEN
    RETURN;
  END IF;
  IF to_regclass(v_table) IS NOT NULL THEN
    PERFORM pgtrack._drop_moves(p_relation);
  END IF;
  IF p_mode <> 'tree' THEN
    RETURN;
  END IF;
  -- No note outlives its transaction.
  EXECUTE format('CREATE UNLOGGED TABLE %s (
      move_id  bigint   NOT NULL DEFAULT nextval(''pgtrack.statement_id_seq''),
      xid      xid8     NOT NULL DEFAULT pg_current_xact_id(),
      depth    integer  NOT NULL DEFAULT pg_trigger_depth(),
      leaf     oid      NOT NULL,
      place    tid      NOT NULL,
      departs  boolean  NOT NULL,
      arrives  boolean  NOT NULL,
      entries  integer  NOT NULL DEFAULT 0,
      claimed  integer,
      old_key  jsonb,
      new_key  jsonb,
      %s) USING heap WITH (vacuum_truncate = false)', v_table, v_columns);
  PERFORM pgtrack._require_meant(v_table, format('image_%s', h.attnum), h.atttypid)
  FROM pgtrack.relation r
  JOIN pg_attribute h ON h.attrelid = to_regclass(format('pgtrack_history.%I', r.history_table)) AND h.attnum > 0 AND h.atttypid >= 16384
  WHERE r.relation_id = p_relation;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', v_table);
  EXECUTE format('CREATE INDEX ON %s (xid, move_id)', v_table);
  EXECUTE format('CREATE INDEX ON %s (leaf, place)', v_table);
  EXECUTE format('COMMENT ON TABLE %s IS %L', v_table, format('Rows of %s that an UPDATE or MERGE is about to move to another partition.',
    (SELECT pgtrack._name(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation)));
END
$_generate_moves$;
COMMENT ON FUNCTION pgtrack._generate_moves(integer, text) IS 'Makes the table of the notes of moving rows for a partitioned table, and takes it from any other.';
