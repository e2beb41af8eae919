-- A row whose key was changed has its history under several keys, one after the other. Where spellings are given, the key is
-- one of pgtrack._key_changes() already.
CREATE OR REPLACE FUNCTION pgtrack._lineage(p_table regclass, p_key jsonb, p_spellings jsonb DEFAULT NULL)
RETURNS TABLE (row_key jsonb, after_id bigint, until_id bigint)
LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS $_lineage$
DECLARE
  v_shape      record;
  v_spellings  jsonb;
  v_keys       jsonb[];
  v_move       record;
  v_arrival    bigint;
  v_departure  bigint;
  v_taken      boolean;
  v_since      bigint := greatest((SELECT r.key_since - 1 FROM pgtrack.relation r WHERE r.relid = p_table), 0);
BEGIN
  row_key := CASE WHEN p_spellings IS NULL THEN pgtrack._noted_key((SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table), p_key) ELSE p_key END;
  after_id := v_since;
  IF NOT EXISTS (SELECT FROM pgtrack.key_change c JOIN pgtrack.relation r USING (relation_id)
                 WHERE r.relid = p_table AND row_key IN (c.old_key, c.new_key)) THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
    RETURN;
  END IF;
  SELECT * INTO v_shape FROM pgtrack._shape(p_table);
  v_spellings := coalesce(p_spellings, pgtrack._spellings(v_shape.relation_id));
  v_keys := pgtrack._equal_keys(v_spellings, row_key);
  -- Forward: the row has moved away, and no other came to its old key since.
  LOOP
    SELECT m.statement_id, m.new_key INTO v_move
    FROM pgtrack._noted_key_changes(v_shape.relation_id) m
    WHERE m.old_key = ANY (v_keys) AND m.new_key <> ALL (v_keys) AND m.statement_id > after_id
    ORDER BY m.statement_id DESC LIMIT 1;
    EXIT WHEN NOT FOUND OR EXISTS (
      SELECT FROM pgtrack._noted_key_changes(v_shape.relation_id) m
      WHERE m.new_key = ANY (v_keys) AND m.old_key <> ALL (v_keys) AND m.statement_id >= v_move.statement_id);
    EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s WHERE h.pgtrack_statement_id > $2)',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key)
    INTO v_taken USING row_key, v_move.statement_id;
    EXIT WHEN v_taken;
    v_keys := pgtrack._equal_keys(v_spellings, v_move.new_key);
    row_key := v_keys[1];
    after_id := v_move.statement_id;
  END LOOP;
  -- Backward, from where it is now to where it came from.
  until_id := 9223372036854775807;
  LOOP
    SELECT coalesce(max(m.statement_id) FILTER (WHERE m.new_key = ANY (v_keys)), 0),
           coalesce(max(m.statement_id) FILTER (WHERE m.old_key = ANY (v_keys)), 0)
    INTO v_arrival, v_departure
    FROM pgtrack._noted_key_changes(v_shape.relation_id) m
    WHERE (m.new_key = ANY (v_keys) OR m.old_key = ANY (v_keys)) AND NOT (m.new_key = ANY (v_keys) AND m.old_key = ANY (v_keys))
      AND m.statement_id < until_id;
    after_id := greatest(v_arrival, v_departure, v_since);
    RETURN NEXT;
    EXIT WHEN v_arrival = 0 OR v_arrival < v_departure;
    SELECT pgtrack._equal_keys(v_spellings, m.old_key) INTO v_keys
    FROM pgtrack._noted_key_changes(v_shape.relation_id) m
    WHERE m.new_key = ANY (v_keys) AND m.old_key <> ALL (v_keys) AND m.statement_id = v_arrival;
    row_key := v_keys[1];
    until_id := v_arrival;
  END LOOP;
END
$_lineage$;
COMMENT ON FUNCTION pgtrack._lineage(regclass, jsonb, jsonb) IS
  'The keys under which a row''s history is recorded, newest first, each with the range of statements that found the row there.';

CREATE OR REPLACE FUNCTION pgtrack._live_key(p_table regclass, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_key$
BEGIN
  RETURN (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l ORDER BY l.until_id DESC LIMIT 1);
END
$_live_key$;
COMMENT ON FUNCTION pgtrack._live_key(regclass, jsonb) IS 'The key that a row has now, or had last.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions(p_table regclass, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purged_versions$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table AND r.purged_until IS NOT NULL);
BEGIN
  IF v_relation IS NULL THEN
    RETURN 0;
  END IF;
  -- They are counted under the key that the row had then.
  RETURN pgtrack._purged_versions_of(v_relation, (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l ORDER BY l.until_id LIMIT 1));
END
$_purged_versions$;
COMMENT ON FUNCTION pgtrack._purged_versions(regclass, jsonb) IS 'How many versions of a row were purged.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions_of(p_relation integer, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_purged_versions_of$
BEGIN
  RETURN coalesce((SELECT p.versions FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND p.row_key = pgtrack._purged_key(p_relation, p_key)), 0);
END
$_purged_versions_of$;
COMMENT ON FUNCTION pgtrack._purged_versions_of(integer, jsonb) IS
  'How many versions of the row of a key were purged. SECURITY DEFINER: their number says where numbers go on, and is all that is told.';

CREATE OR REPLACE FUNCTION pgtrack._is_erased(p_relation integer, p_key jsonb, p_statement bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_is_erased$
BEGIN
  IF (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NOT NULL THEN
    RETURN EXISTS (SELECT FROM pgtrack.erasure e
                   WHERE e.relation_id = p_relation AND e.until_id >= p_statement AND pgtrack._is_same_key(p_relation, e.row_key, p_key));
  END IF;
  RETURN EXISTS (SELECT FROM pgtrack.erasure e
                 WHERE e.relation_id = p_relation AND e.row_key = p_key AND e.until_id >= p_statement);
END
$_is_erased$;
COMMENT ON FUNCTION pgtrack._is_erased(integer, jsonb, bigint) IS
  'Whether the image that a statement recorded under a key was erased. '
  'SECURITY DEFINER: an erased image must not be taken for one, whoever asks.';

CREATE OR REPLACE FUNCTION pgtrack._has_erasures(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_has_erasures$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.erasure e WHERE e.relation_id = p_relation);
END
$_has_erasures$;
COMMENT ON FUNCTION pgtrack._has_erasures(integer) IS
  'Whether images of rows of a table were erased. SECURITY DEFINER: whoever undoes has to know, and learns of no row.';
